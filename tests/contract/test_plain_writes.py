"""The short ways of PutObject, GetObject, PutItem and BatchWriteItem answer and store as moto's own ways do."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

VISIT = {
    "ProductVisitKey": {"S": "k-1"},
    "PricePerUnit": {"N": "89.90"},
    "Seen": {"BOOL": True},
    "Note": {"NULL": True},
}


@pytest.fixture
def bucket(client, unique):
    name = unique("plain")
    client("s3").create_bucket(Bucket=name)
    return name


def described(answer):
    """An answer without what differs from call to call."""
    varying = ("ResponseMetadata", "LastModified", "Body")
    return {name: value for name, value in answer.items() if name not in varying}


def test_an_object_reads_the_same_whichever_way_it_was_written_and_is_read(client, bucket):
    """A condition on the call is all that decides between the ways."""
    s3 = client("s3")
    settings = {"Body": b"one line\n", "ContentType": "text/plain; charset=utf-8", "CacheControl": "no-store"}

    short = s3.put_object(Bucket=bucket, Key="a b/ü+é=1.txt", **settings)
    long = s3.put_object(Bucket=bucket, Key="other.txt", IfNoneMatch="*", **settings)
    read = [s3.get_object(Bucket=bucket, Key=key) for key in ("a b/ü+é=1.txt", "other.txt")]
    etag = short["ETag"]
    conditional = s3.get_object(Bucket=bucket, Key="a b/ü+é=1.txt", IfMatch=etag)

    assert described(short) == described(long)
    assert [one["Body"].read() for one in [*read, conditional]] == [b"one line\n"] * 3
    assert described(read[0]) == described(read[1]) == described(conditional)
    assert (read[0]["ContentType"], read[0]["CacheControl"]) == ("text/plain; charset=utf-8", "no-store")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a b/ü+é=1.txt", "other.txt"]


def test_an_object_is_replaced_and_its_tags_go_with_it(client, bucket):
    """A retried batch overwrites its own object."""
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"old", Tagging="a=b")

    s3.put_object(Bucket=bucket, Key="k", Body=b"new")

    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"new"
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_a_versioned_bucket_keeps_every_version(client, bucket):
    """Versions are moto's."""
    s3 = client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    versions = [s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in (b"1", b"2")]

    assert [s3.get_object(Bucket=bucket, Key="k", VersionId=v)["Body"].read() for v in versions] == [b"1", b"2"]
    assert s3.get_object(Bucket=bucket, Key="k")["VersionId"] == versions[1]


def test_a_missing_key_or_bucket_has_its_own_error(client, bucket, unique):
    """What is not there goes moto's way."""
    s3 = client("s3")

    with pytest.raises(ClientError) as no_key:
        s3.get_object(Bucket=bucket, Key="nothing")
    with pytest.raises(ClientError) as no_bucket:
        s3.put_object(Bucket=unique("none"), Key="k", Body=b"")

    assert [error.value.response["Error"]["Code"] for error in (no_key, no_bucket)] == ["NoSuchKey", "NoSuchBucket"]


@pytest.fixture
def table(client, unique):
    name = unique("Plain")
    client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "ProductVisitKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "ProductVisitKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def test_items_are_stored_one_by_one_and_in_batches(client, table):
    """The answers hold nothing that was not asked for."""
    dynamodb = client("dynamodb")

    one = dynamodb.put_item(TableName=table, Item=VISIT)
    put = {"PutRequest": {"Item": {**VISIT, "ProductVisitKey": {"S": "k-2"}}}}
    many = dynamodb.batch_write_item(RequestItems={table: [put]})

    assert (described(one), described(many)) == ({}, {"UnprocessedItems": {}})
    stored = [dynamodb.get_item(TableName=table, Key={"ProductVisitKey": {"S": key}})["Item"] for key in ("k-1", "k-2")]
    assert stored == [VISIT, {**VISIT, "ProductVisitKey": {"S": "k-2"}}]


@pytest.mark.parametrize(
    "item",
    [
        {"ProductVisitKey": {"S": ""}},
        {"ProductVisitKey": {"N": "1"}},
        {"Other": {"S": "x"}},
        {"ProductVisitKey": {"S": "k"}, "PricePerUnit": {"N": "cheap"}},
    ],
    ids=["empty key", "key of another type", "no key", "no number"],
)
def test_an_item_that_is_none_is_refused_alone_and_in_a_batch(client, table, item):
    """Nothing of a refused batch is stored."""
    dynamodb = client("dynamodb")
    good = {"PutRequest": {"Item": VISIT}}

    with pytest.raises(ClientError) as alone:
        dynamodb.put_item(TableName=table, Item=item)
    with pytest.raises(ClientError) as in_batch:
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}}, good]})

    assert [e.value.response["Error"]["Code"] for e in (alone, in_batch)] == ["ValidationException"] * 2


def test_a_text_is_no_key_of_a_table_with_numbers_for_keys(client, unique):
    """Nobody could read such an item back."""
    name, dynamodb = unique("Numbers"), client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "Number", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Number", "AttributeType": "N"}],
        BillingMode="PAY_PER_REQUEST",
    )

    with pytest.raises(ClientError) as refused:
        dynamodb.put_item(TableName=name, Item={"Number": {"S": "one"}})

    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert dynamodb.scan(TableName=name)["Items"] == []


def test_a_key_twice_in_one_batch_is_refused(client, table):
    """AWS checks it before it stores anything."""
    dynamodb = client("dynamodb")

    with pytest.raises(ClientError) as refused:
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": VISIT}}] * 2})

    assert refused.value.response["Error"]["Message"] == "Provided list of item keys contains duplicates"
    assert dynamodb.scan(TableName=table)["Count"] == 0


def test_binary_values_and_sets_are_stored_too(client, table):
    """They go moto's way."""
    dynamodb = client("dynamodb")
    item = {**VISIT, "Raw": {"B": b"\x00\x01"}, "Tags": {"SS": ["a", "b"]}}

    dynamodb.put_item(TableName=table, Item=item)

    assert dynamodb.get_item(TableName=table, Key={"ProductVisitKey": {"S": "k-1"}})["Item"] == item


def test_a_stream_read_by_hand_shows_records_as_lambda_gets_them(client, unique):
    """AWS docs: API_streams_Record of DynamoDB Streams; ids and version are those of a function's event."""
    dynamodb, streams = client("dynamodb"), client("dynamodbstreams")
    table = dynamodb.create_table(
        TableName=unique("read"),
        KeySchema=[{"AttributeName": "ProductVisitKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "ProductVisitKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    dynamodb.put_item(TableName=table["TableName"], Item=VISIT)
    arn = table["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")

    [record] = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]

    assert (record["eventVersion"], record["eventName"], record["dynamodb"]["NewImage"]) == ("1.1", "INSERT", VISIT)
    assert len(bytes.fromhex(record["eventID"])) == 16
