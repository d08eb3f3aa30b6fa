"""What S3 accepts as a bucket policy: it reads the document more strictly than IAM does.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from labkit.local.api_call import AwsError

FIELDS = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
AWS_PRINCIPAL = re.compile(r"\*|\d{12}|arn:aws:(iam|sts)::\d{12}:\S+|A[A-Z]{3}[A-Z0-9]{12,}")
ARN = "arn:aws:s3:::"

# Every action of S3 on buckets and objects, in lower case: actions match whatever the case of their letters.
OBJECT_ACTIONS = frozenset(
    f"s3:{name}".lower()
    for name in (
        "AbortMultipartUpload", "BypassGovernanceRetention", "DeleteObject", "DeleteObjectTagging",
        "DeleteObjectVersion", "DeleteObjectVersionTagging", "GetObject", "GetObjectAcl", "GetObjectAttributes",
        "GetObjectLegalHold", "GetObjectRetention", "GetObjectTagging", "GetObjectTorrent", "GetObjectVersion",
        "GetObjectVersionAcl", "GetObjectVersionAttributes", "GetObjectVersionForReplication",
        "GetObjectVersionTagging", "GetObjectVersionTorrent", "InitiateReplication", "ListMultipartUploadParts",
        "ObjectOwnerOverrideToBucketOwner", "PutObject", "PutObjectAcl", "PutObjectLegalHold", "PutObjectRetention",
        "PutObjectTagging", "PutObjectVersionAcl", "PutObjectVersionTagging", "ReplicateDelete", "ReplicateObject",
        "ReplicateTags", "RestoreObject",
    )
)  # fmt: skip
BUCKET_ACTIONS = frozenset(
    f"s3:{name}".lower()
    for name in (
        "CreateBucket", "DeleteBucket", "DeleteBucketPolicy", "DeleteBucketWebsite", "GetAccelerateConfiguration",
        "GetAnalyticsConfiguration", "GetBucketAcl", "GetBucketCORS", "GetBucketLocation", "GetBucketLogging",
        "GetBucketNotification", "GetBucketObjectLockConfiguration", "GetBucketOwnershipControls", "GetBucketPolicy",
        "GetBucketPolicyStatus", "GetBucketPublicAccessBlock", "GetBucketRequestPayment", "GetBucketTagging",
        "GetBucketVersioning", "GetBucketWebsite", "GetEncryptionConfiguration",
        "GetIntelligentTieringConfiguration", "GetInventoryConfiguration", "GetLifecycleConfiguration",
        "GetMetricsConfiguration", "GetReplicationConfiguration", "ListBucket", "ListBucketMultipartUploads",
        "ListBucketVersions", "PutAccelerateConfiguration", "PutAnalyticsConfiguration", "PutBucketAcl",
        "PutBucketCORS", "PutBucketLogging", "PutBucketNotification", "PutBucketObjectLockConfiguration",
        "PutBucketOwnershipControls", "PutBucketPolicy", "PutBucketPublicAccessBlock", "PutBucketRequestPayment",
        "PutBucketTagging", "PutBucketVersioning", "PutBucketWebsite", "PutEncryptionConfiguration",
        "PutIntelligentTieringConfiguration", "PutInventoryConfiguration", "PutLifecycleConfiguration",
        "PutMetricsConfiguration", "PutReplicationConfiguration",
    )
)  # fmt: skip


def read_bucket_policy(text: str | bytes, bucket: str) -> dict[str, Any]:
    """Return the policy, if S3 would take it for *bucket*.

    Raises:
        AwsError: ``MalformedPolicy``; the message is S3's and names the part that is wrong.
    """
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    if policy.get("Version", "2008-10-17") not in ("2008-10-17", "2012-10-17"):
        raise _malformed("The policy must contain a valid version string")
    if not policy.get("Statement"):
        raise _malformed("Missing required field Statement")
    for statement in _listed(policy["Statement"]):
        _check_statement(statement, bucket)
    return policy


def _check_statement(statement: Any, bucket: str) -> None:
    if not isinstance(statement, dict):
        raise _malformed("Invalid policy syntax.")
    for unknown in sorted(set(statement) - FIELDS):
        raise _malformed(f"Unknown field {unknown}")
    for field in ("Effect", "Principal", "Action", "Resource"):
        if field not in statement and f"Not{field}" not in statement:
            raise _malformed(f"Missing required field {field}")
    if statement["Effect"] not in ("Allow", "Deny"):
        raise _malformed(f"Invalid effect: {statement['Effect']}")
    _check_principal(statement.get("Principal", statement.get("NotPrincipal")))
    actions = [str(one).lower() for one in _listed(statement.get("Action", statement.get("NotAction")))]
    if not actions or not all(_matches(one, OBJECT_ACTIONS | BUCKET_ACTIONS) for one in actions):
        raise _malformed("Policy has invalid action")
    resources = [str(one) for one in _listed(statement.get("Resource", statement.get("NotResource")))]
    if not resources or not all(_is_of(one, bucket) for one in resources):
        raise _malformed("Policy has invalid resource")
    if "Action" in statement and "Resource" in statement:
        for action in actions:
            _check_combination(action, resources, bucket)


def _check_principal(principal: Any) -> None:
    valid = principal == "*"
    if isinstance(principal, dict) and principal and set(principal) <= {"AWS", "Service", "Federated", "CanonicalUser"}:
        values = [(kind, one) for kind, listed in principal.items() for one in _listed(listed)]
        valid = bool(values) and all(
            isinstance(one, str) and (kind != "AWS" or AWS_PRINCIPAL.fullmatch(one)) for kind, one in values
        )
    if not valid:
        raise _malformed("Invalid principal in policy")


def _check_combination(action: str, resources: list[str], bucket: str) -> None:
    """An action on objects needs ``bucket/*`` or a part of it, an action on the bucket its bare ARN."""
    objects = any("/" in one or _bucket_part(one).endswith("*") for one in resources)
    whole = any("/" not in one and fnmatchcase(bucket, _bucket_part(one)) for one in resources)
    if not (_matches(action, OBJECT_ACTIONS) and objects) and not (_matches(action, BUCKET_ACTIONS) and whole):
        raise _malformed("Action does not apply to any resource(s) in statement")


def _is_of(resource: str, bucket: str) -> bool:
    return resource.startswith(ARN) and fnmatchcase(bucket, _bucket_part(resource))


def _bucket_part(resource: str) -> str:
    return resource.removeprefix(ARN).partition("/")[0]


def _matches(pattern: str, actions: Iterable[str]) -> bool:
    return any(fnmatchcase(action, pattern) for action in actions)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicy", message, 400)
