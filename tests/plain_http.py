"""Plain HTTP without boto3, as a browser or curl makes it."""

from __future__ import annotations

import urllib.error
import urllib.request
from xml.etree import ElementTree


class Answer:
    """An HTTP answer: *status*, *headers*, *body*; ``error`` is the XML error of S3 as a dict."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.body = status, body
        self.headers = {name.lower(): value for name, value in headers.items()}

    @property
    def error(self) -> dict[str, str]:
        """The members of an error, without the ids that differ each time."""
        members = {one.tag: one.text or "" for one in ElementTree.fromstring(self.body)}  # noqa: S314  from ourselves
        return {name: text for name, text in members.items() if name not in ("RequestId", "HostId")}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: object) -> None:
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def http(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
    """Send one request and return its answer, whatever its status; a redirect is not followed."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    if body is not None and "Content-Type" not in (headers or {}):
        request.add_unredirected_header("Content-type", "")  # urllib would say it is a form
    try:
        with _opener.open(request, timeout=20) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())
