"""What makes a queue FIFO: sequence numbers, five minutes without duplicates, receives that may be asked again.

The order within each message group is kept by its waiting line, see ``waiting_lines.py``.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

from __future__ import annotations

import heapq
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from labkit.local.sqs.message import Message
from labkit.local.sqs.queue import Queue
from labkit.local.sqs.waiting_lines import Groups

DEDUPLICATION_SECONDS = 300
FIRST_NUMBER = 18_850_000_000_000_000_000
FIFO_DEFAULTS = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}


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
        delayed = [message for message in self.messages() if message.delayed]
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
