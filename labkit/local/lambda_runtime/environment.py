"""One execution environment: its init phase, its invocations one after the other, its end.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.local.lambda_runtime.process import LogEvent, Process
from labkit.local.lambda_runtime.runtime_api import Invocation, RuntimeApi

INIT_LIMIT = 10.0
EXIT = "Runtime.ExitError"


@dataclass(slots=True)
class Outcome:
    """How an invocation ended. *error_type* is ``""`` for a success; times are milliseconds, memory MiB.

    *init_output* is what was written in the init phase, ``None`` in an environment that was warm. *init_duration* is
    ``None`` there too, and where the init phase was run again, as a part of the invocation. *status* is what REPORT
    tells of a process that failed, ``""`` for one that goes on.
    """

    payload: bytes
    error_type: str
    duration: float
    init_duration: float | None
    max_memory: int
    status: str
    init_output: list[LogEvent] | None
    output: list[LogEvent]


class Environment:
    """A process that runs one invocation at a time."""

    def __init__(
        self, *, command: list[str], variables: dict[str, str], task_root: Path, log_stream: str, expires: float
    ) -> None:
        self._command = command
        self.log_stream = log_stream
        self.expires = expires
        self.stale = False
        self.idle_since = time.monotonic()
        self.invocations = 0
        self._variables, self._task_root = variables, task_root
        self._process: Process
        self._api: RuntimeApi
        self._ready = self._init_timed_out = False
        self._init_error: tuple[bytes, str] | None = None
        self._init_duration: float | None = None
        self._init_output: list[LogEvent] = []
        self._max_memory = 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.status is None

    async def start(self) -> None:
        """Start the process and wait until its runtime is initialised, or has failed to be.

        Raises:
            OSError: This computer starts no process.
        """
        await self._init(INIT_LIMIT, phase="init")

    async def _init(self, limit: float, *, phase: str) -> None:
        started = time.perf_counter()
        self._api = api = RuntimeApi()
        variables = {**self._variables, "AWS_LAMBDA_RUNTIME_API": await api.listen()}
        try:
            _, process = await asyncio.get_running_loop().subprocess_exec(
                Process, *self._command, cwd=self._task_root, env=variables,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except OSError:
            api.close()
            raise
        self._process = process
        awaited: set[asyncio.Future[Any]] = {api.initialised, process.ended}
        done, _ = await asyncio.wait(awaited, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        milliseconds = (time.perf_counter() - started) * 1000
        self._init_error = api.initialised.result() if api.initialised.done() else None
        self._ready, self._init_timed_out = api.initialised.done() and self._init_error is None, not done
        self._init_duration = milliseconds if self._ready and phase == "init" else None
        if not self._ready:
            self._measure_memory()
            await self.end()
            status = "timeout" if not done else _error(self._init_error[1] if self._init_error else EXIT)
            report = f"INIT_REPORT Init Duration: {milliseconds:.2f} ms\tPhase: {phase}\tStatus: {status}\n"
            self._init_output += [*process.init_output, *process.take_output(), (int(time.time() * 1000), report)]

    async def invoke(self, invocation: Invocation, timeout: float) -> Outcome:
        """Run one invocation; whatever happens, an outcome comes back within *timeout* seconds and a little.

        An init phase that failed, or outlasted its own limit, is run again first, as a part of the invocation.

        Raises:
            OSError: This computer starts no process for that.
        """
        started, warm = time.perf_counter(), self.invocations > 0
        self.invocations += 1
        if not self._ready:
            await self._init(timeout, phase="invoke")
        process, result, status = self._process, self._init_error, ""
        if self._ready:
            result = await self._answer(invocation, timeout - (time.perf_counter() - started))
        duration = (time.perf_counter() - started) * 1000
        if result is None and (self.alive if self._ready else self._init_timed_out):
            result = _failure(invocation, "Sandbox.Timedout", f"Task timed out after {timeout:.2f} seconds")
            duration, status = timeout * 1000, "timeout"
        elif result is None or not self._ready:
            result = result or _failure(invocation, EXIT, f"Runtime {process.why_ended()}")
            status = _error(result[1])
        else:
            await process.output_is_complete()
        self._measure_memory()
        if status:
            await self.end()
        return Outcome(
            *result,
            duration=duration,
            init_duration=None if warm else self._init_duration,
            max_memory=self._max_memory,
            status=status,
            init_output=None if warm else self._init_output + (process.init_output if self._ready else []),
            output=process.take_output(),
        )

    async def _answer(self, invocation: Invocation, seconds: float) -> tuple[bytes, str] | None:
        self._process.begin(invocation)
        timer = asyncio.get_running_loop().call_later(seconds, invocation.give_up)
        self._api.offer(invocation)
        try:
            return await invocation.result
        finally:
            timer.cancel()

    def _measure_memory(self) -> None:
        if self.alive:
            self._max_memory = max(self._max_memory, self._process.memory())

    async def end(self) -> None:
        """Kill the process, read what it still wrote, and stop listening."""
        self._api.close()
        await self._process.kill()


def _failure(invocation: Invocation, error_type: str, what: str) -> tuple[bytes, str]:
    text = f"RequestId: {invocation.request_id} Error: {what}"
    return json.dumps({"errorType": error_type, "errorMessage": text}).encode(), error_type


def _error(error_type: str) -> str:
    return f"error\tError Type: {error_type}"
