"""Tools that people bring along, in a virtual environment of their own, so that their botocore does not meet ours."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.conftest import REPOSITORY

HERE = Path(__file__).parent

RunTool = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def tools_python() -> Path:
    """The Python of ``.venv-tools``."""
    return python_of(REPOSITORY / ".venv-tools", HERE / "requirements.txt")


@pytest.fixture(scope="session")
def hub_python() -> Path:
    """The Python of ``.venv-hub``: JupyterHub, beside everything that this Python has."""
    sees = "".join(f"import site; site.addsitedir({folder!r})\n" for folder in site.getsitepackages())
    return python_of(REPOSITORY / ".venv-hub", HERE / "requirements-jupyterhub.txt", sees=sees)


def python_of(environment: Path, requirements: Path, *, sees: str = "") -> Path:
    """A virtual environment that is made once (half a minute) and again when the requirements change.

    Without a registry the tests fail, unless LABKIT_OFFLINE is set: then they are skipped. *sees* are the
    lines of a ``.pth`` file in it.
    """
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = f"{sys.version}\n{requirements.read_text()}{sees}"
    made = environment / "made-from.txt"
    with FileLock(f"{environment}.lock", timeout=600):
        if made.exists() and made.read_text() == wanted:
            return python
        if os.environ.get("LABKIT_OFFLINE"):
            pytest.skip(f"LABKIT_OFFLINE is set, and {environment.name} has not been made: the tools are not there")
        venv.create(environment, clear=True, with_pip=True)
        if sees:
            where = "import sysconfig; print(sysconfig.get_path('purelib'))"
            folder = subprocess.run([str(python), "-c", where], capture_output=True, text=True, check=True).stdout
            (Path(folder.strip()) / "beside.pth").write_text(sees)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
        installed = subprocess.run([*pip, "-r", str(requirements)], capture_output=True, text=True, check=False)
        if installed.returncode:
            pytest.fail(f"{environment.name} could not be made (LABKIT_OFFLINE=1 skips this):\n{installed.stderr}")
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
