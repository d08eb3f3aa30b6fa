"""What happens in the local cloud, as lines of its log and as a stream that a browser can watch."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

WRITING = 0.05


class Events:
    """Emit an event once; it becomes a log line and reaches everybody who watches.

    A watcher that does not keep up misses the oldest events, and never slows the local cloud down.
    """

    def __init__(self, *, log: TextIO | None = None, backlog: int = 1000) -> None:
        self._log = log if log is not None else sys.stderr
        self._watchers: list[asyncio.Queue[dict[str, Any]]] = []
        self._recent: deque[str] = deque(maxlen=backlog)
        self._backlog = backlog
        self._unwritten: list[str] = []
        self.count = 0

    def emit(self, kind: str, **fields: Any) -> None:
        """Tell of something that happened: *kind* such as ``"api"``, and fields that JSON can hold."""
        now = time.time()
        self.count += 1
        self._write(f"{datetime.fromtimestamp(now, UTC):%H:%M:%S}.{int(now * 1000) % 1000:03d} {_line(kind, fields)}")
        if self._watchers:
            event = {"kind": kind, "at": now, **fields}
            for watcher in self._watchers:
                if watcher.full():
                    watcher.get_nowait()
                watcher.put_nowait(event)

    def _write(self, line: str) -> None:
        self._recent.append(line)
        self._unwritten.append(line)
        if len(self._unwritten) == 1:
            try:
                asyncio.get_running_loop().call_later(WRITING, self.flush)
            except RuntimeError:  # no loop runs: at the start, at the end and in tests
                self.flush()

    def flush(self) -> None:
        """Write what was not written yet; many lines cost hardly more than one."""
        lines, self._unwritten = self._unwritten, []
        try:
            self._log.write("".join(f"{line}\n" for line in lines))
            self._log.flush()
        except (OSError, ValueError):  # a full disk or a closed terminal must not stop the cloud
            pass

    @property
    def recent(self) -> list[str]:
        """The newest log lines, oldest first."""
        return list(self._recent)

    @contextlib.contextmanager
    def watch(self) -> Iterator[asyncio.Queue[dict[str, Any]]]:
        """Give a queue on which every event is put from now on."""
        watcher: asyncio.Queue[dict[str, Any]] = asyncio.Queue(self._backlog)
        self._watchers.append(watcher)
        try:
            yield watcher
        finally:
            self._watchers.remove(watcher)


def _line(kind: str, fields: dict[str, Any]) -> str:
    if kind == "api":
        error = f" {fields['error']}" if fields.get("error") else ""
        return (
            f"{fields['status']} {fields['service']}:{fields['operation']}{error}"
            f" {fields['milliseconds']:.1f} ms {fields['caller']}"
        )
    return f"{kind}: " + " ".join(f"{name}={value}" for name, value in fields.items())
