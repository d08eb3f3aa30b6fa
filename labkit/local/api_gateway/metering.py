"""GetUsage and UpdateUsagePlan: what the keys of a usage plan used, and what they may use where.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-create-usage-plans-with-console.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

from labkit.local.api_call import ApiCall
from labkit.local.api_gateway.errors import bad_request, not_found


class Metering:
    """The two operations; *usage*, *now*, *reads* and *changes* are those of the control plane."""

    def __init__(
        self,
        reads: Any,
        changes: Any,
        *,
        usage: Callable[[dict[str, Any], str, date, date], list[list[int]]],
        now: Callable[[], float],
    ) -> None:
        self._reads, self._changes, self._usage, self._now = reads, changes, usage, now

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Awaitable[dict[str, Any]]]]:
        """The operations of the API."""
        return {"GetUsage": self._get_usage, "UpdateUsagePlan": self._update_usage_plan}

    async def _update_usage_plan(self, call: ApiCall) -> dict[str, Any]:
        plan_id, operations = call.params["usagePlanId"], call.params.get("patchOperations") or []
        for operation in operations:
            if operation["path"] == "/apiStages" and operation["op"] == "add":
                await self._check_stage(operation.get("value", ""), plan_id)
        plan: dict[str, Any] = await self._changes.patch_usage_plan(call.region, plan_id, operations)
        return plan

    async def _check_stage(self, value: str, plan_id: str) -> None:
        api_id, _, stage = value.partition(":")
        live = await self._reads.live(api_id)
        if stage and (live is None or stage not in live["stages"]):
            raise not_found(f"Invalid API Stage {{api: {api_id}, stage: {stage}}} specified for usageplan {plan_id}")

    async def _get_usage(self, call: ApiCall) -> dict[str, Any]:
        """What the keys of a plan used on each day, and what remained."""
        metering = await self._reads.metering(call.region)
        plan = metering["usagePlans"][call.params["usagePlanId"]]
        start, end = (_day(call.params[name], name) for name in ("startDate", "endDate"))
        keys = [key["id"] for key in plan["keys"] if call.params.get("keyId") in (None, key["id"])]
        last = min(end, datetime.fromtimestamp(self._now(), UTC).date())
        return {
            "usagePlanId": plan["id"],
            "startDate": call.params["startDate"],
            "endDate": call.params["endDate"],
            "items": {key_id: self._usage(plan, key_id, start, last) for key_id in keys},
        }


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise bad_request(f"Invalid {name} {text!r}: a day is written like 2026-01-31") from None
