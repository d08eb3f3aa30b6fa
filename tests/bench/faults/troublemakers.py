"""Faults from outside, each in a thread that counts how often it happened: kills, clients that leave, mail, disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psutil
from aiosmtpd.smtp import SMTP

Trouble = Callable[[Counter[str]], None]


class Relay:
    """A mail relay that can be down; *mails* is what it received."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = 0
        self.up()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a mail."""
        self.mails.append(envelope.content)
        return "250 OK"

    def up(self) -> None:
        """Listen, on the same port as before."""

        async def listen() -> None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: SMTP(self, loop=loop), "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

        asyncio.run_coroutine_threadsafe(listen(), self._loop).result(10)

    def down(self) -> None:
        """Refuse connections."""

        async def close() -> None:
            if self._server:
                self._server.close()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)

    def end(self) -> None:
        """Stop for good."""
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def kill_functions(cloud: psutil.Process) -> Trouble:
    """Kill one function process, whatever it does."""

    def trouble(counts: Counter[str]) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            if workers := cloud.children():
                random.choice(workers).kill()
                counts["function process killed"] += 1

    return trouble


def leave_early(url: str, visit: Callable[[], bytes]) -> Trouble:
    """Send a part of a request, or all of it, and go away before the answer."""
    address = urlsplit(url)

    def trouble(counts: Counter[str]) -> None:
        body = visit()
        head = f"POST {address.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        sent = random.choice([head[:20], head + body[:30], head + body])
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(sent)
        counts["client left early"] += 1

    return trouble


def read_slowly(endpoint: str, path: str) -> Trouble:
    """Ask for much, read a little, and wait."""
    address = urlsplit(endpoint)

    def trouble(counts: Counter[str]) -> None:
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
            first = connection.recv(300)
            time.sleep(0.4)
        assert b" 200 " in first, first
        counts["slow reader"] += 1

    return trouble


def relay_down(relay: Relay, publish: Callable[[], Any]) -> Trouble:
    """Take the relay away while a message is published, and bring it back."""

    def trouble(counts: Counter[str]) -> None:
        relay.down()
        publish()
        time.sleep(0.2)
        relay.up()
        counts["relay down"] += 1

    return trouble


def disk_full(pid: int) -> Trouble:
    """Let no file grow for a moment, as on a full disk (Linux alone can do that to another process)."""

    def trouble(counts: Counter[str]) -> None:
        import resource

        unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)  # type: ignore[attr-defined]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited[1]))  # type: ignore[attr-defined]
        time.sleep(0.2)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)  # type: ignore[attr-defined]
        counts["disk full"] += 1

    return trouble


DISK_CAN_BE_FILLED = sys.platform == "linux"


@contextlib.contextmanager
def making(troubles: dict[Trouble, float], counts: Counter[str], least: int) -> Iterator[None]:
    """Make each trouble again and again, *seconds* apart, until the block ends and each happened *least* times."""
    stop = threading.Event()
    failed: list[BaseException] = []

    def repeat(trouble: Trouble, seconds: float) -> None:
        times = 0
        try:
            while not stop.is_set() or times < least:
                trouble(counts)
                times += 1
                time.sleep(seconds * random.uniform(0.5, 1.5))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=repeat, args=entry, daemon=True) for entry in troubles.items()]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    if failed:
        raise failed[0]


def visit_body(customer: str, category: str = "Shoes") -> bytes:
    """A visit as the form sends it."""
    return json.dumps(
        {
            "ProductId": "P-1", "ProductName": "Trail Shoe", "Category": category, "PricePerUnit": "89.90",
            "CustomerId": customer, "CustomerName": "Ada", "TimeOfVisit": f"2026-01-15T{random.randrange(3):02}:22:31Z",
        }
    ).encode()  # fmt: skip
