"""IAM's policy simulator: what policies would allow, without doing it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, HttpResponse
from labkit.local.policy import evaluate

DECISIONS = {"allow": "allowed", "explicit-deny": "explicitDeny", "implicit-deny": "implicitDeny"}
Forward = Callable[[ApiCall], Awaitable[HttpResponse]]


class PolicySimulator:
    """Judge by policies as the local cloud itself does for a role's calls.

    Args:
        policy_documents: ``await policy_documents(role_name)``, every identity policy of a role.
        role: ``await role(role_name)``, or ``None``.
        serialise: Makes the HTTP answer of a result.
    """

    def __init__(
        self,
        *,
        policy_documents: Callable[[str], Awaitable[list[dict[str, Any]]]],
        role: Callable[[str], Awaitable[dict[str, Any] | None]],
        serialise: Callable[[ApiCall, dict[str, Any]], HttpResponse],
    ) -> None:
        self._policy_documents = policy_documents
        self._role = role
        self._serialise = serialise

    async def simulate_custom_policy(self, call: ApiCall, _: Forward) -> HttpResponse:
        """Judge by the policies of the call alone."""
        documents = [_document(text) for text in call.params["PolicyInputList"]]
        return self._serialise(call, _results(documents, call.params))

    async def simulate_principal_policy(self, call: ApiCall, _: Forward) -> HttpResponse:
        """Judge by the policies of a role, and those of the call beside them."""
        arn = str(call.params["PolicySourceArn"])
        if ":role/" not in arn or await self._role(arn.rpartition("/")[2]) is None:
            raise AwsError("NoSuchEntity", f"The entity {arn} cannot be found; here a role is simulated only.", 404)
        documents = await self._policy_documents(arn.rpartition("/")[2])
        documents = [*documents, *map(_document, call.params.get("PolicyInputList") or [])]
        return self._serialise(call, _results(documents, call.params))


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise AwsError("InvalidInput", f"The policy is not JSON: {error}") from None
    if not isinstance(document, dict) or "Statement" not in document:
        raise AwsError("InvalidInput", "The policy has no Statement.")
    return document


def _results(documents: list[dict[str, Any]], params: dict[str, Any]) -> dict[str, Any]:
    context = {
        entry["ContextKeyName"]: entry["ContextKeyValues"][0]
        for entry in params.get("ContextEntries") or []
        if entry.get("ContextKeyValues")
    }
    pairs = [(action, arn) for action in params["ActionNames"] for arn in params.get("ResourceArns") or ["*"]]
    return {
        "EvaluationResults": [
            {
                "EvalActionName": action,
                "EvalResourceName": arn,
                "EvalDecision": DECISIONS[evaluate(documents, action, arn, context)],
                "MatchedStatements": [],
                "MissingContextValues": [],
            }
            for action, arn in pairs
        ],
        "IsTruncated": False,
    }
