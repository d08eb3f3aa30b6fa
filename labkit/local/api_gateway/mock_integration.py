"""MOCK integrations: API Gateway answers by itself. A CORS preflight is answered this way.

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from labkit.local.api_call import HttpResponse
from labkit.local.api_gateway.gateway_error import configuration_error
from labkit.local.api_gateway.method_request import MethodRequest
from labkit.local.api_gateway.response_mapping import integration_response, method_response, request_body

# API Gateway also reads {statusCode: 200}, which is not JSON.
STATUS_CODE = re.compile(r"""\{\s*(?:statusCode|'statusCode')\s*:\s*(?P<status>\d{3})\s*[,}]""")


def answer_mock(request: MethodRequest, integration: dict[str, Any]) -> HttpResponse:
    """Answer *request*: the request template names a status, the integration response of that status is the answer.

    Raises:
        GatewayError: 415 for a content type that nothing maps, 500 for a set-up without an answer.
    """
    status = _status(request_body(request, integration))
    return method_response(request, integration_response(integration, status), "")


def _status(body: str) -> str:
    try:
        status = json.loads(body).get("statusCode")
    except (ValueError, AttributeError):
        found = STATUS_CODE.match(body.strip())
        status = int(found["status"]) if found else None
    if not isinstance(status, int) or isinstance(status, bool):
        raise configuration_error(
            "Unable to parse statusCode. It should be an integer that is defined in the request template."
        )
    return str(status)
