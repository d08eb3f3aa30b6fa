"""Start, find and stop the local cloud. It is a process of its own, so that it outlives a kernel."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from labkit.exceptions import LabkitError

START_SECONDS = 20.0
STOP_SECONDS = 10.0
DEFAULT_PORT = 4566


def state_dir() -> Path:
    """Return the state directory: ``LABKIT_STATE_DIR``, else ``.labkit`` beside the notebooks' folder."""
    if chosen := os.environ.get("LABKIT_STATE_DIR"):
        return Path(chosen).absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "labkit").is_dir():
            return folder / ".labkit"
    return here / ".labkit"


def find(folder: Path | None = None) -> dict[str, Any] | None:
    """Return what ``local.json`` says of the local cloud that runs on *folder*, or ``None``."""
    try:
        described: dict[str, Any] = json.loads(((folder or state_dir()) / "local.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return described if health(described) else None


def health(described: dict[str, Any]) -> dict[str, Any] | None:
    """Return the answer of ``/_labkit/health``, or ``None`` when nobody answers."""
    try:
        return dict(json.loads(request(described, "/_labkit/health", timeout=2)))
    except (OSError, ValueError):
        return None


def page_url(described: dict[str, Any], page: str, **query: str) -> str:
    """Return the address at which a browser opens a page of the local cloud; it carries the token.

    Args:
        described: What :func:`find` returned.
        page: ``"inbox"``, ``"map"`` or ``"events"``.
        query: What else stands behind the question mark.
    """
    return f"{described['public_url']}/_labkit/{page}?{urlencode({**query, 'labkit-token': described['token']})}"


def request(described: dict[str, Any], path: str, *, method: str = "GET", timeout: float = 10) -> bytes:
    """Call a page of the local cloud with its token, never through a proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(  # noqa: S310  the address is the local cloud's own
        described["endpoint"] + path, method=method, headers={"X-Labkit-Token": described["token"]}
    )
    with opener.open(asked, timeout=timeout) as response:
        return bytes(response.read())


def start(folder: Path | None = None, options: list[str] | None = None) -> dict[str, Any]:
    """Start the local cloud, unless it runs, and return what ``local.json`` says.

    Args:
        folder: The state directory.
        options: Options of ``python -m labkit.local``. Without ``--port`` it is the port of the last time, else 4566,
            else a free one.

    Raises:
        LabkitError: It did not start; the message holds what it said.
    """
    folder = folder or state_dir()
    options = options or []
    if running := find(folder):
        if "--reset" not in options:
            return running
        stop(folder)
    with_port = any(option.startswith("--port") for option in options)
    failure = _start_once(folder, options)
    for port in () if with_port else (DEFAULT_PORT, 0):
        if "cannot listen" in failure:
            failure = _start_once(folder, ["--port", str(port), *options])
    described = _wait(folder) if not failure or "already runs" in failure else None
    if described is None:
        raise LabkitError(
            f"the local cloud did not start: {failure or 'it did not answer'}; its log is {folder / 'local.log'}; "
            "see docs/troubleshooting.md#local-cloud-did-not-start"
        )
    if described.get("set_aside"):
        print(f"the local cloud begins empty: {described['set_aside']}; see docs/troubleshooting.md#state-unreadable")
    return described


def _start_once(folder: Path, options: list[str]) -> str:
    """Start the process; return ``""`` when it is ready, else what it said."""
    log = folder / "local.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        log.touch()
    except OSError as error:
        return _cannot_be_written(folder, error)
    detached: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        detached = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    before = log.stat().st_size
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "labkit.local", "--state-dir", str(folder), *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            **detached,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = log.read_bytes()[before:].decode(errors="replace").strip()
            said = said.rpartition("labkit.local: error: ")[2]  # argparse puts its whole usage before what is wrong
            return said or _unwritable(folder) or f"exit code {process.returncode}"
        if (described := find(folder)) and described.get("pid") == process.pid:
            process.returncode = 0  # it outlives this process: nobody here waits for it
            return ""
        time.sleep(0.02)
    process.kill()
    return f"it did not answer within {START_SECONDS:g} s"


def _unwritable(folder: Path) -> str:
    """Say that nothing can be written to *folder*, ``""`` else: who cannot write cannot say why it ended."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(2**16))
    except OSError as error:
        return _cannot_be_written(folder, error)
    return ""


def _cannot_be_written(folder: Path, error: OSError) -> str:
    return (
        f"the state directory {folder} cannot be written ({error.strerror}); make room there, or "
        "choose another by the variable LABKIT_STATE_DIR"
    )


def _wait(folder: Path) -> dict[str, Any] | None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if described := find(folder):
            return described
        time.sleep(0.05)
    return None


@contextlib.contextmanager
def as_before() -> Iterator[bool]:
    """End the local cloud afterwards, unless it runs now: who starts it ends it. Give whether it runs now."""
    ran_before = find() is not None
    try:
        yield ran_before
    finally:
        if not ran_before:
            stop()


def stop(folder: Path | None = None) -> bool:
    """End the local cloud; return whether one ran.

    Raises:
        LabkitError: It still answers after 10 s.
    """
    described = find(folder)
    if described is None:
        return False
    request(described, "/_labkit/shutdown", method="POST")
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if health(described) is None and not ((folder or state_dir()) / "local.json").exists():
            _reap(described["pid"], deadline)
            return True
        time.sleep(0.02)
    raise LabkitError(
        f"the local cloud (pid {described.get('pid')}) still answers after {STOP_SECONDS:g} s; end it by its pid; "
        "see docs/troubleshooting.md#still-answers"
    )


def _reap(pid: int, deadline: float) -> None:
    """Let the system forget a child that ends; elsewhere than on POSIX it does so by itself."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(ChildProcessError):  # another process started it
        while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.02)
