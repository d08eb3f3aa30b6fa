"""One execution environment: an operating-system process, its Runtime API and its output.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil

from labkit.local.lambda_runtime.runtime_api import Invocation, RuntimeApi

INIT_LIMIT = 10.0
LONGEST_LINE = 2**22
INIT_IS_COMPLETE = b"\x01init"
LogEvent = tuple[int, str]


@dataclass(slots=True)
class Outcome:
    """How an invocation ended. *error_type* is ``""`` for a success; times are milliseconds, memory MiB.

    *init_output* is what was written in the init phase, ``None`` in an environment that was warm. *init_duration* is
    ``None`` there too, and where the init phase was run again, as a part of the invocation.
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
        self._init_duration: float | None = None
        self._init_output: list[LogEvent] = []
        self._init_timed_out = False
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
        self._init_timed_out, self._init_duration = not done, milliseconds if done and phase == "init" else None
        if not done:
            await self.end()
            report = f"INIT_REPORT Init Duration: {milliseconds:.2f} ms\tPhase: {phase}\tStatus: timeout\n"
            self._init_output += [*process.take_output(), (int(time.time() * 1000), report)]

    async def invoke(self, invocation: Invocation, timeout: float) -> Outcome:
        """Run one invocation; whatever happens, an outcome comes back within *timeout* seconds and a little.

        An init phase that outlasted its own limit is run again first, as a part of the invocation.
        """
        started, warm = time.perf_counter(), self.invocations > 0
        self.invocations += 1
        if self._init_timed_out:
            await self._init(timeout, phase="invoke")
        process, initialised = self._process, self._api.initialised
        result, status = initialised.result() if initialised.done() else None, ""
        ready = initialised.done() and result is None
        if ready:
            result = await self._answer(invocation, timeout - (time.perf_counter() - started))
        duration = (time.perf_counter() - started) * 1000
        if result is None:
            result, status = self._no_answer(invocation, timeout)
            duration = timeout * 1000 if status == "timeout" else duration
        elif ready:
            await process.output_of(invocation)
        if self.alive:
            self._max_memory = max(self._max_memory, process.memory())
        if status or not ready:
            await self.end()
        output, init_output = process.take_output(), self._init_output + process.init_output
        if not ready:
            output, init_output = [], init_output + output
        return Outcome(
            *result,
            duration=duration,
            init_duration=None if warm else self._init_duration,
            max_memory=self._max_memory,
            status=status,
            init_output=None if warm else init_output,
            output=output,
        )

    async def _answer(self, invocation: Invocation, seconds: float) -> tuple[bytes, str] | None:
        self._process.begin(invocation)
        timer = asyncio.get_running_loop().call_later(seconds, invocation.give_up)
        self._api.offer(invocation)
        try:
            return await invocation.result
        finally:
            timer.cancel()

    def _no_answer(self, invocation: Invocation, timeout: float) -> tuple[tuple[bytes, str], str]:
        """Return payload and error type of a process that ended or was too slow, and the status in its REPORT."""
        status, start = self._process.status, f"RequestId: {invocation.request_id} Error: "
        if status is None or self._init_timed_out:
            return _error("Sandbox.Timedout", f"{start}Task timed out after {timeout:.2f} seconds"), "timeout"
        why = f"exited with error: {_reason(status)}" if status else "exited without providing a reason"
        return _error("Runtime.ExitError", f"{start}Runtime {why}"), "error"

    async def end(self) -> None:
        """Kill the process, read what it still wrote, and stop listening."""
        self._api.close()
        await self._process.kill()


class Process(asyncio.SubprocessProtocol):
    """The operating-system process: its output, line by line, and its end."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status: int | None = None
        self.init_output: list[LogEvent] = []
        self._output: list[LogEvent] = []
        self._rest = b""
        self._complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._mark = b""
        self._running: Invocation | None = None
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to the process."""
        self._transport = cast("asyncio.SubprocessTransport", transport)  # uvloop's is none by inheritance
        try:
            self._measured = psutil.Process(self._transport.get_pid())
        except psutil.NoSuchProcess:  # it ended at once
            self._measured = psutil.Process()

    def begin(self, invocation: Invocation) -> None:
        """Expect the output of *invocation*, which gets no answer if the process ends."""
        self._running = invocation
        self._mark = b"\x01" + invocation.request_id.encode()
        self._complete = asyncio.get_running_loop().create_future()
        if self.status is not None:
            invocation.give_up()

    async def output_of(self, invocation: Invocation) -> None:
        """Wait a moment until all that *invocation* wrote is here: output and answer come by different ways."""
        self._running = None
        await _within(self._complete, 0.5)
        if self.status is not None:
            await _within(self._closed, 0.2)

    def take_output(self) -> list[LogEvent]:
        """Return the log events since the last time, each with its epoch milliseconds."""
        output, self._output = self._output, []
        return output

    def memory(self) -> int:
        """Return the resident memory in MiB, 0 when it cannot be told."""
        try:
            return int(self._measured.memory_info().rss / 2**20)
        except psutil.Error:
            return 0

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Take output; a line longer than LONGEST_LINE is cut into pieces."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        now = int(time.time() * 1000)
        for line in lines:
            if not line.startswith(b"\x01"):
                self._take(line, now)
            elif line == INIT_IS_COMPLETE:
                self.init_output += self.take_output()
            elif line == self._mark and not self._complete.done():
                self._complete.set_result(None)
        if len(self._rest) > LONGEST_LINE:
            self._take(self._rest, now)
            self._rest = b""

    def _take(self, line: bytes, now: int) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r").replace("\0", "\n")
        self._output.append((now, text + "\n"))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """Take what stands on an unfinished last line."""
        if fd == 1 and self._rest:
            self._take(self._rest, int(time.time() * 1000))
            self._rest = b""

    def process_exited(self) -> None:
        """Tell who waits."""
        self.status = self._transport.get_returncode()
        for awaited in (self.ended, self._complete):
            if not awaited.done():
                awaited.set_result(None)
        if self._running:
            self._running.give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Know that everything was read."""
        if not self._closed.done():
            self._closed.set_result(None)

    async def kill(self) -> None:
        """Kill the process and read what it still wrote; its own children may hold the pipe open."""
        if self.status is None:
            try:
                self._transport.kill()
            except ProcessLookupError:
                pass
        await _within(self.ended, 1)
        await _within(self._closed, 0.2)
        self._transport.close()


async def _within(future: asyncio.Future[None], seconds: float) -> None:
    if not future.done():
        await asyncio.wait({future}, timeout=seconds)


def _error(error_type: str, message: str) -> tuple[bytes, str]:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode(), error_type


def _reason(status: int) -> str:
    if status < 0 and os.name == "posix":
        return f"signal: {-status}"
    return f"exit status {status}"
