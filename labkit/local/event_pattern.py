"""The event pattern language of EventBridge, of event source mappings and of SNS filter policies.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html and the matcher that AWS publishes:
https://github.com/aws/event-ruler
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from labkit.local.match_expression import InvalidPattern, Test, compile_expression, equal, refuse

__all__ = ["InvalidPattern", "Pattern", "compile_pattern"]

Leaves = list[Any]
DEEPEST = 50
RESERVED_IN_OR = {
    "exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric", "cidr",
    "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case", "date-after", "date-on-or-after",
    "date-before", "date-on-or-before", "in-date-range", "ip-address-in-range", "ip-address-not-in-range",
}  # fmt: skip


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
            pattern = json.loads(pattern, parse_constant=lambda name: refuse(f"Unrecognized token '{name}'"))
        except InvalidPattern:
            raise
        except (ValueError, RecursionError) as error:
            raise InvalidPattern(f"Filter is not a valid JSON: {error}") from None
    if not isinstance(pattern, dict):
        refuse("Filter is not an object")
    return Pattern(_object_test(pattern, 0))


def _object_test(pattern: dict[str, Any], depth: int, *, in_or: bool = False) -> Test:
    if depth > DEEPEST:
        refuse("The pattern is nested too deeply")
    if not pattern:
        refuse("Empty objects are not allowed")
    tests = [_key_test(key, value, depth, in_or) for key, value in pattern.items()]
    return tests[0] if len(tests) == 1 else lambda event: all(test(event) for test in tests)


def _key_test(key: str, value: Any, depth: int, in_or: bool) -> Test:
    if key == "$or":
        return _or_test(value, depth)
    if in_or and key in RESERVED_IN_OR:
        refuse(f"{key} is Ruler reserved fieldName which cannot be used inside $or.")
    if isinstance(value, dict):
        inner = _object_test(value, depth + 1, in_or=in_or)
        return lambda event: any(inner(found) for found in _objects(_look_up(event, key)))
    if not isinstance(value, list):
        refuse(f'"{key}" must be an object or an array')
    alternatives = [_alternative(one) for one in value] or refuse("Empty arrays are not allowed")

    def test(event: Any) -> bool:
        leaves = list(_leaves(_look_up(event, key)))
        return any(alternative(leaves) for alternative in alternatives)

    return test


def _or_test(value: Any, depth: int) -> Test:
    if not isinstance(value, list):
        refuse("It must be an Array followed with $or.")
    if not all(isinstance(branch, dict) for branch in value):
        refuse("Only JSON object is allowed in array of $or relationship.")
    if len(value) < 2:
        refuse("There must have at least 2 Objects in $or relationship.")
    branches = [_object_test(branch, depth + 1, in_or=True) for branch in value]
    return lambda event: any(branch(event) for branch in branches)


def _alternative(one: Any) -> Callable[[Leaves], bool]:
    """Compile one element of a pattern's list to a test of all values that the event has there."""
    if isinstance(one, dict) and "exists" in one:
        return _exists(one)
    if isinstance(one, list):
        refuse("Match value must be String, number, true, false, or null")
    test = compile_expression(one) if isinstance(one, dict) else lambda value: equal(value, one)
    return lambda leaves: any(test(leaf) for leaf in leaves)


def _exists(expression: dict[str, Any]) -> Callable[[Leaves], bool]:
    if not isinstance(expression["exists"], bool):
        refuse("exists match pattern must be either true or false.")
    if len(expression) > 1:
        refuse("Only one key allowed in match expression")
    wanted = expression["exists"]
    return lambda leaves: bool(leaves) == wanted


# --- The event --------------------------------------------------------------------------------------------------------


def _look_up(event: Any, key: str) -> list[Any]:
    """Return all that *key* names in an object; a dot in a name, here or there, stands for a level."""
    if key in event:
        return [event[key]]
    found, dot = [], key.find(".")
    while dot > 0:
        if key[:dot] in event:
            found += [one for inner in _objects([event[key[:dot]]]) for one in _look_up(inner, key[dot + 1 :])]
        dot = key.find(".", dot + 1)
    start = f"{key}."
    below = {name[len(start) :]: value for name, value in event.items() if name.startswith(start)}
    return [*found, below] if below else found


def _objects(values: list[Any]) -> list[dict[str, Any]]:
    """Return the objects among values and in their lists; without any, an empty one: nothing exists in it."""
    return list(_flat(values, dict)) or [{}]


def _leaves(values: list[Any]) -> Iterator[Any]:
    return _flat(values, str | int | float | None)


def _flat(values: list[Any], kind: Any) -> Iterator[Any]:
    waiting = [iter(values)]
    while waiting:
        for value in waiting[-1]:
            if isinstance(value, list):
                waiting.append(iter(value))
                break
            if isinstance(value, kind):
                yield value
        else:
            waiting.pop()
