"""The operating-system process of an execution environment: its output, line by line, and its end."""

from __future__ import annotations

import asyncio
import os
import time
from typing import cast

import psutil

from labkit.local.lambda_runtime.runtime_api import Invocation

LONGEST_LINE = 2**22
INIT_IS_COMPLETE = b"\x01init"
LogEvent = tuple[int, str]


class Process(asyncio.SubprocessProtocol):
    """A process; *ended* is done when it has ended, with *status*, and *init_output* is what it wrote before any call.

    A line that begins with byte 1 is none of the output: it says that the output of the init phase, or of the
    invocation that it names, is complete.
    """

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

    async def output_is_complete(self) -> None:
        """Wait a moment until all that the invocation wrote is here: output and answer come by different ways."""
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

    def why_ended(self) -> str:
        """Say how it ended, in Lambda's words."""
        if not self.status:
            return "exited without providing a reason"
        by_signal = self.status < 0 and os.name == "posix"
        return f"exited with error: {f'signal: {-self.status}' if by_signal else f'exit status {self.status}'}"

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
