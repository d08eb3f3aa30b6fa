"""A local cloud in a thread of this process, for what needs its insides: snapshots and measurements."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import boto3
import uvicorn
from botocore.config import Config

from labkit.local.front_door.http_protocol import SpelledAsSent
from labkit.local.front_door.public_address import PublicAddress
from labkit.local.local_cloud import LocalCloud, Settings
from labkit.local.moto_app.state import MotoState
from labkit.local.wiring import build

T = TypeVar("T")


def settings_for_tests(state_dir: Path, endpoint: str, **settings: Any) -> Settings:
    """The settings of a local cloud on *endpoint*; *settings* replaces some."""
    usual = {
        "endpoint": endpoint, "state_dir": state_dir, "access_key": "AKIATEST", "secret_key": "secret",
        "token": "token", "time_scale": 60.0, "smtp": None, "max_environments": 2, "concurrency": 1000,
        "allowed_hosts": frozenset(), "version": "test", "public": PublicAddress(endpoint, endpoint),
    }  # fmt: skip
    return Settings(**usual | settings)


class InProcessCloud:
    """A running local cloud: *parts* is what ``build()`` returned, *run* reaches its event loop."""

    def __init__(self, state_dir: Path, **settings: Any) -> None:
        state_dir.mkdir(parents=True, exist_ok=True)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._settings = settings_for_tests(state_dir, self.endpoint, **settings)
        self.parts: LocalCloud
        self._listener = listener
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.parts = build(self._settings, stop=self._stop.set)
        config = uvicorn.Config(
            self.parts.server, http=SpelledAsSent, ws="none", lifespan="off", log_level="error", interface="asgi3"
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve([self._listener]))
        await self.parts.restore()
        await self.parts.start()
        while not server.started:
            await asyncio.sleep(0.005)
        self._ready.set()
        await self._stop.wait()
        server.should_exit = True
        await self.parts.close()
        server.force_exit = True
        await serving

    def run(self, function: Callable[[LocalCloud], T | Awaitable[T]]) -> T:
        """Call *function* on the event loop, where nothing else runs meanwhile until it awaits."""

        async def call() -> T:
            result = function(self.parts)
            return await result if asyncio.iscoroutine(result) else result  # type: ignore[return-value]

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(60)

    def client(self, service: str, **keys: Any) -> Any:
        """A boto3 client of the administrator, or of who owns *keys*."""
        keys = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "secret"} | keys
        config = Config(retries={"total_max_attempts": 1})
        return boto3.client(service, endpoint_url=self.endpoint, region_name="us-east-1", config=config, **keys)

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


@contextlib.contextmanager
def in_process(state_dir: Path, **settings: Any) -> Iterator[InProcessCloud]:
    """Yield a local cloud that ends with the block."""
    cloud = InProcessCloud(state_dir, **settings)
    if settings.get("journal"):
        cloud.run(lambda parts: MotoState(parts.moto).reset())
    try:
        yield cloud
    finally:
        if settings.get("journal"):  # moto's state is the process's, and a later test begins with none
            cloud.run(lambda parts: parts.durability.forget())
        cloud.close()
