"""How messages that can be received wait: in a line on a standard queue, in message groups on a FIFO queue.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from labkit.local.sqs.message import Message


class Line(deque[Message]):
    """The waiting line of a standard queue: whoever comes stands behind the last."""

    @property
    def ready(self) -> bool:
        """Whether a message can be received now."""
        return bool(self)

    def first(self) -> Message | None:
        """Return the message that is next."""
        return self[0] if self else None

    def take(self) -> Message:
        """Take the next message out."""
        return self.popleft()

    def heads(self) -> list[Message]:
        """Return the message that has waited longest."""
        return [self[0]] if self else []

    def drop_older(self, oldest: float) -> None:
        """Forget what is older than the retention period."""
        kept = []
        for message in self:
            message.deleted = message.deleted or message.sent_at < oldest
            if not message.deleted:
                kept.append(message)
        self.clear()
        self.extend(kept)

    def hide(self, message: Message) -> None:
        """Nobody need wait for a message in flight."""

    def release(self, message: Message) -> None:
        """Nobody waited for it."""


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

    def take(self) -> Message:
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
