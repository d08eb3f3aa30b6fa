"""One execution environment: an operating-system process, its Runtime API and its output.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import psutil

from labkit.local.lambda_runtime.runtime_api import Invocation, RuntimeApi

INIT_LIMIT = 10.0
LONGEST_LINE = 2**22


@dataclass(slots=True)
class Outcome:
    """How an invocation ended. *error_type* is ``""`` for a success; times are milliseconds, memory MiB."""

    payload: bytes
    error_type: str
    duration: float
    init_duration: float | None
    max_memory: int
    status: str = ""
    output: list[tuple[int, str]] = field(default_factory=list)
    alive: bool = True


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
        self._process: Process | None = None
        self._api = RuntimeApi()
        self._init_duration = 0.0
        self._max_memory = 0

    @property
    def pid(self) -> int:
        """The process id, 0 before it was started."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.status is None

    async def start(self) -> None:
        """Start the process and wait until its runtime is initialised, or has failed to be."""
        started = time.perf_counter()
        variables = {**self._variables, "AWS_LAMBDA_RUNTIME_API": await self._api.listen()}
        _, process = await asyncio.get_running_loop().subprocess_exec(
            Process, *self._command, cwd=self._task_root, env=variables,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._process = process
        awaited: set[asyncio.Future[Any]] = {self._api.initialised, process.ended}
        await asyncio.wait(awaited, timeout=INIT_LIMIT, return_when=asyncio.FIRST_COMPLETED)
        self._init_duration = (time.perf_counter() - started) * 1000

    async def invoke(self, invocation: Invocation, timeout: float) -> Outcome:
        """Run one invocation; whatever happens, an outcome comes back within *timeout* seconds and a little."""
        init_duration = None if self.invocations else self._init_duration
        self.invocations += 1
        failed = await self._init_failure(invocation)
        if failed:
            return self._outcome(failed[0], failed[1], 0.0, init_duration)
        process = self._process
        assert process is not None
        started = time.perf_counter()
        process.begin(invocation)
        timer = asyncio.get_running_loop().call_later(timeout, invocation.give_up)
        self._api.offer(invocation)
        result = await invocation.result
        timer.cancel()
        duration = (time.perf_counter() - started) * 1000
        if result is not None:
            await process.output_of(invocation)
            return self._outcome(*result, duration, init_duration)
        self._measure_memory()
        if process.status is not None:
            payload, error_type, status = _exit_error(invocation, process.status)
        else:
            text = f"RequestId: {invocation.request_id} Error: Task timed out after {timeout:.2f} seconds"
            payload, error_type, status = _error("Sandbox.Timedout", text), "Sandbox.Timedout", "timeout"
            duration = timeout * 1000
        await self.end()
        outcome = self._outcome(payload, error_type, duration, init_duration)
        outcome.status = status
        return outcome

    async def _init_failure(self, invocation: Invocation) -> tuple[bytes, str] | None:
        if self._api.initialised.done():
            failure = self._api.initialised.result()
            if failure is None:
                return None
            await self.end()
            return failure, str(json.loads(failure).get("errorType", "Runtime.InitError"))
        status = self._process.status if self._process else None
        await self.end()
        if status is None:
            text = f"RequestId: {invocation.request_id} Error: Init timed out after {INIT_LIMIT:.2f} seconds"
            return _error("Sandbox.Timedout", text), "Sandbox.Timedout"
        payload, error_type, _ = _exit_error(invocation, status)
        return payload, error_type

    def _outcome(self, payload: bytes, error_type: str, duration: float, init_duration: float | None) -> Outcome:
        output = self._process.take_output() if self._process else []
        self._measure_memory()
        return Outcome(payload, error_type, duration, init_duration, self._max_memory, "", output, self.alive)

    def _measure_memory(self) -> None:
        if self._process and self.alive:
            self._max_memory = max(self._max_memory, self._process.memory())

    async def end(self) -> None:
        """Kill the process, read what it still wrote, and stop listening."""
        self._api.close()
        if self._process is not None:
            await self._process.kill()


class Process(asyncio.SubprocessProtocol):
    """The operating-system process: its output, line by line, and its end."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.status: int | None = None
        self._output: list[tuple[int, str]] = []
        self._rest = b""
        self._complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._mark = b""
        self._running: Invocation | None = None
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to the process."""
        self._transport = cast("asyncio.SubprocessTransport", transport)  # uvloop's is none by inheritance
        self.pid = self._transport.get_pid()
        try:
            self._measured = psutil.Process(self.pid)
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

    def take_output(self) -> list[tuple[int, str]]:
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


def _error(error_type: str, message: str) -> bytes:
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()


def _exit_error(invocation: Invocation, status: int) -> tuple[bytes, str, str]:
    why = (
        "Runtime exited without providing a reason" if status == 0 else f"Runtime exited with error: {_reason(status)}"
    )
    return _error("Runtime.ExitError", f"RequestId: {invocation.request_id} Error: {why}"), "Runtime.ExitError", "error"


def _reason(status: int) -> str:
    if status < 0 and os.name == "posix":
        return f"signal: {-status}"
    return f"exit status {status}"
