"""What API Gateway refuses and moto would accept or trip over: the checks of each operation, in order.

https://docs.aws.amazon.com/apigateway/latest/api/API_Operations.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.api_gateway import authorizer_checks as authorizers
from labkit.local.api_gateway import method_checks as methods
from labkit.local.api_gateway import model_checks as models
from labkit.local.api_gateway import patch_checks as patches
from labkit.local.api_gateway import stage_checks as stages
from labkit.local.api_gateway import usage_plan_checks as plans
from labkit.local.api_gateway.errors import bad_request
from labkit.local.api_gateway.resource_policy import read_policy

Params = dict[str, Any]
Check = Callable[[Params, dict[str, Any]], None]

ENDPOINT_TYPES = ("PRIVATE", "EDGE", "REGIONAL")
REST_API_PATHS = (
    "/apiKeySource", "/binaryMediaTypes/", "/description", "/disableExecuteApiEndpoint", "/endpointConfiguration/",
    "/minimumCompressionSize", "/name", "/policy",
)  # fmt: skip


def new_rest_api(params: Params) -> None:
    """Refuse what no API can have."""
    if params.get("policy"):
        read_policy(params["policy"])
    if params.get("cloneFrom"):
        raise AwsError("NotImplemented", "The local cloud does not clone APIs; import an OpenAPI document.", 501)
    if params.get("description") == "":
        raise bad_request("Description cannot be an empty string")
    types = (params.get("endpointConfiguration") or {}).get("types")
    if types is not None and any(one not in ENDPOINT_TYPES for one in types):
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '[{', '.join(types)}]' at "
            "'createRestApiInput.endpointConfiguration.types' failed to satisfy constraint: Member must satisfy "
            f"constraint: [Member must satisfy enum value set: [{', '.join(ENDPOINT_TYPES)}]]",
        )
    if types == []:
        raise bad_request("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
    if types and len(types) > 1:
        raise bad_request("Cannot create an api with multiple Endpoint Types.")


def rest_api_patch(params: Params) -> None:
    """Refuse paths that an API does not have, and what is no policy."""
    for operation in params.get("patchOperations") or []:
        path = operation["path"]
        if path == "/policy" and operation.get("value"):
            read_policy(operation["value"])
        if not any(path.startswith(one) if one.endswith("/") else path == one for one in REST_API_PATHS):
            raise bad_request(f"Invalid patch path {path}")


def no_export(params: Params) -> None:
    """Refuse exports: moto would return a document that says little of the API."""
    raise AwsError("NotImplemented", "The local cloud does not export APIs as OpenAPI documents.", 501)


# An operation with no check of its own still needs its API to exist.
UNCHECKED = (
    "CreateRequestValidator", "DeleteRestApi", "DeleteStage", "GetAuthorizers", "GetDeployments", "GetGatewayResponses",
    "GetModels", "GetRequestValidators", "GetResources", "GetRestApi", "GetStage", "GetStages", "UpdateRestApi",
)  # fmt: skip
OF_AN_API: Mapping[str, tuple[Check, ...]] = {
    **dict.fromkeys(UNCHECKED, ()),
    "CreateAuthorizer": (authorizers.new_authorizer,),
    "CreateDeployment": (stages.no_canary, stages.stage_name, stages.deployable),
    "CreateModel": (models.new_model,),
    "CreateResource": (methods.new_resource,),
    "CreateStage": (stages.no_canary, stages.stage_name, stages.known_deployment),
    "DeleteAuthorizer": (authorizers.known_authorizer, authorizers.unused_authorizer),
    "DeleteDeployment": (stages.deletable_deployment,),
    "DeleteGatewayResponse": (stages.gateway_response_type, stages.own_gateway_response),
    "DeleteIntegration": (methods.known_integration,),
    "DeleteIntegrationResponse": (methods.known_integration_response,),
    "DeleteMethod": (methods.known_method,),
    "DeleteMethodResponse": (methods.known_method_response,),
    "DeleteModel": (models.unused_model,),
    "DeleteRequestValidator": (models.known_validator,),
    "DeleteResource": (methods.deletable_resource,),
    "FlushStageAuthorizersCache": (stages.known_stage,),
    "GetAuthorizer": (authorizers.known_authorizer,),
    "GetDeployment": (stages.known_deployment,),
    "GetGatewayResponse": (stages.gateway_response_type,),
    "GetIntegration": (methods.known_integration,),
    "GetIntegrationResponse": (methods.known_integration_response,),
    "GetMethod": (methods.known_method,),
    "GetMethodResponse": (methods.known_method_response,),
    "GetModel": (models.known_model,),
    "GetRequestValidator": (models.known_validator,),
    "GetResource": (methods.known_resource,),
    "PutGatewayResponse": (stages.gateway_response,),
    "PutIntegration": (methods.integration,),
    "PutIntegrationResponse": (methods.integration_response,),
    "PutMethod": (methods.new_method,),
    "PutMethodResponse": (methods.new_method_response,),
    "UpdateAuthorizer": (authorizers.known_authorizer, authorizers.authorizer_patch),
    "UpdateIntegration": (methods.known_integration, methods.integration_patch),
    "UpdateMethod": (methods.method_patch,),
    "UpdateRequestValidator": (models.known_validator, patches.validator_patch),
    "UpdateStage": (stages.no_canary, stages.stage_patch),
}
# Without the API these miss the resource first.
NAMED_BY_RESOURCE = frozenset({"GetIntegration", "GetMethod", "PutIntegration", "PutIntegrationResponse", "PutMethod"})
OF_KEYS_AND_PLANS: Mapping[str, tuple[Check, ...]] = {
    "CreateUsagePlan": (plans.new_plan,),
    "CreateUsagePlanKey": (plans.known_plan, plans.known_key_id, plans.new_plan_key),
    "DeleteUsagePlan": (plans.known_plan, plans.detached_plan),
    "DeleteUsagePlanKey": (plans.known_plan, plans.key_of_plan),
    "GetUsage": (plans.known_plan, plans.usage_range),
    "UpdateApiKey": (plans.known_key, patches.api_key_patch),
    "UpdateUsagePlan": (plans.known_plan, plans.plan_patch),
}
ALONE: Mapping[str, Callable[[Params], None]] = {
    "CreateApiKey": plans.api_key,
    "CreateRestApi": new_rest_api,
    "GetExport": no_export,
    "UpdateRestApi": rest_api_patch,
}
