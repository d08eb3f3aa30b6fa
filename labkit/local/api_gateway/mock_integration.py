"""MOCK integrations: an answer without a backend, used for preflight requests.

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from labkit.local.api_call import HttpRequest, HttpResponse
from labkit.local.api_gateway.gateway_responses import Refused

BROKEN = Refused("API_CONFIGURATION_ERROR", 500, "Internal server error", "InternalServerErrorException")


def answer(method: dict[str, Any], request: HttpRequest) -> HttpResponse:
    """Answer by the request template's ``statusCode`` and the integration response it selects.

    Raises:
        Refused: 500 where template, integration response or method response do not fit together.
    """
    integration = method["methodIntegration"]
    status = _status(integration.get("requestTemplates") or {})
    responses = integration.get("integrationResponses") or {}
    chosen = next(
        (r for r in responses.values() if r.get("selectionPattern") and re.fullmatch(r["selectionPattern"], status)),
        next((r for r in responses.values() if not r.get("selectionPattern")), None),
    )
    if chosen is None or str(chosen["statusCode"]) not in method["methodResponses"]:
        raise BROKEN
    declared = method["methodResponses"][str(chosen["statusCode"])].get("responseParameters") or {}
    headers = {"Content-Type": "application/json"}
    for name, value in (chosen.get("responseParameters") or {}).items():
        if name not in declared or not str(value).startswith("'"):
            raise BROKEN
        headers[name.removeprefix("method.response.header.")] = str(value).strip("'")
    template = (chosen.get("responseTemplates") or {}).get("application/json") or ""
    return HttpResponse(int(chosen["statusCode"]), template.encode(), headers)


def _status(templates: dict[str, Any]) -> str:
    try:
        return str(json.loads(templates.get("application/json") or "{}")["statusCode"])
    except (ValueError, KeyError, TypeError):
        raise BROKEN from None
