"""Subscriptions to topics, and the confirmation of an address.

https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.sns.errors import invalid
from labkit.local.sns.http_endpoint import check_url
from labkit.local.sns.subscription_attributes import read_attributes, same_attributes, set_attribute, shown_attributes
from labkit.local.sns.topics import check_arn, page_of

EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,255}")
TOKEN = re.compile(r"[0-9a-f]{64,512}")
ENDPOINT_ARN = re.compile(r"arn:aws:(sqs:[a-z0-9-]+:\d{12}|lambda:[a-z0-9-]+:\d{12}:function):\S+")
TOKEN_SECONDS = 172_800
PROTOCOLS = ("email", "email-json", "http", "https", "sqs", "lambda")
NOT_HERE = ("sms", "application", "firehose")
PENDING = "PendingConfirmation"


class Subscriptions:
    """The subscriptions of all topics, *by_arn*. One with a ``token`` still waits for its confirmation."""

    def __init__(
        self,
        *,
        topic: Callable[[ApiCall], dict[str, Any]],
        ask: Callable[[dict[str, Any]], None],
        clock: Clock,
    ) -> None:
        self._topic, self._ask, self._clock = topic, ask, clock
        self.by_arn: dict[str, dict[str, Any]] = {}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "Subscribe": self.subscribe,
            "ConfirmSubscription": self.confirm_subscription,
            "Unsubscribe": self.unsubscribe,
            "ListSubscriptions": self.list_subscriptions,
            "ListSubscriptionsByTopic": self.list_subscriptions_by_topic,
            "GetSubscriptionAttributes": lambda call: {"Attributes": shown_attributes(self._subscription(call))},
            "SetSubscriptionAttributes": self.set_subscription_attributes,
        }

    def of_topic(self, topic_arn: str) -> list[dict[str, Any]]:
        """Return the subscriptions of a topic, confirmed or not."""
        return [subscription for subscription in self._all() if subscription["topic"] == topic_arn]

    def _all(self) -> list[dict[str, Any]]:
        """Return all subscriptions, once those are forgotten that nobody has confirmed in two days."""
        oldest = self._clock.now() - TOKEN_SECONDS
        for arn in [arn for arn, one in self.by_arn.items() if one["token"] and one["since"] < oldest]:
            self.end(arn)
        return list(self.by_arn.values())

    def count(self, topic_arn: str) -> tuple[int, int]:
        """Count the confirmed and the pending subscriptions of a topic."""
        mine = self.of_topic(topic_arn)
        return sum(not s["token"] for s in mine), sum(bool(s["token"]) for s in mine)

    def forget_topic(self, topic_arn: str) -> None:
        """End the subscriptions of a topic that was deleted."""
        for subscription in self.of_topic(topic_arn):
            self.end(subscription["arn"])

    def end(self, arn: str) -> None:
        """End a subscription."""
        self.by_arn.pop(arn, None)

    def pending(self) -> int:
        """Count the subscriptions that wait for their confirmation."""
        return sum(bool(subscription["token"]) for subscription in self.by_arn.values())

    def subscribe(self, call: ApiCall) -> dict[str, Any]:
        """Subscribe an endpoint; a person and a URL must confirm first."""
        topic, protocol = self._topic(call), str(call.params.get("Protocol") or "")
        endpoint, fifo = str(call.params.get("Endpoint") or ""), "FifoTopic" in topic["attributes"]
        _check_endpoint(protocol, endpoint, fifo=fifo)
        attributes = read_attributes(call.params.get("Attributes") or {}, protocol, fifo=fifo)
        mine = self.of_topic(topic["arn"])
        existing = next((s for s in mine if (s["protocol"], s["endpoint"]) == (protocol, endpoint)), None)
        if existing and not same_attributes(existing["attributes"], attributes):
            raise invalid("Attributes Reason: Subscription already exists with different attributes")
        confirmed = protocol in ("sqs", "lambda")
        subscription = existing or {
            "arn": f"{topic['arn']}:{uuid.uuid4()}",
            "topic": topic["arn"],
            "protocol": protocol,
            "endpoint": endpoint,
            "token": "" if confirmed else secrets.token_hex(72),
            "used_token": "",
            "unsubscribe_token": secrets.token_hex(24),
            "since": self._clock.now(),
            "principal": call.caller.role_arn or call.caller.arn,
            "authenticated": confirmed,
            "authenticate_on_unsubscribe": False,
            "attributes": attributes,
        }
        self.by_arn[subscription["arn"]] = subscription
        if not subscription["token"]:
            return {"SubscriptionArn": subscription["arn"]}
        self._ask(subscription)
        shown = subscription["arn"] if call.params.get("ReturnSubscriptionArn") else "pending confirmation"
        return {"SubscriptionArn": shown}

    def confirm_subscription(self, call: ApiCall) -> dict[str, Any]:
        """Confirm by the token of the mail, by a signed call: so it can ask for one to unsubscribe, too."""
        topic_arn, token = str(call.params.get("TopicArn") or ""), str(call.params.get("Token") or "")
        check_arn(topic_arn, "TopicArn")
        if not TOKEN.fullmatch(token):
            raise AwsError("InvalidParameter", "Invalid token")
        pending = next((s for s in self.by_arn.values() if s["token"] == token), None)
        subscription = self.confirm(topic_arn, token)
        if pending is subscription:
            subscription["authenticated"] = True
            wanted = str(call.params.get("AuthenticateOnUnsubscribe") or "")
            subscription["authenticate_on_unsubscribe"] = wanted.lower() == "true"
        return {"SubscriptionArn": subscription["arn"]}

    def confirm(self, topic_arn: str, token: str) -> dict[str, Any]:
        """Confirm a subscription and return it; the same token twice is fine.

        Raises:
            AwsError: ``InvalidParameter``.
        """
        for subscription in self.by_arn.values():
            kept = subscription["token"] or subscription["used_token"]
            if subscription["topic"] == topic_arn and token and secrets.compare_digest(kept.encode(), token.encode()):
                if subscription["token"] and self._clock.now() - subscription["since"] > TOKEN_SECONDS:
                    raise invalid("Token has expired")
                subscription["used_token"], subscription["token"] = token, ""
                return subscription
        raise invalid("Token")

    def of_link(self, arn: str, token: str) -> dict[str, Any] | None:
        """Find the subscription of a link to unsubscribe, or ``None``."""
        found = self.by_arn.get(arn)
        right = found is not None and secrets.compare_digest(found["unsubscribe_token"].encode(), token.encode())
        return found if right else None

    def unsubscribe(self, call: ApiCall) -> None:
        """End a subscription; one that is not there is ended already."""
        arn = str(call.params.get("SubscriptionArn") or "")
        if not arn:
            raise invalid("SubscriptionArn Reason: no value for required parameter")
        check_arn(arn, "SubscriptionArn")
        if arn.count(":") != 6:
            raise invalid("SubscriptionId")
        self.end(arn)

    def list_subscriptions(self, call: ApiCall) -> dict[str, Any]:
        """List the subscriptions of the region, in pages of 100."""
        return self._page(call, [s["arn"] for s in self._all() if s["arn"].split(":")[3] == call.region])

    def list_subscriptions_by_topic(self, call: ApiCall) -> dict[str, Any]:
        """List the subscriptions of a topic, in pages of 100."""
        return self._page(call, [subscription["arn"] for subscription in self.of_topic(self._topic(call)["arn"])])

    def _page(self, call: ApiCall, arns: list[str]) -> dict[str, Any]:
        page, more = page_of(arns, call.params.get("NextToken"))
        return {"Subscriptions": [_listed(self.by_arn[arn]) for arn in page], **more}

    def set_subscription_attributes(self, call: ApiCall) -> None:
        """Change one attribute."""
        subscription, name = self._subscription(call), str(call.params.get("AttributeName") or "")
        fifo = subscription["topic"].endswith(".fifo")
        set_attribute(subscription, name, str(call.params.get("AttributeValue") or ""), fifo=fifo)

    def _subscription(self, call: ApiCall) -> dict[str, Any]:
        arn = str(call.params.get("SubscriptionArn") or "")
        check_arn(arn, "SubscriptionArn")
        if arn not in self.by_arn:
            raise AwsError("NotFound", "Subscription does not exist", 404)
        return self.by_arn[arn]


def _check_endpoint(protocol: str, endpoint: str, *, fifo: bool) -> None:
    if protocol in NOT_HERE:
        raise invalid(f"the local cloud delivers to {', '.join(PROTOCOLS)}; it does not deliver to {protocol}")
    if protocol not in PROTOCOLS:
        raise invalid(f"Amazon SNS does not support this protocol string: {protocol}")
    if fifo and protocol != "sqs":
        raise invalid(f"Invalid parameter: Endpoint Reason: a FIFO topic delivers to SQS queues, not to {protocol}")
    if protocol in ("http", "https"):
        check_url(protocol, endpoint)
    elif protocol.startswith("email"):
        if not EMAIL.fullmatch(endpoint):
            raise invalid("Email address")
    elif not endpoint.startswith(f"arn:aws:{protocol}:") or not ENDPOINT_ARN.fullmatch(endpoint):
        raise invalid(f"{'SQS' if protocol == 'sqs' else 'Lambda'} endpoint ARN")
    elif endpoint.endswith(".fifo") and not fifo:
        text = "Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"
        raise invalid(f"Invalid parameter: {text}")


def _listed(subscription: dict[str, Any]) -> dict[str, str]:
    return {
        "SubscriptionArn": PENDING if subscription["token"] else subscription["arn"],
        "Owner": ACCOUNT_ID,
        "Protocol": subscription["protocol"],
        "Endpoint": subscription["endpoint"],
        "TopicArn": subscription["topic"],
    }
