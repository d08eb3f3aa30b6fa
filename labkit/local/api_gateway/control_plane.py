"""API Gateway's control plane is moto's. Here stands what moto leaves out or does otherwise than AWS.

Three kinds of correction: a *check* refuses what AWS refuses before moto is asked; an *answer* replaces moto's; what
follows a successful call of moto's (*afterwards*) completes it.

https://docs.aws.amazon.com/apigateway/latest/api/API_Operations.html
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, Forward, HttpResponse
from labkit.local.api_gateway import control_plane_checks as checks
from labkit.local.api_gateway.answers import CREATED, FORMS, gateway_response
from labkit.local.api_gateway.errors import bad_request, not_found
from labkit.local.api_gateway.gateway_error import TYPES
from labkit.local.api_gateway.import_rest_api import Imports
from labkit.local.api_gateway.paging import page
from labkit.local.api_gateway.stage_checks import SETTINGS_OF_METHOD, asks_for_logs
from labkit.local.api_gateway.tags import Tags

Correction = Callable[[ApiCall, Forward], Awaitable[HttpResponse]]
Answer = Callable[[ApiCall], Awaitable[dict[str, Any]]]
Afterwards = Callable[[ApiCall, dict[str, Any]], Awaitable[dict[str, Any] | None]]

ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/\S+")


class ControlPlane:
    """Correct moto's API Gateway.

    Args:
        reads: What moto holds, see ``moto_app.rest_apis``.
        changes: The changes that moto cannot make, see ``moto_app.rest_api_changes``.
        deployed: ``deployed(api_id, deployment_id, picture)``, told of each new deployment.
        usage: ``usage(plan, key_id, start, end)``: what a key used of a plan.
        test_invoke_method: Answers TestInvokeMethod.
        serialise: Makes the HTTP answer of a result.
        trusts: ``await trusts(role_arn, service)``: whether a service may wear a role.
        role_can: ``await role_can(role_arn, action, resource)``.
        now: Epoch seconds.
    """

    def __init__(
        self,
        *,
        reads: Any,
        changes: Any,
        deployed: Callable[[str, str, dict[str, Any]], None],
        usage: Callable[[dict[str, Any], str, date, date], list[list[int]]],
        test_invoke_method: Answer,
        serialise: Callable[[ApiCall, dict[str, Any]], HttpResponse],
        trusts: Callable[[str, str], Awaitable[bool]],
        role_can: Callable[[str, str, str], Awaitable[bool]],
        now: Callable[[], float],
    ) -> None:
        self._reads = reads
        self._changes = changes
        self._deployed = deployed
        self._serialise = serialise
        self._trusts, self._role_can = trusts, role_can
        self._usage, self._now = usage, now
        self._test_invoke_method = test_invoke_method
        self._one_at_a_time = asyncio.Lock()
        imports = Imports(create=changes.import_api, change=changes.put_api)
        self._answers: Mapping[str, Answer] = {
            "DeleteDeployment": self._delete_deployment,
            "DeleteResource": self._delete_resource,
            "FlushStageAuthorizersCache": _nothing,  # who asks authorizers hears of every call, of this one too
            "GetGatewayResponse": self._get_gateway_response,
            "GetGatewayResponses": self._get_gateway_responses,
            "GetUsage": self._get_usage,
            "ImportRestApi": imports.import_rest_api,
            "PutRestApi": imports.put_rest_api,
            "UpdateIntegration": lambda call: changes.patch_integration(call.params, call.region),
            "UpdateMethod": lambda call: changes.patch_method(call.params, call.region),
            "UpdateRestApi": lambda call: changes.patch_rest_api(
                call.params["restApiId"], call.region, call.params.get("patchOperations") or []
            ),
            "UpdateUsagePlan": lambda call: changes.patch_usage_plan(
                call.region, call.params["usagePlanId"], call.params.get("patchOperations") or []
            ),
            **Tags(changes).operations,
        }
        self._afterwards: Mapping[str, Afterwards] = {
            "CreateAuthorizer": self._complete_authorizer,
            "CreateRestApi": lambda call, api: changes.complete_rest_api(
                api["id"], call.region, call.params.get("binaryMediaTypes") or []
            ),
            "DeleteApiKey": lambda call, _: changes.forget_key(call.region, call.params["apiKey"]),
            "DeleteRestApi": lambda call, _: changes.detach_stages(call.region, call.params["restApiId"], None),
            "DeleteStage": lambda call, _: changes.detach_stages(
                call.region, call.params["restApiId"], call.params["stageName"]
            ),
            "DeleteUsagePlan": lambda call, _: changes.forget_plan(call.region, call.params["usagePlanId"]),
            "UpdateStage": self._remove_method_settings,
        }

    @property
    def corrections(self) -> dict[str, Correction]:
        """Operation → what stands before moto for it."""
        names = {*checks.OF_AN_API, *checks.OF_KEYS_AND_PLANS, *checks.ALONE, *self._answers, *self._afterwards, *FORMS}
        own = {"CreateDeployment": self._create_deployment, "UpdateAccount": self._update_account}
        corrections = {**dict.fromkeys(names, self._correct), **own}
        alone = {name: self._alone(correct) for name, correct in corrections.items()}
        return {**alone, "TestInvokeMethod": self._try_out}

    def _alone(self, correct: Correction) -> Correction:
        """Let nothing change between a check and what it lets pass."""

        async def correct_alone(call: ApiCall, forward: Forward) -> HttpResponse:
            async with self._one_at_a_time:
                return await correct(call, forward)

        return correct_alone

    async def _try_out(self, call: ApiCall, _: Forward) -> HttpResponse:
        """Try a method out beside everything else: its function may take its time, and may call API Gateway."""
        return self._serialise(call, await self._test_invoke_method(call))

    async def _correct(self, call: ApiCall, forward: Forward) -> HttpResponse:
        await self._check(call)
        form = FORMS.get(call.operation)
        if answer := self._answers.get(call.operation):
            result = await answer(call)
            return self._serialise(call, form(result, call.params) if form else result)
        response = await forward(call)
        if response.status >= 400 or (call.operation not in FORMS and call.operation not in self._afterwards):
            return response
        result = json.loads(response.body or b"{}")
        if afterwards := self._afterwards.get(call.operation):
            result = await afterwards(call, result) or result
        if response.body:
            response.body = json.dumps(form(result, call.params) if form else result).encode()
            response.headers = {k: v for k, v in response.headers.items() if k.lower() != "content-length"}
        response.status = 201 if call.operation in CREATED else response.status
        return response

    async def _check(self, call: ApiCall) -> dict[str, Any]:
        """Refuse what AWS refuses; return what is set up of the API, if it is about one."""
        setup: dict[str, Any] | None = None
        if check := checks.ALONE.get(call.operation):
            check(call.params)
        if call.operation in checks.OF_AN_API:
            api_id = call.params["restApiId"]
            setup = await self._reads.setup(api_id, call.region)
            if setup is None:
                of_resource = call.operation in checks.NAMED_BY_RESOURCE
                message = f"Invalid API identifier specified {ACCOUNT_ID}:{api_id}"
                raise not_found("Invalid Resource identifier specified" if of_resource else message)
            for check_setup in checks.OF_AN_API[call.operation]:
                check_setup(call.params, setup)
        if call.operation in checks.OF_KEYS_AND_PLANS:
            metering = await self._reads.metering(call.region)
            for check_metering in checks.OF_KEYS_AND_PLANS[call.operation]:
                check_metering(call.params, metering)
        wants_logs = call.operation == "UpdateStage" and asks_for_logs(call.params)
        if wants_logs and not await self._reads.logs_role(call.region):
            raise bad_request("CloudWatch Logs role ARN must be set in account settings to enable logging")
        return setup or {}

    async def _update_account(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Take a role for logs only if API Gateway may wear it and it may write them; no value takes it away."""
        operations = call.params.get("patchOperations") or []
        if [operation["path"] for operation in operations] != ["/cloudwatchRoleArn"]:
            return await forward(call)
        role = operations[0].get("value") or None
        if role and not ROLE_ARN.fullmatch(role):
            raise bad_request("The role ARN is not well formed")
        if role and not await self._may_write_logs(role, call.region):
            raise bad_request(
                "The role ARN does not have required permissions configured. Please grant trust permission for "
                "API Gateway and add the required role policy.",
            )
        return self._serialise(call, await self._changes.set_logs_role(call.region, role))

    async def _may_write_logs(self, role_arn: str, region: str) -> bool:
        group = f"arn:aws:logs:{region}:{ACCOUNT_ID}:log-group:API-Gateway-Execution-Logs:log-stream:any"
        trusted = await self._trusts(role_arn, "apigateway.amazonaws.com")
        return trusted and await self._role_can(role_arn, "logs:PutLogEvents", group)

    async def _create_deployment(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Deploy; a stage that exists keeps its settings, which moto would reset."""
        picture = await self._check(call)
        stages, _ = picture.pop("stages"), picture.pop("deployments")
        api_id, stage = call.params["restApiId"], call.params.get("stageName")
        response = await forward(call)
        if response.status < 400:
            self._deployed(api_id, json.loads(response.body)["id"], picture)  # at once: the stage serves it by now
            if stage in stages:
                await self._changes.keep_stage_settings(api_id, call.region, stage, stages[stage])
        return response

    async def _delete_deployment(self, call: ApiCall) -> dict[str, Any]:
        await self._changes.delete_deployment(call.params["restApiId"], call.region, call.params["deploymentId"])
        return {}

    async def _delete_resource(self, call: ApiCall) -> dict[str, Any]:
        """Delete a resource and all below it."""
        api_id = call.params["restApiId"]
        setup = await self._reads.setup(api_id, call.region)
        doomed = [call.params["resourceId"]]
        for resource_id in doomed:
            doomed += [one["id"] for one in setup["resources"] if one["parentId"] == resource_id]
        await self._changes.delete_resources(api_id, call.region, doomed)
        return {}

    async def _complete_authorizer(self, call: ApiCall, authorizer: dict[str, Any]) -> dict[str, Any] | None:
        expression = call.params.get("identityValidationExpression")
        if expression is None:
            return None
        await self._changes.set_validation_expression(
            call.params["restApiId"], call.region, authorizer["id"], expression
        )
        return {**authorizer, "identityValidationExpression": expression}

    async def _remove_method_settings(self, call: ApiCall, stage: dict[str, Any]) -> dict[str, Any] | None:
        """Take the settings of methods off a stage, which moto only says it does: ``remove`` of ``/~1visits/POST``."""
        paths = [one["path"] for one in call.params.get("patchOperations") or [] if one["op"] == "remove"]
        removed = {path[1:] for path in paths if SETTINGS_OF_METHOD.fullmatch(path)}
        if not removed:
            return None
        api_id, name = call.params["restApiId"], call.params["stageName"]
        kept = (await self._reads.setup(api_id, call.region))["stages"][name]
        left = {key: settings for key, settings in kept["methodSettings"].items() if key not in removed}
        await self._changes.keep_stage_settings(api_id, call.region, name, {**kept, "methodSettings": left})
        return {**stage, "methodSettings": left}

    async def _get_gateway_responses(self, call: ApiCall) -> dict[str, Any]:
        """All types: the API's own responses, and API Gateway's defaults for the others."""
        setup = await self._reads.setup(call.params["restApiId"], call.region)
        return {"items": [gateway_response(name, setup["gatewayResponses"]) for name in TYPES]}

    async def _get_gateway_response(self, call: ApiCall) -> dict[str, Any]:
        setup = await self._reads.setup(call.params["restApiId"], call.region)
        return gateway_response(call.params["responseType"], setup["gatewayResponses"])

    async def _get_usage(self, call: ApiCall) -> dict[str, Any]:
        """What the keys of a plan used on each day, and what remained."""
        asked = call.params
        plan = (await self._reads.metering(call.region))["usagePlans"][asked["usagePlanId"]]
        start, end = (date.fromisoformat(asked[name]) for name in ("startDate", "endDate"))
        last = min(end, datetime.fromtimestamp(self._now(), UTC).date())
        keys, position = page([key for key in plan["keys"] if asked.get("keyId") in (None, key["id"])], asked)
        used = {key["id"]: self._usage(plan, key["id"], start, last) for key in keys}
        named = {name: asked[name] for name in ("usagePlanId", "startDate", "endDate")}
        return {**named, "items": used, **position}


async def _nothing(_: ApiCall) -> dict[str, Any]:
    return {}
