"""The Lambda Runtime API: one listener per execution environment.

The listener is written for this one API, on httptools' parser: every invocation passes here, and a general server
costs three times as much. A runtime may send its result and its next request in one piece, as ours does; the answers
to both then leave in one piece too.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

import httptools

PREFIX = "/2018-06-01/runtime/"
LARGEST_PAYLOAD = 6_291_556


@dataclass(slots=True)
class Invocation:
    """One invocation on its way through an environment; *payload* is JSON, *deadline* epoch seconds.

    *result* becomes its payload and error type (``""`` for a success), or ``None`` when no answer will come.
    """

    request_id: str
    function_arn: str
    payload: bytes
    deadline: float
    trace_id: str
    client_context: str = ""
    result: asyncio.Future[tuple[bytes, str] | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def give_up(self) -> None:
        """Say that no answer will come."""
        if not self.result.done():
            self.result.set_result(None)


class RuntimeApi:
    """What one execution environment talks to.

    *initialised* becomes done when the runtime asks for its first invocation (``None``) or reports that it could not
    start (the error's JSON and its type).
    """

    def __init__(self) -> None:
        self.initialised: asyncio.Future[tuple[bytes, str] | None] = asyncio.get_running_loop().create_future()
        self._offered: Invocation | None = None
        self._running: Invocation | None = None
        self._asking: Connection | None = None
        self._server: asyncio.Server | None = None

    async def listen(self) -> str:
        """Listen on a free loopback port; return ``host:port``."""
        self._server = await asyncio.get_running_loop().create_server(lambda: Connection(self), "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.close()

    def offer(self, invocation: Invocation) -> None:
        """Give the runtime its next invocation."""
        self._offered = invocation
        self._hand_out()

    def ask(self, connection: Connection) -> None:
        """Take note that the runtime waits for an invocation."""
        if not self.initialised.done():
            self.initialised.set_result(None)
        self._asking = connection
        self._hand_out()

    def leave(self, connection: Connection) -> None:
        """Forget a connection that was closed."""
        if self._asking is connection:
            self._asking = None

    def _hand_out(self) -> None:
        connection, invocation = self._asking, self._offered
        if connection is None or invocation is None:
            return
        self._asking, self._offered, self._running = None, None, invocation
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
            "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
        }
        if invocation.client_context:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        connection.answer(200, invocation.payload, headers)
        connection.flush()

    def post(self, path: str, body: bytes, error_type: str) -> tuple[int, bytes]:
        """Take a result or an error; return the status and the body of the answer."""
        if path == "init/error":
            if not self.initialised.done():
                self.initialised.set_result((body, error_type or "Unhandled"))
            return 202, b'{"status":"OK"}'
        kind, _, rest = path.partition("/")
        request_id, _, what = rest.partition("/")
        if kind != "invocation" or what not in ("response", "error"):
            return 404, _error("InvalidResource", f"There is no POST {PREFIX}{path}.")
        running = self._running
        if running is None or request_id != running.request_id or running.result.done():
            return 400, _error("InvalidRequestID", "Invalid request ID")
        if what == "error":
            running.result.set_result((body, error_type or "Unhandled"))
        elif len(body) > LARGEST_PAYLOAD:
            message = f"Response payload size exceeded maximum allowed payload size ({LARGEST_PAYLOAD} bytes)."
            too_large = "Function.ResponseSizeTooLarge"
            running.result.set_result((_error(too_large, message), too_large))
            return 413, _error("RequestEntityTooLarge", message)
        else:
            running.result.set_result((body, ""))
        return 202, b'{"status":"OK"}'


class Connection(asyncio.Protocol):
    """One connection of a runtime: HTTP/1.1, answered in the order of its requests."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: list[bytes] = []
        self._asks = False
        self._url, self._error_type, self._expects = b"", "", False
        self._body: list[bytes] = []
        self._length = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the API."""
        self._api.leave(self)

    def data_received(self, data: bytes) -> None:
        """Read requests; answers leave together, unless the last of them is still to come."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.answer(400, _error("InvalidRequest", "This is no HTTP/1.1."))
            self.flush()
            self._transport.close()
            return
        if not self._asks:
            self.flush()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._url, self._error_type, self._expects = b"", "", False
        self._body, self._length = [], 0

    def on_url(self, url: bytes) -> None:
        """Take a piece of the path."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take the two headers that matter."""
        lower = name.lower()
        if lower == b"lambda-runtime-function-error-type":
            self._error_type = value.decode("latin-1")
        elif lower == b"expect":
            self._expects = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        """Ask for the body where the client waits to be asked, as curl does before a large one."""
        if self._expects:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; of one that is too large no more than shows that it is."""
        if self._length <= LARGEST_PAYLOAD:
            self._body.append(body)
            self._length += len(body)

    def on_message_complete(self) -> None:
        """Answer a request; the one for the next invocation is answered when there is one."""
        method, path = self._parser.get_method(), self._url.decode("latin-1").removeprefix(PREFIX)
        if (method, path) == (b"GET", "invocation/next"):
            self._asks = True
            self._api.ask(self)
        elif method == b"POST":
            self.answer(*self._api.post(path, b"".join(self._body), self._error_type))
        else:
            what = f"There is no {method.decode('latin-1')} {self._url.decode('latin-1')}."
            self.answer(404, _error("InvalidResource", what))

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Put an answer in line."""
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n"
        self._waiting.append(head.encode("latin-1") + body)

    def flush(self) -> None:
        """Send what is in line."""
        self._asks = False
        if self._waiting:
            self._transport.write(b"".join(self._waiting))
            self._waiting.clear()


def _error(error_type: str, message: str) -> bytes:
    return json.dumps({"errorMessage": message, "errorType": error_type}).encode()
