"""The local cloud's own pages, below ``/_labkit``."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, HttpRequest, HttpResponse
from labkit.local.events import Events
from labkit.local.local_cloud import Settings
from labkit.local.pages.inbox_page import HEADERS, inbox_page, inbox_text
from labkit.local.pages.map_page import map_module, map_page


class Pages:
    """Health, log, events and inbox, and the end of the local cloud; *parts* describe themselves."""

    def __init__(
        self,
        settings: Settings,
        *,
        parts: dict[str, Callable[[], dict[str, Any]]],
        events: Events,
        stream: Callable[[], AsyncGenerator[bytes, None]],
        messages: Callable[[str | None], list[dict[str, str]]],
        stop: Callable[[], None],
    ) -> None:
        self._settings, self._parts, self._events = settings, parts, events
        self._messages, self._stop, self._stream, self._started = messages, stop, stream, time.time()

    async def health(self, request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        """Tell the version, the uptime and the state of every part; no names, since it needs no token."""
        return _json(
            {
                "status": "running",
                "version": self._settings.version,
                "uptime_seconds": round(time.time() - self._started, 1),
                "account_id": ACCOUNT_ID,
                "time_scale": self._settings.time_scale,
                "parts": {name: describe() for name, describe in self._parts.items()},
            }
        )

    async def shutdown(self, request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        """End the local cloud after this answer."""
        asyncio.get_running_loop().call_later(0.05, self._stop)
        return _json({"status": "stopping"})

    async def log_lines(self, request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        """Return the newest lines of the log."""
        return HttpResponse(
            200, ("\n".join(self._events.recent) + "\n").encode(), {"Content-Type": "text/plain; charset=utf-8"}
        )

    async def event_stream(self, request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        """Stream what exists and what happens, as server-sent events."""
        headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        return HttpResponse(200, headers=headers, stream=self._stream())

    async def map(self, request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        """Show the live map."""
        return map_page()

    async def map_module(self, request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        """Return what draws the live map."""
        return map_module()

    async def inbox(self, request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        """Return the mails, newest first, as a page, as text or as JSON."""
        address, wanted = query.get("address"), query.get("format", "html")
        messages = self._messages(address)
        if wanted == "json":
            return HttpResponse(200, json.dumps(messages).encode(), {"Content-Type": "application/json"})
        if wanted == "text":
            headers = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
            return HttpResponse(200, inbox_text(messages).encode(), headers)
        page = inbox_page(messages, address, self._settings.public.relative)
        return HttpResponse(200, page.encode(), dict(HEADERS))


def _json(content: dict[str, Any]) -> HttpResponse:
    return HttpResponse(200, json.dumps(content).encode(), {"Content-Type": "application/json"})
