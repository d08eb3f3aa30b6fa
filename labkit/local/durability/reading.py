"""What the journal says at the start, record by record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labkit.local.durability.records import Record, Unpickler


@dataclass(slots=True)
class Reading:
    """Records in their order; *of_features* are ``(feature, "state", state)`` and ``(feature, "change", change)``."""

    state_id: str = ""
    large: dict[str, bytes] = field(default_factory=dict)
    of_features: list[tuple[Any, ...]] = field(default_factory=list)
    of_moto: list[Record] = field(default_factory=list)

    def add(self, kind: str, *rest: Any) -> None:
        """Add a record."""
        if kind == "began":
            [self.state_id] = rest
        elif kind == "large":
            self.large[rest[0]] = rest[1]
        elif kind == "state":
            self.of_features.append((rest[0], "state", Unpickler(rest[1], self.large).load()))
        elif kind == "change":
            self.of_features.append((rest[0], "change", rest[1]))
        elif kind != "snapshot ends":
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
