"""API Gateway REST APIs at work: from a request on a stage's address to the integration of the method that answers it.

What a stage serves is a deployment, a picture of the API taken when it was deployed: later changes of resources,
methods, integrations, models, validators and gateway responses are invisible until the next one. Settings of the stage
itself (variables, throttles, which deployment it serves), keys and usage plans act at once.

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from labkit.local.api_call import ApiCall, AwsError, HttpRequest, HttpResponse
from labkit.local.api_gateway import execution_log, resource_policy
from labkit.local.api_gateway.authorizers import Authorizers
from labkit.local.api_gateway.aws_integration import AwsIntegration
from labkit.local.api_gateway.gateway_error import GatewayError, internal_server_error
from labkit.local.api_gateway.gateway_responses import gateway_response
from labkit.local.api_gateway.http_integration import answer_http_proxy
from labkit.local.api_gateway.iam_authorization import CallerCan, IamAuthorization, Identify
from labkit.local.api_gateway.lambda_integration import Invoke, LambdaIntegration
from labkit.local.api_gateway.method_request import MethodRequest
from labkit.local.api_gateway.mock_integration import answer_mock
from labkit.local.api_gateway.resource_paths import route
from labkit.local.api_gateway.usage_plans import UsagePlans
from labkit.local.api_gateway.validation import Models, validate

LARGEST_PAYLOAD = 10 * 1024 * 1024


class ApiGateway:
    """Serve the deployed REST APIs.

    Args:
        live: ``await live(api_id)``: what acts without a deployment (``region``, ``stages``, ``usagePlans``,
            ``disableExecuteApiEndpoint``), or ``None`` for an API that does not exist.
        invoke: Invokes a function, see :class:`LambdaIntegration`; so do *permits*, *role_can* and *trusts*.
        identify: Tells who signed a request, see :class:`IamAuthorization`; *caller_can* what they may do.
        send_to_queue: Sends a message for an AWS integration, see :class:`AwsIntegration`.
        put_log_events: ``await put_log_events(region, group, stream, events)``, for execution logs.
        emit: Tells of each request and why it failed.
        now: Epoch seconds.
    """

    def __init__(
        self,
        *,
        live: Callable[[str], Awaitable[dict[str, Any] | None]],
        invoke: Invoke,
        permits: Callable[..., bool],
        role_can: Callable[[str, str, str], Awaitable[bool]],
        trusts: Callable[[str, str], Awaitable[bool]],
        identify: Identify,
        caller_can: CallerCan,
        send_to_queue: Callable[..., Awaitable[str]],
        put_log_events: Callable[[str, str, str, list[tuple[int, str]]], Awaitable[None]],
        emit: Callable[..., None],
        now: Callable[[], float],
    ) -> None:
        self.usage_plans = UsagePlans(now=now)
        self._live = live
        self._lambda = LambdaIntegration(invoke=invoke, permits=permits, role_can=role_can, trusts=trusts)
        self._aws = AwsIntegration(functions=self._lambda, send_to_queue=send_to_queue)
        self._iam = IamAuthorization(identify=identify, caller_can=caller_can)
        self._authorizers = Authorizers(functions=self._lambda, now=now)
        self._put_log_events = put_log_events
        self._emit = emit
        self._now = now
        self._models = Models()
        self._deployments: dict[tuple[str, str], dict[str, Any]] = {}
        self._live_views: dict[str, dict[str, Any]] = {}
        self._changes = 0
        self._writing_logs: set[asyncio.Task[None]] = set()

    def description(self) -> dict[str, int]:
        """Count the APIs that are deployed, and their deployments, for the health page."""
        return {
            "deployed_apis": len({api_id for api_id, _ in self._deployments}),
            "deployments": len(self._deployments),
        }

    def deployed(self, api_id: str, deployment_id: str, picture: dict[str, Any]) -> None:
        """Serve the API as it was when it was deployed: *picture*, as plain data."""
        self._deployments[api_id, deployment_id] = picture

    def observe(self, call: ApiCall, result: dict[str, Any] | None, error: AwsError | None) -> None:
        """Follow calls of the control plane: whatever changes the set-up makes what was read of it stale."""
        if call.service != "apigateway" or call.operation.startswith("Get"):
            return
        self._changes += 1
        self._live_views.clear()
        if error is not None:
            return
        if call.operation in ("FlushStageAuthorizersCache", "CreateDeployment", "UpdateStage", "DeleteStage"):
            self._authorizers.forget(call.params.get("restApiId", ""), call.params.get("stageName"))
        if call.operation == "DeleteRestApi":
            api_id = call.params["restApiId"]
            self._authorizers.forget(api_id)
            self._deployments = {key: kept for key, kept in self._deployments.items() if key[0] != api_id}
            self._models.forget(api_id)
            self.usage_plans.forget(api_id)
        elif call.operation == "DeleteDeployment":
            self._deployments.pop((call.params["restApiId"], call.params["deploymentId"]), None)
            self._models.forget(call.params["restApiId"])  # the other deployments' are compiled when next used
        elif call.operation in ("DeleteUsagePlan", "DeleteApiKey"):
            self.usage_plans.forget(call.params.get("usagePlanId") or call.params["apiKey"])

    async def handle(self, http: HttpRequest, api_id: str, stage_name: str, path: str) -> HttpResponse:
        """Answer one request on a stage's address.

        An API that does not exist is 403 ``Forbidden``, like a stage that does not exist: on AWS the name of the API
        would not resolve, and no HTTP answer could come at all.

        Args:
            http: The request.
            api_id: Which API.
            stage_name: Which of its stages.
            path: The rest of the path, raw.
        """
        received = self._now()
        live = await self._live_view(api_id)
        stage = live["stages"].get(unquote(stage_name)) if live and not live["disableExecuteApiEndpoint"] else None
        api = self._deployments.get((api_id, stage.get("deploymentId") or "")) if stage else None
        if live is None or stage is None or api is None:
            self._emit("request", method=http.method, path=http.path, status=403, reason="no such API or stage")
            headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "ForbiddenException"}
            return HttpResponse(403, b'{"message":"Forbidden"}', headers)
        request = MethodRequest(
            http=http, api=api, api_id=api_id, region=live["region"], stage=stage, path=path, received=received
        )
        try:
            response = await self._answer(request, live["usagePlans"])
        except GatewayError as error:
            response = gateway_response(error, api["gatewayResponses"], request)
        response.headers["x-amzn-RequestId"] = request.request_id
        response.headers["x-amz-apigw-id"] = request.extended_request_id
        self._tell(request, response)
        return response

    async def _answer(self, request: MethodRequest, plans: list[dict[str, Any]]) -> HttpResponse:
        route(request)
        await self._authorise(request)
        if len(request.http.body) > LARGEST_PAYLOAD:
            raise GatewayError("REQUEST_TOO_LARGE", "Request Too Long", "RequestTooLargeException")
        self.usage_plans.admit(request, plans)
        validate(request, self._models)
        return await self.integrate(request)

    async def _authorise(self, request: MethodRequest) -> None:
        """Ask the API's policy, and whom the method names.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
        """
        kind = request.method.get("authorizationType") or "NONE"
        if kind == "AWS_IAM":
            await self._iam.admit(request)
            return
        decision = resource_policy.decide(request)
        if decision == "explicit-deny" or (decision == "implicit-deny" and kind == "NONE"):
            raise resource_policy.denied(request, explicitly=decision == "explicit-deny")
        if kind == "CUSTOM":
            await self._authorizers.admit(request, decision)
        elif kind != "NONE":
            raise internal_server_error(f"the local cloud does not implement the authorization type {kind}")

    async def integrate(self, request: MethodRequest) -> HttpResponse:
        """Return the answer of the method's integration.

        Raises:
            GatewayError: It has none that works.
        """
        integration = request.method.get("methodIntegration") or {}
        match integration.get("type"):
            case "AWS_PROXY":
                return await self._lambda.answer(request, integration)
            case "AWS":
                return await self._aws.answer(request, integration)
            case "HTTP_PROXY":
                return await answer_http_proxy(request, integration)
            case "MOCK":
                return answer_mock(request, integration)
            case None:
                raise internal_server_error("No integration defined for method")
            case other:
                raise internal_server_error(f"the local cloud does not implement integrations of type {other}")

    async def _live_view(self, api_id: str) -> dict[str, Any] | None:
        """What acts without a deployment, read again after each change only."""
        if api_id in self._live_views:
            return self._live_views[api_id]
        changes = self._changes
        live = await self._live(api_id)
        if live is not None and changes == self._changes:
            self._live_views[api_id] = live
        return live

    def _tell(self, request: MethodRequest, response: HttpResponse) -> None:
        self._emit(
            "request",
            method=request.http.method,
            path=f"/{request.stage['stageName']}{request.path}",
            status=response.status,
            milliseconds=round((self._now() - request.received) * 1000, 1),
            reason=(request.error.reason or request.error.message) if request.error else "",
        )
        if events := execution_log.events(request, response, self._now()):
            group = f"API-Gateway-Execution-Logs_{request.api_id}/{request.stage['stageName']}"
            stream = execution_log.stream_name(request)
            writing = asyncio.ensure_future(self._put_log_events(request.region, group, stream, events))
            self._writing_logs.add(writing)
            writing.add_done_callback(self._writing_logs.discard)

    def snapshot(self) -> dict[str, Any]:
        """Return the deployments and what was used of the usage plans, as plain data."""
        deployments = [
            {"api": api_id, "deployment": deployment_id, "picture": picture}
            for (api_id, deployment_id), picture in self._deployments.items()
        ]
        return {"deployments": deployments, "used": self.usage_plans.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`snapshot` returned."""
        self._deployments = {(one["api"], one["deployment"]): one["picture"] for one in state["deployments"]}
        self.usage_plans.restore(state["used"])
        self._live_views.clear()
