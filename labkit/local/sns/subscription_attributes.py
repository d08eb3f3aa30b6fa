"""The attributes of a subscription: what they may be, and what SNS adds when they are read.

https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from labkit.local.api_call import ACCOUNT_ID
from labkit.local.sns.errors import invalid
from labkit.local.sns.filter_policy import ATTRIBUTES, BODY, check_filter_policy
from labkit.local.sns.topic_attributes import read_delivery_policy

QUEUE_ARN = re.compile(r"arn:aws:sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]+")
RAW_PROTOCOLS = ("sqs", "http", "https")
DEFAULTS = {"RawMessageDelivery": "false", "FilterPolicyScope": ATTRIBUTES}
NOT_HERE = ("ReplayPolicy", "SubscriptionRoleArn")


def read_attributes(given: dict[str, Any], protocol: str, *, fifo: bool) -> dict[str, str]:
    """Return the attributes of a new subscription as they are kept.

    Raises:
        AwsError: ``InvalidParameter``.
    """
    read = {str(name): _spelled(str(name), str(value)) for name, value in given.items()}
    for name in read:
        check_attribute(name, read, protocol, fifo=fifo, reason="Attributes Reason: ")
    return {name: value for name, value in read.items() if not _unset(name, value)}


def set_attribute(subscription: dict[str, Any], name: str, value: str, *, fifo: bool) -> None:
    """Change one attribute; an empty policy removes it.

    Raises:
        AwsError: ``InvalidParameter``.
    """
    changed = {**subscription["attributes"], name: _spelled(name, value)}
    check_attribute(name, changed, subscription["protocol"], fifo=fifo)
    if _unset(name, value):
        del changed[name]
    subscription["attributes"] = changed


def check_attribute(name: str, attributes: dict[str, str], protocol: str, *, fifo: bool, reason: str = "") -> None:
    """Refuse an attribute that SNS refuses; *attributes* has it, and the others beside it."""
    value = attributes[name]
    if name == "RawMessageDelivery":
        if value not in ("true", "false"):
            raise invalid(f"{reason}RawMessageDelivery: Invalid value [{value}]. Must be true or false.")
        if value == "true" and protocol not in RAW_PROTOCOLS:
            raise invalid(f"{reason}Delivery protocol [{protocol}] does not support raw message delivery.")
    elif name in ("FilterPolicy", "FilterPolicyScope"):
        _check_filter(attributes, reason)
    elif name == "RedrivePolicy":
        _check_redrive(value, reason, fifo=fifo)
    elif name == "DeliveryPolicy":
        read_delivery_policy(value, reason)
    elif name in NOT_HERE:
        raise invalid(f"{reason}the local cloud does not support the subscription attribute {name}")
    else:
        raise invalid("AttributeName" if not reason else f"{reason}Unknown attribute name: {name}")


def same_attributes(existing: dict[str, str], given: dict[str, str]) -> bool:
    """Whether a second Subscribe asks for nothing that is not there already."""
    return all(existing.get(name, DEFAULTS.get(name)) == value for name, value in given.items())


def shown_attributes(subscription: dict[str, Any]) -> dict[str, str]:
    """Return what GetSubscriptionAttributes tells."""
    kept = dict(subscription["attributes"])
    scope = kept.pop("FilterPolicyScope", ATTRIBUTES)
    return {
        "SubscriptionArn": subscription["arn"],
        "TopicArn": subscription["topic"],
        "Protocol": subscription["protocol"],
        "Endpoint": subscription["endpoint"],
        "Owner": ACCOUNT_ID,
        "SubscriptionPrincipal": subscription["principal"],
        "PendingConfirmation": "true" if subscription["token"] else "false",
        "ConfirmationWasAuthenticated": "true" if subscription["authenticated"] else "false",
        "RawMessageDelivery": "false",
        **kept,
        **({"FilterPolicyScope": scope} if "FilterPolicy" in kept else {}),
    }


def _check_filter(attributes: dict[str, str], reason: str) -> None:
    scope, policy = attributes.get("FilterPolicyScope", ATTRIBUTES), attributes.get("FilterPolicy", "")
    if scope not in (ATTRIBUTES, BODY):
        text = f"Invalid value [{scope}]. Please use either MessageBody or MessageAttributes"
        raise invalid(f"{reason}FilterPolicyScope: {text}")
    if not _unset("FilterPolicy", policy):
        check_filter_policy(policy, scope, reason)


def _check_redrive(text: str, reason: str, *, fifo: bool) -> None:
    if _unset("RedrivePolicy", text):
        return
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid(f"{reason}RedrivePolicy: failed to parse JSON. {error}") from None
    arn = str(policy.get("deadLetterTargetArn")) if isinstance(policy, dict) else ""
    if not QUEUE_ARN.fullmatch(arn):
        raise invalid(f"{reason}RedrivePolicy: deadLetterTargetArn is an invalid arn")
    if fifo and not arn.endswith(".fifo"):
        text = "must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
        raise invalid(f"{reason}RedrivePolicy: {text}")


def _spelled(name: str, value: str) -> str:
    return value.lower() if name == "RawMessageDelivery" and value.lower() in ("true", "false") else value


def _unset(name: str, value: str) -> bool:
    """Whether a value takes a policy away."""
    return name in ("FilterPolicy", "RedrivePolicy", "DeliveryPolicy") and value.strip() in ("", "{}")
