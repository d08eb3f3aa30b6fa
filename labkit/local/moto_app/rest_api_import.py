"""An imported API written into moto's state: moto's own import knows OpenAPI 3 only, and little of it."""

from __future__ import annotations

import copy
import secrets
from typing import Any

from werkzeug.exceptions import HTTPException

from labkit.local.api_call import AwsError
from labkit.local.moto_app.app import backend

API_ID = "{api_id}"


def create_api(region: str, definition: dict[str, Any], endpoint_types: list[str]) -> dict[str, Any]:
    """Create an API from *definition* (see ``api_gateway.openapi_definition``); nothing stays if that fails."""
    gateway = backend("apigateway", region)
    api = gateway.create_rest_api(definition["name"], None, endpoint_configuration={"types": endpoint_types})
    try:
        _write(gateway, api, definition)
    except BaseException:
        gateway.apis.pop(api.id)
        raise
    return _result(api)


def change_api(region: str, api_id: str, definition: dict[str, Any], overwrite: bool) -> dict[str, Any] | None:
    """Merge *definition* into an API or overwrite the API with it; all stays as it was if that fails."""
    gateway = backend("apigateway", region)
    api = gateway.apis.get(api_id)
    if api is None:
        return None
    before = copy.deepcopy(api)
    try:
        if overwrite:
            _empty(api)
        _write(gateway, api, definition)
    except BaseException:
        gateway.apis[api_id] = before
        raise
    return _result(api)


def _result(api: Any) -> dict[str, Any]:
    empty: tuple[Any, ...] = (None, [], {})  # AWS does not show these
    return {key: value for key, value in api.to_dict().items() if value not in empty}


def _empty(api: Any) -> None:
    """Forget what an import replaces. The root resource, stages, deployments and tags stay."""
    root = api.resources[api.root_resource_id]
    root.resource_methods = {}
    api.resources = {root.id: root}
    api.models, api.request_validators, api.authorizers, api.gateway_responses = {}, {}, {}, {}
    api.binaryMediaTypes, api.policy, api.description, api.version = [], None, None, None
    api.api_key_source, api.minimum_compression_size, api.disableExecuteApiEndpoint = "HEADER", None, False


def _write(gateway: Any, api: Any, definition: dict[str, Any]) -> None:
    api.name, api.version = definition["name"], definition["version"]
    api.binaryMediaTypes = list(dict.fromkeys([*api.binaryMediaTypes, *definition["binaryMediaTypes"]]))
    settings = {
        "description": "description",
        "policy": "policy",
        "api_key_source": "apiKeySource",
        "minimum_compression_size": "minimumCompressionSize",
        "disableExecuteApiEndpoint": "disableExecuteApiEndpoint",
    }
    for attribute, name in settings.items():
        if definition[name] is not None:
            setattr(api, attribute, definition[name])
    for name, model in definition["models"].items():
        api.add_model(name, model["description"], model["schema"].replace(API_ID, api.id), "application/json")
    for kind, response in definition["gatewayResponses"].items():
        api.put_gateway_response(
            kind, response["statusCode"], response["responseParameters"], response["responseTemplates"]
        )
    validators = _write_validators(api, definition["requestValidators"])
    authorizers = _write_authorizers(api, definition["authorizers"])
    for method in definition["methods"]:
        resource = _resource(api, method["path"])
        if not method["httpMethod"]:
            continue
        _write_method(resource, method, validators, authorizers)
        if method["integration"]:
            _write_integration(gateway, resource, method)


def _write_validators(api: Any, validators: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return name → id of the API's validators."""
    ids = {validator.name: validator.id for validator in api.request_validators.values()}
    for name, validator in validators.items():
        body, parameters = (validator.get(one) is True for one in ("validateRequestBody", "validateRequestParameters"))
        if name in ids:
            known = api.request_validators[ids[name]]
            known.validate_request_body, known.validate_request_parameters = body, parameters
        else:
            ids[name] = api.create_request_validator(name, body, parameters).id
    return ids


def _write_authorizers(api: Any, authorizers: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return name → id of the API's authorizers."""
    ids = {authorizer.name: authorizer.id for authorizer in api.authorizers.values()}
    for name, authorizer in authorizers.items():
        ids[name] = ids.get(name) or secrets.token_hex(3)
        made = api.create_authorizer(
            ids[name],
            name,
            authorizer["type"],
            provider_arns=authorizer["providerARNs"],
            auth_type=authorizer["authType"],
            authorizer_uri=authorizer["authorizerUri"],
            authorizer_credentials=authorizer["authorizerCredentials"],
            identity_source=authorizer["identitySource"],
            identiy_validation_expression=None,  # misspelled by moto, which loses it
            authorizer_result_ttl=authorizer["authorizerResultTtlInSeconds"],
        )
        made.identity_validation_expression = authorizer["identityValidationExpression"]
    return ids


def _resource(api: Any, path: str) -> Any:
    """Find the resource of a path; make it, and those above it, where there is none."""
    parent = api.resources[api.root_resource_id]
    for part in [part for part in path.split("/") if part]:
        siblings = [one for one in api.resources.values() if one.parent_id == parent.id]
        found = next((one for one in siblings if one.path_part == part), None)
        if found is None and parent.path_part.endswith("+}"):
            raise _failed(f"create resource at path '{path}'", f"{parent.path_part} has children")
        if found is None and part.startswith("{") and any(one.path_part.startswith("{") for one in siblings):
            reason = "A sibling of this resource already has a variable path part -- only one is allowed"
            raise _failed(f"create resource at path '{path}'", reason)
        parent = found or api.add_child(part, parent.id)
    return parent


def _write_method(
    resource: Any, method: dict[str, Any], validators: dict[str, str], authorizers: dict[str, str]
) -> None:
    made = resource.add_method(
        method["httpMethod"],
        method["authorizationType"],
        method["apiKeyRequired"],
        request_parameters=method["requestParameters"] or None,
        request_models=method["requestModels"] or None,
        operation_name=method["operationName"],
        authorizer_id=authorizers[method["authorizer"]] if method["authorizer"] else None,
        request_validator_id=validators[method["requestValidator"]] if method["requestValidator"] else None,
    )
    for status, response in method["methodResponses"].items():
        made.create_response(status, response["responseModels"] or None, response["responseParameters"] or None)


def _write_integration(gateway: Any, resource: Any, method: dict[str, Any]) -> None:
    written, verb = method["integration"], method["httpMethod"]
    try:
        made = gateway.put_integration(
            resource.api_id,
            resource.id,
            verb,
            written["type"],
            written["uri"] or "",
            written["httpMethod"],
            credentials=written["credentials"],
            request_templates=written["requestTemplates"],
            passthrough_behavior=written["passthroughBehavior"],
            cache_namespace=written["cacheNamespace"] or resource.id,
            timeout_in_millis=written["timeoutInMillis"],
            request_parameters=written["requestParameters"],
            content_handling=written["contentHandling"],
            connection_type=written["connectionType"],
        )
    except HTTPException as error:
        what = f"put integration on '{verb}' for resource at path '{method['path']}'"
        raise _failed(what, str(getattr(error, "message", "") or error.description)) from None
    made.uri, made.cache_key_parameters = written["uri"], written["cacheKeyParameters"]
    for one in written["integrationResponses"]:
        made.create_integration_response(
            one["statusCode"],
            one["selectionPattern"],
            one["responseTemplates"],
            one["responseParameters"],
            one["contentHandling"],
        )


def _failed(what: str, reason: str) -> AwsError:
    return AwsError("BadRequestException", f"Errors found during import:\n\tUnable to {what}: {reason}")
