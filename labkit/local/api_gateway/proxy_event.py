"""The event of a Lambda proxy integration, payload format 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from labkit.local.api_gateway.headers import grouped, headers_of
from labkit.local.api_gateway.method_request import MethodRequest


def proxy_event(request: MethodRequest) -> dict[str, Any]:
    """Return the event by which the function sees *request*; what is absent is ``None``, never empty."""
    headers = headers_of(request)
    body, is_base64 = _body(request)
    return {
        "resource": request.resource["path"],
        "path": re.sub("^/+", "/", request.path),
        "httpMethod": request.http.method,
        "headers": dict(headers),
        "multiValueHeaders": grouped(headers),
        "queryStringParameters": dict(request.query) or None,
        "multiValueQueryStringParameters": grouped(request.query) or None,
        "pathParameters": request.path_parameters or None,
        "stageVariables": request.stage_variables or None,
        "requestContext": request.context(),
        "body": body,
        "isBase64Encoded": is_base64,
    }


def is_binary(media_types: str, configured: Iterable[str]) -> bool:
    """Whether a Content-Type, or the first type of an Accept header, is one of the API's binary media types.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-payload-encodings.html
    """
    first = media_types.partition(",")[0].partition(";")[0].strip().lower()
    return any(pattern == "*/*" or (first and fnmatchcase(first, pattern.lower())) for pattern in configured)


def _body(request: MethodRequest) -> tuple[str | None, bool]:
    if not request.http.body:
        return None, False
    if is_binary(request.content_type, request.api["binaryMediaTypes"]):
        return base64.b64encode(request.http.body).decode(), True
    return request.text, False
