"""Records of the journal: the states of features, and values too large to be written with each of these."""

from __future__ import annotations

import hashlib
import io
import pickle
from typing import Any

LARGE = 2**16
Record = tuple[Any, ...]


def packed(record: Record) -> bytes:
    """Return a record as bytes."""
    return pickle.dumps(record, 5)


class Writer:
    """Makes records of states that changed; *large* holds the large values that the journal has already."""

    def __init__(self) -> None:
        self.large: dict[str, bytes] = {}
        self._hashes: dict[int, tuple[bytes, str]] = {}
        self._digests: dict[str, bytes] = {}

    def changed(self, feature: str, state: Any) -> list[bytes]:
        """Return the record of a feature's state, behind its new large values; nothing if it is as it was."""
        buffer = io.BytesIO()
        pickler = _Pickler(buffer, self)
        pickler.dump(state)
        data = buffer.getvalue()
        digest = hashlib.sha256(data).digest()
        if self._digests.get(feature) == digest:
            return []
        self._digests[feature] = digest
        return [*pickler.new, packed(("state", feature, data))]

    def key_of(self, value: bytes) -> str:
        """Return the hash of a value; the same one is asked for again and again."""
        known = self._hashes.get(id(value))
        if known is None:
            known = self._hashes[id(value)] = (value, hashlib.sha256(value).hexdigest())
        return known[1]


class _Pickler(pickle.Pickler):
    """Writes a large value, such as the code of a function, only once: elsewhere stands its hash."""

    def __init__(self, file: io.BytesIO, writer: Writer) -> None:
        super().__init__(file, 5)
        self._writer = writer
        self.new: list[bytes] = []

    def persistent_id(self, one: Any) -> str | None:
        if type(one) is not bytes or len(one) < LARGE:
            return None
        key = self._writer.key_of(one)
        if key not in self._writer.large:
            self._writer.large[key] = one
            self.new.append(packed(("large", key, one)))
        return key


class Unpickler(pickle.Unpickler):
    """Reads a state; *large* are the large values that stood before it."""

    def __init__(self, data: bytes, large: dict[str, bytes]) -> None:
        super().__init__(io.BytesIO(data))
        self._large = large

    def persistent_load(self, key: str) -> bytes:
        """Return the value that a hash stands for."""
        return self._large[key]
