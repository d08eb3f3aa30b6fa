"""STS: who calls, and short-lived credentials.

https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError, Caller
from labkit.local.iam.access_keys import AccessKeys, Session
from labkit.local.iam.request_context import context_of, user_id
from labkit.local.policy import Decision, allows_principal

SESSION_NAME = re.compile(r"[\w+=,.@-]*", re.ASCII)
SHORTEST, LONGEST_OWN, LONGEST_CHAINED = 900, 129_600, 3600


class Sts:
    """The operations of STS.

    Args:
        keys: Where sessions begin.
        role: ``await role(role_name)``, or ``None``.
        why_not: ``await why_not(call, action, resource)``: what in the caller's own policies forbids it, or ``""``.
        tags: ``await tags(arn)`` of a user or role.
        policy: ``await policy(arn)``: the document of a managed policy, or ``None``.
        now: The time in epoch seconds.
    """

    def __init__(
        self,
        *,
        keys: AccessKeys,
        role: Callable[[str], Awaitable[dict[str, Any] | None]],
        why_not: Callable[[ApiCall, str, str], Awaitable[str]],
        tags: Callable[[str], Awaitable[dict[str, str]]],
        policy: Callable[[str], Awaitable[dict[str, Any] | None]],
        now: Callable[[], float],
    ) -> None:
        self._keys, self._role, self._why_not, self._tags = keys, role, why_not, tags
        self._policy, self._now = policy, now

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations by their names."""
        return {
            "GetCallerIdentity": self.get_caller_identity,
            "AssumeRole": self.assume_role,
            "GetSessionToken": self.get_session_token,
            "GetAccessKeyInfo": self.get_access_key_info,
        }

    def get_caller_identity(self, call: ApiCall) -> dict[str, Any]:
        """Tell who calls."""
        return {"UserId": user_id(call.caller), "Account": ACCOUNT_ID, "Arn": call.caller.arn}

    def get_access_key_info(self, call: ApiCall) -> dict[str, Any]:
        """Tell the account of a key."""
        return {"Account": self._keys.account_of(str(call.params.get("AccessKeyId")))}

    def get_session_token(self, call: ApiCall) -> dict[str, Any]:
        """Hand out short-lived keys of the user who calls."""
        if self._keys.session_of(call.caller):
            raise AwsError("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
        lifetime = _duration(call, 43_200, LONGEST_OWN)
        return {"Credentials": _credentials(self._keys.begin_own_session(call.caller, lifetime))}

    async def assume_role(self, call: ApiCall) -> dict[str, Any]:
        """Hand out credentials of a role to a caller its trust policy names."""
        arn, name = str(call.params.get("RoleArn") or ""), str(call.params.get("RoleSessionName") or "")
        if not 2 <= len(name) <= 64 or not SESSION_NAME.fullmatch(name):
            pattern = f"Member must satisfy regular expression pattern: {SESSION_NAME.pattern}"
            raise _invalid(name, "roleSessionName", pattern)
        lifetime = _duration(call, 3600, 43_200)
        role = await self._role(arn.rpartition("/")[2])
        if role is None or role["Arn"] != arn or not await self._may_assume(call, role):
            text = f"User: {call.caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
            raise AwsError("AccessDenied", text, 403)
        if lifetime > role["MaxSessionDuration"]:
            text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            raise AwsError("ValidationError", text, 400)
        if call.caller.role_arn and lifetime > LONGEST_CHAINED:
            text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
            raise AwsError("ValidationError", text, 400)
        tags = {str(tag["Key"]): str(tag.get("Value", "")) for tag in call.params.get("Tags") or []}
        session = await self._keys.begin_session(
            arn, name, lifetime=lifetime, policies=await self._session_policies(call), tags=tags
        )
        identity = {"AssumedRoleId": user_id(session.caller), "Arn": session.caller.arn}
        return {"Credentials": _credentials(session), "AssumedRoleUser": identity}

    async def _may_assume(self, call: ApiCall, role: dict[str, Any]) -> bool:
        """Whether the trust policy names the caller, or the account and the caller's own policies allow it."""
        caller, arn = call.caller, role["Arn"]
        context = context_of(call, await self._tags(caller.role_arn or caller.arn), self._now())

        def decide(*, delegates: bool) -> Decision:
            return allows_principal(
                role["AssumeRolePolicyDocument"],
                principal={"AWS": _arns(caller)},
                action="sts:AssumeRole",
                resource=arn,
                context=context,
                delegates=delegates,
            )

        if decide(delegates=True) != "allow":
            return False
        own = await self._why_not(call, "sts:AssumeRole", arn)
        return not own or (decide(delegates=False) == "allow" and "explicit deny" not in own)

    async def _session_policies(self, call: ApiCall) -> list[dict[str, Any]] | None:
        arns = [str(one.get("arn")) for one in call.params.get("PolicyArns") or []]
        text = call.params.get("Policy")
        if not arns and not text:
            return None
        found = [await self._policy(arn) for arn in arns]
        if text:
            try:
                found.append(json.loads(text))
            except ValueError:
                raise AwsError("MalformedPolicyDocument", "This policy contains invalid Json", 400) from None
        return [one for one in found if isinstance(one, dict)]


def _arns(caller: Caller) -> tuple[str, ...]:
    return (caller.arn, caller.role_arn) if caller.role_arn else (caller.arn,)


def _duration(call: ApiCall, default: int, longest: int) -> int:
    given = call.params.get("DurationSeconds")
    seconds = default if given is None else int(given)
    if seconds < SHORTEST:
        raise _invalid(seconds, "durationSeconds", f"Member must have value greater than or equal to {SHORTEST}")
    if seconds > longest:
        raise _invalid(seconds, "durationSeconds", f"Member must have value less than or equal to {longest}")
    return seconds


def _credentials(session: Session) -> dict[str, Any]:
    keys = session.keys
    return {
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.secret_access_key,
        "SessionToken": keys.session_token,
        "Expiration": datetime.fromtimestamp(keys.expiration, UTC),
    }


def _invalid(value: object, name: str, constraint: str) -> AwsError:
    text = f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {constraint}"
    return AwsError("ValidationError", text, 400)
