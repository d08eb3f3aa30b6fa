"""REST APIs that moto's API Gateway keeps, as plain data."""

from __future__ import annotations

import copy
from typing import Any

from labkit.local.moto_app.app import MotoApp, backend


class RestApis:
    """Pictures of moto's API Gateway, each taken in moto's thread."""

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto

    async def definition(self, region: str, api_id: str) -> dict[str, Any] | None:
        """Return what a deployment freezes: resources with their methods, models, validators, gateway responses."""
        return await self._moto.run(_definition, region, api_id)

    async def live(self, region: str, api_id: str) -> dict[str, Any] | None:
        """Return what acts without a deployment: stages, and the usage plans and keys of the API."""
        return await self._moto.run(_live, region, api_id)


def _definition(region: str, api_id: str) -> dict[str, Any] | None:
    api = backend("apigateway", region).apis.get(api_id)
    if api is None:
        return None
    resources = []
    for resource in api.resources.values():
        methods = {name: method.to_json() for name, method in resource.resource_methods.items()}
        resources.append({"id": resource.id, "path": resource.get_path(), "methods": methods})
    return copy.deepcopy(
        {
            "resources": resources,
            "models": {model.name: model.schema for model in api.models.values()},
            "validators": {key: _validator(one) for key, one in api.request_validators.items()},
            "gateway_responses": {key: one.to_json() for key, one in api.gateway_responses.items()},
            "binary_media_types": api.binaryMediaTypes or [],
        }
    )


def _validator(validator: Any) -> dict[str, bool]:
    fields = validator.to_dict()
    return {
        "body": bool(fields.get("validateRequestBody")),
        "parameters": bool(fields.get("validateRequestParameters")),
    }


def _live(region: str, api_id: str) -> dict[str, Any] | None:
    store = backend("apigateway", region)
    api = store.apis.get(api_id)
    if api is None:
        return None
    plans = []
    for plan in store.usage_plans.values():
        stages = [one["stage"] for one in plan.api_stages if one.get("apiId") == api_id]
        keys = [
            store.keys[key_id].to_json() for key_id in store.usage_plan_keys.get(plan.id, {}) if key_id in store.keys
        ]
        plans.append({"id": plan.id, "stages": stages, "throttle": plan.throttle, "quota": plan.quota, "keys": keys})
    stages = {name: {"deployment": s.deployment_id, "variables": s.variables} for name, s in api.stages.items()}
    return copy.deepcopy({"stages": stages, "plans": plans})
