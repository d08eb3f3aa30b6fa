"""Durability: what the local cloud holds is written to a journal before an answer leaves, and read back at the start.

The journal begins with a snapshot of everything. Behind it stand effects, not calls, since a call would draw other ids
and times when it is made again: the new state of a feature that was changed, single changes of what changes with every
visit (:meth:`Durability.note`), and what calls changed of moto's state. See docs/decisions/0004-durability.md.
"""

from __future__ import annotations

import asyncio
import functools
import traceback
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, is_read
from labkit.local.durability.journal import Journal
from labkit.local.durability.journal_file import JournalFile
from labkit.local.durability.reading import Reading

SWEEP_SECONDS = 1.0
SMALL = 4 * 2**20
LARGE = 64 * 2**20
TOO_LARGE = 512 * 2**20
NOTED = {
    "sqs": {
        "SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch",
        "ChangeMessageVisibility", "ChangeMessageVisibilityBatch",
    },
    "lambda": {"Invoke", "InvokeAsync"},
    "sns": {"Publish", "PublishBatch"},
}  # fmt: skip


class Durability:
    """Keeps *features* and moto's state in a journal; without a *file* it keeps nothing.

    A feature has ``snapshot()`` and ``restore(state)``. One of which parts change with every visit also has
    ``settings()``, a snapshot without these parts, and ``replay(state, *change)``, which does to a snapshot what a
    change did to the feature.

    Args:
        file: The journal.
        moto: What is said of moto's state, see ``moto_app.state``.
        touched_by: The features that calls of a service may change.
        activity: A number that grows with whatever happens in the local cloud.
        emit: Tells when something cannot be kept.
    """

    def __init__(
        self,
        file: JournalFile | None,
        *,
        moto: Any,
        touched_by: Mapping[str, Iterable[str]],
        activity: Callable[[], int],
        emit: Callable[..., None],
    ) -> None:
        self._journal = Journal(file) if file else None
        self._moto, self._activity, self._emit = moto, activity, emit
        self._touched_by = touched_by
        self.features: Mapping[str, Any] = {}
        self.state_id = uuid.uuid4().hex
        self._touched: set[str] = set()
        self._lock = asyncio.Lock()
        self._log_streams: set[tuple[str, ...]] = set()
        self._flushing: asyncio.Handle | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._closed = False

    # --- The start ----------------------------------------------------------------------------------------------------

    async def restore(self) -> bool:
        """Go on from what the journal holds, and begin to write; return whether it held anything.

        Raises:
            Unreadable: It is damaged, or of another format, or a part of the local cloud cannot go on from it.
            OSError: There is no journal yet, and none can be written.
        """
        if self._journal is None:
            return False
        found = await self._journal.read(self._go_on)
        if found is None:
            await self._begin_anew(self._journal)
        elif self._journal.has_outgrown(SMALL, 1):
            await self._compact(self._journal)
        self._sweeping = asyncio.create_task(self._sweep(self._journal))
        return found is not None

    async def _go_on(self, reading: Reading) -> None:
        states = reading.states(self.features)
        self.state_id = reading.state_id
        await self._moto.restore(reading.of_moto)
        for name, feature in self.features.items():
            if name in states:
                feature.restore(states[name])

    # --- What changes -------------------------------------------------------------------------------------------------

    def note(self, feature: str, *change: Any) -> None:
        """Write down one change of a feature soon, and in any case before the next answer leaves.

        What was touched before is written before it: a message is on its new queue before it is off the old one.
        ``"settings"`` stands for a change of these.
        """
        if self._journal is None:
            return
        if change == ("settings",):
            self._touched.add(feature)
        else:
            self._record_touched(self._journal)
            self._journal.add(("change", feature, change))
        self._soon()

    def noting(self, feature: str) -> Callable[..., None]:
        """Return :meth:`note` for one feature."""
        return functools.partial(self.note, feature)

    def call_made(self, call: ApiCall, result: dict[str, Any] | None, error: AwsError | None) -> None:
        """Know that a call was made: what it may have changed is written before its answer leaves."""
        if self._journal is None:
            return
        if call.service == "logs":
            self._collect_logs()
        if is_read(call.operation):
            return
        self._moto.call_made(call)
        if call.operation not in NOTED.get(call.service, ()):
            self._touched.update(self._touched_by.get(call.service, ()))

    async def object_stored(self, bucket: str, key: str) -> None:
        """Keep an object that a part of the local cloud has stored."""
        if self._journal is not None:
            self._moto.changes.objects.add((bucket, key))
            await self._keep_for_nobody()

    async def log_grown(self, region: str, group: str, stream: str) -> None:
        """Keep what a part of the local cloud has written to a log stream: within a second, or before it is read."""
        if self._journal is not None:
            self._log_streams.add(("logs", region, group, stream))

    def _collect_logs(self) -> None:
        grown, self._log_streams = self._log_streams, set()
        self._moto.changes.grown |= grown

    # --- Writing ------------------------------------------------------------------------------------------------------

    async def kept(self) -> None:
        """Return when all that has happened is written down. An answer leaves after that.

        Raises:
            AwsError: ``ServiceUnavailable``: the disk is full, or the local cloud is ending.
        """
        self._refuse_after_the_end()
        journal = self._journal
        if journal and (self._touched or journal.waits or self._moto.changes or self._lock.locked()):
            async with self._lock:
                self._refuse_after_the_end()
                await self._write(journal)

    def _refuse_after_the_end(self) -> None:
        if self._closed:
            raise AwsError("ServiceUnavailable", "The local cloud is ending; what this call did may be lost.", 503)

    async def _write(self, journal: Journal) -> None:
        try:
            if self._moto.changes:
                journal.add(*await self._moto.collect())
            self._record_touched(journal)
        except Exception as error:  # what cannot be pickled raises whatever it likes
            self._emit("labkit is broken", traceback=traceback.format_exc())
            raise AwsError(
                "InternalFailure",
                f"The local cloud did what was asked, and cannot keep it ({type(error).__name__}); this is a bug of "
                "labkit, and `labkit logs` shows where.",
                500,
            ) from error
        await journal.append_when_there_is_room()

    def _record_touched(self, journal: Journal) -> None:
        while self._touched:
            name = self._touched.pop()
            feature = self.features[name]
            journal.add_state(name, feature.settings() if hasattr(feature, "settings") else feature.snapshot())

    def _soon(self) -> None:
        if self._flushing is None:  # in the turn after the next: then a delivery that ends now is struck out, too
            loop = asyncio.get_running_loop()
            self._flushing = loop.call_soon(loop.call_soon, self._flush)

    def _flush(self) -> None:
        """Write what happened without a call; while somebody else is writing, that one writes this too."""
        self._flushing = None
        if self._journal is None or self._lock.locked():
            return
        self._record_touched(self._journal)
        try:
            self._journal.append()
        except OSError as error:
            self._tell(error)

    def _tell(self, error: object) -> None:
        self._emit("not kept", why=error, file=self._journal.path if self._journal else "")

    async def _keep_for_nobody(self) -> None:
        try:
            await self.kept()
        except AwsError as error:
            self._tell(error.message)

    async def _sweep(self, journal: Journal) -> None:
        """Find changes that nobody told of: deliveries that ended, credentials that were handed out."""
        seen = self._activity()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            idle = seen == self._activity() and not self._log_streams
            if not idle:
                seen = self._activity()
                self._collect_logs()
                self._touched.update(self.features)
                await self._keep_for_nobody()
            if journal.has_outgrown(TOO_LARGE, 8) or (idle and journal.has_outgrown(LARGE, 4)):
                await self._compact(journal)

    # --- A new beginning, and the end ---------------------------------------------------------------------------------

    async def _compact(self, journal: Journal) -> None:
        """Begin the journal anew; if that fails, whatever the reason, the old one goes on."""
        try:
            await self._begin_anew(journal)
        except Exception as error:
            self._tell(error)

    async def _begin_anew(self, journal: Journal) -> None:
        """Write a snapshot of everything in the place of the journal. What has changed meanwhile comes behind it."""
        async with self._lock:
            try:
                of_moto = await self._moto.everything()
                states = ((name, feature.snapshot()) for name, feature in self.features.items())
                journal.begin_anew(self.state_id, states, of_moto)
            except Exception:
                self._moto.doubt()  # what it has told of stands in no journal
                raise

    async def forget(self) -> None:
        """Drop what was restored of moto's state, and write no more."""
        await self._end_journal()
        await self._moto.reset()

    async def close(self) -> None:
        """Keep everything as it is now, and write no more."""
        journal = self._journal
        if journal is None:
            return
        self._collect_logs()
        self._touched.update(self.features)
        await self._keep_for_nobody()
        if journal.waits or self._moto.uncollected or journal.has_outgrown(SMALL, 1):
            await self._compact(journal)
        await self._end_journal()
        self._closed = True

    async def _end_journal(self) -> None:
        async with self._lock:  # who is writing ends first
            if self._sweeping:
                self._sweeping.cancel()
            if self._journal:
                self._journal.close()
                self._journal = None
