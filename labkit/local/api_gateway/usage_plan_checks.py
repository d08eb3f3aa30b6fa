"""What API Gateway refuses of usage plans and API keys. *metering* is what moto keeps of both.

https://docs.aws.amazon.com/apigateway/latest/api/API_CreateUsagePlanKey.html
"""

from __future__ import annotations

from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.api_gateway.errors import bad_request, known, not_found

Params = dict[str, Any]
Metering = dict[str, Any]

PERIODS = ("DAY", "WEEK", "MONTH")

known_key = known("apiKey", "apiKeys", "Invalid API Key identifier specified")
known_plan = known("usagePlanId", "usagePlans", "Invalid Usage Plan ID specified")


def new_plan(params: Params) -> None:
    """Refuse limits that nobody could keep, and a quota for no period."""
    quota, throttle = params.get("quota"), params.get("throttle") or {}
    if quota is not None and quota.get("period") not in PERIODS:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{quota.get('period')}' at 'createUsagePlanInput.quota.period' failed "
            f"to satisfy constraint: Member must satisfy enum value set: [{', '.join(PERIODS)}]",
        )
    limits = {f"/throttle/{name}": value for name, value in throttle.items()}
    limits |= {f"/quota/{name}": value for name, value in (quota or {}).items() if name != "period"}
    if quota is not None:
        limits.setdefault("/quota/limit", None)
    for path, value in limits.items():
        if value is None or value < 0:
            raise bad_request(f"Invalid value {value!r} for {path}")


def detached_plan(params: Params, metering: Metering) -> None:
    """Refuse to delete a usage plan that still has stages."""
    for stage in metering["usagePlans"][params["usagePlanId"]]["apiStages"]:
        raise bad_request(
            f"Cannot delete Usage Plan {params['usagePlanId']} because there are API Stages associated with it, "
            f"including {stage['apiId']}:{stage['stage']}"
        )


def key_of_plan(params: Params, metering: Metering) -> None:
    """Refuse a key that is not on the plan."""
    if params["keyId"] not in [key["id"] for key in metering["usagePlans"][params["usagePlanId"]]["keys"]]:
        raise not_found("Invalid Usage Plan Key ID specified")


def api_key(params: Params) -> None:
    """Refuse names and values of the wrong length."""
    if len(params.get("name") or "") > 1024:
        raise bad_request("Invalid API Key name, can be at most 1024 characters.")
    if len(params.get("value") or "") > 128:
        raise bad_request("API Key value exceeds maximum size of 128 characters")
