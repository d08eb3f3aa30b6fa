"""The poller of a queue: receive a batch, invoke, delete what succeeded.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from labkit.local.api_call import AwsError
from labkit.local.event_source_mapping.batch_response import failed_identifiers
from labkit.local.event_source_mapping.filters import compile_filters, passes

FIRST_BATCHES = 5
MOST_BATCHES = 1000
MORE_PER_MINUTE = 300
LONG_POLL = 3600.0
FILLING = 0.06


class Queues(Protocol):
    """What the poller needs of SQS."""

    async def receive_from(  # noqa: D102
        self, queue_arn: str, *, max_messages: int, wait_seconds: float, visibility_timeout: float | None
    ) -> list[Any]: ...
    def attributes_of(self, queue_arn: str) -> dict[str, str]: ...  # noqa: D102
    def delete_from(self, queue_arn: str, receipt_handles: list[str]) -> None: ...  # noqa: D102


class SqsPoller:
    """Keeps a few batches of one mapping under way; sleeps while the queue is empty.

    It begins with 5 batches at once and adds 300 a minute while all of them are busy, up to the mapping's
    MaximumConcurrency or AWS's 1,000, and never more than *most_batches*, the processes that a function may have:
    a batch that waits for one would use up its visibility timeout.
    """

    def __init__(
        self,
        mapping: dict[str, Any],
        *,
        queues: Queues,
        invoke: Callable[[str, bytes], Awaitable[Any]],
        function_timeout: Callable[[], float],
        most_batches: int,
        scaled: Callable[[float], float],
        emit: Callable[..., None],
    ) -> None:
        self._mapping, self._queues, self._invoke, self._scaled, self._emit = mapping, queues, invoke, scaled, emit
        self._function_timeout = function_timeout
        self._filters = compile_filters(mapping.get("FilterCriteria"))
        most = (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency") or MOST_BATCHES
        self._most = min(int(most), max(FIRST_BATCHES, most_batches))
        self._first = self._allowed = min(FIRST_BATCHES, self._most)
        self._freed = asyncio.Event()
        self._batches: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._crowded = False

    async def run(self) -> None:
        """Poll until cancelled."""
        arn = self._mapping["EventSourceArn"]
        while True:
            await self._wait_for_room()
            messages: list[Any] = []
            try:
                await self._receive(arn, messages)
            except AwsError as error:  # the queue was deleted
                self._mapping["LastProcessingResult"] = f"PROBLEM: {error.message}"
                return
            finally:  # also when it is cancelled: what was received is processed, not left in flight
                if messages:
                    self._begin(arn, messages)
            await asyncio.sleep(0)

    def _begin(self, arn: str, messages: list[Any]) -> None:
        task = asyncio.create_task(self._process(arn, messages))
        self._batches.add(task)
        task.add_done_callback(self._finished)

    async def _wait_for_room(self) -> None:
        while len(self._batches) >= self._allowed:
            self._freed.clear()
            try:
                more_in = None if self._allowed == self._most else self._scaled(60 / MORE_PER_MINUTE)
                await asyncio.wait_for(self._freed.wait(), more_in)
            except TimeoutError:
                self._allowed += 1

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        if not self._batches:
            self._allowed = self._first
        self._freed.set()

    async def _receive(self, arn: str, messages: list[Any]) -> None:
        """Receive one batch into *messages*: what is there at once, or what comes within the batching window.

        While messages come faster than one at a time, a batch gets FILLING seconds to fill even without a window, as
        Lambda's own pollers collect what several receive calls bring: a few full batches cost less than many small
        ones. A lone message never waits.
        """
        size, window = self._mapping["BatchSize"], self._mapping["MaximumBatchingWindowInSeconds"]
        hidden_for = self._visibility(arn, window)
        messages += await self._queues.receive_from(
            arn, max_messages=size, wait_seconds=LONG_POLL, visibility_timeout=hidden_for
        )
        self._crowded = self._crowded or len(messages) > 1
        deadline = time.monotonic() + max(window, FILLING if self._crowded else 0)
        while messages and len(messages) < size and (left := deadline - time.monotonic()) > 0:
            messages += await self._queues.receive_from(
                arn, max_messages=size - len(messages), wait_seconds=left, visibility_timeout=hidden_for
            )
        self._crowded = len(messages) > 1

    def _visibility(self, arn: str, window: float) -> float | None:
        """For how long a batch is hidden: the queue's own time, or more when gathering and running would outlast it."""
        if not window:
            return None
        own = float(self._queues.attributes_of(arn)["VisibilityTimeout"])
        try:
            needed = window + self._function_timeout()
        except AwsError:  # the function was deleted: its batches fail, and the mapping says so
            return None
        return None if needed <= own else needed + 30

    async def _process(self, arn: str, messages: list[Any]) -> None:
        records = {message.message_id: record_of(message, arn) for message in messages}
        chosen = {key: record for key, record in records.items() if passes(self._filters, record)}
        handles = {message.message_id: message.receipt_handle for message in messages}
        self._queues.delete_from(arn, [handles[key] for key in records if key not in chosen])
        if not chosen:
            return
        try:
            failed = await self._call(list(chosen.values()), list(chosen))
        except Exception:  # the border of a poller: one batch must not end it
            self._emit("labkit is broken", mapping=self._mapping["UUID"], traceback=traceback.format_exc())
            failed = list(chosen)
        self._queues.delete_from(arn, [handles[key] for key in chosen if key not in failed])
        self._emit(
            "batch", function=self._mapping["FunctionArn"].rpartition(":")[2], records=len(chosen), failed=len(failed)
        )
        partial = self._mapping["FunctionResponseTypes"]
        self._failures = self._failures + 1 if failed and not partial else 0
        if self._failures:
            await asyncio.sleep(min(1.0, self._scaled(2.0**self._failures)))  # Lambda polls less while a function fails

    async def _call(self, records: list[dict[str, Any]], identifiers: list[str]) -> list[str]:
        payload = json.dumps({"Records": records}).encode()
        backoff = 0.05
        while True:
            try:
                result = await self._invoke(self._mapping["FunctionArn"], payload)
                break
            except AwsError as error:
                if error.code != "TooManyRequestsException":
                    self._mapping["LastProcessingResult"] = f"PROBLEM: {error.message}"
                    return identifiers
                await asyncio.sleep(backoff)  # throttled: the same batch again, until its visibility timeout is over
                backoff = min(2.0, backoff * 2)
                if backoff >= 2.0:
                    return identifiers
        self._mapping["LastProcessingResult"] = "OK" if not result.function_error else "PROBLEM: Function call failed"
        if result.function_error:
            return identifiers
        if not self._mapping["FunctionResponseTypes"]:
            return []
        failed = failed_identifiers(result.payload, identifiers)
        return identifiers if failed is None else failed

    async def drain(self, task: asyncio.Task[None]) -> None:
        """Receive no more, and wait for the batches under way; *task* is the one that runs."""
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.gather(*self._batches, return_exceptions=True)


def record_of(message: Any, queue_arn: str) -> dict[str, Any]:
    """Return a message as a record of the event."""
    record = {
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": message.attributes,
        "messageAttributes": {name: _attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }
    if message.md5_of_attributes:
        record["md5OfMessageAttributes"] = message.md5_of_attributes
    return record


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    attribute: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if value.get("StringValue") is not None:
        attribute["stringValue"] = value["StringValue"]
    if value.get("BinaryValue") is not None:
        attribute["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return attribute
