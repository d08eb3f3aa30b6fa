"""Run notebooks headless with papermill, as ``labkit run`` and continuous integration do."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

from labkit import course, exercises, progress_file
from labkit.course import is_own_copy
from labkit.exceptions import LabkitError
from labkit.run_report import NotebookResult
from labkit.settings import resolve_settings

PARAMETERS = ("LAB_ID", "REGION", "CLOUD", "EMAIL", "SIZE")


def find_notebooks(folder: Path, wanted: list[str]) -> list[Path]:
    """Return the notebooks of *folder* in order, or those whose number or name *wanted* holds.

    Raises:
        LabkitError: A wanted notebook does not exist; the message lists those that do.
    """
    available = [path for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")) if not is_own_copy(path)]
    if not wanted:
        return available
    chosen: list[Path] = []
    for name in wanted:
        found = [path for path in available if name.zfill(2) in (path.stem, path.stem.split("_")[0])]
        if not found:
            raise LabkitError(
                f"there is no notebook {name!r} in {folder}; "
                f"choose from: {', '.join(path.stem for path in available) or 'none at all'}"
            )
        chosen += [path for path in found if path not in chosen]
    return sorted(chosen)


def check_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of a run, by the parameters' names in small letters.

    A parameter that no notebook has is refused: papermill would only warn, and run with the default. So is a value that
    cannot work, before anything has started.

    Raises:
        LabkitError: The message names the unknown parameter and the known ones, or the value and what is allowed.
    """
    unknown = sorted(set(parameters) - set(PARAMETERS))
    if unknown:
        raise LabkitError(f"no notebook has a parameter {unknown[0]!r}; they have: {', '.join(PARAMETERS)}")
    return resolve_settings({name.lower(): value for name, value in parameters.items()})


def make_folder(out: Path) -> None:
    """Make the folder for the results.

    Raises:
        LabkitError: It cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabkitError(
            f"the results cannot be written to {out} ({error.strerror}); choose another folder: labkit run --out FOLDER"
        ) from error


def remove_lab(parameters: Mapping[str, str]) -> None:
    """Remove everything of the lab that a run is about to use.

    Raises:
        LabkitError: Something is left.
    """
    own = {f"LABKIT_{name}": value for name, value in parameters.items()}
    command = [sys.executable, "-m", "labkit.cli", "cleanup", "--yes"]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabkitError(f"--fresh could not remove the lab: {(done.stderr or done.stdout).strip()}")


def run_notebooks(
    notebooks: list[Path],
    *,
    out: Path,
    parameters: Mapping[str, str],
    timeout: int = 120,
    solved: bool = False,
    built: Sequence[str] = (),
    html: bool = True,
) -> list[NotebookResult]:
    """Execute *notebooks* in order; write each executed copy and its HTML into *out*, the failing ones too.

    What a notebook needs and no earlier one of the run has built is caught up with before it.

    Args:
        notebooks: Files to run.
        out: Folder for ``NN_name.ipynb`` and ``NN_name.html``; made where missing.
        parameters: Values for the parameters cell.
        timeout: Longest time for one cell, in seconds.
        solved: Run with every solution in place of its stub; a check that is not correct fails then.
        built: Notebooks that this lab has run already, such as ``["03"]``: nobody catches up with them.
        html: Whether to write the HTML as well.

    Returns:
        One result per notebook; a failure does not keep the later ones from running.

    Raises:
        LabkitError: A parameter is unknown, or *out* cannot be made.
    """
    from labkit.kernels_ahead import ENGINE, kernels_ahead

    check_parameters(parameters)
    make_folder(out)
    interactive = sys.stderr.isatty()
    results: list[NotebookResult] = []
    with (
        _run_environment(out, solved=solved) as facts,
        _kernel_log(out / "kernel.log") as terminal,
        kernels_ahead(notebooks) as kernels,
        ThreadPoolExecutor(1) as pages,  # written while the next notebook runs
    ):
        for number, notebook in enumerate(notebooks, 1):
            if not interactive:
                print(f"[{number}/{len(notebooks)}] {notebook.stem} …", flush=True)
            kernel = kernels.take()
            failed = _catch_up(notebook, [*built, *(one.notebook[:2] for one in results if one.passed)], parameters)
            result = failed or _run_one(
                notebook,
                out / notebook.name,
                parameters,
                solved=solved,
                options={
                    "engine_name": ENGINE,
                    "km": kernel,
                    "execution_timeout": timeout,
                    "progress_bar": {"desc": notebook.stem, "leave": False, "file": terminal} if interactive else False,
                },
            )
            if html and (out / notebook.name).exists():
                pages.submit(_write_html, out / notebook.name)
            result = dataclasses.replace(result, facts=_facts_of(facts, notebook.name[:2]))
            results.append(result)
            if not interactive:
                word = f"{result.word} in {result.seconds:.1f} s{result.overrun}"
                print(f"[{number}/{len(notebooks)}] {notebook.stem} {word}", flush=True)
    return results


@contextlib.contextmanager
def _run_environment(out: Path, *, solved: bool) -> Iterator[Path]:
    """Let kernels keep their progress and facts in *out*, not in the learner's own file; be strict when *solved*."""
    facts = out / "facts.jsonl"
    facts.unlink(missing_ok=True)
    own = {"LABKIT_PROGRESS": out / "progress.json", "LABKIT_FACTS": facts, "LABKIT_BUILD": out}
    settings = {name: str(path.absolute()) for name, path in own.items()} | {"LABKIT_STRICT": "1" if solved else ""}
    before = {name: os.environ.get(name) for name in settings}
    os.environ |= settings
    try:
        progress_file.forget_outcomes()
        yield facts
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ |= {name: value} if value is not None else {}
        facts.unlink(missing_ok=True)


def _facts_of(facts: Path, number: str) -> dict[str, Any]:
    if not facts.exists():
        return {}
    lines = [json.loads(line) for line in facts.read_text(encoding="utf-8").splitlines()]
    return {key: value for line in lines if line["notebook"] == number for key, value in line["facts"].items()}


def _catch_up(notebook: Path, built: list[str], parameters: Mapping[str, str]) -> NotebookResult | None:
    """Build what *notebook* needs and the run has not built; return a result only when that failed."""
    try:
        missing = set(course.needed_by(course.read(notebook).needs)) - set(built)
        if not missing:
            return None
        print(f"      catching up with {', '.join(sorted(missing))} first …", flush=True)
        command = [sys.executable, "-m", "labkit.cli", "catch-up", notebook.name[:2]]
        own = {f"LABKIT_{name}": value for name, value in parameters.items()}
        own["LABKIT_NOTEBOOKS"] = str(notebook.parent.absolute())
        done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False)
    except LabkitError as error:
        return NotebookResult(notebook.stem, 0, 0.0, str(error))
    if done.returncode == 0:
        return None
    return NotebookResult(notebook.stem, 0, 0.0, (done.stderr or done.stdout).strip().removeprefix("labkit: "))


def _run_one(
    notebook: Path, executed: Path, parameters: Mapping[str, str], *, solved: bool, options: Mapping[str, Any]
) -> NotebookResult:
    """Execute one notebook; *options* are further ones of `papermill.execute_notebook`."""
    import papermill

    source_file = notebook
    if solved:
        source_file = executed.with_suffix(".solved.ipynb")
        source_file.write_text(json.dumps(exercises.solved(exercises.read_notebook(notebook))), encoding="utf-8")
    started = time.perf_counter()
    error, cell, source = "", 0, ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            papermill.execute_notebook(
                str(source_file), str(executed), parameters=dict(parameters), cwd=str(notebook.parent), **options
            )
        except papermill.PapermillExecutionError as failure:
            error, source = f"{failure.ename}: {failure.evalue}", failure.source
            cell = _position(failure.cell_index, executed)
        except Exception as failure:  # a cell that takes too long, a kernel that dies
            error = "".join(traceback.format_exception_only(failure)).strip()
    seconds = time.perf_counter() - started
    if solved:
        source_file.unlink()
    cells, budget = _facts(executed if executed.exists() else notebook)
    return NotebookResult(notebook.stem, cells, seconds, error, cell, source, budget)


def _position(index: int, executed: Path) -> int:
    """Return a cell's place in the notebook as committed, from 1: papermill adds a cell with the parameters."""
    cells = json.loads(executed.read_text(encoding="utf-8"))["cells"][: index + 1]
    return sum("injected-parameters" not in cell["metadata"].get("tags", ()) for cell in cells)


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

    exporter = HTMLExporter()  # embed_images would close each <details> at its summary, and show every solution
    exporter.exclude_anchor_links = True
    for script in ("mathjax_url", "require_js_url", "jquery_url", "mermaid_js_url", "mermaid_layout_elk_js_url"):
        setattr(exporter, script, "")  # the page must open without a network
    body, _ = exporter.from_filename(str(executed))
    executed.with_suffix(".html").write_text(body, encoding="utf-8")
