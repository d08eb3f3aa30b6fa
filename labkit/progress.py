"""How far a learner is: one line at the end of a notebook, one table of all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from labkit import course, progress_file
from labkit.checks import checks_of
from labkit.require import where


def checkpoint(number: str, **facts: float | str) -> None:
    """Say that a notebook's Core is done, in one line to paste into a chat, and keep it.

    Args:
        number: The notebook, such as ``"06"``.
        facts: Numbers that the run measured, such as ``visits=12``; ``labkit run`` writes them to ``results.json``.
    """
    place = where()

    def edit(entry: dict[str, Any]) -> None:
        entry.update(core=True, built=place)
        if facts:
            entry["facts"] = dict(facts)

    progress_file.change_notebook(number, edit)
    if collected := os.environ.get("LABKIT_FACTS"):
        with Path(collected).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"notebook": number, "facts": facts}) + "\n")
    entry = progress_file.read()["notebooks"][number]
    print(f"{number} ✓ core · {_exercises(number, entry)} exercises")


def progress() -> pd.DataFrame:
    """Return one row per notebook: what is done, and what comes next.

    The figures are kept in ``.labkit/progress.json`` on this computer, and sent nowhere.

    Returns:
        Columns ``notebook``, ``core``, ``exercises``, ``last run`` and ``next step``.
    """
    kept = progress_file.read()["notebooks"]
    rows = []
    pointed = False
    for number, notebook in course.notebooks().items():
        entry = kept.get(number, {})
        step = ""
        if not entry.get("core") and not pointed:
            step, pointed = f"open {notebook.file}", True
        rows.append(
            {
                "notebook": notebook.title,
                "core": "done" if entry.get("core") else "–",
                "exercises": _exercises(number, entry),
                "last run": entry.get("last_run", "–"),
                "next step": step,
            }
        )
    return pd.DataFrame(rows, columns=["notebook", "core", "exercises", "last run", "next step"])


def _exercises(number: str, entry: dict[str, Any]) -> str:
    keys = [key for key in checks_of(number) if not key.startswith("predict")]
    solved = sum(entry.get("exercises", {}).get(key) == "correct" for key in keys)
    return f"{solved} of {len(keys)}"
