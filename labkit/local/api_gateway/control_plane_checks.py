"""What API Gateway refuses and moto would accept or trip over. Each check raises AWS's error, or lets the call pass.

https://docs.aws.amazon.com/apigateway/latest/api/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.api_gateway.gateway_responses import TYPES
from labkit.local.api_gateway.validation import InvalidModelError, compile_model

Params = dict[str, Any]
Setup = dict[str, Any]
Check = Callable[[Params, Setup], None]

METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY")


def _bad_request(message: str) -> AwsError:
    return AwsError("BadRequestException", message)


def _conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message, 409)


def _not_found(message: str) -> AwsError:
    return AwsError("NotFoundException", message, 404)


def resource(params: Params, setup: Setup) -> dict[str, Any]:
    """Find the resource that a call names."""
    for one in setup["resources"]:
        if one["id"] == params["resourceId"]:
            return dict(one)
    raise _not_found("Invalid Resource identifier specified")


def resource_exists(params: Params, setup: Setup) -> None:
    """Refuse a resource id that the API does not have."""
    resource(params, setup)


def method(params: Params, setup: Setup) -> dict[str, Any]:
    """Find the method that a call names."""
    found = resource(params, setup)["resourceMethods"].get(params["httpMethod"])
    if found is None:
        raise _not_found("Invalid Method identifier specified")
    return dict(found)


def method_exists(params: Params, setup: Setup) -> None:
    """Refuse a method that the resource does not have."""
    method(params, setup)


def new_resource(params: Params, setup: Setup) -> None:
    """Refuse a path part that its parent has already, a second variable one, and children of ``{proxy+}``."""
    parent = resource({"resourceId": params["parentId"]}, setup)
    part = params["pathPart"]
    if parent["pathPart"].endswith("+}"):
        raise _bad_request(f"Cannot create a child of a resource with a greedy path variable: {parent['pathPart']}")
    for sibling in setup["resources"]:
        if sibling["parentId"] != params["parentId"]:
            continue
        if sibling["pathPart"] == part:
            raise _conflict(f"Another resource with the same parent already has this name: {part}")
        if sibling["pathPart"].startswith("{") and part.startswith("{"):
            raise _bad_request(
                f"A sibling ({sibling['pathPart']}) of this resource already has a variable path part "
                "-- only one is allowed"
            )


def deletable_resource(params: Params, setup: Setup) -> None:
    """Refuse to delete the root."""
    if resource(params, setup)["parentId"] is None:
        raise _bad_request("Root resource cannot be deleted.")


def new_method(params: Params, setup: Setup) -> None:
    """Refuse a method that is there already, or that refers to what is not there."""
    found = resource(params, setup)
    if params["httpMethod"] not in METHODS:
        raise _bad_request(f"Invalid HttpMethod specified. Valid options are {','.join(METHODS)}")
    if params["httpMethod"] in found["resourceMethods"]:
        raise _conflict("Method already exists for this resource")
    supported_authorization(params.get("authorizationType"))
    _known_validator(params.get("requestValidatorId"), setup)
    _known_models((params.get("requestModels") or {}).values(), setup)


def supported_authorization(kind: str | None) -> None:
    """Name the authorization types that the local cloud does not have, rather than leave a method open."""
    if kind != "NONE":
        raise AwsError(
            "NotImplemented",
            f"The local cloud does not implement the authorization type {kind} of API Gateway methods; it has NONE.",
            501,
        )


def _known_validator(validator_id: str | None, setup: Setup) -> None:
    if validator_id and validator_id not in setup["requestValidators"]:
        raise _bad_request("Invalid Request Validator identifier specified")


def _known_models(names: Any, setup: Setup) -> None:
    for name in names:
        if name not in setup["models"]:
            raise _bad_request(f"Invalid model identifier specified: {name}")


def method_patch(params: Params, setup: Setup) -> None:
    """Refuse UpdateMethod for what is not there."""
    method(params, setup)
    for operation in params.get("patchOperations") or []:
        value = operation.get("value")
        if operation["path"] == "/authorizationType":
            supported_authorization(value)
        elif operation["path"] == "/requestValidatorId":
            _known_validator(value, setup)
        elif operation["path"].startswith("/requestModels/") and operation["op"] != "remove":
            _known_models([value], setup)


def integration(params: Params, setup: Setup) -> None:
    """Refuse an integration of a method that is not there, and a timeout that AWS does not allow."""
    method(params, setup)
    timeout = params.get("timeoutInMillis")
    if timeout is not None and not 50 <= int(timeout) <= 29_000:
        raise _bad_request("Timeout should be between 50 ms and 29000 ms")


def integration_exists(params: Params, setup: Setup) -> None:
    """Refuse what needs an integration where there is none."""
    if not method(params, setup).get("methodIntegration"):
        raise _not_found("Invalid Integration identifier specified")


def new_method_response(params: Params, setup: Setup) -> None:
    """Refuse a second response of one status."""
    if params["statusCode"] in (method(params, setup).get("methodResponses") or {}):
        raise _conflict("Response already exists for this resource")


def integration_response(params: Params, setup: Setup) -> None:
    """Refuse an integration response that its method response does not announce: status, and each header."""
    found = method(params, setup)
    declared = (found.get("methodResponses") or {}).get(params["statusCode"])
    if declared is None or not found.get("methodIntegration"):
        raise _not_found("Invalid Response status code specified")
    for name in params.get("responseParameters") or {}:
        if name not in (declared.get("responseParameters") or {}):
            raise _bad_request(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
                f"[Invalid mapping expression parameter specified: {name}]"
            )


def deployable(params: Params, setup: Setup) -> None:
    """Refuse to deploy an API without methods, or with a method that has no integration."""
    methods = [found for one in setup["resources"] for found in one["resourceMethods"].values()]
    if not methods:
        raise _bad_request("The REST API doesn't contain any methods")
    if not all(found.get("methodIntegration") for found in methods):
        raise _bad_request("No integration defined for method")


def deletable_deployment(params: Params, setup: Setup) -> None:
    """Refuse to delete a deployment that a stage serves."""
    if params["deploymentId"] not in setup["deployments"]:
        raise _not_found("Invalid Deployment identifier specified")
    if params["deploymentId"] in setup["stages"].values():
        raise _bad_request("Active stages pointing to this deployment must be moved or deleted")


def known_deployment(params: Params, setup: Setup) -> None:
    """Refuse a deployment id that the API does not have."""
    if params["deploymentId"] not in setup["deployments"]:
        raise _not_found("Invalid Deployment identifier specified")


def stage_patch(params: Params, setup: Setup) -> None:
    """Refuse to point a stage to a deployment that is not there."""
    for operation in params.get("patchOperations") or []:
        if operation["path"] == "/deploymentId":
            known_deployment({"deploymentId": operation.get("value")}, setup)


def new_model(params: Params, setup: Setup) -> None:
    """Refuse a second model of one name, and a schema that cannot validate anything."""
    if params["name"] in setup["models"]:
        raise _conflict("Model name already exists for this REST API")
    try:
        compile_model(params["name"], {**setup["models"], params["name"]: params.get("schema") or "{}"})
    except InvalidModelError as error:
        raise _bad_request(
            "Invalid model specified: Validation Result: warnings : [], errors : "
            f"[Invalid model schema specified. {error}]"
        ) from error


def unused_model(params: Params, setup: Setup) -> None:
    """Refuse to delete a model that a method uses."""
    for one in setup["resources"]:
        for verb, found in one["resourceMethods"].items():
            if params["modelName"] in (found.get("requestModels") or {}).values():
                raise _conflict(
                    f"Cannot delete model '{params['modelName']}', "
                    f"is referenced in method request: {one['path']}/{verb}"
                )


def known_validator(params: Params, setup: Setup) -> None:
    """Refuse a validator id that the API does not have."""
    if params["requestValidatorId"] not in setup["requestValidators"]:
        raise _not_found("Invalid Request Validator identifier specified")


def gateway_response_type(params: Params, setup: Setup) -> None:
    """Refuse a type that does not exist."""
    if params["responseType"] not in TYPES:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{params['responseType']}' at 'responseType' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(TYPES)}]",
        )


def own_gateway_response(params: Params, setup: Setup) -> None:
    """Refuse to delete a default response."""
    if params["responseType"] not in setup["gatewayResponses"]:
        raise _not_found("Gateway response type not defined on api")


def known_plan(params: Params, metering: Setup) -> None:
    """Refuse a usage plan that does not exist."""
    if params["usagePlanId"] not in metering["usagePlans"]:
        raise _not_found("Invalid Usage Plan ID specified")


def detached_plan(params: Params, metering: Setup) -> None:
    """Refuse to delete a usage plan that still has stages."""
    for stage in metering["usagePlans"][params["usagePlanId"]]["apiStages"]:
        raise _bad_request(
            f"Cannot delete Usage Plan {params['usagePlanId']} because there are API Stages associated with it, "
            f"including {stage['apiId']}:{stage['stage']}"
        )


def asks_for_logs(params: Params) -> bool:
    """Whether a change of a stage turns execution logs or access logs on."""
    return any(
        operation["path"].startswith("/accessLogSettings/")
        or (operation["path"].endswith("/logging/loglevel") and operation.get("value") != "OFF")
        for operation in params.get("patchOperations") or []
    )


def key_of_plan(params: Params, metering: Setup) -> None:
    """Refuse a key that is not on the plan."""
    if params["keyId"] not in [key["id"] for key in metering["usagePlans"][params["usagePlanId"]]["keys"]]:
        raise _not_found("Invalid Usage Plan Key ID specified")


def api_key(params: Params) -> None:
    """Refuse names and values of the wrong length."""
    if len(params.get("name") or "") > 1024:
        raise _bad_request("Invalid API Key name, can be at most 1024 characters.")
    if len(params.get("value") or "") > 128:
        raise _bad_request("API Key value exceeds maximum size of 128 characters")


def rest_api(params: Params) -> None:
    """Refuse resource policies of APIs, which would not be looked at."""
    patched = [operation["path"] for operation in params.get("patchOperations") or []]
    if params.get("policy") or "/policy" in patched:
        raise AwsError("NotImplemented", "The local cloud does not implement resource policies of REST APIs.", 501)


def no_authorizer(params: Params) -> None:
    """Refuse authorizers, which would not be asked."""
    raise AwsError("NotImplemented", "The local cloud does not implement authorizers of API Gateway.", 501)


# The checks of each operation, in order. An operation with no check of its own still needs its API to exist.
OF_AN_API: Mapping[str, tuple[Check, ...]] = {
    "CreateDeployment": (deployable,),
    "CreateModel": (new_model,),
    "CreateRequestValidator": (),
    "CreateResource": (new_resource,),
    "CreateStage": (known_deployment,),
    "DeleteDeployment": (deletable_deployment,),
    "DeleteGatewayResponse": (gateway_response_type, own_gateway_response),
    "DeleteIntegration": (integration_exists,),
    "DeleteMethod": (method_exists,),
    "DeleteModel": (unused_model,),
    "DeleteRequestValidator": (known_validator,),
    "DeleteResource": (deletable_resource,),
    "DeleteRestApi": (),
    "DeleteStage": (),
    "GetDeployment": (known_deployment,),
    "GetDeployments": (),
    "GetGatewayResponse": (gateway_response_type,),
    "GetGatewayResponses": (),
    "GetIntegration": (integration_exists,),
    "GetMethod": (method_exists,),
    "GetModels": (),
    "GetRequestValidator": (known_validator,),
    "GetRequestValidators": (),
    "GetResource": (resource_exists,),
    "GetResources": (),
    "GetRestApi": (),
    "GetStage": (),
    "GetStages": (),
    "PutGatewayResponse": (gateway_response_type,),
    "PutIntegration": (integration,),
    "PutIntegrationResponse": (integration_response,),
    "PutMethod": (new_method,),
    "PutMethodResponse": (new_method_response,),
    "UpdateIntegration": (integration_exists,),
    "UpdateMethod": (method_patch,),
    "UpdateRequestValidator": (known_validator,),
    "UpdateRestApi": (),
    "UpdateStage": (stage_patch,),
}
OF_KEYS_AND_PLANS: Mapping[str, tuple[Check, ...]] = {
    "CreateUsagePlanKey": (known_plan,),
    "DeleteUsagePlan": (known_plan, detached_plan),
    "DeleteUsagePlanKey": (known_plan, key_of_plan),
    "GetUsage": (known_plan,),
    "GetUsagePlanKeys": (known_plan,),
    "UpdateUsagePlan": (known_plan,),
}
ALONE: Mapping[str, Callable[[Params], None]] = {
    "CreateApiKey": api_key,
    "CreateAuthorizer": no_authorizer,
    "CreateRestApi": rest_api,
    "UpdateRestApi": rest_api,
}
