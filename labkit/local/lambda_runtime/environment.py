"""One execution environment: an operating-system process, its Runtime API and its output.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from labkit.local.lambda_runtime.runtime_api import Invocation, RuntimeApi

INIT_LIMIT = 10.0
WORKER = Path(__file__).with_name("worker.py")
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

    def __init__(self, *, variables: dict[str, str], task_root: Path, log_stream: str, expires: float) -> None:
        self.log_stream = log_stream
        self.expires = expires
        self.stale = False
        self.idle_since = time.monotonic()
        self.invocations = 0
        self._variables, self._task_root = variables, task_root
        self._process: asyncio.subprocess.Process | None = None
        self._api = RuntimeApi()
        self._output: list[tuple[int, str]] = []
        self._marks: dict[str, asyncio.Event] = {}
        self._pump: asyncio.Task[None] | None = None
        self._ended: asyncio.Task[int] | None = None
        self._init_duration = 0.0

    @property
    def pid(self) -> int:
        """The process id, 0 before it was started."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start the process and wait until its runtime is initialised, or has failed to be."""
        started = time.perf_counter()
        address = await self._api.listen()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(WORKER), _site_packages(),
            cwd=self._task_root, env={**self._variables, "AWS_LAMBDA_RUNTIME_API": address},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            limit=LONGEST_LINE,
        )  # fmt: skip
        self._pump = asyncio.create_task(self._read_output(self._process))
        self._ended = asyncio.create_task(self._process.wait())
        awaited: set[asyncio.Future[Any]] = {self._api.initialised, self._ended}
        await asyncio.wait(awaited, timeout=INIT_LIMIT, return_when=asyncio.FIRST_COMPLETED)
        self._init_duration = (time.perf_counter() - started) * 1000

    async def invoke(self, invocation: Invocation, timeout: float) -> Outcome:
        """Run one invocation; whatever happens, an outcome comes back within *timeout* seconds and a little."""
        init_duration = None if self.invocations else self._init_duration
        self.invocations += 1
        failed = await self._init_failure(invocation)
        if failed:
            return self._outcome(invocation, failed[0], failed[1], 0.0, init_duration=init_duration)
        started = time.perf_counter()
        mark = self._marks[invocation.request_id] = asyncio.Event()
        self._api.offer(invocation)
        assert self._ended is not None
        awaited: set[asyncio.Future[Any]] = {invocation.result, self._ended}
        await asyncio.wait(awaited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        duration = (time.perf_counter() - started) * 1000
        if invocation.result.done():
            payload, error_type = invocation.result.result()
            await _within(mark.wait(), 0.5)
            del self._marks[invocation.request_id]
            return self._outcome(invocation, payload, error_type, duration, init_duration=init_duration)
        memory = self._memory()
        if self._ended.done():
            payload, error_type, status = _exit_error(invocation, self._ended.result())
        else:
            text = f"RequestId: {invocation.request_id} Error: Task timed out after {timeout:.2f} seconds"
            payload, error_type, status = _error("Sandbox.Timedout", text), "Sandbox.Timedout", "timeout"
            duration = timeout * 1000
        await self.end()
        outcome = self._outcome(invocation, payload, error_type, duration, init_duration=init_duration, memory=memory)
        outcome.status = status
        return outcome

    async def _init_failure(self, invocation: Invocation) -> tuple[bytes, str] | None:
        if self._api.initialised.done():
            failure = self._api.initialised.result()
            if failure is None:
                return None
            await self.end()
            return failure, str(json.loads(failure).get("errorType", "Runtime.InitError"))
        status = self._ended.result() if self._ended and self._ended.done() else None
        await self.end()
        if status is None:
            text = f"RequestId: {invocation.request_id} Error: Init timed out after {INIT_LIMIT:.2f} seconds"
            return _error("Sandbox.Timedout", text), "Sandbox.Timedout"
        payload, error_type, _ = _exit_error(invocation, status)
        return payload, error_type

    def _outcome(
        self,
        invocation: Invocation,
        payload: bytes,
        error_type: str,
        duration: float,
        *,
        init_duration: float | None,
        memory: int | None = None,
    ) -> Outcome:
        output, self._output = self._output, []
        memory = self._memory() if memory is None else memory
        return Outcome(payload, error_type, duration, init_duration, memory, "", output, self.alive)

    def _memory(self) -> int:
        try:
            return int(psutil.Process(self.pid).memory_info().rss / 2**20)
        except psutil.Error:
            return 0

    async def _read_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # a line longer than LONGEST_LINE: its beginning is dropped, the rest goes on
                continue
            if not line:
                break
            if line.startswith(b"\x01"):
                if mark := self._marks.get(line[1:-1].decode()):
                    mark.set()
                continue
            text = line.decode("utf-8", "replace").rstrip("\r\n").replace("\0", "\n")
            self._output.append((int(time.time() * 1000), text + "\n"))

    async def end(self) -> None:
        """Kill the process, read what it still wrote, and stop listening."""
        self._api.close()
        if self._process is None:
            return
        if self._process.returncode is None:
            try:
                self._process.kill()
            except ProcessLookupError:
                pass
        await _within(self._process.wait(), 1)
        if self._pump:
            await _within(asyncio.shield(self._pump), 0.2)
            self._pump.cancel()


def _site_packages() -> str:
    spec = importlib.util.find_spec("boto3")
    return str(Path(spec.origin).parent.parent) if spec and spec.origin else ""


async def _within(awaitable: Awaitable[object], seconds: float) -> None:
    try:
        await asyncio.wait_for(awaitable, seconds)
    except TimeoutError:
        pass


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
