"""The event that a Lambda proxy integration hands to a function, format 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from labkit.local.api_call import ACCOUNT_ID, HttpRequest

IDENTITY = (
    "accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType", "cognitoIdentityId",
    "cognitoIdentityPoolId", "principalOrgId", "sourceIp", "user", "userAgent", "userArn",
)  # fmt: skip


def proxy_event(
    request: HttpRequest,
    *,
    api_id: str,
    stage: str,
    path: str,
    region: str,
    resource: dict[str, Any],
    path_parameters: dict[str, str],
    variables: dict[str, str],
    deployment_id: str,
    key: dict[str, Any] | None,
    request_id: str,
    binary_media_types: list[str],
) -> bytes:
    """Return the event as JSON. What is absent is ``null``, header names keep the client's spelling."""
    now = time.time()
    trace = f"Root=1-{int(now):08x}-{uuid.uuid4().hex[:24]}"
    added = [
        ("X-Amzn-Trace-Id", trace),
        ("X-Forwarded-For", request.source_ip),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
    ]
    headers = [
        (name, value) for name, value in request.headers.items if name.lower() not in ("connection", "content-length")
    ] + added
    query = parse_qsl(request.query, keep_blank_values=True)
    domain = f"{api_id}.execute-api.{region}.amazonaws.com"
    binary = bool(request.body) and _is_binary(request.headers.get("content-type"), binary_media_types)
    identity: dict[str, Any] = dict.fromkeys(IDENTITY)
    identity |= {"sourceIp": request.source_ip, "userAgent": request.headers.get("user-agent") or None}
    if key:
        identity |= {"apiKey": key["value"], "apiKeyId": key["id"]}
    body = base64.b64encode(request.body).decode() if binary else request.body.decode("utf-8", "replace")
    event = {
        "resource": resource["path"],
        "path": path,
        "httpMethod": request.method,
        "headers": dict(headers),
        "multiValueHeaders": _lists(headers),
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _lists(query) or None,
        "pathParameters": path_parameters or None,
        "stageVariables": variables or None,
        "requestContext": {
            "resourceId": resource["id"],
            "resourcePath": resource["path"],
            "httpMethod": request.method,
            "extendedRequestId": request_id.replace("-", "")[:15] + "=",
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "path": f"/{stage}{path}",
            "accountId": ACCOUNT_ID,
            "protocol": "HTTP/1.1",
            "stage": stage,
            "domainPrefix": api_id,
            "requestTimeEpoch": int(now * 1000),
            "requestId": request_id,
            "identity": identity,
            "domainName": domain,
            "deploymentId": deployment_id,
            "apiId": api_id,
        },
        "body": body or None,
        "isBase64Encoded": binary,
    }
    return json.dumps(event).encode()


def _lists(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    gathered: dict[str, list[str]] = {}
    for name, value in pairs:
        gathered.setdefault(name, []).append(value)
    return gathered


def _is_binary(content_type: str, media_types: list[str]) -> bool:
    kind = content_type.split(";")[0].strip().lower()
    return "*/*" in media_types or (bool(kind) and kind in media_types)
