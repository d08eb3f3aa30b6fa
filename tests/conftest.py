"""What all tests share: one local cloud for the session, clients on it, random names, patience."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config
from hypothesis import settings

T = TypeVar("T")
REPOSITORY = Path(__file__).parent.parent
settings.register_profile("the same every time", derandomize=True, database=None)
settings.load_profile("the same every time")  # new examples: python -m pytest --hypothesis-profile=default
LONGEST = ("test_runs.py", "test_jupyterlab.py", "test_checks_12.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--cloud",
        choices=["local", "endpoint"],
        default="local",
        help="local: a local cloud started for the tests; endpoint: what AWS_ENDPOINT_URL names",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first: with ``-n 2``, one process runs them while the other does the rest."""
    items.sort(
        key=lambda item: next((place for place, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST))
    )


def start_local_cloud(state_dir: Path, *options: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """Start a local cloud and return its process and the content of its ``local.json``."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "local.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "labkit.local", "--port", "0", "--state-dir", str(state_dir), *options],
            stdout=log,
            stderr=log,
            cwd=REPOSITORY,
        )
    found = state_dir / "local.json"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            return process, json.loads(found.read_text())
        except (OSError, ValueError):
            time.sleep(0.02)
    process.kill()
    raise RuntimeError(f"the local cloud did not start:\n{(state_dir / 'local.log').read_text()}")


def stop_local_cloud(process: subprocess.Popen[bytes]) -> None:
    """End a local cloud and wait for it."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The running cloud: ``endpoint``, ``access_key``, ``secret_key``, ``token``, ``smtp_port``, ``state_dir``."""
    if request.config.getoption("--cloud") == "endpoint":
        yield {
            "endpoint": os.environ["AWS_ENDPOINT_URL"],
            "access_key": os.environ["AWS_ACCESS_KEY_ID"],
            "secret_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        }
        return
    state_dir = tmp_path_factory.mktemp("state")
    process, described = start_local_cloud(state_dir, "--time-scale", "600")
    yield {**described, "state_dir": str(state_dir)}
    stop_local_cloud(process)


def make_client(cloud: dict[str, Any], service: str, **options: Any) -> Any:
    """A boto3 client on *cloud*, without retries, so that an error is seen the first time."""
    keys = {
        "aws_access_key_id": cloud["access_key"],
        "aws_secret_access_key": cloud["secret_key"],
        "region_name": "us-east-1",
    }
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)
    return boto3.client(service, endpoint_url=cloud["endpoint"], config=config, **{**keys, **options})


@pytest.fixture(scope="session")
def client(cloud: dict[str, Any]) -> Iterator[Callable[..., Any]]:
    """``client("sqs")``: a boto3 client on the session's cloud."""
    made: dict[str, Any] = {}

    def client(service: str, **options: Any) -> Any:
        name = repr((service, sorted(options)))
        if options or name not in made:
            made[name] = make_client(cloud, service, **options)
        return made[name]

    yield client
    for one in made.values():
        one.close()


@pytest.fixture
def unique() -> Callable[[str], str]:
    """``unique("Queue")``: a name that no other test has."""
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:10]}"


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """``eventually(probe)``: call *probe* until it is truthy, and return that; fail after *timeout* seconds."""
    return wait_for


def wait_for(probe: Callable[[], T], timeout: float = 30.0) -> T:
    """Poll *probe* every 20 ms."""
    deadline = time.monotonic() + timeout
    while True:
        if found := probe():
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"still {found!r} after {timeout} s")
        time.sleep(0.02)
