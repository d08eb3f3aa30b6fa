"""Amazon SQS: its operations, and what other parts of the local cloud need of queues.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
"""

from __future__ import annotations

import functools
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import fields as fields_of
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.sqs.message_checks import (
    LARGEST_BATCH,
    check_message,
    md5_of_attributes,
    md5_of_body,
    size_of,
)
from labkit.local.sqs.move_tasks import MoveTasks
from labkit.local.sqs.queue import DEFAULTS, Message, Queue
from labkit.local.sqs.queue_attributes import check_attributes, redrive_of

NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
FOR_WSDL = "The specified queue does not exist."


class Sqs:
    """Standard queues. FIFO queues answer a clear error."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._queues: dict[str, Queue] = {}
        self._deleted_at: dict[str, float] = {}
        self._moves = MoveTasks(queue=self._by_arn, queues=self._queues.values, clock=clock)

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "CreateQueue": self.create_queue,
            "DeleteQueue": self.delete_queue,
            "GetQueueUrl": self.get_queue_url,
            "ListQueues": self.list_queues,
            "GetQueueAttributes": self.get_queue_attributes,
            "SetQueueAttributes": self.set_queue_attributes,
            "PurgeQueue": self.purge_queue,
            "SendMessage": self.send_message,
            "SendMessageBatch": self.send_message_batch,
            "ReceiveMessage": self.receive_message,
            "DeleteMessage": self.delete_message,
            "DeleteMessageBatch": self.delete_message_batch,
            "ChangeMessageVisibility": self.change_message_visibility,
            "ChangeMessageVisibilityBatch": self.change_message_visibility_batch,
            "ListDeadLetterSourceQueues": self.list_dead_letter_source_queues,
            "TagQueue": lambda call: self._queue(call).tags.update(call.params.get("Tags") or {}),
            "UntagQueue": self.untag_queue,
            "ListQueueTags": lambda call: {"Tags": self._queue(call).tags},
            "StartMessageMoveTask": self._moves.start,
            "ListMessageMoveTasks": self._moves.list,
            "CancelMessageMoveTask": self._moves.cancel,
        }

    # --- Queues -------------------------------------------------------------------------------------------------------

    def create_queue(self, call: ApiCall) -> dict[str, Any]:
        """Create a queue, or return the URL of the one that is there with the same attributes."""
        name = call.params.get("QueueName") or ""
        attributes = {key: str(value) for key, value in (call.params.get("Attributes") or {}).items()}
        if name.endswith(".fifo") or attributes.get("FifoQueue") == "true":
            raise AwsError("UnsupportedOperation", "The local cloud has standard queues only, no FIFO queues yet.", 400)
        if not NAME.fullmatch(name):
            raise AwsError(
                "InvalidParameterValue",
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
            )
        check_attributes(attributes)
        arn = f"arn:aws:sqs:{call.region}:{ACCOUNT_ID}:{name}"
        if existing := self._queues.get(arn):
            self._check_same(existing, attributes)
            return {"QueueUrl": self._url(call, existing)}
        now = self._clock.now()
        if now - self._deleted_at.get(arn, float("-inf")) < self._clock.scaled(60):
            raise AwsError(
                "AWS.SimpleQueueService.QueueDeletedRecently",
                "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
            )
        self._check_dlq(attributes)
        tags = dict(call.params.get("tags") or {})
        self._queues[arn] = Queue(name, arn, now, attributes, tags, now)
        return {"QueueUrl": self._url(call, self._queues[arn])}

    @staticmethod
    def _check_same(existing: Queue, attributes: dict[str, str]) -> None:
        for key, value in attributes.items():
            if existing.attributes.get(key, DEFAULTS.get(key)) != value:
                raise AwsError(
                    "QueueAlreadyExists",
                    f"A queue already exists with the same name and a different value for attribute {key}",
                )

    def _check_dlq(self, attributes: dict[str, str]) -> None:
        dlq = redrive_of(attributes)[0]
        if dlq and dlq not in self._queues:
            raise AwsError(
                "InvalidParameterValue",
                f"Value {attributes['RedrivePolicy']} for parameter RedrivePolicy is invalid. "
                "Reason: Dead letter target does not exist.",
            )

    def delete_queue(self, call: ApiCall) -> None:
        """Delete a queue with everything in it."""
        queue = self._queue(call)
        queue.purge()
        del self._queues[queue.arn]
        self._deleted_at[queue.arn] = self._clock.now()
        while queue.receivers:
            queue.wake()

    def get_queue_url(self, call: ApiCall) -> dict[str, Any]:
        """Return the URL of a queue by its name."""
        return {
            "QueueUrl": self._url(
                call, self._by_arn(f"arn:aws:sqs:{call.region}:{ACCOUNT_ID}:{call.params.get('QueueName')}")
            )
        }

    def list_queues(self, call: ApiCall) -> dict[str, Any]:
        """List URLs by name prefix, in pages when MaxResults is given."""
        prefix, most = call.params.get("QueueNamePrefix") or "", int(call.params.get("MaxResults") or 0)
        start = f"arn:aws:sqs:{call.region}:{ACCOUNT_ID}:{prefix}"
        arns = sorted(
            arn for arn in self._queues if arn.startswith(start) and arn > (call.params.get("NextToken") or "")
        )
        page = arns[:most] if most else arns[:1000]
        answer: dict[str, Any] = {"QueueUrls": [self._url(call, self._queues[arn]) for arn in page]} if page else {}
        if most and len(arns) > most:
            answer["NextToken"] = page[-1]
        return answer

    def get_queue_attributes(self, call: ApiCall) -> dict[str, Any]:
        """Return attributes, all of them for ``All``."""
        queue, wanted = self._queue(call), call.params.get("AttributeNames") or []
        everything = self.attributes_of(queue.arn)
        unknown = [name for name in wanted if name != "All" and name not in everything and name not in KNOWN_UNSET]
        if unknown:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {unknown[0]}.")
        chosen = everything if "All" in wanted else {name: everything[name] for name in wanted if name in everything}
        return {"Attributes": chosen} if chosen else {}

    def set_queue_attributes(self, call: ApiCall) -> None:
        """Change attributes; an empty policy removes it."""
        queue = self._queue(call)
        attributes = {key: str(value) for key, value in (call.params.get("Attributes") or {}).items()}
        check_attributes(attributes)
        self._check_dlq(attributes)
        queue.attributes.update(attributes)
        for key in ("Policy", "RedrivePolicy", "RedriveAllowPolicy"):
            if queue.attributes.get(key) == "":
                del queue.attributes[key]
        queue.modified_at = self._clock.now()

    def purge_queue(self, call: ApiCall) -> None:
        """Delete all messages; once in 60 seconds."""
        queue, now = self._queue(call), self._clock.now()
        if now - queue.purged_at < self._clock.scaled(60):
            raise AwsError(
                "AWS.SimpleQueueService.PurgeQueueInProgress",
                f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds.",
                403,
            )
        queue.purged_at = now
        queue.purge()

    def untag_queue(self, call: ApiCall) -> None:
        """Remove tags."""
        for key in call.params.get("TagKeys") or []:
            self._queue(call).tags.pop(key, None)

    def list_dead_letter_source_queues(self, call: ApiCall) -> dict[str, Any]:
        """List the queues whose redrive policy names this one."""
        dlq = self._queue(call).arn
        sources = [queue for queue in self._queues.values() if redrive_of(queue.attributes)[0] == dlq]
        return {"queueUrls": [self._url(call, queue) for queue in sources]}

    # --- Messages -----------------------------------------------------------------------------------------------------

    def send_message(self, call: ApiCall) -> dict[str, Any]:
        """Put one message on a queue."""
        return self._send(self._queue(call), call.params, _sender(call))

    def _send(self, queue: Queue, entry: dict[str, Any], sender_id: str) -> dict[str, Any]:
        body, attributes = str(entry.get("MessageBody") or ""), entry.get("MessageAttributes") or {}
        check_message(body, attributes, int(queue.number("MaximumMessageSize")))
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
        answer = {"MessageId": message.message_id, "MD5OfMessageBody": message.md5_of_body}
        return answer | ({"MD5OfMessageAttributes": message.md5_of_attributes} if attributes else {})

    def send_message_batch(self, call: ApiCall) -> dict[str, Any]:
        """Put up to ten messages on a queue; each succeeds or fails by itself."""
        queue, sender = self._queue(call), _sender(call)
        sizes = [
            size_of(str(entry.get("MessageBody") or ""), entry.get("MessageAttributes") or {})
            for entry in call.params.get("Entries") or []
        ]
        if sum(sizes) > LARGEST_BATCH:
            raise AwsError(
                "AWS.SimpleQueueService.BatchRequestTooLong",
                f"Batch requests cannot be longer than {LARGEST_BATCH} bytes. You have sent {sum(sizes)} bytes.",
            )
        return self._batch(call, lambda entry: self._send(queue, entry, sender))

    async def receive_message(self, call: ApiCall) -> dict[str, Any]:
        """Receive up to ten messages, waiting for the first one as long as asked."""
        queue = self._queue(call)
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
        self._delete(self._queue(call), call.params)

    def _delete(self, queue: Queue, entry: dict[str, Any]) -> dict[str, Any]:
        handle = str(entry.get("ReceiptHandle") or "")
        if len(handle) != 64:
            raise AwsError(
                "ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.'
            )
        queue.delete(handle, self._clock.now())
        return {}

    def delete_message_batch(self, call: ApiCall) -> dict[str, Any]:
        """Delete up to ten messages."""
        queue = self._queue(call)
        return self._batch(call, lambda entry: self._delete(queue, entry))

    def change_message_visibility(self, call: ApiCall) -> None:
        """Change when a message in flight comes back."""
        self._change_visibility(self._queue(call), call.params)

    def _change_visibility(self, queue: Queue, entry: dict[str, Any]) -> dict[str, Any]:
        seconds, handle = int(entry.get("VisibilityTimeout") or 0), str(entry.get("ReceiptHandle") or "")
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
        queue = self._queue(call)
        return self._batch(call, lambda entry: self._change_visibility(queue, entry))

    def _batch(self, call: ApiCall, act: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        entries = call.params.get("Entries") or []
        prefix = "AWS.SimpleQueueService."
        if not entries:
            raise AwsError(
                f"{prefix}EmptyBatchRequest",
                f"There should be at least one {call.operation}RequestEntry in the request.",
            )
        if len(entries) > 10:
            raise AwsError(
                f"{prefix}TooManyEntriesInBatchRequest",
                f"Maximum number of entries per request are 10. You have sent {len(entries)}.",
            )
        ids = [str(entry.get("Id") or "") for entry in entries]
        if not all(ENTRY_ID.fullmatch(one) for one in ids):
            raise AwsError(
                f"{prefix}InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                "It can be at most 80 letters long.",
            )
        repeated = next((one for one in ids if ids.count(one) > 1), None)
        if repeated:
            raise AwsError(f"{prefix}BatchEntryIdsNotDistinct", f"Id {repeated} repeated.")
        answer: dict[str, list[dict[str, Any]]] = {"Successful": [], "Failed": []}
        for one, entry in zip(ids, entries, strict=True):
            try:
                answer["Successful"].append({"Id": one, **act(entry)})
            except AwsError as error:
                answer["Failed"].append({"Id": one, "Code": error.code, "Message": error.message, "SenderFault": True})
        return {key: value for key, value in answer.items() if value}

    # --- For the other parts of the local cloud -----------------------------------------------------------------------

    async def send_to(
        self, queue_arn: str, body: str, *, message_attributes: dict[str, Any] | None = None, sender_id: str = ""
    ) -> str:
        """Put a message on a queue as a service of AWS does, and return its id."""
        entry = {"MessageBody": body, "MessageAttributes": message_attributes or {}}
        return str(self._send(self._by_arn(queue_arn), entry, sender_id)["MessageId"])

    async def receive_from(
        self, queue_arn: str, *, max_messages: int, wait_seconds: float, visibility_timeout: float | None = None
    ) -> list[Message]:
        """Receive up to *max_messages*, waiting up to *wait_seconds* for the first one.

        Raises:
            AwsError: The queue does not exist, or was deleted meanwhile.
        """
        deadline = self._clock.now() + wait_seconds
        while True:
            queue, now = self._by_arn(queue_arn), self._clock.now()
            visibility = queue.number("VisibilityTimeout") if visibility_timeout is None else visibility_timeout
            messages = queue.take(now, max_messages, visibility, functools.partial(self._to_dlq, queue))
            if queue.waiting:
                queue.wake()
            if messages or now >= deadline:
                return messages
            await queue.wait(now, deadline - now)

    def _to_dlq(self, queue: Queue, message: Message) -> bool:
        dlq_arn, most = redrive_of(queue.attributes)
        dlq = self._queues.get(dlq_arn)
        if dlq is None or message.receive_count < most:
            return False
        message.receive_count, message.first_received_at, message.source = 0, 0.0, queue.arn
        dlq.add(message, self._clock.now(), 0)
        return True

    def delete_from(self, queue_arn: str, receipt_handles: list[str]) -> None:
        """Delete messages in flight."""
        queue = self._queues.get(queue_arn)
        if queue:
            for handle in receipt_handles:
                queue.delete(handle, self._clock.now())

    def change_visibility(self, queue_arn: str, receipt_handle: str, seconds: float) -> None:
        """Let a message in flight come back after *seconds*."""
        if queue := self._queues.get(queue_arn):
            queue.change_visibility(receipt_handle, self._clock.now(), seconds)

    def attributes_of(self, queue_arn: str) -> dict[str, str]:
        """Return every attribute of a queue.

        Raises:
            AwsError: ``AWS.SimpleQueueService.NonExistentQueue``.
        """
        queue = self._by_arn(queue_arn)
        depths = queue.depths(self._clock.now())
        return {
            **DEFAULTS,
            **queue.attributes,
            "QueueArn": queue.arn,
            "ApproximateNumberOfMessages": str(depths["visible"]),
            "ApproximateNumberOfMessagesNotVisible": str(depths["in_flight"]),
            "ApproximateNumberOfMessagesDelayed": str(depths["delayed"]),
            "CreatedTimestamp": str(int(queue.created_at)),
            "LastModifiedTimestamp": str(int(queue.modified_at)),
        }

    def policy_of(self, queue_arn: str) -> dict[str, Any] | None:
        """Return a queue's policy, if it has one."""
        text = self._by_arn(queue_arn).attributes.get("Policy")
        return json.loads(text) if text else None

    def exists(self, queue_arn: str) -> bool:
        """Whether a queue exists."""
        return queue_arn in self._queues

    def depths(self) -> dict[str, dict[str, int]]:
        """Count the messages of every queue, by ARN."""
        return {arn: queue.depths(self._clock.now()) for arn, queue in self._queues.items()}

    def snapshot(self) -> dict[str, Any]:
        """Return the state as plain data: queues with their messages, move tasks, names that are not free yet."""
        return {
            "deleted_at": dict(self._deleted_at),
            "moves": self._moves.snapshot(),
            "queues": [
                {
                    "name": queue.name,
                    "arn": queue.arn,
                    "created_at": queue.created_at,
                    "modified_at": queue.modified_at,
                    "purged_at": queue.purged_at,
                    "attributes": dict(queue.attributes),
                    "tags": dict(queue.tags),
                    "messages": [_kept(message) for message in queue.messages()],
                }
                for queue in self._queues.values()
            ],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; what was in flight keeps its receipt handle and its visibility timeout."""
        self._deleted_at = dict(state["deleted_at"])
        for kept in state["queues"]:
            fields = {name: value for name, value in kept.items() if name != "messages"}
            queue = self._queues[kept["arn"]] = Queue(**fields)
            for message in kept["messages"]:
                queue.put_back(Message(**message))
        self._moves.restore(state["moves"])

    # --- Look-ups -----------------------------------------------------------------------------------------------------

    def _queue(self, call: ApiCall) -> Queue:
        url = str(call.params.get("QueueUrl") or "")
        if not url:
            raise AwsError("MissingParameter", "The request must contain the parameter QueueUrl.")
        return self._by_arn(f"arn:aws:sqs:{call.region}:{ACCOUNT_ID}:{url.rstrip('/').rpartition('/')[2]}")

    def _by_arn(self, arn: str) -> Queue:
        queue = self._queues.get(arn)
        if queue is None:
            raise AwsError("AWS.SimpleQueueService.NonExistentQueue", FOR_WSDL)
        return queue

    @staticmethod
    def _url(call: ApiCall, queue: Queue) -> str:
        return f"http://{call.http.headers.get('host')}/{ACCOUNT_ID}/{queue.name}"


KNOWN_UNSET = {"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"} | {
    "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit",
}  # fmt: skip


MESSAGE_FIELDS = tuple(field.name for field in fields_of(Message))


def _kept(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in MESSAGE_FIELDS}


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
