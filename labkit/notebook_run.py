"""Run notebooks headless with papermill, as ``labkit run`` and continuous integration do."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO
from xml.etree import ElementTree

from labkit.exceptions import LabkitError

PARAMETERS = ("LAB_ID", "REGION", "CLOUD", "EMAIL", "SIZE")


@dataclass(frozen=True, slots=True)
class NotebookResult:
    """How one notebook ran. *error* is empty when it passed; *cell* counts from 1."""

    notebook: str
    cells: int
    seconds: float
    error: str = ""
    cell: int = 0
    source: str = ""
    budget: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every cell ran."""
        return not self.error


def find_notebooks(folder: Path, wanted: list[str]) -> list[Path]:
    """Return the notebooks of *folder* in order, or those whose number or name *wanted* holds.

    Raises:
        LabkitError: A wanted notebook does not exist; the message lists those that do.
    """
    available = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not wanted:
        return available
    chosen = []
    for name in wanted:
        found = [path for path in available if path.stem == name or path.stem.split("_")[0] == name]
        if not found:
            raise LabkitError(
                f"there is no notebook {name!r} in {folder}; "
                f"choose from: {', '.join(path.stem for path in available) or 'none at all'}"
            )
        chosen += found
    return chosen


def check_parameters(parameters: Mapping[str, str]) -> None:
    """Refuse a parameter that no notebook has: papermill would only warn, and run with the default.

    Raises:
        LabkitError: The message names the unknown parameter and the known ones.
    """
    unknown = sorted(set(parameters) - set(PARAMETERS))
    if unknown:
        raise LabkitError(f"no notebook has a parameter {unknown[0]!r}; they have: {', '.join(PARAMETERS)}")


def run_notebooks(
    notebooks: list[Path], *, out: Path, parameters: Mapping[str, str], timeout: int = 120
) -> list[NotebookResult]:
    """Execute *notebooks* in order; write each executed copy and its HTML into *out*, the failing ones too.

    Args:
        notebooks: Files to run.
        out: Folder for ``NN_name.ipynb`` and ``NN_name.html``; made where missing.
        parameters: Values for the parameters cell.
        timeout: Longest time for one cell, in seconds.

    Returns:
        One result per notebook; a failure does not keep the later ones from running.

    Raises:
        LabkitError: A parameter is unknown.
    """
    check_parameters(parameters)
    out.mkdir(parents=True, exist_ok=True)
    interactive = sys.stderr.isatty()
    results = []
    for number, notebook in enumerate(notebooks, 1):
        if not interactive:
            print(f"[{number}/{len(notebooks)}] {notebook.stem} …", flush=True)
        result = _run_one(notebook, out / notebook.name, parameters, timeout, interactive)
        results.append(result)
        if not interactive:
            print(f"[{number}/{len(notebooks)}] {notebook.stem} {_word(result)} in {result.seconds:.1f} s", flush=True)
    return results


def _run_one(
    notebook: Path, executed: Path, parameters: Mapping[str, str], timeout: int, interactive: bool
) -> NotebookResult:
    import papermill

    started = time.perf_counter()
    error, cell, source = "", 0, ""
    with warnings.catch_warnings(), _kernel_log(executed.parent / "kernel.log") as terminal:
        warnings.simplefilter("ignore")
        try:
            papermill.execute_notebook(
                str(notebook),
                str(executed),
                parameters=dict(parameters),
                progress_bar={"desc": notebook.stem, "leave": False, "file": terminal} if interactive else False,
                execution_timeout=timeout,
                cwd=str(notebook.parent),
            )
        except papermill.PapermillExecutionError as failure:
            error, cell, source = f"{failure.ename}: {failure.evalue}", failure.cell_index + 1, failure.source
        except Exception as failure:  # a cell that takes too long, a kernel that dies
            error = "".join(traceback.format_exception_only(failure)).strip()
    seconds = time.perf_counter() - started
    cells, budget = _facts(executed if executed.exists() else notebook)
    if executed.exists():
        _write_html(executed)
    return NotebookResult(notebook.stem, cells, seconds, error, cell, source, budget)


def _facts(notebook: Path) -> tuple[int, float]:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    code = sum(cell["cell_type"] == "code" for cell in content["cells"])
    return code, float(content["metadata"].get("labkit", {}).get("seconds", 0))


@contextlib.contextmanager
def _kernel_log(path: Path) -> Iterator[TextIO]:
    """Send what kernels print on stderr to a file, and yield the real stderr, for the progress bar."""
    sys.stderr.flush()
    terminal = os.fdopen(os.dup(2), "w")
    with path.open("ab") as log:
        os.dup2(log.fileno(), 2)
        try:
            yield terminal
        finally:
            os.dup2(terminal.fileno(), 2)
            terminal.close()


def _write_html(executed: Path) -> None:
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(embed_images=True)
    exporter.exclude_anchor_links = True
    for script in ("mathjax_url", "require_js_url", "jquery_url", "mermaid_js_url", "mermaid_layout_elk_js_url"):
        setattr(exporter, script, "")  # the page must open without a network
    body, _ = exporter.from_filename(str(executed))
    executed.with_suffix(".html").write_text(body, encoding="utf-8")


def print_table(results: list[NotebookResult], out: Path) -> None:
    """Print one row per notebook, then the failing cells and where the reports are."""
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True)
    table = Table("notebook", "cells", "seconds", "result")
    for result in results:
        over = f" (budget {result.budget:g} s)" if 0 < result.budget < result.seconds else ""
        table.add_row(result.notebook, str(result.cells), f"{result.seconds:.1f}{over}", _word(result))
    console.print(table)
    for result in results:
        if not result.passed:
            where = f"cell {result.cell}" if result.cell else "no single cell"
            console.print(f"\n{result.notebook}, {where}:", style="bold")
            console.print(result.source or "", markup=False, highlight=False)
            console.print(result.error, markup=False, highlight=False)
    print(f"\nExecuted notebooks and HTML pages: {out}/")


def _word(result: NotebookResult) -> str:
    return "passed" if result.passed else "FAILED"


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
    """Return the sentence a stranger should read last."""
    failed = next((result for result in results if not result.passed), None)
    if failed:
        return f"FAILED: {failed.notebook}, cell {failed.cell}: {failed.error.splitlines()[0]}"
    return f"{len(results)} of {len(results)} notebooks passed in {sum(result.seconds for result in results):.1f} s"


def as_facts(results: list[NotebookResult]) -> list[dict[str, Any]]:
    """Return the results as plain dicts, for ``results.json``."""
    return [
        {"notebook": r.notebook, "cells": r.cells, "seconds": round(r.seconds, 2), "passed": r.passed, "error": r.error}
        for r in results
    ]
