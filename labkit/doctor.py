"""Look whether this computer is fit for the course: say what is wrong, with its remedy, and how much is right."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import os
import shutil
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from labkit import __version__, local_process
from labkit.cloud import connect, is_connected
from labkit.exceptions import LabkitError
from labkit.settings import resolve_settings

MEMORY = 1.2e9
DISK = 0.5e9


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; *problem* is empty when it is fine, else what was seen and what to do."""

    what: str
    problem: str = ""


def doctor() -> None:
    """Print each thing that is wrong with its remedy, and one line that counts what is right.

    On the local cloud it starts that cloud if it does not run, since this is what is looked at.

    See Also:
        ``labkit doctor`` in a terminal: the same, and exit code 1 when something is wrong.
    """
    report(examine())


def report(findings: list[Finding]) -> bool:
    """Print the findings as :func:`doctor` does; return whether all are fine."""
    problems = [finding for finding in findings if finding.problem]
    for finding in problems:
        print(f"✗ {finding.what}: {finding.problem}")
    fine = f"{len(findings) - len(problems)} of {len(findings)} checks are fine"
    print(f"{fine}: this computer is ready" if not problems else f"{fine}; mend what is marked ✗, then look again")
    return not problems


def examine() -> list[Finding]:
    """Return what was looked at, in order."""
    try:
        cloud = resolve_settings({})["cloud"]
    except LabkitError as error:
        return [Finding("your settings", str(error))]
    looks: list[tuple[str, Callable[[], str]]] = [
        ("Python", _python),
        ("the installed packages", _packages),
        ("the folder of labkit's state", _state_folder),
        ("free space on the disk", _disk),
        ("free memory", _memory),
    ]
    if cloud == "local":
        looks += [
            ("the local cloud", _local_cloud),
            ("the version of the local cloud", _local_version),
            ("the name localhost, which the browser uses", _localhost),
            ("proxies", _proxy),
        ]
    looks.append(("a request to the cloud", _request))
    return [Finding(what, look()) for what, look in looks]


def _python() -> str:
    if tuple(sys.version_info) >= (3, 11):
        return ""
    found = ".".join(map(str, sys.version_info[:3]))
    return f"this is Python {found}, and labkit needs 3.11 or newer; install it, then: make install"


def _packages() -> str:
    missing = sorted(_missing_packages())
    if not missing:
        return ""
    return f"not there, or too old: {', '.join(missing)}; install them with: pip install -r requirements.lock"


def _missing_packages() -> Iterator[str]:
    from packaging.requirements import Requirement

    for text in importlib.metadata.requires("labkit") or []:
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield requirement.name
            continue
        if version not in requirement.specifier:
            yield f"{requirement.name} {version} (needs {requirement.specifier})"


def _state_folder() -> str:
    folder = local_process.state_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f"doctor-{os.getpid()}"
        probe.write_text("x", encoding="utf-8")
        probe.unlink()
    except OSError as error:
        return f"{folder} cannot be written ({error}); choose another by the variable LABKIT_STATE_DIR"
    return ""


def _disk() -> str:
    free = shutil.disk_usage(_existing(local_process.state_dir())).free
    return "" if free >= DISK else f"{free / 1e9:.1f} GB are free, {DISK / 1e9:.1f} are needed; delete something large"


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)


def _memory() -> str:
    import psutil

    free = psutil.virtual_memory().available
    return "" if free >= MEMORY else f"{free / 1e9:.1f} GB are free, {MEMORY / 1e9:.1f} are needed; close a program"


def _local_cloud() -> str:
    try:
        local_process.start()
    except LabkitError as error:
        return str(error)
    return ""


def _local_version() -> str:
    described = local_process.find()
    running = (local_process.health(described) or {}).get("version", "unknown") if described else "none"
    if running == __version__:
        return ""
    return f"it is {running}, and labkit here is {__version__}; end it with: labkit down, then connect again"


def _localhost() -> str:
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo("localhost", None)}
    except OSError as error:
        return f"it leads nowhere ({error}); add the line «127.0.0.1 localhost» to this computer's hosts file"
    if "127.0.0.1" in found:
        return ""
    return f"it leads to {', '.join(sorted(found))}; add the line «127.0.0.1 localhost» to this computer's hosts file"


def _proxy() -> str:
    """A proxy that also takes what is meant for this computer hides the local cloud from kernel and browser."""
    through = [name for name in ("127.0.0.1", "localhost") if not urllib.request.proxy_bypass(name)]
    if not urllib.request.getproxies().keys() & {"http", "all"} or not through:
        return ""
    return (
        f"requests to {' and '.join(through)} would go through a proxy; "
        "set the variable NO_PROXY to 127.0.0.1,localhost before you start JupyterLab, and say the same to the browser"
    )


def _request() -> str:
    try:
        if not is_connected():
            with contextlib.redirect_stdout(io.StringIO()):
                connect()
        boto3.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        return f"get_caller_identity got no answer: {error}"
    except LabkitError as error:
        return str(error)
    return ""
