"""How many batches of a queue are under way at once, and for how long a throttled one is tried again."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from labkit.local.api_call import AwsError
from labkit.local.clock import Clock
from labkit.local.event_source_mapping import sqs
from labkit.local.event_source_mapping.sqs import SqsPoller

MAPPING = {
    "UUID": "u", "EventSourceArn": "arn:aws:sqs:us-east-1:1:q", "FunctionArn": "f", "BatchSize": 10,
    "MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": [],
}  # fmt: skip


def around(invoke):
    """What a poller needs of the local cloud."""
    return SimpleNamespace(
        invoke=invoke, configuration=lambda arn: {"Timeout": 3}, clock=Clock(1000), emit=lambda *a, **k: None, note=None
    )


class Backlog:
    """A queue that always has another message."""

    def __init__(self, visibility=30):
        self.sent, self.deleted, self._visibility = 0, [], visibility

    def attributes_of(self, arn):
        """Return the one that is needed."""
        return {"VisibilityTimeout": str(self._visibility)}

    async def receive_from(self, arn, *, max_messages, wait_seconds, visibility_timeout):
        """Return one message."""
        self.sent += 1
        return [SimpleNamespace(
            message_id=str(self.sent), receipt_handle=f"h{self.sent}", body="{}", attributes={}, message_attributes={},
            md5_of_body="", md5_of_attributes="",
        )]  # fmt: skip

    def delete_from(self, arn, handles):
        """Keep the handles."""
        self.deleted += handles


@pytest.mark.parametrize(
    ("most_batches", "settings", "expected"),
    [(4, {}, 5), (40, {}, 40), (40, {"ScalingConfig": {"MaximumConcurrency": 12}}, 12),
     (40, {"ScalingConfig": {"MaximumConcurrency": 2}}, 2)],
)  # fmt: skip
def test_under_a_backlog_the_batches_grow_from_five_to_the_limit(most_batches, settings, expected):
    """5, then 300 a minute more, up to MaximumConcurrency and to the processes a function may have."""
    under_way, seen = 0, []

    async def invoke(arn, payload):
        nonlocal under_way
        under_way += 1
        seen.append(under_way)
        await asyncio.sleep(60)

    async def poll():
        mapping = MAPPING | settings
        poller = SqsPoller(mapping, queues=Backlog(), most_batches=most_batches, surroundings=around(invoke))
        running = asyncio.create_task(poller.run())
        await asyncio.sleep(0)
        while len(seen) < min(5, expected):
            await asyncio.sleep(0)
        at_first = max(seen)
        await asyncio.sleep(0.3)
        running.cancel()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return at_first

    assert (asyncio.run(poll()), max(seen)) == (min(5, expected), expected)


@pytest.mark.parametrize(("visibility", "deleted"), [(30, ["h1"]), (0.05, [])])
def test_a_throttled_batch_is_tried_again_until_its_visibility_timeout_is_over(monkeypatch, visibility, deleted):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html, "Backoff strategy"."""
    monkeypatch.setattr(sqs, "FIRST_BACKOFF", 0.001)
    monkeypatch.setattr(sqs, "LONGEST_BACKOFF", 0.01)
    tried, queue = [], Backlog(visibility)

    async def invoke(arn, payload):
        tried.append(payload)
        if len(tried) < 30:
            raise AwsError("TooManyRequestsException", "Rate Exceeded.", 429)
        return SimpleNamespace(function_error=None, payload=b"null")

    async def process():
        poller = SqsPoller(dict(MAPPING), queues=queue, most_batches=1, surroundings=around(invoke))
        await poller._process(await queue.receive_from("q", max_messages=1, wait_seconds=0, visibility_timeout=None))

    asyncio.run(process())

    assert queue.deleted == deleted
    assert len(set(tried)) == 1


def test_a_throttled_batch_does_not_hold_up_the_end_of_its_mapping():
    """Deleting or disabling waits for batches under way, and for none that only waits for its next try."""

    async def throttled(arn, payload):
        raise AwsError("TooManyRequestsException", "Rate Exceeded.", 429)

    async def stop():
        poller = SqsPoller(dict(MAPPING), queues=Backlog(3600), most_batches=1, surroundings=around(throttled))
        running = asyncio.create_task(poller.run())
        await asyncio.sleep(0.5)
        await asyncio.wait_for(poller.drain(running), 1)

    asyncio.run(stop())
