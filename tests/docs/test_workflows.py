"""The workflows for GitHub Actions are what docs/ci.md shows, and call commands that exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.docs.test_links import complaint

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
CI, NIGHTLY = (yaml.safe_load((FOLDER / name).read_text(encoding="utf-8")) for name in ("ci.yml", "aws-nightly.yml"))


def steps(workflow: dict) -> list[dict]:
    """Return the steps of all jobs."""
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def commands(workflow: dict) -> list[str]:
    """Return what the steps run, line by line."""
    return [line.strip() for step in steps(workflow) for line in step.get("run", "").splitlines()]


def test_the_documented_workflows_are_the_ones_in_use():
    """docs/ci.md shows them; somebody copies them."""
    shown = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "ci.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)

    assert sorted(shown) == sorted(path.read_text(encoding="utf-8") for path in WORKFLOWS)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_command_of_a_workflow_exists(path):
    """A typing mistake there shows only after the push, and in the nightly run only after the night."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    markers = {text.partition(":")[0] for text in project["tool"]["pytest"]["ini_options"]["markers"]}
    lines = commands(yaml.safe_load(path.read_text(encoding="utf-8")))

    assert lines
    for line in lines:
        words = shlex.split(re.sub(r"\$\{\{.*?\}\}", "7", line))
        if words[0] == "labkit":
            assert complaint(line) == ""
        elif words[:4] == ["python", "-m", "pip", "install"]:
            files = [words[index + 1] for index, word in enumerate(words) if word == "-r"]
            assert all((ROOT / name).is_file() for name in files)
        elif words[:3] == ["python", "-m", "pytest"]:
            assert set(re.findall(r"\w+", words[words.index("-m", 2) + 1])) - {"not", "and", "or"} <= markers
            ignored = [word.partition("=")[2] for word in words if word.startswith("--ignore=")]
            assert all((ROOT / name).is_dir() for name in ignored)
        else:
            assert words[0] in {"ruff", "mypy", "lint-imports"}, line


def test_ci_covers_the_three_systems_and_every_python_that_labkit_names():
    """README promises them."""
    matrix = CI["jobs"]["notebooks-and-tests"]["strategy"]["matrix"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert [name.partition("-")[0] for name in matrix["os"]] == ["ubuntu", "macos", "windows"]
    assert f">={matrix['python'][0]}" == project["requires-python"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]


def test_each_system_runs_the_tests_once():
    """Two conditional steps must not leave one system out."""
    conditions = [step["if"] for step in steps(CI) if "pytest" in step.get("run", "")]

    assert sorted(conditions) == ["runner.os != 'Linux'", "runner.os == 'Linux'"]


def test_the_lint_step_is_that_of_make():
    """What is green here is green there."""
    line = re.search(r"^lint:.*$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[0]

    wanted = [command.strip().replace("$(BIN)/", "") for command in line.partition("@")[2].split("&&")]
    assert [command for command in commands(CI) if not command.startswith(("python", "labkit"))] == wanted


def test_the_night_on_aws_cleans_up_whatever_happened_and_stores_no_key():
    """A failed night must not cost money in the morning."""
    done = steps(NIGHTLY)
    runs = [step.get("run", "") for step in done]
    ran = next(index for index, run in enumerate(runs) if run.startswith("labkit run"))
    removals = [index for index, run in enumerate(runs) if run.startswith("labkit cleanup")]

    assert NIGHTLY["permissions"]["id-token"] == "write"
    assert "secrets." not in (FOLDER / "aws-nightly.yml").read_text(encoding="utf-8")
    assert min(removals) > ran
    assert all(done[index]["if"] == "always()" for index in removals)
    assert "--older-than" in runs[removals[-1]]
    lab = re.search(r"--lab-id (\S.*?\}\}) ", runs[ran])[1]
    assert {re.sub(r"labkit cleanup --lab-id | --yes", "", runs[index]) for index in removals[:-1]} == {
        lab, f"{lab}-tour", f"{lab}-broken",
    }  # fmt: skip


def test_the_lab_ids_of_the_night_are_allowed():
    """The run number grows; the longest lab id may have 20 characters."""
    from labkit.settings import LAB_ID

    assert LAB_ID.fullmatch("ci-999999-broken")
