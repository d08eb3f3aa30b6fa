"""Presigned addresses: who holds one may do what it says until it expires.

Sources: Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters"; errors as AWS was recorded giving
them (LocalStack's recordings of AWS, test_s3, TestS3PresignedUrl).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import boto3
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from botocore.config import Config

from tests.plain_http import http

VERSIONS = ("s3", "s3v4")


@pytest.fixture(scope="module")
def bucket(client):
    client("s3").create_bucket(Bucket="presigned-addresses")
    client("s3").put_object(Bucket="presigned-addresses", Key="a b/ü.txt", Body=b"something")
    return "presigned-addresses"


@pytest.fixture
def presign(client, cloud, bucket):
    """``presign("get_object", "s3v4", Key="x")``: an address."""

    def presign(operation, version=None, expires_in=60, **params):
        s3 = boto3.client(
            "s3", endpoint_url=cloud["endpoint"], region_name="us-east-1", aws_access_key_id=cloud["access_key"],
            aws_secret_access_key=cloud["secret_key"], config=Config(signature_version=version),
        )  # fmt: skip
        url = s3.generate_presigned_url(operation, Params={"Bucket": bucket, **params}, ExpiresIn=expires_in)
        s3.close()
        return url

    return presign


@pytest.mark.parametrize("version", [None, *VERSIONS])
def test_get_head_put_and_delete_without_a_key(client, bucket, presign, version):
    """The address alone is enough, signed in either way; boto3's own choice is version 2."""
    assert http("GET", presign("get_object", version, Key="a b/ü.txt")).body == b"something"
    assert http("HEAD", presign("head_object", version, Key="a b/ü.txt")).headers["content-length"] == "9"
    put = presign("put_object", version, Key="new.txt", ContentType="text/plain")
    assert http("PUT", put, b"new", {"Content-Type": "text/plain"}).status == 200
    stored = client("s3").get_object(Bucket=bucket, Key="new.txt")
    assert (stored["Body"].read(), stored["ContentType"]) == (b"new", "text/plain")
    assert http("DELETE", presign("delete_object", version, Key="new.txt")).status == 204


@pytest.mark.parametrize("version", VERSIONS)
def test_the_answers_headers_can_be_chosen(presign, version):
    """A download by a link has the name that the link gives it."""
    overrides = {
        "ResponseContentType": "text/csv", "ResponseContentDisposition": 'attachment; filename="visits.csv"',
        "ResponseCacheControl": "no-store", "ResponseContentLanguage": "de", "ResponseContentEncoding": "identity",
    }  # fmt: skip

    answer = http("GET", presign("get_object", version, Key="a b/ü.txt", **overrides))

    names = ("content-type", "content-disposition", "cache-control", "content-language", "content-encoding")
    assert [answer.headers.get(name) for name in names] == list(overrides.values())


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_signed_cannot_be_changed(presign, version):
    """Another key, another method, another content type: the signature no longer fits."""
    get = presign("get_object", version, Key="a b/ü.txt")
    put = presign("put_object", version, Key="new.txt", ContentType="text/plain")

    for refused in (
        http("GET", get.replace("a%20b", "other")),
        http("DELETE", get),
        http("PUT", put, b"x", {"Content-Type": "text/xml"}),
    ):
        assert refused.status == 403
        members = {"Code", "Message", "AWSAccessKeyId", "StringToSign", "SignatureProvided", "StringToSignBytes"}
        more = {"CanonicalRequest", "CanonicalRequestBytes"} if version == "s3v4" else set()
        assert set(refused.error) == members | more
        assert refused.error["Code"] == "SignatureDoesNotMatch"
        assert refused.error["Message"] == (
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method."
        )


def test_an_expired_address_says_when(presign, monkeypatch):
    """403 AccessDenied "Request has expired", with the times."""
    before = datetime.now(UTC) - timedelta(hours=1)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: before)
    version_4 = http("GET", presign("get_object", "s3v4", expires_in=2, Key="a b/ü.txt"))
    version_2 = http("GET", presign("get_object", "s3", expires_in=-2, Key="a b/ü.txt"))

    for refused in (version_4, version_2):
        assert (refused.status, refused.error["Code"], refused.error["Message"]) == (
            403, "AccessDenied", "Request has expired",
        )  # fmt: skip
    assert set(version_2.error) == {"Code", "Message", "Expires", "ServerTime"}
    expires = before + timedelta(seconds=2)
    assert version_4.error["X-Amz-Expires"] == "2"
    assert version_4.error["Expires"] == f"{expires:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(
    ("expires_in", "message"),
    [
        (7 * 24 * 3600 + 1, "must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
                            "604800 seconds"),
        (-1, "must be non-negative"),
        ("soon", "should be a number"),
    ],
)  # fmt: skip
def test_an_address_lasts_a_week_at_most(presign, expires_in, message):
    """Longer ones are not refused when they are made: nobody asks S3 then."""
    refused = http("GET", presign("get_object", "s3v4", expires_in=expires_in, Key="a b/ü.txt"))

    assert (refused.status, refused.error["Code"]) == (400, "AuthorizationQueryParametersError")
    assert refused.error["Message"] == f"X-Amz-Expires {message}"


@pytest.mark.parametrize(
    ("version", "left_out", "error"),
    [
        ("s3", "Expires", (403, "AccessDenied",
         "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")),
        ("s3v4", "X-Amz-Date", (400, "AuthorizationQueryParametersError",
         "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
         "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")),
    ],
)  # fmt: skip
def test_a_part_of_the_signature_is_missing(presign, version, left_out, error):
    """An address that was copied by halves."""
    url, _, query = presign("get_object", version, Key="a b/ü.txt").partition("?")
    kept = "&".join(part for part in query.split("&") if not part.startswith(left_out))

    refused = http("GET", f"{url}?{kept}")

    assert (refused.status, refused.error["Code"], refused.error["Message"]) == error


def test_headers_of_s3_must_have_been_signed(presign):
    """A header that the address does not know of would change what was agreed."""
    url = presign("put_object", "s3v4", Key="new.txt")

    refused = http("PUT", url, b"x", {"x-amz-meta-wrong": "1"})

    assert (refused.status, refused.error) == (
        403,
        {
            "Code": "AccessDenied",
            "Message": "There were headers present in the request which were not signed",
            "HeadersNotSigned": "x-amz-meta-wrong",
        },
    )


def test_metadata_travels_in_the_address_of_version_2(client, bucket, presign):
    """There the headers of S3 are a part of the query."""
    assert http("PUT", presign("put_object", "s3", Key="meta.txt", Metadata={"foo": "bar baz"}), b"x").status == 200

    assert client("s3").head_object(Bucket=bucket, Key="meta.txt")["Metadata"] == {"foo": "bar baz"}


def test_two_signatures_are_one_too_many(presign):
    """A client that adds its own Authorization header to an address."""
    refused = http("GET", presign("get_object", "s3v4", Key="a b/ü.txt"), headers={"Authorization": "Bearer x"})

    assert (refused.status, refused.error["Code"]) == (400, "InvalidArgument")
    assert refused.error["Message"].startswith("Only one auth mechanism allowed")


def test_an_address_of_another_service_works_too(client, cloud):
    """A presigned GetCallerIdentity is how a caller proves to a third party who it is."""
    url = client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")

    assert b"user/lab-administrator" in http("GET", url).body


def test_the_bucket_may_stand_in_the_host_name(client, cloud, bucket):
    """Virtual-hosted style, as AWS's own addresses are; browsers take every name under localhost for this computer.

    Source: Amazon S3 User Guide, "Virtual hosting of buckets".
    """
    for host in (f"{bucket}.s3.localhost", f"{bucket}.s3.us-east-1.localhost"):
        port = cloud["endpoint"].rpartition(":")[2]
        request = botocore.awsrequest.AWSRequest("GET", f"http://{host}:{port}/a%20b/%C3%BC.txt")
        keys = botocore.credentials.Credentials(cloud["access_key"], cloud["secret_key"])
        botocore.auth.S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
        headers = dict(request.headers.items()) | {"Host": f"{host}:{port}"}

        assert http("GET", f"{cloud['endpoint']}/a%20b/%C3%BC.txt", headers=headers).body == b"something"
