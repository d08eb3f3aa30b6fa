"""What a function's return value becomes: the contract of Lambda proxy integrations.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-output-format
"""

from __future__ import annotations

import json
from typing import Any

from labkit.local.api_call import HttpResponse
from labkit.local.api_gateway.gateway_responses import Refused

KEYS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}


def client_response(payload: bytes) -> HttpResponse:
    """Turn the returned JSON into the client's answer.

    Raises:
        Refused: 502 for a value that breaks the contract.
    """
    value = json.loads(payload)
    if not isinstance(value, dict) or set(value) - KEYS:
        raise _malformed()
    body, multi = value.get("body"), value.get("multiValueHeaders") or {}
    if (
        not isinstance(body, str | None)
        or not isinstance(multi, dict)
        or not isinstance(value.get("headers") or {}, dict)
    ):
        raise _malformed()
    if any(not isinstance(values, list) for values in multi.values()):
        raise _malformed()
    response = HttpResponse(_status(value.get("statusCode", 200)), (body or "").encode())
    _add_headers(response, value.get("headers") or {}, multi)
    return response


def _status(value: Any) -> int:
    try:
        status = int(value)
    except (TypeError, ValueError):
        raise _malformed() from None
    if isinstance(value, bool) or not 100 <= status <= 599:
        raise _malformed()
    return status


def _add_headers(response: HttpResponse, single: dict[str, Any], multi: dict[str, list[Any]]) -> None:
    """Merge both maps: the multiple values first, spelled as in their map."""
    spelled = {name.lower(): name for name in multi}
    merged: dict[str, list[str]] = {name: [_text(v) for v in values] for name, values in multi.items()}
    for name, value in single.items():
        merged.setdefault(spelled.get(name.lower(), name), []).append(_text(value))
    for name, values in merged.items():
        if name.lower() == "set-cookie":
            response.more_headers += [(name, value) for value in values]
        elif values:
            response.headers[name] = ", ".join(values)
    if not any(name.lower() == "content-type" for name in response.headers):
        response.headers["Content-Type"] = "application/json"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace("\r", " ").replace("\n", " ")


def _malformed() -> Refused:
    return Refused("INTEGRATION_FAILURE", 502, "Internal server error", "InternalServerErrorException")
