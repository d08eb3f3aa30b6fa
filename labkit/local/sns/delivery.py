"""The way of a message from a topic to a queue, a function or an e-mail address, else to the dead-letter queue.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, AwsError
from labkit.local.clock import Clock
from labkit.local.policy import allows_principal
from labkit.local.sns.email import SENDER, confirmation_mail, notification_mail

RETRIES = (10, 10, *(min(600, 10 * 2**n) for n in range(10)), *(600 for _ in range(38)))


class Delivery:
    """Deliveries, *under_way* by their task, each with the arguments it began with."""

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
        self.under_way: dict[asyncio.Task[None], dict[str, Any]] = {}

    def ask(self, topic: dict[str, Any], subscription: dict[str, Any]) -> None:
        """Begin to send the mail that asks for the confirmation of a subscription."""
        endpoint = subscription["endpoint"]
        mail = confirmation_mail(
            topic["arn"], topic["attributes"]["DisplayName"], endpoint, subscription["token"], self._public_url()
        )
        self.begin({"to": endpoint, "mail": mail})

    def begin(self, delivery: dict[str, Any]) -> None:
        """Begin to deliver a message, or to send the mail that asks for a confirmation."""
        task = asyncio.create_task(self._mail(**delivery) if "mail" in delivery else self._deliver(**delivery))
        self.under_way[task] = delivery
        task.add_done_callback(lambda done: self.under_way.pop(done, None))

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
