"""Uploads by halves, ranges, conditions and limits of objects.

Sources: Amazon S3 API Reference (PutObject, GetObject, CopyObject, CompleteMultipartUpload); errors as AWS was recorded
giving them (LocalStack's recordings of AWS, test_s3, test_s3_api, test_s3_preconditions).
"""

from __future__ import annotations

import socket
import zlib
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

PART = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def bucket(client):
    client("s3").create_bucket(Bucket="objects-of-the-tests")
    client("s3").put_object(Bucket="objects-of-the-tests", Key="digits", Body=b"0123456789")
    return "objects-of-the-tests"


def refusal(call, **arguments):
    """HTTP status and the members of the error."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    answer = refused.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]


def test_an_upload_in_parts_with_checksums(client, bucket):
    """The object is the parts in their order, its ETag tells how many they were."""
    s3, where = client("s3"), {"Bucket": bucket, "Key": "parts"}
    upload = where | {"UploadId": s3.create_multipart_upload(**where, ChecksumAlgorithm="CRC32")["UploadId"]}
    parts = []
    for number, body in enumerate((b"a" * PART, b"end"), start=1):
        crc = b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
        part = s3.upload_part(**upload, PartNumber=number, Body=body, ChecksumCRC32=crc)
        parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumCRC32": crc})

    wrong = refusal(s3.upload_part, **upload, PartNumber=3, Body=b"x", ChecksumCRC32="AAAAAA==")
    assert (wrong[0], wrong[1]["Code"]) == (400, "BadDigest")
    status, error = refusal(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts[::-1]})
    assert (status, error["Code"], error["Message"]) == (
        400, "InvalidPartOrder",
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    )  # fmt: skip
    assert s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["ETag"].endswith('-2"')
    assert s3.get_object(**where, Range="bytes=-4")["Body"].read() == b"aend"


@pytest.mark.parametrize(
    ("kind", "sums", "whole", "of_copy"),
    [
        ("CRC64NVME", ["PbvLEkWUSgg=", "cV9X7acObTw="], "Naidc2+phk8=", "Ffmx7kz9nB0="),
        ("CRC32C", ["WpuOeg==", "r8FdIg=="], "HEMwnA==", "KAwGng=="),
    ],
)
def test_the_checksum_of_parts_and_of_a_copy(client, bucket, *, kind, sums, whole, of_copy):
    """Of CRC64NVME that of the whole object, of CRC32C that of the parts' checksums; what a client will compare."""
    s3, where, name = client("s3"), {"Bucket": bucket, "Key": f"sum-{kind}"}, f"Checksum{kind}"
    upload = where | {"UploadId": s3.create_multipart_upload(**where, ChecksumAlgorithm=kind)["UploadId"]}
    bodies = (b"a" * PART, b"end")
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=body, **{name: one})["ETag"], name: one}
        for n, (body, one) in enumerate(zip(bodies, sums, strict=True), start=1)
    ]

    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/digits", ChecksumAlgorithm=kind)
    again = s3.copy_object(Bucket=bucket, Key="again", CopySource=f"{bucket}/sum-{kind}", ChecksumAlgorithm="CRC64NVME")

    assert again["CopyObjectResult"]["ChecksumCRC64NVME"] == "Naidc2+phk8="
    assert s3.head_object(**where, ChecksumMode="ENABLED")[name].partition("-")[0] == whole
    assert copied["CopyObjectResult"][name] == of_copy
    assert s3.head_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")[name] == of_copy


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("upload_part", {"PartNumber": 1, "Body": b""}), ("list_parts", {}), ("abort_multipart_upload", {}),
        ("complete_multipart_upload", {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": "x"}]}}),
    ],
)  # fmt: skip
def test_an_upload_that_does_not_exist(client, bucket, operation, more):
    """Completed, aborted, or never begun."""
    status, error = refusal(getattr(client("s3"), operation), Bucket=bucket, Key="a", UploadId="fakeid", **more)

    assert (status, error) == (
        404,
        {
            "Code": "NoSuchUpload", "UploadId": "fakeid",
            "Message": "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
                       "aborted or completed.",
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "body", "content_range"),
    [("2-4", b"234", "bytes 2-4/10"), ("-3", b"789", "bytes 7-9/10"), ("8-", b"89", "bytes 8-9/10"),
     ("5-99", b"56789", "bytes 5-9/10")],
)  # fmt: skip
def test_a_range_of_an_object(client, bucket, asked, body, content_range):
    """What readers of Parquet and of film do."""
    answer = client("s3").get_object(Bucket=bucket, Key="digits", Range=f"bytes={asked}")

    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Body"].read(), answer["ContentRange"]) == (
        206, body, content_range,
    )  # fmt: skip


def test_a_range_behind_the_end(client, bucket):
    """416, with the object's size."""
    status, error = refusal(client("s3").get_object, Bucket=bucket, Key="digits", Range="bytes=20-30")

    assert (status, error["Code"], error["ActualObjectSize"]) == (416, "InvalidRange", "10")


def test_conditions_of_reading_and_writing(client, bucket):
    """Not modified, not what was expected, there already."""
    s3, where = client("s3"), {"Bucket": bucket, "Key": "digits"}
    etag = s3.head_object(**where)["ETag"]
    later = datetime.now(UTC) + timedelta(days=1)

    assert refusal(s3.get_object, **where, IfNoneMatch=etag)[0] == 304
    assert refusal(s3.get_object, **where, IfModifiedSince=later)[0] == 304
    status, error = refusal(s3.get_object, **where, IfMatch='"other"')
    assert (status, error["Code"], error["Condition"]) == (412, "PreconditionFailed", "If-Match")
    status, error = refusal(s3.put_object, **where, Body=b"", IfNoneMatch="*")
    assert (status, error["Condition"]) == (412, "If-None-Match")
    status, error = refusal(s3.put_object, **where, Body=b"", IfNoneMatch='"other"')
    assert (status, error) == (
        501,
        {
            "Code": "NotImplemented", "Header": "If-None-Match",
            "Message": "A header you provided implies functionality that is not implemented",
            "additionalMessage": "We don't accept the provided value of If-None-Match header for this API",
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "value", "named"),
    [
        ("CopySourceIfMatch", '"other"', "If-Match"), ("CopySourceIfNoneMatch", "*", "If-None-Match"),
        ("CopySourceIfModifiedSince", datetime(2099, 1, 1, tzinfo=UTC), "If-Modified-Since"),
        ("CopySourceIfUnmodifiedSince", datetime(2000, 1, 1, tzinfo=UTC), "If-Unmodified-Since"),
    ],
)  # fmt: skip
def test_conditions_of_a_copys_source(client, bucket, condition, value, named):
    """A copy is made of what was meant, or not at all."""
    arguments = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/digits", condition: value}

    status, error = refusal(client("s3").copy_object, **arguments)

    assert (status, error["Code"], error["Condition"]) == (412, "PreconditionFailed", f"x-amz-copy-source-{named}")


def test_keys_and_metadata_have_a_largest_size(client, bucket):
    """1,024 bytes and 2 KB, whatever the letters."""
    s3 = client("s3")

    status, error = refusal(s3.put_object, Bucket=bucket, Key="ü" * 513, Body=b"")
    assert (status, error) == (
        400, {"Code": "KeyTooLongError", "Message": "Your key is too long", "Size": "1026", "MaxSizeAllowed": "1024"},
    )  # fmt: skip
    status, error = refusal(s3.put_object, Bucket=bucket, Key="a", Body=b"", Metadata={"note": "x" * 2045})
    assert (status, error["Code"], error["Size"]) == (400, "MetadataTooLarge", "2049")
    s3.put_object(Bucket=bucket, Key="a", Body=b"", Metadata={"note": "x" * 2044})


def test_a_client_that_waits_for_100_continue(client, bucket):
    """Java's and Go's clients, and curl with a large file."""
    url = urlsplit(client("s3").generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "waited"}))
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: 3\r\n"
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"abc")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")

    assert client("s3").get_object(Bucket=bucket, Key="waited")["Body"].read() == b"abc"
