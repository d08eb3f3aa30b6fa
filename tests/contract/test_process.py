"""The local cloud as a process: start, second start, end, and the end of its functions."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import time
import urllib.request
import zipfile

import psutil
import pytest

from tests.conftest import make_client, start_local_cloud, stop_local_cloud, wait_for


@pytest.fixture
def own(tmp_path):
    """A local cloud of this test alone: ``(process, description)``."""
    process, described = start_local_cloud(tmp_path / "state")
    yield process, described
    stop_local_cloud(process)


def start_again(tmp_path, *options):
    return subprocess.run(
        [sys.executable, "-m", "labkit.local", "--state-dir", str(tmp_path / "state"), *options],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip


def test_health_names_version_uptime_and_parts(own):
    """What `labkit status` and a monitor read."""
    with urllib.request.urlopen(own[1]["endpoint"] + "/_labkit/health") as response:
        health = json.load(response)

    assert health.keys() == {"status", "version", "uptime_seconds", "account_id", "time_scale", "parts"}


def test_a_second_local_cloud_on_the_same_directory_says_so(own, tmp_path):
    """One clear sentence and exit code 2."""
    second = start_again(tmp_path, "--port", "0")

    assert second.returncode == 2
    assert f"already runs on {tmp_path / 'state'} (pid {own[0].pid})" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_in_use_says_so(tmp_path):
    """One clear sentence and exit code 2."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        failed = start_again(tmp_path, "--port", str(port))

    assert (failed.returncode, f"cannot listen on 127.0.0.1:{port}" in failed.stderr) == (2, True)


@pytest.mark.parametrize("ending", ["terminate", "kill"])
def test_function_processes_end_with_the_local_cloud(own, ending):
    """Within 2 s when it is told to end; by themselves when it is killed."""
    process, described = own
    iam, functions = make_client(described, "iam"), make_client(described, "lambda")
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    }
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("f.py", "import os\ndef h(e, c): return os.getpid()")
    functions.create_function(
        FunctionName="f", Runtime="python3.11", Role=role, Handler="f.h", Code={"ZipFile": buffer.getvalue()}
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.05})
    with functions.invoke(FunctionName="f")["Payload"] as payload:
        worker = psutil.Process(int(payload.read()))
    iam.close()
    functions.close()
    started = time.monotonic()

    getattr(process, ending)()
    process.wait(5)

    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, timeout=5)
    assert time.monotonic() - started < 2.5
