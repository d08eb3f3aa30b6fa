"""What API Gateway refuses of deployments, stages and gateway responses.

Each check raises AWS's error, or lets the call pass. *setup* is what moto keeps of the API.

https://docs.aws.amazon.com/apigateway/latest/api/API_CreateDeployment.html
"""

from __future__ import annotations

import re
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.api_gateway.errors import bad_request, check_status_code, known
from labkit.local.api_gateway.gateway_error import TYPES
from labkit.local.api_gateway.method_checks import METHODS
from labkit.local.api_gateway.patch_checks import complete, unsupported

Params = dict[str, Any]
Setup = dict[str, Any]

METHOD_SETTINGS = (
    "metrics/enabled", "logging/dataTrace", "logging/loglevel", "throttling/burstLimit", "throttling/rateLimit",
    "caching/ttlInSeconds", "caching/enabled", "caching/dataEncrypted", "caching/requireAuthorizationForCacheControl",
    "caching/unauthorizedCacheControlHeaderStrategy",
)  # fmt: skip
SETTINGS_OF_METHOD = re.compile(rf"/(?!variables/)[^/]+/(\*|{'|'.join(METHODS)})")
REMOVABLE = re.compile(rf"/accessLogSettings|/variables/[^/]+|{SETTINGS_OF_METHOD.pattern}")
NUMBERS = {
    "throttling/rateLimit": r"-1|\d{1,9}(\.\d{1,9})?",  # -1 is none, see Terraform's aws_api_gateway_method_settings
    "throttling/burstLimit": r"-1|\d{1,9}",
    "caching/ttlInSeconds": r"\d{1,9}",
}
# As AWS writes it, with the commas that it forgets.
STAGE_PATHS = (
    "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings, "
    "/accessLogSettings/destinationArn, /accessLogSettings/format, "
    + ", ".join(f"/{{resourcePath}}/{{httpMethod}}/{one}" for one in METHOD_SETTINGS)
    .replace("burstLimit, ", "burstLimit").replace("rateLimit, ", "rateLimit")
    + ", "
    + ", ".join(f"/*/*/{one}" for one in METHOD_SETTINGS)
    .replace("burstLimit, ", "burstLimit ").replace("rateLimit, ", "rateLimit ")
    + ", /variables/{variable_name}, /tracingEnabled"
)  # fmt: skip
STAGE_PATH = re.compile(
    r"/(deploymentId|description|cacheClusterEnabled|cacheClusterSize|clientCertificateId|tracingEnabled)"
    r"|/accessLogSettings(/destinationArn|/format)?|/variables/[^/]+|/.+/[A-Z*]+/(" + "|".join(METHOD_SETTINGS) + ")"
)

known_deployment = known("deploymentId", "deployments", "Invalid Deployment identifier specified")
known_stage = known("stageName", "stages", "Invalid stage identifier specified")
own_gateway_response = known("responseType", "gatewayResponses", "Gateway response type not defined on api")


def deployable(params: Params, setup: Setup) -> None:
    """Refuse to deploy an API without methods, or with a method that has no integration."""
    methods = [found for one in setup["resources"] for found in one["resourceMethods"].values()]
    if not methods:
        raise bad_request("The REST API doesn't contain any methods")
    if not all(found.get("methodIntegration") for found in methods):
        raise bad_request("No integration defined for method")


def deletable_deployment(params: Params, setup: Setup) -> None:
    """Refuse to delete a deployment that a stage serves."""
    known_deployment(params, setup)
    if params["deploymentId"] in [stage["deploymentId"] for stage in setup["stages"].values()]:
        raise bad_request("Active stages pointing to this deployment must be moved or deleted")


def no_canary(params: Params, setup: Setup) -> None:
    """Refuse canaries, to which no request would go."""
    patched = [operation["path"] for operation in params.get("patchOperations") or []]
    if params.get("canarySettings") or any(path.startswith("/canarySettings") for path in patched):
        raise AwsError("NotImplemented", "The local cloud does not implement canaries of API Gateway stages.", 501)


def stage_patch(params: Params, setup: Setup) -> None:
    """Refuse paths that a stage does not have, values that do not fit, and a deployment that is not there."""
    known_stage(params, setup)
    complete(params, "replace", "remove")
    for operation in params.get("patchOperations") or []:
        path = operation["path"]
        if operation["op"] == "remove":
            if not REMOVABLE.fullmatch(path):
                raise unsupported(path, "remove")
            settings = setup["stages"][params["stageName"]]["methodSettings"]
            if SETTINGS_OF_METHOD.fullmatch(path) and path[1:] not in settings:
                raise bad_request(
                    f"Cannot remove method setting {path[1:]} because there is no method setting for this method"
                )
            continue
        value, setting = operation["value"], "/".join(path.split("/")[-2:])
        if not STAGE_PATH.fullmatch(path):
            raise bad_request(f"Invalid method setting path: {path}. Must be one of: [{STAGE_PATHS}]")
        if path == "/deploymentId":
            known_deployment({"deploymentId": value}, setup)
        if setting in NUMBERS and not re.fullmatch(NUMBERS[setting], value):
            raise bad_request(f"Invalid value {value!r} for {path}")


def stage_name(params: Params, setup: Setup) -> None:
    """Refuse a name that no stage can have."""
    if params.get("stageName") and not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", params["stageName"]):
        raise bad_request("Stage name only allows a-zA-Z0-9_")  # AWS's sentence is older than the hyphen


def asks_for_logs(params: Params) -> bool:
    """Whether a change of a stage turns execution logs or access logs on."""
    return any(
        operation["path"].startswith("/accessLogSettings/")
        or (operation["path"].endswith("/logging/loglevel") and operation.get("value") != "OFF")
        for operation in params.get("patchOperations") or []
    )


def gateway_response(params: Params, setup: Setup) -> None:
    """Refuse a response of a type that does not exist, or with what is no status."""
    gateway_response_type(params, setup)
    if params.get("statusCode") is not None:
        check_status_code(params["statusCode"])


def gateway_response_type(params: Params, setup: Setup) -> None:
    """Refuse a type that does not exist."""
    if params["responseType"] not in TYPES:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{params['responseType']}' at 'responseType' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(TYPES)}]",
        )
