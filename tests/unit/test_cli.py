"""The commonest mistakes in a terminal: one sentence that says what to do, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

AWS = {"LABKIT_CLOUD": "aws", "LABKIT_LAB_ID": "ada", "LABKIT_EMAIL": "ada@example.org"}


@pytest.fixture
def labkit(tmp_path):
    """``labkit("run", "55", LABKIT_CLOUD="")``: the command on a state directory and a home of its own."""

    def run(*arguments, **variables):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABKIT_"))}
        nobody = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}
        nobody |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "LABKIT_STATE_DIR": str(tmp_path / "state")}
        return subprocess.run(
            [sys.executable, "-m", "labkit.cli", *arguments], env=kept | nobody | variables,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("command", [("up",), ("run", "00"), ("inventory",), ("lab", "--no-browser")])
def test_a_state_directory_that_cannot_be_written_is_named(labkit, tmp_path, command):
    """A home on a read-only disk, a file in the way."""
    (tmp_path / "file").touch()
    done = labkit(*command, LABKIT_STATE_DIR=str(tmp_path / "file" / "state"))

    assert (done.returncode, done.stdout) == (2, "")
    assert f"the state directory {tmp_path / 'file' / 'state'} cannot be written" in done.stderr
    assert "choose another by the variable LABKIT_STATE_DIR" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_looks_at_the_rest_when_the_state_directory_cannot_be_written(labkit, tmp_path):
    """Whoever is ill in two places wants to hear of both."""
    (tmp_path / "file").touch()
    done = labkit("doctor", LABKIT_STATE_DIR=str(tmp_path / "file" / "state"))

    assert "✗ the folder of labkit's state: " in done.stdout
    assert "✗ the local cloud: the local cloud did not start" in done.stdout
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "00", "--out", "{file}/build"), "the results cannot be written to {file}/build"),
        (("run", "00", "-p", "FOO"), "--parameter takes NAME=VALUE, not 'FOO'"),
        (("run", "55"), "there is no notebook '55' in "),
        (("up", "--time-scale", "0"), "did not start: --time-scale must be greater than 0; its log is "),
    ],
)
def test_what_cannot_start_says_why(labkit, tmp_path, arguments, sentence):
    """Exit code 2, as a pipeline expects it."""
    (tmp_path / "file").touch()
    done = labkit(*(one.format(file=tmp_path / "file") for one in arguments))

    assert done.returncode == 2
    assert (done.stderr[:8], len(done.stderr.splitlines())) == ("labkit: ", 1)
    assert sentence.format(file=tmp_path / "file") in done.stderr


def test_without_credentials_aws_is_not_asked(labkit):
    """The first thing that somebody without an account meets."""
    done = labkit("inventory", **AWS)

    assert done.returncode == 1
    assert done.stderr.startswith("labkit: AWS cannot be asked who you are: Unable to locate credentials; log in")
    assert len(done.stderr.splitlines()) == 1


def test_an_endpoint_where_nobody_listens_is_named(labkit):
    """Port 9 is nobody's."""
    done = labkit(
        "inventory", LABKIT_CLOUD="endpoint", AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1"
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (
        1, 'labkit: Could not connect to the endpoint URL: "http://127.0.0.1:9/"\n',
    )  # fmt: skip


def test_options_for_a_local_cloud_that_runs_already_are_not_passed_over_in_silence(labkit):
    """They count when it starts."""
    first = labkit("up", "--port", "0")
    again = labkit("up", "--max-environments", "2")
    labkit("down")

    assert again.stdout.splitlines() == [
        *first.stdout.splitlines(),
        "it ran before, and options count when it starts: labkit down (everything in it is kept), then labkit up again",
    ]


def test_help_says_where_to_begin(labkit):
    """A list of fourteen commands is no beginning."""
    done = labkit("--help")

    assert "Begin with: labkit lab" in done.stdout
