"""What API Gateway refuses of models and request validators. *setup* is what moto keeps of the API.

https://docs.aws.amazon.com/apigateway/latest/api/API_CreateModel.html
"""

from __future__ import annotations

import re
from typing import Any

from labkit.local.api_gateway.errors import bad_request, conflict, known
from labkit.local.api_gateway.validation import InvalidModelError, compile_model

Params = dict[str, Any]
Setup = dict[str, Any]

known_model = known("modelName", "models", "Invalid model name specified: {}")
known_validator = known("requestValidatorId", "requestValidators", "Invalid Request Validator identifier specified")


def new_model(params: Params, setup: Setup) -> None:
    """Refuse a second model of one name, and a schema that cannot validate anything."""
    if not params["name"]:
        raise bad_request("Model name must be non-empty")
    if not re.fullmatch(r"[A-Za-z0-9]+", params["name"]):
        raise bad_request(f"Model name must be alphanumeric: {params['name']}")
    if params.get("schema") == "":
        raise bad_request("Model schema must have at least 1 property or array items defined")
    if params["name"] in setup["models"]:
        raise conflict("Model name already exists for this REST API")
    try:
        compile_model(params["name"], {**setup["models"], params["name"]: params.get("schema") or "{}"})
    except InvalidModelError as error:
        raise bad_request(
            "Invalid model specified: Validation Result: warnings : [], errors : "
            f"[Invalid model schema specified. {error}]"
        ) from error


def unused_model(params: Params, setup: Setup) -> None:
    """Refuse to delete a model that is not there, or that a method uses."""
    known_model(params, setup)
    for one in setup["resources"]:
        for verb, found in one["resourceMethods"].items():
            if params["modelName"] in (found.get("requestModels") or {}).values():
                raise conflict(
                    f"Cannot delete model '{params['modelName']}', "
                    f"is referenced in method request: {one['path']}/{verb}"
                )
