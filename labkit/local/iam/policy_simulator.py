"""IAM's policy simulator: what policies would allow, without doing it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, Forward, HttpResponse, Interceptor
from labkit.local.policy import Decision, evaluate

DECISIONS = {"allow": "allowed", "explicit-deny": "explicitDeny", "implicit-deny": "implicitDeny"}


class PolicySimulator:
    """Judge by policies as the local cloud itself does for a role's calls.

    Args:
        permissions: ``await permissions(arn)`` of a user, group or role: its policies and permissions boundary.
        exists: ``await exists(arn)``.
        serialise: Makes the HTTP answer of a result.
    """

    def __init__(
        self,
        *,
        permissions: Callable[[str], Awaitable[dict[str, Any]]],
        exists: Callable[[str], Awaitable[bool]],
        serialise: Callable[[ApiCall, dict[str, Any]], HttpResponse],
    ) -> None:
        self._permissions, self._exists = permissions, exists
        self._serialise = serialise

    @property
    def interceptors(self) -> dict[tuple[str, str], Interceptor]:
        """What stands before which operation."""
        return {
            ("iam", "SimulateCustomPolicy"): self.simulate_custom_policy,
            ("iam", "SimulatePrincipalPolicy"): self.simulate_principal_policy,
        }

    async def simulate_custom_policy(self, call: ApiCall, _: Forward) -> HttpResponse:
        """Judge by the policies of the call alone."""
        documents = [_document(text) for text in call.params["PolicyInputList"]]
        return self._serialise(call, _results(documents, call.params))

    async def simulate_principal_policy(self, call: ApiCall, _: Forward) -> HttpResponse:
        """Judge by the policies of a user, group or role, and those of the call beside them."""
        arn = str(call.params["PolicySourceArn"])
        if not await self._exists(arn):
            raise AwsError("NoSuchEntity", f"The entity {arn} cannot be found.", 404)
        found = await self._permissions(arn)
        documents = found["identity"]
        documents = [*documents, *map(_document, call.params.get("PolicyInputList") or [])]
        return self._serialise(call, _results(documents, call.params, found["boundary"]))


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise AwsError("InvalidInput", f"The policy is not JSON: {error}") from None
    if not isinstance(document, dict) or "Statement" not in document:
        raise AwsError("InvalidInput", "The policy has no Statement.")
    return document


def _results(
    documents: list[dict[str, Any]], params: dict[str, Any], boundary: dict[str, Any] | None = None
) -> dict[str, Any]:
    context = {
        entry["ContextKeyName"]: entry["ContextKeyValues"]
        for entry in params.get("ContextEntries") or []
        if entry.get("ContextKeyName") and entry.get("ContextKeyValues")
    }

    def decide(action: str, arn: str) -> Decision:
        decision = evaluate(documents, action, arn, context)
        return evaluate([boundary], action, arn, context) if boundary and decision == "allow" else decision

    pairs = [(action, arn) for action in params["ActionNames"] for arn in params.get("ResourceArns") or ["*"]]
    return {
        "EvaluationResults": [
            {
                "EvalActionName": action,
                "EvalResourceName": arn,
                "EvalDecision": DECISIONS[decide(action, arn)],
                "MatchedStatements": [],
                "MissingContextValues": [],
            }
            for action, arn in pairs
        ],
        "IsTruncated": False,
    }
