"""The JSON in which a message reaches its subscriber.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

from __future__ import annotations

import base64
import uuid
from typing import Any
from urllib.parse import urlencode

from labkit.local.clock import iso_milliseconds

Message = dict[str, Any]  # id, text, subject, attributes, published_at, group_id, deduplication_id, sequence_number


def notification(message: Message, subscription: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Return the envelope; without a signature, since only AWS can sign as AWS."""
    envelope: dict[str, Any] = {"Type": "Notification", "MessageId": message["id"]}
    if message["sequence_number"]:
        envelope["SequenceNumber"] = message["sequence_number"]
    envelope["TopicArn"] = subscription["topic"]
    if message["subject"] is not None:
        envelope["Subject"] = message["subject"]
    envelope["Message"] = message["text"]
    envelope["Timestamp"] = iso_milliseconds(message["published_at"])
    envelope["UnsubscribeURL"] = unsubscribe_url(subscription, base_url)
    if message["attributes"]:
        envelope["MessageAttributes"] = {name: _shown(value) for name, value in message["attributes"].items()}
    return envelope


def confirmation(subscription: dict[str, Any], base_url: str) -> dict[str, str]:
    """Return what an HTTP endpoint gets first: it must open SubscribeURL, or call ConfirmSubscription."""
    text = (
        f"You have chosen to subscribe to the topic {subscription['topic']}.\nTo confirm the subscription, visit the "
    )
    return {
        "Type": "SubscriptionConfirmation",
        "MessageId": str(uuid.uuid4()),
        "Token": subscription["token"],
        "TopicArn": subscription["topic"],
        "Message": text + "SubscribeURL included in this message.",
        "SubscribeURL": subscribe_url(subscription, base_url),
        "Timestamp": iso_milliseconds(subscription["since"]),
    }


def lambda_event(message: Message, subscription: dict[str, Any], base_url: str) -> dict[str, Any]:
    """Return the event for a function: every field is there, and two names are spelled otherwise."""
    envelope = notification(message, subscription, base_url)
    record = {
        "Type": "Notification",
        "MessageId": message["id"],
        "TopicArn": subscription["topic"],
        "Subject": message["subject"],
        "Message": message["text"],
        "Timestamp": envelope["Timestamp"],
        "UnsubscribeUrl": envelope["UnsubscribeURL"],
        "MessageAttributes": envelope.get("MessageAttributes", {}),
    }
    source = {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription["arn"]}
    return {"Records": [{**source, "Sns": record}]}


def subscribe_url(subscription: dict[str, Any], base_url: str) -> str:
    """Return the link that confirms a subscription."""
    names = {"TopicArn": "topic", "Token": "token", "Endpoint": "endpoint"}
    return f"{base_url}/_labkit/sns/confirm?" + urlencode({name: subscription[key] for name, key in names.items()})


def unsubscribe_url(subscription: dict[str, Any], base_url: str) -> str:
    """Return the link that ends a subscription."""
    names = {"SubscriptionArn": "arn", "Endpoint": "endpoint", "Token": "unsubscribe_token"}
    query = urlencode({name: subscription[key] for name, key in names.items()})
    return f"{base_url}/_labkit/sns/unsubscribe?{query}"


def _shown(attribute: dict[str, Any]) -> dict[str, str]:
    binary = attribute.get("BinaryValue")
    value = base64.b64encode(binary).decode() if binary else attribute.get("StringValue")
    return {"Type": attribute["DataType"], "Value": str(value)}
