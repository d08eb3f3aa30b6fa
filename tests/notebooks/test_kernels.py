"""Real kernels, as JupyterLab starts them: restarted, two at once, and two labs on one local cloud."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

from labkit import local_process
from tests.conftest import REPOSITORY, start_local_cloud, stop_local_cloud

pytestmark = pytest.mark.slow
SEND = "sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=labkit.name('Work'))['QueueUrl'], MessageBody={body!r})"
CREATE = "print(sqs.create_queue(QueueName=labkit.name('Work'), tags=lab['tags'])['QueueUrl'])"
RECEIVE = """
url = sqs.get_queue_url(QueueName=labkit.name('Work'))['QueueUrl']
print([one['Body'] for one in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get('Messages', [])])
"""


class Kernel:
    """A Python kernel; *run* returns what the cell printed, and fails when it raised."""

    def __init__(self, state: Path) -> None:
        self.manager = KernelManager(kernel_name="python3")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABKIT_"))}
        self.manager.start_kernel(
            cwd=str(REPOSITORY), env={**inherited, "LABKIT_STATE_DIR": str(state), "PYTHONPATH": str(REPOSITORY)}
        )
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, source: str) -> str:
        """Execute a cell."""
        printed: list[str] = []

        def hear(message):
            if message["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        reply = self.client.execute_interactive(source, timeout=60, output_hook=hear)["content"]
        assert reply["status"] == "ok", "\n".join(reply.get("traceback", []))
        return "".join(printed).strip()

    def connect(self, lab_id: str) -> str:
        """Run the set-up cell of a notebook."""
        return self.run(f"import boto3, labkit\nlab = labkit.connect(lab_id={lab_id!r})\nsqs = boto3.client('sqs')")

    def restart(self) -> None:
        """As from the menu Kernel."""
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=60)

    def close(self) -> None:
        """End the process."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture
def kernel(cloud, tmp_path) -> Iterator:
    """``kernel()`` starts one on the session's local cloud."""
    shutil.copy(Path(cloud["state_dir"], "local.json"), tmp_path)
    with contextlib.ExitStack() as ending:

        def start(state: Path = tmp_path) -> Kernel:
            started = Kernel(state)
            ending.callback(started.close)
            return started

        yield start


@pytest.fixture
def lab_id(kernel):
    return f"k-{uuid.uuid4().hex[:10]}"


def test_a_restarted_kernel_finds_everything_again_by_its_name(kernel, lab_id, cloud):
    """The local cloud outlives the kernel; nothing is carried over but the LAB_ID."""
    one = kernel()
    one.connect(lab_id)
    one.run(CREATE)
    one.run(SEND.format(body="before the restart"))

    one.restart()

    assert one.run("print('lab' in globals())") == "False"
    assert one.connect(lab_id).startswith(f"Connected to the local cloud on {cloud['endpoint']}")
    assert one.run(RECEIVE) == "['before the restart']"
    one.run("labkit.cleanup(yes=True)")
    assert one.run("print(len(labkit.inventory()))") == "0"


def test_two_kernels_share_one_lab_on_one_local_cloud(kernel, lab_id):
    """Two notebooks are open: what one sends the other receives."""
    one, other = kernel(), kernel()
    one.connect(lab_id)
    other.connect(lab_id)
    url = one.run(CREATE)

    assert other.run(CREATE) == url
    one.run(SEND.format(body="from one"))
    assert other.run(RECEIVE) == "['from one']"
    other.run("labkit.cleanup(yes=True)")
    assert one.run("print(len(labkit.inventory()))") == "0"


def test_two_labs_do_not_see_each_other(kernel, lab_id):
    """Two people, or a class on one machine; cleaning up one leaves the other alone."""
    one, other = kernel(), kernel()
    one.connect(f"{lab_id}-a")
    other.connect(f"{lab_id}-b")

    assert one.run(CREATE) != other.run(CREATE)
    one.run(SEND.format(body="for a"))
    assert other.run(RECEIVE.replace("WaitTimeSeconds=5", "WaitTimeSeconds=0")) == "[]"
    other.run("labkit.cleanup(yes=True)")
    assert other.run("print(len(labkit.inventory()))") == "0"
    assert one.run(RECEIVE) == "['for a']"
    one.run("labkit.cleanup(yes=True)")


def test_two_kernels_that_connect_at_the_same_moment_start_one_local_cloud(kernel, tmp_path):
    """Run All in two notebooks after a reboot: nobody starts a second one."""
    state = tmp_path / "empty"
    one, other = kernel(state), kernel(state)
    both = [each.client.execute("import labkit; print(labkit.connect()['endpoint'])") for each in (one, other)]
    try:
        for each, request in zip((one, other), both, strict=True):
            reply = each.client.get_shell_msg(timeout=60)
            while reply["parent_header"]["msg_id"] != request:  # an answer to a question of the start comes late
                reply = each.client.get_shell_msg(timeout=60)
            assert reply["content"]["status"] == "ok", reply["content"]
        endpoints = {each.run("print(labkit.connect()['endpoint'])").splitlines()[-1] for each in (one, other)}
        assert endpoints == {local_process.find(state)["endpoint"]}
    finally:
        local_process.stop(state)


def test_a_kernel_goes_on_with_a_local_cloud_that_was_started_again(kernel, tmp_path):
    """The set-up cell is enough after ``labkit down`` and ``labkit up``: everything is there still."""
    state = tmp_path / "again"
    first, _ = start_local_cloud(state)
    one = kernel(state)
    try:
        one.connect("lab")
        one.run(CREATE)
        one.run(SEND.format(body="before the restart"))
    finally:
        stop_local_cloud(first)
    second, described = start_local_cloud(state)
    try:
        assert f"on {described['endpoint']}," in one.connect("lab")
        assert one.run(RECEIVE) == "['before the restart']"
    finally:
        stop_local_cloud(second)
