"""The lines that Lambda itself writes around the output of a function, and their way to CloudWatch Logs.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable

from labkit.local.lambda_runtime.environment import Outcome
from labkit.local.lambda_runtime.function import Function
from labkit.local.lambda_runtime.process import LogEvent
from labkit.local.lambda_runtime.runtimes import language_and_version, runs_on, runtime_arn

TAIL = 4096
WRITING = 0.02


def log_events(request_id: str, function: Function, *, outcome: Outcome, started_ms: int) -> list[LogEvent]:
    """Return INIT_START and what was written before the invocation (when cold), START, the output, END and REPORT."""
    now = int(time.time() * 1000)
    events: list[LogEvent] = []
    if outcome.init_output is not None:
        language, wanted = language_and_version(function.runtime)
        version = f"{language}:{wanted}{runs_on(function.runtime)}"
        arn = runtime_arn(function.region, function.runtime)
        events.append((started_ms, f"INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}\n"))
        events += outcome.init_output
    events.append((started_ms, f"START RequestId: {request_id} Version: {function.version}\n"))
    events += outcome.output
    events.append((now, f"END RequestId: {request_id}\n"))
    events.append((now, _report(request_id, function.memory_size, outcome)))
    latest = 0
    for index, (at, text) in enumerate(events):  # CloudWatch Logs wants the events of one request in order of time
        latest = max(latest, at)
        events[index] = (latest, text)
    return events


def _report(request_id: str, memory: int, outcome: Outcome) -> str:
    init = outcome.init_duration
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {outcome.duration:.2f} ms",
        f"Billed Duration: {math.ceil(outcome.duration + (init or 0))} ms",
        f"Memory Size: {memory} MB",
        f"Max Memory Used: {outcome.max_memory} MB",
    ]
    if init is not None:
        parts.append(f"Init Duration: {init:.2f} ms")
    if outcome.status:
        parts.append(f"Status: {outcome.status}")
    return "\t".join(parts) + ("\t\n" if not outcome.status else "\n")


def tail(events: list[LogEvent]) -> str:
    """Return the last 4 KB of log events as ``LogType=Tail`` gives them: base64."""
    return base64.b64encode("".join(text for _, text in events).encode()[-TAIL:]).decode()


class LogWriter:
    """Write log events behind the scenes, in order, so that no invocation waits for its log."""

    def __init__(self, put_log_events: Callable[[str, str, str, list[LogEvent]], Awaitable[None]]) -> None:
        self._put = put_log_events
        self._waiting: dict[tuple[str, str, str], list[LogEvent]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    def write(self, region: str, group: str, stream: str, events: list[LogEvent]) -> None:
        """Append *events* soon: who waits for the function's answer goes first."""
        self._waiting[region, group, stream] += events
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_later())

    async def _write_later(self) -> None:
        await asyncio.sleep(WRITING)
        await self.written()

    async def written(self) -> None:
        """Write what waits; a reader of the logs comes after that."""
        async with self._writing:  # what somebody else has taken from the list is not written yet
            while self._waiting:
                key = next(iter(self._waiting))
                await self._put(*key, self._waiting.pop(key))
