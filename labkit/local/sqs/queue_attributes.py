"""What a queue may be called, and which values its attributes may have.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

from __future__ import annotations

import re
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.sqs.errors import invalid
from labkit.local.sqs.fifo import FIFO_DEFAULTS
from labkit.local.sqs.redrive_policy import check_redrive, check_redrive_allow, json_object

NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
RANGES = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
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


def check_name(name: str, *, fifo: bool) -> None:
    """Refuse a name that a new queue cannot have.

    Raises:
        AwsError: ``InvalidParameterValue``.
    """
    if fifo and not (name.endswith(".fifo") and NAME.fullmatch(name[:-5] + "_fifo")):
        raise invalid(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
            "must end with .fifo suffix and be 1 to 80 in length."
        )
    if not fifo and not NAME.fullmatch(name):
        raise invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")


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
        elif name in CHECKS:
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
    for name in (*CHECKS, "KmsMasterKeyId"):
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


CHECKS = {"Policy": _check_policy, "RedrivePolicy": check_redrive, "RedriveAllowPolicy": check_redrive_allow}
