"""The exercises of a notebook: stub, check cell, hints and solution; and the notebook with its solutions put in."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.checks import checks_of
from labkit.checks.prediction import Prediction
from labkit.exceptions import LabkitError

CHECK = re.compile(r"""labkit\.check\(\s*["'](\d\d)\.([\w.]+)["']""")
DETAILS = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>", re.DOTALL)
FENCE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise as it stands in the notebook; *details* maps ``"Hint 1"``, ``"Solution"`` … to their Markdown."""

    name: str
    position: int
    stub: str
    check: str
    details: dict[str, str]

    @property
    def solution(self) -> str:
        """The code that replaces the stub.

        Raises:
            LabkitError: There is not exactly one Python fence.
        """
        fences = FENCE.findall(self.details.get("Solution", ""))
        if len(fences) != 1:
            raise LabkitError(
                f"the solution of {self.name} holds {len(fences)} fences of ```python; it needs one, in <details> "
                "with the summary Solution, which replaces the stub"
            )
        return str(fences[0])


def read_notebook(path: Path) -> dict[str, Any]:
    """Return a notebook's content, each cell's source as one string."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        cell["source"] = "".join(cell["source"])
    return content


def exercises(content: dict[str, Any]) -> list[Exercise]:
    """Return the exercises of a notebook in order.

    A stub is a code cell tagged ``exercise`` with ``metadata.labkit.exercise``; its check cell and its ``<details>``
    are those before the next stub.
    """
    cells = content["cells"]
    stubs = [index for index, cell in enumerate(cells) if "exercise" in tags(cell)]
    found = []
    for index, following in zip(stubs, [*stubs[1:], len(cells)], strict=True):
        name = cells[index]["metadata"].get("labkit", {}).get("exercise", "")
        check, details = "", {}
        for cell in cells[index + 1 : following]:
            if cell["cell_type"] == "code" and not check and _checks(cell) == name:
                check = cell["source"]
            if cell["cell_type"] == "markdown":
                details.update({summary.strip(): text for summary, text in DETAILS.findall(cell["source"])})
            if check and "Solution" in details:
                break
        found.append(Exercise(name, index + 1, cells[index]["source"], check, details))
    return found


def predictions(content: dict[str, Any]) -> dict[int, str]:
    """Return the cells tagged ``predict``: index of the cell, and the name of its check, ``""`` where there is none."""
    cells = content["cells"]
    found = {}
    for index, cell in enumerate(cells):
        if "predict" in tags(cell):
            after = [one for one in cells[index:] if one["cell_type"] == "code"][:2]
            found[index] = next((name for one in after if (name := _checks(one))), "")
    return found


def solved(content: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a notebook with every solution in its stub, and every prediction right.

    Raises:
        LabkitError: A solution or a prediction cannot be found.
    """
    copied = copy.deepcopy(content)
    for exercise in exercises(copied):
        copied["cells"][exercise.position - 1]["source"] = exercise.solution
    for index, name in predictions(copied).items():
        number, _, key = name.partition(".")
        judge = checks_of(number).get(key) if number else None
        if not isinstance(judge, Prediction):
            raise LabkitError(
                f"cell {index + 1} is tagged predict, but {name or 'no check'} is no prediction of checks"
            )
        cell = copied["cells"][index]
        cell["source"] = re.sub(r"(?<==)\s*(\.\.\.|None)", f" {judge.right!r}", cell["source"], count=1)
    return copied


def tags(cell: dict[str, Any]) -> list[str]:
    """Return a cell's tags."""
    return list(cell["metadata"].get("tags", []))


def _checks(cell: dict[str, Any]) -> str:
    found = CHECK.search(cell["source"])
    return f"{found[1]}.{found[2]}" if found else ""
