"""What a run of notebooks tells: a table, JUnit XML, ``results.json``, an exit code and a last line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree


@dataclass(frozen=True, slots=True)
class NotebookResult:
    """How one notebook ran. *error* is empty when it passed; *cell* counts from 1, 0 when no cell failed."""

    notebook: str
    cells: int
    seconds: float
    error: str = ""
    cell: int = 0
    source: str = ""
    budget: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every cell ran."""
        return not self.error

    @property
    def word(self) -> str:
        """How it went, in a word."""
        return "passed" if self.passed else "FAILED"

    @property
    def overrun(self) -> str:
        """That it took longer than its budget, ``""`` when it did not."""
        return f" (over its budget of {self.budget:g} s)" if 0 < self.budget < self.seconds else ""


def print_table(results: list[NotebookResult], out: Path) -> None:
    """Print one row per notebook, then the failing cells and where the reports are."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True)
    table = Table("notebook", "cells", "seconds", "result")
    for result in results:
        table.add_row(result.notebook, str(result.cells), f"{result.seconds:.1f}{result.overrun}", result.word)
    console.print(table)
    for result in results:
        if not result.passed:
            where = f"cell {result.cell}" if result.cell else "no single cell"
            console.print(f"\n{result.notebook}, {where}:", style="bold")
            console.print(result.source or "", markup=False, highlight=False)
            console.print(result.error, markup=False, highlight=False)


def write_junit(results: list[NotebookResult], path: Path) -> None:
    """Write the results as JUnit XML, one test case per notebook."""
    suite = ElementTree.Element(
        "testsuite",
        name="notebooks",
        tests=str(len(results)),
        failures=str(sum(not result.passed for result in results)),
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        case = ElementTree.SubElement(
            suite, "testcase", classname="notebooks", name=result.notebook, time=f"{result.seconds:.3f}"
        )
        if not result.passed:
            failure = ElementTree.SubElement(case, "failure", message=result.error.splitlines()[0])
            failure.text = f"cell {result.cell}\n{result.source}\n{result.error}"
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def exit_code(results: list[NotebookResult]) -> int:
    """Return 0 when all passed, 1 when one failed, 2 when there was nothing to run."""
    if not results:
        return 2
    return 0 if all(result.passed for result in results) else 1


def last_line(results: list[NotebookResult]) -> str:
    """Return the sentence a stranger should read last: it names the cell that failed."""
    failed = next((result for result in results if not result.passed), None)
    if failed:
        where = f", cell {failed.cell}" if failed.cell else ""
        return f"FAILED: {failed.notebook}{where}: {failed.error.splitlines()[0]}"
    return f"{len(results)} of {len(results)} notebooks passed in {sum(result.seconds for result in results):.1f} s"


def as_facts(results: list[NotebookResult]) -> list[dict[str, Any]]:
    """Return the results as plain dicts, for ``results.json``; *facts* are those of ``labkit.checkpoint``."""
    return [
        {
            "notebook": r.notebook,
            "cells": r.cells,
            "seconds": round(r.seconds, 2),
            "budget": r.budget,
            "passed": r.passed,
            "error": r.error,
            "cell": r.cell,
            "facts": r.facts,
        }
        for r in results
    ]
