"""AWS_PROXY integrations: the request becomes an event, the function's return value becomes the answer.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from labkit.local.api_call import ACCOUNT_ID, AwsError, HttpResponse
from labkit.local.api_gateway.gateway_error import configuration_error, integration_timeout, internal_server_error
from labkit.local.api_gateway.mapping_template import substitute
from labkit.local.api_gateway.method_request import MethodRequest
from labkit.local.api_gateway.proxy_event import is_binary, proxy_event
from labkit.local.api_gateway.proxy_response import read_proxy_response

LONGEST_MILLISECONDS = 29_000
FUNCTION_URI = re.compile(
    r"arn:aws[\w-]*:apigateway:[\w-]+:(?:[\w-]+\.)?lambda:path/2015-03-31/functions/(?P<function>.+)/invocations"
)


class Invoked(Protocol):
    """What an invocation of a function returns."""

    @property
    def payload(self) -> bytes: ...  # noqa: D102
    @property
    def function_error(self) -> str | None: ...  # noqa: D102
    @property
    def request_id(self) -> str: ...  # noqa: D102


Invoke = Callable[[str, bytes], Awaitable[Invoked]]


class LambdaIntegration:
    """Invoke functions for requests.

    Args:
        invoke: ``await invoke(function_arn, payload)``, a synchronous invocation.
        permits: ``permits(function_arn, principal=…, source_arn=…)``, the function's resource policy.
        role_can: ``await role_can(role_arn, action, resource)``, for integrations with a role of their own.
        trusts: ``await trusts(role_arn, service_principal)``.
    """

    def __init__(
        self,
        *,
        invoke: Invoke,
        permits: Callable[..., bool],
        role_can: Callable[[str, str, str], Awaitable[bool]],
        trusts: Callable[[str, str], Awaitable[bool]],
    ) -> None:
        self._invoke = invoke
        self._permits = permits
        self._role_can = role_can
        self._trusts = trusts
        self._running: set[asyncio.Future[Invoked]] = set()

    async def answer(self, request: MethodRequest, integration: dict[str, Any]) -> HttpResponse:
        """Invoke the function and return its answer.

        Raises:
            GatewayError: 500 for a wrong set-up, 502 for a function that failed or returned something else than a proxy
                response, 504 after the integration's timeout.
        """
        if integration.get("httpMethod") != "POST":
            raise configuration_error(
                f"the integration's httpMethod is {integration.get('httpMethod')}; Lambda is invoked by POST, "
                "whatever the method of the request"
            )
        invoked = await self.invoke_for_method(request, integration, json.dumps(proxy_event(request)).encode())
        if invoked.function_error:
            raise internal_server_error(
                "Lambda execution failed with status 200 due to customer function error: "
                f"{error_message(invoked.payload)}. Lambda request id: {invoked.request_id}",
                status=502,
            )
        decode = is_binary(request.headers.get("accept"), request.api["binaryMediaTypes"])
        response = read_proxy_response(invoked.payload, decode_base64=decode)
        response.headers["X-Amzn-Trace-Id"] = request.trace_id
        return response

    async def invoke_for_method(self, request: MethodRequest, integration: dict[str, Any], payload: bytes) -> Invoked:
        """Invoke the function of a method's integration."""
        return await self.invoke(
            request,
            uri=integration.get("uri"),
            credentials=integration.get("credentials"),
            arrow=f"{request.stage['stageName']}/{request.http.method}{request.resource['path']}",
            payload=payload,
            milliseconds=milliseconds_of(integration),
        )

    async def invoke(
        self,
        request: MethodRequest,
        *,
        uri: str | None,
        credentials: str | None,
        arrow: str,
        payload: bytes,
        milliseconds: int = LONGEST_MILLISECONDS,
    ) -> Invoked:
        """Invoke the function of a URI, stage variables filled in, if API Gateway may.

        Args:
            request: For which request.
            uri: Of an integration or an authorizer.
            credentials: The role to invoke it with; without one the function's resource policy decides.
            arrow: What the source's ARN says after the API's id.
            payload: The event.
            milliseconds: How long to wait.
        """
        function_arn = _function_arn(request, uri)
        await self._check_permission(request, credentials, function_arn, arrow)
        request.log.append(f"Sending request to {function_arn}")
        return await self._invoke_in_time(function_arn, payload, milliseconds)

    async def may_use(self, role_arn: str, action: str, resource: str) -> bool:
        """Whether API Gateway may wear a role, and the role may do something."""
        return await self._trusts(role_arn, "apigateway.amazonaws.com") and await self._role_can(
            role_arn, action, resource
        )

    async def _check_permission(
        self, request: MethodRequest, credentials: str | None, function_arn: str, arrow: str
    ) -> None:
        if role_arn := substitute(credentials or "", request):
            if await self.may_use(role_arn, "lambda:InvokeFunction", function_arn):
                return
            raise configuration_error(
                f"API Gateway does not have permission to assume the provided role {role_arn}, "
                f"or the role may not invoke {function_arn}"
            )
        source_arn = f"arn:aws:execute-api:{request.region}:{ACCOUNT_ID}:{request.api_id}/{arrow}"
        if not self._permits(function_arn, principal="apigateway.amazonaws.com", source_arn=source_arn):
            raise configuration_error(
                f"Invalid permissions on Lambda function: {function_arn} does not exist, or its resource "
                f"policy does not let apigateway.amazonaws.com invoke it for {source_arn}"
            )

    async def _invoke_in_time(self, function_arn: str, payload: bytes, milliseconds: int) -> Invoked:
        """Wait as long as the integration allows; the function itself runs on after that, as on AWS."""
        invocation = asyncio.ensure_future(self._invoke(function_arn, payload))
        self._running.add(invocation)
        invocation.add_done_callback(self._ended)
        done, _ = await asyncio.wait({invocation}, timeout=milliseconds / 1000)
        if not done:
            raise integration_timeout(f"the function took longer than {milliseconds} ms")
        try:
            return invocation.result()
        except AwsError as error:
            raise internal_server_error(
                f"Lambda invocation failed with status: {error.status}: {error.code}: {error.message}"
            ) from error

    def _ended(self, invocation: asyncio.Future[Invoked]) -> None:
        self._running.discard(invocation)
        if not invocation.cancelled():
            invocation.exception()  # nobody may wait any more: take note of it, so that asyncio does not complain


def _function_arn(request: MethodRequest, written: str | None) -> str:
    """The function of a URI, stage variables filled in."""
    uri = substitute(written or "", request)
    found = FUNCTION_URI.fullmatch(uri)
    if found is None:
        raise configuration_error(
            f"the local cloud runs AWS_PROXY integrations with Lambda functions only, and {uri!r} is none"
        )
    return found["function"]


def milliseconds_of(integration: dict[str, Any]) -> int:
    """Return how long an integration may take."""
    return min(int(integration.get("timeoutInMillis") or LONGEST_MILLISECONDS), LONGEST_MILLISECONDS)


def error_message(payload: bytes) -> str:
    """Return ``errorMessage`` of what a function that failed returned."""
    try:
        return str(json.loads(payload)["errorMessage"])
    except (ValueError, TypeError, KeyError):
        return payload[:200].decode("utf-8", "replace")
