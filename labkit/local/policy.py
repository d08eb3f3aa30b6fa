"""What a policy allows: pure functions over policy documents.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from labkit.local.api_call import ACCOUNT_ID
from labkit.local.policy_conditions import Context, conditions_hold, listed, lowered, matches, with_variables

Decision = Literal["allow", "explicit-deny", "implicit-deny"]
Document = Mapping[str, Any]


def evaluate(documents: Iterable[Document], action: str, resource: str, context: Context | None = None) -> Decision:
    """Decide by identity policies; an explicit deny wins, and what nobody allows is denied.

    Args:
        documents: The policies of the caller.
        action: Such as ``"sqs:SendMessage"``.
        resource: The ARN acted on, or ``"*"``.
        context: Condition keys and their values, such as ``{"aws:SourceArn": …}``; a key may have several values.
    """
    known = lowered(context)
    return _decide((pair for d in documents for pair in _statements(d)), action, resource, known)


def allows_principal(
    policy: Document | None,
    *,
    principal: Mapping[str, str | tuple[str, ...]],
    action: str,
    resource: str,
    context: Context | None = None,
    delegates: bool = True,
) -> Decision:
    """Decide by a resource policy for ``{"Service": "sns.amazonaws.com"}``, ``{"AWS": arn}`` or ``{}`` (anybody).

    Args:
        policy: The resource policy, if there is one.
        principal: Who asks; a session has two ARNs, its own and its role's.
        action: Such as ``"sqs:SendMessage"``.
        resource: The ARN acted on.
        context: Condition keys and their values.
        delegates: Whether an Allow for the whole account counts. It hands the decision to the account, whose own
            policies must allow the action, too; so it counts only where somebody else asks these.
    """
    if policy is None:
        return "implicit-deny"
    concerned = (
        (statement, version)
        for statement, version in _statements(policy)
        if _names_principal(statement, principal, delegates or statement.get("Effect") == "Deny")
    )
    return _decide(concerned, action, resource, lowered(context))


def allows_service(policy: Document | None, service: str, action: str, resource: str, source_arn: str) -> bool:
    """Whether a resource policy lets a service of AWS (``"sns.amazonaws.com"``) act for *source_arn*, which is ours."""
    context = {"aws:SourceArn": source_arn, "aws:SourceAccount": ACCOUNT_ID}
    decision = allows_principal(
        policy, principal={"Service": service}, action=action, resource=resource, context=context
    )
    return decision == "allow"


def is_public(policy: Document | None) -> bool:
    """Whether a resource policy lets everybody in: an Allow for ``*`` that no condition narrows."""
    return policy is not None and any(
        s.get("Effect") == "Allow" and _is_everybody(s.get("Principal")) and not s.get("Condition")
        for s, _ in _statements(policy)
    )


def depends_on_context(documents: Iterable[Document]) -> bool:
    """Whether any of *documents* decides by more than action and resource."""
    return any("Condition" in text or "${" in text for text in map(json.dumps, documents))


def _decide(statements: Iterable[tuple[Document, bool]], action: str, resource: str, context: Context) -> Decision:
    decision: Decision = "implicit-deny"
    for statement, has_variables in statements:
        known = context if has_variables else None
        if _concerns(statement, action, resource, known) and conditions_hold(statement.get("Condition"), context):
            if statement.get("Effect") == "Deny":
                return "explicit-deny"
            if statement.get("Effect") == "Allow":
                decision = "allow"
    return decision


def _statements(document: Document) -> list[tuple[Document, bool]]:
    """Return the statements, and for each whether variables mean something in it: in version 2012-10-17 they do."""
    has_variables = document.get("Version") == "2012-10-17"
    return [(s, has_variables) for s in listed(document.get("Statement")) if isinstance(s, Mapping)]


def _concerns(statement: Document, action: str, resource: str, context: Context | None) -> bool:
    if "NotAction" in statement:
        if _any_match(statement["NotAction"], action, context, ignore_case=True):
            return False
    elif not _any_match(statement.get("Action"), action, context, ignore_case=True):
        return False
    if "NotResource" in statement:
        return not _any_match(statement["NotResource"], resource, context)
    return "Resource" not in statement or _any_match(statement["Resource"], resource, context)


def _any_match(patterns: Any, value: str, context: Context | None, *, ignore_case: bool = False) -> bool:
    texts = (str(p) if context is None else with_variables(str(p), context) for p in listed(patterns))
    return any(matches(text, value, ignore_case=ignore_case) for text in texts if text is not None)


def _is_everybody(principal: Any) -> bool:
    if principal == "*":
        return True
    return isinstance(principal, Mapping) and "*" in listed(principal.get("AWS"))


def _names_principal(statement: Document, principal: Mapping[str, str | tuple[str, ...]], delegates: bool) -> bool:
    if "NotPrincipal" in statement:
        return not _is_among(statement["NotPrincipal"], principal, True)
    return _is_everybody(statement.get("Principal")) or _is_among(statement.get("Principal"), principal, delegates)


def _is_among(named: Any, principal: Mapping[str, str | tuple[str, ...]], delegates: bool) -> bool:
    if not isinstance(named, Mapping):
        return False
    for kind, values in principal.items():
        wanted = listed(named.get(kind))
        for value in (values,) if isinstance(values, str) else values:
            if value in wanted:
                return True
            if kind == "AWS" and delegates and {_account(value), _account(value)[13:25]} & set(map(str, wanted)):
                return True
    return False


def _account(arn: str) -> str:
    parts = arn.split(":")
    return f"arn:aws:iam::{parts[4]}:root" if len(parts) > 4 else arn
