"""Whether the bucket of a trail takes its log files.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, AwsError
from labkit.local.policy import allows_principal


class TrailBucket:
    """Asks a trail's bucket, and its policy: when a trail is made or changed, and before each log file."""

    def __init__(
        self,
        *,
        exists: Callable[[str], Awaitable[bool]],
        policy: Callable[[str], Awaitable[dict[str, Any] | None]],
    ) -> None:
        self._exists, self._policy = exists, policy

    async def check(self, trail: dict[str, Any]) -> None:
        """Refuse a trail whose bucket does not take its log files.

        Raises:
            AwsError: ``S3BucketDoesNotExistException``, ``InsufficientS3BucketPolicyException``.
        """
        bucket, why = trail["S3BucketName"], await self.why_not(trail)
        if why == "NoSuchBucket":
            raise AwsError("S3BucketDoesNotExistException", f"S3 bucket {bucket} does not exist!", 404)
        if why:
            text = f"Incorrect S3 bucket policy is detected for bucket: {bucket}"
            raise AwsError("InsufficientS3BucketPolicyException", text, 403)

    async def why_not(self, trail: dict[str, Any]) -> str:
        """Return S3's error code for a log file of a trail, or ``""`` when its bucket takes it."""
        bucket = trail["S3BucketName"]
        if not await self._exists(bucket):
            return "NoSuchBucket"
        context = {
            "aws:SourceArn": trail["TrailARN"],
            "s3:x-amz-acl": "bucket-owner-full-control",
            "aws:SourceAccount": ACCOUNT_ID,
        }
        needed = {
            "s3:GetBucketAcl": f"arn:aws:s3:::{bucket}",
            "s3:PutObject": f"arn:aws:s3:::{bucket}/{log_prefix(trail)}/x",
        }
        policy, principal = await self._policy(bucket), {"Service": "cloudtrail.amazonaws.com"}
        allowed = all(
            allows_principal(policy, principal=principal, action=action, resource=resource, context=context) == "allow"
            for action, resource in needed.items()
        )
        return "" if allowed else "AccessDenied"


def log_prefix(trail: dict[str, Any]) -> str:
    """Return how the keys of a trail's log files begin."""
    prefix = f"{trail['S3KeyPrefix']}/" if trail.get("S3KeyPrefix") else ""
    return f"{prefix}AWSLogs/{ACCOUNT_ID}"
