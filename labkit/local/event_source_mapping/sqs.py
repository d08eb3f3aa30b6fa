"""The poller of a queue: receive a batch, invoke, delete what succeeded.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
import traceback
from typing import Any, Protocol

from labkit.local.api_call import AwsError
from labkit.local.event_source_mapping.batch_response import failed_identifiers
from labkit.local.event_source_mapping.filters import compile_filters, passes
from labkit.local.event_source_mapping.surroundings import Surroundings

FIRST_BATCHES = 5
MOST_BATCHES = 1000
MORE_PER_MINUTE = 300
LONG_POLL = 3600.0
FILLING = 0.06
FIRST_BACKOFF, LONGEST_BACKOFF = 0.05, 2.0


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
        most_batches: int,
        surroundings: Surroundings,
    ) -> None:
        self._mapping, self._arn, self._queues = mapping, str(mapping["EventSourceArn"]), queues
        self._invoke, self._configuration = surroundings.invoke, surroundings.configuration
        self._scaled, self._emit, self._note = surroundings.clock.scaled, surroundings.emit, surroundings.note
        self._filters = compile_filters(mapping.get("FilterCriteria"))
        most = (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency") or MOST_BATCHES
        self._most = min(int(most), max(FIRST_BATCHES, most_batches))
        self._first = self._allowed = min(FIRST_BATCHES, self._most)
        self._freed, self._stopping = asyncio.Event(), asyncio.Event()
        self._batches: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._crowded = False

    async def run(self) -> None:
        """Poll until cancelled, or until the queue is deleted."""
        while True:
            await self._wait_for_room()
            messages: list[Any] = []
            try:
                await self._receive(messages)
            except AwsError as error:  # the queue was deleted
                return self._disable(error.message)
            except Exception:  # the border of a poller: it must not end in silence
                self._emit("labkit is broken", mapping=self._mapping["UUID"], traceback=traceback.format_exc())
                await self._pause(1)
            finally:  # also when it is cancelled: what was received is processed, not left in flight
                if messages:
                    self._begin(messages)
            await asyncio.sleep(0)

    def _disable(self, why: str) -> None:
        """End as Lambda does when the queue is gone: not even one of the same name wakes the mapping again."""
        self._mapping["LastProcessingResult"] = f"PROBLEM: {why}"
        if self._mapping["State"] == "Enabled":
            self._mapping["State"] = "Disabled"
            self._note("settings")

    def _begin(self, messages: list[Any]) -> None:
        task = asyncio.create_task(self._process(messages))
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

    async def _receive(self, messages: list[Any]) -> None:
        """Receive one batch into *messages*: what is there at once, or what comes within the batching window.

        While messages come faster than one at a time, a batch gets FILLING seconds to fill even without a window, as
        Lambda's own pollers collect what several receive calls bring: a few full batches cost less than many small
        ones. A lone message never waits.
        """
        size, window = self._mapping["BatchSize"], self._mapping["MaximumBatchingWindowInSeconds"]
        hidden_for = self._visibility(window)
        messages += await self._queues.receive_from(
            self._arn, max_messages=size, wait_seconds=LONG_POLL, visibility_timeout=hidden_for
        )
        self._crowded = self._crowded or len(messages) > 1
        deadline = time.monotonic() + max(window, FILLING if self._crowded else 0)
        while messages and len(messages) < size and (left := deadline - time.monotonic()) > 0:
            messages += await self._queues.receive_from(
                self._arn, max_messages=size - len(messages), wait_seconds=left, visibility_timeout=hidden_for
            )
        self._crowded = len(messages) > 1

    def _visibility(self, window: float) -> float | None:
        """For how long a batch is hidden: the queue's own time (``None``), or more when window and run outlast it."""
        if not window:
            return None
        try:
            needed = window + float(self._configuration(self._mapping["FunctionArn"])["Timeout"])
        except AwsError:  # the function was deleted: its batches fail, and the mapping says so
            return None
        return None if needed <= self._own_visibility() else needed + 30

    def _own_visibility(self) -> float:
        return float(self._queues.attributes_of(self._arn)["VisibilityTimeout"])

    async def _process(self, messages: list[Any]) -> None:
        records = {message.message_id: record_of(message, self._arn) for message in messages}
        chosen = {key: record for key, record in records.items() if passes(self._filters, record)}
        handles = {message.message_id: message.receipt_handle for message in messages}
        self._queues.delete_from(self._arn, [handles[key] for key in records if key not in chosen])
        if not chosen:
            return
        try:
            failed = await self._call(list(chosen.values()), list(chosen))
        except Exception:  # the border of a poller: one batch must not end it
            self._emit("labkit is broken", mapping=self._mapping["UUID"], traceback=traceback.format_exc())
            failed = list(chosen)
        self._queues.delete_from(self._arn, [handles[key] for key in chosen if key not in failed])
        function = self._mapping["FunctionArn"].rpartition(":")[2]
        self._emit("batch", function=function, records=len(chosen), failed=len(failed))
        partial = self._mapping["FunctionResponseTypes"]
        self._failures = self._failures + 1 if failed and not partial else 0
        if self._failures:  # Lambda polls less while a function fails
            await self._pause(min(1.0, self._scaled(2.0**self._failures)))

    async def _call(self, records: list[dict[str, Any]], identifiers: list[str]) -> list[str]:
        """Invoke with a batch; return the identifiers of what failed."""
        mapping, payload = self._mapping, json.dumps({"Records": records}).encode()
        began, backoff = time.monotonic(), FIRST_BACKOFF
        while True:
            try:
                result = await self._invoke(mapping["FunctionArn"], payload)
                break
            except AwsError as error:
                if error.code != "TooManyRequestsException":
                    mapping["LastProcessingResult"] = f"PROBLEM: {error.message}"
                    return identifiers
                if not self._still_hidden(began, backoff):
                    return identifiers
                await self._pause(backoff)  # throttled: the same batch again
                backoff = min(LONGEST_BACKOFF, backoff * 2)
        mapping["LastProcessingResult"] = "OK" if not result.function_error else "PROBLEM: Function call failed"
        if result.function_error:
            return identifiers
        if not mapping["FunctionResponseTypes"]:
            return []
        failed = failed_identifiers(result.payload, identifiers)
        return identifiers if failed is None else failed

    def _still_hidden(self, began: float, backoff: float) -> bool:
        """Whether a batch may be tried again after *backoff*: its visibility timeout is not over, nor the mapping."""
        if self._stopping.is_set():
            return False
        try:
            return time.monotonic() + backoff - began < self._own_visibility()
        except AwsError:  # the queue was deleted
            return False

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def drain(self, task: asyncio.Task[None]) -> None:
        """Receive no more, and wait for the batches under way; *task* is the one that runs."""
        self._stopping.set()
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
