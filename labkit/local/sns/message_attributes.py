"""What a published message may be: its attributes, its subject, its size, one body for each protocol.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.sns.errors import invalid

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)
FORBIDDEN = re.compile(r"[^A-Za-z0-9_.-]")
SUBJECT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,99}")  # no line break, no half character


def check_message(message: dict[str, Any]) -> int:
    """Refuse a message, or an entry of a batch, that SNS refuses; return its size in bytes.

    Raises:
        AwsError: ``InvalidParameter``, ``ParameterValueInvalid``.
    """
    text, subject = message.get("Message") or "", message.get("Subject")
    if not text:
        raise invalid("Empty message")
    if subject is not None and not SUBJECT.fullmatch(subject):
        raise invalid("Subject")
    attributes = message.get("MessageAttributes") or {}
    for name, value in attributes.items():
        _check_name(name)
        _check_value(name, value)
    bodies(message)
    return len(text.encode()) + sum(_size(name, value) for name, value in attributes.items())


def bodies(message: dict[str, Any]) -> dict[str, str]:
    """Return the text for each protocol, and the one for all others as ``default``."""
    if not message.get("MessageStructure"):
        return {"default": message["Message"]}
    if message["MessageStructure"] != "json":
        raise invalid("MessageStructure")
    try:
        given = json.loads(message["Message"])
        json.dumps(given, ensure_ascii=False).encode()  # half a character would break every delivery
    except (ValueError, RecursionError):
        raise invalid("Message Structure - JSON message body failed to parse") from None
    texts = {name: text for name, text in given.items() if isinstance(text, str)} if isinstance(given, dict) else {}
    if "default" not in texts:
        raise invalid("Message Structure - No default entry in JSON message body")
    return texts


def _check_name(name: str) -> None:
    forbidden = FORBIDDEN.search(name)
    if forbidden:
        raise _bad(
            f"Invalid non-alphanumeric character '#x{ord(forbidden[0]):X}' was found in the message attribute name. "
            "Can only include alphanumeric characters, hyphens, underscores, or dots."
        )
    if not 0 < len(name) <= 256:
        raise _bad("Length of message attribute name must be less than 256 bytes.")
    if name.startswith("."):
        raise _bad("Invalid message attribute name starting with character '.' was found.")
    if name.endswith("."):
        raise _bad("Invalid message attribute name ending with character '.' was found.")
    if ".." in name:
        raise _bad("Message attribute name can not have successive '.' character.")


def _check_value(name: str, value: dict[str, Any]) -> None:
    kind = str(value.get("DataType") or "")
    if not kind:
        text = (
            f"1 validation error detected: Value null at 'messageAttributes.{name}.member.dataType' failed to satisfy"
        )
        raise AwsError("ValidationError", f"{text} constraint: Member must not be null")
    base = kind.split(".", maxsplit=1)[0]
    if base not in ("String", "Number", "Binary"):
        raise _bad(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes "
            "is Binary, Number, and String."
        )
    wanted, other = ("BinaryValue", "StringValue") if base == "Binary" else ("StringValue", "BinaryValue")
    if value.get(other) and not value.get(wanted):
        field = "Binary" if base == "Binary" else "String"
        raise _bad(f"The message attribute '{name}' with type '{kind}' must use field '{field}'.")
    if not value.get(wanted):
        raise _bad(
            f"The message attribute '{name}' must contain non-empty message attribute value for message attribute type "
            f"'{kind}'."
        )
    if base == "Number" and not NUMBER.fullmatch(value[wanted]):
        raise _bad(f"Could not cast message attribute '{name}' value to number.")


def _size(name: str, value: dict[str, Any]) -> int:
    content = value.get("BinaryValue") or str(value.get("StringValue") or "").encode()
    return len(name.encode()) + len(value["DataType"]) + len(content)


def _bad(message: str) -> AwsError:
    return AwsError("ParameterValueInvalid", message)
