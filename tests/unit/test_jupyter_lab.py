"""``labkit lab``, as it is started in a terminal without a browser."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import psutil
import pytest

from labkit import jupyter_lab, local_process
from labkit.exceptions import LabkitError
from tests.running_lab import RunningLab


@pytest.fixture
def open_lab(tmp_path):
    opened: list[RunningLab] = []

    def start(*options: str) -> RunningLab:
        opened.append(RunningLab(tmp_path, *options))
        return opened[-1]

    yield start
    for lab in opened:
        if lab.process.poll() is None:
            lab.end()
    local_process.stop(tmp_path)


@pytest.mark.slow
def test_it_opens_on_the_first_notebook_with_the_table_of_contents_and_ends_what_it_started(open_lab, tmp_path):
    """A learner's first minute, and the last."""
    lab = open_lab()
    url = lab.wait_for_address()

    assert urlsplit(url).path == "/lab/workspaces/course/tree/notebooks/00_start_here.ipynb"
    assert b"JupyterLab" in lab.get(urlsplit(url).path)
    left = json.loads(lab.get("/lab/api/workspaces/course"))["data"]["layout-restorer:data"]["left"]
    assert (left["current"], left["collapsed"]) == ("@jupyterlab/toc:plugin", False)
    news = json.loads(lab.get("/lab/api/settings/@jupyterlab/apputils-extension:notification"))
    assert news["schema"]["properties"]["fetchNews"]["default"] == "false"
    assert json.loads(lab.get("/api/contents/docs/glossary.md?content=0"))["type"] == "file"  # notebooks link to it
    described = local_process.find(tmp_path)
    assert f"local cloud: {described['endpoint']} (ends with this)" in lab.lines

    lab.end()

    assert local_process.find(tmp_path) is None


def test_the_address_is_printed_when_somebody_listens(monkeypatch, tmp_path):
    """Jupyter writes the file that tells of it a moment before it listens; a click in between found nobody."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    with socket.socket() as listener, subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as one:
        listener.bind(("127.0.0.1", 0))
        described = {"url": f"http://127.0.0.1:{listener.getsockname()[1]}/"}
        (tmp_path / f"jpserver-{one.pid}.json").write_text(json.dumps(described))
        monkeypatch.setattr(jupyter_lab, "START_SECONDS", 0.3)
        before = jupyter_lab._when_ready(one)

        listener.listen()
        monkeypatch.setattr(jupyter_lab, "START_SECONDS", 30.0)
        after = jupyter_lab._when_ready(one)
        one.kill()

    assert (before, after) == (None, described)


def test_a_local_cloud_that_ran_before_stays(monkeypatch, tmp_path, capsys):
    """Who starts it ends it: somebody may be using it from a terminal."""
    monkeypatch.setenv("LABKIT_STATE_DIR", str(tmp_path))
    before = local_process.start(tmp_path, ["--port", "0"])
    try:
        with jupyter_lab.local_cloud_up():
            pass

        assert local_process.find(tmp_path)["pid"] == before["pid"]
        assert capsys.readouterr().out == f"local cloud: {before['endpoint']} (it ran before, and stays)\n"
    finally:
        local_process.stop(tmp_path)
    assert not psutil.pid_exists(before["pid"]), "whoever started it lets the system forget it"


def test_a_course_on_aws_starts_no_local_cloud(monkeypatch, tmp_path):
    """As chosen in notebook 00."""
    monkeypatch.setenv("LABKIT_STATE_DIR", str(tmp_path))
    (tmp_path / "settings.json").write_text(
        json.dumps({"cloud": "aws", "lab_id": "ada", "email": "ada@example.com"}), encoding="utf-8"
    )
    with jupyter_lab.local_cloud_up():
        assert local_process.find(tmp_path) is None


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ([], "/"),
        (["--ServerApp.base_url=/user/ada/"], "/user/ada/"),
        (["--ServerApp.base_url=user/ada", "--port=1"], "/user/ada/"),
        (["--ServerApp.base_url=/"], "/"),
    ],
)
def test_the_path_of_a_proxy_is_read_from_jupyters_option(options, path):
    """With or without slashes, as Jupyter takes it."""
    assert jupyter_lab.base_url(options) == path


def test_a_local_cloud_for_other_browsers_is_not_taken(monkeypatch, tmp_path):
    """Its mails have links that this browser cannot open."""
    monkeypatch.setenv("LABKIT_STATE_DIR", str(tmp_path))
    local_process.start(tmp_path, ["--port", "0"])
    monkeypatch.setenv("LABKIT_PUBLIC_URL", "/user/ada/proxy/{port}")
    try:
        with pytest.raises(LabkitError, match="end it with: labkit down"), jupyter_lab.local_cloud_up():
            pass
    finally:
        local_process.stop(tmp_path)


def test_a_workspace_that_the_learner_has_arranged_stays(monkeypatch, tmp_path):
    """Only the first start lays out the panels."""
    monkeypatch.setenv("LABKIT_STATE_DIR", str(tmp_path))
    jupyter_lab.keep_workspace()
    kept = next((tmp_path / "jupyter" / "workspaces").iterdir())
    kept.write_text("arranged")

    jupyter_lab.keep_workspace()

    assert kept.read_text() == "arranged"
