"""The Lambda Runtime API: one listener per execution environment.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from uvicorn.server import ServerState

PREFIX = "/2018-06-01/runtime/"
LARGEST_PAYLOAD = 6_291_556


@dataclass(slots=True)
class Invocation:
    """One invocation on its way through an environment; *payload* is JSON, *deadline* epoch seconds."""

    request_id: str
    function_arn: str
    payload: bytes
    deadline: float
    trace_id: str
    result: asyncio.Future[tuple[bytes, str]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class RuntimeApi:
    """What one execution environment talks to.

    *initialised* becomes done when the runtime asks for its first invocation (``None``) or reports that it could not
    start (the error's JSON). An invocation's result is its payload and error type (``""`` for a success).
    """

    def __init__(self) -> None:
        self.initialised: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._next: asyncio.Queue[Invocation] = asyncio.Queue(1)
        self._running: Invocation | None = None
        self._server: asyncio.Server | None = None

    async def listen(self) -> str:
        """Listen on a free loopback port; return ``host:port``."""
        config = uvicorn.Config(
            self._app, interface="asgi3", http="httptools", ws="none", lifespan="off", log_level="critical",
            access_log=False, proxy_headers=False,
        )  # fmt: skip
        config.load()
        state = ServerState()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: config.http_protocol_class(config=config, server_state=state, app_state={}),  # type: ignore[call-arg]
            "127.0.0.1",
            0,
        )
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Stop listening."""
        if self._server:
            self._server.close()

    def offer(self, invocation: Invocation) -> None:
        """Give the runtime its next invocation."""
        self._next.put_nowait(invocation)

    async def _app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        path, method = scope["path"].removeprefix(PREFIX), scope["method"]
        body = await _body(receive)
        if (method, path) == ("GET", "invocation/next"):
            return await self._send_next(receive, send)
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        error_type = headers.get(b"lambda-runtime-function-error-type", "")
        if (method, path) == ("POST", "init/error"):
            if not self.initialised.done():
                self.initialised.set_result(body)
            return await _answer(send, 202, b'{"status":"OK"}')
        parts = path.split("/")
        running = self._running
        if method != "POST" or len(parts) != 3 or parts[2] not in ("response", "error"):
            return await _answer(send, 404, _error("InvalidResource", f"There is no {method} {scope['path']}."))
        if running is None or parts[1] != running.request_id or running.result.done():
            return await _answer(send, 400, _error("InvalidRequestID", "Invalid request ID"))
        if parts[2] == "error":
            running.result.set_result((body, error_type or "Unhandled"))
        elif len(body) > LARGEST_PAYLOAD:
            message = f"Response payload size exceeded maximum allowed payload size ({LARGEST_PAYLOAD} bytes)."
            running.result.set_result(
                (_error("Function.ResponseSizeTooLarge", message), "Function.ResponseSizeTooLarge")
            )
            return await _answer(send, 413, _error("RequestEntityTooLarge", message))
        else:
            running.result.set_result((body, ""))
        return await _answer(send, 202, b'{"status":"OK"}')

    async def _send_next(self, receive: Any, send: Any) -> None:
        if not self.initialised.done():
            self.initialised.set_result(None)
        invocation = self._running = await self._next.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
            "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
        }
        await _answer(send, 200, invocation.payload, headers)


def _error(error_type: str, message: str) -> bytes:
    return f'{{"errorMessage":"{message}","errorType":"{error_type}"}}'.encode()


async def _body(receive: Any) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


async def _answer(send: Any, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    raw = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
