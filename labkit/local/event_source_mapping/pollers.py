"""The pollers of mappings: started, stopped, one change of a mapping after the other, and woken when there is work."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.event_source_mapping import dynamodb_streams, kinesis
from labkit.local.event_source_mapping.sqs import Queues, SqsPoller
from labkit.local.event_source_mapping.stream_poller import StreamPoller, Streams
from labkit.local.event_source_mapping.surroundings import Surroundings
from labkit.local.iam_actions import resources_of

KINDS = {"dynamodb": dynamodb_streams.KIND, "kinesis": kinesis.KIND}
WRITES = {
    "dynamodb": {
        "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems",
    },
    "kinesis": {"PutRecord", "PutRecords"},
}  # fmt: skip
UNTIL_CHANGED = 0.02


class Pollers:
    """The poller of each mapping that is enabled, by its UUID; *streams* go by the name of their service."""

    def __init__(
        self, *, queues: Queues, streams: Mapping[str, Streams], most_batches: int, surroundings: Surroundings
    ) -> None:
        self._queues, self._streams, self._most_batches = queues, streams, most_batches
        self._surroundings = surroundings
        self._running: dict[str, tuple[SqsPoller | StreamPoller, asyncio.Task[None]]] = {}
        self._changing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Count the pollers that have a source."""
        return sum(not task.done() for _, task in self._running.values())

    def start(self, mapping: dict[str, Any]) -> None:
        """Poll for a mapping, with the settings that it has now."""
        poller: SqsPoller | StreamPoller
        source = mapping["EventSourceArn"].split(":")[2]
        if source == "sqs":
            poller = SqsPoller(
                mapping, queues=self._queues, most_batches=self._most_batches, surroundings=self._surroundings
            )
        else:
            poller = StreamPoller(
                mapping, streams=self._streams[source], kind=KINDS[source], surroundings=self._surroundings
            )
        self._running[mapping["UUID"]] = (poller, asyncio.create_task(poller.run()))

    def change(self, mapping: dict[str, Any], *, enabled: bool) -> None:
        """Let a mapping arrive soon in the state Enabled, with the settings that it has then, or Disabled."""
        self._later(self._change(mapping, enabled))

    async def _change(self, mapping: dict[str, Any], enabled: bool) -> None:
        async with self._changing[mapping["UUID"]]:
            await self._stop(mapping)
            await asyncio.sleep(UNTIL_CHANGED)
            if mapping["State"] == "Deleting":
                return
            mapping["State"] = "Enabled" if enabled else "Disabled"
            if enabled:
                self.start(mapping)
            self._surroundings.note("settings")

    def end(self, mapping: dict[str, Any], then: Callable[[], Any]) -> None:
        """Poll no more for a mapping; *then* is called when the batches under way are done."""
        self._later(self._end(mapping, then))

    async def _end(self, mapping: dict[str, Any], then: Callable[[], Any]) -> None:
        async with self._changing[mapping["UUID"]]:
            await self._stop(mapping)
        del self._changing[mapping["UUID"]]
        then()
        self._surroundings.note("settings")

    async def _stop(self, mapping: dict[str, Any]) -> None:
        poller, task = self._running.pop(mapping["UUID"], (None, None))
        if poller and task:
            await poller.drain(task)

    def observe(self, call: ApiCall, result: dict[str, Any] | None, error: AwsError | None) -> None:
        """Wake the pollers of tables and streams that a call has written; ``"*"`` stands for any."""
        if call.operation not in WRITES.get(call.service, ()):
            return
        written = resources_of(call)
        for poller, _ in self._running.values():
            if isinstance(poller, StreamPoller) and poller.reads(written):
                poller.wake()

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Stop polling."""
        for _, task in self._running.values():
            task.cancel()
