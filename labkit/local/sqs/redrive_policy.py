"""Redrive policies: which dead-letter queue a queue has, and which queues a dead-letter queue lets have it.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
"""

from __future__ import annotations

import functools
import json
from typing import Any

from labkit.local.sqs.errors import invalid_value

PERMISSIONS = ("allowAll", "denyAll", "byQueue")


def redrive_of(attributes: dict[str, str]) -> tuple[str, int]:
    """Return the DLQ's ARN (``""`` without one) and how often a message may be received."""
    text = attributes.get("RedrivePolicy")
    return _redrive(text) if text else ("", 0)


@functools.lru_cache(maxsize=256)
def _redrive(text: str) -> tuple[str, int]:
    policy = json.loads(text)
    return str(policy["deadLetterTargetArn"]), int(policy["maxReceiveCount"])


def check_dlq(queue_arn: str, attributes: dict[str, str], dlq: dict[str, str] | None) -> None:
    """Check that the DLQ which *attributes* name will do; *dlq* are its own, or ``None`` if there is none.

    Raises:
        AwsError: ``InvalidParameterValue``.
    """
    dlq_arn = redrive_of(attributes)[0]
    if not dlq_arn:
        return
    value = attributes["RedrivePolicy"]
    if dlq is None:
        raise invalid_value(value, "RedrivePolicy", "Dead letter target does not exist.")
    if dlq_arn.endswith(".fifo") != queue_arn.endswith(".fifo"):
        raise invalid_value(value, "RedrivePolicy", "Dead-letter queue must be same type of queue as the source..")
    allowed = json.loads(dlq.get("RedriveAllowPolicy", "{}"))
    permission = allowed.get("redrivePermission", "allowAll")
    if permission == "denyAll" or (permission == "byQueue" and queue_arn not in allowed["sourceQueueArns"]):
        raise invalid_value(
            value, "RedrivePolicy", "The redrive allow policy of the dead-letter queue does not allow this source."
        )


def check_redrive(value: str) -> None:
    """Refuse what is no redrive policy; an empty one removes it."""
    if value == "":
        return
    document = json_object(value)
    if document is None:
        raise invalid_value(value, "RedrivePolicy", "Redrive policy is not a valid JSON map.")
    for name in ("deadLetterTargetArn", "maxReceiveCount"):
        if document.get(name) in (None, ""):
            raise invalid_value(value, "RedrivePolicy", f"Redrive policy does not contain mandatory attribute: {name}.")
    if not isinstance(document["deadLetterTargetArn"], str):
        raise invalid_value(value, "RedrivePolicy", "Invalid value for deadLetterTargetArn.")
    most = str(document["maxReceiveCount"])
    if not most.isdecimal() or len(most) > 9 or not 1 <= int(most) <= 1000:
        raise invalid_value(
            value,
            "RedrivePolicy",
            f"Invalid value for maxReceiveCount: {most}, valid values are from 1 to 1000 both inclusive.",
        )


def check_redrive_allow(value: str) -> None:
    """Refuse what is no redrive allow policy; an empty one removes it."""
    document = {} if value == "" else json_object(value)
    if document is None:
        raise invalid_value(value, "RedriveAllowPolicy", "Redrive allow policy is not a valid JSON map.")
    permission, arns = document.get("redrivePermission", "allowAll"), document.get("sourceQueueArns")
    if permission not in PERMISSIONS:
        raise invalid_value(value, "RedriveAllowPolicy", f"redrivePermission is one of {', '.join(PERMISSIONS)}.")
    if (permission == "byQueue") != (arns is not None):
        raise invalid_value(
            value, "RedriveAllowPolicy", "sourceQueueArns goes with the redrivePermission byQueue, and only with it."
        )
    if arns is not None and not (
        isinstance(arns, list) and 1 <= len(arns) <= 10 and all(isinstance(arn, str) for arn in arns)
    ):
        raise invalid_value(value, "RedriveAllowPolicy", "sourceQueueArns is a list of 1 to 10 ARNs.")


def json_object(text: str) -> dict[str, Any] | None:
    """Read a JSON object, or return ``None``."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
