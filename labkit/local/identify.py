"""Who calls: the holder of the key that signed a request, or anybody.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

from collections.abc import Callable

from labkit.local.api_call import Caller, Headers, HttpRequest
from labkit.local.s3_access import is_unsigned_s3_request
from labkit.local.signature import decode_aws_chunked, verify

ANYBODY = Caller("anonymous", "anonymous", account_id="anonymous")


def identifier(
    *, secret_of: Callable[[str, str], str | None], caller_of: Callable[[str], Caller], now: Callable[[], float]
) -> Callable[[HttpRequest], tuple[Caller, str, str]]:
    """Return the function that tells a request's caller, region and service; it refuses a bad signature."""

    def identify(request: HttpRequest) -> tuple[Caller, str, str]:
        unsigned = is_unsigned_s3_request(request)
        signed = None if unsigned else verify(request, secret_of=secret_of, now=now)
        if request.headers.get("x-amz-content-sha256").startswith("STREAMING-"):
            request.body = decode_aws_chunked(request.body)
        if signed is None:
            # The bucket policy is asked when the call is authorised; moto would ask its own idea, and refuse HEAD.
            request.headers = Headers([*request.headers.items, ("Authorization", "nobody")])
            return ANYBODY, "us-east-1", "s3"
        return caller_of(signed.access_key_id), signed.region, signed.service

    return identify
