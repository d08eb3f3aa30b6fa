"""Log groups and streams that moto keeps."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.moto_app.app import MotoApp, backend


class Logs:
    """Writes into moto's CloudWatch Logs, in moto's thread; *written* is told of each, for who else wants to know.

    *grown* is awaited after each: it keeps what was written.
    """

    def __init__(self, moto: MotoApp, *, grown: Callable[[str, str, str], Awaitable[None]]) -> None:
        self._moto, self._grown = moto, grown
        self.written: Callable[[str, str, str, list[tuple[int, str]]], None] = lambda *what: None

    async def put_log_events(self, region: str, group: str, stream: str, events: list[tuple[int, str]]) -> None:
        """Append *events*, pairs of epoch milliseconds and message; make the group and the stream where missing."""
        await self._moto.run(_put_log_events, region, group, stream, events)
        await self._grown(region, group, stream)
        self.written(region, group, stream, events)

    async def group_exists(self, region: str, group: str) -> bool:
        """Whether there is a log group of that name."""
        return await self._moto.run(lambda: group in backend("logs", region).groups)

    async def events(
        self,
        region: str,
        group: str,
        between: tuple[int | None, int | None],
        *,
        in_stream: Callable[[str], bool],
        matches: Callable[[str], bool],
    ) -> list[dict[str, Any]] | None:
        """Return the events that match, in the order of time, or ``None`` without such a group."""
        return await self._moto.run_long(lambda: _events(region, group, between, in_stream=in_stream, matches=matches))

    async def put_log_event(self, region: str, group: str, stream: str, message: str) -> None:
        """Append one event of now."""
        await self.put_log_events(region, group, stream, [(int(time.time() * 1000), message)])

    async def resource_policies(self, region: str, group: str) -> list[dict[str, Any]]:
        """Return the policies of CloudWatch Logs that let services write.

        Raises:
            AwsError: ``ResourceNotFoundException``: there is no such group.
        """
        return await self._moto.run(_resource_policies, region, group)


def _events(
    region: str,
    group: str,
    between: tuple[int | None, int | None],
    *,
    in_stream: Callable[[str], bool],
    matches: Callable[[str], bool],
) -> list[dict[str, Any]] | None:
    logs: Any = backend("logs", region)
    if group not in logs.groups:
        return None
    streams = [stream for name, stream in logs.groups[group].streams.items() if in_stream(name)]
    found = [event for stream in streams for event in stream.filter_log_events(*between, "")]
    return sorted((event for event in found if matches(event["message"])), key=lambda event: event["timestamp"])


def _resource_policies(region: str, group: str) -> list[dict[str, Any]]:
    logs: Any = backend("logs", region)
    if group not in logs.groups:
        raise AwsError("ResourceNotFoundException", f"The specified log group does not exist: {group}")
    documents = []
    for policy in logs.describe_resource_policies():
        with contextlib.suppress(ValueError):  # moto takes any text
            documents.append(json.loads(policy.policy_document))
    return [document for document in documents if isinstance(document, dict)]


def _put_log_events(region: str, group: str, stream: str, events: list[tuple[int, str]]) -> None:
    logs: Any = backend("logs", region)
    if group not in logs.groups:
        logs.create_log_group(group, {})
    if stream not in logs.groups[group].streams:
        logs.create_log_stream(group, stream)
    logs.put_log_events(group, stream, [{"timestamp": at, "message": message} for at, message in events])
