"""Subscriptions to topics, the confirmation of an e-mail address, and the pages that mails link to.

https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
"""

from __future__ import annotations

import html
import re
import secrets
import uuid
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError, HttpRequest, HttpResponse
from labkit.local.clock import Clock
from labkit.local.inbox_page import page

EMAIL = re.compile(r"[^@\s<>\"',;]+@[^@\s<>\"',;]+")
TOKEN_SECONDS = 172_800
PROTOCOLS = ("email", "email-json", "sqs", "lambda")
PENDING = "PendingConfirmation"


class Subscriptions:
    """The subscriptions of all topics, *by_arn*. One with a ``token`` still waits for its confirmation."""

    def __init__(
        self,
        *,
        topic: Callable[[Any], dict[str, Any]],
        ask: Callable[[dict[str, Any], dict[str, Any]], None],
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
            "ListSubscriptions": lambda call: {"Subscriptions": [_listed(s) for s in self.by_arn.values()]},
            "ListSubscriptionsByTopic": self.list_subscriptions_by_topic,
            "GetSubscriptionAttributes": lambda call: {"Attributes": _attributes(self._subscription(call))},
            "SetSubscriptionAttributes": self.set_subscription_attributes,
        }

    def of_topic(self, topic_arn: str) -> list[dict[str, Any]]:
        """Return the subscriptions of a topic, confirmed or not."""
        return [subscription for subscription in self.by_arn.values() if subscription["topic"] == topic_arn]

    def forget_topic(self, topic_arn: str) -> None:
        """End the subscriptions of a topic that was deleted."""
        for subscription in self.of_topic(topic_arn):
            del self.by_arn[subscription["arn"]]

    def pending(self) -> int:
        """Count the subscriptions that wait for their confirmation."""
        return sum(bool(subscription["token"]) for subscription in self.by_arn.values())

    def subscribe(self, call: ApiCall) -> dict[str, Any]:
        """Subscribe an endpoint; an e-mail address must confirm first."""
        topic, protocol, endpoint = (
            self._topic(call.params.get("TopicArn")),
            call.params.get("Protocol"),
            str(call.params.get("Endpoint") or ""),
        )
        if protocol not in PROTOCOLS:
            raise AwsError(
                "InvalidParameter",
                f"Invalid parameter: the local cloud delivers to {', '.join(PROTOCOLS)}; Protocol was {protocol!r}",
            )
        if protocol.startswith("email") and not EMAIL.fullmatch(endpoint):
            raise AwsError("InvalidParameter", "Invalid parameter: Email address")
        if not protocol.startswith("email") and not endpoint.startswith(f"arn:aws:{protocol}:"):
            raise AwsError("InvalidParameter", f"Invalid parameter: {protocol.upper()} endpoint ARN")
        for name in call.params.get("Attributes") or {}:
            _check_attribute(name)
        key = (topic["arn"], protocol, endpoint)
        existing = next((s for s in self.by_arn.values() if (s["topic"], s["protocol"], s["endpoint"]) == key), None)
        subscription = existing or {
            "arn": f"{topic['arn']}:{uuid.uuid4()}",
            "topic": topic["arn"],
            "protocol": protocol,
            "endpoint": endpoint,
            "token": secrets.token_hex(48) if protocol.startswith("email") else "",
            "unsubscribe_token": secrets.token_hex(24),
            "since": self._clock.now(),
            "attributes": dict(call.params.get("Attributes") or {}),
        }
        self.by_arn[subscription["arn"]] = subscription
        if subscription["token"]:
            self._ask(topic, subscription)
            shown = subscription["arn"] if call.params.get("ReturnSubscriptionArn") else "pending confirmation"
            return {"SubscriptionArn": shown}
        return {"SubscriptionArn": subscription["arn"]}

    def confirm_subscription(self, call: ApiCall) -> dict[str, Any]:
        """Confirm by the token of the mail."""
        confirmed = self._confirm(str(call.params.get("TopicArn")), str(call.params.get("Token") or ""))
        return {"SubscriptionArn": confirmed["arn"]}

    def _confirm(self, topic_arn: str, token: str) -> dict[str, Any]:
        for subscription in self.by_arn.values():
            kept = subscription["token"] or subscription.get("used_token", "")
            if subscription["topic"] == topic_arn and token and secrets.compare_digest(kept.encode(), token.encode()):
                if subscription["token"] and self._clock.now() - subscription["since"] > TOKEN_SECONDS:
                    raise AwsError("InvalidParameter", "Invalid parameter: Token has expired")
                subscription["used_token"], subscription["token"] = token, ""
                return subscription
        raise AwsError("InvalidParameter", "Invalid parameter: Token")

    def unsubscribe(self, call: ApiCall) -> None:
        """End a subscription; one that is still pending cannot be ended."""
        arn = str(call.params.get("SubscriptionArn") or "")
        if arn.count(":") != 6:
            raise AwsError(
                "InvalidParameter",
                "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1",
            )
        self.by_arn.pop(arn, None)

    def list_subscriptions_by_topic(self, call: ApiCall) -> dict[str, Any]:
        """List the subscriptions of a topic."""
        arn = self._topic(call.params.get("TopicArn"))["arn"]
        return {"Subscriptions": [_listed(subscription) for subscription in self.of_topic(arn)]}

    def set_subscription_attributes(self, call: ApiCall) -> None:
        """Set RawMessageDelivery or RedrivePolicy."""
        name = call.params.get("AttributeName")
        _check_attribute(str(name))
        self._subscription(call)["attributes"][name] = call.params.get("AttributeValue")

    async def confirm_page(self, request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        """Confirm a subscription for the person who opened the mailed link."""
        try:
            subscription = self._confirm(query.get("TopicArn", ""), query.get("Token", ""))
        except AwsError:
            return _page(
                404, "This link confirms nothing", "It is not complete, has expired, or its subscription is gone."
            )
        return _page(
            200,
            "Subscription confirmed!",
            f"You have subscribed {subscription['endpoint']} to the topic {subscription['topic']}. "
            f"Your subscription's id is: {subscription['arn']}",
        )

    async def unsubscribe_page(self, request: HttpRequest, query: dict[str, str]) -> HttpResponse:
        """End a subscription for the person who opened the mailed link."""
        subscription = self.by_arn.get(query.get("SubscriptionArn", ""))
        token = query.get("Token", "")
        if subscription is None or not secrets.compare_digest(
            subscription["unsubscribe_token"].encode(), token.encode()
        ):
            return _page(
                404, "This link ends no subscription", "It is not complete, or the subscription is gone already."
            )
        del self.by_arn[subscription["arn"]]
        return _page(
            200,
            "Subscription removed!",
            f"{subscription['endpoint']} gets no more mails of the topic {subscription['topic']}.",
        )

    def _subscription(self, call: ApiCall) -> dict[str, Any]:
        arn = call.params.get("SubscriptionArn")
        if arn not in self.by_arn:
            raise AwsError("NotFound", "Subscription does not exist", 404)
        return self.by_arn[str(arn)]


def _check_attribute(name: str) -> None:
    if name not in ("RawMessageDelivery", "RedrivePolicy"):
        raise AwsError(
            "InvalidParameter",
            f"Invalid parameter: the local cloud does not support the subscription attribute {name} yet",
        )


def _listed(subscription: dict[str, Any]) -> dict[str, str]:
    return {
        "SubscriptionArn": PENDING if subscription["token"] else subscription["arn"],
        "Owner": ACCOUNT_ID,
        "Protocol": subscription["protocol"],
        "Endpoint": subscription["endpoint"],
        "TopicArn": subscription["topic"],
    }


def _attributes(subscription: dict[str, Any]) -> dict[str, str]:
    return {
        "SubscriptionArn": subscription["arn"],
        "TopicArn": subscription["topic"],
        "Protocol": subscription["protocol"],
        "Endpoint": subscription["endpoint"],
        "Owner": ACCOUNT_ID,
        "PendingConfirmation": "true" if subscription["token"] else "false",
        "ConfirmationWasAuthenticated": "false",
        "RawMessageDelivery": "false",
        **subscription["attributes"],
    }


def _page(status: int, title: str, text: str) -> HttpResponse:
    content = page(title, f"<h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>")
    return HttpResponse(status, content.encode(), {"Content-Type": "text/html; charset=utf-8"})
