"""The timer of scheduled rules: it sleeps until the next of them is due, in real time.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from labkit.local.eventbridge.schedule_expression import Next

LONGEST_SLEEP = 600.0  # then it looks at the clock again: a computer may have been asleep, or its clock set


class Schedules:
    """The next run of every scheduled rule; *fire* is called with a rule's ARN and the second it was due."""

    def __init__(self, *, now: Callable[[], float], fire: Callable[[str, float], None]) -> None:
        self._now, self._fire = now, fire
        self._next: dict[str, Next] = {}
        self._due: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def put(self, rule_arn: str, next_run: Next) -> None:
        """Run a rule from now on; what it was to do before is forgotten."""
        self._next[rule_arn] = next_run
        self._plan(rule_arn, self._now())
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def remove(self, rule_arn: str) -> None:
        """Never run a rule again; the timer ends with the last one."""
        self._next.pop(rule_arn, None)
        self._due.pop(rule_arn, None)
        self._changed.set()

    def close(self) -> None:
        """End the timer."""
        if self._task:
            self._task.cancel()

    def _plan(self, rule_arn: str, after: float) -> None:
        due = self._next[rule_arn](after)
        if due is None:
            self._due.pop(rule_arn, None)
        else:
            self._due[rule_arn] = due

    async def _run(self) -> None:
        while self._due:
            self._changed.clear()
            pause = min(self._due.values()) - self._now()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(max(pause, 0.0), LONGEST_SLEEP))
            now = self._now()
            for rule_arn, due in [(arn, due) for arn, due in self._due.items() if due <= now]:
                self._plan(rule_arn, now)
                self._fire(rule_arn, due)
