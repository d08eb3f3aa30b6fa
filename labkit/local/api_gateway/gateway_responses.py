"""What API Gateway itself answers, when no integration does.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

import json
from typing import Any

from labkit.local.api_call import HttpResponse

DEFAULT_TEMPLATE = '{"message":$context.error.messageString}'


class Refused(Exception):
    """A request that ends at the gateway: its gateway response type, status, message and error type."""

    def __init__(self, kind: str, status: int, message: str, error_type: str) -> None:
        super().__init__(message)
        self.kind, self.status, self.message, self.error_type = kind, status, message, error_type


def gateway_response(configured: dict[str, Any], refused: Refused) -> HttpResponse:
    """Build the answer, as ``put_gateway_response`` configured it for the type or for all 4xx or 5xx."""
    default = "DEFAULT_4XX" if refused.status < 500 else "DEFAULT_5XX"
    settings = configured.get(refused.kind) or configured.get(default) or {}
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": refused.error_type}
    for name, value in (settings.get("responseParameters") or {}).items():
        if name.startswith("gatewayresponse.header.") and value.startswith("'"):
            headers[name.removeprefix("gatewayresponse.header.")] = value.strip("'")
    template = (settings.get("responseTemplates") or {}).get("application/json") or DEFAULT_TEMPLATE
    body = (
        template.replace("$context.error.messageString", json.dumps(refused.message))
        .replace("$context.error.message", refused.message)
        .replace("$context.error.responseType", refused.kind)
    )
    status = int(settings.get("statusCode") or refused.status)
    return HttpResponse(status, body.encode(), headers)
