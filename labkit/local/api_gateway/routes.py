"""API Gateway REST APIs at work: from an HTTP request to the integration that the deployed API names.

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from labkit.local.api_call import ACCOUNT_ID, AwsError, HttpRequest, HttpResponse
from labkit.local.api_gateway import mock_integration
from labkit.local.api_gateway.gateway_responses import Refused, gateway_response
from labkit.local.api_gateway.proxy_event import proxy_event
from labkit.local.api_gateway.proxy_response import client_response
from labkit.local.api_gateway.usage_plans import UsagePlans
from labkit.local.api_gateway.validation import check_request

LARGEST_PAYLOAD = 10 * 1024 * 1024
FUNCTION_IN_URI = re.compile(r":lambda:path/2015-03-31/functions/(arn:aws:lambda:[^/]+)/invocations")


@dataclass(slots=True)
class Route:
    """Where a request goes: the resource, the method found on it, the parameters in the path."""

    resource: dict[str, Any]
    method: dict[str, Any]
    path_parameters: dict[str, str]


class ApiGateway:
    """Deployed REST APIs. The control plane is moto's; a deployment keeps a picture of it here."""

    def __init__(
        self,
        *,
        definition: Callable[[str, str], Awaitable[dict[str, Any] | None]],
        live: Callable[[str, str], Awaitable[dict[str, Any] | None]],
        invoke: Callable[[str, bytes], Awaitable[Any]],
        permits: Callable[..., bool],
        emit: Callable[..., None],
    ) -> None:
        self._definition, self._live_of = definition, live
        self._invoke, self._permits, self._emit = invoke, permits, emit
        self._deployments: dict[tuple[str, str], dict[str, Any]] = {}
        self._regions: dict[str, str] = {}
        self._live: dict[str, dict[str, Any] | None] = {}
        self._plans = UsagePlans()

    async def deployed(self, region: str, api_id: str, deployment_id: str) -> None:
        """Freeze what an API is now, under a deployment."""
        definition = await self._definition(region, api_id)
        if definition is not None:
            self._deployments[api_id, deployment_id] = definition
            self._regions[api_id] = region

    def changed(self) -> None:
        """Look at stages, plans and keys anew: something in API Gateway was written."""
        self._live.clear()

    async def handle(self, request: HttpRequest, api_id: str, stage: str, path: str) -> HttpResponse:
        """Answer one request of a client.

        An unknown API answers 403: on AWS its name would not resolve.
        """
        request_id, started = str(uuid.uuid4()), time.time()
        live, definition = await self._deployment(api_id, stage)
        if live is None or definition is None:
            response = gateway_response({}, Refused("ACCESS_DENIED", 403, "Forbidden", "ForbiddenException"))
        else:
            try:
                response = await self._answer(request, api_id, stage, path, live, definition, request_id)
            except Refused as refused:
                response = gateway_response(definition["gateway_responses"], refused)
        response.headers.setdefault("Content-Type", "application/json")
        response.headers |= {"x-amzn-RequestId": request_id, "x-amz-apigw-id": request_id.replace("-", "")[:15] + "="}
        milliseconds = (time.time() - started) * 1000
        self._emit(
            "request", method=request.method, path=f"/{stage}{path}", status=response.status, ms=f"{milliseconds:.1f}"
        )
        return response

    async def _deployment(self, api_id: str, stage: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        region = self._regions.get(api_id)
        if region is None:
            return None, None
        if api_id not in self._live:
            self._live[api_id] = await self._live_of(region, api_id)
        live = self._live[api_id]
        if live is None:  # the API was deleted
            del self._regions[api_id]
            return None, None
        found = live["stages"].get(stage)
        return live, self._deployments.get((api_id, found["deployment"])) if found else None

    async def _answer(
        self,
        request: HttpRequest,
        api_id: str,
        stage: str,
        path: str,
        live: dict[str, Any],
        definition: dict[str, Any],
        request_id: str,
    ) -> HttpResponse:
        route = find_route(definition["resources"], request.method, path)
        if route is None:
            raise Refused(
                "MISSING_AUTHENTICATION_TOKEN",
                403,
                "Missing Authentication Token",
                "MissingAuthenticationTokenException",
            )
        if len(request.body) > LARGEST_PAYLOAD:
            raise Refused("REQUEST_TOO_LARGE", 413, "Request Too Long", "RequestTooLargeException")
        key = None
        if route.method["apiKeyRequired"]:
            key = self._plans.admit(live["plans"], stage, request.headers.get("x-api-key"))
        check_request(route.method, definition, request, route.path_parameters)
        integration = route.method["methodIntegration"]
        kind = integration["type"] if integration else "none"
        if kind == "MOCK":
            return mock_integration.answer(route.method, request)
        if kind != "AWS_PROXY":
            self._emit(
                "not supported", api=api_id, why=f"integrations of type {kind} are not supported by the local cloud"
            )
            raise Refused("API_CONFIGURATION_ERROR", 500, "Internal server error", "InternalServerErrorException")
        found = FUNCTION_IN_URI.search(integration["uri"] or "")
        if integration["httpMethod"] != "POST" or not found:
            self._emit(
                "misconfigured",
                api=api_id,
                why="a Lambda integration needs httpMethod POST and the function's invocations URI",
            )
            raise Refused("API_CONFIGURATION_ERROR", 500, "Internal server error", "InternalServerErrorException")
        source = f"arn:aws:execute-api:{self._regions[api_id]}:{ACCOUNT_ID}:{api_id}/{stage}/{request.method}{route.resource['path']}"
        if not integration.get("credentials") and not self._permits(
            found[1], principal="apigateway.amazonaws.com", source_arn=source
        ):
            self._emit("misconfigured", api=api_id, why="Invalid permissions on Lambda function", function=found[1])
            raise Refused("API_CONFIGURATION_ERROR", 500, "Internal server error", "InternalServerErrorException")
        stage_now = live["stages"][stage]
        event = proxy_event(
            request, api_id=api_id, stage=stage, path=path, region=self._regions[api_id], resource=route.resource,
            path_parameters=route.path_parameters, variables=stage_now["variables"], deployment_id=stage_now["deployment"],
            key=key, request_id=request_id, binary_media_types=definition["binary_media_types"],
        )  # fmt: skip
        timeout = int(integration.get("timeoutInMillis") or 29_000) / 1000
        return await self._call(found[1], event, timeout)

    async def _call(self, function_arn: str, event: bytes, timeout: float) -> HttpResponse:
        try:
            result = await asyncio.wait_for(
                asyncio.shield(asyncio.ensure_future(self._invoke(function_arn, event))), timeout
            )
        except TimeoutError:
            raise Refused(
                "INTEGRATION_TIMEOUT", 504, "Endpoint request timed out", "InternalServerErrorException"
            ) from None
        except AwsError as error:
            self._emit("not invoked", function=function_arn, error=error.message)
            status = 429 if error.code == "TooManyRequestsException" else 500
            kind = "THROTTLED" if status == 429 else "API_CONFIGURATION_ERROR"
            text = "Too Many Requests" if status == 429 else "Internal server error"
            raise Refused(kind, status, text, "InternalServerErrorException") from None
        if result.function_error:
            raise Refused("INTEGRATION_FAILURE", 502, "Internal server error", "InternalServerErrorException")
        return client_response(result.payload)

    def snapshot(self) -> dict[str, Any]:
        """Return the deployments as plain data."""
        return {"deployments": dict(self._deployments), "regions": dict(self._regions)}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._deployments, self._regions = dict(state["deployments"]), dict(state["regions"])


def find_route(resources: list[dict[str, Any]], method: str, path: str) -> Route | None:
    """Find the resource and method of a request: literal parts win over ``{name}``, and those over ``{name+}``."""
    wanted = [unquote(part) for part in path.strip("/").split("/")] if path.strip("/") else []
    best: tuple[tuple[int, ...], Route] | None = None
    for resource in resources:
        found = resource["methods"].get(method) or resource["methods"].get("ANY")
        parts = resource["path"].strip("/").split("/") if resource["path"] != "/" else []
        matched = _match(parts, wanted)
        if found and matched is not None:
            rank, parameters = matched
            if best is None or rank < best[0]:
                best = (rank, Route(resource, found, parameters))
    return best[1] if best else None


def _match(parts: list[str], wanted: list[str]) -> tuple[tuple[int, ...], dict[str, str]] | None:
    parameters: dict[str, str] = {}
    rank: list[int] = []
    for index, part in enumerate(parts):
        if part.endswith("+}") and index < len(wanted):
            parameters[part[1:-2]] = "/".join(wanted[index:])
            return (*rank, 2), parameters
        if index >= len(wanted):
            return None
        if part.startswith("{"):
            parameters[part[1:-1]] = wanted[index]
            rank.append(1)
        elif part == wanted[index]:
            rank.append(0)
        else:
            return None
    return (tuple(rank), parameters) if len(parts) == len(wanted) else None
