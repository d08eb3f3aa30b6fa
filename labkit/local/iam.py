"""Who calls, and what a role may do. The store of roles and policies is moto's; the judgement is ours.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError, Caller
from labkit.local.clock import Clock
from labkit.local.iam_actions import action_of, resources_of
from labkit.local.policy import Decision, allows_principal, evaluate
from labkit.local.signature_errors import TokenExpired

LIFETIME = 3600
MOST_DECISIONS = 4096
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
SHORT_CODE = frozenset({"sqs", "s3", "sts", "iam", "cloudwatch"})


@dataclass(frozen=True, slots=True)
class RoleCredentials:
    """Short-lived keys of a role; *expiration* is epoch seconds."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expiration: float


class Iam:
    """Credentials of roles, and authorisation of those who use them."""

    def __init__(
        self,
        *,
        role: Callable[[str], Awaitable[dict[str, Any] | None]],
        policy_documents: Callable[[str], Awaitable[list[dict[str, Any]]]],
        administrator: tuple[str, str],
        clock: Clock,
    ) -> None:
        self._role, self._policy_documents, self._clock = role, policy_documents, clock
        self._administrator_secret = administrator[1]
        self._administrator = Caller(
            "administrator",
            f"arn:aws:iam::{ACCOUNT_ID}:user/lab-administrator",
            access_key_id=administrator[0],
            principal_id="AIDALABADMINISTRATOR",
        )
        self._sessions: dict[str, tuple[RoleCredentials, Caller]] = {}
        self._policies: dict[str, list[dict[str, Any]]] = {}
        self._decisions: dict[tuple[str, str, str], Decision] = {}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of STS."""
        return {"GetCallerIdentity": self.get_caller_identity, "AssumeRole": self.assume_role}

    def get_caller_identity(self, call: ApiCall) -> dict[str, Any]:
        """Tell who calls."""
        return {"UserId": call.caller.principal_id, "Account": ACCOUNT_ID, "Arn": call.caller.arn}

    async def assume_role(self, call: ApiCall) -> dict[str, Any]:
        """Hand out credentials of a role to a caller its trust policy names."""
        arn, session = str(call.params.get("RoleArn") or ""), str(call.params.get("RoleSessionName") or "")
        role = await self._role(arn.rpartition("/")[2])
        trusted = role and allows_principal(
            role["AssumeRolePolicyDocument"], principal={"AWS": call.caller.arn}, action="sts:AssumeRole", resource=arn
        )
        if trusted != "allow":
            raise AwsError(
                "AccessDenied",
                f"User: {call.caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}",
                403,
            )
        keys = await self.issue(arn, session)
        return {
            "Credentials": {
                "AccessKeyId": keys.access_key_id,
                "SecretAccessKey": keys.secret_access_key,
                "SessionToken": keys.session_token,
                "Expiration": datetime.fromtimestamp(keys.expiration, UTC),
            },
            "AssumedRoleUser": {
                "AssumedRoleId": self._sessions[keys.access_key_id][1].principal_id + f":{session}",
                "Arn": self._sessions[keys.access_key_id][1].arn,
            },
        }

    # --- Credentials --------------------------------------------------------------------------------------------------

    async def issue(self, role_arn: str, session_name: str) -> RoleCredentials:
        """Make credentials of a role, valid for an hour."""
        name, now = role_arn.rpartition("/")[2], self._clock.now()
        role = await self._role(name) or {}
        self._forget_expired(now)
        keys = RoleCredentials(
            "ASIA" + "".join(secrets.choice(ALPHABET) for _ in range(16)),
            secrets.token_urlsafe(30),
            secrets.token_urlsafe(60),
            now + LIFETIME,
        )
        caller = Caller(
            "assumed-role",
            f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/{name}/{session_name}",
            access_key_id=keys.access_key_id,
            principal_id=str(role.get("RoleId", "AROAUNKNOWN")),
            role_arn=role_arn,
            session_name=session_name,
        )
        self._sessions[keys.access_key_id] = (keys, caller)
        return keys

    def _forget_expired(self, now: float) -> None:
        for key in [key for key, (keys, _) in self._sessions.items() if keys.expiration < now - LIFETIME]:
            del self._sessions[key]

    def secret_of(self, access_key_id: str, session_token: str) -> str | None:
        """Return the secret of a key, or ``None`` when it or its token is unknown.

        Raises:
            TokenExpired: The session of the key is over.
        """
        if access_key_id == self._administrator.access_key_id:
            return self._administrator_secret
        keys, _ = self._sessions.get(access_key_id, (None, None))
        if keys is None or not secrets.compare_digest(keys.session_token.encode(), session_token.encode()):
            return None
        if keys.expiration < self._clock.now():
            raise TokenExpired
        return keys.secret_access_key

    def caller_of(self, access_key_id: str) -> Caller:
        """Return who owns a key that was verified."""
        if access_key_id == self._administrator.access_key_id:
            return self._administrator
        return self._sessions[access_key_id][1]

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the credentials that were handed out, as plain data; policies are read anew."""
        return [{"keys": asdict(keys), "caller": asdict(caller)} for keys, caller in self._sessions.values()]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Take over what :meth:`snapshot` returned."""
        for one in state:
            keys = RoleCredentials(**one["keys"])
            self._sessions[keys.access_key_id] = (keys, Caller(**one["caller"]))
        self._policies.clear()
        self._decisions.clear()

    # --- Judgement ----------------------------------------------------------------------------------------------------

    async def authorise(self, call: ApiCall) -> None:
        """Let the administrator pass, and a role where its policies allow the call.

        Raises:
            AwsError: ``AccessDenied`` or ``AccessDeniedException`` with AWS's sentence.
        """
        if call.caller.kind == "administrator" or call.service == "sts":
            return
        action = action_of(call)
        for resource in resources_of(call):
            decision = await self._decide(call.caller.role_arn, action, resource)
            if decision != "allow":
                raise _denied(call, action, resource, decision)

    async def role_can(self, role_arn: str, action: str, resource: str) -> bool:
        """Whether the policies of a role allow an action."""
        return await self._decide(role_arn, action, resource) == "allow"

    async def caller_can(self, caller: Caller, action: str, resource: str) -> bool:
        """Whether a caller may do what is no API call, such as calling a method of a REST API."""
        return caller.kind == "administrator" or await self.role_can(caller.role_arn, action, resource)

    async def _decide(self, role_arn: str, action: str, resource: str) -> Decision:
        """Decide by the policies of a role, and remember it: a function asks the same again and again."""
        question = (role_arn, action, resource)
        if question not in self._decisions:
            decision = evaluate(await self._documents(role_arn), action, resource)
            if len(self._decisions) >= MOST_DECISIONS:
                self._decisions.clear()
            self._decisions[question] = decision
        return self._decisions[question]

    async def trusts(self, role_arn: str, service: str) -> bool:
        """Whether a role exists and its trust policy lets *service* (``"lambda.amazonaws.com"``) wear it."""
        role = await self._role(role_arn.rpartition("/")[2])
        if role is None or role["Arn"] != role_arn:
            return False
        document = role["AssumeRolePolicyDocument"]
        decision = allows_principal(
            document, principal={"Service": service}, action="sts:AssumeRole", resource=role_arn
        )
        return decision == "allow"

    async def _documents(self, role_arn: str) -> list[dict[str, Any]]:
        name = role_arn.rpartition("/")[2]
        if name not in self._policies:
            self._policies[name] = await self._policy_documents(name)
        return self._policies[name]

    def policies_changed(self) -> None:
        """Read policies anew: something in IAM was written."""
        self._policies.clear()
        self._decisions.clear()


def _denied(call: ApiCall, action: str, resource: str, decision: str) -> AwsError:
    printed = action.lower() if call.service == "sqs" else action
    why = (
        "with an explicit deny in an identity-based policy"
        if decision == "explicit-deny"
        else f"because no identity-based policy allows the {printed} action"
    )
    code = "AccessDenied" if call.service in SHORT_CODE else "AccessDeniedException"
    code = "AuthorizationError" if call.service == "sns" else code
    message = f"User: {call.caller.arn} is not authorized to perform: {printed} on resource: {resource} {why}"
    return AwsError(code, message, 400 if call.service == "dynamodb" else 403)
