"""From the entry of a send request to a message: what must be there on a standard and on a FIFO queue.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from labkit.local.sqs.errors import invalid, invalid_value, missing, not_for_this_type
from labkit.local.sqs.message import Message
from labkit.local.sqs.message_checks import (
    check_message,
    check_token,
    md5_of_attributes,
    md5_of_body,
    trace_header,
)
from labkit.local.sqs.queue import Queue

NO_DEDUPLICATION_ID = (
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
)


def new_message(
    queue: Queue, entry: dict[str, Any], *, sender_id: str, now: float, header: str = "", one_of_many: bool = False
) -> tuple[Message, int]:
    """Return the message that *entry* asks for, and its size in bytes.

    Raises:
        AwsError: ``InvalidParameterValue``, ``MissingParameter`` or ``InvalidMessageContents``.
    """
    body, attributes = entry.get("MessageBody") or "", entry.get("MessageAttributes") or {}
    size = check_message(body, attributes, int(queue.number("MaximumMessageSize")), one_of_many=one_of_many)
    message = Message(
        str(uuid.uuid4()), body, md5_of_body(body), attributes, md5_of_attributes(attributes), sender_id, now
    )
    group_id, deduplication_id = entry.get("MessageGroupId"), entry.get("MessageDeduplicationId")
    if queue.fifo:
        if group_id is None:
            raise missing("MessageGroupId")
        if deduplication_id is None and not finds_duplicates_by_content(queue):
            raise invalid(NO_DEDUPLICATION_ID)
    elif deduplication_id is not None:
        raise not_for_this_type(deduplication_id, "MessageDeduplicationId")
    check_token("MessageGroupId", group_id)
    check_token("MessageDeduplicationId", deduplication_id)
    message.group_id = group_id or ""
    if queue.fifo:
        message.deduplication_id = deduplication_id or hashlib.sha256(body.encode()).hexdigest()
    message.trace_header = trace_header(entry, header)
    return message, size


def delay_of(queue: Queue, entry: dict[str, Any]) -> float:
    """Return for how many seconds a message is delayed. On a FIFO queue only the queue's own delay counts.

    Raises:
        AwsError: ``InvalidParameterValue``.
    """
    delay = entry.get("DelaySeconds")
    if delay is None or (queue.fifo and delay == 0):
        return queue.number("DelaySeconds")
    if queue.fifo:
        raise not_for_this_type(delay, "DelaySeconds")
    if not 0 <= delay <= 900:
        raise invalid_value(delay, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
    return float(delay)


def check_batch(queue: Queue, entries: list[dict[str, Any]]) -> None:
    """Refuse a whole batch for a FIFO queue when one of its entries lacks what makes it FIFO.

    Raises:
        AwsError: ``InvalidParameterValue``.
    """
    if not queue.fifo:
        return
    if not finds_duplicates_by_content(queue) and any(entry.get("MessageDeduplicationId") is None for entry in entries):
        raise invalid(NO_DEDUPLICATION_ID)
    if any(entry.get("MessageGroupId") is None for entry in entries):
        raise invalid(missing("MessageGroupId").message)


def finds_duplicates_by_content(queue: Queue) -> bool:
    """Whether the body of a message can stand for its deduplication id."""
    return queue.attributes.get("ContentBasedDeduplication") == "true"


def as_sent(message: Message, entry: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to the request that sent *message*."""
    answer = {"MessageId": message.message_id, "MD5OfMessageBody": message.md5_of_body}
    if message.md5_of_attributes:
        answer["MD5OfMessageAttributes"] = message.md5_of_attributes
    if entry.get("MessageSystemAttributes"):
        answer["MD5OfMessageSystemAttributes"] = md5_of_attributes(entry["MessageSystemAttributes"])
    if message.sequence_number:
        answer["SequenceNumber"] = str(message.sequence_number)
    return answer
