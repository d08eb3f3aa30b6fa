"""Check a learner's answer: *not attempted*, *not yet* and why, or *correct*."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from labkit import progress_file
from labkit.checks.verdict import Verdict, not_attempted, not_yet
from labkit.exceptions import LabkitError
from labkit.lines import wrapped


def check(exercise: str, *answers: Any) -> str:
    """Judge an answer by what it does, say so in one line, and keep the outcome.

    Args:
        exercise: Notebook and key, such as ``"05.1"``, ``"05.2"`` or ``"05.predict"``.
        answers: What the learner wrote; ``...`` and ``None`` count as not attempted.

    Returns:
        ``"not attempted"``, ``"not yet"`` or ``"correct"``.

    Raises:
        LabkitError: There is no such exercise; or ``LABKIT_STRICT=1`` (as in tests) and the answer is not correct.
    """
    number, _, key = exercise.partition(".")
    judge = checks_of(number).get(key)
    if judge is None:
        raise LabkitError(f"there is no exercise {exercise!r}; notebook {number} has: {', '.join(checks_of(number))}")
    verdict = _judge(judge, answers)
    print(wrapped(f"{verdict.outcome}: {verdict.message}"))
    _keep(number, key, verdict.outcome)
    if verdict.outcome != "correct" and os.environ.get("LABKIT_STRICT") == "1":
        raise LabkitError(f"exercise {exercise} is {verdict.outcome}: {verdict.message}")
    return Said(verdict.outcome)


class Said(str):
    """The outcome as text. A notebook shows nothing more for it, since the line is printed already."""

    __slots__ = ()

    def _ipython_display_(self) -> None:
        """Show nothing."""


def checks_of(number: str) -> dict[str, Callable[..., Verdict]]:
    """Return the checks of a notebook, ``{}`` when it has none."""
    module = f"labkit.checks.nb{number}"
    try:
        return dict(importlib.import_module(module).CHECKS)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return {}


def _judge(judge: Callable[..., Verdict], answers: tuple[Any, ...]) -> Verdict:
    if any(_is_open(answer) for answer in answers):
        return not_attempted("replace each ... by your answer, run that cell, then this one again")
    try:
        return judge(*answers)
    except Exception as error:  # a border: a lesson goes on whatever an answer does
        first = (str(error).splitlines() or [""])[0]
        return not_yet(f"while your answer was tried, it raised {type(error).__name__}: {first}")


def _is_open(answer: Any) -> bool:
    """Whether an answer is the untouched template, or still holds a part of it."""
    parts = answer.values() if isinstance(answer, dict) else answer if isinstance(answer, (list, tuple)) else ()
    return (
        answer is ... or answer is None or any(part is ... or (part is not None and _is_open(part)) for part in parts)
    )


def _keep(number: str, key: str, outcome: str) -> None:
    def edit(entry: dict[str, Any]) -> None:
        exercises = entry.setdefault("exercises", {})
        if exercises.get(key) != "correct" and (outcome != "not attempted" or key not in exercises):
            exercises[key] = outcome

    progress_file.change_notebook(number, edit)
