"""The targets that a rule can have, each with the policy that must let EventBridge in.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.destinations import Destinations
from labkit.local.policy import allows_service

EVENTS = "events.amazonaws.com"
SERVICES = ("lambda", "logs", "sns", "sqs")


class Targets:
    """Deliver to a target by its ARN, or to its dead-letter queue."""

    def __init__(
        self,
        destinations: Destinations,
        *,
        log_policies: Callable[[str, str], Awaitable[list[dict[str, Any]]]],
        put_log_event: Callable[[str, str, str, str], Awaitable[None]],
    ) -> None:
        self._destinations, self._log_policies, self._put_log_event = destinations, log_policies, put_log_event

    async def deliver(self, target: dict[str, Any], message: str, *, rule_arn: str) -> None:
        """Bring a text to a target of a rule.

        Raises:
            AwsError: The target is not there, does not let EventBridge in, or refuses the text.
        """
        arn, group = target["Arn"], (target.get("SqsParameters") or {}).get("MessageGroupId")
        service, options = arn.split(":")[2], {}
        if service == "logs":
            return await self._to_log_group(arn, message, rule_arn)
        if service == "sqs" and group:
            options = {"group_id": group}
        elif service == "lambda":
            options = {"source": "eventbridge"}
        return await self._destinations.send(arn, message, principal=EVENTS, source_arn=rule_arn, **options)

    async def to_dlq(self, queue_arn: str, message: str, attributes: dict[str, Any], *, rule_arn: str) -> None:
        """Lay what could not be delivered into a queue whose policy lets EventBridge send to it."""
        await self._destinations.send(
            queue_arn, message, principal=EVENTS, source_arn=rule_arn, message_attributes=attributes
        )

    async def _to_log_group(self, arn: str, message: str, rule_arn: str) -> None:
        region, group = arn.split(":")[3], arn.split(":")[6]
        policies, anything = await self._log_policies(region, group), f"{arn.removesuffix(':*')}:*"
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            if not any(allows_service(policy, EVENTS, action, anything, rule_arn) for policy in policies):
                why = f"no resource policy of CloudWatch Logs allows {EVENTS} {action} on {anything}"
                raise AwsError("AccessDeniedException", why)
        await self._put_log_event(region, group, str(uuid.uuid4()), message)
