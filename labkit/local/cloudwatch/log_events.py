"""Reading logs: once all lines of functions are written, and what a filter chooses.

moto knows neither most filter patterns nor a prefix of streams, and then returns everything.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, Forward, HttpResponse, Interceptor
from labkit.local.cloudwatch.log_filter_pattern import compile_filter_pattern

MOST_EVENTS = 10_000
READS = ("GetLogEvents", "DescribeLogGroups", "DescribeLogStreams")
Events = list[dict[str, Any]]


class LogEvents:
    """Reads log groups; *written* waits until everything that was said so far stands there."""

    def __init__(
        self,
        *,
        written: Callable[[], Awaitable[None]],
        events: Callable[..., Awaitable[Events | None]],
        serialise: Callable[[ApiCall, dict[str, Any]], HttpResponse],
    ) -> None:
        self._written, self._events, self._serialise = written, events, serialise

    @property
    def interceptors(self) -> dict[tuple[str, str], Interceptor]:
        """What stands before moto's operations."""
        return {("logs", "FilterLogEvents"): self.filter_log_events, **{("logs", name): self.read for name in READS}}

    async def read(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Let moto answer when there is nothing more to come."""
        await self._written()
        return await forward(call)

    async def filter_log_events(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Return what matches, of all streams in the order of time, whatever ``interleaved`` says."""
        await self._written()
        params, names = call.params, call.params.get("logStreamNames") or []
        prefix = params.get("logStreamNamePrefix") or ""
        if names and prefix:
            text = "logStreamNames and logStreamNamePrefix cannot be given together."
            raise AwsError("InvalidParameterException", text)
        matches = compile_filter_pattern(params.get("filterPattern") or "")
        group = str(params.get("logGroupName") or params.get("logGroupIdentifier") or "")
        if group.startswith("arn:"):
            group = ":".join(group.split(":")[6:7])
        between = (params.get("startTime"), params.get("endTime"))
        events = await self._events(
            call.region,
            group,
            between,
            in_stream=lambda name: name in names if names else name.startswith(prefix),
            matches=matches,
        )
        if events is None:
            raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
        events = events[_start(events, params.get("nextToken")) :]
        most = int(params.get("limit") or MOST_EVENTS)
        answer: dict[str, Any] = {"events": events[:most], "searchedLogStreams": []}
        if len(events) > most:
            answer["nextToken"] = _token(events[most - 1])
        return self._serialise(call, answer)


def _start(events: Events, token: str | None) -> int:
    if not token:
        return 0
    position = next((at for at, event in enumerate(events) if _token(event) == token), None)
    if position is None:
        raise AwsError("InvalidParameterException", "The specified nextToken is invalid.")
    return position + 1


def _token(event: dict[str, Any]) -> str:
    return f"{event['logStreamName']}@{event['eventId']}"
