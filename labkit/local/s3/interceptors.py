"""What stands before which operation of S3, and in which order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from labkit.local.api_call import ApiCall, Forward, HttpResponse, Interceptor
from labkit.local.s3.access import S3Access
from labkit.local.s3.cors import put_bucket_cors
from labkit.local.s3.listing import S3Listing
from labkit.local.s3.notifications.notifications import TOLD, Notifications
from labkit.local.s3.object_checks import ObjectChecks
from labkit.local.s3.website_configuration import put_bucket_website

OF_UPLOADS = ("UploadPart", "UploadPartCopy", "ListParts", "AbortMultipartUpload")


class Objects(Protocol):
    """The store: the two calls of a data lake, those whose checksum moto gets wrong, and what a listing needs."""

    async def put_object(self, call: ApiCall, forward: Forward) -> HttpResponse: ...  # noqa: D102
    async def get_object(self, call: ApiCall, forward: Forward) -> HttpResponse: ...  # noqa: D102
    async def with_checksum(self, call: ApiCall, forward: Forward) -> HttpResponse: ...  # noqa: D102
    async def listed(self, bucket: str, prefix: str, after: str, most: int) -> list[Any] | None: ...  # noqa: D102


def interceptors(
    *,
    access: S3Access,
    notifications: Notifications,
    objects: Objects,
    upload_exists: Callable[[str, str], Awaitable[bool]],
    get_object: Callable[[str, str], Awaitable[Any]],
) -> dict[tuple[str, str], Interceptor]:
    """Return what stands before moto: an object is checked first, then stored, then told of."""
    checks = ObjectChecks(upload_exists=upload_exists, get_object=get_object)
    stand_before: dict[str, Interceptor] = {
        **{name: notifications.watch() for name in TOLD},
        **{name: checks.of_upload() for name in OF_UPLOADS},
        "PutObject": checks.put(notifications.watch(objects.put_object)),
        "CopyObject": checks.copy(notifications.watch(objects.with_checksum)),
        "CreateMultipartUpload": checks.put(),
        "CompleteMultipartUpload": checks.of_upload(notifications.watch(objects.with_checksum)),
        "GetObject": objects.get_object,
        "ListObjectsV2": S3Listing(objects=objects.listed).list_objects_v2,
        "CreateBucket": access.create_bucket,
        "PutBucketPolicy": access.put_bucket_policy,
        "PutBucketCors": put_bucket_cors,
        "PutBucketWebsite": put_bucket_website,
        "PutBucketNotificationConfiguration": notifications.put,
        "GetBucketNotificationConfiguration": notifications.get,
    }
    return {("s3", name): interceptor for name, interceptor in stand_before.items()}
