"""What becomes of one batch of a stream: invoke, go on behind what succeeded, split, retry, give up.

https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.clock import iso_milliseconds
from labkit.local.event_source_mapping.batch_response import failed_identifiers
from labkit.local.event_source_mapping.surroundings import Surroundings

Record = dict[str, Any]
LARGEST_PAYLOAD = 6 * 1024 * 1024
DESTINATION_ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "s3": "s3:PutObject"}


@dataclass(frozen=True, slots=True)
class StreamKind:
    """What differs between the records of a DynamoDB stream and those of a Kinesis stream.

    *actions* are what the function's role must be allowed, *no_access* is what AWS says if it is not. *arrival* is
    epoch seconds, *order_key* what keeps its order under a ParallelizationFactor, *filtered* the record as filters see
    it, *moment* a time as the on-failure record writes it, *info* that record's key for the batch, *names_role* whether
    each record tells by which role it was read.
    """

    actions: tuple[str, ...]
    no_access: str
    info: str
    sequence_number: Callable[[Record], str]
    arrival: Callable[[Record], float]
    order_key: Callable[[Record], str]
    filtered: Callable[[Record], Record]
    moment: Callable[[float], str]
    names_role: bool = False


class StreamBatches:
    """The batches of one mapping; *stopping* lets the attempt under way finish and no other begin."""

    def __init__(
        self, mapping: dict[str, Any], kind: StreamKind, surroundings: Surroundings, stopping: asyncio.Event
    ) -> None:
        self._mapping, self._kind, self._around, self.stopping = mapping, kind, surroundings, stopping

    async def process(self, shard: str, records: list[Record]) -> bool:
        """Invoke until every record succeeded or was given up; return false when it was stopped before that."""
        mapping = self._mapping
        work: deque[tuple[list[Record], int]] = deque([(self._with_role(records), 0)])
        throttled = 0
        while work:
            if self.stopping.is_set():
                return False
            batch, retries = work.popleft()
            batch = await self._without_old(shard, batch)
            if not batch:
                continue
            payload = json.dumps({"Records": batch}).encode()
            if len(payload) > LARGEST_PAYLOAD and len(batch) > 1:
                work.extendleft(reversed(_halves(batch, retries)))
                continue
            failed_at, result = await self._call(batch, payload)
            if failed_at is None:
                continue
            rest = batch[failed_at:]
            if result is None:  # not invoked: throttled, or the function is gone; only age ends this
                work.appendleft((batch, retries))
                await self._pause(throttled)
                throttled += 1
            elif mapping["BisectBatchOnFunctionError"] and failed_at:
                work.appendleft((rest, retries))  # split at the record that the function named
            elif mapping["BisectBatchOnFunctionError"] and len(rest) > 1:
                work.extendleft(reversed(_halves(rest, retries)))
            elif 0 <= mapping["MaximumRetryAttempts"] <= retries:
                await self._give_up(shard, rest, "RetryAttemptsExhausted", retries + 1, result)
            else:
                work.appendleft((rest, retries + 1))
                await self._pause(retries)
        return True

    def _with_role(self, records: list[Record]) -> list[Record]:
        if not self._kind.names_role:
            return records
        try:
            role = self._around.configuration(self._mapping["FunctionArn"])["Role"]
        except AwsError:  # the function is gone, which the invocation tells
            return records
        return [{**record, "invokeIdentityArn": role} for record in records]

    async def _pause(self, attempts: int) -> None:
        seconds = max(0.02, self._around.clock.scaled(min(60.0, 2.0 ** min(attempts, 10))))
        try:
            await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            pass

    async def _without_old(self, shard: str, batch: list[Record]) -> list[Record]:
        limit = self._mapping["MaximumRecordAgeInSeconds"]
        if limit < 0:
            return batch
        oldest = self._around.clock.now() - limit
        old = [record for record in batch if self._kind.arrival(record) < oldest]
        if old:
            await self._give_up(shard, old, "RecordAgeExceeded", 1, None)
        return [record for record in batch if self._kind.arrival(record) >= oldest]

    async def _call(self, batch: list[Record], payload: bytes) -> tuple[int | None, Any]:
        """Invoke; return the index of the first failed record (``None``: all succeeded) and the answer, if any."""
        mapping, arn = self._mapping, self._mapping["FunctionArn"]
        age = self._around.clock.now() - self._kind.arrival(batch[-1])
        self._around.iterator_age(arn, max(0.0, age * 1000))
        try:
            result = await self._around.invoke(arn, payload)
        except AwsError as error:
            mapping["LastProcessingResult"] = f"PROBLEM: {error.message}"
            return 0, None
        numbers = [self._kind.sequence_number(record) for record in batch]
        failed: list[str] | None = None if result.function_error else []
        if not result.function_error and mapping["FunctionResponseTypes"]:
            failed = failed_identifiers(result.payload, numbers)
        failed_at = 0 if failed is None else min((numbers.index(one) for one in failed), default=None)
        mapping["LastProcessingResult"] = "OK" if failed_at is None else "PROBLEM: Function call failed"
        count = 0 if failed_at is None else len(batch) - failed_at
        self._around.emit("batch", function=arn.rpartition(":")[2], records=len(batch), failed=count)
        return failed_at, result

    # --- On failure ---------------------------------------------------------------------------------------------------

    async def _give_up(self, shard: str, batch: list[Record], condition: str, attempts: int, result: Any) -> None:
        emit = self._around.emit
        emit("records given up", mapping=self._mapping["UUID"], records=len(batch), why=condition)
        destination = (self._mapping["DestinationConfig"].get("OnFailure") or {}).get("Destination")
        if not destination:
            return
        record = {
            "requestContext": {
                "requestId": result.request_id if result else "",
                "functionArn": self._mapping["FunctionArn"],
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": result.executed_version if result else "$LATEST",
                "functionError": result.function_error if result else None,
            },
            "version": "1.0",
            "timestamp": iso_milliseconds(self._around.clock.now()),
            self._kind.info: self._batch_info(shard, batch),
        }
        try:
            await self._deliver(destination, shard, record, batch)
        except AwsError as error:
            emit("not delivered", destination=destination, error=error.message)

    async def _deliver(self, destination: str, shard: str, record: Record, batch: list[Record]) -> None:
        service = destination.split(":")[2]
        if service == "s3":
            now = datetime.fromtimestamp(self._around.clock.now(), UTC)
            name = f"{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
            destination += f"/aws/lambda/{self._mapping['UUID']}/{shard}/{name}"
            record = {**record, "payload": {"Records": batch}}
        role, action = self._around.configuration(self._mapping["FunctionArn"])["Role"], DESTINATION_ACTIONS[service]
        if not await self._around.role_can(role, action, destination):
            raise AwsError("AccessDenied", f"the role {role} may not {action} on {destination}", 403)
        await self._around.deliver(destination, json.dumps(record))

    def _batch_info(self, shard: str, batch: list[Record]) -> dict[str, Any]:
        kind, first, last = self._kind, batch[0], batch[-1]
        return {
            "shardId": shard,
            "startSequenceNumber": kind.sequence_number(first),
            "endSequenceNumber": kind.sequence_number(last),
            "approximateArrivalOfFirstRecord": kind.moment(kind.arrival(first)),
            "approximateArrivalOfLastRecord": kind.moment(kind.arrival(last)),
            "batchSize": len(batch),
            "streamArn": self._mapping["EventSourceArn"],
        }


def _halves(batch: list[Record], retries: int) -> list[tuple[list[Record], int]]:
    middle = len(batch) // 2
    return [(batch[:middle], retries), (batch[middle:], retries)]
