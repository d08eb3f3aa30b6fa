"""Messages on their way through a queue: sent, received, deleted, moved to the dead-letter queue.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.sqs.batches import each_entry
from labkit.local.sqs.message_checks import (
    LARGEST_BATCH,
    check_message,
    md5_of_attributes,
    md5_of_body,
    size_of,
)
from labkit.local.sqs.queue import Message, Queue
from labkit.local.sqs.queue_attributes import redrive_of
from labkit.local.sqs.queues import Queues


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
            "DeleteMessage": self.delete_message,
            "DeleteMessageBatch": self.delete_message_batch,
            "ChangeMessageVisibility": self.change_message_visibility,
            "ChangeMessageVisibilityBatch": self.change_message_visibility_batch,
        }

    def send_message(self, call: ApiCall) -> dict[str, Any]:
        """Put one message on a queue."""
        return self._send(self._queues.of(call), call.params, _sender(call))

    def _send(self, queue: Queue, entry: dict[str, Any], sender_id: str) -> dict[str, Any]:
        body, attributes = str(entry.get("MessageBody") or ""), entry.get("MessageAttributes") or {}
        size = check_message(body, attributes, int(queue.number("MaximumMessageSize")))
        delay = entry.get("DelaySeconds")
        if delay is not None and not 0 <= int(delay) <= 900:
            raise AwsError(
                "InvalidParameterValue",
                f"Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
            )
        now = self._clock.now()
        message = Message(
            str(uuid.uuid4()), body, md5_of_body(body), attributes, md5_of_attributes(attributes), sender_id, now
        )
        queue.add(message, now, float(delay) if delay is not None else queue.number("DelaySeconds"))
        self._measure(queue.arn, "NumberOfMessagesSent", 1.0)
        self._measure(queue.arn, "SentMessageSize", float(size))
        answer = {"MessageId": message.message_id, "MD5OfMessageBody": message.md5_of_body}
        return answer | ({"MD5OfMessageAttributes": message.md5_of_attributes} if attributes else {})

    def send_message_batch(self, call: ApiCall) -> dict[str, Any]:
        """Put up to ten messages on a queue; each succeeds or fails by itself."""
        queue, sender = self._queues.of(call), _sender(call)
        sizes = [
            size_of(str(entry.get("MessageBody") or ""), entry.get("MessageAttributes") or {})
            for entry in call.params.get("Entries") or []
        ]
        if sum(sizes) > LARGEST_BATCH:
            raise AwsError(
                "AWS.SimpleQueueService.BatchRequestTooLong",
                f"Batch requests cannot be longer than {LARGEST_BATCH} bytes. You have sent {sum(sizes)} bytes.",
            )
        return each_entry(call, lambda entry: self._send(queue, entry, sender))

    async def receive_message(self, call: ApiCall) -> dict[str, Any]:
        """Receive up to ten messages, waiting for the first one as long as asked."""
        queue = self._queues.of(call)
        most = int(call.params.get("MaxNumberOfMessages") or 1)
        if not 1 <= most <= 10:
            raise AwsError(
                "InvalidParameterValue",
                f"Value {most} for parameter MaxNumberOfMessages is invalid. "
                "Reason: Must be between 1 and 10, if provided.",
            )
        wait = call.params.get("WaitTimeSeconds")
        wait = float(wait) if wait is not None else queue.number("ReceiveMessageWaitTimeSeconds")
        if not 0 <= wait <= 20:
            raise AwsError(
                "InvalidParameterValue",
                f"Value {wait:g} for parameter WaitTimeSeconds is invalid. "
                "Reason: Must be >= 0 and <= 20, if provided.",
            )
        visibility = call.params.get("VisibilityTimeout")
        messages = await self.receive_from(
            queue.arn,
            max_messages=most,
            wait_seconds=wait,
            visibility_timeout=None if visibility is None else float(visibility),
        )
        return {"Messages": [_as_received(message, call.params) for message in messages]} if messages else {}

    def delete_message(self, call: ApiCall) -> None:
        """Delete a message by its receipt handle."""
        self._delete(self._queues.of(call), call.params)

    def _delete(self, queue: Queue, entry: dict[str, Any]) -> dict[str, Any]:
        if queue.delete(_receipt_handle(entry), self._clock.now()):
            self._measure(queue.arn, "NumberOfMessagesDeleted", 1.0)
        return {}

    def delete_message_batch(self, call: ApiCall) -> dict[str, Any]:
        """Delete up to ten messages."""
        queue = self._queues.of(call)
        return each_entry(call, lambda entry: self._delete(queue, entry))

    def change_message_visibility(self, call: ApiCall) -> None:
        """Change when a message in flight comes back."""
        self._change_visibility(self._queues.of(call), call.params)

    def _change_visibility(self, queue: Queue, entry: dict[str, Any]) -> dict[str, Any]:
        seconds, handle = int(entry.get("VisibilityTimeout") or 0), _receipt_handle(entry)
        if not 0 <= seconds <= 43_200:
            raise AwsError(
                "InvalidParameterValue",
                f"Value {seconds} for parameter VisibilityTimeout is invalid. "
                "Reason: VisibilityTimeout must be an integer between 0 and 43200.",
            )
        if not queue.change_visibility(handle, self._clock.now(), seconds):
            raise AwsError(
                "InvalidParameterValue",
                f"Value {handle} for parameter ReceiptHandle is invalid. "
                "Reason: Message does not exist or is not available for visibility timeout change.",
            )
        return {}

    def change_message_visibility_batch(self, call: ApiCall) -> dict[str, Any]:
        """Change the visibility of up to ten messages."""
        queue = self._queues.of(call)
        return each_entry(call, lambda entry: self._change_visibility(queue, entry))

    # --- For the other parts of the local cloud -----------------------------------------------------------------------

    async def send_to(
        self, queue_arn: str, body: str, *, message_attributes: dict[str, Any] | None = None, sender_id: str = ""
    ) -> str:
        """Put a message on a queue as a service of AWS does, and return its id."""
        entry = {"MessageBody": body, "MessageAttributes": message_attributes or {}}
        return str(self._send(self._queues.by_arn(queue_arn), entry, sender_id)["MessageId"])

    async def receive_from(
        self, queue_arn: str, *, max_messages: int, wait_seconds: float, visibility_timeout: float | None = None
    ) -> list[Message]:
        """Receive up to *max_messages*, waiting up to *wait_seconds* for the first one.

        Raises:
            AwsError: The queue does not exist, or was deleted meanwhile.
        """
        deadline = self._clock.now() + wait_seconds
        while True:
            queue, now = self._queues.by_arn(queue_arn), self._clock.now()
            visibility = queue.number("VisibilityTimeout") if visibility_timeout is None else visibility_timeout
            messages = queue.take(now, max_messages, visibility, functools.partial(self._to_dlq, queue))
            if queue.waiting:
                queue.wake()
            if messages or now >= deadline:
                received = "NumberOfMessagesReceived" if messages else "NumberOfEmptyReceives"
                self._measure(queue_arn, received, float(len(messages) or 1))
                return messages
            await queue.wait(now, deadline - now)

    def _to_dlq(self, queue: Queue, message: Message) -> bool:
        dlq_arn, most = redrive_of(queue.attributes)
        dlq = self._queues.all.get(dlq_arn)
        if dlq is None or message.receive_count < most:
            return False
        message.receive_count, message.first_received_at, message.source = 0, 0.0, queue.arn
        dlq.add(message, self._clock.now(), 0)
        return True

    def delete_from(self, queue_arn: str, receipt_handles: list[str]) -> None:
        """Delete messages in flight."""
        queue = self._queues.all.get(queue_arn)
        if queue:
            now = self._clock.now()
            if deleted := sum(queue.delete(handle, now) for handle in receipt_handles):
                self._measure(queue_arn, "NumberOfMessagesDeleted", float(deleted))


def _receipt_handle(entry: dict[str, Any]) -> str:
    handle = str(entry.get("ReceiptHandle") or "")
    if len(handle) != 64:
        raise AwsError("ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.')
    return handle


def _sender(call: ApiCall) -> str:
    caller = call.caller
    return f"{caller.principal_id}:{caller.session_name}" if caller.session_name else caller.principal_id


def _as_received(message: Message, params: dict[str, Any]) -> dict[str, Any]:
    received: dict[str, Any] = {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": message.md5_of_body,
        "Body": message.body,
    }
    wanted = {*(params.get("AttributeNames") or []), *(params.get("MessageSystemAttributeNames") or [])}
    system = {name: value for name, value in message.attributes.items() if "All" in wanted or name in wanted}
    if message.source and wanted & {"All", "DeadLetterQueueSourceArn"}:
        system["DeadLetterQueueSourceArn"] = message.source
    if system:
        received["Attributes"] = system
    patterns = params.get("MessageAttributeNames") or []
    chosen = {name: value for name, value in message.message_attributes.items() if _wanted(name, patterns)}
    if chosen:
        received |= {"MessageAttributes": chosen, "MD5OfMessageAttributes": md5_of_attributes(chosen)}
    return received


def _wanted(name: str, patterns: list[str]) -> bool:
    return any(p in ("All", ".*", name) or (p.endswith(".*") and name.startswith(p[:-1])) for p in patterns)
