"""How a receive is asked for, and what it shows of a message.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

from __future__ import annotations

import re
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.sqs.errors import invalid_value, missing, not_for_this_type, number_of
from labkit.local.sqs.message import Message
from labkit.local.sqs.message_checks import check_token, md5_of_attributes
from labkit.local.sqs.queue import Queue

HANDLE = re.compile(r"[0-9a-f]{64}")
SYSTEM_ATTRIBUTES = {
    "All", "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
    "SequenceNumber", "MessageDeduplicationId", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn",
    "SqsManagedSseEnabled",
}  # fmt: skip


def check_receive(queue: Queue, params: dict[str, Any]) -> tuple[int, float, float]:
    """Return how many messages are asked for, how long to wait, and for how long they are to be hidden, in seconds.

    Raises:
        AwsError: ``InvalidParameterValue`` or ``InvalidAttributeName``.
    """
    most = number_of(params, "MaxNumberOfMessages", 10) or 1
    wait, visibility = params.get("WaitTimeSeconds"), params.get("VisibilityTimeout")
    for name, seconds, longest in (("WaitTimeSeconds", wait, 20), ("VisibilityTimeout", visibility, 43_200)):
        if seconds is not None and not 0 <= seconds <= longest:
            raise invalid_value(seconds, name, f"Must be >= 0 and <= {longest}, if provided.")
    for name in _wanted_system_attributes(params):
        if name not in SYSTEM_ATTRIBUTES:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")
    attempt_id = params.get("ReceiveRequestAttemptId")
    check_token("ReceiveRequestAttemptId", attempt_id)
    if attempt_id and not queue.fifo:
        raise not_for_this_type(attempt_id, "ReceiveRequestAttemptId")
    return (
        most,
        queue.number("ReceiveMessageWaitTimeSeconds") if wait is None else wait,
        queue.number("VisibilityTimeout") if visibility is None else visibility,
    )


def receipt_handle_of(entry: dict[str, Any]) -> str:
    """Return the receipt handle of a request.

    Raises:
        AwsError: ``ReceiptHandleIsInvalid`` or ``MissingParameter``.
    """
    handle = str(entry.get("ReceiptHandle") or "")
    if not handle:
        raise missing("ReceiptHandle")
    if not HANDLE.fullmatch(handle):
        raise AwsError("ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.')
    return handle


def as_received(message: Message, params: dict[str, Any]) -> dict[str, Any]:
    """Return a message as the receive with *params* shows it."""
    received: dict[str, Any] = {
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": message.md5_of_body,
        "Body": message.body,
    }
    wanted = _wanted_system_attributes(params)
    if wanted:
        system = {name: value for name, value in message.attributes.items() if "All" in wanted or name in wanted}
        if message.source and wanted & {"All", "DeadLetterQueueSourceArn"}:
            system["DeadLetterQueueSourceArn"] = message.source
        if system:
            received["Attributes"] = system
    patterns = params.get("MessageAttributeNames") or []
    chosen = {name: value for name, value in message.message_attributes.items() if _matches(name, patterns)}
    if chosen:
        received |= {"MessageAttributes": chosen, "MD5OfMessageAttributes": md5_of_attributes(chosen)}
    return received


def _wanted_system_attributes(params: dict[str, Any]) -> set[str]:
    return {*(params.get("AttributeNames") or []), *(params.get("MessageSystemAttributeNames") or [])}


def _matches(name: str, patterns: list[str]) -> bool:
    return any(p in ("All", ".*", "*", name) or (p.endswith(".*") and name.startswith(p[:-2])) for p in patterns)
