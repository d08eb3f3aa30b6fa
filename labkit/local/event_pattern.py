"""The event pattern language of EventBridge, of event source mappings and of SNS filter policies.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from typing import Any

MISSING = object()
Test = Callable[[Any], bool]
NUMERIC = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
DEEPEST = 50


class InvalidPattern(ValueError):
    """The pattern is not valid; the message says why."""


class Pattern:
    """A compiled pattern."""

    def __init__(self, test: Test) -> None:
        self._test = test

    def matches(self, event: dict[str, Any]) -> bool:
        """Whether an event matches."""
        return self._test(event)


def compile_pattern(pattern: str | dict[str, Any]) -> Pattern:
    """Check and compile a pattern, given as JSON or as a dict.

    Raises:
        InvalidPattern: The message names what is wrong.
    """
    if isinstance(pattern, str):
        try:
            pattern = json.loads(pattern)
        except (ValueError, RecursionError) as error:
            raise InvalidPattern(f"Filter is not a valid JSON: {error}") from None
    if not isinstance(pattern, dict):
        raise InvalidPattern("Filter is not an object")
    return Pattern(_object_test(pattern, 0))


def _object_test(pattern: dict[str, Any], depth: int) -> Test:
    if depth > DEEPEST:
        raise InvalidPattern("The pattern is nested too deeply")
    if not pattern:
        raise InvalidPattern("Empty objects are not allowed")
    tests = [_key_test(key, value, depth) for key, value in pattern.items()]
    return lambda event: all(test(event) for test in tests)


def _key_test(key: str, value: Any, depth: int) -> Test:
    if key == "$or":
        if not isinstance(value, list) or len(value) < 2 or not all(isinstance(branch, dict) for branch in value):
            raise InvalidPattern("$or needs a list of at least two objects")
        branches = [_object_test(branch, depth + 1) for branch in value]
        return lambda event: any(branch(event) for branch in branches)
    if isinstance(value, dict):
        inner = _object_test(value, depth + 1)
        return lambda event: _descend(event, key, inner)
    if not isinstance(value, list):
        raise InvalidPattern(f"{json.dumps(key)} must be an object or an array")
    if not value:
        raise InvalidPattern("Empty arrays are not allowed")
    leaf = _leaf_test(value)
    return lambda event: leaf(_look_up(event, key))


def _descend(event: Any, key: str, inner: Test) -> bool:
    found = _look_up(event, key)
    if isinstance(found, list):
        return any(inner(element) for element in found)
    return inner(found if isinstance(found, dict) else {})


def _look_up(event: Any, key: str) -> Any:
    if not isinstance(event, dict):
        return MISSING
    if key in event:
        return event[key]
    head, dot, rest = key.partition(".")
    return _look_up(event[head], rest) if dot and head in event else MISSING


def _leaf_test(alternatives: list[Any]) -> Test:
    tests = [_alternative(one) for one in alternatives]
    return lambda value: any(test(value) for test in tests)


def _alternative(one: Any) -> Test:
    if isinstance(one, dict):
        if len(one) != 1:
            raise InvalidPattern("Only one key allowed in match expression")
        [(operator, operand)] = one.items()
        if operator == "exists":
            return _exists(operand)
        return _each(_operator(operator, operand))
    if isinstance(one, list):
        raise InvalidPattern("Match value must be String, number, true, false, or null")
    return _each(lambda value: _equal(value, one))


def _exists(operand: Any) -> Test:
    if not isinstance(operand, bool):
        raise InvalidPattern("exists match pattern must be either true or false.")
    return lambda value: (value is not MISSING and not isinstance(value, dict) and value != []) == operand


def _each(test: Test) -> Test:
    def tried(value: Any) -> bool:
        if isinstance(value, list):
            return any(test(element) for element in value if not isinstance(element, dict | list))
        return value is not MISSING and not isinstance(value, dict) and test(value)

    return tried


def _equal(value: Any, expected: Any) -> bool:
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    return bool(value == expected) and isinstance(value, str) == isinstance(expected, str)


def _operator(name: str, operand: Any) -> Test:
    if name in ("prefix", "suffix"):
        return _affix(name, operand)
    if name == "equals-ignore-case":
        wanted = _text(name, operand).lower()
        return lambda value: isinstance(value, str) and value.lower() == wanted
    if name == "wildcard":
        return _wildcard(_text(name, operand))
    if name == "anything-but":
        return _anything_but(operand)
    if name == "numeric":
        return _numeric(operand)
    if name == "cidr":
        return _cidr(_text(name, operand))
    raise InvalidPattern(f"Unrecognized match type {name}")


def _text(name: str, operand: Any) -> str:
    if not isinstance(operand, str):
        raise InvalidPattern(f"{name} match pattern must be a string")
    return operand


def _affix(name: str, operand: Any) -> Test:
    ignore_case = isinstance(operand, dict)
    if isinstance(operand, dict):
        if list(operand) != ["equals-ignore-case"]:
            raise InvalidPattern(f"Unsupported anything-but or {name} pattern")
        operand = operand["equals-ignore-case"]
    wanted = _text(name, operand)
    wanted = wanted.lower() if ignore_case else wanted

    def test(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        text = value.lower() if ignore_case else value
        return text.startswith(wanted) if name == "prefix" else text.endswith(wanted)

    return test


def _wildcard(text: str) -> Test:
    if "**" in text:
        raise InvalidPattern("Consecutive wildcard characters at pos " + str(text.index("**")))
    parts = text.split("*")

    def test(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        if len(parts) == 1:
            return value == text
        if (
            not value.startswith(parts[0])
            or not value.endswith(parts[-1])
            or len(value) < len(parts[0]) + len(parts[-1])
        ):
            return False
        position, end = len(parts[0]), len(value) - len(parts[-1])
        for part in parts[1:-1]:
            found = value.find(part, position, end)
            if found < 0:
                return False
            position = found + len(part)
        return True

    return test


def _anything_but(operand: Any) -> Test:
    if isinstance(operand, dict):
        if len(operand) != 1:
            raise InvalidPattern("Only one key allowed in anything-but")
        [(name, inner)] = operand.items()
        if name not in ("prefix", "suffix", "wildcard", "equals-ignore-case"):
            raise InvalidPattern(f"Unsupported anything-but pattern: {name}")
        tests = [_operator(name, one) for one in (inner if isinstance(inner, list) else [inner])]
        return lambda value: not any(test(value) for test in tests)
    unwanted = operand if isinstance(operand, list) else [operand]
    kinds = {isinstance(one, str) for one in unwanted}
    if (
        not unwanted
        or len(kinds) > 1
        or any(not isinstance(one, str | int | float) or isinstance(one, bool) for one in unwanted)
    ):
        raise InvalidPattern("Inside anything but list, values must all be strings or all be numbers.")
    return lambda value: not any(_equal(value, one) for one in unwanted)


def _numeric(operand: Any) -> Test:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise InvalidPattern("Value of numeric must be an array of one or two comparisons.")
    pairs = [(operand[i], operand[i + 1]) for i in range(0, len(operand), 2)]
    for operator, bound in pairs:
        if not isinstance(operator, str) or operator not in NUMERIC:
            raise InvalidPattern(f"Unrecognized numeric range operator: {operator}")
        if isinstance(bound, bool) or not isinstance(bound, int | float) or abs(bound) > 5e9:
            raise InvalidPattern(f"Value of {operator} must be numeric, from -5e9 to 5e9")
    if len(pairs) == 2 and (
        pairs[0][0] not in (">", ">=") or pairs[1][0] not in ("<", "<=") or pairs[0][1] >= pairs[1][1]
    ):
        raise InvalidPattern("Bottom must be less than top in a numeric range, lower bound first.")
    return lambda value: (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and all(NUMERIC[operator](value, bound) for operator, bound in pairs)
    )


def _cidr(text: str) -> Test:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise InvalidPattern(f"Malformed CIDR: {text}") from None

    def test(value: Any) -> bool:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9a-fA-F.:]+", value):
            return False
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return test
