"""Request validators: required parameters are there, and the body fits its model (JSON Schema draft 4).

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import fastjsonschema

from labkit.local.api_gateway.gateway_error import GatewayError, configuration_error
from labkit.local.api_gateway.method_request import MethodRequest

DRAFT_04 = "http://json-schema.org/draft-04/schema#"
MODEL_REFERENCE = re.compile(r"https?://apigateway\.amazonaws\.com/restapis/[^/]+/models/(?P<name>\w+)")

Check = Callable[[Any], Any]


class InvalidModelError(Exception):
    """A model is no JSON Schema of draft 4, or refers to a model that does not exist."""


def compile_model(name: str, models: dict[str, str]) -> Check:
    """Compile a model of an API.

    Args:
        name: Which of *models*.
        models: Model name → schema as JSON text.

    Returns:
        A function that raises ``fastjsonschema.JsonSchemaValueException`` for a value that does not fit.

    Raises:
        InvalidModelError: The schema, or one it refers to, cannot be used.
    """

    def referred(uri: str) -> Any:
        found = MODEL_REFERENCE.fullmatch(uri.partition("#")[0])
        if found is None:  # nothing is ever fetched: a model may refer to models of its own API only
            raise InvalidModelError(f"$ref {uri!r} does not name a model of this API")
        return _schema(found["name"], models)

    try:
        return fastjsonschema.compile(
            {"$schema": DRAFT_04, **_schema(name, models)},
            handlers={"http": referred, "https": referred},
            use_default=False,
        )
    except InvalidModelError:
        raise
    except Exception as error:  # the compiler raises whatever it trips over in a schema that is none
        raise InvalidModelError(f"the model {name!r} is no JSON Schema of draft 4: {error}") from error


def _schema(name: str, models: dict[str, str]) -> dict[str, Any]:
    if name not in models:
        raise InvalidModelError(f"there is no model {name!r}")
    try:
        schema = json.loads(models[name] or "{}")
    except ValueError as error:
        raise InvalidModelError(f"the schema of the model {name!r} is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise InvalidModelError(f"the schema of the model {name!r} is not an object")
    return schema


class Models:
    """The compiled models of the deployed APIs, each compiled when first used."""

    def __init__(self) -> None:
        self._checks: dict[tuple[str, str, str], Check] = {}

    def forget(self, api_id: str) -> None:
        """Drop the compiled models of an API."""
        self._checks = {key: check for key, check in self._checks.items() if key[0] != api_id}

    def check(self, request: MethodRequest, name: str) -> Check:
        """Return the compiled model *name* of the deployment that *request* runs on."""
        key = (request.api_id, str(request.stage["deploymentId"]), name)
        if key not in self._checks:
            try:
                self._checks[key] = compile_model(name, request.api["models"])
            except InvalidModelError as error:
                raise configuration_error(str(error)) from error
        return self._checks[key]


def validate(request: MethodRequest, models: Models) -> None:
    """Let *request* pass if its method's validator finds nothing.

    Raises:
        GatewayError: BAD_REQUEST_PARAMETERS or BAD_REQUEST_BODY.
    """
    validator = request.api["requestValidators"].get(request.method.get("requestValidatorId") or "")
    if validator is None:
        return
    if validator.get("validateRequestParameters") and (missing := _missing_parameters(request)):
        message = f"Missing required request parameters: [{', '.join(missing)}]"
        raise GatewayError("BAD_REQUEST_PARAMETERS", message, "BadRequestException")
    if validator.get("validateRequestBody"):
        _validate_body(request, models)


def _missing_parameters(request: MethodRequest) -> list[str]:
    """Names of required parameters that are absent or blank: headers first, then path, then query string."""
    missing = []
    for expression, required in sorted((request.method.get("requestParameters") or {}).items()):
        kind, _, name = expression.removeprefix("method.request.").partition(".")
        given = {
            "header": request.headers.get(name),
            "path": request.path_parameters.get(name),
            "querystring": request.last_query_value(name),
        }
        if required and not (given.get(kind) or "").strip():
            missing.append(name)
    return missing


def _validate_body(request: MethodRequest, models: Models) -> None:
    """Check the body against the model of its content type; a type without a model is not checked."""
    request_models = request.method.get("requestModels") or {}
    name = request_models.get(request.content_type) or request_models.get("$default")
    if name is None:
        return
    check = models.check(request, name)
    try:
        check(json.loads(request.http.body or b"{}"))
    except (ValueError, RecursionError, fastjsonschema.JsonSchemaValueException) as error:
        reason = f"Request body does not match model schema for content type {request.content_type}: [{error}]"
        raise GatewayError("BAD_REQUEST_BODY", "Invalid request body", "BadRequestException", reason=reason) from None
