"""The targets that a rule can have, each with the permission it needs: a topic's or a queue's or a function's policy.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.policy import allows_principal

EVENTS = "events.amazonaws.com"


class Targets:
    """Deliver to a target by its ARN; *by_service* has one way for each service that can be a target."""

    def __init__(
        self,
        *,
        publish: Callable[..., Awaitable[None]],
        queue_policy: Callable[[str], dict[str, Any] | None],
        send_to_queue: Callable[..., Awaitable[str]],
        permits: Callable[..., bool],
        invoke_event: Callable[..., str],
    ) -> None:
        self._publish, self._queue_policy, self._send_to_queue = publish, queue_policy, send_to_queue
        self._permits, self._invoke_event = permits, invoke_event
        self.by_service: dict[str, Callable[..., Awaitable[None]]] = {
            "sns": self._to_topic,
            "sqs": self._to_queue,
            "lambda": self._to_function,
        }

    async def _to_topic(self, target_arn: str, message: str, *, rule_arn: str) -> None:
        await self._publish(target_arn, message, principal=EVENTS, source_arn=rule_arn)

    async def _to_queue(self, target_arn: str, message: str, *, rule_arn: str) -> None:
        decision = allows_principal(
            self._queue_policy(target_arn),
            principal={"Service": EVENTS},
            action="sqs:SendMessage",
            resource=target_arn,
            context={"aws:SourceArn": rule_arn},
        )
        if decision != "allow":
            raise AwsError("AccessDenied", f"the queue's policy does not let {EVENTS} send to it for this rule", 403)
        await self._send_to_queue(target_arn, message)

    async def _to_function(self, target_arn: str, message: str, *, rule_arn: str) -> None:
        if not self._permits(target_arn, principal=EVENTS, source_arn=rule_arn):
            raise AwsError("AccessDenied", f"the function's policy does not let {EVENTS} invoke it for this rule", 403)
        self._invoke_event(target_arn, message.encode(), source="eventbridge")
