"""The attributes of a topic: which there are, what they may be, and what SNS adds when they are read.

https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from labkit.local.api_call import ACCOUNT_ID
from labkit.local.sns.errors import invalid

LARGEST_MESSAGE = 262_144
DISPLAY_NAME = re.compile(r"[^\x00-\x1f\x7f]{0,100}")
PLAIN = {"KmsMasterKeyId"}
CHOICES = {
    "SignatureVersion": ("1", "2"),
    "TracingConfig": ("PassThrough", "Active"),
    "ContentBasedDeduplication": ("true", "false"),
    "FifoThroughputScope": ("Topic", "MessageGroup"),
}
FIFO_ONLY = {"ContentBasedDeduplication", "FifoThroughputScope"}
NOT_HERE = re.compile(
    r"(HTTP|Firehose|Lambda|Application|SQS)(Success|Failure)Feedback(RoleArn|SampleRate)|ArchivePolicy"
)
DEFAULT_RETRIES = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
OWNER_ACTIONS = (
    "GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe",
    "ListSubscriptionsByTopic", "Publish",
)  # fmt: skip


def check_topic_attribute(name: str, value: str, *, fifo: bool, reason: str = "") -> None:
    """Refuse an attribute that SNS refuses, or that nothing would act on here.

    Raises:
        AwsError: ``InvalidParameter``; *reason* stands before what is wrong.
    """
    if name == "Policy":
        read_policy(value)
    elif name == "DeliveryPolicy":
        read_delivery_policy(value, reason)
    elif name == "DisplayName":
        if not DISPLAY_NAME.fullmatch(value):
            raise invalid(f"{reason}DisplayName")
    elif name == "MaximumMessageSize":
        _check_message_size(value, reason)
    elif name in CHOICES and (fifo or name not in FIFO_ONLY):
        if value not in CHOICES[name]:
            raise invalid(f"{reason}{name}: Invalid value [{value}]. Must be {' or '.join(CHOICES[name])}.")
    elif NOT_HERE.fullmatch(name):
        raise invalid(f"{reason}the local cloud does not support the topic attribute {name}")
    elif name not in PLAIN:
        raise invalid(reason.removesuffix(": ") if reason else "AttributeName")


def _check_message_size(value: str, reason: str) -> None:
    if not value.isdecimal() or len(value) > 9 or not 1024 <= int(value) <= 4 * LARGEST_MESSAGE:
        raise invalid(f"{reason}MaximumMessageSize: Invalid value [{value}]. Must be 1024 to {4 * LARGEST_MESSAGE}.")
    if int(value) > LARGEST_MESSAGE:
        raise invalid(f"{reason}the local cloud publishes messages of up to {LARGEST_MESSAGE} bytes")


def read_policy(text: str) -> dict[str, Any]:
    """Return a topic's policy.

    Raises:
        AwsError: ``InvalidParameter``.
    """
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict) or not isinstance(policy.get("Statement"), list | dict):
        raise invalid("Policy Error: null")
    return policy


def read_delivery_policy(text: str, reason: str = "") -> dict[str, Any]:
    """Return a delivery policy, ``{}`` for none.

    Raises:
        AwsError: ``InvalidParameter``.
    """
    try:
        policy: dict[str, Any] = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise invalid(f"{reason}DeliveryPolicy: failed to parse JSON. {error}") from None
    http = policy.get("http", {}) if isinstance(policy, dict) else None
    if not isinstance(http, dict) or not isinstance(http.get("defaultRequestPolicy", {}), dict):
        raise invalid(f"{reason}DeliveryPolicy: it must be an object")
    _check_retries(policy.get("healthyRetryPolicy", {}), reason)
    _check_retries(http.get("defaultHealthyRetryPolicy", {}), reason)
    return policy


def _check_retries(retries: Any, reason: str) -> None:
    """Refuse retries that are no numbers, too many or too far apart (one hour, a hundred)."""
    if not isinstance(retries, dict):
        raise invalid(f"{reason}DeliveryPolicy: the retry policy must be an object")
    numbers = {name: value for name, value in retries.items() if name != "backoffFunction"}
    for name, value in numbers.items():
        least, most = (1, 3600) if name in ("minDelayTarget", "maxDelayTarget") else (0, 100)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise invalid(f"{reason}DeliveryPolicy: {name} must be a number from {least} to {most}")


def effective_delivery_policy(attributes: dict[str, str]) -> str:
    """Return what counts for HTTP endpoints: SNS's defaults, and the topic's own policy over them."""
    given = read_delivery_policy(attributes.get("DeliveryPolicy", "")).get("http", {})
    http = {
        "defaultHealthyRetryPolicy": DEFAULT_RETRIES | given.get("defaultHealthyRetryPolicy", {}),
        "disableSubscriptionOverrides": given.get("disableSubscriptionOverrides", False),
        "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"}
        | given.get("defaultRequestPolicy", {}),
    }
    return json.dumps({"http": http}, separators=(",", ":"))


def owner_policy(arn: str) -> str:
    """Return the policy of a new topic: its account may do everything with it."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in OWNER_ACTIONS],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT_ID}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})
