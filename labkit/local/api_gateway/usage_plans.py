"""API keys and usage plans: who may call how often. Best effort, as on AWS, and no security.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
"""

from __future__ import annotations

import time
from typing import Any

from labkit.local.api_gateway.gateway_responses import Refused

SECONDS = {"DAY": 86_400, "WEEK": 7 * 86_400, "MONTH": 30 * 86_400}


class UsagePlans:
    """Token buckets and quotas by plan and key."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}
        self._used: dict[tuple[str, str, int], int] = {}

    def admit(self, plans: list[dict[str, Any]], stage: str, value: str) -> dict[str, Any]:
        """Return the key that *value* is, if a plan of this stage holds it and has room.

        Raises:
            Refused: 403 for no such key, 429 when throttled or over quota.
        """
        for plan in plans:
            for key in plan["keys"]:
                if stage in plan["stages"] and value and key["value"] == value and key.get("enabled"):
                    self._throttle(plan, key["id"])
                    self._count(plan, key["id"])
                    return dict(key)
        raise Refused("INVALID_API_KEY", 403, "Forbidden", "ForbiddenException")

    def _throttle(self, plan: dict[str, Any], key_id: str) -> None:
        rate, burst = plan["throttle"].get("rateLimit"), plan["throttle"].get("burstLimit")
        if not rate and not burst:
            return
        now, most = time.monotonic(), float(burst or rate)
        tokens, since = self._buckets.get((plan["id"], key_id), (most, now))
        tokens = min(most, tokens + (now - since) * float(rate or 0))
        self._buckets[plan["id"], key_id] = (max(0.0, tokens - 1) if tokens >= 1 else tokens, now)
        if tokens < 1:
            raise Refused("THROTTLED", 429, "Too Many Requests", "TooManyRequestsException")

    def _count(self, plan: dict[str, Any], key_id: str) -> None:
        limit = plan["quota"].get("limit")
        if not limit:
            return
        period = int(time.time() // SECONDS.get(plan["quota"].get("period", "DAY"), 86_400))
        used = self._used.get((plan["id"], key_id, period), 0)
        if used >= int(limit):
            raise Refused("QUOTA_EXCEEDED", 429, "Limit Exceeded", "LimitExceededException")
        self._used[plan["id"], key_id, period] = used + 1
