"""ListObjectsV2 is ours for its speed: it must answer as S3 does."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def bucket(client, unique):
    """A bucket with keys that need care."""
    name = unique("list")
    client("s3").create_bucket(Bucket=name)
    for key in ["a/1", "a/2", "b/x y+z&ü", "c", "d/e/f"]:
        client("s3").put_object(Bucket=name, Key=key, Body=b"12345")
    return name


def test_keys_come_in_order_with_size_and_etag(client, bucket):
    """The fields that a reader of the lake uses."""
    answer = client("s3").list_objects_v2(Bucket=bucket)

    assert [item["Key"] for item in answer["Contents"]] == ["a/1", "a/2", "b/x y+z&ü", "c", "d/e/f"]
    assert (answer["KeyCount"], answer["IsTruncated"], answer["Contents"][0]["Size"]) == (5, False, 5)
    assert answer["Contents"][0]["ETag"] == client("s3").head_object(Bucket=bucket, Key="a/1")["ETag"]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pages_hold_each_key_once(client, bucket, size):
    """The paginator is how everybody lists."""
    pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": size})

    assert [item["Key"] for page in pages for item in page["Contents"]] == ["a/1", "a/2", "b/x y+z&ü", "c", "d/e/f"]


@pytest.mark.parametrize("size", [1, 2, 10])
def test_a_delimiter_folds_keys_into_prefixes(client, bucket, size):
    """Folders are a way of looking at keys."""
    pages = list(
        client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size})
    )

    assert [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])] == ["a/", "b/", "d/"]
    assert [item["Key"] for page in pages for item in page.get("Contents", [])] == ["c"]


def test_prefix_start_after_deleted_and_missing(client, bucket):
    """The rest of the parameters, and a bucket that is not there."""
    s3 = client("s3")
    s3.delete_object(Bucket=bucket, Key="a/2")

    assert [i["Key"] for i in s3.list_objects_v2(Bucket=bucket, Prefix="a/")["Contents"]] == ["a/1"]
    assert [i["Key"] for i in s3.list_objects_v2(Bucket=bucket, StartAfter="b/zzz")["Contents"]] == ["c", "d/e/f"]
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="zzz")
    with pytest.raises(s3.exceptions.NoSuchBucket):
        s3.list_objects_v2(Bucket="not-there-at-all")


@pytest.mark.parametrize("token", ["%%%", "no token", "_w=="])
def test_a_token_that_no_page_gave_is_refused(client, bucket, token):
    """Not taken for the beginning: who lists would begin again and again."""
    with pytest.raises(ClientError) as refused:
        client("s3").list_objects_v2(Bucket=bucket, ContinuationToken=token)

    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("InvalidArgument", "The continuation token provided is incorrect")


def test_a_page_of_no_keys_is_the_last_one(client, bucket):
    """Otherwise who goes on while the answer is truncated would go on for ever; a negative number is refused."""
    s3 = client("s3")

    empty = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)

    assert (empty["KeyCount"], empty["IsTruncated"], "NextContinuationToken" in empty) == (0, False, False)
    with pytest.raises(ClientError) as refused:
        s3.list_objects_v2(Bucket=bucket, MaxKeys=-1)
    error = refused.value.response["Error"]
    assert (error["Code"], error["ArgumentName"], error["ArgumentValue"]) == ("InvalidArgument", "maxKeys", "-1")
    assert error["Message"] == "Argument maxKeys must be an integer between 0 and 2147483647"
