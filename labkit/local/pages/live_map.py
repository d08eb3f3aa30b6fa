"""What exists and what flows, as a stream for the live map: a picture after each change, and every event.

Nothing is computed while nobody watches, but for which function has used which part: that is learnt as it happens.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.events import Events
from labkit.local.iam_actions import resources_of
from labkit.local.picture import Arrow, Part, Picture, part_of

BETWEEN_PICTURES = 0.25
HEARTBEAT = 2.0
IDENTIFYING = ("QueueUrl", "TableName", "Bucket", "TopicArn", "FunctionName", "StreamName")


class LiveMap:
    """The picture of all parts; *draw* are the features' own, *look* is awaited for what moto keeps."""

    def __init__(
        self, *, draw: list[Callable[[], Picture]], look: Callable[[], Awaitable[Picture]], events: Events
    ) -> None:
        self._draw, self._look, self._events = draw, look, events
        self._seen: set[tuple[str, ...]] = set()
        self._uses: dict[tuple[str, str], str] = {}

    def observe(self, call: ApiCall, result: dict[str, Any] | None, error: AwsError | None) -> None:
        """Learn which function uses which part. Called on every API call: keep it short."""
        function = call.caller.session_name
        if not function or error is not None or call.service == "logs":
            return
        key = (function, call.operation, *(str(call.params.get(name)) for name in IDENTIFYING))
        if key in self._seen:
            return
        self._seen.add(key)
        start = f"arn:aws:lambda:{call.region}:{ACCOUNT_ID}:function:{function}"
        for arn in resources_of(call):
            self._uses.setdefault((start, part_of(arn)), call.operation)

    async def picture(self) -> dict[str, Any]:
        """Return ``{"kind": "picture", "parts": [...], "arrows": [...]}``; an arrow whose end is gone is left out."""
        drawn = [one for draw in self._draw for one in draw()] + await self._look()
        drawn += [Arrow(start, end, how) for (start, end), how in self._uses.items()]
        parts = {part.id: part for part in drawn if isinstance(part, Part)}
        ends = {(part_of(one.start), part_of(one.end)): one.how for one in drawn if isinstance(one, Arrow)}
        arrows = {pair: how for pair, how in ends.items() if parts.keys() >= set(pair)}
        return {
            "kind": "picture",
            "parts": [
                {
                    "id": part.id, "service": part.service, "name": part.name,
                    "facts": dict(part.facts), "problem": part.problem,
                }
                for part in parts.values()
            ],
            "arrows": [{"start": start, "end": end, "how": how} for (start, end), how in arrows.items()],
        }  # fmt: skip

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield server-sent events until the reader goes away; the first is a picture."""
        loop = asyncio.get_running_loop()
        with self._events.watch() as happened:
            shown: dict[str, Any] | None = None
            while True:
                picture = await self.picture()
                yield b": here\n\n" if picture == shown else _event(picture)
                shown = picture
                until, event = loop.time() + BETWEEN_PICTURES, await _next(happened, HEARTBEAT)
                while event is not None:
                    yield _event(event)
                    event = await _next(happened, until - loop.time())


async def _next(happened: asyncio.Queue[dict[str, Any]], seconds: float) -> dict[str, Any] | None:
    try:
        return await asyncio.wait_for(happened.get(), max(seconds, 0.0))
    except TimeoutError:
        return None


def _event(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content, default=str)}\n\n".encode()
