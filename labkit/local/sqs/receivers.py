"""Who waits for a message of a queue: the long polls, the one that has waited longest first.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
"""

from __future__ import annotations

import asyncio


class Receivers:
    """The long polls of one queue.

    They are woken one at a time, and whoever is done wakes the next: there may be another message, or one that is
    hidden for now and for whose return somebody must wait.
    """

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], None] = {}  # in the place of a set that keeps the order

    def wake(self) -> None:
        """Let the first one look again."""
        if self._waiting:
            receiver = next(iter(self._waiting))
            del self._waiting[receiver]
            receiver.set_result(None)

    def wake_all(self) -> None:
        """Let all look again: the queue is gone."""
        while self._waiting:
            self.wake()

    async def wait(self, seconds: float) -> None:
        """Sleep until woken, at the latest after *seconds*; nothing runs meanwhile."""
        receiver = asyncio.get_running_loop().create_future()
        self._waiting[receiver] = None
        try:
            await asyncio.wait({receiver}, timeout=seconds)
        except asyncio.CancelledError:
            self._waiting.pop(receiver, None)
            self.wake()
            raise
        self._waiting.pop(receiver, None)
