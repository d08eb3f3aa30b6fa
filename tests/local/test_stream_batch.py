"""A batch of a stream: too old, too large, throttled."""

from __future__ import annotations

import asyncio
import json
import time
from types import SimpleNamespace

import pytest

from labkit.local.api_call import AwsError
from labkit.local.clock import Clock
from labkit.local.event_source_mapping.dynamodb_streams import KIND
from labkit.local.event_source_mapping.stream_batch import StreamBatches
from labkit.local.event_source_mapping.surroundings import Surroundings

QUEUE = "arn:aws:sqs:us-east-1:123456789012:failed"


def record(key, age=0.0, size=0):
    return {
        "eventName": "INSERT",
        "dynamodb": {
            "Keys": {"k": {"S": key}}, "SequenceNumber": key, "ApproximateCreationDateTime": time.time() - age,
            "NewImage": {"x": {"S": "x" * size}},
        },
    }  # fmt: skip


@pytest.fixture
def batches():
    """``batches(invoke, **settings)``: batches of a mapping, and what reached the destination."""

    def create(invoke, **settings):
        delivered = []

        async def deliver(arn, message):
            delivered.append(json.loads(message))

        async def role_can(role, action, resource):
            return True

        mapping = {
            "UUID": "u", "FunctionArn": "f", "EventSourceArn": "s", "FunctionResponseTypes": [],
            "MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": -1, "BisectBatchOnFunctionError": False,
            "DestinationConfig": {"OnFailure": {"Destination": QUEUE}}, **settings,
        }  # fmt: skip
        around = Surroundings(
            invoke=invoke, configuration=lambda arn: {"Role": "r"}, role_can=role_can, deliver=deliver,
            note=lambda *change: None, iterator_age=lambda arn, ms: None, clock=Clock(1000),
            emit=lambda *a, **k: None,
        )  # fmt: skip
        return StreamBatches(mapping, KIND, around, asyncio.Event()), delivered

    return create


def succeed(calls):
    async def invoke(arn, payload):
        keys = [one["dynamodb"]["SequenceNumber"] for one in json.loads(payload)["Records"]]
        calls.append(keys)
        return SimpleNamespace(function_error=None, payload=b"null", request_id="id", executed_version="$LATEST")

    return invoke


def test_records_older_than_the_limit_are_given_up_without_the_function(batches):
    """MaximumRecordAgeInSeconds: https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html."""
    calls = []
    process, delivered = batches(succeed(calls), MaximumRecordAgeInSeconds=60)

    done = asyncio.run(process.process("shard", [record("1", 100), record("2", 61), record("3", 1)]))

    assert (done, calls) == (True, [["3"]])
    assert [one["requestContext"]["condition"] for one in delivered] == ["RecordAgeExceeded"]
    assert [one["DDBStreamBatchInfo"]["endSequenceNumber"] for one in delivered] == ["2"]


def test_a_batch_above_six_megabytes_is_invoked_in_parts(batches):
    """The limit of an invocation's payload; the order stays."""
    calls = []
    process, _ = batches(succeed(calls))

    asyncio.run(process.process("shard", [record(str(n), size=2_000_000) for n in range(5)]))

    assert calls == [["0", "1"], ["2", "3", "4"]]


def test_throttling_uses_up_no_retry(batches):
    """Only errors of the function count: services-dynamodb-errors, "Before invocation"."""
    calls = []
    answer = succeed(calls)
    refusals = [AwsError("TooManyRequestsException", "Rate Exceeded.", 429)] * 3

    async def invoke(arn, payload):
        if refusals:
            raise refusals.pop()
        return await answer(arn, payload)

    process, delivered = batches(invoke, MaximumRetryAttempts=0, BisectBatchOnFunctionError=True)

    assert asyncio.run(process.process("shard", [record("1"), record("2")])) is True
    assert (calls, delivered) == ([["1", "2"]], [])


def test_a_batch_that_is_stopped_is_not_done(batches):
    """Its position stays, so that the next poller delivers it again."""

    async def stopped():
        process, _ = batches(succeed([]))
        process.stopping.set()
        return await process.process("shard", [record("1")])

    assert asyncio.run(stopped()) is False
