"""HTTP/1.1 as uvicorn reads it, with header names spelled as the client sent them.

ASGI hands over names in lower case. API Gateway shows them to a function as they came, and a function may look for
``Content-Type``, so the spelling is kept beside.
"""

from __future__ import annotations

from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_NAMES = "labkit.header_names"


class SpelledAsSent(HttpToolsProtocol):
    """Keep the names of the headers, in order, in the scope under :data:`HEADER_NAMES`."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take note of one header."""
        super().on_header(name, value)
        scope = cast("dict[str, Any]", self.scope)
        scope.setdefault(HEADER_NAMES, []).append(name)
