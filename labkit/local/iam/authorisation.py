"""Who may do what. The store of users, roles and policies is moto's; the judgement is ours.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, Caller
from labkit.local.iam.request_context import context_of, principal_context
from labkit.local.iam_actions import needs_of
from labkit.local.policy import Decision, allows_principal, depends_on_context, evaluate
from labkit.local.policy_conditions import Context

MOST_DECISIONS = 4096
SHORT_CODE = frozenset({"sqs", "s3", "sts", "iam", "cloudwatch"})
POLICY_WRITES = {
    "s3": {"PutBucketPolicy", "DeleteBucketPolicy", "CreateBucket", "DeleteBucket"},
    "sqs": {"AddPermission", "RemovePermission", "SetQueueAttributes", "CreateQueue", "DeleteQueue"},
    "sns": {"AddPermission", "RemovePermission", "SetTopicAttributes", "CreateTopic", "DeleteTopic"},
}
WHERE = ("an identity-based policy", "a resource-based policy", "a permissions boundary", "a session policy")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Permissions:
    """The policies of a principal: its own and its groups', its permissions boundary, its tags."""

    identity: list[Document] = field(default_factory=list)
    boundary: Document | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    session: list[Document] | None = None

    def depend_on_context(self) -> bool:
        """Whether they decide by more than action and resource."""
        more = [self.boundary] if self.boundary else []
        return self.session is not None or depends_on_context([*self.identity, *more])


class Iam:
    """Authorisation of those who call.

    Args:
        role: ``await role(role_name)``, or ``None``.
        permissions: ``await permissions(arn)`` of a user or a role.
        session: Returns the session policies and tags of a caller, if it calls in a session.
        resource_policies: By service, what returns the resource policy of an ARN, if it has one.
        now: The time in epoch seconds.
    """

    def __init__(
        self,
        *,
        role: Callable[[str], Awaitable[dict[str, Any] | None]],
        permissions: Callable[[str], Awaitable[dict[str, Any]]],
        session: Callable[[Caller], tuple[list[Document] | None, dict[str, str]]],
        resource_policies: Mapping[str, Callable[[str], Awaitable[Document | None]]],
        now: Callable[[], float],
    ) -> None:
        self._role, self._read_permissions, self._session = role, permissions, session
        self._resource_policies, self._now = resource_policies, now
        self._forget()

    async def authorise(self, call: ApiCall) -> None:
        """Let a caller pass where the policies that concern the call allow it.

        Raises:
            AwsError: ``AccessDenied`` or ``AccessDeniedException`` with AWS's sentence.
        """
        if call.service == "sts":
            return  # a trust policy decides there
        if call.caller.kind == "administrator" and call.service not in self._resource_policies:
            return
        for action, resource in needs_of(call):
            await self.demand(call, action, resource)

    async def demand(self, call: ApiCall, action: str, resource: str) -> None:
        """Refuse *call* where its caller may not do *action*.

        Raises:
            AwsError: ``AccessDenied`` or ``AccessDeniedException``.
        """
        if why := await self.why_not(call, action, resource):
            raise _denied(call, action, resource, why)

    async def why_not(self, call: ApiCall, action: str, resource: str) -> str:
        """Return why the caller may not, as AWS says it, or ``""``."""
        caller, verdicts = call.caller, self._verdicts  # these, even if they are out of date before all is read
        policy = await self._policy_on(call.service, resource)
        if caller.kind == "administrator":
            decision = _by_resource(policy, caller, action, resource, self._context(call, {})) if policy else "allow"
            return f"with an explicit deny in {WHERE[1]}" if decision == "explicit-deny" else ""
        permissions, varies = await self._permissions_of(caller)
        varies = varies or (policy is not None and depends_on_context([policy]))
        question = (caller.arn, action, resource)
        if not varies and question in verdicts:
            return verdicts[question]
        context = self._context(call, permissions.tags) if varies else {}
        verdict = _verdict(permissions, policy, caller, (action, resource), context)
        if not varies:
            _remember(verdicts, question, verdict)
        return verdict

    async def _policy_on(self, service: str, resource: str) -> Document | None:
        """Return the policy of the bucket or queue that *resource* is, or is in."""
        read, arn = self._resource_policies.get(service), resource.partition("/")[0]
        if read is None:
            return None
        policies = self._policies_on
        if arn not in policies:
            policies[arn] = await read(arn)
        return policies[arn]

    def _context(self, call: ApiCall, tags: Mapping[str, str]) -> Context:
        return context_of(call, tags, self._now())

    async def _permissions_of(self, caller: Caller) -> tuple[Permissions, bool]:
        found, varies = await self._of_principal(caller.role_arn or caller.arn)
        policies, tags = self._session(caller)
        if policies is None and not tags:
            return found, varies
        return Permissions(found.identity, found.boundary, {**found.tags, **tags}, policies), True

    async def _of_principal(self, arn: str) -> tuple[Permissions, bool]:
        known = self._permissions
        if arn not in known:
            permissions = Permissions(**await self._read_permissions(arn))
            known[arn] = permissions, permissions.depend_on_context()
        return known[arn]

    async def role_can(self, role_arn: str, action: str, resource: str) -> bool:
        """Whether the policies of a role allow an action; remembered, as a function asks the same again and again."""
        question, decisions = (role_arn, action, resource), self._decisions
        if question in decisions:
            return decisions[question] == "allow"
        permissions, varies = await self._of_principal(role_arn)
        context = principal_context(role_arn, permissions.tags, self._now())
        decision = evaluate(permissions.identity, action, resource, context)
        if decision == "allow" and permissions.boundary:
            decision = evaluate([permissions.boundary], action, resource, context)
        if not varies:
            _remember(decisions, question, decision)
        return decision == "allow"

    async def caller_can(
        self, caller: Caller, action: str, resource: str, policy: Document | None = None, context: Context | None = None
    ) -> bool:
        """Whether a caller may do what is no API call, such as calling a method of a REST API.

        Args:
            caller: Who.
            action: Such as ``"execute-api:Invoke"``.
            resource: The ARN acted on.
            policy: The policy on it, if there is one.
            context: Condition keys of the request.
        """
        if caller.kind == "administrator":
            return policy is None or _by_resource(policy, caller, action, resource, context or {}) != "explicit-deny"
        permissions, _ = await self._permissions_of(caller)
        known = principal_context(caller.role_arn or caller.arn, permissions.tags, self._now())
        return not _verdict(permissions, policy, caller, (action, resource), {**known, **(context or {})})

    async def trusts(self, role_arn: str, service: str) -> bool:
        """Whether a role exists and its trust policy lets *service* (``"lambda.amazonaws.com"``) wear it."""
        role = await self._role(role_arn.rpartition("/")[2])
        if role is None or role["Arn"] != role_arn:
            return False
        document, principal = role["AssumeRolePolicyDocument"], {"Service": service}
        decision = allows_principal(document, principal=principal, action="sts:AssumeRole", resource=role_arn)
        return decision == "allow"

    def observe(self, call: ApiCall, result: dict[str, Any] | None, error: AwsError | None) -> None:
        """Read policies anew after a call that writes what decides."""
        if call.service == "iam" or call.operation in POLICY_WRITES.get(call.service, ()):
            self._forget()

    def _forget(self) -> None:
        """Remember in new dicts: what is judged meanwhile, by what was read before, goes into the old ones."""
        self._policies_on: dict[str, Document | None] = {}
        self._permissions: dict[str, tuple[Permissions, bool]] = {}
        self._verdicts: dict[tuple[str, str, str], str] = {}
        self._decisions: dict[tuple[str, str, str], Decision] = {}


def _remember(remembered: dict[Any, Any], question: Any, answer: Any) -> None:
    if len(remembered) >= MOST_DECISIONS:
        remembered.clear()
    remembered[question] = answer


def _verdict(
    permissions: Permissions, policy: Document | None, caller: Caller, asked: tuple[str, str], context: Context
) -> str:
    action, resource = asked
    boundary = evaluate([permissions.boundary], action, resource, context) if permissions.boundary else "allow"
    session = "allow" if permissions.session is None else evaluate(permissions.session, action, resource, context)
    identity = evaluate(permissions.identity, action, resource, context)
    by_resource = _by_resource(policy, caller, action, resource, context)
    decisions = dict(zip(WHERE, (identity, by_resource, boundary, session), strict=True))
    for where, decision in decisions.items():
        if decision == "explicit-deny":
            return f"with an explicit deny in {where}"
    if by_resource == "allow":
        del decisions[WHERE[0]]  # within one account either of the two is enough
    else:
        del decisions[WHERE[1]]
    denying = next((where for where, decision in decisions.items() if decision != "allow"), "")
    return f"because no {denying.split(' ', 1)[1]} allows the {{action}} action" if denying else ""


def _by_resource(policy: Document | None, caller: Caller, action: str, resource: str, context: Context) -> Decision:
    arns = (caller.arn, caller.role_arn) if caller.role_arn else (caller.arn,)
    return allows_principal(
        policy, principal={"AWS": arns}, action=action, resource=resource, context=context, delegates=False
    )


def _denied(call: ApiCall, action: str, resource: str, why: str) -> AwsError:
    """Return the refusal of a call."""
    printed = action.lower() if call.service == "sqs" else action.replace("sns:", "SNS:", 1)
    shown = f'"{resource}"' if call.service == "s3" else resource
    code = "AccessDenied" if call.service in SHORT_CODE else "AccessDeniedException"
    code = "AuthorizationError" if call.service == "sns" else code
    why = why.replace("{action}", printed)
    message = f"User: {call.caller.arn} is not authorized to perform: {printed} on resource: {shown} {why}"
    return AwsError(code, message, 400 if call.service == "dynamodb" else 403)
