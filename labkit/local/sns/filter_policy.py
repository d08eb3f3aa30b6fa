"""Filter policies: what a subscription may ask for, and which messages it gets.

https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from labkit.local.event_pattern import InvalidPattern, Pattern, compile_pattern
from labkit.local.sns.errors import invalid

MOST_KEYS = 5
MOST_COMBINATIONS = 150
ATTRIBUTES, BODY = "MessageAttributes", "MessageBody"


def check_filter_policy(text: str, scope: str, reason: str) -> None:
    """Refuse a filter policy that SNS refuses; *reason* is how the message begins.

    Raises:
        AwsError: ``InvalidParameter``.
    """
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid(f"{reason}FilterPolicy: failed to parse JSON. {error}") from None
    try:
        _compiled(text)
        _check_operators(policy)
    except InvalidPattern as error:
        raise invalid(f"{reason}FilterPolicy: {error}") from None
    if scope == ATTRIBUTES and _is_nested(policy):
        raise invalid(f"{reason}Filter policy scope MessageAttributes does not support nested filter policy")
    if len(policy) > MOST_KEYS:
        raise invalid(f"{reason}FilterPolicy: Filter policy can not have more than {MOST_KEYS} keys")
    if _combinations(policy, 1) > MOST_COMBINATIONS:
        raise invalid(f"{reason}FilterPolicy: Filter policy is too complex")


def filtered_out(policy: str, scope: str, message: str, attributes: dict[str, Any]) -> str:
    """Return ``""`` for a message that the policy lets pass, else what CloudWatch calls the reason why not."""
    if scope == BODY:
        try:
            body = json.loads(message)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            return "InvalidMessageBody"
        return "" if _compiled(policy).matches(body) else BODY
    try:
        values = {name: value for name, one in attributes.items() for value in _values(one)}
    except (ValueError, RecursionError):
        return "InvalidAttributes"
    if _compiled(policy).matches(values):
        return ""
    return ATTRIBUTES if attributes else "NoMessageAttributes"


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Pattern:
    return compile_pattern(text)


def _values(attribute: dict[str, Any]) -> list[Any]:
    """Return what a filter policy sees of an attribute, in a list: it does not see the other types."""
    kind, text = attribute["DataType"], attribute.get("StringValue") or ""
    if kind == "String":
        return [text]
    if kind == "Number":
        return [float(text)]
    if kind == "String.Array":
        array = json.loads(text)
        if not isinstance(array, list):
            raise ValueError("a String.Array holds a JSON array")
        return [array]
    return []


def _check_operators(policy: dict[str, Any]) -> None:
    """Refuse what EventBridge knows and SNS does not: more than a prefix or a wildcard inside anything-but."""
    for value in policy.values():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                inner = one.get("anything-but")
                name = next(iter(inner)) if isinstance(inner, dict) else "prefix"
                if name not in ("prefix", "wildcard"):
                    raise InvalidPattern(f"Unsupported anything-but pattern: {name}")
                _check_operators(one)


def _is_nested(policy: dict[str, Any]) -> bool:
    branches = [branch for key, value in policy.items() if key == "$or" for branch in value]
    return any(isinstance(value, dict) for value in policy.values()) or any(map(_is_nested, branches))


def _combinations(policy: dict[str, Any], depth: int) -> int:
    """Multiply the numbers of values, each with its depth; the branches of ``$or`` add up."""
    product = 1
    for key, value in policy.items():
        if key == "$or":
            product *= sum(_combinations(branch, depth) for branch in value)
        elif isinstance(value, dict):
            product *= _combinations(value, depth + 1)
        else:
            product *= len(value) * depth
    return product
