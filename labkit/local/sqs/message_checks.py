"""What a message may be, and the MD5 sums by which a client checks that it arrived whole.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
"""

from __future__ import annotations

import hashlib
import re
import struct
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.sqs.errors import invalid, invalid_value, missing

LARGEST_BATCH = 1_048_576
FORBIDDEN = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
INVALID_CHARACTERS = (
    "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
    "#xE000 to #xFFFD | #x10000 to #x10FFFF"
)
ATTRIBUTE_NAME = re.compile(r"[\w.-]+")
RESERVED_NAME = re.compile(r"(aws|amazon)\.|\.|.*\.\.|.*\.$", re.IGNORECASE | re.DOTALL)
ATTRIBUTE_TYPE = re.compile(r"(String|Number|Binary)(\..+)?", re.DOTALL)
NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)
TOKEN = re.compile(r"[!-~]{1,128}")


def md5_of_body(body: str) -> str:
    """Return the hex MD5 of a body."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: dict[str, Any]) -> str:
    """Return the hex MD5 that SQS makes of message attributes, or ``""`` without any."""
    if not attributes:
        return ""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        binary = value["DataType"].startswith("Binary")
        content = value.get("BinaryValue", b"") if binary else value.get("StringValue", "").encode()
        for part in (name.encode(), value["DataType"].encode()):
            digest.update(struct.pack("!I", len(part)) + part)
        digest.update((b"\x02" if binary else b"\x01") + struct.pack("!I", len(content)) + content)
    return digest.hexdigest()


def check_message(body: str, attributes: dict[str, Any], largest: int, *, one_of_many: bool = False) -> int:
    """Refuse what SQS refuses; return the size in bytes.

    Raises:
        AwsError: ``InvalidParameterValue``, ``MissingParameter`` or ``InvalidMessageContents``.
    """
    if not body:
        raise missing("MessageBody")
    if FORBIDDEN.search(body):
        raise AwsError("InvalidMessageContents", INVALID_CHARACTERS)
    if attributes:
        _check_attributes(attributes)
    size = size_of(body, attributes)
    if size > largest:
        wrong = "cannot be validated" if one_of_many else "are invalid"
        raise invalid(f"One or more parameters {wrong}. Reason: Message must be shorter than {largest} bytes.")
    return size


def _check_attributes(attributes: dict[str, Any]) -> None:
    if len(attributes) > 10:
        raise invalid(f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [10].")
    for name, value in attributes.items():
        if len(name.encode(errors="replace")) > 256:
            raise invalid("Message (user) attribute names must be shorter than 256 Bytes")
        if not ATTRIBUTE_NAME.fullmatch(name):
            raise invalid(
                "Message (user) attributes name can only contain upper and lower score characters, digits, periods, "
                "hyphens and underscores. "
            )
        if RESERVED_NAME.match(name):
            raise invalid(
                "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved "
                "for internal use. Additionally, they cannot start or end with '.' or have periods in succession."
            )
        _check_value(name, value)


def _check_value(name: str, value: dict[str, Any]) -> None:
    data_type = str(value.get("DataType") or "")
    kind = data_type.partition(".")[0]
    if not ATTRIBUTE_TYPE.fullmatch(data_type) or len(data_type.encode(errors="replace")) > 256:
        raise invalid(
            f"The type of message (user) attribute '{name}' is invalid. You must use only the following supported "
            "type prefixes: Binary, Number, String."
        )
    if value.get("StringListValues") or value.get("BinaryListValues"):
        raise AwsError("UnsupportedOperation", "Message attribute list values in SendMessage operation not supported.")
    given = value.get("BinaryValue") if kind == "Binary" else value.get("StringValue")
    if not given:
        raise invalid(f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.")
    if kind == "Binary":
        return
    if FORBIDDEN.search(given):
        raise invalid(INVALID_CHARACTERS)
    if kind == "Number" and not NUMBER.fullmatch(given):
        raise invalid(f"Can't cast the value of message (user) attribute '{name}' to a number.")


def check_token(name: str, value: str | None) -> None:
    """Refuse a MessageGroupId, MessageDeduplicationId or ReceiveRequestAttemptId that SQS refuses.

    Raises:
        AwsError: ``InvalidParameterValue``.
    """
    if value is not None and not TOKEN.fullmatch(value):
        reason = f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
        raise invalid_value(value, name, reason)


def trace_header(entry: dict[str, Any], sent_in_header: str) -> str:
    """Return the X-Ray header that is sent along, in ``MessageSystemAttributes`` or else in HTTP.

    Raises:
        AwsError: ``InvalidParameterValue``: there is no such message system attribute.
    """
    attributes = entry.get("MessageSystemAttributes")
    if not attributes:
        return sent_in_header
    for name, value in attributes.items():
        if name != "AWSTraceHeader" or value.get("DataType") != "String" or not value.get("StringValue"):
            raise invalid(
                f"Message system attribute '{name}' is invalid. "
                "Reason: AWSTraceHeader is the only one, with a non-empty value of type 'String'."
            )
    return str(attributes["AWSTraceHeader"]["StringValue"])


def size_of(body: str, attributes: dict[str, Any]) -> int:
    """Return the size of a message with its attributes, in bytes."""
    size = len(body.encode(errors="replace"))
    for name, value in attributes.items():
        content = value.get("BinaryValue") or str(value.get("StringValue", "")).encode(errors="replace")
        size += len(name.encode(errors="replace")) + len(str(value.get("DataType", ""))) + len(content)
    return size
