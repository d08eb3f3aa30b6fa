"""What API Gateway refuses of the patch operations of its Update calls, and moto would trip over or take in silence.

https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
"""

from __future__ import annotations

from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.api_gateway.errors import bad_request

Params = dict[str, Any]

API_KEY_PATHS = ("/customerId", "/description", "/enabled", "/name")
VALIDATOR_PATHS = ("/name", "/validateRequestParameters", "/validateRequestBody")


def complete(params: Params, *ops: str) -> None:
    """Refuse operations other than *ops*, and those that lack their value."""
    for operation in params.get("patchOperations") or []:
        path, op = operation["path"], operation["op"]
        if op not in ops:
            raise unsupported(path, op)
        if op != "remove" and operation.get("value") is None:
            raise bad_request(f"Invalid patch value  'null' specified for op '{op}'. Must be a string")


def unsupported(path: str, op: str) -> AwsError:
    """The error for an operation that a path does not have."""
    return bad_request(f"Invalid patch path  '{path}' specified for op '{op}'. Please choose supported operations")


def _replaces(params: Params, paths: tuple[str, ...]) -> None:
    complete(params, "replace")
    for operation in params.get("patchOperations") or []:
        if operation["path"] not in paths:
            raise bad_request(
                f"Invalid patch path  '{operation['path']}' specified for op 'replace'. "
                f"Must be one of: [{', '.join(paths)}]"
            )


def api_key_patch(params: Params, metering: dict[str, Any]) -> None:
    """Refuse what is no change of an API key."""
    _replaces(params, API_KEY_PATHS)


def validator_patch(params: Params, setup: dict[str, Any]) -> None:
    """Refuse what is no change of a request validator."""
    _replaces(params, VALIDATOR_PATHS)
    if {"op": "replace", "path": "/name", "value": ""} in (params.get("patchOperations") or []):
        raise bad_request("Request Validator name cannot be blank")
