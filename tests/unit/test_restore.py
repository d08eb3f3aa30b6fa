"""A mangled notebook comes back clean, and nothing of the learner's is lost."""

from __future__ import annotations

import subprocess

import pytest

from labkit.exceptions import LabkitError
from labkit.restore import keep_originals, restore


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with notebook 06."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    (notebooks / "06_poll.ipynb").write_text("original")
    monkeypatch.setenv("LABKIT_NOTEBOOKS", str(notebooks))
    monkeypatch.setenv("LABKIT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return notebooks


@pytest.fixture(params=["git", "kept"])
def known(request, folder):
    """The original is committed, or was kept by labkit lab."""
    if request.param == "kept":
        keep_originals()
        return folder
    author = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return folder


def test_the_original_comes_back_and_the_learners_stays(known):
    """Twice, since one mangles more than once."""
    for attempt in ("first", "second"):
        (known / "06_poll.ipynb").write_text(attempt)
        restore("6")

    assert {path.name: path.read_text() for path in known.glob("*.ipynb")} == {
        "06_poll.ipynb": "original", "06_poll-mine-1.ipynb": "first", "06_poll-mine-2.ipynb": "second",
    }  # fmt: skip


def test_an_original_is_left_alone(known):
    """No copy of a copy."""
    assert restore("06").name == "06_poll.ipynb"
    assert len(list(known.glob("*.ipynb"))) == 1


def test_a_deleted_notebook_comes_back(known):
    """Nothing to keep then."""
    (known / "06_poll.ipynb").unlink()
    restore("06")

    assert [path.name for path in known.glob("*.ipynb")] == ["06_poll.ipynb"]


def test_what_is_kept_is_not_overwritten_by_a_mangled_one(folder):
    """Labkit lab is started every day."""
    keep_originals()
    (folder / "06_poll.ipynb").write_text("mangled")
    keep_originals()
    restore("06")

    assert (folder / "06_poll.ipynb").read_text() == "original"


def test_an_unknown_number_is_told_with_those_there_are(known):
    """A typing mistake."""
    with pytest.raises(LabkitError, match="there is no original of notebook 77; there are: 06"):
        restore("77")


def test_without_any_original_the_message_says_what_to_do(folder):
    """A download without git, opened without labkit lab."""
    with pytest.raises(LabkitError, match="download the course again"):
        restore("06")
