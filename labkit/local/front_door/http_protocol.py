"""HTTP/1.1 as uvicorn reads it, with header names spelled as the client sent them.

ASGI hands over names in lower case. API Gateway shows them to a function as they came, and a function may look for
``Content-Type``, so the spelling is kept beside.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_NAMES = "labkit.header_names"
LONGEST_HEAD = 2**17
PATIENCE = 30.0


class OneWrite:
    """A transport that sends what is written in one turn of the event loop by one system call.

    uvicorn writes the head and the body of an answer one after the other, and a call into the kernel costs more than
    all that Python does for an answer.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._waiting: list[bytes] = []
        self._call_soon = asyncio.get_running_loop().call_soon

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send *data* with what else is written now."""
        if not self._waiting:
            self._call_soon(self._flush)
        self._waiting.append(data)

    def _flush(self) -> None:
        if self._waiting and not self._transport.is_closing():  # closed: the client went away meanwhile
            self._transport.write(b"".join(self._waiting))
        self._waiting.clear()

    def close(self) -> None:
        """Send what waits and close."""
        self._flush()
        self._transport.close()


class SpelledAsSent(HttpToolsProtocol):
    """Keep the names of the headers, in order, in the scope under :data:`HEADER_NAMES`; write each answer at once.

    A request whose head is longer than :data:`LONGEST_HEAD` is refused; a connection that has sent no complete head
    within one or two turns of :data:`PATIENCE`, or stands still in the middle of a request, is closed.
    """

    patience = PATIENCE

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(cast("asyncio.Transport", OneWrite(transport)))
        self._in_head, self._in_body, self._moved, self._looked, self._head = True, False, True, False, 0
        self._timer = self.loop.call_later(self.patience, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        stands_still = (self._in_head or self._in_body) and not self._moved
        if stands_still or (self._in_head and self._looked):
            self.transport.close()
        else:
            self._moved, self._looked = False, self._in_head
            self._timer = self.loop.call_later(self.patience, self._look)

    def data_received(self, data: bytes) -> None:
        """Read what came; the head of a request has an end."""
        self._moved = True
        super().data_received(data)
        if self._in_head:
            self._head += len(data)
            if self._head > LONGEST_HEAD:
                self.send_400_response(f"The head of the request is longer than {LONGEST_HEAD} bytes.")

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head, self._looked, self._head = True, False, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take note of one header."""
        super().on_header(name, value)
        scope = cast("dict[str, Any]", self.scope)
        scope.setdefault(HEADER_NAMES, []).append(name)

    def on_headers_complete(self) -> None:
        """Go on to the body."""
        self._in_head, self._in_body = False, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request."""
        self._in_body = False
        super().on_message_complete()
