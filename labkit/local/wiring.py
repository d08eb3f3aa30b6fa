"""How the local cloud is put together: read :func:`build` as the architecture diagram, each line one arrow.

Features do not import one another. What one needs of another it gets here, as a callable.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, Caller, HttpRequest, HttpResponse
from labkit.local.clock import Clock
from labkit.local.events import Events
from labkit.local.gateway import Forward, Gateway
from labkit.local.moto_app.app import MotoApp
from labkit.local.server import Routes, Server


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line decides."""

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
