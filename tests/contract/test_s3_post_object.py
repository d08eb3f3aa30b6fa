"""POST Object: a form of a page uploads straight to the bucket.

Sources: Amazon S3 API Reference, "POST Object" and "POST Policy"; answers as AWS was recorded giving them (LocalStack's
recordings of AWS, test_s3, TestS3PresignedPost).
"""

from __future__ import annotations

import boto3
import pytest
from botocore.config import Config

from tests.plain_http import http


@pytest.fixture(scope="module")
def bucket(client):
    client("s3").create_bucket(Bucket="posted-objects")
    return "posted-objects"


@pytest.fixture(params=["s3", "s3v4"])
def post(request, cloud, bucket):
    """``post("key", b"file", fields, conditions)``: post a form that was signed in either way."""
    s3 = boto3.client(
        "s3", endpoint_url=cloud["endpoint"], region_name="us-east-1", aws_access_key_id=cloud["access_key"],
        aws_secret_access_key=cloud["secret_key"], config=Config(signature_version=request.param),
    )  # fmt: skip

    def post(key, file, fields=None, conditions=None, *, leave_out=(), expires_in=60, **changed):
        signed = s3.generate_presigned_post(bucket, key, fields, conditions, expires_in)
        sent = {name: value for name, value in (signed["fields"] | changed).items() if name.lower() not in leave_out}
        return http("POST", signed["url"], *form(sent, file))

    yield post
    s3.close()


def form(fields, file, file_name="my file.txt"):
    """A body of multipart/form-data and its header."""
    parts = [f'--mark\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
    head = f'--mark\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
    end = "\r\n--mark--\r\n"
    body = "".join(parts).encode() + head.encode() + b"Content-Type: text/plain\r\n\r\n" + file + end.encode()
    return body, {"Content-Type": "multipart/form-data; boundary=mark"}


def test_a_form_stores_its_file(client, bucket, post):
    """The name of the file stands in for ``${filename}``; the bytes arrive as they are."""
    fields = {"Content-Type": "text/csv", "x-amz-meta-shop": "7"}
    conditions = [{name: value} for name, value in fields.items()]

    answer = post("uploads/${filename}", b"\r\n--\x00\xff\r\n", fields, conditions)

    assert (answer.status, answer.body) == (204, b"")
    stored = client("s3").get_object(Bucket=bucket, Key="uploads/my file.txt")
    assert stored["Body"].read() == b"\r\n--\x00\xff\r\n"
    assert (stored["ContentType"], stored["Metadata"]) == ("text/csv", {"shop": "7"})
    assert answer.headers["etag"] == stored["ETag"]


def test_the_form_chooses_what_it_is_answered(cloud, bucket, post):
    """201 with a description, or on to another page."""
    made = post("a", b"x", {"success_action_status": "201"}, [{"success_action_status": "201"}])
    assert (made.status, made.headers["content-type"]) == (201, "application/xml")
    assert f"<Bucket>{bucket}</Bucket><Key>a</Key>".encode() in made.body

    target = "http://localhost.test/thanks"
    sent_on = post("a", b"x", {"success_action_redirect": target}, [["eq", "$success_action_redirect", target]])
    assert sent_on.status == 303
    assert sent_on.headers["location"].startswith(f"{target}?bucket={bucket}&key=a&etag=%22")


@pytest.mark.parametrize(
    ("conditions", "fields", "reason"),
    [
        ([["eq", "$Content-Type", "text/csv"]], {"Content-Type": "text/html"},
         'Policy Condition failed: ["eq", "$Content-Type", "text/csv"]'),
        ([["starts-with", "$Content-Type", "image/"]], {"Content-Type": "text/html"},
         'Policy Condition failed: ["starts-with", "$Content-Type", "image/"]'),
        ([], {"Content-Type": "text/html"}, "Extra input fields: content-type"),
        ([["content-length-range", "test", "10"]], {},
         'Policy Condition failed: ["content-length-range", "test", "10"]'),
    ],
)  # fmt: skip
def test_the_policy_decides_what_is_taken(post, conditions, fields, reason):
    """Whoever signed the policy chose the values; the page cannot."""
    refused = post("a", b"x", fields, conditions)

    assert (refused.status, refused.error) == (
        403, {"Code": "AccessDenied", "Message": f"Invalid according to Policy: {reason}"},
    )  # fmt: skip


def test_a_file_can_be_too_large_or_too_small(post):
    """The one way to limit what a stranger uploads."""
    large, small = (post("a", file, None, [["content-length-range", 5, 10]]) for file in (b"x" * 12, b"x"))

    assert (large.status, large.error) == (
        400,
        {
            "Code": "EntityTooLarge", "Message": "Your proposed upload exceeds the maximum allowed size",
            "ProposedSize": "12", "MaxSizeAllowed": "10",
        },
    )  # fmt: skip
    assert (small.error["Code"], small.error["MinSizeAllowed"]) == ("EntityTooSmall", "5")


def test_an_expired_or_changed_policy_is_refused(post):
    """The policy is what was signed."""
    expired = post("a", b"x", expires_in=-10)
    assert (expired.status, expired.error) == (
        403, {"Code": "AccessDenied", "Message": "Invalid according to Policy: Policy expired."},
    )  # fmt: skip
    changed = post("a", b"x", policy="e30=")
    assert (changed.status, changed.error["Code"]) == (403, "SignatureDoesNotMatch")
    unsigned = post("a", b"x", leave_out={"signature", "x-amz-signature"})
    name = unsigned.error["ArgumentName"]
    assert unsigned.error["Message"] == (
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    )


def test_a_form_without_a_policy_is_anybodys(cloud, bucket):
    """A bucket that is not open to everybody refuses it."""
    refused = http("POST", f"{cloud['endpoint']}/{bucket}", *form({"key": "a"}, b"x"))

    assert (refused.status, refused.error["Code"]) == (403, "AccessDenied")


def test_a_page_of_another_origin_may_read_the_answer(client, cloud, bucket, post):
    """A form sent by a script needs a CORS rule for POST."""
    rules = [{"AllowedOrigins": ["http://shop.example"], "AllowedMethods": ["POST"]}]
    client("s3").put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    body, headers = form({"key": "a"}, b"x")

    answer = http("POST", f"{cloud['endpoint']}/{bucket}", body, headers | {"Origin": "http://shop.example"})

    assert (answer.status, answer.headers["access-control-allow-origin"]) == (403, "http://shop.example")


def test_a_form_can_say_the_checksum_of_its_file(post):
    """An upload that was cut on its way is not stored."""
    fields = {"x-amz-checksum-crc32": "AAAAAA=="}

    answer = post("checked", b"file", fields, [fields])

    assert (answer.status, answer.error["Code"]) == (400, "BadDigest")
