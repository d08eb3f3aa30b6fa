"""Who may do what with a bucket: Block Public Access, the bucket policy, and callers without an account.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from labkit.local.api_call import ApiCall, AwsError, Forward, HttpRequest, HttpResponse
from labkit.local.iam_actions import action_of, resources_of
from labkit.local.policy import allows_principal, is_public
from labkit.local.s3.bucket_policy import read_bucket_policy
from labkit.local.s3.errors import no_such_bucket

BUCKET_NAME = re.compile(r"(?!xn--|sthree-)[a-z0-9](?!.*\.\.)[a-z0-9.-]{1,61}[a-z0-9](?<!-s3alias)")
# The first part of a path that belongs to another service, though a bucket could have that name.
OTHER_SERVICES = re.compile(r"/(\d{4}-\d{2}-\d{2}|restapis|apikeys|usageplans|domainnames|vpclinks|tags)(/|$)")

# What a bucket policy can give to everybody; the rest needs somebody whom the account knows.
OPEN_TO_POLICY = frozenset(
    {
        "GetObject", "HeadObject", "PutObject", "DeleteObject", "DeleteObjects", "GetObjectTagging",
        "PutObjectTagging", "DeleteObjectTagging", "GetObjectAttributes", "GetObjectAcl", "ListObjects",
        "ListObjectsV2", "ListObjectVersions", "HeadBucket", "GetBucketLocation", "GetBucketTagging",
        "GetBucketVersioning", "GetBucketWebsite", "GetBucketCors", "GetBucketAcl",
    }
)  # fmt: skip
REFUSED_TO_ANYBODY = {
    "CopyObject": "Anonymous users cannot copy objects. Please authenticate.",
    "CreateMultipartUpload": "Anonymous users cannot initiate multipart uploads. Please authenticate.",
}


class S3Access:
    """What stands before moto's S3, and who may use a bucket without an account."""

    def __init__(
        self,
        *,
        exists: Callable[[str], Awaitable[bool]],
        holds: Callable[[str, str], Awaitable[bool]],
        policy: Callable[[str], Awaitable[dict[str, Any] | None]],
        public_access_block: Callable[[str], Awaitable[dict[str, bool]]],
        block_public_access: Callable[[str], Awaitable[None]],
    ) -> None:
        self._exists, self._holds, self._policy = exists, holds, policy
        self._block, self._close = public_access_block, block_public_access

    async def create_bucket(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Check the name, and close every new bucket."""
        bucket, configuration = call.params["Bucket"], call.params.get("CreateBucketConfiguration") or {}
        if not BUCKET_NAME.fullmatch(bucket):
            raise AwsError("InvalidBucketName", "The specified bucket is not valid.", 400)
        if call.region == "us-east-1" and configuration.get("LocationConstraint") == "us-east-1":
            raise AwsError("InvalidLocationConstraint", "The specified location-constraint is not valid", 400)
        is_new = not await self._exists(bucket)
        response = await forward(call)
        if is_new and response.status < 300:
            await self._close(bucket)
        return response

    async def put_bucket_policy(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Refuse a policy that S3 does not take, and a public one while the block is on."""
        bucket = call.params["Bucket"]
        if not await self._exists(bucket):
            raise no_such_bucket(bucket)
        policy = read_bucket_policy(call.params.get("Policy") or call.http.body, bucket)
        if is_public(policy) and (await self._block(bucket))["block_public_policy"]:
            raise AwsError(
                "AccessDenied",
                f"User: {call.caller.arn} is not authorized to perform: s3:PutBucketPolicy "
                f'on resource: "arn:aws:s3:::{bucket}" because public policies are prevented by the '
                "BlockPublicPolicy setting in S3 Block Public Access.",
                403,
            )
        return await forward(call)

    async def authorise_anybody(self, call: ApiCall) -> None:
        """Let a request that nobody signed pass, where the bucket policy opens it to everybody.

        Raises:
            AwsError: ``AccessDenied``, or ``NoSuchBucket``.

        See Also:
            https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html
        """
        bucket = call.params.get("Bucket")
        if not bucket or call.operation in REFUSED_TO_ANYBODY or call.operation not in OPEN_TO_POLICY:
            raise _denied(REFUSED_TO_ANYBODY.get(call.operation, "Access Denied"))
        if not await self._exists(bucket):
            raise no_such_bucket(bucket)
        action = action_of(call)
        for resource in resources_of(call):
            _, _, key = resource.partition(f":::{bucket}/")
            if not await self.anybody_may(action, bucket, key):
                raise _denied()
        missing = action == "s3:GetObject" and not await self._holds(bucket, call.params["Key"])
        if missing and not await self.anybody_may("s3:ListBucket", bucket):
            raise _denied()  # who may not list is not told whether a key exists

    async def asks_for_what_is_missing(self, call: ApiCall) -> bool:
        """Whether a call is for an object that does not exist: who may not list the bucket is not told so."""
        if call.service != "s3" or call.operation not in ("GetObject", "HeadObject"):
            return False
        bucket = call.params["Bucket"]
        return await self._exists(bucket) and not await self._holds(bucket, call.params["Key"])

    async def anybody_may(self, action: str, bucket: str, key: str = "") -> bool:
        """Whether the bucket policy lets anybody do *action*, Block Public Access considered."""
        policy = await self._policy(bucket)
        if is_public(policy) and (await self._block(bucket))["restrict_public_buckets"]:
            return False
        resource = f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else "")
        context = {"aws:SecureTransport": "false", "aws:PrincipalType": "Anonymous"}
        decision = allows_principal(policy, principal={}, action=action, resource=resource, context=context)
        return decision == "allow"


def is_unsigned_s3_request(request: HttpRequest) -> bool:
    """Whether a request without a signature can be one to S3: it names a bucket, and no other service's operation."""
    headers, path = request.headers, unquote(request.path)
    other = "x-amz-target" in headers or headers.get("content-type").startswith("application/x-www-form-urlencoded")
    return not other and len(path) > 1 and not OTHER_SERVICES.match(path)


def _denied(message: str = "Access Denied") -> AwsError:
    return AwsError("AccessDenied", message, 403)
