"""Subscription filters of CloudWatch Logs: log events, as they are written, to functions.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html
https://docs.aws.amazon.com/lambda/latest/dg/services-cloudwatchlogs.html
"""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from copy import deepcopy
from functools import lru_cache
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError, Forward, HttpResponse
from labkit.local.cloudwatch.log_filter_pattern import Test, compile_filter_pattern
from labkit.local.picture import Arrow, Picture

Events = list[tuple[int, str]]

FUNCTION_ARN = re.compile(r"arn:aws:lambda:[^:]*:[^:]*:function:.")
MOST_FILTERS = 2
LARGEST_PART = 400_000
PAGE = 50


class LogSubscriptionFilters:
    """The filters of all log groups, by ``region:group`` and name."""

    def __init__(
        self,
        *,
        group_exists: Callable[[str, str], Awaitable[bool]],
        permits: Callable[..., bool],
        invoke_event: Callable[..., str],
        serialise: Callable[[ApiCall, dict[str, Any]], HttpResponse],
        now: Callable[[], float],
        emit: Callable[..., None],
    ) -> None:
        self._group_exists, self._permits, self._invoke_event = group_exists, permits, invoke_event
        self._serialise, self._now, self._emit = serialise, now, emit
        self._filters: dict[str, dict[str, dict[str, Any]]] = {}
        self._ids = itertools.count()

    @property
    def interceptors(self) -> dict[tuple[str, str], Callable[[ApiCall, Forward], Awaitable[HttpResponse]]]:
        """What stands before moto's operations."""
        return {
            ("logs", "PutSubscriptionFilter"): self.put,
            ("logs", "DescribeSubscriptionFilters"): self.describe,
            ("logs", "DeleteSubscriptionFilter"): self.delete,
            ("logs", "PutLogEvents"): self.put_log_events,
        }

    def picture(self) -> Picture:
        """Draw which function's log lines reach which function."""
        return [
            Arrow(
                f"arn:aws:lambda:{where.partition(':')[0]}:{ACCOUNT_ID}:function:{where.rpartition('/')[2]}", arn, "log"
            )
            for where, filters in self._filters.items()
            if ":/aws/lambda/" in where
            for arn in {one["destinationArn"] for one in filters.values()}
        ]

    async def put(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Create or replace a filter, once its function can be invoked."""
        params, filters = call.params, await self._of(call)
        name, arn = str(params.get("filterName") or ""), str(params.get("destinationArn") or "")
        group = params["logGroupName"]
        compile_filter_pattern(params.get("filterPattern") or "")
        if not FUNCTION_ARN.match(arn):
            text = f"The local cloud sends log events to Lambda functions only; destinationArn was {arn}."
            raise AwsError("NotImplemented", text, 501)
        if group == f"/aws/lambda/{arn.split(':')[6]}":
            text = f"The function would be invoked by its own log lines, for ever: {arn} writes to {group}."
            raise AwsError("InvalidParameterException", text)
        if not self._may_invoke(arn, call.region, group):
            text = "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to "
            raise AwsError("InvalidParameterException", text + "execute your function.")
        if name not in filters and len(filters) == MOST_FILTERS:
            raise AwsError("LimitExceededException", "Resource limit exceeded.")
        filters[name] = {
            "filterName": name,
            "logGroupName": group,
            "filterPattern": params.get("filterPattern") or "",
            "destinationArn": arn,
            "distribution": params.get("distribution") or "ByLogStream",
            "creationTime": int(self._now() * 1000),
        }
        return self._serialise(call, {})

    async def describe(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """List the filters of a group by the beginning of their names, in pages."""
        filters, prefix = await self._of(call), call.params.get("filterNamePrefix") or ""
        after, most = call.params.get("nextToken") or "", int(call.params.get("limit") or PAGE)
        found = [filters[name] for name in sorted(filters) if name.startswith(prefix) and name > after]
        answer: dict[str, Any] = {"subscriptionFilters": found[:most]}
        if len(found) > most:
            answer["nextToken"] = found[most - 1]["filterName"]
        return self._serialise(call, answer)

    async def delete(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Delete a filter."""
        filters = await self._of(call)
        if filters.pop(str(call.params.get("filterName")), None) is None:
            raise AwsError("ResourceNotFoundException", "The specified subscription filter does not exist.")
        return self._serialise(call, {})

    def observe(self, call: ApiCall, result: dict[str, Any] | None, error: AwsError | None) -> None:
        """Forget the filters of a group that is deleted."""
        if call.operation == "DeleteLogGroup" and error is None:
            self._filters.pop(f"{call.region}:{call.params.get('logGroupName')}", None)

    async def _of(self, call: ApiCall) -> dict[str, dict[str, Any]]:
        group = str(call.params.get("logGroupName") or "")
        if not await self._group_exists(call.region, group):
            raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
        return self._filters.setdefault(f"{call.region}:{group}", {})

    # --- Delivery -----------------------------------------------------------------------------------------------------

    async def put_log_events(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Let a client's log events be kept, then pass them on."""
        response, params = await forward(call), call.params
        if response.status < 300:
            events = [(event["timestamp"], event["message"]) for event in params["logEvents"]]
            self.written(call.region, params["logGroupName"], params["logStreamName"], events)
        return response

    def written(self, region: str, group: str, stream: str, events: Events) -> None:
        """Pass on what was written to a stream. Called for every log line of a function: keep it short."""
        filters = self._filters.get(f"{region}:{group}")
        if filters:
            for one in filters.values():
                self._pass_on(one, region, stream, events)

    def _pass_on(self, subscription: dict[str, Any], region: str, stream: str, events: Events) -> None:
        matches = _compiled(subscription["filterPattern"])
        chosen = [event for event in events if matches(event[1])]
        arn, group = subscription["destinationArn"], subscription["logGroupName"]
        for part in _parts(chosen):
            try:
                if not self._may_invoke(arn, region, group):
                    raise AwsError("AccessDenied", "the function's policy does not let logs.amazonaws.com invoke it")
                self._invoke_event(arn, self._event(subscription, stream, part), source="logs")
            except AwsError as error:
                self._emit("not delivered", log_group=group, destination=arn, error=error.message)

    def _event(self, subscription: dict[str, Any], stream: str, events: Events) -> bytes:
        data = {
            "messageType": "DATA_MESSAGE",
            "owner": ACCOUNT_ID,
            "logGroup": subscription["logGroupName"],
            "logStream": stream,
            "subscriptionFilters": [subscription["filterName"]],
            "logEvents": [
                {"id": f"3{at:013d}{next(self._ids):042d}", "timestamp": at, "message": message}
                for at, message in events
            ],
        }
        packed = base64.b64encode(gzip.compress(json.dumps(data).encode())).decode()
        return json.dumps({"awslogs": {"data": packed}}).encode()

    def _may_invoke(self, arn: str, region: str, group: str) -> bool:
        source = f"arn:aws:logs:{region}:{ACCOUNT_ID}:log-group:{group}:*"
        principals = ("logs.amazonaws.com", f"logs.{region}.amazonaws.com")
        try:
            return any(self._permits(arn, principal=principal, source_arn=source) for principal in principals)
        except AwsError:
            return False

    # --- State --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return the filters as plain data."""
        return {"filters": deepcopy(self._filters)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._filters.update(deepcopy(state["filters"]))


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Test:
    return compile_filter_pattern(pattern)


def _parts(events: Events) -> Iterator[Events]:
    """Cut events into parts that fit into an asynchronous invocation."""
    part: Events = []
    size = 0
    for event in events:
        length = len(event[1].encode())
        if part and size + length > LARGEST_PART:
            yield part
            part, size = [], 0
        part.append(event)
        size += length
    if part:
        yield part
