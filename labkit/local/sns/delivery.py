"""The way of a message from a topic to a queue, a function, a person or a URL, else to the dead-letter queue.

A permission that is missing and an endpoint that is gone are not tried again: they would stay so.
https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.clock import Clock
from labkit.local.destinations import Destinations
from labkit.local.sns.email import SENDER, confirmation_mail, notification_mail
from labkit.local.sns.http_endpoint import post, retry_pauses
from labkit.local.sns.notification import Message, lambda_event, notification

RETRIES = (10, 10, *(min(600, 10 * 2**n) for n in range(10)), *(600 for _ in range(38)))
SNS = "sns.amazonaws.com"
SENDER_ID = "AIDASNS"
MOST_RAW_ATTRIBUTES = 10


class Delivery:
    """Deliveries, *under_way* by their task, each with its id and the arguments it began with."""

    def __init__(
        self,
        *,
        send_mail: Callable[[str, str, bytes], Awaitable[None]],
        destinations: Destinations,
        topic_delivery_policy: Callable[[str], str],
        public_url: Callable[[], str],
        clock: Clock,
        measure: Callable[[str, str, float], None],
        note: Callable[..., None],
        emit: Callable[..., None],
    ) -> None:
        self._send_mail, self._destinations, self._public_url = send_mail, destinations, public_url
        self._topic_delivery_policy = topic_delivery_policy
        self._clock, self._measure, self._note, self._emit = clock, measure, note, emit
        self.under_way: dict[asyncio.Task[None], tuple[str, dict[str, Any]]] = {}

    def ask(self, subscription: dict[str, Any]) -> None:
        """Begin to ask for the confirmation of a subscription."""
        self.begin({"display_name": "", "subscription": subscription, "message": None})

    def begin(self, delivery: dict[str, Any]) -> None:
        """Begin to deliver a message, or without one to ask for a confirmation."""
        one = uuid.uuid4().hex
        self._note("begun", one, delivery)
        self.go_on(one, delivery)

    def go_on(self, one: str, delivery: dict[str, Any]) -> None:
        """Begin a delivery, or go on with it after a restart; *one* is its id."""
        work = self._ask(delivery["subscription"]) if delivery["message"] is None else self._deliver(**delivery)
        task = asyncio.create_task(work)
        self.under_way[task] = (one, delivery)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        one, _ = self.under_way.pop(task)
        if not task.cancelled():
            self._note("ended", one)

    async def _ask(self, subscription: dict[str, Any]) -> None:
        """Send the mail or the POST; who did not get it subscribes again."""
        try:
            if subscription["protocol"].startswith("http"):
                await self._to_url(subscription, None)
            else:
                mail = confirmation_mail(subscription, self._public_url())
                await self._mail(subscription["endpoint"], mail)
        except (AwsError, OSError) as error:
            self._emit("not asked to confirm", endpoint=subscription["endpoint"], error=error)

    async def _deliver(self, display_name: str, subscription: dict[str, Any], message: Message) -> None:
        topic, endpoint = subscription["topic"], subscription["endpoint"]
        try:
            if subscription["protocol"] == "sqs":
                await self._to_queue(endpoint, subscription, message)
            elif subscription["protocol"] == "lambda":
                event = json.dumps(lambda_event(message, subscription, self._public_url()))
                await self._destinations.send(endpoint, event, principal=SNS, source_arn=topic, source="sns")
            elif subscription["protocol"].startswith("email"):
                await self._to_person(display_name, subscription, message)
            else:
                await self._to_url(subscription, message)
        except (AwsError, OSError) as error:
            self._measure(topic, "NumberOfNotificationsFailed", 1.0)
            self._emit("not delivered", topic=topic, endpoint=endpoint, error=getattr(error, "message", error))
            await self._dead_letter(subscription, message)
        else:
            self._measure(topic, "NumberOfNotificationsDelivered", 1.0)

    async def _to_url(self, subscription: dict[str, Any], message: Message | None) -> None:
        own, of_topic = subscription["attributes"].get("DeliveryPolicy", ""), subscription["topic"]
        pauses = retry_pauses(own, self._topic_delivery_policy(of_topic))
        await post(subscription, message, self._public_url(), pauses=pauses, pause=self._pause)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(self._clock.scaled(seconds))

    async def _to_person(self, display_name: str, subscription: dict[str, Any], message: Message) -> None:
        text, endpoint = message["text"], subscription["endpoint"]
        if subscription["protocol"] == "email-json":
            text = json.dumps(notification(message, subscription, self._public_url()), indent=2)
        mail = notification_mail(subscription, display_name, message["subject"], text, self._public_url())
        await self._mail(endpoint, mail)

    async def _dead_letter(self, subscription: dict[str, Any], message: Message) -> None:
        policy, topic = subscription["attributes"].get("RedrivePolicy"), subscription["topic"]
        if not policy:
            return
        queue = json.loads(policy)["deadLetterTargetArn"]
        try:
            await self._to_queue(queue, subscription, message)
        except AwsError as error:
            self._measure(topic, "NumberOfNotificationsFailedToRedriveToDlq", 1.0)
            self._emit("not delivered", topic=topic, endpoint=queue, error=error.message)
        else:
            self._measure(topic, "NumberOfNotificationsRedrivenToDlq", 1.0)

    async def _to_queue(self, queue_arn: str, subscription: dict[str, Any], message: Message) -> None:
        """Send to a queue, in the envelope or raw."""
        body, attributes = json.dumps(notification(message, subscription, self._public_url())), {}
        if subscription["attributes"].get("RawMessageDelivery") == "true":
            body, attributes = message["text"], message["attributes"]
            if len(attributes) > MOST_RAW_ATTRIBUTES:
                text = f"a raw message has at most {MOST_RAW_ATTRIBUTES} attributes, this one has {len(attributes)}"
                raise AwsError("InvalidParameterValue", text)
        options = {"message_attributes": attributes, "sender_id": SENDER_ID}
        if message["group_id"]:
            options["group_id"] = message["group_id"]
        if queue_arn.endswith(".fifo"):
            options["deduplication_id"] = message["deduplication_id"]
        await self._destinations.send(queue_arn, body, principal=SNS, source_arn=subscription["topic"], **options)

    async def _mail(self, to: str, mail: bytes) -> None:
        for wait in (*RETRIES, None):
            try:
                await self._send_mail(SENDER, to, mail)
                self._emit("mail", to=to)
                return
            except OSError as error:
                self._emit("mail not sent", to=to, error=error)
                if wait is None:
                    raise
                await self._pause(wait)
