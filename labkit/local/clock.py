"""Time in the local cloud."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # fromtimestamp() of Windows knows nothing before


class Clock:
    """The time, and how long the waits that AWS fixes last here.

    Waits that a learner sets (visibility timeout, batching window) are real; only AWS's own are scaled.
    """

    def __init__(self, time_scale: float = 60.0) -> None:
        self.time_scale = time_scale

    def now(self) -> float:
        """Return epoch seconds."""
        return time.time()

    def scaled(self, seconds: float) -> float:
        """Return how long a wait lasts that AWS fixes at *seconds*."""
        return seconds / self.time_scale


def iso(epoch: float) -> str:
    """Return a time (epoch seconds) as ``2026-01-15T10:30:00Z``."""
    return f"{EPOCH + timedelta(seconds=epoch):%Y-%m-%dT%H:%M:%SZ}"


def iso_milliseconds(epoch: float, zone: str = "Z") -> str:
    """Return a time (epoch seconds) as ``2026-01-15T10:30:00.000Z``; some services write *zone* as ``+0000``."""
    return f"{EPOCH + timedelta(seconds=epoch):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + zone
