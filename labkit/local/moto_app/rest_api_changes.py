"""Changes of REST APIs that moto makes wrongly or not at all, each made in moto's own state and in moto's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.moto_app import rest_api_import
from labkit.local.moto_app.app import MotoApp, backend

EMPTY_MODEL = (
    '{\n  "$schema": "http://json-schema.org/draft-04/schema#",\n  "title" : "Empty Schema",\n  "type" : "object"\n}'
)
ERROR_MODEL = (
    '{\n  "$schema" : "http://json-schema.org/draft-04/schema#",\n  "title" : "Error Schema",\n  "type" : "object",\n'
    '  "properties" : {\n    "message" : { "type" : "string" }\n  }\n}'
)

# The paths of patch operations, and the attribute of moto's object with the type of its value.
METHOD_PATHS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "/apiKeyRequired": ("api_key_required", lambda value: value.lower() == "true"),
    "/authorizationType": ("authorization_type", str),
    "/authorizerId": ("authorizer_id", lambda value: value or None),
    "/operationName": ("operation_name", str),
    "/requestValidatorId": ("request_validator_id", lambda value: value or None),
}
METHOD_MAPS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "/requestModels/": ("request_models", str),
    "/requestParameters/": ("request_parameters", lambda value: value.lower() == "true"),
}
INTEGRATION_PATHS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "/credentials": ("credentials", lambda value: value or None),
    "/httpMethod": ("http_method", str),
    "/passthroughBehavior": ("passthrough_behaviour", str),
    "/timeoutInMillis": ("timeout_in_millis", int),
    "/uri": ("uri", str),
}
INTEGRATION_MAPS: dict[str, tuple[str, Callable[[str], Any]]] = {"/requestTemplates/": ("request_templates", str)}


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

    async def update_binary_media_types(self, api_id: str, region: str, types: list[str]) -> None:
        """Replace the binary media types of an API."""
        await self._moto.run(_update_binary_media_types, api_id, region, types)

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

    async def patch_usage_plan(self, region: str, plan_id: str, operations: list[dict[str, str]]) -> dict[str, Any]:
        """Apply UpdateUsagePlan and return the plan."""
        return await self._moto.run(_patch_usage_plan, region, plan_id, operations)

    async def patch_method(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        """Apply UpdateMethod and return the method."""
        return await self._moto.run(_patch_method, params, region)

    async def patch_integration(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        """Apply UpdateIntegration and return the integration."""
        return await self._moto.run(_patch_integration, params, region)

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


def _update_binary_media_types(api_id: str, region: str, types: list[str]) -> None:
    backend("apigateway", region).apis[api_id].binaryMediaTypes = types


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


def _patch_usage_plan(region: str, plan_id: str, operations: list[dict[str, str]]) -> dict[str, Any]:
    plan = backend("apigateway", region).usage_plans[plan_id]
    numbers: dict[str, Callable[[str], Any]] = {"limit": int, "offset": int, "rateLimit": float, "burstLimit": int}
    for operation in operations:
        verb, path, value = operation["op"], operation["path"], operation.get("value", "")
        parts = path.strip("/").split("/")
        try:
            if path in ("/name", "/description", "/productCode"):
                attribute = "product_code" if path == "/productCode" else parts[0]
                setattr(plan, attribute, value if verb != "remove" else None)
            elif path in ("/quota", "/throttle") and verb == "remove":
                setattr(plan, parts[0], {})
            elif parts[0] in ("quota", "throttle") and len(parts) == 2:
                getattr(plan, parts[0])[parts[1]] = numbers.get(parts[1], str)(value)
            elif path == "/apiStages":
                _patch_api_stages(plan, verb, value)
            elif parts[0] == "apiStages" and len(parts) == 6 and parts[2] == "throttle":
                _patch_method_throttle(plan, parts, numbers[parts[5]](value))
            else:
                raise AwsError("BadRequestException", f"Invalid patch path  '{path}' specified for op '{verb}'.")
        except (ValueError, KeyError) as error:
            raise AwsError("BadRequestException", f"Invalid value {value!r} for {path}") from error
    return dict(plan.to_json())


def _patch_api_stages(plan: Any, verb: str, value: str) -> None:
    api_id, _, stage = value.partition(":")
    others = [one for one in plan.api_stages if (one["apiId"], one["stage"]) != (api_id, stage)]
    if not stage or (verb == "remove" and len(others) == len(plan.api_stages)):
        raise AwsError("BadRequestException", "Invalid API Stage specified")
    plan.api_stages = others if verb == "remove" else [*others, {"apiId": api_id, "stage": stage}]


def _patch_method_throttle(plan: Any, parts: list[str], value: float) -> None:
    """``/apiStages/{api}:{stage}/throttle/{resourcePath}/{method}/rateLimit``, slashes of the path written ``~1``."""
    api_id, _, stage = parts[1].partition(":")
    endpoint = f"{parts[3].replace('~1', '/')}/{parts[4]}"
    for one in plan.api_stages:
        if (one["apiId"], one["stage"]) == (api_id, stage):
            limits = one.setdefault("throttle", {}).setdefault(endpoint, {"rateLimit": 0.0, "burstLimit": 0})
            limits[parts[5]] = value
            return
    raise AwsError("BadRequestException", "Invalid API Stage specified")


def _patch_method(params: dict[str, Any], region: str) -> dict[str, Any]:
    method = backend("apigateway", region).get_method(params["restApiId"], params["resourceId"], params["httpMethod"])
    _patch(method, params.get("patchOperations") or [], METHOD_PATHS, METHOD_MAPS)
    return dict(method.to_json())


def _patch_integration(params: dict[str, Any], region: str) -> dict[str, Any]:
    integration = backend("apigateway", region).get_integration(
        params["restApiId"], params["resourceId"], params["httpMethod"]
    )
    if integration is None:
        raise AwsError("NotFoundException", "Invalid Integration identifier specified", 404)
    _patch(integration, params.get("patchOperations") or [], INTEGRATION_PATHS, INTEGRATION_MAPS)
    return dict(integration.to_json())


def _patch(
    target: Any,
    operations: list[dict[str, str]],
    paths: dict[str, tuple[str, Callable[[str], Any]]],
    maps: dict[str, tuple[str, Callable[[str], Any]]],
) -> None:
    for operation in operations:
        verb, path, value = operation["op"], operation["path"], operation.get("value", "")
        prefix = next((prefix for prefix in maps if path.startswith(prefix)), None)
        if path in paths and verb == "replace":
            attribute, convert = paths[path]
            setattr(target, attribute, convert(value))
        elif prefix is not None and verb in ("add", "replace", "remove"):
            attribute, convert = maps[prefix]
            entries = dict(getattr(target, attribute) or {})
            name = path.removeprefix(prefix).replace("~1", "/")
            if verb == "remove":
                entries.pop(name, None)
            else:
                entries[name] = convert(value)
            setattr(target, attribute, entries)
        else:
            raise AwsError("BadRequestException", f"Invalid patch path {path}")


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
