"""Where the deployed code of a function can be fetched: an address for ten minutes, for whoever has it.

https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCodeLocation.html
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from urllib.parse import urlencode

from labkit.local.api_call import AwsError, HttpRequest, HttpResponse

PATH = "/_labkit/function-code"
SECONDS = 600


class CodeLocations:
    """Addresses that are signed, so that nobody can make one up; they end with the local cloud."""

    def __init__(self, *, endpoint: str, package: Callable[[str], bytes], now: Callable[[], float]) -> None:
        self._endpoint, self._package, self._now = endpoint, package, now
        self._secret = secrets.token_bytes(32)

    def of(self, arn: str) -> str:
        """Return an address for the code of a function's version, or of a layer's."""
        until = str(int(self._now()) + SECONDS)
        query = {"function": arn, "until": until, "signature": self._signature(arn, until)}
        return f"{self._endpoint}{PATH}?{urlencode(query)}"

    async def page(self, request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        """Answer with the zip, if the address is one of ours and not too old."""
        arn, until = query.get("function", ""), query.get("until", "")
        if not hmac.compare_digest(self._signature(arn, until).encode(), query.get("signature", "").encode()):
            return _denied("This address of a function's code is not complete: ask GetFunction for one.")
        if int(until) < self._now():
            return _denied("Request has expired")
        try:
            package = self._package(arn)
        except AwsError as error:
            return HttpResponse(404, error.message.encode(), {"Content-Type": "text/plain"})
        return HttpResponse(200, package, {"Content-Type": "application/octet-stream"})

    def _signature(self, arn: str, until: str) -> str:
        return hmac.new(self._secret, f"{arn} {until}".encode(), hashlib.sha256).hexdigest()


def _denied(message: str) -> HttpResponse:
    text = (
        f"<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
    )
    return HttpResponse(403, text.encode(), {"Content-Type": "application/xml"})
