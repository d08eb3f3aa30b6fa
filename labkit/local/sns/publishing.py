"""Publishing: what a message must be, and which subscriptions get it.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
https://docs.aws.amazon.com/sns/latest/dg/sns-fifo-topics.html
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.sns.delivery import Delivery
from labkit.local.sns.errors import invalid
from labkit.local.sns.filter_policy import ATTRIBUTES, filtered_out
from labkit.local.sns.message_attributes import bodies, check_message
from labkit.local.sns.notification import Message
from labkit.local.sns.subscriptions import Subscriptions
from labkit.local.sns.topic_attributes import LARGEST_MESSAGE
from labkit.local.sns.topics import Topics

ENTRY_ID = re.compile(r"[A-Za-z0-9_-]+")
MOST_ENTRIES = 10
FIFO_ID = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,./:;<=>?@\[\\\]^_`{|}~-]{1,128}")
DEDUPLICATION_SECONDS = 300
FIRST_SEQUENCE_NUMBER = 10**19


class Publishing:
    """Publish, PublishBatch, and publishing for services of AWS.

    *published* has of each FIFO topic the last number, and what it answered by deduplication id: ``[time, answer]``.
    """

    def __init__(
        self,
        *,
        topics: Topics,
        subscriptions: Subscriptions,
        delivery: Delivery,
        clock: Clock,
        measure: Callable[[str, str, float], None],
        note: Callable[..., None],
    ) -> None:
        self._topics, self._subscriptions, self._delivery = topics, subscriptions, delivery
        self._clock, self._measure, self._note = clock, measure, note
        self.published: dict[str, dict[str, Any]] = {}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {"Publish": self.publish, "PublishBatch": self.publish_batch}

    def publish(self, call: ApiCall) -> dict[str, Any]:
        """Publish a message to a topic."""
        params = call.params
        if params.get("PhoneNumber"):
            raise invalid("PhoneNumber Reason: the local cloud sends no SMS")
        if not params.get("TopicArn") and ":endpoint/" in str(params.get("TargetArn")):
            raise invalid("TargetArn Reason: No endpoint found for the target arn specified")
        parameter = "TargetArn" if params.get("TargetArn") and not params.get("TopicArn") else "TopicArn"
        topic = self._topics.of(call, parameter)
        return self._accept(topic, params, _checked_size(topic, params))

    def publish_batch(self, call: ApiCall) -> dict[str, Any]:
        """Publish up to ten messages; what is wrong with one refuses them all, as on AWS."""
        topic, entries = self._topics.of(call), call.params.get("PublishBatchRequestEntries") or []
        _check_batch([str(entry.get("Id") or "") for entry in entries])
        sizes = [_checked_size(topic, entry) for entry in entries]
        if sum(sizes) > LARGEST_MESSAGE:
            text = "The length of all the messages put together is more than the limit."
            raise AwsError("BatchRequestTooLong", text)
        for entry in entries:
            _check_fifo(topic, entry)
        answers = [{"Id": e["Id"], **self._accept(topic, e, size)} for e, size in zip(entries, sizes, strict=True)]
        return {"Successful": answers, "Failed": []}

    async def take(
        self,
        topic_arn: str,
        text: str,
        *,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
    ) -> None:
        """Publish for a service or a role that may.

        Raises:
            AwsError: ``NotFound``, or what a FIFO topic says to a message without a group.
        """
        self._accept(
            self._topics.find(topic_arn),
            {"Message": text, "Subject": subject, "MessageAttributes": message_attributes},
            len(text.encode()),
        )

    def _accept(self, topic: dict[str, Any], given: dict[str, Any], size: int) -> dict[str, Any]:
        _check_fifo(topic, given)
        fifo = "FifoTopic" in topic["attributes"]
        deduplication_id = _deduplication_id(given) if fifo else ""
        if fifo and (answer := self._seen(topic["arn"], deduplication_id)):
            return answer
        message: Message = {
            "id": str(uuid.uuid4()),
            "subject": given.get("Subject"),
            "attributes": given.get("MessageAttributes") or {},
            "published_at": self._clock.now(),
            "group_id": given.get("MessageGroupId") or "",
            "deduplication_id": deduplication_id,
            "sequence_number": self._next_number(topic["arn"]) if fifo else "",
        }
        answer = {"MessageId": message["id"]}
        if fifo:
            answer["SequenceNumber"] = message["sequence_number"]
            change = (topic["arn"], deduplication_id, self._clock.now(), answer)
            keep_published(self.published, *change)
            self._note("published", *change)
        self._measure(topic["arn"], "NumberOfMessagesPublished", 1.0)
        self._measure(topic["arn"], "PublishSize", float(size))
        self._fan_out(topic, message, bodies(given))
        return answer

    def _fan_out(self, topic: dict[str, Any], message: Message, texts: dict[str, str]) -> None:
        for subscription in self._subscriptions.of_topic(topic["arn"]):
            text = texts.get(subscription["protocol"], texts["default"])
            if not subscription["token"] and self._passes(subscription, text, message["attributes"]):
                name = topic["attributes"]["DisplayName"]
                self._delivery.begin(
                    {"display_name": name, "subscription": subscription, "message": {**message, "text": text}}
                )

    def _passes(self, subscription: dict[str, Any], text: str, attributes: dict[str, Any]) -> bool:
        policy = subscription["attributes"].get("FilterPolicy")
        if not policy:
            return True
        scope = subscription["attributes"].get("FilterPolicyScope", ATTRIBUTES)
        reason = filtered_out(policy, scope, text, attributes)
        if reason:
            self._measure(subscription["topic"], "NumberOfNotificationsFilteredOut", 1.0)
            self._measure(subscription["topic"], f"NumberOfNotificationsFilteredOut-{reason}", 1.0)
        return not reason

    # --- FIFO ---------------------------------------------------------------------------------------------------------

    def _seen(self, arn: str, deduplication_id: str) -> dict[str, Any] | None:
        """Return the answer to the same message of the last five minutes: it is accepted and not delivered again."""
        seen = self.published.get(arn, {}).get("seen", {})
        oldest = self._clock.now() - DEDUPLICATION_SECONDS
        while seen and next(iter(seen.values()))[0] < oldest:
            del seen[next(iter(seen))]
        return dict(seen[deduplication_id][1]) if deduplication_id in seen else None

    def _next_number(self, arn: str) -> str:
        last = self.published.get(arn, {}).get("number", FIRST_SEQUENCE_NUMBER - 1)
        return str(int(last) + 1)

    def topic_deleted(self, arn: str) -> None:
        """Forget what a topic has published."""
        if self.published.pop(arn, None):
            self._note("forgotten", arn)


def keep_published(
    published: dict[str, dict[str, Any]], arn: str, deduplication_id: str, time: float, answer: dict[str, Any]
) -> None:
    """Remember what a FIFO topic answered."""
    topic = published.setdefault(arn, {"number": "", "seen": {}})
    topic["number"] = answer["SequenceNumber"]
    topic["seen"].pop(deduplication_id, None)
    topic["seen"][deduplication_id] = [time, dict(answer)]


def _checked_size(topic: dict[str, Any], given: dict[str, Any]) -> int:
    """Refuse a message that SNS refuses, and return its size."""
    size = check_message(given)
    if size > int(topic["attributes"].get("MaximumMessageSize", LARGEST_MESSAGE)):
        raise invalid("Message too long")
    return size


def _check_fifo(topic: dict[str, Any], given: dict[str, Any]) -> None:
    group, deduplication = given.get("MessageGroupId"), given.get("MessageDeduplicationId")
    for name, value in (("MessageGroupId", group), ("MessageDeduplicationId", deduplication)):
        if value and not FIFO_ID.fullmatch(value):
            raise invalid(f"The {name} parameter is invalid")
    if "FifoTopic" not in topic["attributes"]:
        if deduplication:
            text = "The request includes MessageDeduplicationId parameter that is not valid for this topic type"
            raise invalid(f"MessageDeduplicationId Reason: {text}")
        return
    if not group:
        raise invalid("The MessageGroupId parameter is required for FIFO topics")
    if not deduplication and topic["attributes"]["ContentBasedDeduplication"] != "true":
        text = "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided"
        raise invalid(f"{text} explicitly")


def _deduplication_id(given: dict[str, Any]) -> str:
    return given.get("MessageDeduplicationId") or hashlib.sha256(given["Message"].encode()).hexdigest()


def _check_batch(ids: list[str]) -> None:
    if not ids:
        raise AwsError("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(ids) > MOST_ENTRIES:
        raise AwsError("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.")
    for one in ids:
        if len(one) > 80:
            raise AwsError("InvalidBatchEntryId", f"The Id of a batch entry in the batch request is too long: {one}")
        if not ENTRY_ID.fullmatch(one):
            text = "The Id of a batch entry in the batch request contains an impermissible character"
            raise AwsError("InvalidBatchEntryId", f"{text}: {one}")
    if len(set(ids)) < len(ids):
        text = "Two or more batch entries in the request have the same Id."
        raise AwsError("BatchEntryIdsNotDistinct", text)
