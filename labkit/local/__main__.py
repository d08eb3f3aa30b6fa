"""``python -m labkit.local``: the local cloud as one process of its own.

Exit codes: 0 ended on request, 2 could not start (the one line on stderr says why).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import uvicorn

from labkit import __version__
from labkit.local.state_dir import AlreadyRunning, StateDir

if TYPE_CHECKING:
    from labkit.local.local_cloud import LocalCloud, Settings

DEFAULT_PORT = 4566
IDLE_ON_A_HUB = 3600.0  # seconds


class CannotStart(Exception):
    """Something outside the local cloud keeps it from starting; the message says what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Run the local cloud until it is told to stop."""
    options = _options(arguments)
    try:
        with StateDir(Path(options.state_dir)) as state_dir:
            listener = _listen(options.host, _port(options.port, state_dir))
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(_serve(options, state_dir, listener))
    except (CannotStart, AlreadyRunning) as error:
        _say(error, sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m labkit.local", description="The local cloud of labkit.")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, help=f"0 picks a free one (default: the one of the last time, else {DEFAULT_PORT})"
    )
    parser.add_argument("--state-dir", default=".labkit", help="where keys, logs and mails live (default: %(default)s)")
    parser.add_argument(
        "--time-scale", type=float, default=60.0, help="divides the waits that AWS fixes (default: %(default)s)"
    )
    parser.add_argument("--smtp", metavar="HOST:PORT", help="a mail relay instead of the local cloud's own inbox")
    parser.add_argument("--access-key", help="the administrator's access key (default: random per state directory)")
    parser.add_argument("--secret-key", help="the administrator's secret key")
    parser.add_argument("--max-environments", type=int, default=4, help="processes per function (default: %(default)s)")
    parser.add_argument(
        "--concurrency", type=int, default=1000, help="the account's concurrency (default: %(default)s)"
    )
    parser.add_argument("--allow-host", action="append", default=[], help="a further Host name to answer to")
    parser.add_argument("--reset", action="store_true", help="begin empty, and forget what was there")
    parser.add_argument("--no-state", action="store_true", help="keep nothing: all is gone when it ends")
    options = parser.parse_args(arguments)
    if options.time_scale <= 0:
        parser.error("--time-scale must be greater than 0")
    if bool(options.access_key) != bool(options.secret_key):
        parser.error("--access-key and --secret-key go together")
    return options


def _port(wanted: int | None, state_dir: StateDir) -> int:
    if wanted is not None:
        return wanted
    return state_dir.port or DEFAULT_PORT


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio's own loop (Windows) sets TCP_NODELAY only where the protocol is named; without it answers take 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":  # on Windows this option would let two servers share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)  # who comes before everything is restored waits instead of being refused
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"the local cloud cannot listen on {host}:{port} ({error.strerror}); choose another: labkit up --port 0"
        ) from error
    return listener


def _loop_factory() -> Any:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


async def _serve(options: argparse.Namespace, state_dir: StateDir, listener: socket.socket) -> None:
    from labkit.local.front_door.http_protocol import SpelledAsSent
    from labkit.local.front_door.public_address import public_address
    from labkit.local.local_cloud import Settings

    port = listener.getsockname()[1]
    keys = state_dir.administrator_keys(options.access_key, options.secret_key)
    settings = Settings(
        endpoint=f"http://{_in_url(options.host)}:{port}",
        state_dir=state_dir.path,
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        token=keys.token,
        time_scale=options.time_scale,
        smtp=options.smtp or os.environ.get("LABKIT_SMTP_URL", "").removeprefix("smtp://") or None,
        max_environments=options.max_environments,
        concurrency=options.concurrency,
        allowed_hosts=frozenset(host.lower() for host in options.allow_host),
        version=__version__,
        public=public_address(os.environ, f"http://{_in_url(options.host)}:{port}", port),
        journal=None if options.no_state else state_dir.journal,
    )
    stop = asyncio.Event()
    if options.reset:
        state_dir.forget()
    with state_dir.written():
        cloud, set_aside = await _restored(settings, state_dir, stop)
    config = uvicorn.Config(
        cloud.server, http=SpelledAsSent, ws="none", lifespan="off", log_level="error", access_log=False,
        timeout_graceful_shutdown=1, timeout_keep_alive=75, server_header=False,
        interface="asgi3", proxy_headers=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on the loop: Ctrl-C interrupts
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
    serving = asyncio.create_task(_serve_without_signals(server, listener))
    await cloud.start()
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    facts = {"pid": os.getpid(), "port": port, "version": __version__, "set_aside": set_aside}
    state_dir.write_local_json({**cloud.description(), **facts})
    _say(f"labkit's local cloud is ready on {settings.endpoint} (pid {os.getpid()})")
    idle = asyncio.create_task(_stop_when_idle(cloud.server, stop))
    await stop.wait()
    idle.cancel()
    server.should_exit = True
    await cloud.keep()
    state_dir.remove_local_json()
    await asyncio.wait_for(cloud.close(), 2)
    server.force_exit = True
    await serving


async def _restored(settings: Settings, state_dir: StateDir, stop: asyncio.Event) -> tuple[LocalCloud, str]:
    """Return a local cloud that goes on from what was kept; if that cannot be read, an empty one, and what to tell."""
    from labkit.local.durability.journal_file import Unreadable
    from labkit.local.wiring import build

    cloud = build(settings, stop=stop.set)
    told = ""
    try:
        await cloud.restore()
    except Unreadable as error:
        await cloud.forget()  # Windows gives no other name to a file that is open
        told = state_dir.set_aside(error)
        _say(f"the local cloud begins empty: {told}")
        cloud = build(settings, stop=stop.set)
        await cloud.restore()
    return cloud, told


async def _serve_without_signals(server: uvicorn.Server, listener: socket.socket) -> None:
    await server._serve([listener])  # Server.serve() would take over the signals


def idle_exit(environment: Mapping[str, str]) -> float:
    """Return the seconds without a request after which the local cloud ends itself; 0 is never.

    ``LABKIT_IDLE_EXIT`` says so. Under a JupyterHub, whose stopping of a person's server leaves the local cloud as it
    is, an hour is the default.
    """
    default = IDLE_ON_A_HUB if environment.get("JUPYTERHUB_SERVICE_PREFIX") else 0
    return float(environment.get("LABKIT_IDLE_EXIT") or default)


async def _stop_when_idle(server: Any, stop: asyncio.Event) -> None:
    seconds = idle_exit(os.environ)
    if seconds <= 0:
        return None
    seen, since = -1, time.monotonic()
    while True:
        if server.requests != seen:
            seen, since = server.requests, time.monotonic()
        elif time.monotonic() - since >= seconds:
            _say(f"no request for {seconds:g} s (LABKIT_IDLE_EXIT): ending")
            return stop.set()
        await asyncio.sleep(min(seconds / 4, 5))


def _say(what: object, where: TextIO | None = None) -> None:
    with contextlib.suppress(OSError):  # on a full disk the log takes nothing
        print(what, file=where or sys.stdout, flush=True)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    sys.exit(main())
