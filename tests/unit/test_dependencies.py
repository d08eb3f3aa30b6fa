"""pyproject.toml, the lock files and environment.yml name the same dependencies."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def names(lines):
    found = [re.match(r"[A-Za-z0-9._-]+", line) for line in lines]
    return {match[0].lower().replace("_", "-") for match in found if match}


def test_each_dependency_is_locked_in_a_version_that_fits():
    """`make run` installs the lock and nothing else."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(text) for text in project["dependencies"]]
    locked = dict(re.findall(r"^([a-z0-9-]+)==([^ ;\n]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))

    for requirement in wanted:
        assert requirement.name in locked, f"{requirement.name} is not in requirements.lock: run make lock"
        assert requirement.specifier.contains(locked[requirement.name])


def test_the_development_lock_agrees_with_the_lock_of_a_run():
    """What is tested is what runs."""
    run = {line for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line}
    development = (ROOT / "requirements-dev.lock").read_text()

    assert [line for line in run if line.split(" ;")[0] not in development] == []


def test_conda_installs_the_lock():
    """environment.yml adds Python and nothing of its own."""
    assert "- -r requirements.lock" in (ROOT / "environment.yml").read_text()


def test_no_lock_names_a_registry():
    """Whoever installs decides from where."""
    assert "://" not in (ROOT / "requirements.lock").read_text() + (ROOT / "requirements-dev.lock").read_text()
