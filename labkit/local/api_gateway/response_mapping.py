"""The way through a non-proxy integration: request template, integration response, method response.

https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-data-transformations.html
"""

from __future__ import annotations

import re
from typing import Any

from labkit.local.api_call import HttpResponse
from labkit.local.api_gateway.gateway_error import GatewayError, configuration_error
from labkit.local.api_gateway.headers import set_header
from labkit.local.api_gateway.mapping_template import render, value_of
from labkit.local.api_gateway.method_request import MethodRequest


def request_body(request: MethodRequest, integration: dict[str, Any]) -> str:
    """Return the integration's request, by the template of the content type; without one *passthroughBehavior* decides.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/integration-passthrough-behaviors.html
    """
    templates = integration.get("requestTemplates") or {}
    template = templates.get(request.content_type, templates.get("$default"))
    if template is not None:
        return render(template, request, request.text)
    behaviour = integration.get("passthroughBehavior") or "WHEN_NO_MATCH"
    if behaviour == "NEVER" or (behaviour == "WHEN_NO_TEMPLATES" and templates):
        raise GatewayError("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type", "BadRequestException")
    return request.text


def integration_response(integration: dict[str, Any], text: str) -> dict[str, Any]:
    """Return the response whose *selectionPattern* matches a status or an error message, or the one without one."""
    responses = list((integration.get("integrationResponses") or {}).values())
    for response in responses:
        if (pattern := response.get("selectionPattern")) and _matches(pattern, text):
            return dict(response)
    for response in responses:
        if not response.get("selectionPattern"):
            return dict(response)
    raise configuration_error(
        f"No match for output mapping and no default output mapping configured. Endpoint Response Status Code: {text}"
    )


def method_response(request: MethodRequest, response: dict[str, Any], answered: str) -> HttpResponse:
    """Fill the method response: the integration response says with what, the method response that it may.

    Args:
        request: Which request.
        response: The integration response.
        answered: The body that the integration answered with, handed on where no template says otherwise.
    """
    declared = (request.method.get("methodResponses") or {}).get(str(response["statusCode"]))
    if declared is None:
        raise configuration_error(f"Output mapping refers to an invalid method response: {response['statusCode']}")
    body, content_type = _response_body(request, response.get("responseTemplates") or {}, answered)
    headers = {"Content-Type": content_type}
    for name, expression in (response.get("responseParameters") or {}).items():
        value = value_of(str(expression), request)
        if name in (declared.get("responseParameters") or {}) and value is not None:
            set_header(headers, name.removeprefix("method.response.header."), value)
    status = int(response["statusCode"])
    return HttpResponse(status, b"" if status in (204, 304) else body, headers)


def _response_body(request: MethodRequest, templates: dict[str, str | None], answered: str) -> tuple[bytes, str]:
    if not templates:
        return answered.encode(), "application/json"
    accepted = request.headers.get("accept").split(",")[-1].strip()
    content_type = accepted if accepted in templates else "application/json"
    if content_type not in templates:
        content_type = next(iter(templates))
    template = templates[content_type]
    return (answered if template is None else render(template, request, answered)).encode(), content_type


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.fullmatch(pattern, text, re.DOTALL) is not None
    except re.error:
        return False
