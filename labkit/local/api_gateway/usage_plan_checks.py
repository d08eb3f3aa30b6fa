"""What API Gateway refuses of usage plans and API keys. *metering* is what moto keeps of both.

https://docs.aws.amazon.com/apigateway/latest/api/API_CreateUsagePlanKey.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.api_gateway.errors import bad_request, conflict, known, not_found

Params = dict[str, Any]
Metering = dict[str, Any]

PERIODS = ("DAY", "WEEK", "MONTH")
MOST_DAYS = 90

known_key = known("apiKey", "apiKeys", "Invalid API Key identifier specified")
known_key_id = known("keyId", "apiKeys", "Invalid API Key identifier specified")
known_plan = known("usagePlanId", "usagePlans", "Invalid Usage Plan ID specified")


def new_plan(params: Params, metering: Metering) -> None:
    """Refuse stages that are not there, limits that nobody could keep, and a quota for no period."""
    for one in params.get("apiStages") or []:
        if not one.get("apiId") or not one.get("stage"):  # AWS's own sentence: it forgets to fill it in
            raise bad_request("Invalid API Stage {api: %s, stage: %s} specified for usageplan %s")
        if one["stage"] not in metering["stages"].get(one["apiId"], ()):
            raise not_found(f"API Stage not found: {one['apiId']}:{one['stage']}")
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


def plan_patch(params: Params, metering: Metering) -> None:
    """Refuse stages that are not there, and those that a key has by another plan."""
    plan = metering["usagePlans"][params["usagePlanId"]]
    for operation in params.get("patchOperations") or []:
        if operation["path"] != "/apiStages":
            continue
        api_id, _, stage = (operation.get("value") or "").partition(":")
        if not stage:
            raise bad_request("Invalid API Stage specified")
        if stage not in metering["stages"].get(api_id, ()):
            raise not_found(f"Invalid API Stage {{api: {api_id}, stage: {stage}}} specified for usageplan {plan['id']}")
        if operation["op"] == "add":
            _one_plan_per_stage(plan["id"], plan["keys"], [{"apiId": api_id, "stage": stage}], metering)


def new_plan_key(params: Params, metering: Metering) -> None:
    """Refuse what is no API key, one that the plan has, and one that another plan lets into the same stage."""
    plan = metering["usagePlans"][params["usagePlanId"]]
    if params["keyType"] != "API_KEY":
        raise bad_request("Invalid Usage Plan Key type specified. Must be one of: [API_KEY]")
    if params["keyId"] in [key["id"] for key in plan["keys"]]:
        raise conflict("Usage Plan Key already exists for this Usage Plan")
    _one_plan_per_stage(plan["id"], [{"id": params["keyId"]}], plan["apiStages"], metering)


def _one_plan_per_stage(
    plan_id: str, keys: list[dict[str, Any]], stages: list[dict[str, Any]], metering: Metering
) -> None:
    for other in metering["usagePlans"].values():
        both = {key["id"] for key in keys} & {key["id"] for key in other["keys"]}
        for stage in other["apiStages"] if both and other["id"] != plan_id else ():
            if (stage["apiId"], stage["stage"]) in [(one["apiId"], one["stage"]) for one in stages]:
                raise conflict(
                    f"API Key {min(both)} is in Usage Plan {other['id']} already, which has the API Stage "
                    f"{stage['apiId']}:{stage['stage']}"
                )


def usage_range(params: Params, metering: Metering) -> None:
    """Refuse days that are none, and ranges that AWS would not look through."""
    start, end = (_day(params[name], name) for name in ("startDate", "endDate"))
    if not 0 <= (end - start).days <= MOST_DAYS:
        raise bad_request(
            f"Invalid date range {start} to {end}: it begins before it ends and is at most {MOST_DAYS} days long"
        )


def _day(text: str, name: str) -> date:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:  # there is no such day
        pass
    raise bad_request(f"Invalid {name} {text!r}: a day is written like 2026-01-31")


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
