"""The way of an event to a target of a rule: tried again and again, and at last laid into a dead-letter queue.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.clock import Clock
from labkit.local.eventbridge.input_transformer import compact, target_input
from labkit.local.eventbridge.targets import Targets

FINAL_CODES = {
    "AuthorizationError",
    "AccessDenied",
    "AccessDeniedException",
    "NotFound",
    "ResourceNotFoundException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "ValidationException",
}
MOST_ATTEMPTS, OLDEST_EVENT, LONGEST_PAUSE = 185, 86_400, 600.0


class Deliveries:
    """Every delivery under way."""

    def __init__(
        self,
        targets: Targets,
        *,
        clock: Clock,
        measure: Callable[[str, str, float], None],
        note: Callable[..., None],
        emit: Callable[..., None],
    ) -> None:
        self._targets, self._clock, self._measure, self._note, self._emit = targets, clock, measure, note, emit
        self._under_way: dict[asyncio.Task[None], dict[str, Any]] = {}

    def __len__(self) -> int:
        """Count the deliveries under way."""
        return len(self._under_way)

    def begin(self, *, rule_arn: str, target: dict[str, Any], event: dict[str, Any]) -> None:
        """Bring an event to a target of a rule."""
        self._go_on({"rule_arn": rule_arn, "target": target, "event": event})
        self._note("settings")

    def _go_on(self, delivery: dict[str, Any]) -> None:
        task = asyncio.create_task(self._send(**delivery))
        self._under_way[task] = delivery
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        if not task.cancelled():
            self._note("settings")

    async def _send(self, rule_arn: str, target: dict[str, Any], event: dict[str, Any]) -> None:
        policy, started, retries = target.get("RetryPolicy") or {}, self._clock.now(), 0
        oldest = self._clock.scaled(policy.get("MaximumEventAgeInSeconds", OLDEST_EVENT))
        while True:
            try:
                await self._targets.deliver(target, target_input(target, event, rule_arn), rule_arn=rule_arn)
                self._measure(rule_arn, "Invocations", 1.0)
                self._emit("event delivered", rule=rule_arn.rpartition("/")[2], target=target["Arn"])
                return
            except AwsError as error:
                failure = error
            pause, exhausted = self._clock.scaled(min(LONGEST_PAUSE, 2.0**retries) * (1 + random.random())), ""
            if failure.code in FINAL_CODES:
                break
            if retries >= policy.get("MaximumRetryAttempts", MOST_ATTEMPTS):
                exhausted = "MaximumRetryAttempts"
                break
            if self._clock.now() + pause - started > oldest:
                exhausted = "MaximumEventAgeInSeconds"
                break
            await asyncio.sleep(pause)
            retries += 1
            self._measure(rule_arn, "RetryInvocationAttempts", 1.0)
        await self._give_up(rule_arn, target, event, failure=failure, retries=retries, exhausted=exhausted)

    async def _give_up(
        self,
        rule_arn: str,
        target: dict[str, Any],
        event: dict[str, Any],
        *,
        failure: AwsError,
        retries: int,
        exhausted: str,
    ) -> None:
        """Lay the event, as it was before any transformation, into the target's dead-letter queue."""
        self._measure(rule_arn, "Invocations", 1.0)
        self._measure(rule_arn, "FailedInvocations", 1.0)
        self._emit("not delivered", rule=rule_arn.rpartition("/")[2], target=target["Arn"], error=failure.message)
        dlq = (target.get("DeadLetterConfig") or {}).get("Arn")
        if not dlq:
            return
        values = {
            "RULE_ARN": rule_arn, "TARGET_ARN": target["Arn"], "ERROR_CODE": failure.code,
            "ERROR_MESSAGE": failure.message, "RETRY_ATTEMPTS": str(retries), "EXHAUSTED_RETRY_CONDITION": exhausted,
        }  # fmt: skip
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value}
        try:
            await self._targets.to_dlq(dlq, compact(event), attributes, rule_arn=rule_arn)
            self._measure(rule_arn, "InvocationsSentToDlq", 1.0)
        except AwsError as error:
            self._measure(rule_arn, "InvocationsFailedToBeSentToDlq", 1.0)
            self._emit("event lost", rule=rule_arn.rpartition("/")[2], target=dlq, error=error.message)

    def close(self) -> None:
        """Stop."""
        for task in self._under_way:
            task.cancel()

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the deliveries under way, as plain data."""
        return list(self._under_way.values())

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Begin each delivery again."""
        for delivery in state:
            self._go_on(delivery)
