"""Messages on their way through a queue: sent, received, deleted, moved to the dead-letter queue.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.sqs.batches import each_entry
from labkit.local.sqs.errors import invalid_value, missing
from labkit.local.sqs.fifo import FifoQueue
from labkit.local.sqs.message import Message
from labkit.local.sqs.message_checks import LARGEST_BATCH, size_of
from labkit.local.sqs.new_message import as_sent, check_batch, delay_of, new_message
from labkit.local.sqs.queue import Queue
from labkit.local.sqs.queues import Queues
from labkit.local.sqs.received_message import as_received, check_receive, receipt_handle_of
from labkit.local.sqs.redrive_policy import redrive_of

MOST_IN_FLIGHT = 120_000
LONGEST_HIDDEN = 43_200

Act = Callable[[Queue, dict[str, Any]], dict[str, Any]]


class Messages:
    """What is done with messages, by calls and by the other parts of the local cloud."""

    def __init__(self, queues: Queues, *, clock: Clock, measure: Callable[[str, str, float], None]) -> None:
        self._queues, self._clock, self._measure = queues, clock, measure

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "SendMessage": self.send_message,
            "SendMessageBatch": self.send_message_batch,
            "ReceiveMessage": self.receive_message,
            "DeleteMessage": self._for_one(self._delete),
            "DeleteMessageBatch": self._for_each(self._delete),
            "ChangeMessageVisibility": self._for_one(self._change_visibility),
            "ChangeMessageVisibilityBatch": self._for_each(self._change_visibility),
        }

    def _for_one(self, act: Act) -> Callable[[ApiCall], dict[str, Any]]:
        return lambda call: act(self._queues.of(call), call.params)

    def _for_each(self, act: Act) -> Callable[[ApiCall], dict[str, Any]]:
        return lambda call: each_entry(call, functools.partial(act, self._queues.of(call)))

    def send_message(self, call: ApiCall) -> dict[str, Any]:
        """Put one message on a queue."""
        header = call.http.headers.get("x-amzn-trace-id")
        return self._send(self._queues.of(call), call.params, _sender(call), header=header)

    def _send(self, queue: Queue, entry: dict[str, Any], sender_id: str, **options: Any) -> dict[str, Any]:
        now, delay, scope = self._clock.now(), delay_of(queue, entry), ""
        message, size = new_message(queue, entry, sender_id=sender_id, now=now, **options)
        if isinstance(queue, FifoQueue):
            scope = queue.scope_of(message.group_id, message.deduplication_id)
            if known := queue.duplicate_of(scope, now):
                message.message_id, message.sequence_number = known.message_id, known.sequence_number
                self._measure(queue.arn, "NumberOfDeduplicatedSentMessages", 1.0)
                return as_sent(message, entry)
        queue.add(message, now, delay)
        if isinstance(queue, FifoQueue):
            queue.remember(scope, message, now)
        self._measure(queue.arn, "NumberOfMessagesSent", 1.0)
        self._measure(queue.arn, "SentMessageSize", float(size))
        return as_sent(message, entry)

    def send_message_batch(self, call: ApiCall) -> dict[str, Any]:
        """Put up to ten messages on a queue; each succeeds or fails by itself."""
        queue, sender = self._queues.of(call), _sender(call)
        header = call.http.headers.get("x-amzn-trace-id")

        def check(entries: list[dict[str, Any]]) -> None:
            check_batch(queue, entries)
            size = sum(
                size_of(entry.get("MessageBody") or "", entry.get("MessageAttributes") or {}) for entry in entries
            )
            if size > LARGEST_BATCH:
                raise AwsError(
                    "AWS.SimpleQueueService.BatchRequestTooLong",
                    f"Batch requests cannot be longer than {LARGEST_BATCH} bytes. You have sent {size} bytes.",
                )

        return each_entry(call, lambda entry: self._send(queue, entry, sender, header=header, one_of_many=True), check)

    async def receive_message(self, call: ApiCall) -> dict[str, Any]:
        """Receive up to ten messages, waiting for the first one as long as asked."""
        queue = self._queues.of(call)
        most, wait, visibility = check_receive(queue, call.params)
        attempt_id, messages = call.params.get("ReceiveRequestAttemptId"), None
        if attempt_id and isinstance(queue, FifoQueue):
            messages = queue.received_before(attempt_id, self._clock.now(), visibility)
        if messages is None:
            messages = await self.receive_from(
                queue.arn, max_messages=most, wait_seconds=wait, visibility_timeout=visibility
            )
            if attempt_id and messages and isinstance(queue, FifoQueue):
                queue.remember_attempt(attempt_id, messages, self._clock.now())
        return {"Messages": [as_received(message, call.params) for message in messages]} if messages else {}

    def _delete(self, queue: Queue, entry: dict[str, Any]) -> dict[str, Any]:
        handle, now = receipt_handle_of(entry), self._clock.now()
        if queue.delete(handle, now):
            self._measure(queue.arn, "NumberOfMessagesDeleted", 1.0)
        elif queue.fifo and queue.is_late(handle):
            raise invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
        return {}

    def _change_visibility(self, queue: Queue, entry: dict[str, Any]) -> dict[str, Any]:
        seconds, handle = entry.get("VisibilityTimeout"), receipt_handle_of(entry)
        if seconds is None:
            raise missing("VisibilityTimeout")
        if not 0 <= seconds <= LONGEST_HIDDEN:
            reason = f"VisibilityTimeout must be an integer between 0 and {LONGEST_HIDDEN}."
            raise invalid_value(seconds, "VisibilityTimeout", reason)
        now, message = self._clock.now(), queue.in_flight.get(handle[:32])
        if message and int(now - message.received_at) + seconds > LONGEST_HIDDEN:
            reason = f"Total VisibilityTimeout for the message is beyond the limit [{LONGEST_HIDDEN} seconds]"
            raise invalid_value(seconds, "VisibilityTimeout", reason)
        if not queue.change_visibility(handle, now, seconds):
            reason = "Message does not exist or is not available for visibility timeout change."
            raise invalid_value(handle, "ReceiptHandle", reason)
        return {}

    # --- For the other parts of the local cloud -----------------------------------------------------------------------

    async def send_to(
        self,
        queue_arn: str,
        body: str,
        *,
        message_attributes: dict[str, Any] | None = None,
        sender_id: str = "",
        group_id: str | None = None,
        deduplication_id: str | None = None,
    ) -> str:
        """Put a message on a queue as a service of AWS does, and return its id.

        Raises:
            AwsError: The queue does not exist, or does not take such a message; a FIFO queue needs *group_id* and,
                without ContentBasedDeduplication, *deduplication_id*.
        """
        entry = {"MessageBody": body, "MessageAttributes": message_attributes or {}, "MessageGroupId": group_id}
        entry["MessageDeduplicationId"] = deduplication_id
        return str(self._send(self._queues.by_arn(queue_arn), entry, sender_id)["MessageId"])

    async def receive_from(
        self, queue_arn: str, *, max_messages: int, wait_seconds: float, visibility_timeout: float | None = None
    ) -> list[Message]:
        """Receive up to *max_messages*, waiting up to *wait_seconds* for the first one.

        Raises:
            AwsError: The queue does not exist, or was deleted meanwhile; or ``OverLimit``.
        """
        deadline = self._clock.now() + wait_seconds
        while True:
            queue, now = self._queues.by_arn(queue_arn), self._clock.now()
            visibility = queue.number("VisibilityTimeout") if visibility_timeout is None else visibility_timeout
            room = MOST_IN_FLIGHT - len(queue.in_flight)
            if room <= 0 and not queue.fifo and not wait_seconds:
                raise AwsError(
                    "OverLimit", f"The queue has {MOST_IN_FLIGHT} messages in flight; delete some first.", 403
                )
            messages = queue.take(now, min(room, max_messages), visibility, functools.partial(self._to_dlq, queue))
            if messages or now >= deadline:
                queue.receivers.wake()
                received = "NumberOfMessagesReceived" if messages else "NumberOfEmptyReceives"
                self._measure(queue_arn, received, float(len(messages) or 1))
                return messages
            await queue.wait(now, deadline - now)

    def _to_dlq(self, queue: Queue, message: Message) -> bool:
        dlq_arn, most = redrive_of(queue.attributes)
        dlq = self._queues.all.get(dlq_arn)
        if dlq is None or message.receive_count < most:
            return False
        now = self._clock.now()
        message.earlier_receives += message.receive_count
        message.receive_count, message.first_received_at = 0, 0.0
        message.source, message.moved_at = queue.arn, now
        if queue.fifo:
            message.deduplication_id, message.sent_at = message.message_id, now
        dlq.add(message, now, 0)
        return True

    def delete_from(self, queue_arn: str, receipt_handles: list[str]) -> None:
        """Delete messages in flight."""
        queue = self._queues.all.get(queue_arn)
        if queue:
            now = self._clock.now()
            if deleted := sum(queue.delete(handle, now) for handle in receipt_handles):
                self._measure(queue_arn, "NumberOfMessagesDeleted", float(deleted))


def _sender(call: ApiCall) -> str:
    caller = call.caller
    return f"{caller.principal_id}:{caller.session_name}" if caller.session_name else caller.principal_id
