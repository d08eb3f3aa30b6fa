"""How a receive is asked for, and what it shows of a message.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
"""

from __future__ import annotations

import re
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.sqs.message import Message
from labkit.local.sqs.message_checks import invalid, md5_of_attributes

HANDLE = re.compile(r"[0-9a-f]{64}")
SYSTEM_ATTRIBUTES = {
    "All", "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
    "SequenceNumber", "MessageDeduplicationId", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn",
    "SqsManagedSseEnabled",
}  # fmt: skip


def check_receive(params: dict[str, Any]) -> tuple[int, float | None, float | None]:
    """Return how many messages are asked for, how long to wait, and for how long they are to be hidden.

    Raises:
        AwsError: ``InvalidParameterValue`` or ``InvalidAttributeName``.
    """
    most, wait, visibility = (
        params.get(name) for name in ("MaxNumberOfMessages", "WaitTimeSeconds", "VisibilityTimeout")
    )
    if most is not None and not 1 <= most <= 10:
        raise invalid(
            f"Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        )
    if wait is not None and not 0 <= wait <= 20:
        raise invalid(
            f"Value {wait} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
        )
    if visibility is not None and not 0 <= visibility <= 43_200:
        raise invalid(
            f"Value {visibility} for parameter VisibilityTimeout is invalid. "
            "Reason: Must be >= 0 and <= 43200, if provided."
        )
    for name in _wanted_system_attributes(params):
        if name not in SYSTEM_ATTRIBUTES:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")
    return most or 1, wait, visibility


def receipt_handle_of(entry: dict[str, Any]) -> str:
    """Return the receipt handle of a request.

    Raises:
        AwsError: ``ReceiptHandleIsInvalid`` or ``MissingParameter``.
    """
    handle = str(entry.get("ReceiptHandle") or "")
    if not handle:
        raise AwsError("MissingParameter", "The request must contain the parameter ReceiptHandle.")
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
