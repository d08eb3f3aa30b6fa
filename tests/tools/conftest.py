"""Tools that people bring along, in a virtual environment of their own, so that their botocore does not meet ours."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.conftest import REPOSITORY

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
ENVIRONMENT = REPOSITORY / ".venv-tools"

RunTool = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def tools_python() -> Path:
    """The Python of ``.venv-tools``, which is made once (half a minute) and again when the requirements change.

    Without a registry the tests fail, unless LABKIT_OFFLINE is set: then they are skipped.
    """
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = f"{sys.version}\n{REQUIREMENTS.read_text()}"
    made = ENVIRONMENT / "made-from.txt"
    with FileLock(f"{ENVIRONMENT}.lock", timeout=600):
        if made.exists() and made.read_text() == wanted:
            return python
        if os.environ.get("LABKIT_OFFLINE"):
            pytest.skip(f"LABKIT_OFFLINE is set, and {ENVIRONMENT.name} has not been made: the tools are not there")
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
        installed = subprocess.run([*pip, "-r", str(REQUIREMENTS)], capture_output=True, text=True, check=False)
        if installed.returncode:
            pytest.fail(f"{ENVIRONMENT.name} could not be made (LABKIT_OFFLINE=1 skips this):\n{installed.stderr}")
        made.write_text(wanted)
    return python


@pytest.fixture
def tools_environ(cloud: dict[str, Any], tmp_path: Path) -> dict[str, str]:
    """The environment of a tool: what ``labkit env`` prints, and a home where nothing is configured."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABKIT_"))}
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "NO_PROXY": "127.0.0.1,localhost"}
    return kept | home | {
        "AWS_ENDPOINT_URL": cloud["endpoint"],
        "AWS_ACCESS_KEY_ID": cloud["access_key"],
        "AWS_SECRET_ACCESS_KEY": cloud["secret_key"],
        "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip


@pytest.fixture
def run_tool(tools_python: Path, tools_environ: dict[str, str], tmp_path: Path) -> RunTool:
    """``run_tool("-m", "awscli", "s3", "ls")``: run the tools' Python in *tmp_path*, which must end with 0."""

    def run(*arguments: str, cwd: Path = tmp_path, input: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        command = [str(tools_python), *arguments]
        done = subprocess.run(
            command, cwd=cwd, env=tools_environ | environ, input=input, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    return run
