"""The notebooks run headless as a person runs them, and each has the form that a learner relies on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

ROOT = Path(__file__).parents[2]


def labkit(*arguments, state_dir, timeout=300):
    """Run the command with a state directory of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABKIT_"))}
    return subprocess.run(
        [sys.executable, "-m", "labkit.cli", *arguments], env=environment | {"LABKIT_STATE_DIR": str(state_dir)},
        cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


@pytest.mark.timeout(300)
def test_a_run_from_the_command_line_writes_its_reports_and_ends_what_it_started(tmp_path):
    """`labkit run 01`, with what continuous integration wants of it."""
    out, junit = tmp_path / "build", tmp_path / "junit.xml"
    run = labkit("run", "01", "--out", str(out), "--junit", str(junit), state_dir=tmp_path / "state")
    assert run.returncode == 0, run.stdout + run.stderr

    [facts] = json.loads((out / "results.json").read_text())
    assert (facts["notebook"], facts["passed"], facts["facts"]["visits_sent"] > 0) == ("01_the_whole_thing", True, True)
    assert 'tests="1" failures="0"' in junit.read_text()
    assert (out / "01_the_whole_thing.html").stat().st_size > 10_000
    assert not (tmp_path / "state" / "local.json").exists()
    assert not (tmp_path / "state" / "progress.json").exists(), "a headless run must not touch the learner's progress"


def test_a_failing_notebook_makes_the_run_fail_and_names_cell_and_error(tmp_path):
    """Exit code 1, the cell, the error; the executed notebook is kept."""
    from labkit import notebook_run, run_report

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1"), nbformat.v4.new_code_cell("1 / 0")])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path / "07_broken.ipynb"
    nbformat.write(notebook, path)

    results = notebook_run.run_notebooks([path], out=tmp_path / "build", parameters={})

    assert (run_report.exit_code(results), results[0].cell) == (1, 2)
    assert run_report.last_line(results) == "FAILED: 07_broken, cell 2: ZeroDivisionError: division by zero"
    assert (tmp_path / "build" / "07_broken.html").exists()


def test_each_notebook_has_a_kernel_of_its_own_and_none_is_left(tmp_path):
    """The kernel of the next notebook is started ahead; it knows nothing of the one before, and ends with the run."""
    from labkit import notebook_run

    paths = []
    for number, source in enumerate(
        ["first = 1", "1 / 0", "assert 'first' not in globals(); import os; print(os.getcwd())"]
    ):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        paths.append(tmp_path / f"0{number}_one.ipynb")
        nbformat.write(notebook, paths[-1])

    results = notebook_run.run_notebooks(paths, out=tmp_path / "build", parameters={})

    assert [result.passed for result in results] == [True, False, True], [result.error for result in results]
    assert str(tmp_path) in (tmp_path / "build" / "02_one.ipynb").read_text()
    children = [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]
    assert not [one for one in children if "ipykernel" in " ".join(one.cmdline())]


def test_a_kernel_has_imported_what_its_notebook_imports_and_binds_no_name(tmp_path):
    """Imports cost a second and a half per notebook; one that forgets an import fails as it does in JupyterLab."""
    from labkit import notebook_run

    sources = [
        "import sys\nassert {'colorsys', 'xml.dom.minidom', 'labkit.pipeline'} <= set(sys.modules)",
        "import colorsys\nfrom xml.dom.minidom import parseString",
        "import no_such_module",
    ]
    wanting = [sources[0].replace("import sys", "import sys, colorsys, xml.dom.minidom"), "labkit"]
    for name, cells in (("00_imports", sources[:2]), ("01_wrong", sources), ("02_wanting", wanting)):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    (tmp_path / "00_damaged.ipynb").write_text("{")
    paths = sorted(tmp_path.glob("*.ipynb"))

    damaged, *results = notebook_run.run_notebooks(paths, out=tmp_path / "build", parameters={}, html=False)

    assert "is no notebook" in damaged.error  # and nobody after it gets the kernel that was meant for it
    assert [(result.cell, result.error) for result in results] == [
        (0, ""),
        (3, "ModuleNotFoundError: No module named 'no_such_module'"),
        (2, "NameError: name 'labkit' is not defined"),
    ]


def test_an_unknown_parameter_is_refused_before_the_run(tmp_path):
    """Papermill alone would only warn, and run with the default."""
    run = labkit("run", "-p", "LABID=x", state_dir=tmp_path)

    assert (run.returncode, run.stderr) == (
        2,
        "labkit: no notebook has a parameter 'LABID'; they have: LAB_ID, REGION, CLOUD, EMAIL, SIZE\n",
    )


def test_an_unknown_notebook_is_refused_with_those_there_are(tmp_path):
    """A typing mistake is found before anything starts."""
    run = labkit("run", "77", state_dir=tmp_path)

    assert (run.returncode, "there is no notebook '77'" in run.stderr, "01_the_whole_thing" in run.stderr) == (
        2,
        True,
        True,
    )


def test_every_option_of_the_documented_run_exists():
    """Commands in documents are typed as they stand."""
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    help_text = re.sub(r"\x1b\[[0-9;]*m", "", labkit("run", "--help", state_dir=ROOT / ".labkit").stdout)

    documented = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", "\n".join(re.findall(r"labkit run .*", text))))
    assert documented <= set(re.findall(r"--[a-z]+(?:-[a-z]+)*", help_text))


def test_an_impossible_value_is_refused_before_the_run(tmp_path):
    """Exit code 2: it could not start."""
    run = labkit("run", "-p", "SIZE=huge", state_dir=tmp_path)

    assert (run.returncode, run.stderr) == (2, "labkit: SIZE is 'huge'; choose one of: small, normal\n")


def test_what_a_notebook_needs_is_caught_up_with_and_a_failure_there_is_its_result(tmp_path, monkeypatch):
    """One notebook per job; and the message is that of the catch-up."""
    from labkit import notebook_run

    folder = tmp_path / "notebooks"
    folder.mkdir()
    for number, needs, source in (("03", [], "1 / 0"), ("05", ["03"], "x = 1")):
        cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["build"]})
        notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"labkit": {"needs": needs}})
        nbformat.write(notebook, folder / f"{number}_x.ipynb")
    monkeypatch.setenv("LABKIT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(folder))
    try:
        [result] = notebook_run.run_notebooks([folder / "05_x.ipynb"], out=tmp_path / "build", parameters={})
    finally:
        labkit("down", state_dir=tmp_path / "state")

    assert result.error.startswith("catching up failed in 03_x.ipynb, cell 1")
    assert "ZeroDivisionError: division by zero" in result.error


@pytest.mark.timeout(180)
def test_bare_papermill_works_from_any_folder_and_the_local_cloud_ends_when_idle(tmp_path):
    """Nobody else ends what a bare papermill has started."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABKIT_"))}
    own = {"LABKIT_STATE_DIR": str(tmp_path / "state"), "LABKIT_IDLE_EXIT": "3"}
    notebook = str(ROOT / "notebooks" / "02_static_website.ipynb")
    run = subprocess.run(
        [sys.executable, "-m", "papermill", notebook, "out.ipynb", "-p", "LAB_ID", "ci42", "-p", "SIZE", "small"],
        env=environment | own, cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]

    deadline = time.monotonic() + 20
    while (tmp_path / "state" / "local.json").exists():
        assert time.monotonic() < deadline, "the local cloud still runs 20 s after the last request"
        time.sleep(0.2)


def test_hints_and_solutions_stay_folded_in_the_html_page(tmp_path):
    """A page that shows every solution spoils the exercise."""
    from labkit import notebook_run

    hints = {"Hint 1": "Look at the **price**.", "Hint 2": "x"}
    folded = "\n".join(f"<details><summary>{name}</summary>\n\n{text}\n\n</details>" for name, text in hints.items())
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(folded)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "05_x.ipynb")
    notebook_run.run_notebooks([tmp_path / "05_x.ipynb"], out=tmp_path / "build", parameters={})

    page = (tmp_path / "build" / "05_x.html").read_text(encoding="utf-8")
    found = re.search(r"<details><summary>Hint 1</summary>(.*?)</details>", page, re.DOTALL)
    assert found[1].strip() == "<p>Look at the <strong>price</strong>.</p>"
