"""A clean copy of a notebook; the learner's own stays beside it under another name."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from pathlib import Path

from labkit import course, local_process
from labkit.exceptions import LabkitError


def restore(number: str) -> Path:
    """Put the original of a notebook back, and keep what was there as ``06_…-mine-1.ipynb``.

    The original is the one committed in this checkout; without git, the one that ``labkit lab`` kept when it opened
    JupyterLab for the first time.

    Args:
        number: The notebook, such as ``"06"``.

    Returns:
        Where the learner's own notebook is now; the notebook itself when it is the original already.

    Raises:
        LabkitError: There is no original.
    """
    folder = course.notebooks_folder()
    original_name, original = _original(folder, str(number).zfill(2))
    path = folder / original_name
    if path.exists() and path.read_bytes() == original:
        return path
    kept = path
    if path.exists():
        numbered = (path.with_name(f"{path.stem}-mine-{count}.ipynb") for count in itertools.count(1))
        kept = next(one for one in numbered if not one.exists())
        shutil.copy2(path, kept)
    path.write_bytes(original)
    return kept


def keep_originals() -> None:
    """Copy the notebooks into the state directory, where there is no git to ask; those kept before stay."""
    folder = course.notebooks_folder()
    if _git(folder, "rev-parse", "--is-inside-work-tree") is not None:
        return
    originals = _originals()
    originals.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("[0-9][0-9]_*.ipynb"):
        if not course.is_own_copy(path) and not (originals / path.name).exists():
            shutil.copy2(path, originals / path.name)


def _original(folder: Path, number: str) -> tuple[str, bytes]:
    listed = _git(folder, "ls-tree", "--name-only", "HEAD", "./")
    names = listed.decode().split() if listed else [path.name for path in _originals().glob("*.ipynb")]
    known = sorted(name for name in names if re.fullmatch(r"\d\d_\w+\.ipynb", name))
    found = next((name for name in known if name.startswith(f"{number}_")), None)
    if found is None:
        raise LabkitError(
            f"there is no original of notebook {number}; "
            + (f"there are: {', '.join(name[:2] for name in known)}" if known else "download the course again")
        )
    content = _git(folder, "show", f"HEAD:./{found}") if listed else (_originals() / found).read_bytes()
    if content is None:
        raise LabkitError(f"git could not show {found}; try: git -C {folder} checkout -- {found}")
    return found, content


def _originals() -> Path:
    return local_process.state_dir() / "originals"


def _git(folder: Path, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
