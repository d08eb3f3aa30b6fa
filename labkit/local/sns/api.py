"""Amazon SNS: its operations, and what other parts of the local cloud need of topics.

https://docs.aws.amazon.com/sns/latest/api/
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Any

from labkit.local.api_call import ApiCall
from labkit.local.clock import Clock
from labkit.local.destinations import Destinations
from labkit.local.picture import Arrow, Part, Picture
from labkit.local.sns.delivery import Delivery
from labkit.local.sns.publishing import Publishing, keep_published
from labkit.local.sns.subscription_pages import SubscriptionPages
from labkit.local.sns.subscriptions import Subscriptions
from labkit.local.sns.topic_attributes import read_policy
from labkit.local.sns.topics import Topics


class Sns:
    """Topics, subscriptions, publishing."""

    def __init__(
        self,
        *,
        send_mail: Callable[[str, str, bytes], Awaitable[None]],
        destinations: Destinations,
        public_url: Callable[[], str],
        clock: Clock,
        measure: Callable[[str, str, float], None],
        note: Callable[..., None],
        emit: Callable[..., None],
    ) -> None:
        self._delivery = Delivery(
            send_mail=send_mail,
            destinations=destinations,
            topic_delivery_policy=self._delivery_policy_of,
            public_url=public_url,
            clock=clock,
            measure=measure,
            note=note,
            emit=emit,
        )
        self._subscriptions = Subscriptions(topic=self._topic_of, ask=self._delivery.ask, clock=clock)
        self._topics = Topics(subscriptions=self._subscriptions.count, topic_deleted=self._topic_deleted)
        self._publishing = Publishing(
            topics=self._topics,
            subscriptions=self._subscriptions,
            delivery=self._delivery,
            clock=clock,
            measure=measure,
            note=note,
        )
        self.pages = SubscriptionPages(self._subscriptions, note=note)
        self.take = self._publishing.take

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {**self._topics.operations, **self._publishing.operations, **self._subscriptions.operations}

    def _topic_of(self, call: ApiCall) -> dict[str, Any]:
        return self._topics.of(call)

    def _delivery_policy_of(self, topic_arn: str) -> str:
        topic = self._topics.by_arn.get(topic_arn, {"attributes": {}})
        return str(topic["attributes"].get("DeliveryPolicy", ""))

    def _topic_deleted(self, arn: str) -> None:
        self._subscriptions.forget_topic(arn)
        self._publishing.topic_deleted(arn)

    def description(self) -> dict[str, int]:
        """Count the topics, the confirmed and the pending subscriptions, for the health page."""
        pending = self._subscriptions.pending()
        confirmed = len(self._subscriptions.by_arn) - pending
        return {"topics": len(self._topics.by_arn), "subscriptions": confirmed, "pending": pending}

    def picture(self) -> Picture:
        """Draw the topics and whom they reach; an address of a person is a part, too."""
        drawn: Picture = [Part(arn, "SNS topic", arn.rpartition(":")[2]) for arn in self._topics.by_arn]
        for subscription in self._subscriptions.by_arn.values():
            end, how = subscription["endpoint"], "subscription"
            how += ", not confirmed" if subscription["token"] else ""
            if subscription["protocol"].startswith(("email", "http")):
                kind = "E-mail" if subscription["protocol"].startswith("email") else "HTTP endpoint"
                drawn.append(Part(end, kind, end))
            drawn.append(Arrow(subscription["topic"], end, how))
        return drawn

    def policy_of(self, topic_arn: str) -> dict[str, Any]:
        """Return a topic's policy.

        Raises:
            AwsError: ``NotFound``.
        """
        return read_policy(self._topics.find(topic_arn)["attributes"]["Policy"])

    # --- State --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return everything as plain data."""
        state = {"deliveries": dict(self._delivery.under_way.values()), "published": self._publishing.published}
        return {**self.settings(), **deepcopy(state)}

    def settings(self) -> dict[str, Any]:
        """Return the same without what each message changes, which is noted."""
        return deepcopy({"topics": self._topics.by_arn, "subscriptions": self._subscriptions.by_arn})

    @staticmethod
    def replay(state: dict[str, Any], kind: str, *what: Any) -> None:
        """Do to a snapshot what was noted of a message: published by a FIFO topic, on its way, delivered."""
        if kind == "published":
            keep_published(state["published"], *what)
        elif kind == "forgotten":
            state["published"].pop(what[0], None)
        elif kind == "begun":
            state["deliveries"][what[0]] = what[1]
        else:
            state["deliveries"].pop(what[0], None)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; a delivery that was under way begins again."""
        kept = deepcopy(state)
        self._topics.by_arn.update(kept["topics"])
        self._subscriptions.by_arn.update(kept["subscriptions"])
        self._publishing.published.update(kept["published"])
        for one, delivery in kept["deliveries"].items():
            self._delivery.go_on(one, delivery)
