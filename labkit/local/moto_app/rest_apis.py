"""REST APIs, stages, keys and usage plans that moto keeps, as plain data in the words of AWS's API."""

from __future__ import annotations

import copy
from typing import Any

from labkit.local.moto_app.app import MotoApp, backend, regions_of


class RestApis:
    """Reads of moto's API Gateway, each in moto's thread."""

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto

    async def picture(self, api_id: str, region: str) -> dict[str, Any] | None:
        """Return all of an API that a deployment freezes, or ``None``.

        Keys: ``binaryMediaTypes``, ``apiKeySource``, ``policy``, ``resources`` (as GetResources lists them), ``models``
        (name → schema as JSON text), ``requestValidators``, ``authorizers`` (by id), ``gatewayResponses`` (by type).
        """
        return await self._moto.run(_picture, api_id, region)

    async def setup(self, api_id: str, region: str) -> dict[str, Any] | None:
        """Return :meth:`picture` with ``stages`` (name → stage) and ``deployments`` (ids)."""
        return await self._moto.run(_setup, api_id, region)

    async def metering(self, region: str) -> dict[str, Any]:
        """Return ``usagePlans`` (id → plan with its ``keys``), ``apiKeys`` (ids) and ``stages`` (API id → names)."""
        return await self._moto.run(_metering, region)

    async def logs_role(self, region: str) -> str:
        """Return the ARN of the role that the account lets API Gateway write logs with, or ``""``."""
        return await self._moto.run(_logs_role, region)

    async def live(self, api_id: str) -> dict[str, Any] | None:
        """Return what acts on an API's requests without a deployment, or ``None``.

        Keys: ``region``, ``disableExecuteApiEndpoint``, ``stages`` (name → stage), ``usagePlans`` (each with its
        ``keys``: ``id``, ``value``, ``enabled``).
        """
        return await self._moto.run(_live, api_id)


def _picture(api_id: str, region: str) -> dict[str, Any] | None:
    api = backend("apigateway", region).apis.get(api_id)
    if api is None:
        return None
    return copy.deepcopy(
        {
            "binaryMediaTypes": list(api.binaryMediaTypes),
            "resources": [_resource(resource) for resource in api.resources.values()],
            "models": {name: model.schema for name, model in api.models.items()},
            "requestValidators": {id_: validator.to_dict() for id_, validator in api.request_validators.items()},
            "authorizers": {id_: authorizer.to_json() for id_, authorizer in api.authorizers.items()},
            "apiKeySource": api.api_key_source,
            "policy": api.policy,
            "gatewayResponses": {type_: answer.to_json() for type_, answer in api.gateway_responses.items()},
        }
    )


def _setup(api_id: str, region: str) -> dict[str, Any] | None:
    picture = _picture(api_id, region)
    if picture is None:
        return None
    api = backend("apigateway", region).apis[api_id]
    stages = {name: stage.to_json() for name, stage in api.stages.items()}
    return {**picture, "stages": copy.deepcopy(stages), "deployments": list(api.deployments)}


def _metering(region: str) -> dict[str, Any]:
    gateway = backend("apigateway", region)
    plans = {plan.id: _usage_plan(gateway, plan) for plan in gateway.usage_plans.values()}
    stages = {api_id: list(api.stages) for api_id, api in gateway.apis.items()}
    return copy.deepcopy({"usagePlans": plans, "apiKeys": list(gateway.keys), "stages": stages})


def _logs_role(region: str) -> str:
    return str(backend("apigateway", region).account.cloudwatch_role_arn or "")


def _resource(resource: Any) -> dict[str, Any]:
    methods = {verb: method.to_json() for verb, method in resource.resource_methods.items()}
    return {
        "id": resource.id,
        "parentId": resource.parent_id,
        "pathPart": resource.path_part,
        "path": resource.get_path(),
        "resourceMethods": methods,
    }


def _live(api_id: str) -> dict[str, Any] | None:
    for region, gateway in regions_of("apigateway").items():
        if api := gateway.apis.get(api_id):
            return copy.deepcopy(
                {
                    "region": region,
                    "disableExecuteApiEndpoint": bool(api.disableExecuteApiEndpoint),
                    "stages": {name: stage.to_json() for name, stage in api.stages.items()},
                    "usagePlans": [_usage_plan(gateway, plan) for plan in gateway.usage_plans.values()],
                }
            )
    return None


def _usage_plan(gateway: Any, plan: Any) -> dict[str, Any]:
    keys = [gateway.keys[key_id] for key_id in gateway.usage_plan_keys.get(plan.id, {}) if key_id in gateway.keys]
    return {
        **plan.to_json(),
        "keys": [{"id": key.id, "value": key.value, "enabled": bool(key.enabled)} for key in keys],
    }
