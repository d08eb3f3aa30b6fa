"""Check a prediction: a reply to every option, the wrong ones too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labkit.checks.verdict import Verdict, correct, not_attempted, not_yet


def prediction(*, right: str, replies: Mapping[str, str]) -> Callable[[Any], Verdict]:
    """Return a check for a question with options.

    Args:
        right: The right option, such as ``"b"``.
        replies: For each option one or two sentences that answer it: what the learner will see, and why.
    """
    if right not in replies:
        raise ValueError(f"the right option {right!r} has no reply among {', '.join(replies)}")

    def judge(answer: Any) -> Verdict:
        option = str(answer).strip().strip("()").lower()
        if not option:
            return not_attempted(f"choose one of: {', '.join(replies)}")
        if option not in replies:
            return not_yet(f"{answer!r} is not one of the options; choose one of: {', '.join(replies)}")
        return correct(replies[option]) if option == right else not_yet(replies[option])

    return judge
