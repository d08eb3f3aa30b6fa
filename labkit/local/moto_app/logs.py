"""Log groups and streams that moto keeps."""

from __future__ import annotations

from typing import Any

from labkit.local.moto_app.app import MotoApp, backend


class Logs:
    """Writes into moto's CloudWatch Logs, in moto's thread."""

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto

    async def put_log_events(self, region: str, group: str, stream: str, events: list[tuple[int, str]]) -> None:
        """Append *events*, pairs of epoch milliseconds and message; make the group and the stream where missing."""
        await self._moto.run(_put_log_events, region, group, stream, events)


def _put_log_events(region: str, group: str, stream: str, events: list[tuple[int, str]]) -> None:
    logs: Any = backend("logs", region)
    if group not in logs.groups:
        logs.create_log_group(group, {})
    if stream not in logs.groups[group].streams:
        logs.create_log_stream(group, stream)
    logs.put_log_events(group, stream, [{"timestamp": at, "message": message} for at, message in events])
