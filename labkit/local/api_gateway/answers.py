"""What moto answers, in AWS's form: defaults that it leaves out are there, and what is empty is not.

As LocalStack's tests recorded it on AWS (``test_apigateway_api``, ``test_apigateway_common`` and
``test_apigateway_extended``, 2023-07 to 2025-09).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labkit.local.api_gateway.gateway_error import TYPES
from labkit.local.api_gateway.gateway_responses import DEFAULT_TEMPLATES
from labkit.local.api_gateway.paging import page

Shown = dict[str, Any]
Params = dict[str, Any]
Form = Callable[[Shown, Params], Shown]

EMPTY: tuple[Any, ...] = (None, [], {}, "")


def rest_api(api: Shown, params: Params) -> Shown:
    """An API: no version but that of a document; it listens to IPv4."""
    endpoint = {"ipAddressType": "ipv4", **(api.get("endpointConfiguration") or {})}
    shown = _without_empty(api, but="tags")
    if shown.get("version") == "V1":  # moto's own
        del shown["version"]
    return {**shown, "endpointConfiguration": endpoint}


def new_rest_api(api: Shown, params: Params) -> Shown:
    """An API that was just made: without tags where it has none."""
    shown = rest_api(api, params)
    return {name: value for name, value in shown.items() if name != "tags" or value}


def resource(one: Shown, params: Params) -> Shown:
    """A resource: its methods by name only, unless ``embed=methods`` asks for more."""
    methods = one.get("resourceMethods") or {}
    embedded = "methods" in (params.get("embed") or [])
    shown = {verb: method(found, {"resourceId": one["id"]}) if embedded else {} for verb, found in methods.items()}
    return {**one, "resourceMethods": shown} if shown else one


def method(one: Shown, params: Params) -> Shown:
    """A method with its responses and its integration."""
    shown = _without_empty(one)
    if responses := shown.get("methodResponses"):
        shown["methodResponses"] = {status: _without_empty(found) for status, found in responses.items()}
    if found := shown.get("methodIntegration"):
        shown["methodIntegration"] = integration(found, params)
    return shown


def integration(one: Shown, params: Params) -> Shown:
    """An integration with its defaults; its cache is the resource's."""
    shown = _without_empty(one)
    if "HTTP" in str(shown.get("type")):
        shown.setdefault("connectionType", "INTERNET")
    shown.setdefault("passthroughBehavior", "WHEN_NO_MATCH")
    shown.setdefault("timeoutInMillis", 29_000)
    shown.setdefault("cacheNamespace", params["resourceId"])
    shown.setdefault("cacheKeyParameters", [])
    if responses := shown.get("integrationResponses"):
        shown["integrationResponses"] = {
            status: integration_response(found, params) for status, found in responses.items()
        }
    return shown


def integration_response(one: Shown, params: Params) -> Shown:
    """An integration response."""
    return _without_empty(one, but="selectionPattern")


def put_integration_response(one: Shown, params: Params) -> Shown:
    """An integration response that was just put: its pattern is shown, also an empty one."""
    pattern = params.get("selectionPattern")
    return {**integration_response(one, params), **({} if pattern is None else {"selectionPattern": pattern})}


def stage(one: Shown, params: Params) -> Shown:
    """A stage: no cache and no tracing unless somebody asked for them."""
    defaults = {"cacheClusterEnabled": False, "cacheClusterStatus": "NOT_AVAILABLE", "tracingEnabled": False}
    return {**defaults, **_without_empty(one, but="methodSettings")}


def stages(answer: Shown, params: Params) -> Shown:
    """All stages, or those that serve a deployment; they come on one page."""
    serving = params.get("deploymentId")
    return {"item": [stage(one, params) for one in answer["item"] if serving in (None, one["deploymentId"])]}


def gateway_response(response_type: str, configured: Shown) -> Shown:
    """A gateway response: the API's own of *configured*, or API Gateway's default."""
    own = configured.get(response_type) or {}
    status = own.get("statusCode") or TYPES[response_type]
    return {
        "responseType": response_type,
        "responseParameters": own.get("responseParameters") or {},
        "responseTemplates": own.get("responseTemplates") or DEFAULT_TEMPLATES,
        "defaultResponse": not own,
        **({"statusCode": str(status)} if status else {}),
    }


def usage_plan(one: Shown, params: Params) -> Shown:
    """A usage plan by itself: with its tags, also where it has none."""
    return {"tags": {}, **listed_usage_plan(one, params)}


def listed_usage_plan(one: Shown, params: Params) -> Shown:
    """A usage plan among others, or just made: its quota has an offset, 0 unless somebody said otherwise."""
    shown = _without_empty(one, but="apiStages")
    return {**shown, "quota": {"offset": 0, **shown["quota"]}} if "quota" in shown else shown


def _without_empty(one: Shown, *, but: str = "") -> Shown:
    return {name: value for name, value in one.items() if name == but or value not in EMPTY}


def _pages_of(form: Form = lambda one, _: one, *, newest_first: bool = False) -> Form:
    def shown(answer: Shown, params: Params) -> Shown:
        items, position = page(answer["item"][::-1] if newest_first else answer["item"], params)
        return {"item": [form(one, params) for one in items], **position}

    return shown


FORMS: Mapping[str, Form] = {
    "CreateRestApi": new_rest_api,
    "CreateStage": stage,
    "CreateUsagePlan": listed_usage_plan,
    "GetApiKeys": _pages_of(newest_first=True),
    "GetAuthorizers": _pages_of(),
    "GetDeployments": _pages_of(),
    "GetIntegration": integration,
    "GetIntegrationResponse": integration_response,
    "GetMethod": method,
    "GetMethodResponse": lambda one, _: _without_empty(one),
    "GetModels": _pages_of(),
    "GetRequestValidators": _pages_of(),
    "GetResource": resource,
    "GetResources": _pages_of(resource),
    "GetRestApi": rest_api,
    "GetRestApis": _pages_of(rest_api),
    "GetStage": stage,
    "GetStages": stages,
    "GetUsagePlan": usage_plan,
    "GetUsagePlanKeys": _pages_of(newest_first=True),
    "GetUsagePlans": _pages_of(listed_usage_plan),
    "ImportRestApi": new_rest_api,
    "PutIntegration": integration,
    "PutIntegrationResponse": put_integration_response,
    "PutMethod": method,
    "PutMethodResponse": lambda one, _: _without_empty(one),
    "PutRestApi": rest_api,
    "UpdateIntegration": integration,
    "UpdateMethod": method,
    "UpdateResource": resource,
    "UpdateRestApi": rest_api,
    "UpdateStage": stage,
    "UpdateUsagePlan": usage_plan,
}
CREATED = frozenset({"CreateRestApi"})  # moto answers 200, AWS 201
