"""The dispatcher of checks: three outcomes, one line, never an exception in a lesson."""

from __future__ import annotations

import pytest

from labkit import checks, progress_file
from labkit.checks import check
from labkit.checks.prediction import prediction
from labkit.checks.verdict import correct, not_yet, untouched
from labkit.exceptions import LabkitError


@pytest.fixture(autouse=True)
def own_checks(tmp_path, monkeypatch):
    """One notebook with three checks, in a state directory of its own."""
    monkeypatch.setenv("LABKIT_STATE_DIR", str(tmp_path))
    for name in ("LABKIT_STRICT", "LABKIT_PROGRESS"):
        monkeypatch.delenv(name, raising=False)
    known = {
        "1": lambda answer: correct("it is 7") if answer == 7 else not_yet("it is another number"),
        "2": lambda first, second: correct(f"{first / second}"),
        "predict": prediction(right="b", replies={"a": "no", "b": "yes", "c": "no"}),
    }
    monkeypatch.setattr(checks, "checks_of", lambda number: known if number == "42" else {})


@pytest.mark.parametrize("answer", [..., None, {"Effect": "Allow", "Action": ...}, [{"Id": ...}], (..., 7)])
def test_an_open_answer_is_not_attempted(answer, capsys):
    """The untouched stub, and a template that is filled only in part."""
    assert check("42.1", answer) == "not attempted"
    assert capsys.readouterr().out.startswith("not attempted: replace each ...")


@pytest.mark.parametrize("answer", [0, "", {}, [], {"next": None}])
def test_an_empty_answer_is_an_answer(answer):
    """Zero and an empty region are values."""
    assert check("42.1", answer) == "not yet"


def test_outcomes_are_said_in_one_line_and_kept(capsys):
    """A solved exercise stays solved, whatever is tried later."""
    assert [check("42.1", 6), check("42.1", 7), check("42.1", 6)] == ["not yet", "correct", "not yet"]
    assert capsys.readouterr().out.splitlines()[:2] == ["not yet: it is another number", "correct: it is 7"]
    assert progress_file.read()["notebooks"]["42"]["exercises"] == {"1": "correct"}


def test_an_exception_of_an_answer_is_a_not_yet(capsys):
    """The lesson goes on."""
    assert check("42.2", 1, 0) == "not yet"
    assert "it raised ZeroDivisionError: division by zero" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("option", "outcome"), [("b", "correct"), (" (B) ", "correct"), ("a", "not yet"), ("x", "not yet")]
)
def test_a_prediction_replies_to_each_option(option, outcome):
    """A wrong guess is worth a reply."""
    assert check("42.predict", option) == outcome


def test_strict_runs_raise(monkeypatch):
    """So that a test of the solutions can fail."""
    monkeypatch.setenv("LABKIT_STRICT", "1")

    assert check("42.1", 7) == "correct"
    with pytest.raises(LabkitError, match=r"exercise 42\.1 is not yet: it is another number"):
        check("42.1", 6)
    with pytest.raises(LabkitError, match=r"exercise 42\.1 is not attempted"):
        check("42.1", ...)


def test_an_unknown_exercise_is_named_with_those_there_are():
    """A typing mistake of an author."""
    with pytest.raises(LabkitError, match=r"there is no exercise '42\.9'; notebook 42 has: 1, 2, predict"):
        check("42.9", 1)


def test_untouched_knows_text_too():
    """Checks ask it for parts of an answer."""
    assert (untouched(1, ""), untouched(...), untouched(0, "a")) == (True, True, False)
