"""MOCK integrations: API Gateway answers by itself. A CORS preflight is answered this way.

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from labkit.local.api_call import HttpResponse
from labkit.local.api_gateway.gateway_responses import GatewayError, internal_server_error, set_header
from labkit.local.api_gateway.mapping_template import UnsupportedTemplateError, render, value_of
from labkit.local.api_gateway.method_request import MethodRequest

FAILED = "Execution failed due to configuration error: "
# API Gateway also reads {statusCode: 200}, which is not JSON.
STATUS_CODE = re.compile(r"""\{\s*(?:statusCode|'statusCode')\s*:\s*(?P<status>\d{3})\s*[,}]""")


def answer_mock(request: MethodRequest, integration: dict[str, Any]) -> HttpResponse:
    """Answer *request*: the request template names a status, the integration response of that status is the answer.

    Raises:
        GatewayError: 415 for a content type that nothing maps, 500 for a set-up without an answer.
    """
    try:
        status = _status(_request_body(request, integration))
        response = _integration_response(integration, status)
        return _method_response(request, response)
    except UnsupportedTemplateError as error:
        raise internal_server_error(f"{FAILED}{error}") from error


def _request_body(request: MethodRequest, integration: dict[str, Any]) -> str:
    """Apply the template of the content type; without one *passthroughBehavior* decides.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/integration-passthrough-behaviors.html
    """
    templates = integration.get("requestTemplates") or {}
    template = templates.get(request.content_type, templates.get("$default"))
    if template is not None:
        return render(template, request)
    behaviour = integration.get("passthroughBehavior") or "WHEN_NO_MATCH"
    if behaviour == "NEVER" or (behaviour == "WHEN_NO_TEMPLATES" and templates):
        raise GatewayError("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type", "BadRequestException")
    return request.text


def _status(body: str) -> str:
    try:
        status = json.loads(body).get("statusCode")
    except (ValueError, AttributeError):
        found = STATUS_CODE.match(body.strip())
        status = int(found["status"]) if found else None
    if not isinstance(status, int) or isinstance(status, bool):
        raise internal_server_error(
            f"{FAILED}Unable to parse statusCode. It should be an integer that is defined in the request template."
        )
    return str(status)


def _integration_response(integration: dict[str, Any], status: str) -> dict[str, Any]:
    """The response whose *selectionPattern* matches the status, or the one without a pattern."""
    responses = list((integration.get("integrationResponses") or {}).values())
    for response in responses:
        if (pattern := response.get("selectionPattern")) and re.fullmatch(pattern, status):
            return dict(response)
    for response in responses:
        if not response.get("selectionPattern"):
            return dict(response)
    raise internal_server_error(
        f"{FAILED}No match for output mapping and no default output mapping configured. "
        f"Endpoint Response Status Code: {status}"
    )


def _method_response(request: MethodRequest, response: dict[str, Any]) -> HttpResponse:
    """Fill the method response: the integration response says with what, the method response that it may."""
    declared = (request.method.get("methodResponses") or {}).get(str(response["statusCode"]))
    if declared is None:
        status_code = response["statusCode"]
        raise internal_server_error(f"{FAILED}Output mapping refers to an invalid method response: {status_code}")
    body, content_type = _response_body(request, response.get("responseTemplates") or {})
    headers = {"Content-Type": content_type}
    for name, expression in (response.get("responseParameters") or {}).items():
        value = value_of(str(expression), request)
        if name in (declared.get("responseParameters") or {}) and value is not None:
            set_header(headers, name.removeprefix("method.response.header."), value)
    status = int(response["statusCode"])
    return HttpResponse(status, b"" if status in (204, 304) else body, headers)


def _response_body(request: MethodRequest, templates: dict[str, str | None]) -> tuple[bytes, str]:
    if not templates:
        return b"", "application/json"
    accepted = request.headers.get("accept").split(",")[-1].strip()
    content_type = accepted if accepted in templates else "application/json"
    if content_type not in templates:
        content_type = next(iter(templates))
    return render(templates[content_type] or "", request).encode(), content_type
