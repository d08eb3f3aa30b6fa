"""Amazon SNS: topics, subscriptions, and delivery to queues, functions and e-mail addresses.

https://docs.aws.amazon.com/sns/latest/api/
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import secrets
import uuid
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError, HttpRequest, HttpResponse
from labkit.local.clock import Clock
from labkit.local.inbox_page import page
from labkit.local.policy import allows_principal
from labkit.local.sns.email import SENDER, confirmation_mail, notification_mail

NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
EMAIL = re.compile(r"[^@\s<>\"',;]+@[^@\s<>\"',;]+")
LARGEST = 262_144
TOKEN_SECONDS = 172_800
PROTOCOLS = ("email", "email-json", "sqs", "lambda")
RETRIES = (10, 10, *(min(600, 10 * 2**n) for n in range(10)), *(600 for _ in range(38)))
PENDING = "PendingConfirmation"


class Sns:
    """Standard topics."""

    def __init__(
        self,
        *,
        send_mail: Callable[[str, str, bytes], Awaitable[None]],
        send_to_queue: Callable[..., Awaitable[str]],
        queue_policy: Callable[[str], dict[str, Any] | None],
        invoke_event: Callable[..., str],
        permits: Callable[..., bool],
        public_url: Callable[[], str],
        clock: Clock,
        emit: Callable[..., None],
    ) -> None:
        self._send_mail, self._send_to_queue, self._queue_policy = send_mail, send_to_queue, queue_policy
        self._invoke_event, self._permits, self._public_url = invoke_event, permits, public_url
        self._clock, self._emit = clock, emit
        self._topics: dict[str, dict[str, Any]] = {}
        self._subscriptions: dict[str, dict[str, Any]] = {}
        self._deliveries: dict[asyncio.Task[None], dict[str, Any]] = {}

    def description(self) -> dict[str, int]:
        """Count the topics, the confirmed and the pending subscriptions, for the health page."""
        pending = sum(bool(subscription["token"]) for subscription in self._subscriptions.values())
        return {"topics": len(self._topics), "subscriptions": len(self._subscriptions) - pending, "pending": pending}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "CreateTopic": self.create_topic,
            "DeleteTopic": self.delete_topic,
            "ListTopics": lambda call: {
                "Topics": [{"TopicArn": arn} for arn in self._topics if arn.split(":")[3] == call.region]
            },
            "GetTopicAttributes": self.get_topic_attributes,
            "SetTopicAttributes": self.set_topic_attributes,
            "Subscribe": self.subscribe,
            "ConfirmSubscription": self.confirm_subscription,
            "Unsubscribe": self.unsubscribe,
            "ListSubscriptions": lambda call: {"Subscriptions": [_listed(s) for s in self._subscriptions.values()]},
            "ListSubscriptionsByTopic": self.list_subscriptions_by_topic,
            "GetSubscriptionAttributes": lambda call: {"Attributes": self._attributes(self._subscription(call))},
            "SetSubscriptionAttributes": self.set_subscription_attributes,
            "Publish": self.publish,
            "TagResource": self.tag_resource,
            "ListTagsForResource": lambda call: {"Tags": self._topic(call.params.get("ResourceArn"))["tags"]},
        }

    # --- Topics -------------------------------------------------------------------------------------------------------

    def create_topic(self, call: ApiCall) -> dict[str, Any]:
        """Create a topic, or return the one with this name."""
        name = str(call.params.get("Name") or "")
        attributes = dict(call.params.get("Attributes") or {})
        if name.endswith(".fifo") or attributes.get("FifoTopic") == "true":
            raise AwsError("InvalidParameter", "Invalid parameter: the local cloud has standard topics only.")
        if not NAME.fullmatch(name):
            raise AwsError("InvalidParameter", "Invalid parameter: Topic Name")
        arn = f"arn:aws:sns:{call.region}:{ACCOUNT_ID}:{name}"
        if arn not in self._topics:
            self._topics[arn] = {
                "arn": arn,
                "attributes": {"DisplayName": "", "Policy": _owner_policy(arn), **attributes},
                "tags": list(call.params.get("Tags") or []),
            }
        return {"TopicArn": arn}

    def delete_topic(self, call: ApiCall) -> None:
        """Delete a topic and its subscriptions."""
        arn = str(call.params.get("TopicArn"))
        self._topics.pop(arn, None)
        self._subscriptions = {key: s for key, s in self._subscriptions.items() if s["topic"] != arn}

    def get_topic_attributes(self, call: ApiCall) -> dict[str, Any]:
        """Return a topic's attributes."""
        topic = self._topic(call.params.get("TopicArn"))
        mine = [s for s in self._subscriptions.values() if s["topic"] == topic["arn"]]
        counts = {
            "SubscriptionsConfirmed": sum(not s["token"] for s in mine),
            "SubscriptionsPending": sum(bool(s["token"]) for s in mine),
        }
        return {
            "Attributes": {
                "TopicArn": topic["arn"],
                "Owner": ACCOUNT_ID,
                "SubscriptionsDeleted": "0",
                **{name: str(value) for name, value in counts.items()},
                **topic["attributes"],
            }
        }

    def set_topic_attributes(self, call: ApiCall) -> None:
        """Set one attribute; a policy replaces the whole policy."""
        topic, name, value = (
            self._topic(call.params.get("TopicArn")),
            call.params.get("AttributeName"),
            call.params.get("AttributeValue") or "",
        )
        if name == "Policy":
            try:
                if not isinstance(json.loads(value), dict):
                    raise ValueError
            except ValueError:
                raise AwsError("InvalidParameter", "Invalid parameter: Policy Error: null") from None
        elif name not in ("DisplayName", "DeliveryPolicy", "KmsMasterKeyId", "TracingConfig", "SignatureVersion"):
            raise AwsError("InvalidParameter", f"Invalid parameter: AttributeName {name}")
        topic["attributes"][name] = value

    def tag_resource(self, call: ApiCall) -> None:
        """Add tags to a topic."""
        topic = self._topic(call.params.get("ResourceArn"))
        given = {tag["Key"]: tag for tag in call.params.get("Tags") or []}
        topic["tags"] = [tag for tag in topic["tags"] if tag["Key"] not in given] + list(given.values())

    # --- Subscriptions ------------------------------------------------------------------------------------------------

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
        existing = next(
            (s for s in self._subscriptions.values() if (s["topic"], s["protocol"], s["endpoint"]) == key), None
        )
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
        self._subscriptions[subscription["arn"]] = subscription
        if subscription["token"]:
            mail = confirmation_mail(
                topic["arn"], topic["attributes"]["DisplayName"], endpoint, subscription["token"], self._public_url()
            )
            self._begin({"to": endpoint, "mail": mail})
            shown = subscription["arn"] if call.params.get("ReturnSubscriptionArn") else "pending confirmation"
            return {"SubscriptionArn": shown}
        return {"SubscriptionArn": subscription["arn"]}

    def confirm_subscription(self, call: ApiCall) -> dict[str, Any]:
        """Confirm by the token of the mail."""
        return {
            "SubscriptionArn": self._confirm(str(call.params.get("TopicArn")), str(call.params.get("Token") or ""))[
                "arn"
            ]
        }

    def _confirm(self, topic_arn: str, token: str) -> dict[str, Any]:
        for subscription in self._subscriptions.values():
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
        self._subscriptions.pop(arn, None)

    def list_subscriptions_by_topic(self, call: ApiCall) -> dict[str, Any]:
        """List the subscriptions of a topic."""
        arn = self._topic(call.params.get("TopicArn"))["arn"]
        return {"Subscriptions": [_listed(s) for s in self._subscriptions.values() if s["topic"] == arn]}

    def set_subscription_attributes(self, call: ApiCall) -> None:
        """Set RawMessageDelivery or RedrivePolicy."""
        name = call.params.get("AttributeName")
        _check_attribute(str(name))
        self._subscription(call)["attributes"][name] = call.params.get("AttributeValue")

    @staticmethod
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

    # --- Publishing ---------------------------------------------------------------------------------------------------

    def publish(self, call: ApiCall) -> dict[str, Any]:
        """Publish a message to a topic."""
        params = call.params
        topic, message, subject = (
            self._topic(params.get("TopicArn") or params.get("TargetArn")),
            params.get("Message") or "",
            params.get("Subject"),
        )
        if not message:
            raise AwsError("InvalidParameter", "Invalid parameter: Empty message")
        if len(message.encode()) > LARGEST:
            raise AwsError("InvalidParameter", "Invalid parameter: Message too long")
        if subject is not None and (not 0 < len(subject) < 100 or "\n" in subject):
            raise AwsError("InvalidParameter", "Invalid parameter: Subject")
        if params.get("MessageStructure"):
            raise AwsError(
                "InvalidParameter", "Invalid parameter: the local cloud does not support MessageStructure yet"
            )
        return {"MessageId": self._fan_out(topic, message, subject, params.get("MessageAttributes") or {})}

    async def publish_from_service(self, topic_arn: str, message: str, *, principal: str, source_arn: str) -> None:
        """Publish for a service of AWS, if the topic's policy lets it.

        Raises:
            AwsError: ``NotFound``, ``AuthorizationError``.
        """
        topic = self._topic(topic_arn)
        decision = allows_principal(
            json.loads(topic["attributes"]["Policy"]),
            principal={"Service": principal},
            action="sns:Publish",
            resource=topic_arn,
            context={"aws:SourceArn": source_arn, "aws:SourceAccount": ACCOUNT_ID},
        )
        if decision != "allow":
            raise AwsError(
                "AuthorizationError",
                f"{principal} is not authorized to perform: SNS:Publish on resource: {topic_arn}",
                403,
            )
        self._fan_out(topic, message, None, {})

    def _fan_out(self, topic: dict[str, Any], message: str, subject: str | None, attributes: dict[str, Any]) -> str:
        message_id = str(uuid.uuid4())
        for subscription in self._subscriptions.values():
            if subscription["topic"] == topic["arn"] and not subscription["token"]:
                self._begin(
                    {
                        "topic": topic,
                        "subscription": subscription,
                        "message_id": message_id,
                        "message": message,
                        "subject": subject,
                        "attributes": attributes,
                    }
                )
        return message_id

    async def _deliver(
        self,
        topic: dict[str, Any],
        subscription: dict[str, Any],
        *,
        message_id: str,
        message: str,
        subject: str | None,
        attributes: dict[str, Any],
    ) -> None:
        notification = _notification(topic["arn"], message_id, message, subject, attributes, now=self._clock.now())
        protocol, endpoint = subscription["protocol"], subscription["endpoint"]
        try:
            if protocol == "sqs":
                self._check_queue(topic["arn"], endpoint)
                raw = subscription["attributes"].get("RawMessageDelivery") == "true"
                body = message if raw else json.dumps(notification)
                await self._send_to_queue(
                    endpoint, body, message_attributes=attributes if raw else {}, sender_id="AIDASNS"
                )
            elif protocol == "lambda":
                if not self._permits(endpoint, principal="sns.amazonaws.com", source_arn=topic["arn"]):
                    raise AwsError(
                        "AccessDenied",
                        "the function's policy does not let sns.amazonaws.com invoke it for this topic",
                        403,
                    )
                record = {
                    "EventSource": "aws:sns",
                    "EventVersion": "1.0",
                    "EventSubscriptionArn": subscription["arn"],
                    "Sns": notification,
                }
                self._invoke_event(endpoint, json.dumps({"Records": [record]}).encode(), source="sns")
            else:
                text = message if protocol == "email" else json.dumps(notification, indent=2)
                mail = notification_mail(
                    subscription_arn=subscription["arn"],
                    display_name=topic["attributes"]["DisplayName"],
                    endpoint=endpoint,
                    subject=subject,
                    message=text,
                    token=subscription["unsubscribe_token"],
                    base_url=self._public_url(),
                )
                await self._mail(endpoint, mail)
        except AwsError as error:
            self._emit("not delivered", topic=topic["arn"], endpoint=endpoint, error=error.message)
            await self._dead_letter(subscription, notification)

    async def _dead_letter(self, subscription: dict[str, Any], notification: dict[str, Any]) -> None:
        policy = subscription["attributes"].get("RedrivePolicy")
        if policy:
            await self._send_to_queue(
                json.loads(policy)["deadLetterTargetArn"], json.dumps(notification), sender_id="AIDASNS"
            )

    def _check_queue(self, topic_arn: str, queue_arn: str) -> None:
        decision = allows_principal(
            self._queue_policy(queue_arn),
            principal={"Service": "sns.amazonaws.com"},
            action="sqs:SendMessage",
            resource=queue_arn,
            context={"aws:SourceArn": topic_arn, "aws:SourceAccount": ACCOUNT_ID},
        )
        if decision != "allow":
            raise AwsError(
                "AccessDenied", "the queue's policy does not let sns.amazonaws.com send to it for this topic", 403
            )

    async def _mail(self, to: str, mail: bytes) -> None:
        for wait in (*RETRIES, None):
            try:
                await self._send_mail(SENDER, to, mail)
                self._emit("mail", to=to)
                return
            except OSError as error:
                self._emit("mail not sent", to=to, error=error)
                if wait is not None:
                    await asyncio.sleep(self._clock.scaled(wait))

    # --- Pages that mails link to -------------------------------------------------------------------------------------

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
        subscription = self._subscriptions.get(query.get("SubscriptionArn", ""))
        token = query.get("Token", "")
        if subscription is None or not secrets.compare_digest(
            subscription["unsubscribe_token"].encode(), token.encode()
        ):
            return _page(
                404, "This link ends no subscription", "It is not complete, or the subscription is gone already."
            )
        del self._subscriptions[subscription["arn"]]
        return _page(
            200,
            "Subscription removed!",
            f"{subscription['endpoint']} gets no more mails of the topic {subscription['topic']}.",
        )

    def _topic(self, arn: Any) -> dict[str, Any]:
        if not str(arn).startswith("arn:aws:sns:"):
            raise AwsError(
                "InvalidParameter", "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1"
            )
        if arn not in self._topics:
            raise AwsError("NotFound", "Topic does not exist", 404)
        return self._topics[str(arn)]

    def _subscription(self, call: ApiCall) -> dict[str, Any]:
        arn = call.params.get("SubscriptionArn")
        if arn not in self._subscriptions:
            raise AwsError("NotFound", "Subscription does not exist", 404)
        return self._subscriptions[str(arn)]

    def _begin(self, delivery: dict[str, Any]) -> None:
        """Begin to deliver a message, or to send the mail that asks for a confirmation."""
        task = asyncio.create_task(self._mail(**delivery) if "mail" in delivery else self._deliver(**delivery))
        self._deliveries[task] = delivery
        task.add_done_callback(lambda done: self._deliveries.pop(done, None))

    def snapshot(self) -> dict[str, Any]:
        """Return the topics, the subscriptions and the deliveries under way, as plain data."""
        return deepcopy(
            {
                "topics": self._topics,
                "subscriptions": self._subscriptions,
                "deliveries": list(self._deliveries.values()),
            }
        )

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; a delivery that was under way begins again."""
        kept = deepcopy(state)
        self._topics, self._subscriptions = kept["topics"], kept["subscriptions"]
        for delivery in kept["deliveries"]:
            self._begin(delivery)


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


def _notification(
    arn: str, message_id: str, message: str, subject: str | None, attributes: dict[str, Any], *, now: float
) -> dict[str, Any]:
    """The envelope; without a signature, since only AWS can sign as AWS."""
    notification: dict[str, Any] = {"Type": "Notification", "MessageId": message_id, "TopicArn": arn}
    if subject is not None:
        notification["Subject"] = subject
    notification["Message"] = message
    notification["Timestamp"] = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    if attributes:
        notification["MessageAttributes"] = {
            name: {"Type": value.get("DataType"), "Value": value.get("StringValue")}
            for name, value in attributes.items()
        }
    return notification


def _owner_policy(arn: str) -> str:
    actions = [
        "GetTopicAttributes",
        "SetTopicAttributes",
        "AddPermission",
        "RemovePermission",
        "DeleteTopic",
        "Subscribe",
        "ListSubscriptionsByTopic",
        "Publish",
    ]
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in actions],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT_ID}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]})


def _page(status: int, title: str, text: str) -> HttpResponse:
    content = page(title, f"<h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>")
    return HttpResponse(status, content.encode(), {"Content-Type": "text/html; charset=utf-8"})
