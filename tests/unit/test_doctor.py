"""The doctor names what is wrong, with a remedy, and counts what is right."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

from labkit.doctor import Finding

doctor = importlib.import_module("labkit.doctor")  # labkit.doctor is the function of that name


def test_a_fit_computer_gets_one_line(capsys):
    """Nobody reads fourteen lines of «fine»."""
    assert doctor.report([Finding("Python"), Finding("free memory")])

    assert capsys.readouterr().out == "2 of 2 checks are fine: this computer is ready\n"


def test_what_is_wrong_stands_first_with_its_remedy(capsys):
    """The rest is counted only."""
    assert not doctor.report(
        [Finding("Python"), Finding("free memory", "0.3 GB are free, 1.2 are needed; close a program")]
    )

    assert capsys.readouterr().out.splitlines() == [
        "✗ free memory: 0.3 GB are free, 1.2 are needed; close a program",
        "1 of 2 checks are fine; mend what is marked ✗, then look again",
    ]


def test_too_little_memory_is_told_in_gigabytes(monkeypatch):
    """A learner needs about 1.2 GB."""
    monkeypatch.setattr(doctor, "MEMORY", 1e15)

    assert doctor._memory().endswith("GB are free, 1000000.0 are needed; close a program")


def test_a_state_folder_that_cannot_be_written_names_the_variable(monkeypatch, tmp_path):
    """A file in its place is what a test can make on every system."""
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("LABKIT_STATE_DIR", str(tmp_path / "file" / "state"))

    assert "choose another by the variable LABKIT_STATE_DIR" in doctor._state_folder()


@pytest.mark.parametrize(("no_proxy", "fine"), [("", False), ("127.0.0.1,localhost", True)])
def test_a_proxy_that_swallows_the_local_cloud_is_found(monkeypatch, no_proxy, fine):
    """The most common reason why a page stays empty in a company."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)

    assert (doctor._proxy() == "") is fine


def test_a_package_that_is_missing_is_named(monkeypatch):
    """With the command that installs it."""
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda _: ["no-such-package>=1", "boto3>=999"])

    found = doctor._packages()

    assert found.startswith("not there, or too old: boto3 ")
    assert found.endswith("no-such-package; install them with: pip install -r requirements.lock")


def test_a_setting_that_cannot_be_is_the_only_finding(monkeypatch, tmp_path):
    """Nothing else can be looked at before it is mended."""
    monkeypatch.setenv("LABKIT_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("LABKIT_CLOUD", "mars")

    assert [finding.what for finding in doctor.examine()] == ["your settings"]


def test_the_command_looks_at_a_local_cloud_and_ends_with_its_verdict(cloud):
    """`labkit doctor`, on the session's cloud and without one kernel connected."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABKIT_"))}

    run = subprocess.run(
        [sys.executable, "-m", "labkit.cli", "doctor"], env=environment | {"LABKIT_STATE_DIR": cloud["state_dir"]},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    last = run.stdout.splitlines()[-1]
    assert (run.returncode, last) in ((0, "10 of 10 checks are fine: this computer is ready"), (1, last)), run
    assert "a request to the cloud" not in run.stdout, run.stdout
