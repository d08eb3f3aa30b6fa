"""Gateway responses: what API Gateway itself answers when a request does not get through its integration and back.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gatewayResponse-definition.html
"""

from __future__ import annotations

from typing import Any

from labkit.local.api_call import HttpResponse
from labkit.local.api_gateway.gateway_error import GatewayError
from labkit.local.api_gateway.headers import set_header
from labkit.local.api_gateway.mapping_template import substitute, value_of
from labkit.local.api_gateway.method_request import MethodRequest

DEFAULT_TEMPLATES = {"application/json": '{"message":$context.error.messageString}'}

# What denies access spells it otherwise than the rest, as AWS Chalice's local mode shows.
DENIED_TEMPLATES = {"application/json": '{"Message":$context.error.messageString}'}


def gateway_response(error: GatewayError, configured: dict[str, Any], request: MethodRequest) -> HttpResponse:
    """Make the answer to *error*.

    The API's own response of that type wins, then its DEFAULT_4XX or DEFAULT_5XX, then API Gateway's default.
    """
    default_type = "DEFAULT_4XX" if error.status < 500 else "DEFAULT_5XX"
    chosen = configured.get(error.response_type) or configured.get(default_type) or {}
    denied = error.response_type == "ACCESS_DENIED"
    templates = chosen.get("responseTemplates") or (DENIED_TEMPLATES if denied else DEFAULT_TEMPLATES)
    content_type = request.headers.get("accept").split(",")[0].split(";")[0].strip()
    if content_type not in templates:
        content_type = "application/json" if "application/json" in templates else next(iter(templates))
    request.error = error
    headers = {"Content-Type": content_type, "x-amzn-ErrorType": error.error_type}
    for name, expression in (chosen.get("responseParameters") or {}).items():
        value = value_of(str(expression), request)
        if name.startswith("gatewayresponse.header.") and value is not None:
            set_header(headers, name.removeprefix("gatewayresponse.header."), value)
    status = int(chosen.get("statusCode") or error.status)
    return HttpResponse(status, substitute(templates[content_type] or "", request).encode(), headers)
