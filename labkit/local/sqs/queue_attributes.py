"""Which values the attributes of a queue may have.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
"""

from __future__ import annotations

import json

from labkit.local.api_call import AwsError

RANGES = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
}
JSON_ATTRIBUTES = ("Policy", "RedrivePolicy", "RedriveAllowPolicy")
OTHERS = ("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled")


def check_attributes(attributes: dict[str, str]) -> None:
    """Refuse attributes that SQS refuses.

    Raises:
        AwsError: ``InvalidAttributeName`` or ``InvalidAttributeValue``.
    """
    for name, value in attributes.items():
        if name in RANGES:
            lowest, highest = RANGES[name]
            if not value.isdecimal() or not lowest <= int(value) <= highest:
                raise AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")
        elif name in JSON_ATTRIBUTES:
            _check_json(name, value)
        elif name not in OTHERS:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")


def _check_json(name: str, value: str) -> None:
    if value == "":
        return
    try:
        document = json.loads(value)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise AwsError(
            "InvalidAttributeValue",
            f"Value {value} for parameter {name} is invalid. Reason: Amazon SQS can't parse it as JSON.",
        )
    if name == "RedrivePolicy":
        arn, most = str(document.get("deadLetterTargetArn", "")), str(document.get("maxReceiveCount", "10"))
        if not arn:
            reason = "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."
        elif not most.isdecimal() or not 1 <= int(most) <= 1000:
            reason = f"Invalid value for maxReceiveCount: {most}, valid values are from 1 to 1000 both inclusive."
        else:
            return
        raise AwsError(
            "InvalidParameterValue", f"Value {value} for parameter RedrivePolicy is invalid. Reason: {reason}"
        )


def redrive_of(attributes: dict[str, str]) -> tuple[str, int]:
    """Return the DLQ's ARN (``""`` without one) and how often a message may be received."""
    text = attributes.get("RedrivePolicy")
    if not text:
        return "", 0
    policy = json.loads(text)
    return str(policy["deadLetterTargetArn"]), int(policy.get("maxReceiveCount", 10))
