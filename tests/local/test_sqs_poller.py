"""How many batches of a queue are under way at once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from labkit.local.event_source_mapping.sqs import SqsPoller


class Backlog:
    """A queue that always has another message."""

    def __init__(self):
        self.sent = 0

    async def receive_from(self, arn, *, max_messages, wait_seconds, visibility_timeout):
        """Return one message."""
        self.sent += 1
        return [SimpleNamespace(
            message_id=str(self.sent), receipt_handle="h", body="{}", attributes={}, message_attributes={},
            md5_of_body="", md5_of_attributes="",
        )]  # fmt: skip

    def delete_from(self, arn, handles):
        """Delete nothing: there is more anyway."""


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
        mapping = {
            "UUID": "u", "EventSourceArn": "arn:aws:sqs:us-east-1:1:q", "FunctionArn": "f", "BatchSize": 10,
            "MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": [], **settings,
        }  # fmt: skip
        poller = SqsPoller(
            mapping, queues=Backlog(), invoke=invoke, function_timeout=lambda: 3, most_batches=most_batches,
            scaled=lambda seconds: seconds / 1000, emit=lambda *a, **k: None,
        )  # fmt: skip
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
