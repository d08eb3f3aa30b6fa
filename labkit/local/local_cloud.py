"""The local cloud as a whole: what it is asked to be, and the parts that ``wiring.build()`` connected."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from labkit.local.api_call import ACCOUNT_ID
from labkit.local.durability.durability import Durability
from labkit.local.front_door.gateway import Gateway
from labkit.local.front_door.public_address import PublicAddress
from labkit.local.front_door.server import Server
from labkit.local.mailbox import Mails
from labkit.local.moto_app.app import MotoApp


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line decides; *smtp* is ``HOST:PORT`` of a relay or ``None`` for the own inbox.

    *journal* is the file that everything is kept in, ``None`` to keep nothing.
    """

    endpoint: str
    state_dir: Path
    access_key: str
    secret_key: str
    token: str
    time_scale: float
    smtp: str | None
    max_environments: int
    concurrency: int
    allowed_hosts: frozenset[str]
    version: str
    public: PublicAddress
    journal: Path | None = None


class Feature(Protocol):
    """A part that keeps state: *snapshot* is what JSON can hold, and bytes; *restore* goes on from it."""

    def snapshot(self) -> Any: ...  # noqa: D102
    def restore(self, state: Any) -> None: ...  # noqa: D102


class DescribedFeature(Feature, Protocol):
    """One that the health page counts: its resources, and what is under way."""

    def description(self) -> dict[str, Any]: ...  # noqa: D102


class LocalCloud:
    """The parts that were built, to be started, described and closed; *features* in the order they are restored."""

    def __init__(
        self,
        settings: Settings,
        server: Server,
        gateway: Gateway,
        moto: MotoApp,
        mails: Mails,
        *,
        durability: Durability,
        features: dict[str, Feature],
        starting: list[Callable[[], Awaitable[None]]],
        keeping: list[Callable[[], Awaitable[None]]],
        closing: list[Callable[[], Any]],
    ) -> None:
        self.server, self.gateway, self.features, self.moto = server, gateway, features, moto
        self.durability = durability
        self._settings, self._mails = settings, mails
        self._starting, self._keeping, self._closing = starting, keeping, closing
        self._importing: asyncio.Task[None] | None = None

    async def restore(self) -> None:
        """Go on from what an earlier process kept; where there is nothing, begin with an empty inbox.

        Raises:
            Unreadable: What was kept is damaged, or of another version. This local cloud is then good for nothing more
                than to be closed.
            OSError: Nothing can be kept.
        """
        await self._mails.start()
        if not await self.durability.restore():
            self._mails.mailbox.clear()

    async def start(self) -> None:
        """Begin what runs by itself."""
        for start in self._starting:
            await start()
        self._importing = asyncio.create_task(self.moto.import_backends())

    def description(self) -> dict[str, Any]:
        """Return what ``local.json`` tells clients."""
        settings = self._settings
        return {
            "endpoint": settings.endpoint,
            "access_key": settings.access_key,
            "secret_key": settings.secret_key,
            "token": settings.token,
            "account_id": ACCOUNT_ID,
            "time_scale": settings.time_scale,
            "smtp_port": self._mails.port,
            "public_url": settings.public.url,
            "state_id": self.durability.state_id,
        }

    async def keep(self) -> None:
        """Keep everything as it is now: what happens from now on is lost."""
        try:
            for write in self._keeping:
                await write()
        finally:
            await self.durability.close()

    async def forget(self) -> None:
        """End what could not go on, with what is half restored of moto's."""
        await self.close()
        await self.durability.forget()

    async def close(self) -> None:
        """End every part, function processes first."""
        if self._importing:
            self._importing.cancel()
        for close in self._closing:
            result = close()
            if result is not None:
                await result
        self.moto.close()
