"""Nothing is lost when the local cloud ends, however it ends, and the work goes on by itself afterwards.

As on AWS, where no process of anybody's holds what was acknowledged.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
import uuid
from pathlib import Path

import pytest

from tests.conftest import make_client, start_local_cloud, stop_local_cloud, wait_for
from tests.contract.test_pipeline import TRUST, function, pipeline, post, queue, visit  # noqa: F401  fixtures

ECHO = "def lambda_handler(event, context):\n    print('seen', event['n'])\n    return event['n'] + 1\n"
FAILING = "def lambda_handler(event, context):\n    raise ValueError('not today')\n"


class Ending:
    """A local cloud that ends and starts again on the same state directory; *cloud* is its description."""

    def __init__(self, state_dir: Path, *options: str) -> None:
        self.state_dir, self.options = state_dir, options
        self.process, self.cloud = start_local_cloud(state_dir, *options)

    def end(self, how: str) -> None:
        """End it: ``"SIGTERM"``, ``"kill -9"`` or ``"labkit down"``."""
        if how == "labkit down":
            command = [sys.executable, "-m", "labkit.cli", "down", "--state-dir", str(self.state_dir)]
            subprocess.run(command, check=True, capture_output=True)
        else:
            (self.process.terminate if how == "SIGTERM" else self.process.kill)()
        self.process.wait(10)
        (self.state_dir / "local.json").unlink(missing_ok=True)  # after kill -9 it still lies there

    def start(self, *options: str) -> None:
        """Start it again on the port of the last time."""
        port = (self.state_dir / "port").read_text()
        self.process, started = start_local_cloud(self.state_dir, *self.options, "--port", port, *options)
        self.cloud.update(started)

    def again(self, how: str) -> None:
        """End it and start it again."""
        self.end(how)
        self.start()

    @property
    def log(self) -> str:
        """What it wrote to its log."""
        return (self.state_dir / "local.log").read_text()


@pytest.fixture
def ending(tmp_path):
    """A local cloud of this test's own."""
    one = Ending(tmp_path / "state", "--time-scale", "600")
    yield one
    stop_local_cloud(one.process)


@pytest.fixture
def cloud(ending):
    return ending.cloud


@pytest.fixture
def client(ending):
    made = []

    def client(service):
        made.append(make_client(ending.cloud, service))
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.fixture
def unique():
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:10]}"


def attributes(client, url):
    return client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def get(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


def inbox(cloud):
    request = urllib.request.Request(
        f"{cloud['endpoint']}/_labkit/inbox?format=json", headers={"X-Labkit-Token": cloud["token"]}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


CLEAN = ["SIGTERM", "kill -9"]


@pytest.mark.parametrize("how", CLEAN)
def test_the_pipeline_goes_on_where_it_was(how, ending, pipeline, client):  # noqa: F811
    """The form's address stays good, the mappings wake up, what is in the lake stays there."""
    url, in_lake, _ = pipeline
    first = post(url, visit())[1]["ProductVisitKey"]
    wait_for(lambda: first in in_lake())

    ending.again(how)

    second = post(url, visit())[1]["ProductVisitKey"]
    wait_for(lambda: second in in_lake())
    assert in_lake().keys() == {first, second}


@pytest.mark.parametrize("how", CLEAN)
def test_messages_stay_as_they_were(how, ending, client, queue):  # noqa: F811
    """Waiting, delayed, in flight with its receipt handle, on the dead-letter queue; deleted is deleted."""
    sqs, (dlq_url, dlq) = client("sqs"), queue()
    url, _ = queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": dlq, "maxReceiveCount": 1}))
    for number in range(6):
        sqs.send_message(QueueUrl=url, MessageBody=f"m{number}")
    sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=900)
    taken = [sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)["Messages"][0] for _ in range(3)]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=taken[0]["ReceiptHandle"])
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=taken[1]["ReceiptHandle"], VisibilityTimeout=0)
    received = sqs.receive_message(QueueUrl=url, VisibilityTimeout=600, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in received] == ["m3", "m4", "m5"]  # m1 was to come again: it is on the DLQ
    sqs.send_message(
        QueueUrl=url, MessageBody="m6", MessageAttributes={"a": {"DataType": "Binary", "BinaryValue": b"\x00"}}
    )

    ending.again(how)

    counts = [attributes(client, url)[f"ApproximateNumberOfMessages{kind}"] for kind in ("", "NotVisible", "Delayed")]
    assert (counts, attributes(client, dlq_url)["ApproximateNumberOfMessages"]) == (["1", "4", "1"], "1")
    client("sqs").delete_message(QueueUrl=url, ReceiptHandle=taken[2]["ReceiptHandle"])
    assert attributes(client, url)["ApproximateNumberOfMessagesNotVisible"] == "3"
    [message] = client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert (message["Body"], message["MessageAttributes"]["a"]["BinaryValue"]) == ("m6", b"\x00")


@pytest.mark.parametrize("how", CLEAN)
def test_a_fifo_queue_keeps_its_order_and_knows_its_duplicates(how, ending, client, unique):
    """A closed group stays closed, numbers go on rising, and a receive can be asked again."""
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "600"}
    url = client("sqs").create_queue(QueueName=unique("q") + ".fifo", Attributes=fifo)["QueueUrl"]

    def send(body):
        return client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body[:2])["SequenceNumber"]

    def receive(most, **options):
        return client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=most, **options).get("Messages", [])

    numbers = [send(body) for body in ("g1-1", "g1-2", "g1-3")]
    [first] = receive(1, ReceiveRequestAttemptId="attempt")

    ending.again(how)

    numbers += [send("g1-2"), send("g2-1")]
    assert (numbers[3], int(numbers[4]) > int(numbers[2])) == (numbers[1], True)
    assert receive(1, ReceiveRequestAttemptId="attempt") == [first]
    assert [message["Body"] for message in receive(10)] == ["g2-1"]
    client("sqs").delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert [message["Body"] for message in receive(10)] == ["g1-2", "g1-3"]


@pytest.mark.parametrize("how", CLEAN)
def test_functions_their_logs_and_their_unfinished_events_stay(how, ending, client, function, queue):  # noqa: F811
    """The code too; an event between two attempts gets the other ones and then goes to the dead-letter queue."""
    echo = function(ECHO)
    url, dlq = queue()
    # Two attempts, 0.1 s and 0.2 s apart on this time scale, would be over before the end.
    failing = function(FAILING, (["sqs:SendMessage"], dlq), DeadLetterConfig={"TargetArn": dlq})
    client("lambda").invoke(FunctionName=echo, Payload=b'{"n": 1}')
    name = echo.rpartition(":")[2]
    logs = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    client("lambda").invoke(FunctionName=failing, InvocationType="Event", Payload=b'{"n": 7}')

    ending.again(how)

    assert client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"][: len(logs)] == logs
    with client("lambda").invoke(FunctionName=echo, Payload=b'{"n": 2}')["Payload"] as payload:
        assert json.load(payload) == 3
    [message] = wait_for(lambda: client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages"))
    assert message["Body"] == '{"n": 7}'


@pytest.mark.parametrize("how", CLEAN)
def test_the_rest_stays_and_works(how, ending, client, queue, unique):  # noqa: F811
    """Buckets, objects, tables, topics, mails and their links, rules, trails, roles, streams, tags."""
    s3, sns, events = client("s3"), client("sns"), client("events")
    bucket, topic_name = unique("bucket"), unique("topic")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a/b.txt", Body=b"old", ContentType="text/plain", Metadata={"k": "v"})
    s3.put_object(Bucket=bucket, Key="a/b.txt", Body=b"new", ContentType="text/plain", Metadata={"k": "w"})
    s3.put_object(Bucket=bucket, Key="gone", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="gone")
    s3.put_object_tagging(Bucket=bucket, Key="a/b.txt", Tagging={"TagSet": [{"Key": "t", "Value": "u"}]})
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "labkit:lab-id", "Value": "x"}]})
    url, arn = queue()
    topic = sns.create_topic(Name=topic_name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ada@example.com")
    [mail] = wait_for(lambda: inbox(ending.cloud))
    rule = unique("rule")
    events.put_rule(Name=rule, EventPattern='{"source": ["shop"]}')
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    policy = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [{**policy, "Resource": arn}]})
    client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))
    keys = [{"AttributeName": "h", "KeyType": "HASH"}, {"AttributeName": "r", "KeyType": "RANGE"}]
    client("dynamodb").create_table(
        TableName="ranges", BillingMode="PAY_PER_REQUEST", KeySchema=keys,
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": kind} for one, kind in (("h", "S"), ("r", "N"))],
    )  # fmt: skip
    for number in range(3):
        client("dynamodb").put_item(TableName="ranges", Item={"h": {"S": "a"}, "r": {"N": str(number)}})
    client("dynamodb").delete_item(TableName="ranges", Key={"h": {"S": "a"}, "r": {"N": "0"}})
    client("dynamodb").update_item(
        TableName="ranges", Key={"h": {"S": "a"}, "r": {"N": "2"}}, UpdateExpression="SET c = :c",
        ExpressionAttributeValues={":c": {"S": "changed"}},
    )  # fmt: skip
    client("kinesis").create_stream(StreamName="s", ShardCount=1)
    client("kinesis").put_record(StreamName="s", Data=b"one", PartitionKey="p")
    recorded = [e["EventName"] for e in client("cloudtrail").lookup_events(MaxResults=50)["Events"]]
    keys_before = (ending.cloud["access_key"], ending.cloud["endpoint"], ending.cloud["state_id"])

    ending.again(how)

    assert (ending.cloud["access_key"], ending.cloud["endpoint"], ending.cloud["state_id"]) == keys_before
    stored = client("s3").get_object(Bucket=bucket, Key="a/b.txt")
    with stored["Body"] as body:
        assert (body.read(), stored["ContentType"], stored["Metadata"]) == (b"new", "text/plain", {"k": "w"})
    listed = client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [(one["Key"], one["ETag"]) for one in listed] == [("a/b.txt", stored["ETag"])]
    assert client("s3").get_object_tagging(Bucket=bucket, Key="a/b.txt")["TagSet"] == [{"Key": "t", "Value": "u"}]
    assert client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "labkit:lab-id", "Value": "x"}]
    assert [m["subject"] for m in inbox(ending.cloud)] == [mail["subject"]]
    assert "Subscription confirmed" in get(re.search(r"http\S+", mail["body"])[0])
    client("events").put_events(Entries=[{"Source": "shop", "DetailType": "d", "Detail": "{}"}])
    assert client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert client("iam").get_role(RoleName="r")["Role"]["RoleName"] == "r"
    items = client("dynamodb").query(
        TableName="ranges", KeyConditionExpression="h = :h", ExpressionAttributeValues={":h": {"S": "a"}}
    )["Items"]
    assert [(item["r"]["N"], item.get("c")) for item in items] == [("1", None), ("2", {"S": "changed"})]
    shard = client("kinesis").list_shards(StreamName="s")["Shards"][0]["ShardId"]
    iterator = client("kinesis").get_shard_iterator(
        StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]  # fmt: skip
    assert [r["Data"] for r in client("kinesis").get_records(ShardIterator=iterator)["Records"]] == [b"one"]
    later = [e["EventName"] for e in client("cloudtrail").lookup_events(MaxResults=50)["Events"]]
    assert later[-len(recorded) :] == recorded


def test_reset_begins_clean(ending, client, queue, tmp_path):  # noqa: F811
    """`labkit up --reset`, also while one runs; the keys stay, so that no kernel has to connect again."""
    queue()
    client("sns").subscribe(
        TopicArn=client("sns").create_topic(Name="t")["TopicArn"], Protocol="email", Endpoint="a@b.com"
    )
    wait_for(lambda: inbox(ending.cloud))
    before = dict(ending.cloud)
    command = [sys.executable, "-m", "labkit.cli", "up", "--reset", "--port", "0", "--state-dir", ending.state_dir]

    subprocess.run(command, check=True, capture_output=True)
    ending.process.wait(10)
    ending.cloud.update(json.loads((ending.state_dir / "local.json").read_text()))

    try:
        assert "QueueUrls" not in client("sqs").list_queues()
        assert inbox(ending.cloud) == []
        assert (ending.cloud["access_key"], ending.cloud["state_id"] != before["state_id"]) == (
            before["access_key"],
            True,
        )
    finally:
        subprocess.run(
            [sys.executable, "-m", "labkit.cli", "down", "--state-dir", ending.state_dir], check=True,
            capture_output=True,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda data: data[:200] + b"\x00\x01" + data[202:], "is damaged"),
        (lambda data: data.replace(b'"format": 1', b'"format": 2', 1), "its format is 2, and this labkit reads 1"),
        (lambda data: data.replace(b'"moto": "', b'"moto": "9', 1), "its moto is 9"),
        (lambda data: b"something else", "its first line is damaged"),
    ],
    ids=["damaged", "newer", "other moto", "no journal"],
)
def test_what_cannot_be_read_is_set_aside_with_a_message(damage, why, ending, client, queue):  # noqa: F811
    """Never dropped, never in the way: the local cloud starts empty and says where the file is."""
    queue()
    ending.end("SIGTERM")
    journal = ending.state_dir / "state.journal"
    damaged = damage(journal.read_bytes())
    journal.write_bytes(damaged)

    ending.start()

    assert "QueueUrls" not in client("sqs").list_queues()
    [aside] = ending.state_dir.glob("state.journal.unreadable-*")
    assert aside.read_bytes() == damaged
    assert why in ending.log
    assert f"and lies now in {aside}" in ending.log
    assert ending.cloud["set_aside"] in ending.log


def test_a_half_written_last_record_is_cut_off(ending, client, queue):  # noqa: F811
    """A process that is killed while it writes leaves one behind; everything before it is good."""
    url, _ = queue()
    ending.end("SIGTERM")
    with (ending.state_dir / "state.journal").open("ab") as journal:
        journal.write(b"\x00\x00\x01")

    ending.start()
    ending.again("SIGTERM")

    assert client("sqs").list_queues()["QueueUrls"] == [url]
    assert not list(ending.state_dir.glob("state.journal.unreadable-*"))


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
def test_the_journal_is_its_owners_alone(ending):
    """It is a pickle, and holds what functions were given as secrets."""
    ending.end("SIGTERM")

    assert (ending.state_dir / "state.journal").stat().st_mode & 0o777 == 0o600


def test_without_state_nothing_is_kept(tmp_path, client):
    """`labkit up --no-keep`, for a test that shall leave nothing behind."""
    one = Ending(tmp_path / "other", "--no-state")
    sqs = make_client(one.cloud, "sqs")
    sqs.create_queue(QueueName="q")
    sqs.close()

    one.again("SIGTERM")

    sqs = make_client(one.cloud, "sqs")
    listed = sqs.list_queues()
    sqs.close()
    stop_local_cloud(one.process)
    assert "QueueUrls" not in listed
    assert not (one.state_dir / "state.journal").exists()
