"""What makes a queue FIFO: order within each message group, five minutes without duplicates, receives asked again.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

from __future__ import annotations

import heapq
import itertools
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from labkit.local.sqs.message import Message
from labkit.local.sqs.queue import Queue

DEDUPLICATION_SECONDS = 300
FIRST_NUMBER = 18_850_000_000_000_000_000
FIFO_DEFAULTS = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}


@dataclass(slots=True)
class Group:
    """The messages of one group: those that can be seen, in order, and the numbers of those in flight."""

    visible: deque[Message] = field(default_factory=deque)
    in_flight: set[int] = field(default_factory=set)

    @property
    def open(self) -> bool:
        """Whether its first message can be received: nothing before it is in flight."""
        return bool(self.visible) and (not self.in_flight or self.visible[0].sequence_number < min(self.in_flight))


class Groups:
    """The waiting line of a FIFO queue: groups take turns, and each hands out its messages in order.

    A receive takes of one group as much as it can before it turns to the next. A group is closed behind its first
    message in flight, so that nobody can overtake it.
    """

    def __init__(self) -> None:
        self.by_id: dict[str, Group] = {}
        self._turns: OrderedDict[str, Group] = OrderedDict()
        self._never_received: dict[int, Message] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Message]:
        messages = (message for group in self.by_id.values() for message in group.visible)
        return iter(sorted(messages, key=lambda message: message.sequence_number))

    @property
    def ready(self) -> bool:
        """Whether a message can be received now."""
        return bool(self._turns)

    def heads(self) -> list[Message]:
        """Return the message that has waited longest and was never received."""
        return list(itertools.islice(self._never_received.values(), 1))

    def append(self, message: Message) -> None:
        """Let a message wait that is new, or that nobody deleted in time: it goes where it was before."""
        group = self.by_id.setdefault(message.group_id, Group())
        before = 0
        if group.visible and message.sequence_number < group.visible[-1].sequence_number:
            while group.visible[before].sequence_number < message.sequence_number:
                before += 1
            group.visible.insert(before, message)
        else:
            group.visible.append(message)
        self._count += 1
        if not message.receive_count:
            self._never_received[message.sequence_number] = message
        self.release(message)

    def first(self) -> Message | None:
        """Return the message that is next."""
        return next(iter(self._turns.values())).visible[0] if self._turns else None

    def pop(self) -> Message:
        """Take the next message out."""
        group_id, group = next(iter(self._turns.items()))
        message = self._leave(group)
        self._take_turn(group_id, group)
        return message

    def _leave(self, group: Group) -> Message:
        message = group.visible.popleft()
        self._never_received.pop(message.sequence_number, None)
        self._count -= 1
        return message

    def hide(self, message: Message) -> None:
        """Close the group of a message behind it: it is in flight."""
        group = self.by_id.setdefault(message.group_id, Group())
        group.in_flight.add(message.sequence_number)
        self._take_turn(message.group_id, group)

    def release(self, message: Message) -> None:
        """Open the group of a message that is not in flight any more."""
        group = self.by_id.get(message.group_id)
        if group:
            group.in_flight.discard(message.sequence_number)
            self._take_turn(message.group_id, group)

    def _take_turn(self, group_id: str, group: Group) -> None:
        if group.open:
            self._turns.setdefault(group_id, group)
            return
        self._turns.pop(group_id, None)
        if not group.visible and not group.in_flight:
            self.by_id.pop(group_id, None)

    def drop_older(self, oldest: float) -> None:
        """Forget what is older than the retention period."""
        for group_id, group in list(self.by_id.items()):
            while group.visible and group.visible[0].sent_at < oldest:
                self._leave(group).deleted = True
            self._take_turn(group_id, group)

    def clear(self) -> None:
        """Forget everything."""
        self.by_id.clear()
        self._turns.clear()
        self._never_received.clear()
        self._count = 0


@dataclass(slots=True)
class Sent:
    """A message that was sent under a deduplication id; a second one until *until* is not kept."""

    message_id: str
    sequence_number: int
    until: float


@dataclass(slots=True)
class FifoQueue(Queue):
    """A FIFO queue. *sent* knows the deduplication ids of five minutes, *attempts* who received what."""

    fifo: ClassVar[bool] = True

    waiting: Groups = field(default_factory=Groups)  # type: ignore[assignment]  # the same methods as a Line
    sent: dict[str, Sent] = field(default_factory=dict)
    attempts: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_number: int = FIRST_NUMBER

    def add(self, message: Message, now: float, delay: float) -> None:
        """Put a message on the queue under the next sequence number."""
        self.last_number += 1
        message.sequence_number = self.last_number
        super(FifoQueue, self).add(message, now, delay)

    def duplicate_of(self, scope: str, now: float) -> Sent | None:
        """Return what was sent under the deduplication id *scope* in the last five minutes."""
        while self.sent and next(iter(self.sent.values())).until <= now:
            del self.sent[next(iter(self.sent))]
        return self.sent.get(scope)

    def remember(self, scope: str, message: Message, now: float) -> None:
        """Know the deduplication id of a message for five minutes, whatever becomes of the message."""
        sent = self.sent[scope] = Sent(message.message_id, message.sequence_number, now + DEDUPLICATION_SECONDS)
        self.note("sent", self.arn, scope, asdict(sent))

    def scope_of(self, group_id: str, deduplication_id: str) -> str:
        """Return within what a deduplication id is looked for: the queue, or one message group."""
        by_group = self.attributes.get("DeduplicationScope") == "messageGroup"
        return f"{group_id} {deduplication_id}" if by_group else deduplication_id

    def received_before(self, attempt_id: str, now: float, visibility: float) -> list[Message] | None:
        """Return what a receive got under *attempt_id*, hidden anew, or ``None`` if it may not be asked again.

        It may for five minutes, while none of its messages was deleted, came back or had its visibility changed.
        """
        self.bring_back(now)
        while self.attempts and next(iter(self.attempts.values()))["until"] <= now:
            del self.attempts[next(iter(self.attempts))]
        attempt = self.attempts.get(attempt_id)
        if attempt is None:
            return None
        messages = [self.in_flight.get(handle[:32]) for handle in attempt["due_at"]]
        same = [
            message
            for message, (handle, due_at) in zip(messages, attempt["due_at"].items(), strict=True)
            if message and message.receipt_handle == handle and message.due_at == due_at
        ]
        if len(same) < len(messages):
            del self.attempts[attempt_id]
            return None
        for message in same:
            self.hide(message, now + visibility)
        self.note_hidden(same)
        self._keep_attempt(attempt_id, same, attempt["until"])
        return same

    def remember_attempt(self, attempt_id: str, messages: list[Message], now: float) -> None:
        """Know for five minutes what a receive got."""
        self._keep_attempt(attempt_id, messages, now + DEDUPLICATION_SECONDS)

    def _keep_attempt(self, attempt_id: str, messages: list[Message], until: float) -> None:
        due_at = {message.receipt_handle: message.due_at for message in messages}
        self.attempts[attempt_id] = {"due_at": due_at, "until": until}
        self.note("attempts", self.arn, attempt_id, {"due_at": due_at, "until": until})

    def delay_all(self, delay: float) -> None:
        """Give the delayed messages another delay: on a FIFO queue a change concerns them too."""
        delayed = [message for _, _, message in self.later if message.delayed and not message.deleted]
        for message in sorted(delayed, key=lambda message: message.sequence_number):
            message.due_at = message.sent_at + delay
            heapq.heappush(self.later, (message.due_at, next(self.order), message))
        self.note_hidden(delayed)
        self.receivers.wake()

    def purge(self) -> None:
        """Delete everything, what is known of duplicates too."""
        super(FifoQueue, self).purge()
        self.sent.clear()
        self.attempts.clear()
