"""Time in the local cloud."""

from __future__ import annotations

import time


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
