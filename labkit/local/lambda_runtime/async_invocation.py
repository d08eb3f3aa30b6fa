"""Asynchronous invocation: Lambda keeps the event itself and tries up to three times.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.clock import Clock, iso_milliseconds
from labkit.local.lambda_runtime.event_invoke_config import OLDEST_EVENT, check_role
from labkit.local.lambda_runtime.functions import Functions
from labkit.local.lambda_runtime.names import LATEST, split

RETRY_WAITS = (60.0, 120.0)
LARGEST_EVENT = 1_048_576


@dataclass(slots=True)
class Event:
    """An event that Lambda keeps; *accepted_at* is epoch seconds."""

    function_arn: str
    payload: str
    request_id: str
    accepted_at: float
    attempts: int = 0


class AsyncInvocations:
    """Lambda's hidden queue, one task per event."""

    def __init__(
        self,
        *,
        invoke: Callable[..., Awaitable[Any]],
        functions: Functions,
        deliver: Callable[..., Awaitable[None]],
        role_can: Callable[[str, str, str], Awaitable[bool]],
        clock: Clock,
        measure: Callable[[str, str, float], None],
        note: Callable[..., None],
        emit: Callable[..., None],
    ) -> None:
        self._note = note
        self._invoke, self._functions, self._deliver = invoke, functions, deliver
        self._role_can, self._clock, self._measure, self._emit = role_can, clock, measure, emit
        self._events: dict[asyncio.Task[None], Event] = {}

    # --- Events -------------------------------------------------------------------------------------------------------

    def accept(self, arn: str, payload: bytes, request_id: str, source: str) -> str:
        """Keep an event and run it soon.

        Raises:
            AwsError: ``RequestTooLargeException``.
        """
        if len(payload) > LARGEST_EVENT:
            text = f"{len(payload)} byte payload is too large for the Event invocation type"
            raise AwsError("RequestTooLargeException", f"{text} (limit {LARGEST_EVENT} bytes)", 413)
        unqualified, name = split(arn)[0], arn.split(":")[6]
        self._emit("asynchronous invocation", function=name, source=source, request=request_id)
        self._measure(unqualified, "AsyncEventsReceived", 1.0)
        event = Event(arn, payload.decode(), request_id, self._clock.now())
        self._note("event", asdict(event))
        self._begin(event)
        return request_id

    def _begin(self, event: Event) -> None:
        task = asyncio.create_task(self._run(event))
        self._events[task] = event
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        event = self._events.pop(task)
        if not task.cancelled():
            self._note("ended", event.request_id)

    async def _run(self, event: Event) -> None:
        try:
            await self._run_until_done(event)
        except AwsError as error:  # the function, its version or its alias is not there any more
            self._measure(split(event.function_arn)[0], "AsyncEventsDropped", 1.0)
            self._emit("event dropped", why=error.message, request=event.request_id)

    async def _run_until_done(self, event: Event) -> None:
        backoff = 1.0
        while True:
            function, config = self._functions.find(event.function_arn), self._config(event)
            oldest = config.get("MaximumEventAgeInSeconds", OLDEST_EVENT)
            age = self._clock.now() - event.accepted_at
            if age > self._clock.scaled(oldest):
                return await self._finish(event, "EventAgeExceeded", None)
            if function.reserved_concurrency == 0:
                return await self._finish(event, "ZeroReservedConcurrency", None)
            try:
                result = await self._invoke(event.function_arn, event.payload.encode(), request_id=event.request_id)
            except AwsError as error:
                if error.code == "ResourceNotFoundException":
                    raise
                await asyncio.sleep(self._clock.scaled(backoff))  # throttled, or our own trouble: longer and longer
                backoff = min(300.0, backoff * 2)
                continue
            event.attempts += 1
            self._note("event", asdict(event))
            self._measure(function.arn, "AsyncEventAge", round(age * 1000, 2))
            if result.function_error is None:
                return await self._finish(event, "Success", result)
            if event.attempts > config.get("MaximumRetryAttempts", 2):
                return await self._finish(event, "RetriesExhausted", result)
            await asyncio.sleep(self._clock.scaled(RETRY_WAITS[event.attempts - 1]))

    def _config(self, event: Event) -> dict[str, Any]:
        qualifier = split(event.function_arn)[1] or LATEST
        return self._functions.find(event.function_arn).invoke_configs.get(qualifier, {})

    async def _finish(self, event: Event, condition: str, result: Any) -> None:
        function = self._functions.version(event.function_arn)
        side = "OnSuccess" if condition == "Success" else "OnFailure"
        destination = ((self._config(event).get("DestinationConfig") or {}).get(side) or {}).get("Destination")
        if destination:
            sending = self._to_destination(function, destination, event, condition=condition, result=result)
            await self._told(sending, function.arn, destination, "DestinationDeliveryFailures")
        if condition == "Success":
            return
        if function.dead_letter_arn:
            sending = self._to_dlq(function, event, result)
            await self._told(sending, function.arn, function.dead_letter_arn, "DeadLetterErrors")
        self._measure(function.arn, "AsyncEventsDropped", 1.0)

    async def _to_destination(
        self, function: Any, destination: str, event: Event, *, condition: str, result: Any
    ) -> None:
        await check_role(self._role_can, function.role, destination)
        if destination.startswith("arn:aws:s3:::"):
            now = datetime.fromtimestamp(self._clock.now(), UTC)
            folder = f"aws/lambda/async/{function.name}/{now:%Y/%m/%d}"
            destination = f"{destination}/{folder}/{now:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
        await self._deliver(destination, json.dumps(self._record(event, condition, result)))

    async def _to_dlq(self, function: Any, event: Event, result: Any) -> None:
        await check_role(self._role_can, function.role, function.dead_letter_arn)
        attributes = _dlq_attributes(event, result)
        await self._deliver(function.dead_letter_arn, event.payload, message_attributes=attributes)

    async def _told(self, sending: Awaitable[None], function_arn: str, destination: str, metric: str) -> None:
        """Send, and tell of it when that fails: nobody waits for the answer."""
        try:
            await sending
        except AwsError as error:
            self._measure(function_arn, metric, 1.0)
            self._emit("not delivered", destination=destination, error=error.message)

    def _record(self, event: Event, condition: str, result: Any) -> dict[str, Any]:
        record: dict[str, Any] = {
            "version": "1.0",
            "timestamp": iso_milliseconds(self._clock.now()),
            "requestContext": {
                "requestId": event.request_id,
                "functionArn": _qualified(event.function_arn),
                "condition": condition,
                "approximateInvokeCount": event.attempts,
            },
            "requestPayload": json.loads(event.payload),
        }
        if result is not None:
            record["responseContext"] = {"statusCode": 200, "executedVersion": result.executed_version}
            if result.function_error:
                record["responseContext"]["functionError"] = result.function_error
            record["responsePayload"] = _read(result.payload)
        return record

    def close(self) -> None:
        """Stop; events that wait are in the snapshot."""
        for task in list(self._events):
            task.cancel()

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return the events that wait or run, by their request id."""
        return {event.request_id: asdict(event) for event in self._events.values()}

    @staticmethod
    def replay(events: dict[str, dict[str, Any]], kind: str, what: Any) -> None:
        """Do to a snapshot what was noted of an event: that it is there, with its attempts, or that it ended."""
        if kind == "event":
            events[what["request_id"]] = what
        else:
            events.pop(what, None)

    def restore(self, state: dict[str, dict[str, Any]]) -> None:
        """Go on with events that were kept."""
        for fields in state.values():
            self._begin(Event(**fields))


def _qualified(arn: str) -> str:
    return arn if split(arn)[1] else f"{arn}:{LATEST}"


def _read(payload: bytes) -> Any:
    """Return what a function answered; a text where a runtime of its own made no JSON of it."""
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload.decode("utf-8", "replace")


def _dlq_attributes(event: Event, result: Any) -> dict[str, Any]:
    answer = _read(result.payload) if result is not None else {"errorMessage": "Event age exceeded"}
    message = answer.get("errorMessage", "") if isinstance(answer, dict) else answer
    return {
        "RequestID": {"DataType": "String", "StringValue": event.request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": str(message)[:1024] or "unknown"},
    }
