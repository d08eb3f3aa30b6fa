"""The poller of a stream: each shard in order, so that a failing batch blocks what stands behind it.

With a ParallelizationFactor each shard is read in as many lanes. A key always takes the same one: its order is kept.
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
"""

from __future__ import annotations

import asyncio
import time
import traceback
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from labkit.local.event_source_mapping.filters import compile_filters, passes
from labkit.local.event_source_mapping.stream_batch import Record, StreamBatches, StreamKind
from labkit.local.event_source_mapping.surroundings import Surroundings

FILLING = 0.1


class Streams(Protocol):
    """What a poller needs of a service with streams; a position counts a shard's records from 0."""

    async def shards(self, arn: str) -> list[str] | None: ...  # noqa: D102
    async def start(self, arn: str, shard: str, position: str, timestamp: float) -> int: ...  # noqa: D102
    async def records(self, arn: str, shard: str, position: int, limit: int) -> list[Record | None]: ...  # noqa: D102


class StreamPoller:
    """Reads the stream of one mapping, which keeps the ``Positions`` (shard → one per lane)."""

    def __init__(
        self, mapping: dict[str, Any], *, streams: Streams, kind: StreamKind, surroundings: Surroundings
    ) -> None:
        self._mapping, self._emit = mapping, surroundings.emit
        self._stopping = asyncio.Event()
        batches = StreamBatches(mapping, kind, surroundings, self._stopping)
        _lay_lanes(mapping)
        self._lanes = [
            _Lane(mapping, shard, number, streams=streams, kind=kind, batches=batches, note=surroundings.note)
            for shard, positions in mapping["Positions"].items()
            for number in range(len(positions))
        ]

    def reads(self, resources: list[str]) -> bool:
        """Whether its stream is one of *resources*, or one of a table among them; ``"*"`` stands for any."""
        source = self._mapping["EventSourceArn"]
        return any(one in ("*", source) or source.startswith(f"{one}/") for one in resources)

    def wake(self) -> None:
        """Say that something may have been written."""
        for lane in self._lanes:
            lane.written.set()

    async def run(self) -> None:
        """Read until :meth:`drain` is called, or the stream is gone."""
        await asyncio.gather(*(self._read(lane) for lane in self._lanes))

    async def _read(self, lane: _Lane) -> None:
        while not self._stopping.is_set():
            try:
                await lane.step()
            except LookupError:
                self._mapping["LastProcessingResult"] = "PROBLEM: Stream not found"
                return
            except Exception:  # the border of a poller: one batch must not end it
                self._emit("labkit is broken", mapping=self._mapping["UUID"], traceback=traceback.format_exc())
                await asyncio.sleep(1)

    async def drain(self, task: asyncio.Task[None]) -> None:
        """Let the attempts under way finish; *task* is the one that runs."""
        self._stopping.set()
        self.wake()
        await asyncio.gather(task, return_exceptions=True)


class _Lane:
    """One lane of one shard."""

    def __init__(
        self,
        mapping: dict[str, Any],
        shard: str,
        number: int,
        *,
        streams: Streams,
        kind: StreamKind,
        batches: StreamBatches,
        note: Callable[..., None],
    ) -> None:
        self._mapping, self._shard, self._number = mapping, shard, number
        self._streams, self._kind, self._batches, self._note = streams, kind, batches, note
        self._filters = compile_filters(mapping.get("FilterCriteria"))
        self.written = asyncio.Event()
        self._crowded = False

    async def step(self) -> None:
        """Process the next batch, or sleep until something is written.

        Raises:
            LookupError: The stream does not exist any more.
        """
        self.written.clear()
        positions = self._mapping["Positions"][self._shard]
        before = positions[self._number]
        batch, position = await self._next_batch(before)
        if position == before:
            await self.written.wait()
        elif not batch or await self._batches.process(self._shard, batch):
            positions[self._number] = position
            self._note(self._mapping["UUID"], self._shard, self._number, position)

    async def _next_batch(self, position: int) -> tuple[list[Record], int]:
        """Collect what is there at once, or what comes within the batching window.

        While records come faster than one at a time, a batch gets FILLING seconds to fill even without a window: AWS
        reads a shard four times a second and so finds several together. A lone record never waits.
        """
        size, window = self._mapping["BatchSize"], self._mapping["MaximumBatchingWindowInSeconds"]
        batch: list[Record] = []
        position = await self._collect(batch, position, size)
        self._crowded = self._crowded or len(batch) > 1
        deadline = time.monotonic() + max(window, FILLING if self._crowded else 0)
        while 0 < len(batch) < size and (left := deadline - time.monotonic()) > 0:
            if self._batches.stopping.is_set():
                break
            try:
                await asyncio.wait_for(self.written.wait(), left)
            except TimeoutError:
                break
            self.written.clear()
            position = await self._collect(batch, position, size)
        self._crowded = len(batch) > 1
        return batch, position

    async def _collect(self, batch: list[Record], position: int, size: int) -> int:
        """Add what is there for this lane, up to *size* records in all; return the position behind it."""
        while wanted := size - len(batch):
            found = await self._streams.records(self._mapping["EventSourceArn"], self._shard, position, wanted)
            position += len(found)
            batch += [record for record in found if record is not None and self._is_mine(record)]
            if len(found) < wanted:
                break
        return position

    def _is_mine(self, record: Record) -> bool:
        lanes = len(self._mapping["Positions"][self._shard])
        if lanes > 1 and zlib.crc32(self._kind.order_key(record).encode()) % lanes != self._number:
            return False
        return not self._filters or passes(self._filters, self._kind.filtered(record))


def _lay_lanes(mapping: dict[str, Any]) -> None:
    """Give each shard as many lanes as ParallelizationFactor says; new ones begin where the slowest old one stands."""
    factor = int(mapping.get("ParallelizationFactor") or 1)
    for shard, positions in mapping["Positions"].items():
        if len(positions) != factor:
            mapping["Positions"][shard] = [min(positions)] * factor
