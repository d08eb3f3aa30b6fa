"""The live map as a table, and as a widget that the kernel feeds."""

from __future__ import annotations

import json
import shutil
import threading
import uuid
from pathlib import Path

import boto3
import pytest

import labkit
from labkit import cloud as labkit_cloud
from labkit import local_process
from labkit.exceptions import LabkitError
from labkit.live_pipeline import live_pipeline, pipeline_widget
from tests.notebooks.conftest import own_environment


@pytest.fixture
def lab(cloud, tmp_path, capsys):
    shutil.copy(Path(cloud["state_dir"], "local.json"), tmp_path)
    with own_environment(tmp_path):
        yield labkit.connect(lab_id=f"t-{uuid.uuid4().hex[:10]}")
        labkit.cleanup(yes=True)


def test_the_table_has_the_parts_of_this_lab_with_their_queues_depth(lab, client):
    """The same content as the widget, for whoever cannot use it."""
    sqs, tags = client("sqs"), {"labkit:lab-id": lab["lab_id"]}
    dlq, work = (labkit.name(name) for name in ("Failed", "Work"))
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{lab['account']}:{dlq}", "maxReceiveCount": 3}
    sqs.create_queue(QueueName=dlq, tags=tags)
    url = sqs.create_queue(QueueName=work, tags=tags, Attributes={"RedrivePolicy": json.dumps(redrive)})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="one")

    table = live_pipeline()

    assert table.sort_values("name").to_dict("records") == [
        {
            "service": "SQS queue", "name": dlq, "state": "there",
            "counts": "waiting: 0 · in flight: 0 · delayed: 0", "goes to": "",
        },
        {
            "service": "SQS queue", "name": work, "state": "there",
            "counts": "waiting: 1 · in flight: 0 · delayed: 0", "goes to": f"{dlq} (redrive)",
        },
    ]  # fmt: skip


def test_the_widget_follows_the_queue_until_the_local_cloud_ends(tmp_path):
    """Fed by a thread of the kernel; a local cloud that is gone is said."""
    described = local_process.start(tmp_path, ["--port", "0"])
    names, seen, ended = [], threading.Event(), threading.Event()

    def changed(change):
        names.extend(part["name"] for part in change["new"]["parts"])
        if "Work-lab" in names:
            seen.set()

    with own_environment(tmp_path):
        labkit.connect()
        try:
            widget = pipeline_widget(described, {})
            widget.observe(changed, "picture")
            widget.observe(lambda change: ended.set(), "ended")
            boto3.client("sqs").create_queue(QueueName=labkit.name("Work"))
            assert seen.wait(10), names
        finally:
            local_process.stop(tmp_path)

        assert ended.wait(10)
        assert widget.ended == "The local cloud has ended; connect again and run this cell again."
        widget.close()


def test_on_aws_it_says_what_to_use(lab, monkeypatch):
    """AWS tells nobody what happens."""
    with monkeypatch.context() as patch:
        patch.setitem(labkit_cloud._connected, "cloud", "aws")
        with pytest.raises(LabkitError, match=r"labkit\.show_pipeline"):
            live_pipeline()
