"""The fixture ``course``: a lab of its own on the tests' local cloud, for testing the checks of one notebook.

What the tests of a check look like (``tests/notebooks/test_checks_05.py``)::

    import pytest


    def test_the_stub_counts_as_not_attempted(course):
        assert course.answer("05.1", course.stub("05.1")).outcome == "not attempted"


    def test_the_solution_is_correct(course):
        assert course.answer("05.1", course.solution("05.1")).outcome == "correct"


    @pytest.mark.parametrize(
        ("source", "message"),
        [("redrive = {'maxReceiveCount': 3}", "JSON string"), ("redrive = queue_url", "ARN")],
    )
    def test_a_known_mistake_is_named(course, source, message):
        verdict = course.answer("05.1", source)

        assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


    def test_every_option_of_the_prediction_gets_its_reply(course):
        assert course.check("05.predict", "b").outcome == "correct"

``course`` lives as long as the tests of one file: one random LAB_ID, one catch-up. It gives

``course.lab``
    What ``labkit.connect`` returned.
``course.build("05")``
    Catches up with all that 05 needs, executes 05's own parameters, set-up and build cells, and returns the namespace
    in which answers are executed. Done once per file; ``course.answer`` does it by itself.
``course.stub("05.1")``, ``course.solution("05.1")``
    The source of the stub cell, and of the solution's fence, lifted from the notebook.
``course.answer("05.1", source, **names)``
    Executes *source* as the learner's cell, with *names* as further variables, in a copy of the namespace; then
    executes the notebook's own check cell. Returns a ``Verdict`` with ``outcome`` and ``message``.
``course.check("05.1", value)``
    Calls the check with a value, without a notebook's namespace (but connected). Returns a ``Verdict``.
``course.run("05.1")``
    Not needed for most checks: as ``build``, but executes every code cell before the stub of 05.1, for an exercise
    that uses what earlier lesson cells have made. Returns the namespace, in which ``answer`` then executes.

The local cloud is the session's (``cloud``), time scale 600; after the file the lab is removed.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

import labkit
from labkit import course as graph
from labkit import exercises
from labkit.checks.verdict import Verdict


class Course:
    """See the docstring of this module."""

    def __init__(self, lab: dict[str, Any]) -> None:
        self.lab = lab
        self._namespaces: dict[str, dict[str, Any]] = {}

    def catch_up(self, number: str, *, fresh: bool = False) -> None:
        """Build what a notebook needs, but nothing of its own."""
        with contextlib.redirect_stdout(io.StringIO()):
            labkit.catch_up(number, fresh=fresh)

    def build(self, number: str) -> dict[str, Any]:
        """Build what a notebook needs and what it makes; return the namespace."""
        if number not in self._namespaces:
            self.catch_up(number)
            from labkit.catch_up import build

            self._namespaces[number] = build(graph.notebook(number), self.lab)
        return self._namespaces[number]

    def run(self, exercise: str) -> dict[str, Any]:
        """Execute every code cell before the stub of an exercise; return the namespace."""
        number = exercise.partition(".")[0]
        namespace = self.build(number)
        content, found = self._exercise(exercise)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.chdir(graph.notebooks_folder()):
            for cell in content["cells"][: found.position - 1]:
                if cell["cell_type"] == "code" and not {"parameters", "predict", "check"} & set(exercises.tags(cell)):
                    exec(compile(cell["source"], f"<{number}, cell {cell['id']}>", "exec"), namespace)  # noqa: S102
        return namespace

    def stub(self, exercise: str) -> str:
        """The source of the stub cell."""
        return self._exercise(exercise)[1].stub

    def solution(self, exercise: str) -> str:
        """The source in the solution's fence."""
        return self._exercise(exercise)[1].solution

    def answer(self, exercise: str, source: str, **names: Any) -> Verdict:
        """Execute *source* and then the notebook's check cell."""
        namespace = {**self.build(exercise.partition(".")[0]), **names}
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.chdir(graph.notebooks_folder()):
            exec(compile(source, f"<answer to {exercise}>", "exec"), namespace)  # noqa: S102
            exec(compile(self._exercise(exercise)[1].check, f"<check of {exercise}>", "exec"), namespace)  # noqa: S102
        return _verdict(said.getvalue())

    def check(self, exercise: str, *answers: Any) -> Verdict:
        """Call the check with values."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            labkit.check(exercise, *answers)
        return _verdict(said.getvalue())

    def _exercise(self, name: str) -> tuple[dict[str, Any], exercises.Exercise]:
        content = exercises.read_notebook(graph.notebook(name.partition(".")[0]).path)
        found = [one for one in exercises.exercises(content) if one.name == name]
        assert len(found) == 1, f"the notebook has {len(found)} stub cells whose metadata.labkit.exercise is {name!r}"
        return content, found[0]


def _verdict(said: str) -> Verdict:
    lines = said.splitlines()
    outcomes = ("not attempted: ", "not yet: ", "correct: ")
    last = max(index for index, line in enumerate(lines) if line.startswith(outcomes))
    outcome, _, message = " ".join(lines[last:]).partition(": ")  # a long line is broken between words
    return Verdict(outcome, message)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def course(cloud: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    """A connected lab on the tests' local cloud; see the docstring of ``tests/notebooks/conftest.py``."""
    state = tmp_path_factory.mktemp("course")
    shutil.copy(Path(cloud["state_dir"], "local.json"), state)
    with own_environment(state):
        with contextlib.redirect_stdout(io.StringIO()):
            lab = labkit.connect(lab_id=f"t-{uuid.uuid4().hex[:10]}", size="small")
        yield Course(lab)
        with contextlib.redirect_stdout(io.StringIO()):
            for tour in ("", "tour", "broken"):
                labkit.connect(lab_id=lab["lab_id"], tour=tour)
                labkit.cleanup(yes=True)


@contextlib.contextmanager
def own_environment(state: Path) -> Iterator[None]:
    """Let in-process labkit use the state directory *state*, and leave nothing of it behind."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("AWS_", "LABKIT_")):
            del os.environ[name]
    os.environ["LABKIT_STATE_DIR"] = str(state)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        boto3.DEFAULT_SESSION = None
