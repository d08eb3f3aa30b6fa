"""The day before a class: what ``labkit doctor --class`` looks at beside the doctor's list, and go or no-go."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from labkit import course
from labkit.doctor import Finding, examine

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "firefox", "msedge", "brave-browser")
RUN_SECONDS = 1800


def examine_class(*, run: Callable[[], str] | None = None) -> list[Finding]:
    """Return the doctor's findings, then those of a class: browser, wheelhouse, and one full headless run.

    Args:
        run: Runs all notebooks and returns what went wrong, ``""`` for nothing; ``labkit run`` without it.
    """
    found = examine()
    found.append(Finding("a browser", browser()))
    found.append(Finding("the wheelhouse, for an installation without network", wheelhouse(_checkout())))
    if any(one.problem for one in found[:-2]):
        return [*found, Finding("one full headless run", "not tried: mend what is marked above first")]
    return [*found, Finding("one full headless run", (run or headless_run)())]


def browser() -> str:
    """Return what is wrong with the browser."""
    if any(shutil.which(name) for name in BROWSERS) or sys.platform in ("win32", "darwin"):
        return ""
    try:
        webbrowser.get()
    except webbrowser.Error:
        return (
            "none was found; install Firefox or Chromium, or, where people open JupyterLab from another computer, "
            "set LABKIT_PUBLIC_URL to the address under which they reach this one"
        )
    return ""


def wheelhouse(checkout: Path) -> str:
    """Return what the folder ``wheelhouse`` lacks for ``pip install --no-index --find-links wheelhouse``."""
    folder, remedy = checkout / "wheelhouse", "pip download -r requirements.lock -d wheelhouse"
    if not folder.is_dir():
        return f"there is no folder {folder.name} in {checkout}; fill one while there is a network: {remedy}"
    lock = (checkout / "requirements.lock").read_text(encoding="utf-8")
    wanted = [Requirement(line) for line in lock.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    here = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    have = {
        (str(wheel[0]), str(wheel[1])) for wheel in (parse_wheel_filename(path.name) for path in folder.glob("*.whl"))
    }
    have |= {(canonicalize_name(n), v) for n, v in re.findall(r"^(.+)-([^-]+)\.tar\.gz$", _names(folder), re.MULTILINE)}
    missing = [str(one) for one in here if not _satisfied(one, have)]
    if not missing:
        return ""
    return f"{len(missing)} of {len(here)} packages are not in it, such as {missing[0]}; fill it: {remedy}"


def headless_run() -> str:
    """Run all notebooks as a class would, under a LAB_ID of its own; return the last line when one failed."""
    out = _checkout() / "build" / "class"
    print("one full headless run, some minutes:", flush=True)
    failure = last_line_of_failure(
        [sys.executable, "-m", "labkit.cli", "run", "--lab-id", "class-check", "--fresh", "--out", str(out)]
    )
    return f"{failure}; the executed notebooks are in {out}" if failure else ""


def last_line_of_failure(command: list[str]) -> str:
    """Run *command*, print what it says as it comes, and return its last line, ``""`` when it succeeded."""
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        too_long = threading.Timer(RUN_SECONDS, process.kill)
        too_long.daemon = True  # Ctrl-C ends this command, not only the run
        too_long.start()
        said = [_told(line) for line in process.stdout or () if line.strip()]
    too_long.cancel()
    if process.returncode == 0:
        return ""
    if time.monotonic() - started >= RUN_SECONDS:
        return f"not finished after {RUN_SECONDS // 60} minutes; try one notebook: labkit run 01"
    return said[-1] if said else "it said nothing"


def _told(line: str) -> str:
    print(f"  {line}", end="", flush=True)
    return line.strip()


def verdict(findings: list[Finding]) -> str:
    """Return the last line: go, or no-go and how much is to be mended."""
    problems = sum(bool(one.problem) for one in findings)
    return "GO: this computer is ready for the class" if not problems else f"NO-GO: {problems} to mend, marked ✗ above"


def _checkout() -> Path:
    return course.notebooks_folder().parent


def _names(folder: Path) -> str:
    return "\n".join(path.name for path in folder.iterdir())


def _satisfied(wanted: Requirement, have: set[tuple[str, str]]) -> bool:
    return any(name == canonicalize_name(wanted.name) and version in wanted.specifier for name, version in have)
