"""cleanup() deletes what carries the lab's tag, nothing else, and twice is fine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

PROGRAM = """
import boto3, json, labkit
labkit.connect(lab_id="shelf")
s3, sqs, logs = boto3.client("s3"), boto3.client("sqs"), boto3.client("logs")
mine, other = labkit.name("data", bucket=True), labkit.name("somebody-elses", bucket=True)
for bucket in (mine, other):
    s3.create_bucket(Bucket=bucket)
s3.put_bucket_tagging(Bucket=mine, Tagging={"TagSet": [{"Key": "labkit:lab-id", "Value": "shelf"}]})
s3.put_object(Bucket=mine, Key="x", Body=b"x")
sqs.create_queue(QueueName=labkit.name("Queue"), tags={"labkit:lab-id": "shelf"})
logs.create_log_group(logGroupName="/aws/lambda/" + labkit.name("Function"))
before = labkit.inventory()["kind"].tolist()
labkit.cleanup()
labkit.cleanup()
print(json.dumps([before, len(labkit.inventory()), [b["Name"] for b in s3.list_buckets()["Buckets"] if "shelf" in b["Name"]]]))
"""


def test_only_what_carries_the_tag_is_deleted_and_nothing_of_it_is_left(cloud):
    """In an account that others use too, a name alone is no proof."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**os.environ, "LABKIT_STATE_DIR": cloud["state_dir"]},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    before, left, buckets = json.loads(done.stdout.splitlines()[-1])
    assert (before, left) == (["log group", "bucket", "queue"], 0)
    assert buckets == ["somebody-elses-shelf-123456789012"]
