"""Policies that AWS keeps for everybody, such as ``service-role/AWSLambdaBasicExecutionRole``.

moto has the text of all 1,500. They are put into its store when they are named: a store with all of them would be
slower to start, to save and to restore.
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError, Forward, HttpResponse, Interceptor
from labkit.local.moto_app.app import MotoApp, backend

PREFIX = "arn:aws:iam::aws:policy/"
NAMING = (
    "AttachGroupPolicy", "AttachRolePolicy", "AttachUserPolicy", "CreateRole", "GetPolicy", "GetPolicyVersion",
    "ListEntitiesForPolicy", "ListPolicyVersions", "PutRolePermissionsBoundary",
)  # fmt: skip
CHANGING = ("DeletePolicy", "DeletePolicyVersion", "SetDefaultPolicyVersion")


class AwsManagedPolicies:
    """Stands before the operations of IAM that may name such a policy."""

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto
        self._listing = asyncio.Lock()  # what a listing drops again must not be what another call has just put there

    @property
    def interceptors(self) -> dict[tuple[str, str], Interceptor]:
        """What stands before which operation."""
        return {
            **{("iam", name): self.named for name in NAMING},
            **{("iam", name): self.but_for_these() for name in CHANGING},
            ("iam", "ListPolicies"): self.listed,
        }

    async def named(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Put the policy that the call names into moto's store."""
        arns = (call.params.get("PolicyArn"), call.params.get("PermissionsBoundary"))
        named = [arn for arn in arns if isinstance(arn, str) and arn.startswith(PREFIX)]
        if not named:
            return await forward(call)
        async with self._listing:
            for arn in named:
                await self._moto.run(_put, arn)
            return await forward(call)

    async def listed(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """List all of them, though they are not all kept."""
        if call.params.get("Scope") == "Local":
            return await forward(call)
        async with self._listing:
            await self._moto.run(_put_all)
            try:
                return await forward(call)
            finally:
                await self._moto.run(_drop_unused)

    def but_for_these(self, then: Interceptor | None = None) -> Interceptor:
        """Return an interceptor that refuses to change what is AWS's, and else goes on."""

        async def change(call: ApiCall, forward: Forward) -> HttpResponse:
            arn = str(call.params.get("PolicyArn") or "")
            if arn.startswith(PREFIX):
                text = f"User: {call.caller.arn} is not authorized to perform: iam:{call.operation} on resource: policy"
                raise AwsError("AccessDenied", f"{text} {arn}", 403)
            return await (then(call, forward) if then else forward(call))

        return change


def _data() -> dict[str, dict[str, Any]]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data  # noqa: PLC0415  5 MB

    data: dict[str, dict[str, Any]] = json.loads(aws_managed_policies_data)
    return data


def _put(arn: str) -> None:
    store = backend("iam", "us-east-1")
    name = arn.rpartition("/")[2]
    if arn in store.managed_policies or (data := _data().get(name)) is None:
        return
    policy = _policy(name, data)
    if policy.arn == arn:
        _keep(store, policy)


def _put_all() -> None:
    store = backend("iam", "us-east-1")
    for name, data in _data().items():
        policy = _policy(name, data)
        if policy.arn not in store.managed_policies:
            _keep(store, policy)


def _drop_unused() -> None:
    store = backend("iam", "us-east-1")
    boundaries = {role.permissions_boundary_arn for role in store.roles.values()}
    for policy in store.aws_managed_policies:
        if not policy.attachment_count and policy.arn not in boundaries:
            store.managed_policies.pop(policy.arn, None)
    store.aws_managed_policies[:] = [one for one in store.aws_managed_policies if one.arn in store.managed_policies]


def _policy(name: str, data: dict[str, Any]) -> Any:
    from moto.iam.models import AWSManagedPolicy  # noqa: PLC0415  imported with the backend only

    return AWSManagedPolicy.from_data(name, ACCOUNT_ID, "aws", data)


def _keep(store: Any, policy: Any) -> None:
    store.managed_policies[policy.arn] = policy
    store.aws_managed_policies.append(policy)
