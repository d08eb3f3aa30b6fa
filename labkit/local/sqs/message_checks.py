"""What a message may be, and the MD5 sums by which a client checks that it arrived whole.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
"""

from __future__ import annotations

import hashlib
import re
import struct
from typing import Any

from labkit.local.api_call import AwsError

LARGEST_BATCH = 1_048_576
FORBIDDEN = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


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


def check_message(body: str, attributes: dict[str, Any], largest: int) -> int:
    """Refuse what SQS refuses; return the size in bytes.

    Raises:
        AwsError: ``InvalidParameterValue``, ``MissingParameter`` or ``InvalidMessageContents``.
    """
    if not body:
        raise AwsError("MissingParameter", "The request must contain the parameter MessageBody.")
    if FORBIDDEN.search(body):
        raise AwsError(
            "InvalidMessageContents",
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
            "#xE000 to #xFFFD | #x10000 to #x10FFFF",
        )
    size = size_of(body, attributes)
    if size > largest:
        raise AwsError(
            "InvalidParameterValue",
            f"One or more parameters are invalid. Reason: Message must be shorter than {largest} bytes.",
        )
    if len(attributes) > 10:
        raise AwsError(
            "InvalidParameterValue",
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [10].",
        )
    for name, value in attributes.items():
        kind = str(value.get("DataType", "")).split(".")[0]
        given = value.get("BinaryValue") if kind == "Binary" else value.get("StringValue")
        if kind not in ("String", "Number", "Binary") or not given:
            raise AwsError(
                "InvalidParameterValue",
                f"The message attribute '{name}' must contain a non-empty value of a known type.",
            )
    return size


def size_of(body: str, attributes: dict[str, Any]) -> int:
    """Return the size of a message with its attributes, in bytes."""
    size = len(body.encode())
    for name, value in attributes.items():
        content = value.get("BinaryValue") or str(value.get("StringValue", "")).encode()
        size += len(name.encode()) + len(str(value.get("DataType", ""))) + len(content)
    return size
