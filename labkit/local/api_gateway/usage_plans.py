"""API keys, usage plans and throttles: who may call how often.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from labkit.local.api_gateway.gateway_error import GatewayError
from labkit.local.api_gateway.method_request import MethodRequest


@dataclass(slots=True)
class TokenBucket:
    """A bucket that holds *burst* tokens and fills with *rate* tokens a second; a request takes one."""

    tokens: float
    filled_at: float

    def take(self, rate: float, burst: float, now: float) -> bool:
        """Take a token under the limits as they are now; return whether there was one."""
        self.tokens = min(burst, self.tokens + max(0.0, now - self.filled_at) * rate)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class UsagePlans:
    """What each key has used of each plan, and the throttles' buckets.

    Plans and keys themselves are moto's and come along with each request. On AWS throttles and quotas are best effort;
    here they are exact.
    """

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self._buckets: dict[tuple[str, ...], TokenBucket] = {}
        self._used: dict[tuple[str, str], dict[str, int]] = {}

    def admit(self, request: MethodRequest, plans: list[dict[str, Any]]) -> None:
        """Let *request* pass if its key, the throttles and the quota allow it, and count it.

        Raises:
            GatewayError: INVALID_API_KEY, THROTTLED or QUOTA_EXCEEDED.
        """
        if not request.method.get("apiKeyRequired"):
            self._throttle_stage(request)
            return
        plan, key, plan_stage = _plan_and_key(request, plans)
        request.api_key = key
        self._throttle(("plan", plan["id"], key["id"]), plan.get("throttle"))
        endpoint = f"{request.resource['path']}/{request.method['httpMethod']}"
        self._throttle(("plan", plan["id"], key["id"], endpoint), (plan_stage.get("throttle") or {}).get(endpoint))
        self._throttle_stage(request)
        self._count(plan, key["id"])

    def usage(self, plan: dict[str, Any], key_id: str, start: date, end: date) -> list[list[int]]:
        """Return ``[[used, remaining], …]``, one pair per day, as GetUsage lists them."""
        days = [start + timedelta(days=offset) for offset in range((end - start).days + 1)]
        used = self._used.get((plan["id"], key_id), {})
        quota = plan.get("quota") or {}
        return [[used.get(day.isoformat(), 0), max(0, _remaining(quota, used, day))] for day in days]

    def snapshot(self) -> list[dict[str, Any]]:
        """Return what was used, as plain data; the buckets fill within seconds and are not kept."""
        return [{"plan": plan, "key": key, "days": dict(days)} for (plan, key), days in self._used.items()]

    def restore(self, used: list[dict[str, Any]]) -> None:
        """Take over what :meth:`snapshot` returned."""
        self._used = {(one["plan"], one["key"]): dict(one["days"]) for one in used}

    def forget(self, deleted: str) -> None:
        """Drop what was counted for a plan, a key or an API, by its id."""
        self._used = {name: days for name, days in self._used.items() if deleted not in name}
        self._buckets = {name: bucket for name, bucket in self._buckets.items() if deleted not in name}

    def _throttle_stage(self, request: MethodRequest) -> None:
        """Apply the stage's throttle, which -1 switches off; each method has a bucket of its own."""
        settings = request.settings
        if settings and min(settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) >= 0:
            limits = {"rateLimit": settings["throttlingRateLimit"], "burstLimit": settings["throttlingBurstLimit"]}
            path, verb = request.resource["path"], request.method["httpMethod"]
            self._throttle(("stage", request.api_id, request.stage["stageName"], path, verb), limits)

    def _throttle(self, name: tuple[str, ...], limits: dict[str, Any] | None) -> None:
        if not limits:
            return
        rate, burst = float(limits.get("rateLimit") or 0), float(limits.get("burstLimit") or 0)
        now = self._now()
        bucket = self._buckets.setdefault(name, TokenBucket(burst, now))
        if not bucket.take(rate, burst, now):
            raise GatewayError("THROTTLED", "Too Many Requests", "TooManyRequestsException")

    def _count(self, plan: dict[str, Any], key_id: str) -> None:
        today = datetime.fromtimestamp(self._now(), UTC).date()
        days = self._used.setdefault((plan["id"], key_id), {})
        quota = plan.get("quota") or {}
        if "limit" in quota and _remaining(quota, days, today) <= 0:  # a patch may have set another part of it first
            raise GatewayError("QUOTA_EXCEEDED", "Limit Exceeded", "LimitExceededException")
        days[today.isoformat()] = days.get(today.isoformat(), 0) + 1


def _plan_and_key(
    request: MethodRequest, plans: list[dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Find the plan that lists this stage and holds the enabled key of the request."""
    value = request.given_api_key
    for plan in plans:
        for stage in plan["apiStages"]:
            if (stage["apiId"], stage["stage"]) != (request.api_id, request.stage["stageName"]):
                continue
            for key in plan["keys"]:
                if value and key["value"] == value and key["enabled"]:
                    return plan, key, stage
    raise GatewayError("INVALID_API_KEY", "Forbidden", "ForbiddenException")


def _remaining(quota: dict[str, Any], used: dict[str, int], day: date) -> int:
    """What a quota leaves at the end of a day; its offset is taken off the first period's limit only."""
    first, last = _period_start(day, quota.get("period", "DAY")).isoformat(), day.isoformat()
    offset = 0 if any(on < first for on in used) else int(quota.get("offset") or 0)
    return int(quota.get("limit") or 0) - offset - sum(count for on, count in used.items() if first <= on <= last)


def _period_start(day: date, period: str) -> date:
    if period == "MONTH":
        return day.replace(day=1)
    return day - timedelta(days=(day.weekday() + 1) % 7) if period == "WEEK" else day
