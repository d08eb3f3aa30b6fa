"""Changes of REST APIs that moto makes wrongly or not at all, each made in moto's own state and in moto's thread."""

from __future__ import annotations

from typing import Any

from labkit.local.moto_app import rest_api_import
from labkit.local.moto_app import rest_api_patches as patches
from labkit.local.moto_app.app import MotoApp, backend

EMPTY_MODEL = (
    '{\n  "$schema": "http://json-schema.org/draft-04/schema#",\n  "title" : "Empty Schema",\n  "type" : "object"\n}'
)
ERROR_MODEL = (
    '{\n  "$schema" : "http://json-schema.org/draft-04/schema#",\n  "title" : "Error Schema",\n  "type" : "object",\n'
    '  "properties" : {\n    "message" : { "type" : "string" }\n  }\n}'
)


class RestApiChanges:
    """Writes to moto's API Gateway."""

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto

    async def import_api(self, region: str, definition: dict[str, Any], endpoint_types: list[str]) -> dict[str, Any]:
        """Make an API of what an OpenAPI document says; return the API."""
        return await self._moto.run(rest_api_import.create_api, region, definition, endpoint_types)

    async def put_api(
        self, region: str, api_id: str, definition: dict[str, Any], *, overwrite: bool
    ) -> dict[str, Any] | None:
        """Change an API by what an OpenAPI document says; return the API, or ``None`` where there is none."""
        return await self._moto.run(rest_api_import.change_api, region, api_id, definition, overwrite)

    async def complete_rest_api(self, api_id: str, region: str, binary_media_types: list[str]) -> dict[str, Any]:
        """Give a new API its two default models and its binary media types; return the API."""
        return await self._moto.run(_complete_rest_api, api_id, region, binary_media_types)

    async def set_validation_expression(self, api_id: str, region: str, authorizer_id: str, expression: str) -> None:
        """Give an authorizer the expression that its tokens must match, which moto loses when it makes one."""
        await self._moto.run(_set_validation_expression, api_id, region, authorizer_id, expression)

    async def set_logs_role(self, region: str, role_arn: str | None) -> dict[str, Any]:
        """Set the role by which API Gateway writes logs, or none; return the account."""
        return await self._moto.run(_set_logs_role, region, role_arn)

    async def patch_rest_api(self, api_id: str, region: str, operations: list[dict[str, str]]) -> dict[str, Any]:
        """Apply UpdateRestApi and return the API."""
        return await self._moto.run(patches.patch_rest_api, api_id, region, operations)

    async def delete_resources(self, api_id: str, region: str, resource_ids: list[str]) -> None:
        """Delete resources."""
        await self._moto.run(_delete_resources, api_id, region, resource_ids)

    async def keep_stage_settings(self, api_id: str, region: str, stage: str, kept: dict[str, Any]) -> None:
        """Give a stage that was deployed to once more the settings it had, *kept* being the stage before."""
        await self._moto.run(_keep_stage_settings, api_id, region, stage, kept)

    async def delete_deployment(self, api_id: str, region: str, deployment_id: str) -> None:
        """Delete a deployment that no stage serves."""
        await self._moto.run(_delete_deployment, api_id, region, deployment_id)

    async def detach_stages(self, region: str, api_id: str, stage: str | None) -> None:
        """Take an API's stage, or all of them, off every usage plan."""
        await self._moto.run(_detach_stages, region, api_id, stage)

    async def forget_key(self, region: str, key_id: str) -> None:
        """Take a deleted key off every usage plan."""
        await self._moto.run(_forget_key, region, key_id)

    async def forget_plan(self, region: str, plan_id: str) -> None:
        """Drop what moto keeps of a deleted usage plan: which keys were on it."""
        await self._moto.run(lambda: backend("apigateway", region).usage_plan_keys.pop(plan_id, None))

    async def patch_usage_plan(self, region: str, plan_id: str, operations: list[dict[str, str]]) -> dict[str, Any]:
        """Apply UpdateUsagePlan and return the plan."""
        return await self._moto.run(patches.patch_usage_plan, region, plan_id, operations)

    async def patch_method(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        """Apply UpdateMethod and return the method."""
        return await self._moto.run(patches.patch_method, params, region)

    async def patch_integration(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        """Apply UpdateIntegration and return the integration."""
        return await self._moto.run(patches.patch_integration, params, region)

    async def tags(self, region: str, kind: str, names: list[str]) -> dict[str, str] | None:
        """Return the tags of an API, a stage, an API key or a usage plan, or ``None`` where there is none."""
        return await self._moto.run(_tags, region, kind, names)

    async def set_tags(self, region: str, kind: str, names: list[str], tags: dict[str, str]) -> None:
        """Replace the tags of a resource that exists."""
        await self._moto.run(_set_tags, region, kind, names, tags)


def _complete_rest_api(api_id: str, region: str, binary_media_types: list[str]) -> dict[str, Any]:
    api = backend("apigateway", region).apis[api_id]
    api.binaryMediaTypes = binary_media_types
    if "Empty" not in api.models:
        api.add_model("Empty", "This is a default empty schema model", EMPTY_MODEL, "application/json")
        api.add_model("Error", "This is a default error schema model", ERROR_MODEL, "application/json")
    return dict(api.to_dict())


def _set_validation_expression(api_id: str, region: str, authorizer_id: str, expression: str) -> None:
    backend("apigateway", region).apis[api_id].authorizers[authorizer_id].identity_validation_expression = expression


def _set_logs_role(region: str, role_arn: str | None) -> dict[str, Any]:
    account = backend("apigateway", region).account
    account.cloudwatch_role_arn = role_arn
    return {name: value for name, value in account.to_json().items() if value is not None}


def _delete_resources(api_id: str, region: str, resource_ids: list[str]) -> None:
    resources = backend("apigateway", region).apis[api_id].resources
    for resource_id in resource_ids:
        resources.pop(resource_id, None)


def _keep_stage_settings(api_id: str, region: str, stage_name: str, kept: dict[str, Any]) -> None:
    stage = backend("apigateway", region).apis[api_id].stages[stage_name]
    stage.variables = {**kept["variables"], **stage.variables}
    stage.method_settings = kept["methodSettings"]
    stage.description = kept["description"]
    stage.tags = kept.get("tags")
    stage.tracing_enabled = kept.get("tracingEnabled")
    stage.access_log_settings = kept.get("accessLogSettings")


def _delete_deployment(api_id: str, region: str, deployment_id: str) -> None:
    backend("apigateway", region).apis[api_id].deployments.pop(deployment_id)


def _detach_stages(region: str, api_id: str, stage: str | None) -> None:
    for plan in backend("apigateway", region).usage_plans.values():
        plan.api_stages = [
            one for one in plan.api_stages if one["apiId"] != api_id or (stage is not None and one["stage"] != stage)
        ]


def _forget_key(region: str, key_id: str) -> None:
    for keys in backend("apigateway", region).usage_plan_keys.values():
        keys.pop(key_id, None)


def _tagged(region: str, kind: str, names: list[str]) -> Any:
    gateway = backend("apigateway", region)
    holders = {"restapis": gateway.apis, "apikeys": gateway.keys, "usageplans": gateway.usage_plans}
    found = holders.get(kind, {}).get(names[0])
    if found is not None and kind == "restapis" and len(names) == 3 and names[1] == "stages":
        found = found.stages.get(names[2])
    return found


def _tags(region: str, kind: str, names: list[str]) -> dict[str, str] | None:
    found = _tagged(region, kind, names)
    return None if found is None else dict(found.tags or {})


def _set_tags(region: str, kind: str, names: list[str], tags: dict[str, str]) -> None:
    _tagged(region, kind, names).tags = tags
