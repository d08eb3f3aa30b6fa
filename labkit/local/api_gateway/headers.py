"""Headers on their way through API Gateway: what it takes off and adds on the way in, and renames on the way out.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from labkit.local.api_gateway.method_request import MethodRequest

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# API Gateway takes these off a request before it hands it on.
DROPPED = frozenset(
    {
        "connection", "content-length", "content-md5", "expect", "max-forwards", "proxy-authenticate", "server", "te",
        "trailer", "transfer-encoding", "upgrade", "www-authenticate",
    }
)  # fmt: skip

# An integration cannot set these: API Gateway sends them under the name x-amzn-Remapped-<name>.
REMAPPED = frozenset(
    {
        "authorization", "connection", "content-length", "content-md5", "date", "expect", "host", "max-forwards",
        "proxy-authenticate", "server", "trailer", "transfer-encoding", "upgrade", "user-agent", "www-authenticate",
    }
)  # fmt: skip


def headers_of(request: MethodRequest) -> list[tuple[str, str]]:
    """The client's headers, spelled as sent, and those that API Gateway adds."""
    port = request.headers.get("host").rpartition(":")[2]
    added = {
        "X-Amzn-Trace-Id": request.trace_id,
        "X-Forwarded-For": ", ".join(filter(None, [request.headers.get("x-forwarded-for"), request.http.source_ip])),
        "X-Forwarded-Port": port if port.isdecimal() else "80",
        "X-Forwarded-Proto": request.headers.get("x-forwarded-proto", "http"),
    }
    replaced = DROPPED | {name.lower() for name in added}
    kept = [(name, value) for name, value in request.headers.items if name.lower() not in replaced]
    return [*kept, *added.items()]


def grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Name → all its values, in order."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def returned(
    headers: Iterable[tuple[str, str]], remapped: frozenset[str] = REMAPPED
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return an integration's headers as the client gets them, the second and later values of a name apart."""
    first: dict[str, str] = {}
    more: list[tuple[str, str]] = []
    for name, value in headers:
        sent_name = f"x-amzn-Remapped-{name}" if name.lower() in remapped else name
        if sent_name in first:
            more.append((sent_name, value))
        else:
            first[sent_name] = value
    return first, more


def set_header(headers: dict[str, str], name: str, value: str) -> None:
    """Set a header that a parameter mapping made, in place of one spelled otherwise.

    What a client sent must not end it and begin another one.
    """
    if HEADER_NAME.fullmatch(name):
        for other in [other for other in headers if other.lower() == name.lower()]:
            del headers[other]
        headers[name] = CONTROL.sub(" ", value)
