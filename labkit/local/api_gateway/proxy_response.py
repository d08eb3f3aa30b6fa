"""What a function behind a Lambda proxy integration may return, and what the client gets for it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-output-format
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from labkit.local.api_call import HttpResponse
from labkit.local.api_gateway.gateway_error import GatewayError, configuration_error, internal_server_error
from labkit.local.api_gateway.headers import CONTROL, HEADER_NAME, returned

MEMBERS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})


def read_proxy_response(payload: bytes, *, decode_base64: bool) -> HttpResponse:
    """Turn what a function returned into the answer to the client.

    Args:
        payload: The function's return value as JSON.
        decode_base64: Whether the client accepts one of the API's binary media types; otherwise a body in base64 stays
            the text it is.

    Raises:
        GatewayError: 502, the return value is no proxy response; the reason says what is wrong with it.
    """
    try:
        answer = json.loads(payload)
    except ValueError:
        raise _malformed("it is not JSON") from None
    if not isinstance(answer, dict):
        raise _malformed(f"it is {json.dumps(answer)[:80]}, not an object")
    if unknown := sorted(answer.keys() - MEMBERS):
        raise _malformed(f"it has the unknown member {unknown[0]!r}; allowed are {', '.join(sorted(MEMBERS))}")
    status = _status(answer.get("statusCode"))
    body = b"" if status in (204, 304) else _body(answer, decode_base64)
    headers, more_headers = _headers(answer)
    return HttpResponse(status, body, headers, more_headers)


def _malformed(what: str) -> GatewayError:
    return configuration_error(f"Malformed Lambda proxy response: {what}", status=502)


def _status(value: Any) -> int:
    if value is None:
        return 200
    try:
        status = int(value)
    except (TypeError, ValueError, OverflowError):
        raise _malformed(f"statusCode is {json.dumps(value)[:80]}, not a number") from None
    if isinstance(value, bool) or not 200 <= status <= 599:
        raise _malformed(f"statusCode is {json.dumps(value)}, not an HTTP status of 200 to 599")
    return status


def _body(answer: dict[str, Any], decode_base64: bool) -> bytes:
    body = answer.get("body")
    if body is None:
        return b""
    text = _text(body, "body")
    if decode_base64 and answer.get("isBase64Encoded") is True:
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise internal_server_error("Execution failed: the body is not base64, as isBase64Encoded says") from None
    return text.encode("utf-8", "replace")


def _text(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        kind = "an object" if isinstance(value, dict) else "a list"
        raise _malformed(f"{where} is {kind}, not a string; for a body use json.dumps")
    return json.dumps(value)


def _headers(answer: dict[str, Any]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Merge both maps: values of *multiValueHeaders* first, and its spelling."""
    solo, multi = answer.get("headers") or {}, answer.get("multiValueHeaders") or {}
    if not isinstance(solo, dict) or not isinstance(multi, dict):
        raise _malformed("headers and multiValueHeaders must be objects")
    names: dict[str, str] = {}
    values: dict[str, list[str]] = {}
    for name, several in multi.items():
        if not isinstance(several, list):
            raise _malformed(f"multiValueHeaders[{name!r}] is not a list")
        names.setdefault(name.lower(), name)
        values.setdefault(name.lower(), []).extend(_text(value, name) for value in several if value is not None)
    for name, value in solo.items():
        if value is not None:
            names.setdefault(name.lower(), name)
            values.setdefault(name.lower(), []).append(_text(value, name))
    names.setdefault("content-type", "Content-Type")
    values.setdefault("content-type", ["application/json"])
    merged = [(name, value) for key, name in names.items() for value in values[key]]
    for name, value in merged:
        if not HEADER_NAME.fullmatch(name) or CONTROL.search(value):
            raise _malformed(f"the header {name!r} is not one that HTTP can carry")
    return returned(merged)
