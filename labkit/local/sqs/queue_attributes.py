"""Which values the attributes of a queue may have.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

from __future__ import annotations

import functools
import json
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.sqs.fifo import FIFO_DEFAULTS
from labkit.local.sqs.message_checks import invalid

RANGES = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
JSON_ATTRIBUTES = ("Policy", "RedrivePolicy", "RedriveAllowPolicy")
CHOICES = {
    "FifoQueue": ("true", "false"),
    "ContentBasedDeduplication": ("true", "false"),
    "SqsManagedSseEnabled": ("true", "false"),
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
ONE_ENCRYPTION = (
    "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE."
)
PERMISSIONS = ("allowAll", "denyAll", "byQueue")


def checked(attributes: dict[str, Any], *, fifo: bool) -> dict[str, str]:
    """Return the attributes of a request as they are kept: switches in lower case.

    Raises:
        AwsError: ``InvalidAttributeName``, ``InvalidAttributeValue`` or ``InvalidParameterValue``.
    """
    kept = {}
    for name, given in attributes.items():
        value = str(given)
        if name in FIFO_DEFAULTS and not fifo:
            _refuse_on_standard(name)
        if name in RANGES:
            _check_range(name, value)
        elif name in CHOICES:
            value = value.lower() if "true" in CHOICES[name] else value
            if value not in CHOICES[name]:
                raise AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")
        elif name in JSON_ATTRIBUTES:
            CHECKS[name](value)
        elif name != "KmsMasterKeyId":
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")
        kept[name] = value
    if kept.get("FifoQueue") == "false":
        raise AwsError(
            "InvalidAttributeValue",
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
        )
    if kept.get("KmsMasterKeyId") and kept.get("SqsManagedSseEnabled") == "true":
        raise AwsError("InvalidAttributeName", ONE_ENCRYPTION)
    return kept


def _refuse_on_standard(name: str) -> None:
    if name in ("DeduplicationScope", "FifoThroughputLimit"):
        raise AwsError("InvalidAttributeName", f"You can specify the {name} only when FifoQueue is set to true.")
    raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")


def _check_range(name: str, value: str) -> None:
    lowest, highest = RANGES[name]
    if not value.isdecimal() or len(value) > 9 or not lowest <= int(value) <= highest:
        raise AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


def changed(before: dict[str, str], asked: dict[str, str]) -> dict[str, str]:
    """Return all attributes of a queue after a change; an empty policy or key is removed.

    Raises:
        AwsError: ``InvalidAttributeValue``: the values do not go together.
    """
    after = before | asked
    if asked.get("KmsMasterKeyId"):
        after["SqsManagedSseEnabled"] = "false"
    elif asked.get("SqsManagedSseEnabled") == "true":
        after.pop("KmsMasterKeyId", None)
    for name in (*JSON_ATTRIBUTES, "KmsMasterKeyId"):
        if after.get(name) == "":
            del after[name]
    if "KmsMasterKeyId" not in after:
        after.pop("KmsDataKeyReusePeriodSeconds", None)
    by_group = after.get("FifoThroughputLimit") == "perMessageGroupId"
    if by_group and after.get("DeduplicationScope") != "messageGroup":
        raise AwsError(
            "InvalidAttributeValue",
            "Invalid value for the parameter FifoThroughputLimit. "
            "Reason: perMessageGroupId goes with the DeduplicationScope messageGroup only.",
        )
    return after


def json_object(text: str) -> dict[str, Any] | None:
    """Read a JSON object, or return ``None``."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _check_policy(value: str) -> None:
    document = {"Statement": []} if value == "" else json_object(value)
    listed = document.get("Statement") if document else None
    statements = listed if isinstance(listed, list) else [listed]
    for statement in statements:
        complete = isinstance(statement, dict) and (
            statement.get("Effect") in ("Allow", "Deny")
            and ("Principal" in statement or "NotPrincipal" in statement)
            and ("Action" in statement or "NotAction" in statement)
        )
        if not complete:
            raise AwsError("InvalidAttributeValue", "Invalid value for the parameter Policy.")


def _check_redrive(value: str) -> None:
    if value == "":
        return
    document = json_object(value)
    if document is None:
        raise _wrong("RedrivePolicy", value, "Redrive policy is not a valid JSON map.")
    for name in ("deadLetterTargetArn", "maxReceiveCount"):
        if document.get(name) in (None, ""):
            raise _wrong("RedrivePolicy", value, f"Redrive policy does not contain mandatory attribute: {name}.")
    if not isinstance(document["deadLetterTargetArn"], str):
        raise _wrong("RedrivePolicy", value, "Invalid value for deadLetterTargetArn.")
    most = str(document["maxReceiveCount"])
    if not most.isdecimal() or len(most) > 9 or not 1 <= int(most) <= 1000:
        raise _wrong(
            "RedrivePolicy",
            value,
            f"Invalid value for maxReceiveCount: {most}, valid values are from 1 to 1000 both inclusive.",
        )


def _check_redrive_allow(value: str) -> None:
    document = {} if value == "" else json_object(value)
    if document is None:
        raise _wrong("RedriveAllowPolicy", value, "Redrive allow policy is not a valid JSON map.")
    permission, arns = document.get("redrivePermission", "allowAll"), document.get("sourceQueueArns")
    if permission not in PERMISSIONS:
        raise _wrong("RedriveAllowPolicy", value, f"redrivePermission is one of {', '.join(PERMISSIONS)}.")
    if (permission == "byQueue") != (arns is not None):
        raise _wrong(
            "RedriveAllowPolicy", value, "sourceQueueArns goes with the redrivePermission byQueue, and only with it."
        )
    if arns is not None and not (
        isinstance(arns, list) and 1 <= len(arns) <= 10 and all(isinstance(arn, str) for arn in arns)
    ):
        raise _wrong("RedriveAllowPolicy", value, "sourceQueueArns is a list of 1 to 10 ARNs.")


def _wrong(name: str, value: str, reason: str) -> AwsError:
    return invalid(f"Value {value} for parameter {name} is invalid. Reason: {reason}")


CHECKS = {"Policy": _check_policy, "RedrivePolicy": _check_redrive, "RedriveAllowPolicy": _check_redrive_allow}


def redrive_of(attributes: dict[str, str]) -> tuple[str, int]:
    """Return the DLQ's ARN (``""`` without one) and how often a message may be received."""
    text = attributes.get("RedrivePolicy")
    return _redrive(text) if text else ("", 0)


@functools.lru_cache(maxsize=256)
def _redrive(text: str) -> tuple[str, int]:
    policy = json.loads(text)
    return str(policy["deadLetterTargetArn"]), int(policy.get("maxReceiveCount", 10))


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
        raise _wrong("RedrivePolicy", value, "Dead letter target does not exist.")
    if dlq_arn.endswith(".fifo") != queue_arn.endswith(".fifo"):
        raise _wrong("RedrivePolicy", value, "Dead-letter queue must be same type of queue as the source..")
    allowed = json.loads(dlq.get("RedriveAllowPolicy", "{}"))
    permission = allowed.get("redrivePermission", "allowAll")
    if permission == "denyAll" or (permission == "byQueue" and queue_arn not in allowed["sourceQueueArns"]):
        raise _wrong(
            "RedrivePolicy", value, "The redrive allow policy of the dead-letter queue does not allow this source."
        )
