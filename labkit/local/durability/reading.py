"""Reading the journal at the start."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labkit.local.durability.journal_file import JournalFile, Unreadable
from labkit.local.durability.records import Record, Unpickler


@dataclass(slots=True)
class Reading:
    """What the journal holds: the bytes of its snapshot and of its tail, and the records in their order.

    *of_features* are ``(feature, "state", state)`` and ``(feature, "change", change)``.
    """

    snapshot_size: int = 0
    tail_size: int = 0
    state_id: str = ""
    large: dict[str, bytes] = field(default_factory=dict)
    of_features: list[tuple[Any, ...]] = field(default_factory=list)
    of_moto: list[Record] = field(default_factory=list)

    def add(self, kind: str, *rest: Any) -> None:
        """Add a record."""
        if kind == "began":
            [self.state_id] = rest
        elif kind == "snapshot ends":
            self.snapshot_size, self.tail_size = self.tail_size, 0
        elif kind == "large":
            self.large[rest[0]] = rest[1]
        elif kind == "state":
            self.of_features.append((rest[0], "state", Unpickler(rest[1], self.large).load()))
        elif kind == "change":
            self.of_features.append((rest[0], "change", rest[1]))
        else:
            self.of_moto.append((kind, *rest))

    def states(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return the state of each feature after the last record."""
        states: dict[str, Any] = {}
        for name, kind, what in self.of_features:
            if kind == "change":
                features[name].replay(states[name], *what)
            elif name in states and hasattr(features[name], "settings"):
                states[name].update(what)
            else:
                states[name] = what
        return states


async def read(file: JournalFile, go_on: Callable[[Reading], Awaitable[None]]) -> Reading | None:
    """Read *file*, let *go_on* make what it will of it, and return it; ``None`` when it is empty.

    Raises:
        Unreadable: The file is damaged, of another format, or *go_on* failed.
    """
    gc.disable()  # it would look again and again at a hundred thousand new objects, none of which is garbage
    try:
        records = file.read()
        if not records:
            return None
        found = Reading()
        for record in records:
            found.tail_size += len(record)
            found.add(*pickle.loads(record))  # noqa: S301  see journal_file
        await go_on(found)
    except Unreadable:
        raise
    except Exception as error:  # what cannot be unpickled or restored raises whatever it likes
        raise Unreadable(f"the local cloud cannot go on from it ({type(error).__name__}: {error})") from error
    finally:
        gc.enable()
    gc.freeze()
    return found
