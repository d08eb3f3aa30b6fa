"""Build what a notebook needs, without running what teaches: parameters, set-up and build cells only."""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

from botocore.exceptions import ClientError

from labkit import course, progress_file
from labkit.cleanup import cleanup
from labkit.cloud import connect, settings, time_scale
from labkit.exceptions import LabkitError
from labkit.require import where

# SQS gives the name of a deleted queue out again after 60 s; there is no waiter for it.
NAME_KEPT_SECONDS = 90.0
NAME_PAUSE_SECONDS = 5.0


def catch_up(number: str, *, fresh: bool = False) -> None:
    """Build everything that a notebook needs, in order, in this process; what is there already stays.

    Args:
        number: The notebook that you want to open next, such as ``"06"``.
        fresh: Remove everything of the lab first, for a lab that has got into a tangle.

    Raises:
        LabkitError: A cell failed; the message names notebook, cell and error.
    """
    wanted = course.notebook(number)
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        chosen = settings_or_connect()
        if fresh:
            cleanup(yes=True)
    order = [one for one in course.needed_by([wanted.number]) if one != wanted.number]
    for position, needed in enumerate(order, 1):
        before = time.perf_counter()
        build(course.notebook(needed), chosen)
        seconds = time.perf_counter() - before
        print(f"[{position}/{len(order)}] {course.notebook(needed).title} ✓ {seconds:.1f} s", flush=True)
    print(f"all that {wanted.number} needs is there, after {time.perf_counter() - started:.1f} s; open {wanted.file}")


def settings_or_connect() -> dict[str, str]:
    """Return what this process is connected to, and connect it first if it is not."""
    try:
        return settings()
    except LabkitError:
        connect()
        return settings()


def build(notebook: course.Notebook, chosen: dict[str, str]) -> dict[str, Any]:
    """Execute a notebook's parameters, set-up and build cells under the settings *chosen*; return its namespace.

    Raises:
        LabkitError: A cell failed.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    said = io.StringIO()
    with _in_folder(notebook.path.parent), contextlib.redirect_stdout(said):
        for cell in notebook.tagged("parameters", "setup", "build"):
            _execute(notebook, cell, namespace, said)
            if "parameters" in cell.tags:
                namespace.update({key.upper(): chosen[key] for key in ("lab_id", "region", "cloud", "email", "size")})
    remember_built(notebook.number)
    return namespace


def remember_built(number: str) -> None:
    """Keep on which cloud a notebook's parts were built, so that :func:`labkit.require` can tell what happened."""
    progress_file.change_notebook(number, lambda entry: entry.update(built=where()))


def _execute(notebook: course.Notebook, cell: course.Cell, namespace: dict[str, Any], said: io.StringIO) -> None:
    name = f"<{notebook.file}, cell {cell.position}>"
    linecache.cache[name] = (len(cell.source), None, cell.source.splitlines(keepends=True), name)
    try:
        _until_names_are_free(compile(cell.source, name, "exec"), namespace)
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(sys.exc_info()[2]) if frame.filename == name]
        line = f", line {frames[-1].lineno}: {frames[-1].line}" if frames else ""
        printed = f"\nit had printed:\n{said.getvalue().rstrip()}" if said.getvalue().strip() else ""
        raise LabkitError(
            f"catching up failed in {notebook.file}, cell {cell.position} ({cell.id}){line}\n"
            f"{type(error).__name__}: {error}{printed}\n"
            f"open {notebook.file} and run it to see more, "
            "or remove the lab and build it anew: labkit catch-up NN --fresh; "
            "see docs/troubleshooting.md#catching-up-failed"
        ) from error


def _until_names_are_free(code: CodeType, namespace: dict[str, Any]) -> None:
    """Execute a build cell, and again while SQS keeps the name of a queue that was deleted less than a minute ago."""
    began = time.monotonic()
    while True:
        try:
            exec(code, namespace)  # noqa: S102  the learner's own notebook
        except ClientError as error:
            kept = error.response["Error"]["Code"] == "AWS.SimpleQueueService.QueueDeletedRecently"
            if not kept or time.monotonic() - began > NAME_KEPT_SECONDS:
                raise
            time.sleep(NAME_PAUSE_SECONDS / time_scale())
        else:
            return


@contextlib.contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
