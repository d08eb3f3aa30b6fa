"""What is to be written to the journal: it waits here until the file has it, and at times the file begins anew."""

from __future__ import annotations

import asyncio
import gc
import pickle
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.durability.journal_file import JournalFile, Unreadable
from labkit.local.durability.reading import Reading
from labkit.local.durability.records import Record, Writer, packed

ROOM_SECONDS = 5.0


class Journal:
    """Records on their way into *file*."""

    def __init__(self, file: JournalFile) -> None:
        self._file = file
        self._writer = Writer()
        self._waiting: list[bytes] = []
        self._snapshot_size = 0
        self._full = False

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._file.path

    @property
    def waits(self) -> bool:
        """Whether records wait to be written."""
        return bool(self._waiting)

    async def read(self, go_on: Callable[[Reading], Awaitable[None]]) -> Reading | None:
        """Let *go_on* make what it will of what the file holds, and return that; ``None`` when it is empty.

        Raises:
            Unreadable: The file is damaged, of another format, or *go_on* failed.
        """
        gc.disable()  # it would look again and again at a hundred thousand new objects, none of which is garbage
        try:
            records = self._file.read()
            if not records:
                return None
            found, size = Reading(), 0
            for record in records:
                kind, *rest = pickle.loads(record)  # noqa: S301  see journal_file
                found.add(kind, *rest)
                size += len(record)
                if kind == "snapshot ends":
                    self._snapshot_size = size
            self._writer.large = set(found.large)
            await go_on(found)
        except Unreadable:
            raise
        except Exception as error:  # what cannot be unpickled or restored raises whatever it likes
            raise Unreadable(f"the local cloud cannot go on from it ({type(error).__name__}: {error})") from error
        finally:
            gc.enable()
        gc.freeze()
        return found

    def add(self, *records: Record) -> None:
        """Add records to those that wait."""
        self._waiting += map(packed, records)

    def add_state(self, feature: str, state: Any) -> None:
        """Add the state of a feature, if it is another one than before."""
        self._waiting += self._writer.changed(feature, state)

    def append(self) -> None:
        """Write what waits; it goes on waiting if it cannot be written.

        Raises:
            OSError: The disk is full, or the file cannot be written.
        """
        if self._waiting:
            self._file.append(self._waiting)
            self._waiting, self._full = [], False

    async def append_when_there_is_room(self) -> None:
        """Write what waits, after a while if need be: an answer is held back while the disk is full, but not for ever.

        Raises:
            AwsError: ``ServiceUnavailable``.
        """
        deadline = time.monotonic() + (0 if self._full else ROOM_SECONDS)
        while True:
            try:
                return self.append()
            except OSError as error:
                if time.monotonic() < deadline:
                    await asyncio.sleep(0.05)
                    continue
                self._full = True
                raise AwsError(
                    "ServiceUnavailable",
                    f"The local cloud did what was asked, and cannot keep it: {error.strerror} ({self.path}). Make "
                    "room: it is kept with the next call that succeeds, and lost if the local cloud ends before that.",
                    503,
                ) from error

    def has_outgrown(self, least: int, times: int) -> bool:
        """Whether what follows the snapshot is larger than *least* bytes, and than *times* the snapshot."""
        return self._file.size - self._snapshot_size > max(least, times * self._snapshot_size)

    def begin_anew(self, state_id: str, states: Iterable[tuple[str, Any]], of_moto: Iterable[Record]) -> None:
        """Begin the file anew with a snapshot: the *states* of features by name, and what there is *of_moto*.

        Raises:
            OSError: It cannot be written; then the old file goes on.
        """
        writer = Writer()

        def snapshot() -> Iterator[bytes]:
            yield packed(("began", state_id))
            for feature, state in states:
                yield from writer.changed(feature, state)
            yield from map(packed, of_moto)
            yield packed(("snapshot ends",))

        self._file.replace(snapshot())
        self._writer, self._waiting, self._snapshot_size = writer, [], self._file.size

    def close(self) -> None:
        """Write no more."""
        self._file.close()
