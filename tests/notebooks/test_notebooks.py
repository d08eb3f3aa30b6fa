"""The notebooks run headless as a person runs them, and each has the form that a learner relies on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def labkit(*arguments, state_dir, timeout=300):
    """Run the command with a state directory of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABKIT_"))}
    return subprocess.run(
        [sys.executable, "-m", "labkit.cli", *arguments], env=environment | {"LABKIT_STATE_DIR": str(state_dir)},
        cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


@pytest.mark.timeout(300)
def test_every_notebook_runs_twice_in_a_row_and_what_the_run_started_has_ended(tmp_path):
    """`make run`, on one local cloud and then on the next."""
    for attempt in ("first", "second"):
        run = labkit(
            "run",
            "--out",
            str(tmp_path / attempt),
            "--junit",
            str(tmp_path / "junit.xml"),
            state_dir=tmp_path / "state",
        )
        assert run.returncode == 0, run.stdout + run.stderr

    facts = json.loads((tmp_path / "second" / "results.json").read_text())
    assert [fact["notebook"] for fact in facts if fact["passed"]] == [path.stem for path in NOTEBOOKS]
    assert not (tmp_path / "state" / "local.json").exists()
    assert (tmp_path / "second" / f"{NOTEBOOKS[0].stem}.html").stat().st_size > 10_000


def test_a_failing_notebook_makes_the_run_fail_and_names_cell_and_error(tmp_path):
    """Exit code 1, the cell, the error; the executed notebook is kept."""
    from labkit import notebook_run

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1"), nbformat.v4.new_code_cell("1 / 0")])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "07_broken.ipynb"
    nbformat.write(notebook, path)

    results = notebook_run.run_notebooks([path], out=tmp_path / "build", parameters={})

    assert (notebook_run.exit_code(results), results[0].cell) == (1, 2)
    assert notebook_run.last_line(results) == "FAILED: 07_broken, cell 2: ZeroDivisionError: division by zero"
    assert (tmp_path / "build" / "07_broken.html").exists()


def test_an_unknown_parameter_is_refused_before_the_run(tmp_path):
    """Papermill alone would only warn, and run with the default."""
    run = labkit("run", "-p", "LABID=x", state_dir=tmp_path)

    assert (run.returncode, run.stderr) == (
        1,
        "labkit: no notebook has a parameter 'LABID'; they have: LAB_ID, REGION, CLOUD, EMAIL, SIZE\n",
    )


def test_an_unknown_notebook_is_refused_with_those_there_are(tmp_path):
    """A typing mistake is found before anything starts."""
    run = labkit("run", "77", state_dir=tmp_path)

    assert (run.returncode, "there is no notebook '77'" in run.stderr, NOTEBOOKS[0].stem in run.stderr) == (
        1,
        True,
        True,
    )
