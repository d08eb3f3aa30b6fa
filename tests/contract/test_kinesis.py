"""Kinesis streams and their mappings: the event, the order of a partition key, where reading begins, what fails.

Source: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html and the pages below it.
"""

from __future__ import annotations

import base64
import json
import re

import pytest
from botocore.exceptions import ClientError

from tests.contract.test_arrows import PRINTING, printed
from tests.contract.test_event_source_mappings import mapped, without  # noqa: F401  a fixture
from tests.contract.test_pipeline import ACCOUNT

READS = ["kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]


@pytest.fixture
def stream(client, unique):
    """``stream(shards)`` creates a stream; returns its name, its ARN and a grant to read it."""

    def create(shards=1):
        name = unique("stream")
        client("kinesis").create_stream(StreamName=name, ShardCount=shards)
        arn = client("kinesis").describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]
        return name, arn, (READS, arn)

    return create


def put(client, name, *numbers, key="p"):
    return [
        client("kinesis").put_record(StreamName=name, Data=json.dumps({"n": number}).encode(), PartitionKey=key)
        for number in numbers
    ]


def numbers_of(events):
    """The ``n`` of every record, batch by batch."""
    return [[json.loads(base64.b64decode(r["kinesis"]["data"]))["n"] for r in event["Records"]] for event in events]


def flat(events):
    return [number for batch in numbers_of(events) for number in batch]


def test_a_record_reaches_a_function_in_the_shape_of_a_kinesis_event(client, function, stream, mapped, eventually):  # noqa: F811
    """Whole value; https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html#services-kinesis-event-example."""
    name, arn, grant = stream()
    target = function(PRINTING, grant)
    mapped(arn, target, StartingPosition="TRIM_HORIZON")

    answer = client("kinesis").put_record(StreamName=name, Data=b"Hello \xff", PartitionKey="k1")

    [event] = eventually(lambda: printed(client, target))
    arrival = event["Records"][0]["kinesis"]["approximateArrivalTimestamp"]
    role = client("lambda").get_function_configuration(FunctionName=target)["Role"]
    assert (answer["ShardId"], type(arrival)) == ("shardId-000000000000", float)
    assert event == {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0", "partitionKey": "k1", "sequenceNumber": answer["SequenceNumber"],
                    "data": base64.b64encode(b"Hello \xff").decode(), "approximateArrivalTimestamp": arrival,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{answer['ShardId']}:{answer['SequenceNumber']}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": role,
                "awsRegion": "us-east-1",
                "eventSourceARN": arn,
            }
        ]
    }  # fmt: skip


def test_a_mapping_of_a_kinesis_stream_as_it_is_created(client, function, stream):
    """Whole value, with the moment to begin at."""
    name, arn, grant = stream()
    target = function(PRINTING, grant)
    moment = client("kinesis").describe_stream(StreamName=name)["StreamDescription"]["StreamCreationTimestamp"]

    made = client("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=target, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=moment
    )

    uid = made["UUID"]
    assert without(made) == {
        "UUID": uid, "BatchSize": 100, "MaximumBatchingWindowInSeconds": 0, "ParallelizationFactor": 1,
        "BisectBatchOnFunctionError": False, "MaximumRecordAgeInSeconds": -1, "MaximumRetryAttempts": -1,
        "TumblingWindowInSeconds": 0, "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": moment,
        "DestinationConfig": {"OnFailure": {}}, "FunctionResponseTypes": [], "State": "Creating",
        "LastProcessingResult": "No records processed", "StateTransitionReason": "User action", "EventSourceArn": arn,
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:event-source-mapping:{uid}",
        "FunctionArn": target,
    }  # fmt: skip
    client("lambda").delete_event_source_mapping(UUID=uid)


def test_each_partition_key_keeps_its_order_over_many_shards(client, function, stream, mapped, eventually):  # noqa: F811
    """Order is promised within a key, not across shards."""
    name, arn, grant = stream(3)
    target = function(PRINTING, grant)
    mapped(arn, target, StartingPosition="TRIM_HORIZON", BatchSize=4)
    keys = "abcdef"

    for round_ in range(5):
        records = [{"Data": json.dumps({"n": [key, round_]}).encode(), "PartitionKey": key} for key in keys]
        assert client("kinesis").put_records(StreamName=name, Records=records)["FailedRecordCount"] == 0

    def all_there():
        events = printed(client, target)
        return events if len(flat(events)) >= 30 else None

    events = eventually(all_there)
    order = {key: [round_ for one, round_ in flat(events) if one == key] for key in keys}
    shards = {record["eventID"].partition(":")[0] for event in events for record in event["Records"]}
    assert order == {key: [0, 1, 2, 3, 4] for key in keys}
    assert len(shards) > 1
    assert all(len({r["eventID"].partition(":")[0] for r in event["Records"]}) == 1 for event in events)


@pytest.mark.parametrize(
    ("position", "expected"), [("TRIM_HORIZON", [1, 2, 3, 4]), ("AT_TIMESTAMP", [2, 3, 4]), ("LATEST", [4])]
)
def test_reading_begins_where_the_mapping_says(*, client, function, stream, position, expected, mapped, eventually):  # noqa: F811
    """All of it, from a moment on, or only what comes now."""
    name, arn, grant = stream()
    target = function(PRINTING, grant)
    _, second = put(client, name, 1, 2)
    iterator = client("kinesis").get_shard_iterator(
        StreamName=name, ShardId=second["ShardId"], ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=second["SequenceNumber"],
    )["ShardIterator"]  # fmt: skip
    moment = client("kinesis").get_records(ShardIterator=iterator)["Records"][0]["ApproximateArrivalTimestamp"]
    put(client, name, 3)

    at = (
        {"StartingPositionTimestamp": moment.replace(microsecond=moment.microsecond // 1000 * 1000)}
        if position == "AT_TIMESTAMP"
        else {}
    )
    mapped(arn, target, StartingPosition=position, **at)
    put(client, name, 4)

    def last_is_there():
        events = printed(client, target)
        return flat(events) if 4 in flat(events) else None

    assert eventually(last_is_there) == expected


def test_a_bad_record_blocks_its_shard_until_it_is_given_up(*, client, function, stream, queue, mapped, eventually):  # noqa: F811
    """Bisect, one retry, the on-failure record with KinesisBatchInfo: kinesis-on-failure-destination."""
    name, arn, grant = stream()
    url, queue_arn = queue()
    source = (
        "import json\ndef lambda_handler(event, context):\n    import base64\n"
        "    if any(json.loads(base64.b64decode(r['kinesis']['data']))['n'] == 3 for r in event['Records']):\n"
        "        raise ValueError(3)\n"
        "    print('GOT', json.dumps(event))\n"
    )
    target = function(source, grant, (["sqs:SendMessage"], queue_arn))
    third = put(client, name, *range(6))[3]

    mapped(arn, target, StartingPosition="TRIM_HORIZON", MaximumRetryAttempts=1, BisectBatchOnFunctionError=True,
           DestinationConfig={"OnFailure": {"Destination": queue_arn}})  # fmt: skip

    [message] = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    record = json.loads(message["Body"])
    info = record["KinesisBatchInfo"]

    def five():
        events = printed(client, target)
        return flat(events) if len(flat(events)) >= 5 else None

    assert eventually(five) == [0, 1, 2, 4, 5]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", info["approximateArrivalOfFirstRecord"])
    assert record == {
        "requestContext": {
            "requestId": record["requestContext"]["requestId"], "functionArn": target,
            "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": record["timestamp"],
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000", "startSequenceNumber": third["SequenceNumber"],
            "endSequenceNumber": third["SequenceNumber"], "batchSize": 1, "streamArn": arn,
            "approximateArrivalOfFirstRecord": info["approximateArrivalOfFirstRecord"],
            "approximateArrivalOfLastRecord": info["approximateArrivalOfFirstRecord"],
        },
    }  # fmt: skip


def test_a_partial_failure_goes_on_at_the_lowest_sequence_number(client, function, stream, mapped, eventually):  # noqa: F811
    """ReportBatchItemFailures: the first failed record is the checkpoint; services-kinesis-batchfailurereporting."""
    name, arn, grant = stream()
    source = (
        "import json\ntried = []\ndef lambda_handler(event, context):\n    print('GOT', json.dumps(event))\n"
        "    numbers = [r['kinesis']['sequenceNumber'] for r in event['Records']]\n"
        "    tried.append(1)\n"
        "    failed = (numbers[3], numbers[2]) if len(tried) == 1 else ()\n"
        "    return {'batchItemFailures': [{'itemIdentifier': number} for number in failed]}\n"
    )
    target = function(source, grant)
    put(client, name, *range(5))

    mapped(arn, target, StartingPosition="TRIM_HORIZON", FunctionResponseTypes=["ReportBatchItemFailures"])

    def twice():
        events = printed(client, target)
        return numbers_of(events) if len(events) >= 2 else None

    assert eventually(twice) == [[0, 1, 2, 3, 4], [2, 3, 4]]


def test_a_filter_reads_the_data_and_the_metadata(client, function, stream, mapped, eventually):  # noqa: F811
    """``data`` is decoded JSON; a record that is none does not pass: with-kinesis-filtering."""
    name, arn, grant = stream()
    target = function(PRINTING, grant)
    pattern = json.dumps({"partitionKey": ["p"], "data": {"n": [{"numeric": [">", 1]}]}})
    mapped(arn, target, StartingPosition="TRIM_HORIZON", FilterCriteria={"Filters": [{"Pattern": pattern}]})

    client("kinesis").put_record(StreamName=name, Data=b"no json", PartitionKey="p")
    put(client, name, 1, 2)
    put(client, name, 3, key="other")
    put(client, name, 4)

    def two():
        events = printed(client, target)
        return flat(events) if len(flat(events)) >= 2 else None

    assert eventually(two) == [2, 4]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "Value null at 'startingPosition' failed to satisfy constraint: Member must not be null"),
        ({"StartingPosition": "AT_TIMESTAMP"}, "StartingPositionTimestamp goes with the StartingPosition AT_TIMESTAMP"),
    ],
)
def test_a_mapping_without_a_place_to_begin_is_refused(client, function, stream, settings, message):
    """Streams have no default."""
    _, arn, grant = stream()

    with pytest.raises(ClientError, match=message):
        client("lambda").create_event_source_mapping(
            EventSourceArn=arn, FunctionName=function(PRINTING, grant), **settings
        )


def test_a_stream_that_is_missing_or_closed_to_the_role_is_refused(client, function, stream):
    """Two sentences of CreateEventSourceMapping."""
    _, arn, _ = stream()
    missing, create = f"{arn}-missing", client("lambda").create_event_source_mapping

    with pytest.raises(ClientError, match=r"Cannot access stream .* ListShards, and ListStreams Actions"):
        create(EventSourceArn=arn, FunctionName=function(PRINTING), StartingPosition="LATEST")
    with pytest.raises(ClientError, match=f"Stream not found: {missing}"):
        create(EventSourceArn=missing, FunctionName=function(PRINTING, (READS, "*")), StartingPosition="LATEST")


def test_a_function_may_put_records_only_where_its_role_lets_it(client, function, stream):
    """Action and resource of kinesis:PutRecord."""
    name, arn, _ = stream()
    other, _, _ = stream()
    source = (
        "import boto3\ndef lambda_handler(event, context):\n"
        "    return boto3.client('kinesis').put_record(StreamName=event, Data=b'x', PartitionKey='p')['ShardId']\n"
    )
    target = function(source, (["kinesis:PutRecord"], arn), Timeout=20)

    def invoke(stream_name):
        answer = client("lambda").invoke(FunctionName=target, Payload=json.dumps(stream_name))
        return json.loads(answer["Payload"].read())

    assert invoke(name) == "shardId-000000000000"
    assert "not authorized to perform: kinesis:PutRecord on resource" in invoke(other)["errorMessage"]


def test_resharding_is_refused(client, stream):
    """The local cloud cannot do it truthfully."""
    name, _, _ = stream()

    with pytest.raises(ClientError, match="does not implement kinesis:UpdateShardCount"):
        client("kinesis").update_shard_count(StreamName=name, TargetShardCount=2, ScalingType="UNIFORM_SCALING")


def test_a_stream_carries_the_tags_of_its_creation(client, unique):
    """Clean-up recognises by its tag what belongs to a lab; moto alone forgets them."""
    name = unique("tagged")

    client("kinesis").create_stream(StreamName=name, ShardCount=1, Tags={"labkit:lab-id": "shelf", "stage": "test"})

    assert client("kinesis").list_tags_for_stream(StreamName=name)["Tags"] == [
        {"Key": "labkit:lab-id", "Value": "shelf"},
        {"Key": "stage", "Value": "test"},
    ]
    client("kinesis").delete_stream(StreamName=name)


def test_a_list_of_streams_comes_in_pages_with_a_token(client, unique):
    """Without the token a paginator ends after the first page, and clean-up would forget a stream."""
    names = sorted(unique("paged") for _ in range(3))
    for name in names:
        client("kinesis").create_stream(StreamName=name, ShardCount=1)

    pages = list(client("kinesis").get_paginator("list_streams").paginate(PaginationConfig={"PageSize": 2}))

    listed = [name for page in pages for name in page["StreamNames"]]
    assert [name for name in listed if name in names] == names
    assert listed == sorted(listed)
    assert [len(page["StreamNames"]) for page in pages[:-1]] == [2] * (len(pages) - 1)
    assert [(page["HasMoreStreams"], "NextToken" in page) for page in pages] == [
        *[(True, True)] * (len(pages) - 1),
        (False, False),
    ]
    assert {one["StreamName"] for page in pages for one in page["StreamSummaries"]} == set(listed)
    for name in names:
        client("kinesis").delete_stream(StreamName=name)


@pytest.mark.parametrize("token", ["no token", "ff"])
def test_a_token_that_no_list_of_streams_gave_is_refused(client, token):
    """https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListStreams.html, errors."""
    with pytest.raises(ClientError) as refused:
        client("kinesis").list_streams(NextToken=token)

    assert refused.value.response["Error"]["Code"] == "InvalidArgumentException"
