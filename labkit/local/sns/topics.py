"""Amazon SNS: topics, and publishing to those who subscribed.

https://docs.aws.amazon.com/sns/latest/api/
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.picture import Arrow, Part, Picture
from labkit.local.policy import allows_principal
from labkit.local.sns.delivery import Delivery
from labkit.local.sns.subscriptions import Subscriptions

NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
LARGEST = 262_144


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
        self._topics: dict[str, dict[str, Any]] = {}
        self._delivery = Delivery(
            send_mail=send_mail,
            send_to_queue=send_to_queue,
            queue_policy=queue_policy,
            invoke_event=invoke_event,
            permits=permits,
            public_url=public_url,
            clock=clock,
            emit=emit,
        )
        self.subscriptions = Subscriptions(topic=self._topic, ask=self._delivery.ask, clock=clock)

    def description(self) -> dict[str, int]:
        """Count the topics, the confirmed and the pending subscriptions, for the health page."""
        pending = self.subscriptions.pending()
        confirmed = len(self.subscriptions.by_arn) - pending
        return {"topics": len(self._topics), "subscriptions": confirmed, "pending": pending}

    def picture(self) -> Picture:
        """Draw the topics and whom they reach; an address of a person is a part, too."""
        drawn: Picture = [Part(arn, "SNS topic", arn.rpartition(":")[2]) for arn in self._topics]
        for subscription in self.subscriptions.by_arn.values():
            end, how = subscription["endpoint"], "subscription"
            if subscription["protocol"].startswith("email"):
                how += ", not confirmed" if subscription["token"] else ""
                drawn.append(Part(end, "E-mail", end))
            drawn.append(Arrow(subscription["topic"], end, how))
        return drawn

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
            "Publish": self.publish,
            "TagResource": self.tag_resource,
            "ListTagsForResource": lambda call: {"Tags": self._topic(call.params.get("ResourceArn"))["tags"]},
            **self.subscriptions.operations,
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
        self.subscriptions.forget_topic(arn)

    def get_topic_attributes(self, call: ApiCall) -> dict[str, Any]:
        """Return a topic's attributes."""
        topic = self._topic(call.params.get("TopicArn"))
        mine = self.subscriptions.of_topic(topic["arn"])
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

    def policy_of(self, topic_arn: str) -> dict[str, Any]:
        """Return a topic's policy.

        Raises:
            AwsError: ``NotFound``.
        """
        policy: dict[str, Any] = json.loads(self._topic(topic_arn)["attributes"]["Policy"])
        return policy

    async def publish_from_service(
        self, topic_arn: str, message: str, *, principal: str, source_arn: str, subject: str | None = None
    ) -> None:
        """Publish for a service of AWS, if the topic's policy lets it.

        Raises:
            AwsError: ``NotFound``, ``AuthorizationError``.
        """
        decision = allows_principal(
            self.policy_of(topic_arn),
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
        self._fan_out(self._topic(topic_arn), message, subject, {})

    def publish_by_role(self, topic_arn: str, message: str) -> None:
        """Publish for a role that may: within an account its policy is enough, whatever the topic's says.

        Raises:
            AwsError: ``NotFound``.
        """
        self._fan_out(self._topic(topic_arn), message, None, {})

    def _fan_out(self, topic: dict[str, Any], message: str, subject: str | None, attributes: dict[str, Any]) -> str:
        message_id = str(uuid.uuid4())
        for subscription in self.subscriptions.of_topic(topic["arn"]):
            if not subscription["token"]:
                self._delivery.begin(
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

    def _topic(self, arn: Any) -> dict[str, Any]:
        if not str(arn).startswith("arn:aws:sns:"):
            raise AwsError(
                "InvalidParameter", "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1"
            )
        if arn not in self._topics:
            raise AwsError("NotFound", "Topic does not exist", 404)
        return self._topics[str(arn)]

    def snapshot(self) -> dict[str, Any]:
        """Return the topics, the subscriptions and the deliveries under way, as plain data."""
        return deepcopy(
            {
                "topics": self._topics,
                "subscriptions": self.subscriptions.by_arn,
                "deliveries": list(self._delivery.under_way.values()),
            }
        )

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; a delivery that was under way begins again."""
        kept = deepcopy(state)
        self._topics.update(kept["topics"])
        self.subscriptions.by_arn.update(kept["subscriptions"])
        for delivery in kept["deliveries"]:
            self._delivery.begin(delivery)


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
