"""The match expressions of an event pattern: ``{"prefix": …}``, ``{"numeric": …}`` and the others, with AWS's reasons.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html and, for what is refused in
which words, the matcher that AWS publishes: https://github.com/aws/event-ruler
"""

from __future__ import annotations

import ipaddress
import math
import operator
import re
from collections.abc import Callable
from typing import Any, NoReturn

Test = Callable[[Any], bool]

COMPARISONS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
IP_ADDRESS = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|[0-9a-fA-F:]*:[0-9a-fA-F:]*")
MOST_WILDCARDS = 5
ONE_KEY = "Only one key allowed in match expression"
NEITHER_VALUE_NOR_LIST = "Value of anything-but must be an array or single string/number value."


class InvalidPattern(ValueError):
    """The pattern is not valid; the message says why, as AWS does."""


def refuse(reason: str) -> NoReturn:
    """Raise :class:`InvalidPattern`."""
    raise InvalidPattern(reason)


def compile_expression(expression: dict[str, Any]) -> Test:
    """Compile one match expression to a test of one value: a text, a number, true, false or null."""
    name, operand = _only_item(expression, "Match expression name not found")
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
        return _cidr(_text("prefix", operand))  # AWS says prefix here
    refuse(f"Unrecognized match type {name}")


def equal(value: Any, expected: Any) -> bool:
    """Whether two values are the same: texts letter by letter, numbers by their value (``300.0`` is ``300``)."""
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    return bool(value == expected) and isinstance(value, str) == isinstance(expected, str)


def _only_item(expression: dict[str, Any], none: str, many: str = ONE_KEY) -> tuple[str, Any]:
    if not expression:
        refuse(none)
    if len(expression) > 1:
        refuse(many)
    return next(iter(expression.items()))


def _text(name: str, operand: Any) -> str:
    return operand if isinstance(operand, str) else refuse(f"{name} match pattern must be a string")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _comparable(number: Any) -> Any:
    if math.isinf(number) if isinstance(number, float) else abs(number) >= 2**1024:
        refuse(f"Cannot compare number : {number}")
    return number


def _affix(name: str, operand: Any) -> Test:
    ignore_case = isinstance(operand, dict)
    if ignore_case:
        inner, operand = _only_item(operand, f"{name.capitalize()} expression name not found")
        if inner != "equals-ignore-case":
            refuse(f"Unsupported {name} pattern: {inner}")
        operand = _text(inner, operand).lower()
    wanted, find = _text(name, operand), str.startswith if name == "prefix" else str.endswith
    return lambda value: isinstance(value, str) and find(value.lower() if ignore_case else value, wanted)


def _wildcard(text: str) -> Test:
    """Compile ``a*b``."""
    pieces = _pieces(text)
    if len(pieces) - 1 > MOST_WILDCARDS:
        refuse(
            "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a "
            "wildcard character"
        )
    return lambda value: isinstance(value, str) and consists_of(value, pieces)


def consists_of(value: str, pieces: list[str]) -> bool:
    """Whether *value* is the pieces, with anything between them; the time grows evenly with its length."""
    if len(pieces) == 1:
        return value == pieces[0]
    first, *middle, last = pieces
    if len(value) < len(first) + len(last) or not (value.startswith(first) and value.endswith(last)):
        return False
    position, end = len(first), len(value) - len(last)
    for piece in middle:
        found = value.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


def _pieces(text: str) -> list[str]:
    """Split at each asterisk that no backslash stands before. AWS counts positions from the opening quote."""
    pieces, position = [""], 0
    while position < len(text):
        here, following = text[position], text[position + 1 : position + 2]
        if here == "*":
            if following == "*":
                refuse(f"Consecutive wildcard characters at pos {position + 1}")
            pieces.append("")
        elif here == "\\":
            if following not in ("*", "\\"):
                refuse(f"Invalid escape character at pos {position + 1}")
            pieces[-1] += following
            position += 1
        else:
            pieces[-1] += here
        position += 1
    return pieces


def _anything_but(operand: Any) -> Test:
    if isinstance(operand, dict):
        return _anything_but_expression(operand)
    if not isinstance(operand, list | str) and not _is_number(operand):
        refuse(NEITHER_VALUE_NOR_LIST)
    unwanted = operand if isinstance(operand, list) else [operand]
    if not all(isinstance(one, str) or _is_number(one) for one in unwanted):
        refuse("Inside anything but list, start|null|boolean is not supported.")
    if len({isinstance(one, str) for one in unwanted}) != 1:
        refuse("Inside anything but list, either all values are number or string, mixed type is not supported")
    return lambda value: not any(equal(value, one) for one in unwanted)


def _anything_but_expression(operand: dict[str, Any]) -> Test:
    name, inner = _only_item(
        operand, "Anything-But expression name not found", "Too many elements in numeric expression"
    )
    if name not in ("prefix", "suffix", "wildcard", "equals-ignore-case"):
        refuse(f"Unsupported anything-but pattern: {name}")
    if not isinstance(inner, list | str) and not _is_number(inner):
        refuse(NEITHER_VALUE_NOR_LIST)
    values = inner if isinstance(inner, list) else [inner]
    if not all(isinstance(one, str) for one in values):
        refuse(
            {
                "equals-ignore-case": "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not "
                "supported.",
                "wildcard": "wildcard match pattern must be a string",
            }.get(name, "prefix/suffix match pattern must be a string")
        )
    if name in ("prefix", "suffix") and "" in values:
        refuse("Null prefix/suffix not allowed")
    tests = [compile_expression({name: one}) for one in values]
    return lambda value: not any(test(value) for test in tests)


def _numeric(operand: Any) -> Test:
    if not isinstance(operand, list):
        refuse("Value of numeric must be an array.")
    if not operand or not isinstance(operand[0], str):
        refuse(f"Invalid member in numeric match: {operand[0] if operand else ']'}")
    first, rest = operand[0], operand[2:]
    if first not in COMPARISONS:
        refuse(f"Unrecognized numeric range operator: {first}")
    bounds = [(first, _bound("equals" if first == "=" else first, operand[1:2]))]
    if rest and first not in (">", ">="):
        refuse("Too many elements in numeric expression")
    if rest:
        if not isinstance(rest[0], str):
            refuse(f"Bad value in numeric range: {rest[0]}")
        if rest[0] not in ("<", "<="):
            refuse(f"Bad numeric range operator: {rest[0]}")
        bounds.append((rest[0], _bound(rest[0], rest[1:2])))
        if len(rest) > 2:
            refuse("Too many terms in numeric range expression")
        if bounds[0][1] >= bounds[1][1]:
            refuse("Bottom must be less than top")
    return lambda value: _is_number(value) and all(COMPARISONS[name](value, bound) for name, bound in bounds)


def _bound(name: str, given: list[Any]) -> Any:
    return _comparable(given[0]) if given and _is_number(given[0]) else refuse(f"Value of {name} must be numeric")


def _cidr(text: str) -> Test:
    parts = text.rstrip("/").split("/") if text.count("/") == 1 else []
    if len(parts) != 2:
        refuse("Malformed CIDR, one '/' required")
    address, bits = parts
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", bits):
        refuse("Malformed CIDR, mask bits must be an integer")
    if int(bits) < 0:
        refuse("Malformed CIDR, mask bits must not be negative")
    if not IP_ADDRESS.fullmatch(address):
        refuse(f"Nonstandard IP address: {address}")
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        refuse(f"Invalid IP address: {address}")
    if int(bits) >= (most := 32 if version == 4 else 128):
        refuse(f"IPv{version} mask bits must be < {most}")
    network = ipaddress.ip_network(f"{address}/{int(bits)}", strict=False)

    def test(value: Any) -> bool:
        if not isinstance(value, str) or not IP_ADDRESS.fullmatch(value):
            return False
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return test
