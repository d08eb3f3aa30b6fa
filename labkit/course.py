"""The course as a graph: what each notebook needs, what it makes, and which of its cells make it."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labkit.exceptions import LabkitError


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell: its place in the notebook counted from 1, its tags and its source."""

    position: int
    id: str
    tags: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Notebook:
    """One notebook of the course, by its file."""

    number: str
    path: Path
    title: str
    needs: tuple[str, ...]
    seconds: float
    cells: tuple[Cell, ...]

    def tagged(self, *tags: str) -> list[Cell]:
        """Return the cells that carry one of *tags*, in order."""
        return [cell for cell in self.cells if set(tags) & set(cell.tags)]

    @property
    def file(self) -> str:
        """The name of the file, as a learner sees it."""
        return self.path.name


def notebooks_folder() -> Path:
    """Return the folder with the notebooks: here, above, or beside the package.

    Raises:
        LabkitError: There is none.
    """
    if chosen := os.environ.get("LABKIT_NOTEBOOKS"):
        return Path(chosen)
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).parent.parent):
        for candidate in (folder, folder / "notebooks"):
            if candidate.name == "notebooks" and any(candidate.glob("[0-9][0-9]_*.ipynb")):
                return candidate
    raise LabkitError("there is no folder notebooks here or above; go into the checkout of labkit")


def notebooks() -> dict[str, Notebook]:
    """Return the notebooks that exist, by number and in order."""
    files = sorted(notebooks_folder().glob("[0-9][0-9]_*.ipynb"))
    return {path.name[:2]: read(path) for path in files if not is_own_copy(path)}


def is_own_copy(path: Path) -> bool:
    """Whether a file is what ``labkit restore`` kept of a learner's notebook."""
    return bool(re.search(r"-mine-\d+$", path.stem))


def read(path: Path) -> Notebook:
    """Read a notebook's file; again only when it has changed.

    Raises:
        LabkitError: It is no notebook.
    """
    return _read(path, path.stat().st_mtime_ns)


def notebook(number: str) -> Notebook:
    """Return one notebook.

    Raises:
        LabkitError: There is none with this number.
    """
    found = notebooks()
    wanted = str(number).zfill(2)
    if wanted not in found:
        raise LabkitError(f"there is no notebook {number!r}; there are: {', '.join(found)}")
    return found[wanted]


def needed_by(numbers: Iterable[str]) -> list[str]:
    """Return *numbers* and all that they need, directly or not, in an order in which they can be built.

    Raises:
        LabkitError: Two need each other.
    """
    order: list[str] = []

    def visit(number: str, via: tuple[str, ...]) -> None:
        if number in via:
            raise LabkitError(f"notebooks need each other: {' → '.join((*via, number))}; mend metadata.labkit.needs")
        if number not in order:
            for need in notebooks()[number].needs if number in notebooks() else ():
                visit(need, (*via, number))
            order.append(number)

    for number in sorted(numbers):
        visit(number, ())
    return order


def first_that_needs(numbers: Iterable[str]) -> str | None:
    """Return the first notebook for which all of *numbers* are needed."""
    wanted = set(numbers)
    for number, one in notebooks().items():
        if one.needs and wanted <= set(needed_by(one.needs)):
            return number
    return None


@functools.lru_cache(maxsize=64)
def _read(path: Path, _modified: int) -> Notebook:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabkitError(f"{path} is no notebook ({error}); a clean copy: labkit restore {path.name[:2]}") from None
    facts = content.get("metadata", {}).get("labkit", {})
    cells = tuple(
        Cell(
            position,
            cell.get("id", ""),
            tuple(cell.get("metadata", {}).get("tags", ())),
            cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"]),
        )
        for position, cell in enumerate(content.get("cells", ()), 1)
        if cell["cell_type"] == "code"
    )
    text = next(("".join(cell["source"]) for cell in content.get("cells", ()) if cell["cell_type"] == "markdown"), "")
    heading = re.search(r"^# (.+)$", text, re.MULTILINE)
    title = heading[1] if heading else path.stem
    return Notebook(path.name[:2], path, title, tuple(facts.get("needs", ())), float(facts.get("seconds", 0)), cells)
