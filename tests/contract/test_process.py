"""The local cloud as a process: start, second start, end, and the end of its functions."""

from __future__ import annotations

import io
import json
import os
import signal
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


def health_of(described):
    with urllib.request.urlopen(described["endpoint"] + "/_labkit/health") as response:
        return json.load(response)


def test_health_names_version_uptime_and_the_state_of_every_part(own):
    """What `labkit status` and a monitor read, with nobody's name or content in it: it needs no token."""
    health = health_of(own[1])
    mail = health["parts"].pop("mail")
    assert health["parts"].pop("moto")["backends"] in ("importing", "ready")

    assert health.keys() == {"status", "version", "uptime_seconds", "account_id", "time_scale", "parts"}
    assert mail == {"messages": 0, "smtp_port": own[1]["smtp_port"], "relay": "own inbox"}
    assert health["parts"] == {
        "sqs": {"queues": 0, "visible": 0, "in_flight": 0, "delayed": 0},
        "lambda": {"functions": 0, "environments": 0, "invocations_under_way": 0},
        "event_source_mapping": {"mappings": 0, "polling": 0},
        "api_gateway": {"deployed_apis": 0, "deployments": 0},
        "sns": {"topics": 0, "subscriptions": 0, "pending": 0},
        "eventbridge": {"rules": 0, "enabled": 0, "targets": 0, "delivering": 0},
        "cloudtrail": {"trails": 0, "logging": 0, "events": 0},
        "s3_notifications": {"buckets": 0, "delivering": 0},
    }


def test_health_counts_what_is_there(own, tmp_path):
    """Counts that never move would be no health; and `labkit status` shows them to a person."""
    described = own[1]
    sqs, sns, events = (make_client(described, service) for service in ("sqs", "sns", "events"))
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="now")
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=60)
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:q")
    events.put_rule(Name="r", EventPattern='{"source": ["aws.s3"]}')
    events.put_targets(Rule="r", Targets=[{"Id": "t", "Arn": topic}])
    wait_for(lambda: health_of(described)["parts"]["mail"]["messages"] == 1)
    wait_for(lambda: health_of(described)["parts"]["moto"] == {"backends": "ready"})
    for client in (sqs, sns, events):
        client.close()

    parts = health_of(described)["parts"]

    assert parts["sqs"] == {"queues": 1, "visible": 1, "in_flight": 0, "delayed": 1}
    assert parts["sns"] == {"topics": 1, "subscriptions": 1, "pending": 1}
    assert parts["eventbridge"] == {"rules": 1, "enabled": 1, "targets": 1, "delivering": 0}
    assert parts["cloudtrail"]["events"] > 0
    shown = subprocess.run(
        [sys.executable, "-m", "labkit.cli", "status"],
        env=os.environ | {"LABKIT_STATE_DIR": str(tmp_path / "state")}, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert shown[1].startswith(f"  inbox                {described['endpoint']}/_labkit/inbox?")
    assert shown[2].startswith(f"  live map             {described['endpoint']}/_labkit/map?")
    assert shown[3] == "  sqs                  1 queues, 1 visible, 0 in flight, 1 delayed"
    assert shown[-1] == "  moto                 backends: ready"


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


def test_an_interrupt_ends_it_without_a_traceback(own, tmp_path):
    """Ctrl-C in the terminal where it runs."""
    process, _ = own
    started = time.monotonic()

    process.send_signal(signal.SIGINT)
    process.wait(5)

    assert time.monotonic() - started < 2
    assert "Traceback" not in (tmp_path / "state" / "local.log").read_text()
    assert not (tmp_path / "state" / "local.json").exists()


def test_a_directory_that_cannot_be_made_says_so(tmp_path):
    """One clear sentence and exit code 2."""
    (tmp_path / "state").write_text("a file stands in the way")

    failed = start_again(tmp_path, "--port", "0")

    assert (failed.returncode, str(tmp_path / "state") in failed.stderr) == (2, True)
    assert "Traceback" not in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1


def test_the_ready_line_tells_the_address(tmp_path):
    """Port 0 picks a free one; the line is all that a person or a script has to read."""
    process, described = start_local_cloud(tmp_path / "state")
    stop_local_cloud(process)

    lines = (tmp_path / "state" / "local.log").read_text().splitlines()
    assert sum(described["endpoint"] in line and "ready" in line for line in lines) == 1


def test_the_command_starts_describes_and_ends_it(tmp_path):
    """`labkit up`, `up` again, `env`, `logs`, `down`, `down` again."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABKIT_"))}

    def labkit(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "labkit.cli", *arguments], env=environment | {"LABKIT_STATE_DIR": str(tmp_path)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    up, again = labkit("up", "--port", "0"), labkit("up")
    described = json.loads((tmp_path / "local.json").read_text())
    exports = dict(line.removeprefix("export ").split("=", 1) for line in labkit("env").stdout.splitlines())
    sqs = make_client(described, "sqs")
    sqs.list_queues()
    sqs.close()
    logs = wait_for(lambda: (text := labkit("logs").stdout) and "sqs:ListQueues" in text and text)
    down, gone, nothing = labkit("down"), labkit("down"), labkit("logs")

    assert up.stdout == f"labkit's local cloud is ready on {described['endpoint']} (pid {described['pid']})\n"
    assert (up.returncode, again.stdout) == (0, up.stdout)
    assert exports["AWS_ENDPOINT_URL"].strip("'\"") == described["endpoint"]
    assert exports["AWS_SECRET_ACCESS_KEY"].strip("'\"") == described["secret_key"]
    assert next(line for line in logs.splitlines() if "sqs:ListQueues" in line).split()[1] == "200"
    assert (down.stdout, gone.stdout) == ("the local cloud has ended\n", "no local cloud runs\n")
    assert nothing.returncode != 0 or nothing.stdout
    if os.name == "posix":
        assert (tmp_path / "local.json").exists() is False


def test_the_file_with_the_keys_is_its_owners_alone(own, tmp_path):
    """Others on the same computer must not read them."""
    if os.name == "posix":
        assert (tmp_path / "state" / "local.json").stat().st_mode & 0o077 == 0
