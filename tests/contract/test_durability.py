"""Nothing is lost when the local cloud ends, however it ends, and the work goes on by itself afterwards.

As on AWS, where no process of anybody's holds what was acknowledged.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.conftest import make_client, start_local_cloud, stop_local_cloud, wait_for
from tests.contract.test_pipeline import TRUST, function, pipeline, post, queue, visit  # noqa: F401  fixtures

if sys.platform != "win32":
    import resource

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


def the_pipeline_goes_on(ending, pipeline, **_):  # noqa: F811
    """The form's address stays good, the mappings wake up, what is in the lake stays there."""
    url, in_lake, _ = pipeline
    first = post(url, visit())[1]["ProductVisitKey"]
    wait_for(lambda: first in in_lake())

    yield

    status, answer, _ = post(url, visit())
    assert status == 202, (answer, ending.log[-4000:])
    second = answer["ProductVisitKey"]
    wait_for(lambda: second in in_lake())
    assert in_lake().keys() == {first, second}


def messages_stay(ending, client, queue, **_):  # noqa: F811
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

    yield

    counts = [attributes(client, url)[f"ApproximateNumberOfMessages{kind}"] for kind in ("", "NotVisible", "Delayed")]
    assert (counts, attributes(client, dlq_url)["ApproximateNumberOfMessages"]) == (["1", "4", "1"], "1")
    client("sqs").delete_message(QueueUrl=url, ReceiptHandle=taken[2]["ReceiptHandle"])
    assert attributes(client, url)["ApproximateNumberOfMessagesNotVisible"] == "3"
    [message] = client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert (message["Body"], message["MessageAttributes"]["a"]["BinaryValue"]) == ("m6", b"\x00")


def fifo_queues_stay(ending, client, unique, **_):
    """A closed group stays closed, numbers go on rising, and a receive can be asked again."""
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "600"}
    url = client("sqs").create_queue(QueueName=unique("q") + ".fifo", Attributes=fifo)["QueueUrl"]

    def send(body):
        return client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body[:2])["SequenceNumber"]

    def receive(most, **options):
        return client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=most, **options).get("Messages", [])

    numbers = [send(body) for body in ("g1-1", "g1-2", "g1-3")]
    [first] = receive(1, ReceiveRequestAttemptId="attempt")

    yield

    numbers += [send("g1-2"), send("g2-1")]
    assert (numbers[3], int(numbers[4]) > int(numbers[2])) == (numbers[1], True)
    assert receive(1, ReceiveRequestAttemptId="attempt") == [first]
    assert [message["Body"] for message in receive(10)] == ["g2-1"]
    client("sqs").delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert [message["Body"] for message in receive(10)] == ["g1-2", "g1-3"]


def functions_stay(ending, client, function, queue, **_):  # noqa: F811
    """The code too; an event between two attempts gets the other ones and then goes to the dead-letter queue."""
    echo = function(ECHO)
    url, dlq = queue()
    # Two attempts, 0.1 s and 0.2 s apart on this time scale, would be over before the end.
    failing = function(FAILING, (["sqs:SendMessage"], dlq), DeadLetterConfig={"TargetArn": dlq})
    client("lambda").invoke(FunctionName=echo, Payload=b'{"n": 1}')
    name = echo.rpartition(":")[2]
    logs = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    client("lambda").invoke(FunctionName=failing, InvocationType="Event", Payload=b'{"n": 7}')

    yield

    assert client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"][: len(logs)] == logs
    with client("lambda").invoke(FunctionName=echo, Payload=b'{"n": 2}')["Payload"] as payload:
        assert json.load(payload) == 3
    [message] = wait_for(lambda: client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages"))
    assert message["Body"] == '{"n": 7}'


def the_rest_stays(ending, client, queue, unique, **_):  # noqa: F811
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
    made = [{"AttributeKey": "EventName", "AttributeValue": "CreateStream"}]
    recorded = client("cloudtrail").lookup_events(LookupAttributes=made)["Events"]
    keys_before = (ending.cloud["access_key"], ending.cloud["endpoint"], ending.cloud["state_id"])

    yield

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
    assert client("cloudtrail").lookup_events(LookupAttributes=made)["Events"] == recorded


def other_ways_of_writing_stay(ending, client, unique, **_):
    """Versions, copies, uploads in parts, deletions of many; transactions, batches; streams deleted."""
    s3, table, bucket = client("s3"), client("dynamodb"), unique("ways")
    s3.create_bucket(Bucket=bucket)
    for number in range(4):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k0"}, {"Key": "k1"}]})
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/k2")
    upload = {"Bucket": bucket, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    etag = s3.upload_part(**upload, PartNumber=1, Body=bytes(100_000))["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    unfinished = {"Bucket": bucket, "Key": "unfinished"}
    unfinished["UploadId"] = s3.create_multipart_upload(**unfinished)["UploadId"]
    written, sent = [], bytes(range(256)) * 400
    for number in (3, 1, 2, 1):
        before = (ending.state_dir / "state.journal").stat().st_size
        etag = s3.upload_part(**unfinished, PartNumber=number, Body=sent)["ETag"]
        written.append((ending.state_dir / "state.journal").stat().st_size - before)
    assert min(written[1:]) < 1.5 * len(sent), f"a part is written alone, not with those before it: {written}"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        s3.put_object(Bucket=bucket, Key="versions", Body=body)
    s3.delete_object(Bucket=bucket, Key="versions")
    name = unique("table")
    made = table.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]  # fmt: skip
    puts = [{"PutRequest": {"Item": {"k": {"S": one}, "b": {"B": b"\x00"}}}} for one in "abcd"]
    table.batch_write_item(RequestItems={name: puts})
    table.batch_write_item(RequestItems={name: [{"DeleteRequest": {"Key": {"k": {"S": "a"}}}}]})
    delete, put = {"TableName": name, "Key": {"k": {"S": "b"}}}, {"TableName": name, "Item": {"k": {"S": "e"}}}
    table.transact_write_items(TransactItems=[{"Delete": delete}, {"Put": put}])
    table.delete_item(TableName=name, Key={"k": {"S": "c"}})
    logs = client("logs")
    logs.create_log_group(logGroupName="g")
    for stream in ("gone", "items"):  # the name of containers of moto
        logs.create_log_stream(logGroupName="g", logStreamName=stream)
        events = [{"timestamp": int(time.time() * 1000), "message": stream}]
        logs.put_log_events(logGroupName="g", logStreamName=stream, logEvents=events)
    logs.delete_log_stream(logGroupName="g", logStreamName="gone")

    yield

    s3, table = client("s3"), client("dynamodb")
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copy", "k2", "k3", "parts"]
    assert s3.head_object(Bucket=bucket, Key="parts")["ContentLength"] == 100_000
    assert [part["PartNumber"] for part in s3.list_parts(**unfinished)["Parts"]] == [1, 2, 3]
    s3.complete_multipart_upload(**unfinished, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    versions = s3.list_object_versions(Bucket=bucket, Prefix="versions")
    assert (len(versions["Versions"]), len(versions["DeleteMarkers"])) == (2, 1)
    assert sorted(item["k"]["S"] for item in table.scan(TableName=name)["Items"]) == ["d", "e"]
    streams, arn = client("dynamodbstreams"), made["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    start = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    records = streams.get_records(ShardIterator=streams.get_shard_iterator(**start)["ShardIterator"])["Records"]
    what = [(record["eventName"], record["dynamodb"]["Keys"]["k"]["S"]) for record in records]
    inserted, removed = [("INSERT", one) for one in "abcd"], [("REMOVE", "a"), ("REMOVE", "b")]
    assert what == [*inserted, *removed, ("INSERT", "e"), ("REMOVE", "c")]
    assert [e["message"] for e in client("logs").filter_log_events(logGroupName="g")["events"]] == ["items"]


PARTS = (
    the_pipeline_goes_on, messages_stay, fifo_queues_stay, functions_stay, other_ways_of_writing_stay, the_rest_stays,
)  # fmt: skip


@pytest.mark.parametrize("how", ["SIGTERM", "kill -9", "labkit down"])
def test_everything_stays_and_goes_on(how, ending, *, client, function, pipeline, queue, unique):  # noqa: F811
    """Whatever was answered is there after the next start, and what waited or was under way gets done."""
    fixtures = {"client": client, "function": function, "pipeline": pipeline, "queue": queue, "unique": unique}
    parts = [part(ending, **fixtures) for part in PARTS]
    for part in parts:
        next(part)

    ending.again(how)

    for part in parts:
        assert next(part, "done") == "done"


def test_the_log_of_a_function_that_has_just_answered_is_there_after_the_next_start(ending, client, function):  # noqa: F811
    """Lines are written behind the scenes and kept within a second: the end of the local cloud waits for them."""
    echo = function(ECHO)
    name = echo.rpartition(":")[2]
    client("lambda").invoke(FunctionName=echo, Payload=b'{"n": 1}')
    client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")
    client("lambda").invoke(FunctionName=echo, Payload=b'{"n": 2}')

    ending.again("SIGTERM")

    events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    assert [event["message"] for event in events if "seen" in event["message"]] == ["seen 1\n", "seen 2\n"]
    assert events[-1]["message"].startswith("REPORT")


def test_reset_begins_clean(ending, client, queue, tmp_path):  # noqa: F811
    """`labkit up --reset`, also while one runs; the keys stay, so that no kernel has to connect again."""
    queue()
    client("sns").subscribe(
        TopicArn=client("sns").create_topic(Name="t")["TopicArn"], Protocol="email", Endpoint="a@b.com"
    )
    wait_for(lambda: inbox(ending.cloud))
    before = dict(ending.cloud)
    command = [sys.executable, "-m", "labkit.cli", "up", "--reset", "--state-dir", ending.state_dir]

    subprocess.run(command, check=True, capture_output=True)
    ending.process.wait(10)
    ending.cloud.update(json.loads((ending.state_dir / "local.json").read_text()))

    try:
        assert "QueueUrls" not in client("sqs").list_queues()
        assert inbox(ending.cloud) == []
        assert ending.cloud["endpoint"] == before["endpoint"]
        assert (ending.cloud["access_key"], ending.cloud["state_id"] != before["state_id"]) == (
            before["access_key"],
            True,
        )
    finally:
        subprocess.run(
            [sys.executable, "-m", "labkit.cli", "down", "--state-dir", ending.state_dir], check=True,
            capture_output=True,
        )  # fmt: skip


def test_what_cannot_be_read_is_set_aside_and_a_half_written_record_cut_off(ending, client, queue):  # noqa: F811
    """Never dropped, never in the way: the local cloud starts empty and says where the file is."""
    url, _ = queue()
    ending.end("SIGTERM")
    journal = ending.state_dir / "state.journal"
    if os.name == "posix":  # Windows has no modes
        assert journal.stat().st_mode & 0o777 == 0o600  # it holds what functions were given as secrets
    with journal.open("ab") as file:
        file.write(b"\x00\x00\x01")  # what a process leaves behind that is killed while it writes
    ending.start()
    assert client("sqs").list_queues()["QueueUrls"] == [url]
    ending.end("SIGTERM")
    damaged = journal.read_bytes()
    damaged = damaged[:200] + b"\x00\x01" + damaged[202:]
    journal.write_bytes(damaged)

    ending.start()

    assert "QueueUrls" not in client("sqs").list_queues()
    [aside] = ending.state_dir.glob("state.journal.unreadable-*")
    assert aside.read_bytes() == damaged
    assert f"and lies now in {aside}" in ending.log
    assert ending.cloud["set_aside"] in ending.log


def test_without_state_nothing_is_read_and_nothing_kept(ending, client, queue):  # noqa: F811
    """`labkit up --no-keep`, for a test that shall leave nothing behind."""
    url, _ = queue()
    ending.end("SIGTERM")
    ending.start("--no-state")
    assert "QueueUrls" not in client("sqs").list_queues()
    client("sqs").create_queue(QueueName="q")

    ending.again("SIGTERM")

    assert client("sqs").list_queues()["QueueUrls"] == [url]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can keep another process from writing")
def test_on_a_full_disk_the_answer_waits_for_room_and_then_is_an_error(ending, client, queue):  # noqa: F811
    """A call that cannot be kept does not say that it was; with room again everything goes on, and nothing is lost."""
    url, _ = queue()
    sqs, process = client("sqs"), psutil.Process(ending.process.pid)
    unlimited = process.rlimit(psutil.RLIMIT_FSIZE)

    def fill_disk():
        size = (ending.state_dir / "state.journal").stat().st_size
        process.rlimit(psutil.RLIMIT_FSIZE, (size + 100, unlimited[1]))

    fill_disk()
    room = threading.Timer(0.3, process.rlimit, (psutil.RLIMIT_FSIZE, unlimited))
    room.start()
    sqs.send_message(QueueUrl=url, MessageBody="waited" + "x" * 2000)
    room.join()
    fill_disk()
    with pytest.raises(ClientError) as refused:
        sqs.send_message(QueueUrl=url, MessageBody="refused" + "x" * 2000)
    process.rlimit(psutil.RLIMIT_FSIZE, unlimited)
    sqs.send_message(QueueUrl=url, MessageBody="after")
    ending.again("kill -9")

    assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
    assert "cannot keep it: File too large" in refused.value.response["Error"]["Message"]
    messages = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"].rstrip("x") for message in messages] == ["waited", "refused", "after"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can keep a process from writing")
@pytest.mark.parametrize("room", [0, 400], ids=["none", "enough for the keys"])
@pytest.mark.parametrize("command", [["labkit.local"], ["labkit.cli", "up"]], ids=["labkit.local", "labkit up"])
def test_a_first_start_on_a_full_disk_says_so_and_the_next_one_with_room_keeps(command, room, tmp_path):
    """Nothing could be kept, and a learner would not know: no start, one sentence that says what to do."""
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    arguments = [sys.executable, "-m", *command, "--port", "0", "--state-dir", str(state_dir)]

    full = subprocess.run(arguments, check=False, preexec_fn=limit, capture_output=True, text=True)

    assert full.returncode == 2
    assert f"the state directory {state_dir} cannot be written (File too large); make room" in full.stderr
    assert len(full.stderr.splitlines()) == 1
    assert not list(state_dir.glob("*.tmp"))
    with_room = Ending(state_dir)
    try:
        url = make_client(with_room.cloud, "sqs").create_queue(QueueName="q")["QueueUrl"]
        with_room.again("kill -9")
        assert make_client(with_room.cloud, "sqs").list_queues()["QueueUrls"] == [url]
    finally:
        stop_local_cloud(with_room.process)
