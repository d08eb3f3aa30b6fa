"""Request validators and models.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
"""

from __future__ import annotations

import functools
import json
from typing import Any
from urllib.parse import parse_qsl

import fastjsonschema

from labkit.local.api_call import HttpRequest
from labkit.local.api_gateway.gateway_responses import Refused


def check_request(
    method: dict[str, Any], definition: dict[str, Any], request: HttpRequest, path_parameters: dict[str, str]
) -> None:
    """Refuse a request that the method's validator refuses.

    Raises:
        Refused: 400 for a missing parameter or a body that does not fit its model.
    """
    validator = definition["validators"].get(method.get("requestValidatorId") or "")
    if not validator:
        return
    if validator["parameters"]:
        _check_parameters(method.get("requestParameters") or {}, request, path_parameters)
    if validator["body"]:
        _check_body(method.get("requestModels") or {}, definition["models"], request)


def _check_parameters(declared: dict[str, Any], request: HttpRequest, path_parameters: dict[str, str]) -> None:
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    missing = []
    for name, required in declared.items():
        if str(required).lower() != "true":
            continue
        _, _, place, parameter = name.split(".", 3)
        given = {
            "header": request.headers.get(parameter),
            "querystring": query.get(parameter),
            "path": path_parameters.get(parameter),
        }
        if not given.get(place):
            missing.append(parameter)
    if missing:
        text = f"Missing required request parameters: [{', '.join(missing)}]"
        raise Refused("BAD_REQUEST_PARAMETERS", 400, text, "BadRequestException")


def _check_body(models: dict[str, str], schemas: dict[str, str], request: HttpRequest) -> None:
    content_type = request.headers.get("content-type", "application/json").split(";")[0].strip().lower()
    name = models.get(content_type) or models.get("$default")
    if not name or not schemas.get(name):
        return  # a body of another type matches no model, and is not validated
    try:
        _validator(schemas[name])(json.loads(request.body or b""))
    except (ValueError, fastjsonschema.JsonSchemaValueException):
        raise Refused("BAD_REQUEST_BODY", 400, "Invalid request body", "BadRequestException") from None


@functools.lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    document = json.loads(schema)
    document.setdefault("$schema", "http://json-schema.org/draft-04/schema#")
    try:
        return fastjsonschema.compile(document)
    except fastjsonschema.JsonSchemaDefinitionException:
        raise Refused("API_CONFIGURATION_ERROR", 500, "Internal server error", "InternalServerErrorException") from None
