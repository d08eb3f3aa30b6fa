"""Event source mappings: every setting acts, or is refused; objects, on-failure records and limits as on AWS."""

from __future__ import annotations

import contextlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from botocore.exceptions import ClientError

from tests.contract.test_arrows import PRINTING, printed
from tests.contract.test_pipeline import ACCOUNT

STREAM_READS = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
QUEUE_READS = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
FAILING = "def lambda_handler(event, context):\n    raise ValueError('no')\n"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"


@pytest.fixture
def table(client, unique):
    """``table(view)`` creates a table with a stream; returns its name, the stream's ARN and a grant to read it."""

    def create(view="NEW_IMAGE"):
        made = client("dynamodb").create_table(
            TableName=unique("Table"), BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
        )["TableDescription"]  # fmt: skip
        return made["TableName"], made["LatestStreamArn"], (STREAM_READS, f"{made['TableArn']}/stream/*")

    return create


@pytest.fixture
def mapped(client):
    """``mapped(source, function, **settings)`` creates a mapping; returns its id once it is Enabled."""
    made = []

    def create(source, target, **settings):
        answer = client("lambda").create_event_source_mapping(EventSourceArn=source, FunctionName=target, **settings)
        made.append(answer["UUID"])
        return enabled(client, answer["UUID"])

    yield create
    for uid in made:
        client("lambda").delete_event_source_mapping(UUID=uid)


def enabled(client, uid, state="Enabled"):
    while client("lambda").get_event_source_mapping(UUID=uid)["State"] != state:
        time.sleep(0.01)
    return uid


def put(client, name, *keys, **attributes):
    for key in keys:
        item = {"k": {"S": str(key)}, **{field: {"S": value} for field, value in attributes.items()}}
        client("dynamodb").put_item(TableName=name, Item=item)


def keys_of(event):
    return [record["dynamodb"]["Keys"]["k"]["S"] for record in event["Records"]]


def without(answer, *names):
    return {key: value for key, value in answer.items() if key not in ("ResponseMetadata", "LastModified", *names)}


# --- The mapping object (aws-facts: recorded 2025-11) -----------------------------------------------------------------


def test_a_mapping_of_a_queue_as_it_is_created_and_updated(client, function, queue):
    """Source: lambda/latest/api/API_EventSourceMappingConfiguration.html, and recorded answers."""
    _, arn = queue()
    target, aws = function(PRINTING, (QUEUE_READS, arn)), client("lambda")

    made = aws.create_event_source_mapping(EventSourceArn=arn, FunctionName=target)

    uid = made["UUID"]
    expected = {
        "UUID": uid, "BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "EventSourceArn": arn,
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:event-source-mapping:{uid}",
        "FunctionArn": target, "FunctionResponseTypes": [], "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }  # fmt: skip
    assert (made["ResponseMetadata"]["HTTPStatusCode"], re.fullmatch(UUID, uid) is not None) == (202, True)
    assert without(made) == expected
    enabled(client, uid)
    changed = aws.update_event_source_mapping(
        UUID=uid, BatchSize=50, MaximumBatchingWindowInSeconds=1, ScalingConfig={"MaximumConcurrency": 2}
    )
    settings = {"BatchSize": 50, "MaximumBatchingWindowInSeconds": 1, "ScalingConfig": {"MaximumConcurrency": 2}}
    assert without(changed) == expected | settings | {"State": "Updating"}
    enabled(client, uid)
    assert aws.update_event_source_mapping(UUID=uid, Enabled=False)["State"] == "Disabling"
    enabled(client, uid, "Disabled")
    assert aws.delete_event_source_mapping(UUID=uid)["State"] == "Deleting"


def test_a_mapping_of_a_stream_as_it_is_created_and_updated(client, function, table):
    """Defaults of a DynamoDB stream; source: the same page, recorded answers."""
    _, stream, grant = table()
    target, aws = function(PRINTING, grant), client("lambda")

    made = aws.create_event_source_mapping(
        EventSourceArn=stream, FunctionName=target, StartingPosition="LATEST", Enabled=False
    )

    uid = made["UUID"]
    expected = {
        "UUID": uid, "BatchSize": 100, "MaximumBatchingWindowInSeconds": 0, "ParallelizationFactor": 1,
        "BisectBatchOnFunctionError": False, "MaximumRecordAgeInSeconds": -1, "MaximumRetryAttempts": -1,
        "TumblingWindowInSeconds": 0, "StartingPosition": "LATEST", "DestinationConfig": {"OnFailure": {}},
        "FunctionResponseTypes": [], "LastProcessingResult": "No records processed", "State": "Disabled",
        "StateTransitionReason": "User action", "EventSourceArn": stream, "FunctionArn": target,
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:event-source-mapping:{uid}",
    }  # fmt: skip
    assert without(made) == expected
    settings = {
        "BatchSize": 7, "MaximumBatchingWindowInSeconds": 1, "ParallelizationFactor": 3,
        "BisectBatchOnFunctionError": True, "MaximumRecordAgeInSeconds": 60, "MaximumRetryAttempts": 2,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::bucket"}},
        "FilterCriteria": {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]},
    }  # fmt: skip
    changed = aws.update_event_source_mapping(UUID=uid, Enabled=True, **settings)
    assert without(changed) == expected | settings | {"State": "Enabling"}
    enabled(client, uid)
    emptied = aws.update_event_source_mapping(UUID=uid, FilterCriteria={"Filters": []}, FunctionResponseTypes=[])
    assert "FilterCriteria" not in emptied
    assert emptied["FunctionResponseTypes"] == []
    aws.delete_event_source_mapping(UUID=uid)


def test_a_mapping_that_is_being_deleted_is_neither_changed_nor_deleted_again(
    *, client, function, queue, mapped, eventually
):
    """ResourceInUseException: https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html."""
    url, arn = queue()
    target = function(
        "import time\ndef lambda_handler(event, context):\n    time.sleep(2)\n", (QUEUE_READS, arn), Timeout=9
    )
    uid, aws = mapped(arn, target), client("lambda")
    client("sqs").send_message(QueueUrl=url, MessageBody="x")
    name = "ApproximateNumberOfMessagesNotVisible"
    eventually(
        lambda: client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name] == "1"
    )

    states = [aws.delete_event_source_mapping(UUID=uid)["State"] for _ in range(2)]
    with pytest.raises(ClientError, match="because it is in use") as refused:
        aws.update_event_source_mapping(UUID=uid, BatchSize=1)

    assert states == ["Deleting", "Deleting"]
    assert refused.value.response["Error"]["Code"] == "ResourceInUseException"


def test_the_mapping_of_a_queue_that_was_deleted_is_disabled_until_somebody_enables_it(
    *, client, function, queue, mapped, eventually
):
    """A new queue of the same name changes nothing.

    https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2260
    """
    url, arn = queue()
    target = function(PRINTING, (QUEUE_READS, arn))
    uid, aws = mapped(arn, target), client("lambda")

    def created_again():
        with contextlib.suppress(client("sqs").exceptions.QueueDeletedRecently):
            return client("sqs").create_queue(QueueName=url.rpartition("/")[2])

    client("sqs").delete_queue(QueueUrl=url)
    eventually(created_again)
    mapping = aws.get_event_source_mapping(UUID=uid)
    client("sqs").send_message(QueueUrl=url, MessageBody="for the new one")
    waiting = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert aws.update_event_source_mapping(UUID=uid, Enabled=True)["State"] == "Enabling"

    assert (mapping["State"], mapping["LastProcessingResult"]) == (
        "Disabled",
        "PROBLEM: The specified queue does not exist.",
    )
    assert waiting["Attributes"] == {"ApproximateNumberOfMessages": "1"}
    assert [event["Records"][0]["body"] for event in eventually(lambda: printed(client, target))] == ["for the new one"]


def test_mappings_are_listed_in_pages(client, function, queue):
    """https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html."""
    arns = [queue()[1] for _ in range(3)]
    target, aws = function(PRINTING, *((QUEUE_READS, arn) for arn in arns)), client("lambda")
    for arn in arns:
        aws.create_event_source_mapping(EventSourceArn=arn, FunctionName=target, Enabled=False)

    pages = aws.get_paginator("list_event_source_mappings").paginate(
        FunctionName=target, PaginationConfig={"PageSize": 2}
    )

    listed = [[mapping["EventSourceArn"] for mapping in page["EventSourceMappings"]] for page in pages]
    assert listed == [arns[:2], arns[2:]]


def test_of_many_equal_mappings_that_are_created_at_once_there_is_one(*, client, function, table):
    """The others get the 409 that a second one always gets."""
    _, stream, grant = table()
    target, aws = function(PRINTING, grant), client("lambda")

    def create(_):
        try:
            return aws.create_event_source_mapping(
                EventSourceArn=stream, FunctionName=target, StartingPosition="LATEST", Enabled=False
            )["State"]
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(create, range(4)))

    assert answers == ["Disabled"] + ["ResourceConflictException"] * 3
    [mapping] = aws.list_event_source_mappings(FunctionName=target)["EventSourceMappings"]
    aws.delete_event_source_mapping(UUID=mapping["UUID"])


REFUSED = [
    ({"BatchSize": 10_001}, "ValidationException", "at 'batchSize' .* less than or equal to 10000"),
    ({"MaximumBatchingWindowInSeconds": 301}, "ValidationException", "maximumBatchingWindowInSeconds"),
    ({"ParallelizationFactor": 11}, "ValidationException", "at 'parallelizationFactor' .* less than or equal to 10"),
    ({"MaximumRetryAttempts": 10_001}, "ValidationException", "maximumRetryAttempts"),
    ({"MaximumRecordAgeInSeconds": 59}, "InvalidParameterValueException", "-1 .infinite. or 60 to 604800"),
    ({"TumblingWindowInSeconds": 30}, "InvalidParameterValueException", "does not support TumblingWindowInSeconds"),
    ({"ScalingConfig": {"MaximumConcurrency": 5}}, "InvalidParameterValueException",
     "Unsupported ScalingConfig parameter"),
    ({"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1}, "InvalidParameterValueException",
     "Unsupported starting position for arn type"),
    ({"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:sqs:us-east-1:1:q"}}},
     "InvalidParameterValueException", "Unsupported DestinationConfig parameter"),
    ({"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:lambda:us-east-1:1:function:f"}}},
     "InvalidParameterValueException", "a queue, a topic or a bucket"),
    ({"MetricsConfig": {"Metrics": ["EventCount"]}}, "InvalidParameterValueException",
     "does not support MetricsConfig"),
]  # fmt: skip


def test_what_a_stream_cannot_have_is_refused_at_create(client, function, table):
    """Nothing is stored that does not act. The limits: API_CreateEventSourceMapping."""
    _, stream, grant = table()
    target = function(PRINTING, grant)

    for settings, code, message in REFUSED:
        with pytest.raises(ClientError, match=message) as refused:
            client("lambda").create_event_source_mapping(
                EventSourceArn=stream, FunctionName=target, **{"StartingPosition": "LATEST", **settings}
            )
        assert refused.value.response["Error"]["Code"] == code

    assert client("lambda").list_event_source_mappings(FunctionName=target)["EventSourceMappings"] == []


@pytest.mark.parametrize("name", ["ParallelizationFactor", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds"])
def test_what_only_streams_have_is_refused_for_a_queue(client, function, queue, name):
    """Terraform's users know the sentence."""
    _, arn = queue()
    target = function(PRINTING, (QUEUE_READS, arn))

    with pytest.raises(ClientError, match=f"Unsupported {name} parameter for given event source mapping type"):
        client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=target, **{name: 3})


# --- Streams ----------------------------------------------------------------------------------------------------------

CONCURRENT = """
import json, pathlib, time
def lambda_handler(event, context):
    started = time.time()
    time.sleep(0.3)
    keys = [r['dynamodb']['NewImage']['n']['S'] + '-' + r['dynamodb']['Keys']['k']['S'] for r in event['Records']]
    print('GOT', json.dumps([started, time.time(), keys]))
"""


def test_a_parallelization_factor_runs_batches_of_one_shard_at_once_and_keeps_each_items_order(
    client, function, table, mapped, eventually
):  # fmt: skip
    """Source: lambda/latest/dg/services-dynamodb-eventsourcemapping.html, ParallelizationFactor."""
    name, stream, grant = table()
    target = function(CONCURRENT, grant)
    for number in range(3):
        put(client, name, *"abcdefgh", n=str(number))

    mapped(stream, target, StartingPosition="TRIM_HORIZON", ParallelizationFactor=4, BatchSize=2)

    def all_done():
        found = printed(client, target)
        return found if sum(len(keys) for _, _, keys in found) >= 24 else None

    batches = sorted(eventually(all_done, timeout=30))
    order = {
        key: [n for _, _, keys in batches for n, k in (one.split("-") for one in keys) if k == key]
        for key in "abcdefgh"
    }
    overlapping = sum(later[0] < earlier[1] for earlier, later in pairwise(batches))
    assert order == {key: ["0", "1", "2"] for key in "abcdefgh"}
    assert overlapping > 0


def test_a_record_that_fails_goes_to_a_bucket_with_its_content(*, client, function, table, mapped, unique, eventually):
    """The key's layout and ``payload``: lambda/latest/dg/kinesis-on-failure-destination.html."""
    name, stream, grant = table()
    bucket = unique("failed")
    client("s3").create_bucket(Bucket=bucket)
    target = function(FAILING, grant, (["s3:PutObject"], f"arn:aws:s3:::{bucket}/*"))
    put(client, name, "bad")
    failure = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}

    uid = mapped(stream, target, StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=1, DestinationConfig=failure)

    [stored] = eventually(lambda: client("s3").list_objects_v2(Bucket=bucket).get("Contents"))
    shard = r"shardId-\d{20}-[0-9a-f]{8}"
    day = r"\d{4}/\d{2}/\d{2}/\d{4}-\d{2}-\d{2}T\d{2}\.\d{2}\.\d{2}"
    record = json.loads(client("s3").get_object(Bucket=bucket, Key=stored["Key"])["Body"].read())
    payload, info = record.pop("payload"), record["DDBStreamBatchInfo"]
    assert re.fullmatch(f"aws/lambda/{uid}/{shard}/{day}-{UUID}", stored["Key"])
    assert keys_of(payload) == ["bad"]
    number = payload["Records"][0]["dynamodb"]["SequenceNumber"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", info["approximateArrivalOfFirstRecord"])
    assert record == {
        "requestContext": {
            "requestId": record["requestContext"]["requestId"], "functionArn": target,
            "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": record["timestamp"],
        "DDBStreamBatchInfo": {
            "shardId": info["shardId"], "startSequenceNumber": number, "endSequenceNumber": number,
            "approximateArrivalOfFirstRecord": info["approximateArrivalOfFirstRecord"],
            "approximateArrivalOfLastRecord": info["approximateArrivalOfFirstRecord"], "batchSize": 1,
            "streamArn": stream,
        },
    }  # fmt: skip


def test_an_on_failure_record_that_the_role_may_not_send_is_dropped_and_the_shard_goes_on(
    *, client, function, table, queue, mapped, eventually
):  # fmt: skip
    """The function's role sends it, so that without sqs:SendMessage nothing arrives."""
    name, stream, grant = table()
    url, arn = queue()
    source = (
        "import json\ndef lambda_handler(event, context):\n    print('GOT', json.dumps(event))\n"
        "    if event['Records'][0]['dynamodb']['Keys']['k']['S'] == 'bad': raise ValueError('no')\n"
    )
    target = function(source, grant)
    put(client, name, "bad", "good")

    mapped(stream, target, StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=0, BatchSize=1,
           DestinationConfig={"OnFailure": {"Destination": arn}})  # fmt: skip

    eventually(lambda: ["good"] in [keys_of(event) for event in printed(client, target)])
    assert client("sqs").receive_message(QueueUrl=url).get("Messages", []) == []


def test_bisecting_goes_on_at_the_record_that_the_function_named(client, function, table, mapped, eventually):
    """Source: services-dynamodb-eventsourcemapping, "BisectBatchOnFunctionError and ReportBatchItemFailures"."""
    name, stream, grant = table()
    source = (
        "import json\ndef lambda_handler(event, context):\n    print('GOT', json.dumps(event))\n"
        "    changes = [r['dynamodb'] for r in event['Records']]\n"
        "    bad = [one['SequenceNumber'] for one in changes if one['Keys']['k']['S'] == '3']\n"
        "    return {'batchItemFailures': [{'itemIdentifier': one} for one in bad]}\n"
    )
    target = function(source, grant)
    put(client, name, *range(6))

    mapped(stream, target, StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=0, BisectBatchOnFunctionError=True,
           FunctionResponseTypes=["ReportBatchItemFailures"])  # fmt: skip

    def done():
        seen = [keys_of(event) for event in printed(client, target)]
        return seen if ["4", "5"] in seen else None

    assert eventually(done) == [list("012345"), list("345"), ["3"], ["4", "5"]]


def test_a_write_that_changes_nothing_makes_no_record_and_a_change_always_does(
    client, function, table, mapped, eventually
):
    """Also where the records carry no image, and after the mapping was changed: DynamoDB developer guide, Streams."""
    for view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY", "OLD_IMAGE"):
        name, stream, grant = table(view)
        target = function(PRINTING, grant)
        uid = mapped(stream, target, StartingPosition="TRIM_HORIZON")
        put(client, name, "a", n="1")
        eventually(lambda target=target: printed(client, target))
        client("lambda").update_event_source_mapping(UUID=uid, BatchSize=10)
        if "NEW" in view:
            put(client, name, "a", n="1")
        put(client, name, "a", n="2")
        put(client, name, "end")

        def names(target=target):
            seen = [(r["eventName"], *keys_of({"Records": [r]})) for e in printed(client, target) for r in e["Records"]]
            return seen if ("INSERT", "end") in seen else None

        assert eventually(names) == [("INSERT", "a"), ("MODIFY", "a"), ("INSERT", "end")], view


def test_a_batching_window_gathers_what_comes_within_it(client, function, table, mapped, eventually):
    """One invocation with all of it; source: API_CreateEventSourceMapping, MaximumBatchingWindowInSeconds."""
    name, stream, grant = table()
    target = function(PRINTING, grant)
    mapped(stream, target, StartingPosition="TRIM_HORIZON", MaximumBatchingWindowInSeconds=1)

    put(client, name, *"abcde")

    assert [keys_of(event) for event in eventually(lambda: printed(client, target))] == [list("abcde")]


# --- Queues -----------------------------------------------------------------------------------------------------------

COUNTING = """
import json, time
def lambda_handler(event, context):
    started = time.time()
    time.sleep(0.2)
    print('GOT', json.dumps([started, time.time()]))
"""


def most_at_once(spans):
    return max(sum(start <= moment < end for start, end in spans) for moment, _ in spans)


def test_maximum_concurrency_bounds_the_batches_under_way(client, function, queue, mapped, eventually):
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html#events-sqs-max-concurrency."""
    url, arn = queue()
    target = function(COUNTING, (QUEUE_READS, arn))
    for number in range(16):
        client("sqs").send_message(QueueUrl=url, MessageBody=str(number))

    mapped(arn, target, BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})

    def all_done():
        spans = printed(client, target)
        return spans if len(spans) == 16 else None

    assert most_at_once(eventually(all_done, timeout=30)) == 2


def test_a_batching_window_of_a_queue_gathers_up_to_more_than_ten(client, function, queue, mapped, eventually):
    """A batch above 10 needs a window, and then fills: services-sqs-parameters."""
    url, arn = queue()
    target = function(PRINTING, (QUEUE_READS, arn))
    mapped(arn, target, BatchSize=25, MaximumBatchingWindowInSeconds=1)

    for start in range(0, 20, 10):
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(start, start + 10)]
        client("sqs").send_message_batch(QueueUrl=url, Entries=entries)

    events = eventually(lambda: printed(client, target))
    assert [sorted(int(r["body"]) for r in event["Records"]) for event in events] == [list(range(20))]


def test_disabling_a_mapping_leaves_no_message_in_flight(client, function, queue, mapped, eventually):
    """What was received within the window is processed; nothing waits out its visibility timeout."""
    url, arn = queue()
    target = function(PRINTING, (QUEUE_READS, arn))
    uid = mapped(arn, target, BatchSize=100, MaximumBatchingWindowInSeconds=60)
    client("sqs").send_message(QueueUrl=url, MessageBody="x")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def depth():
        return list(client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values())

    eventually(lambda: depth() == ["0", "1"])
    client("lambda").update_event_source_mapping(UUID=uid, Enabled=False)
    enabled(client, uid, "Disabled")

    [event] = eventually(lambda: printed(client, target))
    assert ([record["body"] for record in event["Records"]], depth()) == (["x"], ["0", "0"])


def test_many_changes_of_a_mapping_one_after_the_other_lose_and_repeat_nothing(
    *, client, function, table, mapped, eventually
):
    """Each waits for the attempt under way; in the end the mapping polls."""
    name, stream, grant = table()
    source = PRINTING.replace("    print(", "    import time; time.sleep(0.05)\n    print(")
    target, aws = function(source, grant), client("lambda")
    uid = mapped(stream, target, StartingPosition="TRIM_HORIZON")

    for number in range(12):
        put(client, name, number)
        aws.update_event_source_mapping(UUID=uid, BatchSize=1 + number, Enabled=number % 3 != 1)
    put(client, name, "end")
    aws.update_event_source_mapping(UUID=uid, Enabled=True)

    def all_there():
        keys = [key for event in printed(client, target) for key in keys_of(event)]
        return keys if "end" in keys else None

    assert eventually(all_there) == [*map(str, range(12)), "end"]
    assert enabled(client, uid) == uid


def test_a_batching_window_hides_its_messages_for_longer_than_it_lasts(*, client, function, queue, mapped, eventually):
    """Else what was received first would come back before the batch is complete: with-sqs, batching behavior."""
    url, arn = queue(VisibilityTimeout="1")
    target = function(PRINTING, (QUEUE_READS, arn), Timeout=1)
    mapped(arn, target, BatchSize=10, MaximumBatchingWindowInSeconds=2)

    client("sqs").send_message(QueueUrl=url, MessageBody="first")

    events = eventually(lambda: printed(client, target))
    records = [record for event in events for record in event["Records"]]
    assert [(record["body"], record["attributes"]["ApproximateReceiveCount"]) for record in records] == [("first", "1")]
