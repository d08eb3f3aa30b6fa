"""HTTP in, HTTP out: which part of the local cloud an address belongs to, and who may reach it."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from labkit.local.api_call import Headers, HttpRequest, HttpResponse
from labkit.local.front_door import body_limits
from labkit.local.front_door.http_protocol import HEADER_NAMES
from labkit.local.front_door.public_address import PublicAddress, without_what_is_the_proxys

EXECUTE_API = re.compile(r"/_aws/execute-api/(?P<api>[^/]+)/(?P<stage>[^/]+)(?P<path>/.*)?")
USER_REQUEST = re.compile(r"/restapis/(?P<api>[^/]+)/(?P<stage>[^/]+)/_user_request_(?P<path>/.*)?")
WEBSITE = re.compile(r"/_aws/s3-website/(?P<bucket>[^/]+)(?:/(?P<key>.*))?")
EXECUTE_API_HOST = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\..+")
WEBSITE_HOST = re.compile(r"(?P<bucket>.+)\.s3-website[.-].+")
LOOPBACK = re.compile(r"(.+\.)?localhost|127\.0\.0\.1|\[::1\]")
UNPRINTABLE = re.compile(r"[^\x20-\x7e\xa0-\U0010ffff]")
SAID_BY_UVICORN = ("connection", "transfer-encoding", "server", "date")
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~\w-]+", re.ASCII)

Page = Callable[[HttpRequest, dict[str, str]], Awaitable[HttpResponse]]


@dataclass(frozen=True, slots=True)
class Routes:
    """Where requests go: *pages* are labkit's own (exact path), *open_pages* those that need no token."""

    api_call: Callable[[HttpRequest], Awaitable[HttpResponse]]
    too_large: Callable[[HttpRequest], HttpResponse]
    knows_key: Callable[[str], bool]
    execute_api: Callable[[HttpRequest, str, str, str], Awaitable[HttpResponse]]
    website: Callable[[HttpRequest, str, str], Awaitable[HttpResponse]]
    pages: Mapping[str, Page]
    open_pages: Mapping[str, Page]
    token: str
    allowed_hosts: frozenset[str]
    public: PublicAddress


class Server:
    """The ASGI application."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self.requests = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request of ASGI."""
        if scope["type"] != "http":
            raise RuntimeError(f"the local cloud does not speak {scope['type']}")
        self.requests += 1
        request = _head(scope)
        most = body_limits.SHORT if body_limits.is_short(request) else self._longest_body(request)
        body = await _body(receive, most)
        if body is None:
            return  # the client went away in the middle of its request
        request.body = body
        fits = len(body) <= most or most == body_limits.API
        response = await self._route(request) if fits else self._refuse_length(request)
        await _write(scope["method"], response, receive, send)

    def _longest_body(self, request: HttpRequest) -> int:
        path, host = request.path, request.host
        if path.startswith("/_labkit/"):
            return body_limits.SHORT
        if EXECUTE_API.fullmatch(path) or USER_REQUEST.fullmatch(path) or EXECUTE_API_HOST.fullmatch(host):
            return body_limits.API
        return body_limits.longest_call(request, self._routes.knows_key)

    def _refuse_length(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/_labkit/"):
            return _text(413, "No page of the local cloud takes a body of that length.")
        return self._routes.too_large(request)

    async def _route(self, request: HttpRequest) -> HttpResponse:
        routes, path, host = self._routes, request.path, request.host
        through_proxy = routes.public.leads_here(request)
        if path.startswith("/_labkit/"):
            known = through_proxy or self._is_loopback(host)
            return await self._labkit_page(request) if known else _wrong_host(host)
        if through_proxy:
            request = without_what_is_the_proxys(request)
        if found := EXECUTE_API.fullmatch(path) or USER_REQUEST.fullmatch(path):
            return await routes.execute_api(request, found["api"], found["stage"], found["path"] or "/")
        if found := WEBSITE.fullmatch(path):
            return await routes.website(request, unquote(found["bucket"]), found["key"] or "")
        if found := EXECUTE_API_HOST.fullmatch(host):
            _, stage, rest = [*path.split("/", 2), "", ""][:3]
            return await routes.execute_api(request, found["api"], stage, "/" + rest)
        if found := WEBSITE_HOST.fullmatch(host):
            return await routes.website(request, found["bucket"], path.removeprefix("/"))
        if not self._is_loopback(host):
            return _wrong_host(host)
        return await routes.api_call(request)

    def _is_loopback(self, host: str) -> bool:
        return LOOPBACK.fullmatch(host) is not None or host in self._routes.allowed_hosts

    async def _labkit_page(self, request: HttpRequest) -> HttpResponse:
        query = dict(parse_qsl(request.query, keep_blank_values=True))
        if page := self._routes.open_pages.get(request.path):
            return await page(request, query)
        token = request.headers.get("x-labkit-token") or query.get("labkit-token", "")  # Jupyter takes `token`
        if not secrets.compare_digest(token.encode(), self._routes.token.encode()):
            return _text(403, "This page needs the token of the local cloud: open the link that labkit prints.")
        if page := self._routes.pages.get(request.path):
            return await page(request, query)
        return _text(404, f"The local cloud has no page {request.path}.")


def _wrong_host(host: str) -> HttpResponse:
    return _text(
        403,
        f"The local cloud does not answer to the name {host!r}. Use 127.0.0.1 or localhost, "
        f"or start it with: labkit up --allow-host {host}",
    )


def _text(status: int, text: str) -> HttpResponse:
    return HttpResponse(status, text.encode() + b"\n", {"Content-Type": "text/plain; charset=utf-8"})


def _head(scope: dict[str, Any]) -> HttpRequest:
    names = scope.get(HEADER_NAMES) or [name for name, _ in scope["headers"]]
    values = [value for _, value in scope["headers"]]
    headers = Headers(
        [(name.decode("latin-1"), value.decode("latin-1")) for name, value in zip(names, values, strict=True)]
    )
    client = scope.get("client")
    return HttpRequest(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1") or "/",
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        source_ip=client[0] if client else "127.0.0.1",
    )


async def _body(receive: Any, most: int) -> bytes | None:
    """Return the body; of one longer than *most* bytes a beginning that is; ``None`` when the client went away."""
    chunks: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message.get("body", b""))
        length += len(chunks[-1])
        if length > most or not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _header_value(value: str) -> bytes:
    """Encode a header's value; what could end the line and begin another header becomes a space."""
    return (value if value.isprintable() else UNPRINTABLE.sub(" ", value)).encode("latin-1", "replace")


async def _write(method: str, response: HttpResponse, receive: Any, send: Any) -> None:
    headers = dict(response.headers)
    names = {name.lower() for name in headers}
    if response.stream is None and "content-length" not in names and response.status not in (204, 304):
        headers["Content-Length"] = str(len(response.body))
    raw = [
        (name.encode("latin-1"), _header_value(value))
        for name, value in (*headers.items(), *response.more_headers)
        if HEADER_NAME.fullmatch(name) and name.lower() not in SAID_BY_UVICORN
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    if response.stream is None:
        # A body after 204 or 304 makes uvicorn close the connection under the client's next request.
        body = b"" if method == "HEAD" or response.status in (204, 304) else response.body
        await send({"type": "http.response.body", "body": body})
        return
    gone = asyncio.ensure_future(receive())  # after the request's body it returns when the reader goes away
    try:
        async for chunk in response.stream:
            if gone.done():
                break
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    finally:
        gone.cancel()
        await response.stream.aclose()
    await send({"type": "http.response.body", "body": b""})
