"""``.labkit/progress.json``: what was built, run and solved. A local file; nothing is ever sent anywhere."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from labkit import local_process
from labkit.exceptions import LabkitError

# {"labs": {"local/lab": {"created_at": "…"}}, "notebooks": {"05": {"core": true, "last_run": "…",
#  "exercises": {"1": "correct"}, "built": {"cloud": …, "lab_id": …, "instance": …}, "facts": {…}}}}
Progress = dict[str, dict[str, Any]]


def path() -> Path:
    """Return where the file is; a headless run keeps its own, which ``LABKIT_PROGRESS`` names."""
    return Path(os.environ.get("LABKIT_PROGRESS") or local_process.state_dir() / "progress.json")


def read() -> Progress:
    """Return its content; empty when nothing was done yet.

    Raises:
        LabkitError: It cannot be read.
    """
    try:
        content = json.loads(path().read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        content = {}
    except (OSError, ValueError) as error:
        raise LabkitError(f"{path()} cannot be read ({error}); delete it to start counting anew") from None
    return {"labs": content.get("labs", {}), "notebooks": content.get("notebooks", {})}


def change(edit: Callable[[Progress], None]) -> Progress:
    """Read the file, let *edit* change the content, write it back; two kernels may do so at once."""
    path().parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path().with_suffix(".lock"), timeout=10):
        content = read()
        before = json.dumps(content)
        edit(content)
        if json.dumps(content) != before:
            temporary = path().with_suffix(f".{os.getpid()}.tmp")
            temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            os.replace(temporary, path())
    return content


def change_notebook(number: str, edit: Callable[[dict[str, Any]], None]) -> None:
    """Let *edit* change what is kept of one notebook; the time of the last run is set as well."""

    def both(content: Progress) -> None:
        entry = content["notebooks"].setdefault(number, {})
        edit(entry)
        entry["last_run"] = now()

    change(both)


def created_at(lab: str) -> str:
    """Return since when a lab such as ``"local/lab"`` exists, the same in every kernel; from now on if it is new."""
    content = change(lambda progress: progress["labs"].setdefault(lab, {}).setdefault("created_at", now()))
    return str(content["labs"][lab]["created_at"])


def now() -> str:
    """Return the time as AWS writes it: ISO 8601, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def forget_outcomes() -> None:
    """Forget what was done and solved, but not what was built, nor since when a lab exists."""

    def edit(content: Progress) -> None:
        for number, entry in content["notebooks"].items():
            content["notebooks"][number] = {key: value for key, value in entry.items() if key == "built"}

    change(edit)
