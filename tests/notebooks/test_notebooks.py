"""The notebooks run headless as a person runs them, and each has the form that a learner relies on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BANNED = ("pip install", "input(", "getpass", "123456789012", "/home/", "/Users/", "sleep(60")


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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_the_form_that_all_have(path):
    """One H1, one parameters cell, objectives repeated in the recap, no outputs, nothing banned."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    everything = "\n".join("".join(cell["source"]) for cell in cells)
    parameters = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    objectives = re.search(r"\*\*You will be able to\*\*\n\n((?:- .*\n?)+)", text)[1].strip()
    recap = text.split("## Recap")[1]

    assert re.findall(r"^# (\d\d) · ", text, re.MULTILINE) == [path.name[:2]]
    assert objectives.rstrip(".") in recap
    assert all(
        section in text
        for section in ("## Where we are", "## How do you know it works", "## Exercise", "## On real AWS")
    )
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in code)
    assert [re.findall(r"^(\w+) =", "".join(cell["source"]), re.MULTILINE) for cell in parameters] == [
        ["LAB_ID", "REGION", "CLOUD", "EMAIL", "SIZE"]
    ]
    assert [word for word in BANNED if word in everything] == []
    assert text.count("accTitle") == text.count("```mermaid")
    assert text.count("<details>") >= 3
