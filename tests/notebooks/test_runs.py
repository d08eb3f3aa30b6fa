"""The notebooks run headless in the ways that people run them.

``make test``: each notebook in the course's order as given, in one lab on one local cloud, and 99 twice, which ends
with an empty inventory. (That each solution is accepted by its check, ``test_checks_*`` show.) One notebook:
``python -m pytest tests/notebooks/test_runs.py -k 05_`` (it catches up with what 05 needs).

``make test-all`` adds each notebook at once again with its solutions put in, alone in a lab of its own after
``catch_up``, and twice in a row as given.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import labkit
from labkit import course as graph
from labkit import exercises, notebook_run
from tests.conftest import start_local_cloud, stop_local_cloud
from tests.notebooks.conftest import own_environment

NOTEBOOKS = [one.path for one in graph.notebooks().values()]
SECONDS = 300
ALL_RUNS = pytest.mark.all_runs
TWICE = [path for path in NOTEBOOKS if path.name.startswith("99")]
ALONE = [path for path in NOTEBOOKS if graph.read(path).needs]


@dataclasses.dataclass
class Runs:
    """Runs notebooks in one lab, and remembers which have passed."""

    out: Path
    lab_id: str
    passed: list[str] = dataclasses.field(default_factory=list)

    def run(self, notebook: Path, *, solved: bool = False) -> None:
        """Run a notebook as ``labkit run`` does, and fail with the cell and its error."""
        [result] = notebook_run.run_notebooks(
            [notebook],
            out=self.out,
            parameters={"LAB_ID": self.lab_id, "SIZE": "small"},
            solved=solved,
            built=self.passed,
            html=False,
        )
        if result.overrun:
            print(f"{notebook.stem}: {result.seconds:.1f} s{result.overrun}")
        assert result.passed, f"{notebook.name}, cell {result.cell}:\n{result.source}\n{result.error}"
        self.passed.append(notebook.name[:2])


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state directory of a local cloud with the time scale that learners have."""
    folder = tmp_path_factory.mktemp("runs")
    process, _ = start_local_cloud(folder)
    with own_environment(folder):
        yield folder
    stop_local_cloud(process)


@pytest.fixture(scope="module")
def in_order(state: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The lab of the whole course."""
    return Runs(tmp_path_factory.mktemp("build"), f"o-{uuid.uuid4().hex[:8]}")


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize(
    ("notebook", "solved"),
    [
        pytest.param(path, solved, id=f"{path.stem}-{word}", marks=() if path in TWICE or not solved else ALL_RUNS)
        for path in NOTEBOOKS
        for solved, word in ((False, "as_given"), (True, "solved_again"))
    ],
)
def test_every_notebook_runs_in_order_and_again_with_its_solutions(in_order, notebook, solved):
    """Nothing is skipped; a solution that its check does not accept fails here."""
    in_order.run(notebook, solved=solved)


@pytest.mark.parametrize("last", [path.stem for path in TWICE])
def test_nothing_is_left_after_99(in_order, last):
    """99 ran twice; the inventory is empty, and cleaning up once more finds nothing."""
    assert in_order.passed[-2:] == ["99", "99"], f"{last} has not passed twice, so this shows nothing"
    with contextlib.redirect_stdout(io.StringIO()):
        labkit.connect(lab_id=in_order.lab_id)
        left = labkit.inventory()
        labkit.cleanup(yes=True)

    assert left.empty, left.to_string()


@pytest.mark.all_runs
@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize("notebook", ALONE, ids=lambda path: path.stem)
def test_every_notebook_runs_alone_after_catching_up(state, tmp_path, notebook):
    """For a late learner, and for one job per notebook."""
    alone = Runs(tmp_path, f"a-{uuid.uuid4().hex[:8]}")
    alone.run(notebook)
    remove(alone.lab_id)


@pytest.mark.all_runs
@pytest.mark.timeout(3 * SECONDS)
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_runs_twice_in_a_row_as_given(state, tmp_path, notebook):
    """Somebody presses Run All once more."""
    twice = Runs(tmp_path, f"w-{uuid.uuid4().hex[:8]}")
    twice.run(notebook)
    twice.run(notebook)
    remove(twice.lab_id)


def remove(lab_id: str) -> None:
    """Remove a lab and its own copies."""
    with contextlib.redirect_stdout(io.StringIO()):
        for tour in ("", "tour", "broken"):
            labkit.connect(lab_id=lab_id, tour=tour)
            labkit.cleanup(yes=True)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_solved_notebook_has_no_stub_left(notebook):
    """The solved run must not pass because nothing was put in."""
    content = exercises.read_notebook(notebook)
    solved = exercises.solved(content)

    changed = [a["id"] for a, b in zip(content["cells"], solved["cells"], strict=True) if a["source"] != b["source"]]
    stubs = [cell["id"] for cell in content["cells"] if {"exercise", "predict"} & set(exercises.tags(cell))]
    assert changed == stubs
    assert not any("= ..." in cell["source"] for cell in solved["cells"] if cell["id"] in changed)
