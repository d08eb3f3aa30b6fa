"""What a policy allows: pure functions over policy documents.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

Decision = Literal["allow", "explicit-deny", "implicit-deny"]
Document = Mapping[str, Any]


def evaluate(
    documents: Iterable[Document], action: str, resource: str, context: Mapping[str, str] | None = None
) -> Decision:
    """Decide by identity policies; an explicit deny wins, and what nobody allows is denied.

    Args:
        documents: The policies of the caller.
        action: Such as ``"sqs:SendMessage"``.
        resource: The ARN acted on, or ``"*"``.
        context: Condition keys and their values, such as ``{"aws:SourceArn": …}``.
    """
    return _decide((s for d in documents for s in _statements(d)), action, resource, context or {})


def allows_principal(
    policy: Document | None,
    *,
    principal: Mapping[str, str],
    action: str,
    resource: str,
    context: Mapping[str, str] | None = None,
) -> Decision:
    """Decide by a resource policy for ``{"Service": "sns.amazonaws.com"}``, ``{"AWS": arn}`` or ``{}`` (anybody)."""
    if policy is None:
        return "implicit-deny"
    concerned = (s for s in _statements(policy) if _names_principal(s, principal))
    return _decide(concerned, action, resource, context or {})


def is_public(policy: Document | None) -> bool:
    """Whether a resource policy lets everybody in: an Allow for ``*`` that no condition narrows."""
    return policy is not None and any(
        s.get("Effect") == "Allow" and _is_everybody(s.get("Principal")) and not s.get("Condition")
        for s in _statements(policy)
    )


def _decide(statements: Iterable[Document], action: str, resource: str, context: Mapping[str, str]) -> Decision:
    decision: Decision = "implicit-deny"
    for statement in statements:
        if _concerns(statement, action, resource) and _conditions_hold(statement.get("Condition"), context):
            if statement.get("Effect") == "Deny":
                return "explicit-deny"
            if statement.get("Effect") == "Allow":
                decision = "allow"
    return decision


def _statements(document: Document) -> list[Document]:
    return [s for s in _listed(document.get("Statement")) if isinstance(s, Mapping)]


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _concerns(statement: Document, action: str, resource: str) -> bool:
    if "NotAction" in statement:
        if _any_match(statement["NotAction"], action, ignore_case=True):
            return False
    elif not _any_match(statement.get("Action"), action, ignore_case=True):
        return False
    if "NotResource" in statement:
        return not _any_match(statement["NotResource"], resource)
    return "Resource" not in statement or _any_match(statement["Resource"], resource)


def _any_match(patterns: Any, value: str, *, ignore_case: bool = False) -> bool:
    return any(_pattern(str(p), ignore_case).fullmatch(value) for p in _listed(patterns))


@functools.lru_cache(maxsize=2048)
def _pattern(text: str, ignore_case: bool = False) -> re.Pattern[str]:
    regex = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in re.sub(r"\*+", "*", text))
    return re.compile(regex, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def _is_everybody(principal: Any) -> bool:
    if principal == "*":
        return True
    return isinstance(principal, Mapping) and "*" in _listed(principal.get("AWS"))


def _names_principal(statement: Document, principal: Mapping[str, str]) -> bool:
    named = statement.get("Principal")
    if _is_everybody(named):
        return True
    if not isinstance(named, Mapping):
        return False
    return any(
        value in _listed(named.get(kind)) or (kind == "AWS" and _account(value) in _listed(named.get(kind)))
        for kind, value in principal.items()
    )


def _account(arn: str) -> str:
    parts = arn.split(":")
    return f"arn:aws:iam::{parts[4]}:root" if len(parts) > 4 else arn


def _conditions_hold(conditions: Any, context: Mapping[str, str]) -> bool:
    if not conditions:
        return True
    lower = {name.lower(): value for name, value in context.items()}
    return all(
        _condition_holds(operator, lower.get(key.lower()), [str(v) for v in _listed(expected)])
        for operator, keys in conditions.items()
        for key, expected in keys.items()
    )


def _condition_holds(operator: str, actual: str | None, expected: list[str]) -> bool:
    name = operator.rsplit(":", maxsplit=1)[-1]
    if name == "Null":
        return (actual is None) == (expected == ["true"])
    if name.endswith("IfExists"):
        if actual is None:
            return True
        name = name.removesuffix("IfExists")
    negated = "Not" in name
    if actual is None:
        return negated
    kind = name.replace("Not", "")
    if kind in ("StringLike", "ArnLike", "ArnEquals"):
        met = any(_pattern(pattern).fullmatch(actual) for pattern in expected)
    elif kind in ("StringEquals", "Bool"):
        met = actual in expected
    elif kind == "StringEqualsIgnoreCase":
        met = actual.lower() in [one.lower() for one in expected]
    else:
        return False  # an operator that is not understood must not open anything
    return met != negated
