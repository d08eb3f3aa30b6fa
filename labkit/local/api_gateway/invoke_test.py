"""TestInvokeMethod: a method tried out as it is now, without a deployment, an authorizer or an API key.

https://docs.aws.amazon.com/apigateway/latest/api/API_TestInvokeMethod.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import ApiCall, Headers, HttpRequest, HttpResponse
from labkit.local.api_gateway import method_checks
from labkit.local.api_gateway.errors import not_found
from labkit.local.api_gateway.gateway_error import GatewayError
from labkit.local.api_gateway.gateway_responses import gateway_response
from labkit.local.api_gateway.method_request import MethodRequest
from labkit.local.api_gateway.resource_paths import match, segments_of
from labkit.local.api_gateway.validation import Models, validate

STAGE = "test-invoke-stage"


class TestInvokes:
    """Try methods out.

    Args:
        picture: ``await picture(api_id, region)``: an API as it is now, or ``None``.
        integrate: ``await integrate(request)``: the answer of the method's integration.
        now: Epoch seconds.
    """

    __test__ = False  # the name is AWS's: pytest must not take it for tests

    def __init__(
        self,
        *,
        picture: Callable[[str, str], Awaitable[dict[str, Any] | None]],
        integrate: Callable[[MethodRequest], Awaitable[HttpResponse]],
        now: Callable[[], float],
    ) -> None:
        self._picture = picture
        self._integrate = integrate
        self._now = now

    async def test_invoke_method(self, call: ApiCall) -> dict[str, Any]:
        """Send a made-up request through a method and return its answer with the execution log."""
        api = await self._picture(call.params["restApiId"], call.region)
        if api is None:
            raise not_found("Invalid Resource identifier specified")
        request = self._request(call, api)
        try:
            validate(request, Models())
            response = await self._integrate(request)
        except GatewayError as error:
            response = gateway_response(error, api["gatewayResponses"], request)
            response.headers.pop("Content-Type", None)
        several: dict[str, list[str]] = {}
        for name, value in [*response.headers.items(), *response.more_headers]:
            several.setdefault(name, []).append(value)
        ended = self._now()
        return {
            "status": response.status,
            "body": response.body.decode("utf-8", "replace"),
            "headers": {name: values[-1] for name, values in several.items()},
            "multiValueHeaders": several,
            "log": _log(request, response, several, ended),
            "latency": round((ended - request.received) * 1000),
        }

    def _request(self, call: ApiCall, api: dict[str, Any]) -> MethodRequest:
        params = call.params
        resource = method_checks.resource(params, api)
        method = method_checks.method(params, api)
        path, _, query = (params.get("pathWithQueryString") or resource["path"]).partition("?")
        headers = [
            (name, value) for name, values in (params.get("multiValueHeaders") or {}).items() for value in values
        ]
        headers += list((params.get("headers") or {}).items())
        request = MethodRequest(
            http=HttpRequest(
                method["httpMethod"] if method["httpMethod"] != "ANY" else "GET",
                path,
                query,
                Headers([(str(name), str(value)) for name, value in headers]),
                (params.get("body") or "").encode(),
                "test-invoke-source-ip",
            ),
            api=api,
            api_id=params["restApiId"],
            region=call.region,
            stage={"stageName": STAGE, "deploymentId": None, "variables": params.get("stageVariables") or {}},
            path=path,
            received=self._now(),
            resource=resource,
            method=method,
        )
        found = match(resource["path"], segments_of(path))
        request.path_parameters = found[1] if found else {}
        return request


def _log(request: MethodRequest, response: HttpResponse, headers: dict[str, list[str]], ended: float) -> str:
    lines = [
        f"Starting execution for request: {request.request_id}",
        f"HTTP Method: {request.http.method}, Resource Path: {request.path}",
        f"Method request path: {_braced(request.path_parameters)}",
        f"Method request query string: {_braced(dict(request.query))}",
        f"Method request headers: {_braced(dict(request.headers.items))}",
        f"Method request body before transformations: {request.text}",
        *request.log,
    ]
    if request.error is None:
        lines += [
            f"Method response body after transformations: {response.body.decode('utf-8', 'replace')}",
            f"Method response headers: {_braced({name: ', '.join(values) for name, values in headers.items()})}",
            "Successfully completed execution",
        ]
    else:
        lines.append(request.error.reason or request.error.message or "")
    lines.append(f"Method completed with status: {response.status}")
    moment = datetime.fromtimestamp(ended, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
    dated = "".join(f"{moment} : {line}\n" for line in lines)
    return f"Execution log for request {request.request_id}\n{dated}"


def _braced(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in values.items()) + "}"
