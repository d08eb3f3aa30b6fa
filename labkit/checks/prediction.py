"""Check a prediction: a reply to every option, the wrong ones too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labkit.checks.verdict import Verdict, correct, not_attempted, not_yet


@dataclass(frozen=True, slots=True)
class Prediction:
    """A check for a question with options; call it with the learner's option."""

    right: str
    replies: Mapping[str, str]

    def __call__(self, answer: Any) -> Verdict:
        """Reply to the option *answer*."""
        option = str(answer).strip().strip("()").lower()
        if not option:
            return not_attempted(f"choose one of: {', '.join(self.replies)}")
        if option not in self.replies:
            return not_yet(f"{answer!r} is not one of the options; choose one of: {', '.join(self.replies)}")
        reply = self.replies[option]
        return correct(reply) if option == self.right else not_yet(reply)


def prediction(*, right: str, replies: Mapping[str, str]) -> Prediction:
    """Return a check for a question with options.

    Args:
        right: The right option, such as ``"b"``.
        replies: For each option one or two sentences that answer it: what the learner will see, and why.
    """
    if right not in replies:
        raise ValueError(f"the right option {right!r} has no reply among {', '.join(replies)}")
    return Prediction(right, replies)
