"""Execution logs: what API Gateway writes about a request where the stage's logging level asks for it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from labkit.local.api_call import HttpResponse
from labkit.local.api_gateway.method_request import MethodRequest


def events(request: MethodRequest, response: HttpResponse, now: float) -> list[tuple[int, str]]:
    """Return the log events of a request, pairs of epoch milliseconds and message: none, errors only, or all."""
    level = request.settings.get("loggingLevel", "OFF")
    lines = []
    if request.error is not None and level in ("ERROR", "INFO"):
        lines.append(request.error.reason or request.error.message)
    if level == "INFO":
        path = request.resource.get("path", request.path)
        began = [
            f"Extended Request Id: {request.extended_request_id}",
            f"Starting execution for request: {request.request_id}",
            f"HTTP Method: {request.http.method}, Resource Path: {path}",
        ]
        lines = [*began, *request.log, *lines, f"Method completed with status: {response.status}"]
    return [(int(now * 1000), f"({request.request_id}) {line}") for line in lines]


def stream_name(request: MethodRequest) -> str:
    """Return the log stream: one per stage and day here, where AWS spreads requests over many."""
    day = datetime.fromtimestamp(request.received, UTC).date()
    return hashlib.sha256(f"{request.api_id}/{request.stage['stageName']}/{day}".encode()).hexdigest()[:32]
