"""Which resource and method of an API a request is for.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from labkit.local.api_gateway.gateway_error import missing_authentication_token
from labkit.local.api_gateway.method_request import MethodRequest

METHODS_OF_ANY = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


def route(request: MethodRequest) -> None:
    """Find the resource and the method of *request* and fill in both, and the path parameters.

    A slash at the end of the path does not matter. Of several resources that match, the most specific one is taken,
    segment by segment: its own word, then ``{parameter}``, then ``{proxy+}``. Path parameters stay percent-encoded.

    Raises:
        GatewayError: MISSING_AUTHENTICATION_TOKEN, which is how API Gateway says that there is no such path or method.
    """
    segments = segments_of(request.path)
    found: list[tuple[list[int], dict[str, Any], dict[str, str]]] = []
    for resource in request.api["resources"]:
        if resource["resourceMethods"] and (matched := match(resource["path"], segments)):
            found.append((matched[0], resource, matched[1]))
    if found:
        _, resource, parameters = min(found, key=lambda one: one[0])
        methods = resource["resourceMethods"]
        verb = request.http.method
        method = methods.get(verb) or (methods.get("ANY") if verb in METHODS_OF_ANY else None)
        if method is not None:
            request.resource, request.method, request.path_parameters = resource, method, parameters
            return
    raise missing_authentication_token(f"No method {request.http.method} of a resource {request.path} is deployed")


def segments_of(path: str) -> list[str]:
    """Return what stands between the slashes of a path."""
    path = path.strip("/")
    return path.split("/") if path else []


def match(path: str, segments: list[str]) -> tuple[list[int], dict[str, str]] | None:
    """Match a resource's path; return how specific each segment is (0 is most) and the path parameters."""
    parts = segments_of(path)
    specific: list[int] = []
    parameters: dict[str, str] = {}
    for at, part in enumerate(parts):
        if at >= len(segments):
            return None
        if part.startswith("{") and part.endswith("+}"):
            parameters[part[1:-2]] = "/".join(segments[at:])
            return [*specific, 2], parameters
        if part.startswith("{") and part.endswith("}"):
            if not segments[at]:
                return None
            parameters[part[1:-1]] = segments[at]
            specific.append(1)
        elif unquote(segments[at]) == part:
            specific.append(0)
        else:
            return None
    return (specific, parameters) if len(parts) == len(segments) else None
