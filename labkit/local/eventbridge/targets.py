"""The targets that a rule can have, each with the policy that must let EventBridge in.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
"""

from __future__ import annotations

import uuid
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
        log_policies: Callable[[str, str], Awaitable[list[dict[str, Any]]]],
        put_log_event: Callable[[str, str, str, str], Awaitable[None]],
    ) -> None:
        self._publish, self._queue_policy, self._send_to_queue = publish, queue_policy, send_to_queue
        self._permits, self._invoke_event = permits, invoke_event
        self._log_policies, self._put_log_event = log_policies, put_log_event
        self.by_service: dict[str, Callable[..., Awaitable[None]]] = {
            "sns": self._to_topic,
            "sqs": self._to_queue,
            "lambda": self._to_function,
            "logs": self._to_log_group,
        }

    async def _to_topic(self, target: dict[str, Any], message: str, *, rule_arn: str) -> None:
        await self._publish(target["Arn"], message, principal=EVENTS, source_arn=rule_arn)

    async def _to_queue(self, target: dict[str, Any], message: str, *, rule_arn: str) -> None:
        self._ask_queue(target["Arn"], rule_arn)
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        await self._send_to_queue(target["Arn"], message, **({"group_id": group} if group else {}))

    async def to_dlq(self, queue_arn: str, message: str, attributes: dict[str, Any], *, rule_arn: str) -> None:
        """Lay what could not be delivered into a queue whose policy lets EventBridge send to it."""
        self._ask_queue(queue_arn, rule_arn)
        await self._send_to_queue(queue_arn, message, message_attributes=attributes)

    def _ask_queue(self, queue_arn: str, rule_arn: str) -> None:
        policy = self._queue_policy(queue_arn)
        if not _allows(policy, "sqs:SendMessage", queue_arn, rule_arn):
            raise AwsError("AccessDenied", f"the queue's policy does not let {EVENTS} send to it for this rule", 403)

    async def _to_function(self, target: dict[str, Any], message: str, *, rule_arn: str) -> None:
        if not self._permits(target["Arn"], principal=EVENTS, source_arn=rule_arn):
            raise AwsError("AccessDenied", f"the function's policy does not let {EVENTS} invoke it for this rule", 403)
        self._invoke_event(target["Arn"], message.encode(), source="eventbridge")

    async def _to_log_group(self, target: dict[str, Any], message: str, *, rule_arn: str) -> None:
        region, group = target["Arn"].split(":")[3], target["Arn"].split(":")[6]
        policies, anything = await self._log_policies(region, group), f"{target['Arn'].removesuffix(':*')}:*"
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            if not any(_allows(policy, action, anything, rule_arn) for policy in policies):
                why = f"no resource policy of CloudWatch Logs allows {EVENTS} {action} on {anything}"
                raise AwsError("AccessDeniedException", why)
        await self._put_log_event(region, group, str(uuid.uuid4()), message)


def _allows(policy: dict[str, Any] | None, action: str, resource: str, rule_arn: str) -> bool:
    context = {"aws:SourceArn": rule_arn, "aws:SourceAccount": rule_arn.split(":")[4]}
    decision = allows_principal(
        policy, principal={"Service": EVENTS}, action=action, resource=resource, context=context
    )
    return decision == "allow"
