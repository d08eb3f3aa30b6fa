"""The poller of a DynamoDB stream: in order, so that a failing batch blocks what stands behind it.

https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.event_source_mapping.batch_response import failed_identifiers
from labkit.local.event_source_mapping.filters import compile_filters, passes

SHARD = "shardId-00000001541626099285-f35f62ef"
Record = dict[str, Any]


class StreamPoller:
    """Reads the stream of one mapping; *mapping* keeps its ``Position``."""

    def __init__(
        self,
        mapping: dict[str, Any],
        *,
        read: Callable[[str, int, int], Awaitable[list[Record]]],
        invoke: Callable[[str, bytes], Awaitable[Any]],
        deliver: Callable[[str, str], Awaitable[None]],
        scaled: Callable[[float], float],
        emit: Callable[..., None],
    ) -> None:
        self._mapping, self._read, self._invoke, self._deliver = mapping, read, invoke, deliver
        self._scaled, self._emit = scaled, emit
        self._filters = compile_filters(mapping.get("FilterCriteria"))
        self._written = asyncio.Event()
        self._images: dict[str, bytes] = {}
        self._busy: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Say that the table was written."""
        self._written.set()

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            self._written.clear()
            try:
                records = await self._next_batch()
            except LookupError:
                self._mapping["LastProcessingResult"] = "PROBLEM: Stream not found"
                return
            if not records:
                await self._written.wait()
                continue
            chosen = [record for record in records if self._changed(record) and passes(self._filters, record)]
            try:
                await self._process(chosen)
            except Exception:  # the border of a poller: one batch must not end it
                self._emit("labkit is broken", mapping=self._mapping["UUID"], traceback=traceback.format_exc())
                await asyncio.sleep(1)
                continue
            self._mapping["Position"] += len(records)

    async def _next_batch(self) -> list[Record]:
        size, window = self._mapping["BatchSize"], self._mapping["MaximumBatchingWindowInSeconds"]
        arn = self._mapping["EventSourceArn"]
        records = await self._read(arn, self._mapping["Position"], size)
        deadline = time.monotonic() + window
        while records and len(records) < size and (left := deadline - time.monotonic()) > 0:
            try:
                await asyncio.wait_for(self._written.wait(), left)
            except TimeoutError:
                break
            self._written.clear()
            records = await self._read(arn, self._mapping["Position"], size)
        return records

    def _changed(self, record: Record) -> bool:
        """Whether a write changed the item: AWS makes no record otherwise, moto does."""
        key = json.dumps(record["dynamodb"]["Keys"], sort_keys=True)
        image = hashlib.sha256(json.dumps(record["dynamodb"].get("NewImage"), sort_keys=True).encode()).digest()
        same = record["eventName"] == "MODIFY" and self._images.get(key) == image
        self._images[key] = image
        return not same

    async def _process(self, records: list[Record]) -> None:
        mapping = self._mapping
        work: deque[tuple[list[Record], int]] = deque([(records, 0)] if records else [])
        while work:
            batch, retries = work.popleft()
            batch = await self._without_old(batch)
            if not batch:
                continue
            failed_at, result = await self._call(batch)
            if failed_at is None:
                continue
            rest = batch[failed_at:]
            if mapping["BisectBatchOnFunctionError"] and len(rest) > 1:
                middle = len(rest) // 2
                work.extendleft([(rest[middle:], retries), (rest[:middle], retries)])
            elif 0 <= mapping["MaximumRetryAttempts"] <= retries:
                await self._give_up(rest, "RetryAttemptsExhausted", retries + 1, result)
            else:
                await asyncio.sleep(max(0.02, self._scaled(min(60.0, 2.0**retries))))
                work.appendleft((rest, retries + 1))

    async def _without_old(self, batch: list[Record]) -> list[Record]:
        limit = self._mapping["MaximumRecordAgeInSeconds"]
        if limit < 0:
            return batch
        oldest = time.time() - limit
        old = [record for record in batch if record["dynamodb"]["ApproximateCreationDateTime"] < oldest]
        if old:
            await self._give_up(old, "RecordAgeExceeded", 1, None)
        return [record for record in batch if record not in old]

    async def _call(self, batch: list[Record]) -> tuple[int | None, Any]:
        """Invoke; return the index of the first failed record (``None``: all succeeded) and the answer."""
        payload = json.dumps({"Records": batch}).encode()
        try:
            result = await self._invoke(self._mapping["FunctionArn"], payload)
        except AwsError as error:
            self._mapping["LastProcessingResult"] = f"PROBLEM: {error.message}"
            return 0, None
        name = self._mapping["FunctionArn"].rpartition(":")[2]
        failed: list[str] | None = None if result.function_error else []
        numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
        if not result.function_error and self._mapping["FunctionResponseTypes"]:
            failed = failed_identifiers(result.payload, numbers)
        failed_at = 0 if failed is None else min((numbers.index(one) for one in failed), default=None)
        self._mapping["LastProcessingResult"] = "OK" if failed_at is None else "PROBLEM: Function call failed"
        self._emit(
            "batch", function=name, records=len(batch), failed=0 if failed_at is None else len(batch) - failed_at
        )
        return failed_at, result

    async def _give_up(self, batch: list[Record], condition: str, attempts: int, result: Any) -> None:
        destination = (self._mapping["DestinationConfig"].get("OnFailure") or {}).get("Destination")
        self._emit("records given up", mapping=self._mapping["UUID"], records=len(batch), why=condition)
        if not destination:
            return
        record = self._failure_record(batch, condition, attempts, result)
        try:
            await self._deliver(destination, json.dumps(record))
        except AwsError as error:
            self._emit("not delivered", destination=destination, error=error.message)

    def _failure_record(self, batch: list[Record], condition: str, attempts: int, result: Any) -> dict[str, Any]:
        def moment(epoch: float) -> str:
            return f"{datetime.fromtimestamp(epoch, UTC):%Y-%m-%dT%H:%M:%SZ}"

        first, last = batch[0]["dynamodb"], batch[-1]["dynamodb"]
        return {
            "requestContext": {
                "requestId": result.request_id if result else "",
                "functionArn": self._mapping["FunctionArn"],
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": result.function_error if result else None,
            },
            "version": "1.0",
            "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "DDBStreamBatchInfo": {
                "shardId": SHARD,
                "startSequenceNumber": first["SequenceNumber"],
                "endSequenceNumber": last["SequenceNumber"],
                "approximateArrivalOfFirstRecord": moment(first["ApproximateCreationDateTime"]),
                "approximateArrivalOfLastRecord": moment(last["ApproximateCreationDateTime"]),
                "batchSize": len(batch),
                "streamArn": self._mapping["EventSourceArn"],
            },
        }
