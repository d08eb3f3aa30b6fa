"""Durability: what the local cloud holds is written to a journal before an answer leaves, and read back at the start.

The journal begins with a snapshot of everything. Behind it stand effects, not calls, since a call would draw other ids
and times when it is made again: the new state of a feature that was changed, single changes of what changes with every
visit (:meth:`Durability.note`), and what calls changed of moto's state. See docs/decisions/0004-durability.md.
"""

from __future__ import annotations

import gc
import hashlib
import io
import pickle
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from labkit.local.durability.journal_file import JournalFile, Unreadable

LARGE = 2**16
Record = tuple[Any, ...]


class Durability:
    """Keeps *features* and moto's state in a journal; without a *file* it keeps nothing.

    A feature has ``snapshot()`` and ``restore(state)``. One of which parts change with every visit also has
    ``settings()``, a snapshot without these parts, and ``replay(state, *change)``, which does to a snapshot what a
    change did to the feature.
    """

    def __init__(self, file: JournalFile | None, *, moto: Any, emit: Callable[..., None]) -> None:
        self._file, self._moto, self._emit = file, moto, emit
        self.features: Mapping[str, Any] = {}
        self.state_id = uuid.uuid4().hex
        self._large: dict[str, bytes] = {}

    # --- Reading ------------------------------------------------------------------------------------------------------

    async def restore(self) -> bool:
        """Go on from what the journal holds; return whether it holds anything.

        Raises:
            Unreadable: It is damaged, or of another format, or a part of the local cloud cannot go on from it.
        """
        if self._file is None:
            return False
        gc.disable()  # it would look again and again at a hundred thousand new objects, none of which is garbage
        try:
            records = [pickle.loads(record) for record in self._file.read()]  # noqa: S301  see journal_file
            if not records:
                return False
            await self._go_on(records)
        except Unreadable:
            raise
        except Exception as error:  # what cannot be unpickled or restored raises whatever it likes
            raise Unreadable(f"the local cloud cannot go on from it ({type(error).__name__}: {error})") from error
        finally:
            gc.enable()
        gc.freeze()
        return True

    async def _go_on(self, records: list[Record]) -> None:
        state: dict[str, Any] = {}
        of_moto: list[Record] = []
        for kind, *rest in records:
            if kind == "began":
                [self.state_id] = rest
            elif kind == "large":
                self._large[rest[0]] = rest[1]
            elif kind == "feature":
                state[rest[0]] = _Unpickler(rest[1], self._large).load()
            else:
                of_moto.append((kind, *rest))
        await self._moto.restore(of_moto)
        for name, feature in self.features.items():
            if name in state:
                feature.restore(state[name])

    # --- Writing ------------------------------------------------------------------------------------------------------

    async def compact(self) -> None:
        """Begin the journal anew with a snapshot of everything."""
        if self._file is None:
            return
        of_moto = await self._moto.everything()
        try:
            self._file.replace(self._everything(of_moto))
        except OSError as error:
            self._emit("not kept", why=f"the snapshot could not be written to {self._file.path} ({error.strerror})")

    def _everything(self, of_moto: list[Record]) -> Iterator[bytes]:
        yield pickle.dumps(("began", self.state_id), 5)
        self._large = {}
        for name, feature in self.features.items():
            yield from self._feature(name, feature.snapshot())
        for record in of_moto:
            yield pickle.dumps(record, 5)

    def _feature(self, name: str, state: Any) -> list[bytes]:
        """Return the record of a feature, behind records of the large values in it that the journal lacks yet."""
        buffer = io.BytesIO()
        pickler = _Pickler(buffer, self._large)
        pickler.dump(state)
        large = [pickle.dumps(("large", key, value), 5) for key, value in pickler.new.items()]
        self._large |= pickler.new
        return [*large, pickle.dumps(("feature", name, buffer.getvalue()), 5)]

    async def forget(self) -> None:
        """Drop what was restored of moto's state, and write no more."""
        await self._moto.reset()
        self._file = None

    async def close(self) -> None:
        """Keep everything as it is now, and write no more."""
        await self.compact()
        if self._file is not None:
            self._file.close()
            self._file = None


class _Pickler(pickle.Pickler):
    """Writes a large value, such as the code of a function, only once: elsewhere stands its hash."""

    def __init__(self, file: io.BytesIO, large: dict[str, bytes]) -> None:
        super().__init__(file, 5)
        self._large, self.new = large, dict[str, bytes]()

    def persistent_id(self, one: Any) -> str | None:
        if type(one) is not bytes or len(one) < LARGE:
            return None
        key = hashlib.sha256(one).hexdigest()
        if key not in self._large:
            self.new[key] = one
        return key


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, large: dict[str, bytes]) -> None:
        super().__init__(io.BytesIO(data))
        self._large = large

    def persistent_load(self, key: str) -> bytes:
        return self._large[key]
