"""What an instructor reads aloud is true: minutes, votes, sums, and the demos run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from labkit import course
from labkit.checks import checks_of

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "instructor-guide.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\d\d · [^\n]+)\n\n(.*?)(?=^##)", GUIDE, re.DOTALL | re.MULTILINE))
NOTEBOOKS = course.notebooks()


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_each_notebook_has_its_section_with_its_title_and_minutes(number):
    """A timetable built on wrong minutes breaks after lunch."""
    notebook = NOTEBOOKS[number]
    facts = json.loads(notebook.path.read_text(encoding="utf-8"))["metadata"]["labkit"]

    section = SECTIONS[notebook.title]
    assert section.startswith(f"**{facts['minutes'][0]} minutes")
    assert "When late" in section or number == "99"


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_the_right_answers_of_the_votes_are_those_of_the_checks(number):
    """An instructor who announces the wrong one is remembered."""
    right = [check.right for key, check in checks_of(number).items() if key.startswith("predict")]

    said = re.search(r"\*Votes?:\* ([abc](?:, [abc])*)\.", SECTIONS[NOTEBOOKS[number].title])
    assert said, f"the votes are {', '.join(right)}"
    assert said[1].split(", ") == right


def test_the_hours_of_the_timetables_add_up():
    """180 minutes must be 180 minutes."""
    for row in re.findall(r"^\| .*? \| (.* = \d+.*) \|$", GUIDE, re.MULTILINE):
        parts, total = re.split(r" = ", row)
        minutes = [
            int(found[-1]) for part in parts.split(" · ") if (found := re.findall(r"(?<![-–\d])\d+", _bare(part)))
        ]
        assert sum(minutes) == int(re.match(r"\d+", total)[0]), row


def core_minutes(numbers):
    """Return how long the Cores of these notebooks take."""
    contents = [json.loads(NOTEBOOKS[number].path.read_text(encoding="utf-8")) for number in numbers]
    return sum(content["metadata"]["labkit"]["minutes"][0] for content in contents)


def test_the_evenings_take_as_long_as_their_notebooks():
    """Somebody wants to be home at ten."""
    found = re.search(r"first 00–06 \((\d+) and a break\), second 07–13 and 99 \((\d+) and a break\)", GUIDE)
    first = [number for number in NOTEBOOKS if number <= "06"]
    assert [int(minutes) for minutes in found.groups()] == [
        core_minutes(first), core_minutes(set(NOTEBOOKS) - set(first)),
    ]  # fmt: skip

    alone = (ROOT / "docs" / "self-paced.md").read_text(encoding="utf-8")
    evenings = re.findall(r"^\| \d \| (\d\d(?:, \d\d)+) \| (\d+) \|$", alone, re.MULTILINE)
    assert sorted(number for listed, _ in evenings for number in listed.split(", ")) == sorted(NOTEBOOKS)
    assert [int(minutes) for _, minutes in evenings] == [core_minutes(listed.split(", ")) for listed, _ in evenings]


def _bare(part: str) -> str:
    """Return a part of a timetable without remarks, and without its notebooks' numbers."""
    if part.startswith("("):
        return ""
    without = re.sub(r"\(.*?\)|`.*?`", "", part)
    return re.sub(r"^\s*\d\d(–\d\d)?(?=\D)", "", without)


@pytest.mark.timeout(180)
def test_the_three_demos_run_as_they_stand(tmp_path):
    """In front of thirty people is the wrong moment to find a mistake."""
    part = GUIDE.partition("## Three demos of two minutes")[2].partition("\n## ")[0]
    cells = [textwrap.dedent(cell) for cell in re.findall(r"^ *```python\n(.*?)^ *```", part, re.DOTALL | re.MULTILINE)]
    assert len(cells) == 10
    script = tmp_path / "demos.py"
    script.write_text("\n\n".join(cells), encoding="utf-8")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABKIT_"))}
    environment = clean | {"LABKIT_STATE_DIR": str(tmp_path / "state"), "PYTHONPATH": str(ROOT)}

    def run(*command):
        return subprocess.run(
            [sys.executable, *command], env=environment, cwd=ROOT / "notebooks", capture_output=True, text=True,
            timeout=150, check=False,
        )  # fmt: skip

    try:
        built = run("-m", "labkit.cli", "catch-up", "07")
        assert built.returncode == 0, built.stderr
        said = run(str(script))
    finally:
        run("-m", "labkit.cli", "down")

    assert said.returncode == 0, said.stderr
    off, answers, sent, on, *rest = re.findall(r"^\d+ wait, \d+ stored|^202\n202\n202", said.stdout, re.MULTILINE)
    assert (answers, rest) == ("202\n202\n202", [])
    start = int(off.split()[2])
    assert [off, sent, on] == [
        f"0 wait, {start} stored", f"3 wait, {start} stored", f"0 wait, {start + 3} stored",
    ]  # fmt: skip
    assert "1 on the dead-letter queue" in said.stdout
    assert "3 of 3 good ones stored" in said.stdout
    assert re.findall(r"items more: (\d)", said.stdout) == ["1", "2"]
