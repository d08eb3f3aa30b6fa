"""Gateway responses: what API Gateway itself answers when a request does not get through its integration and back.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from labkit.local.api_call import HttpResponse
from labkit.local.api_gateway.mapping_template import substitute, value_of

if TYPE_CHECKING:
    from labkit.local.api_gateway.method_request import MethodRequest

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
DEFAULT_TEMPLATES = {"application/json": '{"message":$context.error.messageString}'}

# What denies access spells it otherwise than the rest, as AWS Chalice's local mode shows.
DENIED_TEMPLATES = {"application/json": '{"Message":$context.error.messageString}'}

# Response type → default status; the two DEFAULT types keep the status of the error.
TYPES: dict[str, int | None] = {
    "ACCESS_DENIED": 403,
    "API_CONFIGURATION_ERROR": 500,
    "AUTHORIZER_CONFIGURATION_ERROR": 500,
    "AUTHORIZER_FAILURE": 500,
    "BAD_REQUEST_BODY": 400,
    "BAD_REQUEST_PARAMETERS": 400,
    "DEFAULT_4XX": None,
    "DEFAULT_5XX": None,
    "EXPIRED_TOKEN": 403,
    "INTEGRATION_FAILURE": 504,
    "INTEGRATION_TIMEOUT": 504,
    "INVALID_API_KEY": 403,
    "INVALID_SIGNATURE": 403,
    "MISSING_AUTHENTICATION_TOKEN": 403,
    "QUOTA_EXCEEDED": 429,
    "REQUEST_TOO_LARGE": 413,
    "RESOURCE_NOT_FOUND": 404,
    "THROTTLED": 429,
    "UNAUTHORIZED": 401,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "WAF_FILTERED": 403,
}


class GatewayError(Exception):
    """A request ends here, with a gateway response.

    *error_type* is what the header ``x-amzn-ErrorType`` says; *reason* goes into the execution log and never to the
    client, who gets *message* only (``None`` is ``null``).
    """

    def __init__(
        self, response_type: str, message: str | None, error_type: str, *, status: int | None = None, reason: str = ""
    ) -> None:
        super().__init__(reason or message)
        self.response_type = response_type
        self.message = message
        self.error_type = error_type
        self.status = status or TYPES[response_type] or 500
        self.reason = reason


def internal_server_error(reason: str, *, status: int = 500) -> GatewayError:
    """The error whose cause only the execution log tells: a wrong set-up (500) or a function that failed (502)."""
    response_type = "API_CONFIGURATION_ERROR" if status == 500 else "DEFAULT_5XX"
    return GatewayError(
        response_type, "Internal server error", "InternalServerErrorException", status=status, reason=reason
    )


def set_header(headers: dict[str, str], name: str, value: str) -> None:
    """Set a header that a parameter mapping made; what a client sent must not end it and begin another one."""
    if HEADER_NAME.fullmatch(name):
        headers[name] = CONTROL.sub(" ", value)


def missing_authentication_token(reason: str) -> GatewayError:
    """The error for a request that is not signed, and for one that no method answers."""
    return GatewayError(
        "MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token", "MissingAuthenticationTokenException",
        reason=reason,
    )  # fmt: skip


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
