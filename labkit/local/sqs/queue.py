"""One standard queue: what waits, what is invisible, and who waits for a message.

Every operation costs the same whatever the backlog: waiting messages stand in a deque, invisible and delayed ones
in a heap by the time they come back, and messages in flight are found by their receipt handle.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
}


@dataclass(slots=True, eq=False)
class Message:
    """A message; times are epoch seconds. *source* is the queue it came to this DLQ from."""

    message_id: str
    body: str
    md5_of_body: str
    message_attributes: dict[str, Any]
    md5_of_attributes: str
    sender_id: str
    sent_at: float
    receive_count: int = 0
    first_received_at: float = 0.0
    receipt_handle: str = ""
    due_at: float = 0.0
    delayed: bool = False
    deleted: bool = False
    source: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        """The system attributes, as strings."""
        return {
            "ApproximateReceiveCount": str(self.receive_count),
            "SentTimestamp": str(int(self.sent_at * 1000)),
            "SenderId": self.sender_id,
            "ApproximateFirstReceiveTimestamp": str(int(self.first_received_at * 1000)),
        }


@dataclass(slots=True)
class Queue:
    """A queue and its attributes (strings, as the API has them)."""

    name: str
    arn: str
    created_at: float
    attributes: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    modified_at: float = 0.0
    purged_at: float = float("-inf")
    waiting: deque[Message] = field(default_factory=deque)
    later: list[tuple[float, int, Message]] = field(default_factory=list)
    in_flight: dict[str, Message] = field(default_factory=dict)
    came_back: dict[str, Message] = field(default_factory=dict)
    delayed: int = 0
    receivers: deque[asyncio.Future[None]] = field(default_factory=deque)
    order: itertools.count[int] = field(default_factory=itertools.count)

    def number(self, attribute: str) -> float:
        """Return a numeric attribute, or its default."""
        return float(self.attributes.get(attribute, DEFAULTS[attribute]))

    def add(self, message: Message, now: float, delay: float) -> None:
        """Put a message on the queue; it can be received after *delay* seconds."""
        if delay > 0:
            message.due_at, message.delayed = now + delay, True
            self.delayed += 1
            heapq.heappush(self.later, (message.due_at, next(self.order), message))
        else:
            self.waiting.append(message)
        self.wake()

    def take(self, now: float, most: int, visibility: float, over_limit: Callable[[Message], bool]) -> list[Message]:
        """Return up to *most* messages and make them invisible for *visibility* seconds.

        Args:
            now: Epoch seconds.
            most: The largest number of messages.
            visibility: Seconds until an undeleted message comes back.
            over_limit: Called with a message that was received before; true moves it away (to the DLQ).
        """
        self.bring_back(now)
        oldest = now - self.number("MessageRetentionPeriod")
        taken: list[Message] = []
        while self.waiting and len(taken) < most:
            message = self.pop()
            if message.deleted or message.sent_at < oldest or (message.receive_count and over_limit(message)):
                continue
            message.receive_count += 1
            message.first_received_at = message.first_received_at or now
            message.receipt_handle = uuid.uuid4().hex + uuid.uuid4().hex
            self.in_flight[message.receipt_handle] = message
            self._hide(message, now + visibility)
            taken.append(message)
        return taken

    def pop(self) -> Message:
        """Take the first waiting message off the queue; the handle it was last received under becomes worthless."""
        message = self.waiting.popleft()
        self.came_back.pop(message.receipt_handle, None)
        return message

    def bring_back(self, now: float) -> None:
        """Make everything visible whose time has come."""
        while self.later and self.later[0][0] <= now:
            due_at, _, message = heapq.heappop(self.later)
            if message.deleted or message.due_at != due_at:
                continue  # deleted meanwhile, or its visibility was changed
            message.due_at = 0.0
            if message.delayed:
                message.delayed = False
                self.delayed -= 1
            else:
                self.in_flight.pop(message.receipt_handle, None)
                self.came_back[message.receipt_handle] = message
            self.waiting.append(message)

    def delete(self, receipt_handle: str, now: float) -> bool:
        """Delete the message last received under *receipt_handle*, in flight or back; older handles do nothing."""
        self.bring_back(now)
        message = self.in_flight.pop(receipt_handle, None)
        if message is None:
            message = self.came_back.pop(receipt_handle, None)
            if message is None:
                return False
            self.waiting.remove(message)
        message.deleted = True
        return True

    def change_visibility(self, receipt_handle: str, now: float, seconds: float) -> bool:
        """Let the message in flight come back after *seconds* from now."""
        message = self.in_flight.get(receipt_handle)
        if message is None:
            return False
        self._hide(message, now + seconds)
        self.wake()
        return True

    def _hide(self, message: Message, due_at: float) -> None:
        message.due_at = due_at
        heapq.heappush(self.later, (due_at, next(self.order), message))

    def purge(self) -> None:
        """Delete everything."""
        for message in [*self.waiting, *(entry[2] for entry in self.later)]:
            message.deleted = True
        self.waiting.clear()
        self.later.clear()
        self.in_flight.clear()
        self.came_back.clear()
        self.delayed = 0

    def messages(self) -> list[Message]:
        """Return every message once: those that wait, in order, then the invisible and delayed ones by their time."""
        timed = [entry for entry in self.later if not entry[2].deleted and entry[2].due_at == entry[0]]
        later = {id(message): message for _, _, message in sorted(timed, key=lambda entry: entry[:2])}
        return [*(message for message in self.waiting if not message.deleted), *later.values()]

    def put_back(self, message: Message) -> None:
        """Take over a message that :meth:`messages` of an earlier process returned."""
        if not message.due_at:
            self.waiting.append(message)
            if message.receive_count:
                self.came_back[message.receipt_handle] = message
            return
        self.delayed += message.delayed
        if not message.delayed:
            self.in_flight[message.receipt_handle] = message
        heapq.heappush(self.later, (message.due_at, next(self.order), message))

    def depths(self, now: float) -> dict[str, int]:
        """Count the messages: visible, in flight, delayed."""
        self.bring_back(now)
        return {"visible": len(self.waiting), "in_flight": len(self.in_flight), "delayed": self.delayed}

    def wake(self) -> None:
        """Let one waiting receiver look again."""
        while self.receivers:
            receiver = self.receivers.popleft()
            if not receiver.done():
                receiver.set_result(None)
                return

    async def wait(self, now: float, seconds: float) -> None:
        """Sleep until a message may be there, at the latest after *seconds*; nothing runs meanwhile."""
        if self.later:
            seconds = min(seconds, max(0.0, self.later[0][0] - now))
        receiver: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.receivers.append(receiver)
        try:
            await asyncio.wait_for(receiver, seconds + 0.001)
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            if receiver.done() and not receiver.cancelled():
                self.wake()  # the message this receiver was woken for belongs to the next one
            raise
        finally:
            if not receiver.done() or receiver.cancelled():
                try:
                    self.receivers.remove(receiver)
                except ValueError:
                    pass
