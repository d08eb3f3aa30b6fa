"""Patch operations on what moto keeps of API Gateway: moto's own know few paths, and take what they do not know.

https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.moto_app.app import backend

LARGEST_COMPRESSION_SIZE = 10_485_760
ENDPOINT_TYPES = ("REGIONAL", "EDGE", "PRIVATE")
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
PLAN_TEXTS = {"/name": "name", "/description": "description", "/productCode": "product_code"}
REMOVABLE_OF_PLAN = (
    "/apiStages, /quota, /throttle, /productCode, /apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>, "
    "/apiStages/<apidId:stageName>/throttle"
)


def patch_rest_api(api_id: str, region: str, operations: list[dict[str, str]]) -> dict[str, Any]:
    """Apply UpdateRestApi and return the API."""
    api = backend("apigateway", region).apis[api_id]
    texts = {"/name": "name", "/description": "description", "/apiKeySource": "api_key_source"}
    with _whole_or_not_at_all(api, dict(vars(api))):
        for operation in operations:
            verb, path, value = operation["op"], operation["path"], operation.get("value")
            if path.startswith("/binaryMediaTypes/"):
                _patch_binary_media_types(api, verb, path, value)
            elif path == "/description" and verb == "remove":
                api.description = None
            elif verb != "replace":
                raise _bad_request("Invalid patch operation specified. Must be one of: [replace]")
            elif path in texts:
                setattr(api, texts[path], value)
            elif path == "/policy":
                api.policy = value or None
            elif path == "/disableExecuteApiEndpoint":
                api.disableExecuteApiEndpoint = str(value).lower() == "true"
            elif path == "/minimumCompressionSize":
                api.minimum_compression_size = _compression_size(value)
            else:
                api.endpoint_configuration = _endpoint(api.endpoint_configuration, path, value)
    return dict(api.to_dict())


def _patch_binary_media_types(api: Any, verb: str, path: str, value: str | None) -> None:
    """A media type stands in the path, its slash written ``~1``; ``replace`` puts another in its place."""
    name = path.removeprefix("/binaryMediaTypes/").replace("~1", "/")
    types = [one for one in api.binaryMediaTypes if one and one != name]
    if verb != "remove":
        types.append((value or name) if verb == "replace" else name)
    api.binaryMediaTypes = types


def _compression_size(value: str | None) -> int | None:
    if not value:
        return None
    if not value.isdecimal() or int(value) > LARGEST_COMPRESSION_SIZE:
        raise _bad_request(f"Invalid minimum compression size, must be between 0 and {LARGEST_COMPRESSION_SIZE}")
    return int(value)


def _endpoint(configuration: dict[str, Any], path: str, value: str | None) -> dict[str, Any]:
    """Change the type of the endpoint, or its addresses; a private one has both kinds of them always."""
    if path == "/endpointConfiguration/ipAddressType":
        if value not in ("ipv4", "dualstack"):
            raise _bad_request("ipAddressType must be either ipv4 or dualstack.")
        if value == "ipv4" and configuration["types"] == ["PRIVATE"]:
            raise _bad_request("Only dualstack ipAddressType is supported for Private APIs.")
        return {**configuration, "ipAddressType": value}
    if not path.startswith("/endpointConfiguration/types/"):
        raise _bad_request(f"Invalid patch path {path}")
    if value not in ENDPOINT_TYPES:
        raise _bad_request(f"Invalid EndpointTypes specified. Valid options are {','.join(ENDPOINT_TYPES)}")
    changed = {**configuration, "types": [value]}
    return {**changed, "ipAddressType": "dualstack"} if value == "PRIVATE" else changed


def _at_least_0(convert: Callable[[str], float]) -> Callable[[str], float]:
    def limit(value: str) -> float:
        if not 0 <= (number := convert(value)) < math.inf:
            raise ValueError(value)
        return number

    return limit


def _period(value: str) -> str:
    if value not in ("DAY", "WEEK", "MONTH"):
        raise ValueError(value)
    return value


LIMITS: dict[str, dict[str, Callable[[str], Any]]] = {
    "quota": {"limit": _at_least_0(int), "offset": _at_least_0(int), "period": _period},
    "throttle": {"rateLimit": _at_least_0(float), "burstLimit": _at_least_0(int)},
}


def patch_usage_plan(region: str, plan_id: str, operations: list[dict[str, str]]) -> dict[str, Any]:
    """Apply UpdateUsagePlan and return the plan."""
    plan = backend("apigateway", region).usage_plans[plan_id]
    with _whole_or_not_at_all(plan, copy.deepcopy(vars(plan))):
        for operation in operations:
            path, value = operation["path"], operation.get("value", "")
            try:
                _patch_usage_plan(plan, operation["op"], path, value)
            except (ValueError, KeyError) as error:
                raise _bad_request(f"Invalid value {value!r} for {path}") from error
    return dict(plan.to_json())


def _patch_usage_plan(plan: Any, verb: str, path: str, value: str) -> None:
    parts = path.strip("/").split("/")
    lengths = (3, 5) if verb == "remove" else (6,)
    if path in PLAN_TEXTS:
        setattr(plan, PLAN_TEXTS[path], value if verb != "remove" else None)
    elif path in ("/quota", "/throttle") and verb == "remove":
        setattr(plan, parts[0], {})
    elif len(parts) == 2 and parts[1] in LIMITS.get(parts[0], {}) and verb != "remove":
        getattr(plan, parts[0])[parts[1]] = LIMITS[parts[0]][parts[1]](value)
    elif path == "/apiStages" and verb in ("add", "remove"):
        _patch_api_stages(plan, verb, value)
    elif parts[0] == "apiStages" and parts[2:3] == ["throttle"] and len(parts) in lengths:
        _patch_method_throttle(plan, parts, value)
    else:
        choice = f" Must be one of: [{REMOVABLE_OF_PLAN}]" if verb == "remove" else ""
        raise _bad_request(f"Invalid patch path  '{path}' specified for op '{verb}'.{choice}")


def _patch_api_stages(plan: Any, verb: str, value: str) -> None:
    api_id, _, stage = value.partition(":")
    others = [one for one in plan.api_stages if (one["apiId"], one["stage"]) != (api_id, stage)]
    there = len(others) < len(plan.api_stages)
    if verb == "remove" and not there:
        raise _bad_request("Invalid API Stage specified")
    if verb == "remove":
        plan.api_stages = others
    elif not there:  # one that is there keeps the limits of its methods
        plan.api_stages = [*others, {"apiId": api_id, "stage": stage}]


def _patch_method_throttle(plan: Any, parts: list[str], value: str) -> None:
    """``/apiStages/{api}:{stage}/throttle/{resourcePath}/{method}/rateLimit``, slashes of the path written ``~1``.

    A shorter path takes off the limits of one method, or of all.
    """
    api_id, _, stage = parts[1].partition(":")
    for one in plan.api_stages:
        if (one["apiId"], one["stage"]) == (api_id, stage):
            break
    else:
        raise _bad_request("Invalid API Stage specified")
    if len(parts) == 3:
        one.pop("throttle", None)
        return
    endpoint = f"{parts[3].replace('~1', '/')}/{parts[4]}"
    if len(parts) == 5:
        one.get("throttle", {}).pop(endpoint, None)
        return
    limits = one.setdefault("throttle", {}).setdefault(endpoint, {"rateLimit": 0.0, "burstLimit": 0})
    limits[parts[5]] = LIMITS["throttle"][parts[5]](value)


def patch_method(params: dict[str, Any], region: str) -> dict[str, Any]:
    """Apply UpdateMethod and return the method."""
    method = backend("apigateway", region).get_method(params["restApiId"], params["resourceId"], params["httpMethod"])
    _patch(method, params.get("patchOperations") or [], METHOD_PATHS, METHOD_MAPS)
    return dict(method.to_json())


def patch_integration(params: dict[str, Any], region: str) -> dict[str, Any]:
    """Apply UpdateIntegration and return the integration."""
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
    with _whole_or_not_at_all(target, dict(vars(target))):
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
                raise _bad_request(f"Invalid patch path {path}")


@contextmanager
def _whole_or_not_at_all(target: Any, before: dict[str, Any]) -> Iterator[None]:
    """Give *target* back its attributes of *before* if one of several patch operations is refused."""
    try:
        yield
    except AwsError:
        vars(target).update(before)
        raise


def _bad_request(message: str) -> AwsError:
    return AwsError("BadRequestException", message)
