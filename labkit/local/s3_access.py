"""Block Public Access: a bucket is closed until its owner opens it twice.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, HttpResponse
from labkit.local.policy import allows_principal, is_public

Forward = Callable[[ApiCall], Awaitable[HttpResponse]]


class S3Access:
    """What stands before moto's S3, and who may read a bucket without an account."""

    def __init__(
        self,
        *,
        policy: Callable[[str], Awaitable[dict[str, Any] | None]],
        public_access_block: Callable[[str], Awaitable[dict[str, bool]]],
        block_public_access: Callable[[str], Awaitable[None]],
    ) -> None:
        self._policy, self._block, self._close = policy, public_access_block, block_public_access

    async def create_bucket(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Close every new bucket."""
        configuration = call.params.get("CreateBucketConfiguration") or {}
        if call.region == "us-east-1" and configuration.get("LocationConstraint") == "us-east-1":
            raise AwsError("InvalidLocationConstraint", "The specified location-constraint is not valid", 400)
        response = await forward(call)
        if response.status < 300:
            await self._close(call.params["Bucket"])
        return response

    async def put_bucket_policy(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Refuse a policy that cannot be read, and a public one while the block is on."""
        bucket = call.params["Bucket"]
        policy = _parsed(call.params.get("Policy") or call.http.body)
        if is_public(policy) and (await self._block(bucket))["block_public_policy"]:
            raise AwsError(
                "AccessDenied",
                f"User: {call.caller.arn} is not authorized to perform: s3:PutBucketPolicy on "
                f'resource: "arn:aws:s3:::{bucket}" '
                "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
                403,
            )
        return await forward(call)

    @staticmethod
    async def put_bucket_notification(call: ApiCall, forward: Forward) -> HttpResponse:
        """Refuse targets: moto would keep them and deliver inside itself, where nobody of ours sees it."""
        configuration = call.params.get("NotificationConfiguration") or {}
        if any(configuration.values()):
            raise AwsError(
                "NotImplemented",
                "The local cloud does not send S3 event notifications yet; "
                "it keeps an empty NotificationConfiguration only.",
                501,
            )
        return await forward(call)

    async def anybody_may(self, action: str, bucket: str, key: str = "") -> bool:
        """Whether the bucket policy lets anybody do *action*, Block Public Access considered."""
        if (await self._block(bucket))["restrict_public_buckets"]:
            return False
        resource = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
        return allows_principal(await self._policy(bucket), principal={}, action=action, resource=resource) == "allow"


def _parsed(text: str | bytes) -> dict[str, Any]:
    try:
        policy = json.loads(text)
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        raise AwsError("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'", 400)
    if "Statement" not in policy:
        raise AwsError("MalformedPolicy", "Missing required field Statement", 400)
    return policy
