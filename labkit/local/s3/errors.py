"""The errors of S3 that several of its parts answer with.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from labkit.local.api_call import AwsError


def no_such_bucket(bucket: str) -> AwsError:
    """The error for a bucket that does not exist."""
    return AwsError("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=bucket)


def invalid_argument(message: str, name: str = "", value: str = "") -> AwsError:
    """The error for one argument of a call; where S3 names it, it shows its value."""
    named = {"ArgumentName": name, "ArgumentValue": value} if name else {}
    return AwsError("InvalidArgument", message, 400, **named)
