"""What a check says of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["not attempted", "not yet", "correct"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One of three outcomes, and a sentence for the learner: why, and what to try."""

    outcome: Outcome
    message: str


def not_attempted(message: str) -> Verdict:
    """Say that there is no answer yet."""
    return Verdict("not attempted", message)


def not_yet(message: str) -> Verdict:
    """Say what is wrong with an answer, and what to look at."""
    return Verdict("not yet", message)


def correct(message: str) -> Verdict:
    """Say what the answer achieves."""
    return Verdict("correct", message)


def untouched(*answers: Any) -> bool:
    """Whether an answer is still ``...``, ``None`` or ``""``."""
    return any(answer is ... or answer is None or (isinstance(answer, str) and not answer) for answer in answers)
