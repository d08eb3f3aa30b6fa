"""What import-linter cannot say: which files need nothing but the standard library; and no feature is forgotten."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(ROOT.glob("lambdas/*/*.py"))
WORKER = ROOT / "labkit" / "local" / "lambda_runtime" / "worker.py"


def imported(path):
    """Return the top-level names that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.parent.name)
def test_a_function_imports_the_standard_library_and_boto3_only(path):
    """Anything else would have to be in its zip: on AWS there is no labkit."""
    assert imported(path) - sys.stdlib_module_names <= {"boto3", "botocore"}


def test_there_is_a_function_to_look_at():
    """An empty list would pass the test above."""
    assert len(FUNCTIONS) >= 3


def test_the_worker_imports_the_standard_library_only():
    """It runs by path, isolated, in the process of somebody else's function."""
    assert imported(WORKER) - sys.stdlib_module_names == set()


@pytest.mark.parametrize(
    "path", [WORKER.with_suffix(".mjs"), *sorted(ROOT.glob("lambdas/*/*.mjs"))], ids=lambda path: path.name
)
def test_javascript_imports_nothing_but_nodejs_and_its_neighbours(path):
    """No package has to be installed for it."""
    names = re.findall(r'^import .*?from "([^"]+)";$', path.read_text(encoding="utf-8"), re.MULTILINE)

    assert names
    assert [name for name in names if not name.startswith(("node:", "./"))] == []


def test_every_package_of_the_local_cloud_is_among_the_independent_features():
    """A new feature must not slip past the contract that keeps features apart."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (listed,) = [set(contract["modules"]) for contract in contracts if contract["type"] == "independence"]
    packages = {f"labkit.local.{init.parent.name}" for init in (ROOT / "labkit" / "local").glob("*/__init__.py")}

    assert packages - listed == {"labkit.local.front_door", "labkit.local.pages"}  # these serve the features


def test_the_readme_names_everything_that_labkit_offers():
    """What nobody finds is not there."""
    import labkit

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in labkit.__all__ if f"`{name}`" not in text] == []
