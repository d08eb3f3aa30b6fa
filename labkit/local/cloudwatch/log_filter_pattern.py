"""The filter pattern language of CloudWatch Logs: terms, and expressions over JSON.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.match_expression import consists_of

Test = Callable[[str], bool]
JsonTest = Callable[[Any], bool]

TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')
TOKEN = re.compile(
    r"""\s*(?:(?P<path>\$(?:\.[\w-]+|\[\d+\]|\['[^']*'\])+)|(?P<mark>&&|\|\||!=|<=|>=|[=<>()])"""
    r"""|"(?P<text>(?:[^"\\]|\\.)*)"|(?P<word>[\w.*:/@+-]+))"""
)
STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|\['([^']*)'\]")
COMPARISONS = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}
CONSTANTS = {"NULL": None, "TRUE": True, "FALSE": False}
DEEPEST = 20
MISSING = object()


def compile_filter_pattern(pattern: str) -> Test:
    """Compile a pattern to a test of one message.

    Raises:
        AwsError: ``InvalidParameterException``; ``NotImplemented`` for what only AWS can.
    """
    text = pattern.strip()
    if not text:
        return lambda message: True
    if text.startswith("["):
        raise _not_here("patterns for fields between spaces ([ip, user, ...])")
    if not text.startswith("{"):
        return _terms(text)
    if not text.endswith("}"):
        raise _invalid()
    test = _Expression(text[1:-1]).compile()

    def matches(message: str) -> bool:
        try:
            return test(json.loads(message))
        except (ValueError, RecursionError):
            return False

    return matches


def _terms(text: str) -> Test:
    found = []
    position = 0
    while position < len(text):
        term = TERM.match(text, position)
        if term is None:
            raise _invalid()
        if term[3] and term[3].startswith("%"):
            raise _not_here("regular expressions (%...%)")
        found.append((term[1], term[2].replace('\\"', '"') if term[2] is not None else term[3]))
        position = term.end()
    every = [term for sign, term in found if not sign]
    none = [term for sign, term in found if sign == "-"]
    one_of = [term for sign, term in found if sign == "?"] if not every and not none else []
    return lambda message: (
        all(term in message for term in every)
        and not any(term in message for term in none)
        and (not one_of or any(term in message for term in one_of))
    )


class _Expression:
    """A parser of what stands between the braces, one rule of the language a method."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at, self._depth, position, text = 0, 0, 0, text.rstrip()
        while position < len(text):
            found = TOKEN.match(text, position)
            if found is None or found.lastgroup is None:
                raise _not_here("regular expressions (%...%)") if "%" in text[position:] else _invalid()
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            position = found.end()

    def compile(self) -> JsonTest:
        test = self._any()
        if self._at < len(self._tokens):
            raise _invalid()
        return test

    def _any(self) -> JsonTest:
        tests = [self._all()]
        while self._skip("||"):
            tests.append(self._all())
        return lambda value: any(test(value) for test in tests)

    def _all(self) -> JsonTest:
        tests = [self._one()]
        while self._skip("&&"):
            tests.append(self._one())
        return lambda value: all(test(value) for test in tests)

    def _one(self) -> JsonTest:
        if self._skip("("):
            self._depth += 1
            if self._depth > DEEPEST:
                raise _invalid()
            test = self._any()
            if not self._skip(")"):
                raise _invalid()
            self._depth -= 1
            return test
        path = self._take("path")
        kind, mark = self._next()
        if kind == "word" and mark.upper() in ("IS", "NOT"):
            return self._constant(path, mark.upper())
        if kind != "mark" or mark in ("&&", "||", "(", ")"):
            raise _invalid()
        return _comparison(path, mark, *self._next())

    def _constant(self, path: str, word: str) -> JsonTest:
        name = self._take("word").upper()
        if word == "NOT":
            if name != "EXISTS":
                raise _invalid()
            return lambda value: _look_up(value, path) is MISSING
        if name not in CONSTANTS:
            raise _invalid()
        return lambda value: _look_up(value, path) is CONSTANTS[name]

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise _invalid()
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, kind: str) -> str:
        found, text = self._next()
        if found != kind:
            raise _invalid()
        return text

    def _skip(self, mark: str) -> bool:
        here = self._at < len(self._tokens) and self._tokens[self._at] == ("mark", mark)
        self._at += here
        return here


def _comparison(path: str, mark: str, kind: str, text: str) -> JsonTest:
    if kind not in ("text", "word"):
        raise _invalid()
    number = _number(text) if kind == "word" else None
    if mark in COMPARISONS:
        if number is None:
            raise _invalid()
        return lambda value: _is_number(found := _look_up(value, path)) and COMPARISONS[mark](found, number)
    pieces = text.replace('\\"', '"').split("*")

    def test(value: Any) -> bool:
        found = _look_up(value, path)
        if found is MISSING or found is None or isinstance(found, dict | list):
            return False
        same = found == number if _is_number(found) and number is not None else consists_of(_text(found), pieces)
        return same == (mark == "=")

    return test


def _look_up(value: Any, path: str) -> Any:
    for name, index, quoted in STEP.findall(path[1:]):
        if index:
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else MISSING
        else:
            key = name or quoted
            value = value[key] if isinstance(value, dict) and key in value else MISSING
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", text) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _invalid() -> AwsError:
    return AwsError("InvalidParameterException", "Invalid filter pattern")


def _not_here(what: str) -> AwsError:
    return AwsError("NotImplemented", f"The local cloud does not know {what} in filter patterns.", 501)
