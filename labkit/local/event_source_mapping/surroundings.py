"""What the pollers of all mappings need of the local cloud."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from labkit.local.clock import Clock


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Callables of other parts; *note* keeps the position of a lane, or that the ``"settings"`` of mappings changed."""

    invoke: Callable[[str, bytes], Awaitable[Any]]
    configuration: Callable[[str], dict[str, Any]]
    role_can: Callable[[str, str, str], Awaitable[bool]]
    deliver: Callable[[str, str], Awaitable[None]]
    note: Callable[..., None]
    iterator_age: Callable[[str, float], None]
    clock: Clock
    emit: Callable[..., None]
