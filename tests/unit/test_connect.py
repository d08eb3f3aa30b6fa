"""connect() leaves no way for a call to reach real AWS by accident."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from labkit import cloud as labkit_cloud
from labkit.deployment_package import deployment_package
from labkit.exceptions import LabkitError, WaitTimeout
from labkit.waiting import wait_until

PROBE = """
import json, labkit, boto3
connected = labkit.connect()
endpoints = {s: boto3.client(s).meta.endpoint_url for s in ("s3", "sqs", "lambda", "sts", "dynamodb")}
caller = boto3.client("sts").get_caller_identity()["Arn"]
print(json.dumps([connected["endpoint"], endpoints, caller, labkit.name("ProductVisits")]))
"""


def test_no_profile_file_endpoint_or_proxy_lets_a_call_out(cloud, tmp_path):
    """Everything that boto3 reads from the environment is hostile here."""
    config = tmp_path / "config"
    config.write_text(
        "[profile work]\nregion = eu-west-1\nservices = s\nendpoint_url = https://example.com\n"
        "[services s]\nsqs =\n  endpoint_url = https://sqs.example.com\n"
    )
    hostile = {
        "LABKIT_STATE_DIR": cloud["state_dir"], "AWS_PROFILE": "work", "AWS_CONFIG_FILE": str(config),
        "AWS_ENDPOINT_URL_S3": "https://s3.example.com", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_SESSION_TOKEN": "token", "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env={**os.environ, **hostile},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    endpoint, endpoints, caller, name = json.loads(done.stdout.splitlines()[-1])
    assert (endpoint, set(endpoints.values())) == (cloud["endpoint"], {cloud["endpoint"]})
    assert (caller, name) == ("arn:aws:iam::123456789012:user/lab-administrator", "ProductVisits-lab")


def test_tables_of_a_connected_kernel_show_long_texts_whole(cloud):
    """An ARN that is cut after 50 characters is none."""
    source = "import labkit, pandas; labkit.connect(); print(pandas.DataFrame({'arn': ['x' * 60]}))"
    done = subprocess.run(
        [sys.executable, "-c", source],
        env={**os.environ, "LABKIT_STATE_DIR": cloud["state_dir"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "x" * 60 in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"cloud": "azure"}, "choose one of: local, endpoint, aws"),
        ({"lab_id": "Not Good"}, "use 2 to 20 lower-case letters"),
        ({"region": "mars"}, "a region looks like us-east-1"),
        ({"cloud": "aws"}, "choose a LAB_ID of your own"),
    ],
)
def test_a_bad_value_says_what_is_allowed(arguments, sentence):
    """Papermill passes whatever was typed."""
    with pytest.raises(LabkitError, match=sentence):
        labkit_cloud.connect(**arguments)


def test_the_same_folder_gives_the_same_package(tmp_path):
    """Byte for byte, so that a benchmark and a redeployment compare."""
    (tmp_path / "lambda_function.py").write_text("x = 1\n")
    (tmp_path / "event.json").write_text("{}")
    first = deployment_package(tmp_path)
    os.utime(tmp_path / "lambda_function.py", (0, 0))

    assert deployment_package(tmp_path) == first
    assert b"event.json" not in first


def test_a_folder_that_is_none_is_named(tmp_path):
    """The most common mistake is the relative path."""
    with pytest.raises(LabkitError, match="there is no folder"):
        deployment_package(tmp_path / "nope")


def test_waiting_in_vain_tells_what_was_awaited_and_seen():
    """The message is all a learner has."""
    with pytest.raises(WaitTimeout, match=r"a message did not come within 0.05 s; the last answer was \[\]"):
        wait_until(list, what="a message", timeout=0.05, interval=0.01)
