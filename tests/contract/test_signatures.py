"""A request whose signature is not accepted: each family of services says so in its own words.

Sources: Amazon S3 API Reference, "Error responses"; AWS STS API Reference, "Common Errors"; Amazon DynamoDB Developer
Guide, "Error handling"; IAM User Guide, "Troubleshoot Signature Version 4" (the sentence on the clock).
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.in_process import in_process
from tests.plain_http import http

QUERY, JSON, REST = ("sqs", "list_queues"), ("dynamodb", "list_tables"), ("lambda", "list_functions")
S3 = ("s3", "list_buckets")


def refusal(client, service, operation, **keys):
    """The HTTP status, code and message of a call that is refused."""
    one = client(service, **keys)
    with pytest.raises(ClientError) as refused:
        getattr(one, operation)()
    if keys:
        one.close()
    error = refused.value.response["Error"]
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        (QUERY, 403, "InvalidClientTokenId"), (("sts", "get_caller_identity"), 403, "InvalidClientTokenId"),
        (("sns", "list_topics"), 403, "InvalidClientTokenId"), (JSON, 400, "UnrecognizedClientException"),
        (("logs", "describe_log_groups"), 400, "UnrecognizedClientException"),
        (REST, 403, "UnrecognizedClientException"),
        (("apigateway", "get_rest_apis"), 403, "UnrecognizedClientException"),
    ],
)  # fmt: skip
def test_an_unknown_key(client, call, status, code):
    """The keys of another account."""
    refused = refusal(client, *call, aws_access_key_id="AKIASTRANGER", aws_secret_access_key="x")

    assert refused == (status, code, "The security token included in the request is invalid.")


def test_s3_names_the_key_that_it_does_not_know(client):
    """S3 has words of its own for everything."""
    assert refusal(client, *S3, aws_access_key_id="AKIASTRANGER", aws_secret_access_key="x") == (
        403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("call", "status", "code", "end"),
    [
        (QUERY, 403, "SignatureDoesNotMatch", "Consult the service documentation for details."),
        (JSON, 400, "InvalidSignatureException", "Consult the service documentation for details."),
        (REST, 403, "InvalidSignatureException", "Consult the service documentation for details."),
        (S3, 403, "SignatureDoesNotMatch", "Check your key and signing method."),
    ],
)  # fmt: skip
def test_a_wrong_secret(client, call, status, code, end):
    """A secret copied by halves."""
    found = refusal(client, *call, aws_secret_access_key="wrong")

    assert found[:2] == (status, code)
    assert found[2].startswith("The request signature we calculated does not match the signature you provided. ")
    assert found[2].endswith(end)


@pytest.mark.parametrize(("minutes", "words"), [(-6, "expired: {} is now earlier than"),
                                                (6, "not yet current: {} is still later than")])  # fmt: skip
def test_a_clock_may_be_five_minutes_off(client, monkeypatch, minutes, words):
    """A notebook on a laptop that slept."""
    signed_at = datetime.now(UTC) + timedelta(minutes=minutes)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: signed_at)

    status, code, message = refusal(client, *QUERY)

    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert message.startswith(f"Signature {words.format(f'{signed_at:%Y%m%dT%H%M%SZ}')} ")
    assert message.endswith(f"Z {'-' if minutes < 0 else '+'} 5 min.)")
    client("s3").list_buckets()  # S3 bears a quarter of an hour


def test_s3_bears_a_quarter_of_an_hour(client, monkeypatch):
    """And tells both times, so that a client can set its clock."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: datetime.now(UTC) - timedelta(minutes=16))

    with pytest.raises(ClientError) as refused:
        client("s3").list_buckets()

    error = refused.value.response["Error"]
    assert (error["Code"], error["MaxAllowedSkewMilliseconds"]) == ("RequestTimeTooSkewed", "900000")
    assert {"RequestTime", "ServerTime"} <= error.keys()


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("Basic dXNlcjpwYXNz", "InvalidArgument"),
        ("AWS AKIA:c2lnbmF0dXJl", "InvalidRequest"),
        ("AWS4-HMAC-SHA256 Credential=AKIA", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 Credential=AKIA/x, SignedHeaders=host, Signature=0", "AuthorizationHeaderMalformed"),
    ],
)
def test_an_authorization_header_of_another_kind(cloud, authorization, code):
    """S3 says what it expects instead."""
    refused = http("GET", f"{cloud['endpoint']}/bucket/key", headers={"Authorization": authorization})

    assert (refused.status, refused.error["Code"]) == (400, code)


def test_an_incomplete_authorization_header(cloud):
    """The other services list what is missing."""
    target = {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"}
    url = f"{cloud['endpoint']}/"

    refused = http("POST", url, b"{}", target | {"Authorization": "AWS4-HMAC-SHA256 SignedHeaders=host"})

    assert (refused.status, json.loads(refused.body)["message"]) == (
        400,
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
        "Authorization=AWS4-HMAC-SHA256",
    )


def signed_put(cloud, url, body, **headers):
    """The headers of a PUT that botocore signed."""
    request = AWSRequest("PUT", url, data=body, headers=headers)
    request.context["payload_signing_enabled"] = True
    signer = S3SigV4Auth(Credentials(cloud["access_key"], cloud["secret_key"]), "s3", "us-east-1")
    if sha256 := headers.get("x-amz-content-sha256"):
        signer.payload = lambda _: sha256
    signer.add_auth(request)
    return dict(request.headers.items())


def test_a_body_that_is_not_what_its_hash_says(cloud, client):
    """What was signed is a hash of the body; S3 looks at the body too."""
    client("s3").create_bucket(Bucket="hashed-bodies")
    url, other = f"{cloud['endpoint']}/hashed-bodies/a", hashlib.sha256(b"other").hexdigest()

    refused = http("PUT", url, b"body", signed_put(cloud, url, b"body", **{"x-amz-content-sha256": other}))

    assert (refused.status, refused.error) == (
        400,
        {
            "Code": "XAmzContentSHA256Mismatch",
            "Message": "The provided 'x-amz-content-sha256' header does not match what was computed.",
            "ClientComputedContentSHA256": other,
            "S3ComputedContentSHA256": hashlib.sha256(b"body").hexdigest(),
        },
    )


def test_an_upload_in_chunks_with_a_checksum_behind_it(cloud, client):
    """How SDKs upload a stream: the object is what the chunks carry, the checksum is kept.

    Source: Amazon S3 API Reference, "Signature Calculations: Trailing headers".
    """
    client("s3").create_bucket(Bucket="chunked-bodies")
    url = f"{cloud['endpoint']}/chunked-bodies/a"
    body = b"6\r\nhello \r\n5\r\nworld\r\n0\r\nx-amz-checksum-crc64nvme:jSnVw/bqjr4=\r\n\r\n"
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": "11",
        "x-amz-trailer": "x-amz-checksum-crc64nvme", "Content-Encoding": "aws-chunked", "Content-Type": "text/plain",
    }  # fmt: skip

    assert http("PUT", url, body, signed_put(cloud, url, body, **headers)).status == 200
    stored = client("s3").get_object(Bucket="chunked-bodies", Key="a", ChecksumMode="ENABLED")

    assert (stored["Body"].read(), stored["ContentType"]) == (b"hello world", "text/plain")
    assert stored.get("ContentEncoding") is None
    assert stored["ChecksumCRC64NVME"] == "jSnVw/bqjr4="
    cut = http("PUT", url, body[:12], signed_put(cloud, url, body[:12], **headers))
    assert (cut.status, cut.error["Code"]) == (400, "IncompleteBody")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest", "The CRC32 you specified did not match the calculated checksum."),
        ({"ChecksumSHA1": "A" * 27 + "="}, "BadDigest",
         "The SHA1 you specified did not match the calculated checksum."),
        ({"ChecksumSHA256": "A" * 43 + "="}, "BadDigest",
         "The SHA256 you specified did not match the calculated checksum."),
        ({"ChecksumCRC32C": "AAAAAA=="}, "BadDigest",
         "The CRC32C you specified did not match the calculated checksum."),
        ({"ChecksumCRC64NVME": "AAAAAAAAAAA="}, "BadDigest",
         "The CRC64NVME you specified did not match the calculated checksum."),
        ({"ChecksumCRC32C": "AAAAAB=="}, "InvalidRequest", "Value for x-amz-checksum-crc32c header is invalid."),
        ({"ChecksumSHA256": "AAAA"}, "InvalidRequest", "Value for x-amz-checksum-sha256 header is invalid."),
        ({"ChecksumCRC32": "AAAAAA==", "ChecksumSHA1": "A" * 27 + "="}, "InvalidRequest",
         "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."),
        ({"ChecksumCRC32": "AAAAAA==", "ChecksumAlgorithm": "SHA1"}, "InvalidRequest",
         "Value for x-amz-sdk-checksum-algorithm header is invalid."),
        ({"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, "BadDigest",
         "The Content-MD5 you specified did not match what we received."),
        ({"ContentMD5": "x"}, "InvalidDigest", "The Content-MD5 you specified was invalid."),
    ],
)  # fmt: skip
def test_a_checksum_that_does_not_fit(client, arguments, code, message):
    """Sources: AWS as recorded by LocalStack and as tried by OpenStack Swift (test/s3api), and the API Reference."""
    client("s3").create_bucket(Bucket="checked-bodies")

    with pytest.raises(ClientError) as refused:
        client("s3").put_object(Bucket="checked-bodies", Key="a", Body=b"body", **arguments)

    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, message)


def test_a_checksum_that_fits_is_kept(client):
    """Whatever its kind, and of a body that is too long to be looked at in one go, too."""
    client("s3").create_bucket(Bucket="checked-bodies")
    sums = {"ChecksumCRC32C": "7a6FnA==", "ChecksumCRC64NVME": "uiaVt9duG2g=", "ChecksumCRC32": "qoNjEA=="}

    for name, value in sums.items():
        client("s3").put_object(Bucket="checked-bodies", Key=name, Body=b"visits" * 200_000, **{name: value})

    kept = {
        name: client("s3").head_object(Bucket="checked-bodies", Key=name, ChecksumMode="ENABLED")[name] for name in sums
    }
    assert kept == sums


@pytest.mark.filterwarnings("ignore:Exception.AwsError. with code")  # moto's, where no model knows a code
def test_a_session_that_is_over(tmp_path):
    """The keys of a role are good for an hour; then each family says so in its words."""
    with in_process(tmp_path) as cloud:
        trust = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = cloud.client("iam").create_role(RoleName="short", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        keys = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]

        def end_sessions(parts):
            state = parts.features["iam"].snapshot()
            for one in state:
                one["keys"]["expiration"] -= 3700
            parts.features["iam"].restore(state)

        cloud.run(end_sessions)

        def answers(call, token):
            def client(service, **keys):
                return cloud.client(service, **keys)

            return refusal(
                client, *call, aws_access_key_id=keys["AccessKeyId"], aws_session_token=token,
                aws_secret_access_key=keys["SecretAccessKey"],
            )  # fmt: skip

        expired = "The security token included in the request is expired"
        assert answers(QUERY, keys["SessionToken"]) == (403, "ExpiredToken", expired)
        assert answers(JSON, keys["SessionToken"]) == (400, "ExpiredTokenException", expired)
        assert answers(REST, keys["SessionToken"]) == (403, "ExpiredTokenException", expired)
        assert answers(S3, keys["SessionToken"]) == (400, "ExpiredToken", "The provided token has expired.")
        unknown = "The security token included in the request is invalid."
        assert answers(QUERY, "another") == answers(QUERY, None) == (403, "InvalidClientTokenId", unknown)
        assert answers(S3, "another")[:2] == (400, "InvalidToken")
        assert answers(S3, None)[:2] == (403, "InvalidAccessKeyId")
