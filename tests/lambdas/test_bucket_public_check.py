"""BucketPublicCheck: what it says of a bucket, against the local cloud's S3."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.lambdas.test_functions import event, load  # noqa: F401  load is a fixture

EVERYBODY = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
OPEN = {"BlockPublicPolicy": False, "RestrictPublicBuckets": False}


@pytest.fixture
def check(load, client):  # noqa: F811
    """The function's module, its client on the local cloud."""
    module = load("BucketPublicCheck")
    module.s3 = client("s3")
    return module


@pytest.fixture
def bucket(client, unique):
    """A new bucket, shut."""
    name = unique("checked")
    client("s3").create_bucket(Bucket=name)
    return name


def about(bucket, change="PutBucketPolicy"):
    """The event that a rule hands over."""
    complete = event("BucketPublicCheck")
    complete["detail"] |= {"eventName": change, "requestParameters": {"bucketName": bucket}}
    return complete


def open_to_everybody(s3, bucket):
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=OPEN)
    statement = EVERYBODY | {"Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def test_a_new_bucket_is_not_public(check, bucket):
    """It has no policy, and whom nobody lets in stays out."""
    assert check.lambda_handler(about(bucket, "CreateBucket"), None) == {
        "bucket": bucket,
        "change": "CreateBucket",
        "public": False,
    }


def test_a_bucket_with_a_policy_for_everybody_is_public(check, bucket, client):
    """Both locks are open."""
    open_to_everybody(client("s3"), bucket)

    assert check.lambda_handler(about(bucket), None)["public"] is True


def test_a_public_policy_below_a_closed_lock_is_not_public(check, bucket, client):
    """RestrictPublicBuckets, switched on afterwards, ignores the policy."""
    open_to_everybody(client("s3"), bucket)
    shut = OPEN | {"RestrictPublicBuckets": True}
    client("s3").put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=shut)

    assert check.lambda_handler(about(bucket), None)["public"] is False


def test_without_a_public_access_block_the_policy_alone_decides(check, bucket, client):
    """The setting can be deleted altogether."""
    open_to_everybody(client("s3"), bucket)
    client("s3").delete_public_access_block(Bucket=bucket)

    assert check.lambda_handler(about(bucket), None)["public"] is True


def test_what_cannot_be_looked_at_is_an_error(check, unique, capsys):
    """So that Lambda tries again, and the failure is seen; the line before says which event it was about."""
    gone = unique("gone")

    with pytest.raises(ClientError, match="NoSuchBucket"):
        check.lambda_handler(about(gone, "DeleteBucket"), None)

    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"step": "looking", "event": event("BucketPublicCheck")["id"], "bucket": gone}
    ]


def test_it_says_what_it_needs_under_the_six_headings(check):
    """As every function does."""
    headings = [line[:-1] for line in check.__doc__.splitlines() if line.endswith(":") and line[:1].isalpha()]

    assert headings == ["Trigger", "Input", "Output", "Env", "Needs", "Repeats"]
    assert len(Path(check.__file__).read_text().splitlines()) <= 80
