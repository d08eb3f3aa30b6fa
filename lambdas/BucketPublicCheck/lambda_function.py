"""Say whether a bucket that was changed is now open to the public.

Trigger:
    EventBridge, asynchronously: the rule S3BucketChanges calls it for every change of a bucket.
Input:
    ``{"id": …, "detail": {"eventName": "PutBucketPolicy", "requestParameters": {"bucketName": …}, …}}``: an event of
    EventBridge whose ``detail`` is CloudTrail's record.
Output:
    ``{"bucket": …, "change": …, "public": true or false}``. Nobody waits for it: it is for the log, or a destination.
    An error when the bucket cannot be looked at; Lambda then tries again.
Env:
    None.
Needs:
    s3:GetBucketPolicyStatus, s3:GetBucketPublicAccessBlock on the buckets it looks at.
Repeats:
    It only reads. A second delivery writes a second line, and looks at the bucket as it is by then.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

import json
from typing import Any

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    change, bucket = event["detail"]["eventName"], event["detail"]["requestParameters"]["bucketName"]
    say(step="looking", event=event["id"], bucket=bucket)
    found = {"bucket": bucket, "change": change, "public": is_public(bucket)}
    say(step="looked", event=event["id"], **found)
    return found


def is_public(bucket: str) -> bool:
    """Whether strangers get in: the policy lets everybody in, and no lock stands above it."""
    return policy_is_public(bucket) and not is_restricted(bucket)


def policy_is_public(bucket: str) -> bool:
    """Ask S3 what it thinks of the bucket's policy; without one nobody is let in."""
    try:
        return bool(s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucketPolicy":
            return False
        raise


def is_restricted(bucket: str) -> bool:
    """Whether Block Public Access ignores a public policy; a bucket can also be without such a setting."""
    try:
        block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchPublicAccessBlockConfiguration":
            return False
        raise
    return bool(block["RestrictPublicBuckets"])


def say(**line: Any) -> None:
    """Write a line that a program can read into the log."""
    print(json.dumps(line))
