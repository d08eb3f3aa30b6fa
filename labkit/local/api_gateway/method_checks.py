"""What API Gateway refuses of resources, methods and integrations, and moto would accept or trip over.

Each check raises AWS's error, or lets the call pass. *setup* is what moto keeps of the API.

https://docs.aws.amazon.com/apigateway/latest/api/API_PutMethod.html
"""

from __future__ import annotations

import re
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.api_gateway.errors import bad_request, check_status_code, conflict, not_found
from labkit.local.api_gateway.lambda_integration import FUNCTION_URI

Params = dict[str, Any]
Setup = dict[str, Any]

AUTHORIZATION_TYPES = ("NONE", "AWS_IAM", "CUSTOM")
INTEGRATION_TYPES = ("HTTP", "MOCK", "AWS_PROXY", "HTTP_PROXY", "AWS")
PATH_PART = re.compile(r"[\w.:~%@$*+!,;=&'()-]+|\{[\w.:-]+\+?\}", re.ASCII)
ARN_WITH_PATH = re.compile(r"arn:aws[\w-]*:apigateway:[\w-]+:[\w.-]+:(path|action)/")
METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY")


def resource(params: Params, setup: Setup) -> dict[str, Any]:
    """Find the resource that a call names."""
    for one in setup["resources"]:
        if one["id"] == params["resourceId"]:
            return dict(one)
    raise not_found("Invalid Resource identifier specified")


def known_resource(params: Params, setup: Setup) -> None:
    """Refuse a resource id that the API does not have."""
    resource(params, setup)


def method(params: Params, setup: Setup) -> dict[str, Any]:
    """Find the method that a call names."""
    found = resource(params, setup)["resourceMethods"].get(params["httpMethod"])
    if found is None:
        raise not_found("Invalid Method identifier specified")
    return dict(found)


def known_method(params: Params, setup: Setup) -> None:
    """Refuse a method that the resource does not have."""
    method(params, setup)


def new_resource(params: Params, setup: Setup) -> None:
    """Refuse a path part that its parent has already, a second variable one, and children of ``{proxy+}``."""
    parent = resource({"resourceId": params["parentId"]}, setup)
    part = params["pathPart"]
    if not PATH_PART.fullmatch(part):
        raise bad_request(
            "Resource's path part only allow a-zA-Z0-9._- and curly braces at the beginning and the end and an "
            "optional plus sign before the closing brace."
        )
    if parent["pathPart"].endswith("+}"):
        raise bad_request(f"Cannot create a child of a resource with a greedy path variable: {parent['pathPart']}")
    for sibling in setup["resources"]:
        if sibling["parentId"] != params["parentId"]:
            continue
        if sibling["pathPart"] == part:
            raise conflict(f"Another resource with the same parent already has this name: {part}")
        if sibling["pathPart"].startswith("{") and part.startswith("{"):
            raise bad_request(
                f"A sibling ({sibling['pathPart']}) of this resource already has a variable path part "
                "-- only one is allowed"
            )


def deletable_resource(params: Params, setup: Setup) -> None:
    """Refuse to delete the root."""
    if resource(params, setup)["parentId"] is None:
        raise bad_request("Root resource cannot be deleted.")


def new_method(params: Params, setup: Setup) -> None:
    """Refuse a method that is there already, or that refers to what is not there."""
    found = resource(params, setup)
    if params["httpMethod"] not in METHODS:
        raise bad_request(f"Invalid HttpMethod specified. Valid options are {','.join(METHODS)}")
    if params["httpMethod"] in found["resourceMethods"]:
        raise conflict("Method already exists for this resource")
    supported_authorization(params.get("authorizationType"))
    _known_authorizer(params.get("authorizationType"), params.get("authorizerId"), setup)
    _request_parameters(params.get("requestParameters") or {})
    _known_validator(params.get("requestValidatorId"), setup)
    _known_models((params.get("requestModels") or {}).values(), setup)


def supported_authorization(kind: str | None) -> None:
    """Name the authorization types that the local cloud does not have, rather than leave a method open."""
    if kind not in AUTHORIZATION_TYPES:
        raise AwsError(
            "NotImplemented",
            f"The local cloud does not implement the authorization type {kind} of API Gateway methods; it has "
            f"{', '.join(AUTHORIZATION_TYPES)}.",
            501,
        )


def _known_authorizer(kind: str | None, authorizer_id: str | None, setup: Setup) -> None:
    if kind == "CUSTOM" and authorizer_id not in setup["authorizers"]:
        raise bad_request(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or "
            "COGNITO_USER_POOLS requires a valid authorizer."
        )


def _request_parameters(parameters: dict[str, bool]) -> None:
    names = []
    for expression in parameters:
        found = re.fullmatch(r"method\.request\.(querystring|header|path)\.(\S+)", expression)
        if found is None:
            raise bad_request(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
                f"[Invalid mapping expression specified: {expression}]"
            )
        names.append(found[2])
    if len(set(names)) < len(names):
        raise bad_request("Parameter names must be unique across querystring, header and path")


def _known_validator(validator_id: str | None, setup: Setup) -> None:
    if validator_id and validator_id not in setup["requestValidators"]:
        raise bad_request("Invalid Request Validator identifier specified")


def _known_models(names: Any, setup: Setup) -> None:
    for name in names:
        if name not in setup["models"]:
            raise bad_request(f"Invalid model identifier specified: {name}")


def method_patch(params: Params, setup: Setup) -> None:
    """Refuse UpdateMethod for what is not there."""
    changed = method(params, setup)
    patched = {one["path"]: one.get("value") for one in params.get("patchOperations") or []}
    if "/authorizationType" in patched or "/authorizerId" in patched:
        kind = patched.get("/authorizationType", changed["authorizationType"])
        _known_authorizer(kind, patched.get("/authorizerId", changed.get("authorizerId")), setup)
    for operation in params.get("patchOperations") or []:
        value = operation.get("value")
        if operation["path"] == "/authorizationType":
            supported_authorization(value)
        elif operation["path"] == "/requestValidatorId":
            _known_validator(value, setup)
        elif operation["path"].startswith("/requestModels/") and operation["op"] != "remove":
            _known_models([value], setup)


def supported_integration(kind: str, uri: str, connection_type: str | None) -> None:
    """Name the integrations that the local cloud does not have, rather than let every request fail."""
    service = re.match(r"arn:[\w-]+:apigateway:[\w-]+:(?P<name>[\w.-]+):", uri)
    if kind == "HTTP" or (kind == "AWS" and service is not None and service["name"] not in ("lambda", "sqs")):
        raise AwsError(
            "NotImplemented",
            f"The local cloud does not implement integrations of the type {kind} with {uri}; it has AWS_PROXY, "
            "HTTP_PROXY, MOCK, and AWS with Lambda and SQS.",
            501,
        )
    if connection_type == "VPC_LINK":
        raise AwsError("NotImplemented", "The local cloud has no VPC links: there is no network to link.", 501)


def integration(params: Params, setup: Setup) -> None:
    """Refuse an integration of a method that is not there, of no kind, with a wrong address or a wrong timeout."""
    method(params, setup)
    kind = str(params.get("type"))
    if kind not in INTEGRATION_TYPES:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{kind}' at 'putIntegrationInput.type' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(INTEGRATION_TYPES)}]",
        )
    _check_uri(kind, params.get("uri") or "", params.get("connectionType"))
    if params.get("timeoutInMillis") is not None:
        _check_timeout(params["timeoutInMillis"])


def integration_patch(params: Params, setup: Setup) -> None:
    """Refuse the same of a change: a wrong address, a wrong timeout."""
    kind = method(params, setup)["methodIntegration"]["type"]
    for operation in params.get("patchOperations") or []:
        if operation["path"] == "/uri":
            _check_uri(kind, operation.get("value") or "", None)
        elif operation["path"] == "/timeoutInMillis":
            _check_timeout(operation.get("value"))


def _check_timeout(milliseconds: Any) -> None:
    if not str(milliseconds).isdecimal() or not 50 <= int(milliseconds) <= 29_000:
        raise bad_request("Timeout should be between 50 ms and 29000 ms")


def _check_uri(kind: str, uri: str, connection_type: str | None) -> None:
    supported_integration(kind, uri, connection_type)
    if kind in ("AWS", "AWS_PROXY") and not uri:
        raise bad_request("Invalid ARN specified in the request")
    if kind == "AWS_PROXY" and ARN_WITH_PATH.match(uri) and not (FUNCTION_URI.fullmatch(uri) or "$" in uri):
        raise bad_request(
            "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
        )


def known_integration(params: Params, setup: Setup) -> None:
    """Refuse what needs an integration where there is none."""
    if not method(params, setup).get("methodIntegration"):
        raise not_found("Invalid Integration identifier specified")


def known_method_response(params: Params, setup: Setup) -> None:
    """Refuse a status that the method does not announce."""
    if params["statusCode"] not in (method(params, setup).get("methodResponses") or {}):
        raise not_found("Invalid Response status code specified")


def known_integration_response(params: Params, setup: Setup) -> None:
    """Refuse a status that the integration does not answer with."""
    answers = (method(params, setup).get("methodIntegration") or {}).get("integrationResponses") or {}
    if params["statusCode"] not in answers:
        raise not_found("Invalid Response status code specified")


def new_method_response(params: Params, setup: Setup) -> None:
    """Refuse a second response of one status, and what is no status."""
    check_status_code(params["statusCode"])
    if params["statusCode"] in (method(params, setup).get("methodResponses") or {}):
        raise conflict("Response already exists for this resource")


def integration_response(params: Params, setup: Setup) -> None:
    """Refuse an integration response that its method response does not announce: status, and each header."""
    check_status_code(params["statusCode"])
    found = method(params, setup)
    declared = (found.get("methodResponses") or {}).get(params["statusCode"])
    if declared is None or not found.get("methodIntegration"):
        raise not_found("Invalid Response status code specified")
    for name in params.get("responseParameters") or {}:
        if name not in (declared.get("responseParameters") or {}):
            raise bad_request(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
                f"[Invalid mapping expression parameter specified: {name}]"
            )
