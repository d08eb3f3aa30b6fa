"""Topics: their operations, attributes, permissions and tags.

https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.sns.errors import invalid
from labkit.local.sns.topic_attributes import (
    OWNER_ACTIONS,
    check_topic_attribute,
    effective_delivery_policy,
    owner_policy,
    read_policy,
)

NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,251}\.fifo")
PAGE = 100
MOST_TAGS = 50


class Topics:
    """All topics, *by_arn*. *subscriptions* counts those of a topic: confirmed, pending."""

    def __init__(
        self, *, subscriptions: Callable[[str], tuple[int, int]], topic_deleted: Callable[[str], None]
    ) -> None:
        self._count, self._deleted = subscriptions, topic_deleted
        self.by_arn: dict[str, dict[str, Any]] = {}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "CreateTopic": self.create_topic,
            "DeleteTopic": self.delete_topic,
            "ListTopics": self.list_topics,
            "GetTopicAttributes": self.get_topic_attributes,
            "SetTopicAttributes": self.set_topic_attributes,
            "AddPermission": self.add_permission,
            "RemovePermission": self.remove_permission,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTagsForResource": lambda call: {"Tags": self._tagged(call)["tags"]},
        }

    def create_topic(self, call: ApiCall) -> dict[str, Any]:
        """Create a topic, or return the one with this name."""
        name = str(call.params.get("Name") or "")
        attributes = {key: str(value) for key, value in (call.params.get("Attributes") or {}).items()}
        fifo = attributes.pop("FifoTopic", "false") == "true"
        if not (FIFO_NAME if fifo else NAME).fullmatch(name):
            raise invalid("Topic Name")
        for key, value in attributes.items():
            check_topic_attribute(key, value, fifo=fifo, reason="Attributes Reason: ")
        tags = _checked_tags(call.params.get("Tags") or [])
        arn = f"arn:aws:sns:{call.region}:{ACCOUNT_ID}:{name}"
        if kept := self.by_arn.get(arn):
            if any(kept["attributes"].get(key) != value for key, value in attributes.items()):
                raise invalid("Attributes Reason: Topic already exists with different attributes")
            if any(tag not in kept["tags"] for tag in tags):
                raise invalid("Tags Reason: Topic already exists with different tags")
            return {"TopicArn": arn}
        fifo_attributes = {"FifoTopic": "true", "ContentBasedDeduplication": "false"} if fifo else {}
        self.by_arn[arn] = {
            "arn": arn,
            "attributes": {"DisplayName": "", "Policy": owner_policy(arn), **fifo_attributes, **attributes},
            "tags": tags,
        }
        return {"TopicArn": arn}

    def delete_topic(self, call: ApiCall) -> None:
        """Delete a topic and its subscriptions; one that is not there is deleted already."""
        arn = topic_arn_of(call, "TopicArn")
        self.by_arn.pop(arn, None)
        self._deleted(arn)

    def list_topics(self, call: ApiCall) -> dict[str, Any]:
        """List the topics of the region, in pages of 100."""
        arns = [arn for arn in self.by_arn if arn.split(":")[3] == call.region]
        found, more = page_of(arns, call.params.get("NextToken"))
        return {"Topics": [{"TopicArn": arn} for arn in found], **more}

    def get_topic_attributes(self, call: ApiCall) -> dict[str, Any]:
        """Return a topic's attributes."""
        topic = self.of(call)
        confirmed, pending = self._count(topic["arn"])
        return {
            "Attributes": {
                "TopicArn": topic["arn"],
                "Owner": ACCOUNT_ID,
                "SubscriptionsConfirmed": str(confirmed),
                "SubscriptionsPending": str(pending),
                "SubscriptionsDeleted": "0",
                "EffectiveDeliveryPolicy": effective_delivery_policy(topic["attributes"]),
                **topic["attributes"],
            }
        }

    def set_topic_attributes(self, call: ApiCall) -> None:
        """Set one attribute; a policy replaces the whole policy."""
        topic, name = self.of(call), str(call.params.get("AttributeName") or "")
        value = str(call.params.get("AttributeValue") or "")
        check_topic_attribute(name, value, fifo="FifoTopic" in topic["attributes"])
        if value or name == "DisplayName":
            topic["attributes"][name] = value
        else:
            topic["attributes"].pop(name, None)

    def add_permission(self, call: ApiCall) -> None:
        """Add a statement to the topic's policy, for the roots of accounts."""
        topic, label = self.of(call), str(call.params.get("Label") or "")
        policy = read_policy(topic["attributes"]["Policy"])
        statements = _statements(policy)
        if any(statement.get("Sid") == label for statement in statements):
            raise invalid("Statement already exists")
        names = [str(name) for name in call.params.get("ActionName") or []]
        if not names or not set(names) <= set(OWNER_ACTIONS):
            raise invalid("Policy statement action out of service scope!")
        accounts = [f"arn:aws:iam::{account}:root" for account in call.params.get("AWSAccountId") or []]
        statement = {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _one_or_all(accounts)},
            "Action": _one_or_all([f"SNS:{name}" for name in names]),
            "Resource": topic["arn"],
        }
        topic["attributes"]["Policy"] = json.dumps({**policy, "Statement": [*statements, statement]})

    def remove_permission(self, call: ApiCall) -> None:
        """Remove a statement by its label; one that is not there is removed already."""
        topic, label = self.of(call), call.params.get("Label")
        policy = read_policy(topic["attributes"]["Policy"])
        kept = [statement for statement in _statements(policy) if statement.get("Sid") != label]
        topic["attributes"]["Policy"] = json.dumps({**policy, "Statement": kept})

    # --- Tags ---------------------------------------------------------------------------------------------------------

    def tag_resource(self, call: ApiCall) -> None:
        """Add tags to a topic."""
        topic, given = self._tagged(call), _checked_tags(call.params.get("Tags") or [])
        names = {tag["Key"] for tag in given}
        topic["tags"] = _checked_tags([tag for tag in topic["tags"] if tag["Key"] not in names] + given)

    def untag_resource(self, call: ApiCall) -> None:
        """Remove tags."""
        topic, names = self._tagged(call), set(call.params.get("TagKeys") or [])
        topic["tags"] = [tag for tag in topic["tags"] if tag["Key"] not in names]

    def _tagged(self, call: ApiCall) -> dict[str, Any]:
        topic = self.by_arn.get(str(call.params.get("ResourceArn") or ""))
        if topic is None:
            raise AwsError("ResourceNotFound", "Resource does not exist", 404)
        return topic

    # --- Look-up ------------------------------------------------------------------------------------------------------

    def of(self, call: ApiCall, parameter: str = "TopicArn") -> dict[str, Any]:
        """Find the topic that a call names.

        Raises:
            AwsError: ``InvalidParameter``, ``NotFound``.
        """
        return self.find(topic_arn_of(call, parameter))

    def find(self, arn: str) -> dict[str, Any]:
        """Find a topic by its ARN.

        Raises:
            AwsError: ``NotFound``.
        """
        if arn not in self.by_arn:
            raise AwsError("NotFound", "Topic does not exist", 404)
        return self.by_arn[arn]


def topic_arn_of(call: ApiCall, parameter: str) -> str:
    """Return the ARN that a call names, if it can be one of a topic of its region."""
    arn = str(call.params.get(parameter) or "")
    check_arn(arn, parameter)
    if arn.split(":")[2:4] != ["sns", call.region]:
        raise invalid(parameter)
    return arn


def check_arn(arn: str, parameter: str) -> None:
    """Refuse what cannot be an ARN."""
    parts = arn.split(":")
    if len(parts) < 6:
        raise invalid(f"{parameter} Reason: An ARN must have at least 6 elements, not {len(parts)}")
    if parts[0] != "arn":
        raise invalid(parameter)


def page_of(names: Iterable[str], token: str | None) -> tuple[list[str], dict[str, str]]:
    """Return one page of names, and the NextToken when there are more."""
    listed = list(names)
    try:
        start = int(token or 0)
    except ValueError:
        raise invalid("NextToken") from None
    page = listed[start : start + PAGE] if start >= 0 else []
    return page, {"NextToken": str(start + PAGE)} if len(listed) > start + PAGE else {}


def _checked_tags(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    if len({tag["Key"] for tag in tags}) < len(tags):
        raise invalid("Duplicated keys are not allowed.")
    if len(tags) > MOST_TAGS:
        raise AwsError("TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded")
    return [dict(tag) for tag in tags]


def _statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    statements = policy["Statement"]
    return statements if isinstance(statements, list) else [statements]


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
