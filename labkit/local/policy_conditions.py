"""The Condition of a statement, and the variables in its texts.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Context = Mapping[str, str | Sequence[str]]
VARIABLE = re.compile(r"\$\{([^}]*)\}")


def conditions_hold(conditions: Any, context: Context) -> bool:
    """Whether every condition holds; *context* has the keys of the request in lower case."""
    if not conditions:
        return True
    if not isinstance(conditions, Mapping):
        return False
    return all(
        isinstance(keys, Mapping)
        and all(
            _holds(operator, _values(context, key), [_text(one) for one in listed(expected)], context)
            for key, expected in keys.items()
        )
        for operator, keys in conditions.items()
    )


def lowered(context: Context | None) -> Context:
    """Return *context* with its keys in lower case, as conditions look them up."""
    return {name.lower(): value for name, value in (context or {}).items()}


def with_variables(text: str, context: Context) -> str | None:
    """Put the values of ``${aws:username}`` and the like into *text*; ``None``: one has no value here.

    ``${*}``, ``${?}`` and ``${$}`` stand for the characters themselves, which match nothing but themselves.
    """
    if "${" not in text:
        return text
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = found[1].partition(",")
        if found[1] in ("*", "?", "$"):
            return LITERAL[found[1]]
        values = _values(context, name.strip())
        if values:
            return values[0].translate(AS_LITERALS)
        missing = missing or not default
        return default.strip().strip("'").translate(AS_LITERALS)

    replaced = VARIABLE.sub(value, text)
    return None if missing else replaced


# Characters of the value of a variable that are no wildcards: kept apart in the private area of Unicode.
LITERAL = {"*": "\ue000", "?": "\ue001", "$": "$"}
AS_LITERALS = str.maketrans({"*": LITERAL["*"], "?": LITERAL["?"]})
FROM_LITERALS = str.maketrans({LITERAL["*"]: "*", LITERAL["?"]: "?"})


def matches(text: str, value: str, *, ignore_case: bool = False) -> bool:
    """Whether *value* fits *text*, in which ``*`` and ``?`` are wildcards; no text makes it slow."""
    (head, _), *rest = _between_stars(text, ignore_case)
    if not rest:
        return head.fullmatch(value) is not None
    place = head.match(value)
    for part, _ in rest[:-1]:
        place = place and part.search(value, place.end())
    tail, length = rest[-1]
    begin = len(value) - length
    return place is not None and begin >= place.end() and tail.fullmatch(value, begin) is not None


@functools.lru_cache(maxsize=4096)
def _between_stars(text: str, ignore_case: bool) -> list[tuple[re.Pattern[str], int]]:
    """Return the parts between the stars, each with its length: the first fit of a part is as good as any later."""
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    parts = re.sub(r"\*+", "*", text).split("*")
    regexes = ("".join("." if c == "?" else re.escape(c.translate(FROM_LITERALS)) for c in part) for part in parts)
    return [(re.compile(regex, flags), len(part)) for regex, part in zip(regexes, parts, strict=True)]


def listed(value: Any) -> list[Any]:
    """Return a list: a single value stands for a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _values(context: Context, key: str) -> list[str] | None:
    found = context.get(str(key).lower())
    if found is None:
        return None
    return [found] if isinstance(found, str) else list(found)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _holds(operator: str, actual: list[str] | None, expected: list[str], context: Context) -> bool:
    quantifier, _, name = operator.rpartition(":")
    if name.lower() == "null":
        return (not actual) == (expected[:1] == ["true"])
    if name.endswith("IfExists"):
        if actual is None:
            return True
        name = name.removesuffix("IfExists")
    compare = OPERATORS.get(name.replace("Not", "", 1) if "Not" in name else name)
    if compare is None:
        return False  # an operator that is not understood must not open anything
    negated = "Not" in name
    wanted = [one for one in (with_variables(text, context) for text in expected) if one is not None]
    met = [any(compare(one, value) for one in wanted) != negated for value in actual or []]
    if quantifier.lower() == "forallvalues":
        return all(met)
    if quantifier.lower() == "foranyvalue":
        return any(met)
    return all(met) if actual else negated


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def holds(expected: str, actual: str) -> bool:
        try:
            return compare(float(actual), float(expected))
        except ValueError:
            return False

    return holds


def _date(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    def holds(expected: str, actual: str) -> bool:
        try:
            return compare(_epoch(actual), _epoch(expected))
        except (ValueError, OverflowError):
            return False

    return holds


def _epoch(text: str) -> float:
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _in_network(expected: str, actual: str) -> bool:
    try:
        return ipaddress.ip_address(actual) in ipaddress.ip_network(expected, strict=False)
    except ValueError:
        return False


def _literal(text: str) -> str:
    return text.translate(FROM_LITERALS)


def _arn(expected: str, actual: str) -> bool:
    """Each of the six parts of an ARN is compared for itself: a wildcard does not reach over a colon."""
    wanted, found = expected.split(":", 5), actual.split(":", 5)
    if expected == "*":
        return True
    return len(wanted) == len(found) and all(matches(one, part) for one, part in zip(wanted, found, strict=True))


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda expected, actual: _literal(expected) == actual,
    "StringEqualsIgnoreCase": lambda expected, actual: _literal(expected).lower() == actual.lower(),
    "StringLike": matches,
    "NumericEquals": _number(lambda actual, expected: actual == expected),
    "NumericLessThan": _number(lambda actual, expected: actual < expected),
    "NumericLessThanEquals": _number(lambda actual, expected: actual <= expected),
    "NumericGreaterThan": _number(lambda actual, expected: actual > expected),
    "NumericGreaterThanEquals": _number(lambda actual, expected: actual >= expected),
    "DateEquals": _date(lambda actual, expected: actual == expected),
    "DateLessThan": _date(lambda actual, expected: actual < expected),
    "DateLessThanEquals": _date(lambda actual, expected: actual <= expected),
    "DateGreaterThan": _date(lambda actual, expected: actual > expected),
    "DateGreaterThanEquals": _date(lambda actual, expected: actual >= expected),
    "Bool": lambda expected, actual: expected.lower() == actual.lower(),
    "BinaryEquals": lambda expected, actual: expected == actual,
    "IpAddress": _in_network,
    "ArnEquals": _arn,
    "ArnLike": _arn,
}
