"""Who calls: the holder of the key that signed a request, or anybody.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from labkit.local.api_call import Caller, Headers, HttpRequest, Signed
from labkit.local.front_door.presigned_url import is_presigned, verify_query
from labkit.local.front_door.signature import SecretOf, decode_aws_chunked, verify_header
from labkit.local.front_door.signature_errors import not_signed
from labkit.local.s3.access import is_unsigned_s3_request

ANYBODY = Caller("anonymous", "anonymous", account_id="anonymous")
BUCKET_HOST = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9.-]+)\.s3(\.[a-z0-9-]+)?\.localhost")

TRANSFER = frozenset(
    {"content-encoding", "content-length", "transfer-encoding", "x-amz-content-sha256", "x-amz-decoded-content-length",
     "x-amz-trailer"}
)  # fmt: skip
CHECKSUMS = frozenset(f"x-amz-checksum-{name}" for name in ("crc32", "crc32c", "crc64nvme", "sha1", "sha256"))

Identify = Callable[[HttpRequest, str], Awaitable[tuple[Caller, str, str]]]


def identifier(
    *,
    ready: Callable[[], Awaitable[None]],
    secret_of: SecretOf,
    caller_of: Callable[[str], Caller],
    now: Callable[[], float],
) -> Identify:
    """Return the function that tells a request's caller, region and service; it refuses a bad signature.

    Its second argument is the service that the request seems to be for. *ready* is awaited before *secret_of* is asked.
    """

    async def identify(request: HttpRequest, service: str) -> tuple[Caller, str, str]:
        await ready()
        signed = request.signed or verify(request, service, secret_of=secret_of, now=now)
        if request.headers.get("x-amz-content-sha256").startswith("STREAMING-"):
            _read_chunks(request)
        if found := BUCKET_HOST.fullmatch(request.host):
            request.path = f"/{found['bucket']}{request.path}"
        if signed is None:
            # The bucket policy is asked when the call is authorised; moto would ask its own idea, and refuse HEAD.
            request.headers = Headers([*request.headers.items, ("Authorization", "nobody")])
            return ANYBODY, "us-east-1", "s3"
        return caller_of(signed.access_key_id), signed.region, signed.service

    return identify


def verify(request: HttpRequest, service: str, *, secret_of: SecretOf, now: Callable[[], float]) -> Signed | None:
    """Check the signature of *request*, in its headers or its query; ``None`` when S3 may answer it without one.

    Raises:
        AwsError: The signature is missing, incomplete, unknown, wrong or outdated.
    """
    if is_presigned(request.query):
        return verify_query(request, secret_of=secret_of, now=now())
    if request.headers.get("authorization").strip():
        return verify_header(request, service, secret_of=secret_of, now=now())
    if is_unsigned_s3_request(request):
        return None
    raise not_signed(service)


def _read_chunks(request: HttpRequest) -> None:
    """Replace an ``aws-chunked`` body by what it carries, as if it had come in one piece."""
    request.body, trailers = decode_aws_chunked(request.body)
    sent = [(name, value) for name, value in request.headers.items if name.lower() not in TRANSFER]
    encoding = [one.strip() for one in request.headers.get("content-encoding").split(",")]
    left = ",".join(one for one in encoding if one not in ("", "aws-chunked"))
    sent += [("Content-Encoding", left)] if left else []
    sent += [("x-amz-content-sha256", "UNSIGNED-PAYLOAD"), ("Content-Length", str(len(request.body)))]
    request.headers = Headers(sent + [(name, value) for name, value in trailers.items() if name in CHECKSUMS])
