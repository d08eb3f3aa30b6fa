"""The lanes of a stream's mapping, and what is kept of them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from labkit.local.clock import Clock
from labkit.local.event_source_mapping.mappings import EventSourceMappings

MAPPING = {
    "UUID": "u", "EventSourceArn": "arn:aws:dynamodb:us-east-1:1:table/t/stream/s", "FunctionArn": "f",
    "Region": "us-east-1", "State": "Enabled", "Positions": {"shard": [5]}, "BatchSize": 100,
    "MaximumBatchingWindowInSeconds": 0, "ParallelizationFactor": 1,
}  # fmt: skip


class EmptyStream:
    """A stream without records."""

    async def records(self, arn, shard, position, limit):
        """Return none."""
        return []


def test_new_lanes_are_kept_before_any_of_them_gets_on():
    """Else, after a kill, one that lagged would begin where another had got to, and records would be lost."""

    async def change():
        kept = asyncio.Queue()
        mappings = EventSourceMappings(
            queues=None, streams={"dynamodb": EmptyStream()}, invoke=None, configuration=None, role_can=None,
            deliver=None, iterator_age=None, most_batches=1, clock=Clock(1000), emit=lambda *a, **k: None,
            note=lambda *change: kept.put_nowait((change, mappings.snapshot()[0])),
        )  # fmt: skip
        mappings.restore([MAPPING])
        mappings.update(SimpleNamespace(params={"UUID": "u", "ParallelizationFactor": 3}, region="us-east-1"))
        change, mapping = await asyncio.wait_for(kept.get(), 2)
        mappings.close()
        return change, mapping["State"], mapping["Positions"]

    assert asyncio.run(change()) == (("settings",), "Enabled", {"shard": [5, 5, 5]})
