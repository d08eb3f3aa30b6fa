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
    """Makes records of states that changed; *large* are the hashes of the large values that the journal has already."""

    def __init__(self) -> None:
        self.large: set[str] = set()
        self._hashes: dict[str, dict[int, tuple[bytes, str]]] = {}
        self._digests: dict[str, bytes] = {}

    def changed(self, feature: str, state: Any) -> list[bytes]:
        """Return the record of a feature's state, behind its new large values; nothing if it is as it was."""
        buffer = io.BytesIO()
        pickler = _Pickler(buffer, self.large, self._hashes.get(feature, {}))
        pickler.dump(state)
        self._hashes[feature] = pickler.hashes
        data = buffer.getvalue()
        digest = hashlib.sha256(data).digest()
        if self._digests.get(feature) == digest:
            return []
        self._digests[feature] = digest
        return [*pickler.new, packed(("state", feature, data))]


class _Pickler(pickle.Pickler):
    """Writes a large value, such as the code of a function, only once: elsewhere stands its hash.

    *known* are the hashes that were computed the last time, by the identity of the value, with the value.
    """

    def __init__(self, file: io.BytesIO, large: set[str], known: dict[int, tuple[bytes, str]]) -> None:
        super().__init__(file, 5)
        self._large, self._known = large, known
        self.hashes: dict[int, tuple[bytes, str]] = {}
        self.new: list[bytes] = []

    def persistent_id(self, one: Any) -> str | None:
        if type(one) is not bytes or len(one) < LARGE:
            return None
        known = self._known.get(id(one))
        key = known[1] if known else hashlib.sha256(one).hexdigest()
        self.hashes[id(one)] = (one, key)
        if key not in self._large:
            self._large.add(key)
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
