"""Asynchronous invocation: Lambda keeps the event itself and tries up to three times.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.lambda_runtime.validation import check_destination, function_arn

RETRY_WAITS = (60.0, 120.0)
LARGEST_EVENT = 1_048_576
OLDEST_EVENT = 21_600
VERBS = {"sqs": "SendMessage", "sns": "Publish", "lambda": "InvokeFunction"}
NOT_CONFIGURED = "The function {arn} doesn't have an EventInvokeConfig"


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
        find: Callable[[str], Any],
        deliver: Callable[[str, str], Awaitable[None]],
        send_to_dlq: Callable[[str, str, dict[str, Any]], Awaitable[None]],
        role_can: Callable[[str, str, str], Awaitable[bool]],
        clock: Clock,
        measure: Callable[[str, str, float], None],
        emit: Callable[..., None],
    ) -> None:
        self._invoke, self._find, self._deliver, self._send_to_dlq = invoke, find, deliver, send_to_dlq
        self._role_can, self._clock, self._measure, self._emit = role_can, clock, measure, emit
        self._events: dict[asyncio.Task[None], Event] = {}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "PutFunctionEventInvokeConfig": lambda call: self._configure(call, replace=True),
            "UpdateFunctionEventInvokeConfig": lambda call: self._configure(call, replace=False),
            "GetFunctionEventInvokeConfig": self.get_config,
            "DeleteFunctionEventInvokeConfig": self.delete_config,
        }

    def _function(self, call: ApiCall) -> Any:
        return self._find(function_arn(str(call.params.get("FunctionName") or ""), call.region))

    async def _configure(self, call: ApiCall, *, replace: bool) -> dict[str, Any]:
        function = self._function(call)
        names = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
        given = {name: call.params[name] for name in names if call.params.get(name) is not None}
        if (
            not 0 <= given.get("MaximumRetryAttempts", 0) <= 2
            or not 60 <= given.get("MaximumEventAgeInSeconds", 60) <= OLDEST_EVENT
        ):
            raise AwsError(
                "InvalidParameterValueException",
                f"MaximumRetryAttempts must be 0 to 2 and MaximumEventAgeInSeconds 60 to {OLDEST_EVENT}.",
            )
        for side in (given.get("DestinationConfig") or {}).values():
            if destination := (side or {}).get("Destination"):
                check_destination(destination, function.arn)
                await self._check_role(function, destination)
        kept = {} if replace else {k: v for k, v in function.invoke_config.items() if k in names}
        function.invoke_config = {**kept, **given, "LastModified": self._clock.now()}
        return self._described(function)

    def get_config(self, call: ApiCall) -> dict[str, Any]:
        """Return the settings of asynchronous invocation."""
        function = self._function(call)
        if not function.invoke_config:
            raise AwsError("ResourceNotFoundException", NOT_CONFIGURED.format(arn=function.arn), 404)
        return self._described(function)

    def delete_config(self, call: ApiCall) -> None:
        """Go back to the defaults."""
        self.get_config(call)
        self._function(call).invoke_config = {}

    @staticmethod
    def _described(function: Any) -> dict[str, Any]:
        config = dict(function.invoke_config)
        config.setdefault("DestinationConfig", {"OnSuccess": {}, "OnFailure": {}})
        return {"FunctionArn": f"{function.arn}:$LATEST", **config}

    # --- Events -------------------------------------------------------------------------------------------------------

    def accept(self, arn: str, payload: bytes, request_id: str, source: str) -> str:
        """Keep an event and run it soon.

        Raises:
            AwsError: ``RequestTooLargeException``.
        """
        if len(payload) > LARGEST_EVENT:
            text = (
                f"{len(payload)} byte payload is too large for the Event invocation type (limit {LARGEST_EVENT} bytes)"
            )
            raise AwsError("RequestTooLargeException", text, 413)
        self._emit("asynchronous invocation", function=arn.rpartition(":")[2], source=source, request=request_id)
        self._measure(arn, "AsyncEventsReceived", 1.0)
        self._begin(Event(arn, payload.decode(), request_id, self._clock.now()))
        return request_id

    def _begin(self, event: Event) -> None:
        task = asyncio.create_task(self._run(event))
        self._events[task] = event
        task.add_done_callback(lambda done: self._events.pop(done, None))

    async def _run(self, event: Event) -> None:
        backoff = 1.0
        while True:
            try:
                config = self._find(event.function_arn).invoke_config
                oldest = config.get("MaximumEventAgeInSeconds", OLDEST_EVENT)
                if self._clock.now() - event.accepted_at > self._clock.scaled(oldest):
                    return await self._finish(event, "EventAgeExceeded", None)
                if self._find(event.function_arn).reserved_concurrency == 0:
                    return await self._finish(event, "ZeroReservedConcurrency", None)
                age = (self._clock.now() - event.accepted_at) * 1000
                result = await self._invoke(event.function_arn, event.payload.encode(), request_id=event.request_id)
            except AwsError as error:
                if error.code == "ResourceNotFoundException":
                    self._measure(event.function_arn, "AsyncEventsDropped", 1.0)
                    return self._emit("event dropped", why="the function was deleted", request=event.request_id)
                await asyncio.sleep(
                    self._clock.scaled(backoff)
                )  # throttled: Lambda's own queue waits longer and longer
                backoff = min(300.0, backoff * 2)
                continue
            event.attempts += 1
            self._measure(event.function_arn, "AsyncEventAge", round(age, 2))
            if result.function_error is None:
                return await self._finish(event, "Success", result)
            if event.attempts > config.get("MaximumRetryAttempts", 2):
                return await self._finish(event, "RetriesExhausted", result)
            await asyncio.sleep(self._clock.scaled(RETRY_WAITS[event.attempts - 1]))

    async def _finish(self, event: Event, condition: str, result: Any) -> None:
        function = self._find(event.function_arn)
        side = "OnSuccess" if condition == "Success" else "OnFailure"
        destination = ((function.invoke_config.get("DestinationConfig") or {}).get(side) or {}).get("Destination")
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
        await self._check_role(function, destination)
        await self._deliver(destination, json.dumps(self._record(event, condition, result)))

    async def _to_dlq(self, function: Any, event: Event, result: Any) -> None:
        await self._check_role(function, function.dead_letter_arn)
        await self._send_to_dlq(function.dead_letter_arn, event.payload, _dlq_attributes(event, result))

    async def _told(self, sending: Awaitable[None], function_arn: str, destination: str, metric: str) -> None:
        """Send, and tell of it when that fails: nobody waits for the answer."""
        try:
            await sending
        except AwsError as error:
            self._measure(function_arn, metric, 1.0)
            self._emit("not delivered", destination=destination, error=error.message)

    async def _check_role(self, function: Any, arn: str) -> None:
        verb = VERBS[arn.split(":")[2]]
        if not await self._role_can(function.role, f"{arn.split(':')[2]}:{verb}", arn):
            raise AwsError(
                "InvalidParameterValueException",
                f"The function's execution role does not have permissions to call {verb} on {arn}",
                Type="User",
            )

    def _record(self, event: Event, condition: str, result: Any) -> dict[str, Any]:
        record: dict[str, Any] = {
            "version": "1.0",
            "timestamp": f"{datetime.fromtimestamp(self._clock.now(), UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "requestContext": {
                "requestId": event.request_id,
                "functionArn": f"{event.function_arn}:$LATEST",
                "condition": condition,
                "approximateInvokeCount": event.attempts,
            },
            "requestPayload": json.loads(event.payload),
        }
        if result is not None:
            record["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST"}
            if result.function_error:
                record["responseContext"]["functionError"] = result.function_error
            record["responsePayload"] = json.loads(result.payload)
        return record

    def close(self) -> None:
        """Stop; events that wait are in the snapshot."""
        for task in list(self._events):
            task.cancel()

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the events that wait or run."""
        return [asdict(event) for event in self._events.values()]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on with events that were kept."""
        for fields in state:
            self._begin(Event(**fields))


def _dlq_attributes(event: Event, result: Any) -> dict[str, Any]:
    message = json.loads(result.payload).get("errorMessage", "") if result is not None else "Event age exceeded"
    return {
        "RequestID": {"DataType": "String", "StringValue": event.request_id},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": str(message)[:1024] or "unknown"},
    }
