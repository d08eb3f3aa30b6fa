"""Which permission a call needs, where its name is not the API's.

Truth: service authorization reference (S3, Lambda, DynamoDB); S3 API reference, "Permissions" of GetObject, CopyObject,
UploadPartCopy, ListParts and ListMultipartUploads.
"""

from __future__ import annotations

import pytest

from labkit.local.api_call import ApiCall, Caller, Headers, HttpRequest
from labkit.local.iam_actions import needs_of

LAKE = "arn:aws:s3:::lake"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/t"
OBJECT = {"Bucket": "lake", "Key": "k"}
VERSION = {**OBJECT, "VersionId": "v"}


@pytest.mark.parametrize(
    ("service", "operation", "params", "source", "needs"),
    [
        ("s3", "GetObject", OBJECT, "", [("s3:GetObject", f"{LAKE}/k")]),
        ("s3", "GetObject", VERSION, "", [("s3:GetObjectVersion", f"{LAKE}/k")]),
        ("s3", "HeadObject", VERSION, "", [("s3:GetObjectVersion", f"{LAKE}/k")]),
        ("s3", "DeleteObject", VERSION, "", [("s3:DeleteObjectVersion", f"{LAKE}/k")]),
        ("s3", "PutObjectTagging", VERSION, "", [("s3:PutObjectVersionTagging", f"{LAKE}/k")]),
        ("s3", "ListParts", OBJECT, "", [("s3:ListMultipartUploadParts", f"{LAKE}/k")]),
        ("s3", "ListMultipartUploads", {"Bucket": "lake"}, "", [("s3:ListBucketMultipartUploads", LAKE)]),
        ("s3", "CopyObject", OBJECT, "lake/%3F", [("s3:PutObject", f"{LAKE}/k"), ("s3:GetObject", f"{LAKE}/?")]),
        ("s3", "UploadPartCopy", OBJECT, "/lake/a%20b?versionId=1",
         [("s3:PutObject", f"{LAKE}/k"), ("s3:GetObjectVersion", f"{LAKE}/a b")]),
        ("lambda", "TagResource", {"Resource": FUNCTION}, "", [("lambda:TagResource", FUNCTION)]),
        ("dynamodb", "TagResource", {"ResourceArn": TABLE}, "", [("dynamodb:TagResource", TABLE)]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_call_needs_the_action_of_its_object_or_version(service, operation, params, source, *, needs):
    """A policy that follows AWS's reference lets through what it lets through there, and no more."""
    http = HttpRequest("PUT", "/", "", Headers([("x-amz-copy-source", source)] if source else []))
    caller = Caller("user", "arn:aws:iam::123456789012:user/anna")

    assert needs_of(ApiCall(service, operation, params, "us-east-1", caller, "1", http)) == needs
