"""One queue: what waits, what is invisible, and who waits for a message.

Sending, receiving and deleting cost the same whatever the backlog: waiting messages stand in a line, invisible and
delayed ones in a heap by the time they come back, and messages in flight are found by the first half of their receipt
handle. Only what comes late, after the visibility timeout, is looked for in the line.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
"""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from labkit.local.sqs.message import Message
from labkit.local.sqs.receivers import Receivers
from labkit.local.sqs.waiting_lines import Line

DEFAULTS = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
}
CHANGED_BY_A_RECEIVE = ("receive_count", "first_received_at", "received_at", "receipt_handle", "due_at")


def note_nothing(*change: Any) -> None:
    """Keep no change of a queue."""


@dataclass(slots=True)
class Queue:
    """A queue and its attributes (strings, as the API has them); *note* is told of each change of its messages."""

    fifo: ClassVar[bool] = False

    name: str
    arn: str
    created_at: float
    attributes: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    modified_at: float = 0.0
    purged_at: float = float("-inf")
    waiting: Line = field(default_factory=Line)
    later: list[tuple[float, int, Message]] = field(default_factory=list)
    in_flight: dict[str, Message] = field(default_factory=dict)
    came_back: dict[str, Message] = field(default_factory=dict)
    delayed: int = 0
    oldest_at: float = float("inf")
    receivers: Receivers = field(default_factory=Receivers)
    order: itertools.count[int] = field(default_factory=itertools.count)
    note: Callable[..., None] = note_nothing

    def number(self, attribute: str) -> float:
        """Return a numeric attribute, or its default."""
        return float(self.attributes.get(attribute, DEFAULTS[attribute]))

    def add(self, message: Message, now: float, delay: float) -> None:
        """Put a message on the queue; it can be received after *delay* seconds."""
        self.oldest_at = min(self.oldest_at, message.sent_at)
        if delay > 0:
            message.due_at, message.delayed = now + delay, True
            self.delayed += 1
            heapq.heappush(self.later, (message.due_at, next(self.order), message))
        else:
            self.waiting.append(message)
        self.note("put", self.arn, message.kept())
        self.receivers.wake()

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
        while self.waiting.ready and len(taken) < most:
            message = self.pop()
            if message.deleted or message.sent_at < oldest:
                continue
            if message.receive_count and over_limit(message):
                self.note("drop", self.arn, message.message_id)
                continue
            message.receive_count += 1
            message.received_at, message.first_received_at = now, message.first_received_at or now
            message.receipt_handle = message.message_id.replace("-", "") + uuid.uuid4().hex
            taken.append(message)
        for message in taken:
            self.hide(message, now + visibility)
        if taken:
            self.note_hidden(taken)
        return taken

    def pop(self) -> Message:
        """Take the next waiting message off the queue; the handle it was last received under becomes worthless."""
        message = self.waiting.take()
        self.came_back.pop(message.key, None)
        return message

    def hide(self, message: Message, due_at: float) -> None:
        """Let a message be in flight until *due_at*."""
        message.due_at = due_at
        self.in_flight[message.key] = message
        self.waiting.hide(message)
        heapq.heappush(self.later, (due_at, next(self.order), message))

    def note_hidden(self, messages: list[Message]) -> None:
        """Tell until when messages cannot be seen, and who received them."""
        self.note(
            "hide",
            self.arn,
            [(m.message_id, *(getattr(m, name) for name in CHANGED_BY_A_RECEIVE)) for m in messages],
        )

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
                self.in_flight.pop(message.key, None)
                self.came_back[message.key] = message
            self.waiting.append(message)

    def delete(self, receipt_handle: str, now: float) -> bool:
        """Delete the message last received under *receipt_handle*; older handles do nothing.

        In a standard queue the handle is good when the message is back, too, until somebody receives it again.
        """
        self.bring_back(now)
        key = receipt_handle[:32]
        message = self.in_flight.get(key) or (None if self.fifo else self.came_back.get(key))
        if message is None or message.receipt_handle != receipt_handle:
            return False
        message.deleted = True
        self.note("drop", self.arn, message.message_id)
        if self.in_flight.pop(key, None):
            self.waiting.release(message)
            if self.fifo:
                self.receivers.wake()  # the next message of its group
        else:
            del self.came_back[key]
            self.waiting.remove(message)
        return True

    def is_late(self, receipt_handle: str) -> bool:
        """Whether a message is still there, but not in flight under this handle any more."""
        message = self.in_flight.get(receipt_handle[:32])
        return message.receipt_handle != receipt_handle if message else receipt_handle[:32] in self.came_back

    def change_visibility(self, receipt_handle: str, now: float, seconds: float) -> bool:
        """Let the message come back after *seconds* from now.

        In a standard queue an older handle will do, and a message that is back is hidden again.
        """
        self.bring_back(now)
        key = receipt_handle[:32]
        message = self.in_flight.get(key)
        if self.fifo and message and message.receipt_handle != receipt_handle:
            return False
        if message is None:
            message = None if self.fifo else self.came_back.pop(key, None)
            if message is None:
                return False
            self.waiting.remove(message)
        self.hide(message, now + seconds)
        self.note_hidden([message])
        self.receivers.wake()
        return True

    def purge(self) -> None:
        """Delete everything."""
        for message in [*self.waiting, *(entry[2] for entry in self.later)]:
            message.deleted = True
        self.waiting.clear()
        self.later.clear()
        self.in_flight.clear()
        self.came_back.clear()
        self.delayed = 0
        self.note("clear", self.arn)

    def messages(self) -> list[Message]:
        """Return every message once: those that wait, in order, then the invisible and delayed ones by their time."""
        timed = [entry for entry in self.later if not entry[2].deleted and entry[2].due_at == entry[0]]
        later = {id(message): message for _, _, message in sorted(timed, key=lambda entry: entry[:2])}
        return [*(message for message in self.waiting if not message.deleted), *later.values()]

    def put_back(self, message: Message) -> None:
        """Take over a message that :meth:`messages` of an earlier process returned."""
        self.oldest_at = min(self.oldest_at, message.sent_at)
        if not message.due_at:
            self.waiting.append(message)
            if message.receive_count:
                self.came_back[message.key] = message
        elif message.delayed:
            self.delayed += 1
            heapq.heappush(self.later, (message.due_at, next(self.order), message))
        else:
            self.hide(message, message.due_at)

    def oldest(self) -> Message | None:
        """Return the oldest message that is not deleted."""
        received = [*self.in_flight.values(), *self.came_back.values()]
        return min((*self.waiting.heads(), *received), key=lambda message: message.here_since, default=None)

    def _expire(self, oldest: float) -> None:
        self.waiting.drop_older(oldest)
        self.came_back = {key: message for key, message in self.came_back.items() if not message.deleted}
        self.oldest_at = min((message.sent_at for message in self.messages()), default=float("inf"))

    def depths(self, now: float) -> dict[str, int]:
        """Count the messages: visible, in flight, delayed."""
        self.bring_back(now)
        if self.oldest_at < now - self.number("MessageRetentionPeriod"):
            self._expire(now - self.number("MessageRetentionPeriod"))
        return {"visible": len(self.waiting), "in_flight": len(self.in_flight), "delayed": self.delayed}

    async def wait(self, now: float, seconds: float) -> None:
        """Sleep until a message may be there, at the latest after *seconds*."""
        if self.later:
            seconds = min(seconds, max(0.0, self.later[0][0] - now))
        await self.receivers.wait(seconds + 0.001)
