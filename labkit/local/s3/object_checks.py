"""What S3 refuses of an object before it stores it: names, metadata, checksums, conditions, parts of no upload.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

from labkit.local.api_call import ApiCall, AwsError, Forward, HttpResponse, Interceptor
from labkit.local.s3.checksum import check_body
from labkit.local.s3.errors import invalid_argument

LONGEST_KEY, MOST_METADATA = 1024, 2048
NO_UPLOAD = (
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
    "completed."
)


class ObjectChecks:
    """Interceptors; each refuses, or goes on with what it was given.

    Args:
        upload_exists: ``await upload_exists(bucket, upload_id)``.
        get_object: ``await get_object(bucket, key)``, or ``None``.
    """

    def __init__(
        self,
        *,
        upload_exists: Callable[[str, str], Awaitable[bool]],
        get_object: Callable[[str, str], Awaitable[Any]],
    ) -> None:
        self._upload_exists, self._get_object = upload_exists, get_object

    def put(self, then: Interceptor | None = None) -> Interceptor:
        """Check a new object."""

        async def check(call: ApiCall, forward: Forward) -> HttpResponse:
            _check_key(call.params["Key"])
            _check_metadata(call)
            await check_body(call)
            return await (then(call, forward) if then else forward(call))

        return check

    def copy(self, then: Interceptor) -> Interceptor:
        """Check what the copy's source must be."""

        async def check(call: ApiCall, forward: Forward) -> HttpResponse:
            _check_key(call.params["Key"])
            _check_metadata(call)
            await self._check_source(call)
            return await then(call, forward)

        return check

    def of_upload(self, then: Interceptor | None = None) -> Interceptor:
        """Check that the upload exists, and that what completes it names its parts in order."""

        async def check(call: ApiCall, forward: Forward) -> HttpResponse:
            upload_id = str(call.params.get("UploadId"))
            if not await self._upload_exists(call.params["Bucket"], upload_id):
                raise AwsError("NoSuchUpload", NO_UPLOAD, 404, UploadId=upload_id)
            parts = (call.params.get("MultipartUpload") or {}).get("Parts") or []
            numbers = [int(part.get("PartNumber") or 0) for part in parts]
            if numbers != sorted(set(numbers)):
                text = "The list of parts was not in ascending order. Parts must be ordered by part number."
                raise AwsError("InvalidPartOrder", text, 400, UploadId=upload_id)
            if call.operation == "UploadPart":
                await check_body(call)
            if call.operation == "UploadPartCopy":
                await self._check_source(call)
            return await (then(call, forward) if then else forward(call))

        return check

    async def _check_source(self, call: ApiCall) -> None:
        prefix, headers = "x-amz-copy-source-", call.http.headers
        bucket, _, key = unquote(headers.get("x-amz-copy-source")).lstrip("/").partition("?")[0].partition("/")
        if not bucket or not key:
            text = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
            raise invalid_argument(text, "x-amz-copy-source", headers.get("x-amz-copy-source"))
        conditions = {name: headers.get(prefix + name) for name in CONDITIONS if headers.get(prefix + name)}
        if not conditions:
            return
        stored = await self._get_object(bucket, key)
        if stored is None:
            return  # moto says which is missing
        for name, value in conditions.items():
            if not CONDITIONS[name](stored, value):
                text = "At least one of the pre-conditions you specified did not hold"
                raise AwsError("PreconditionFailed", text, 412, Condition=prefix + SPELLED[name])


def _check_key(key: str) -> None:
    size = len(key.encode())
    if size > LONGEST_KEY:
        shown = {"Size": str(size), "MaxSizeAllowed": str(LONGEST_KEY)}
        raise AwsError("KeyTooLongError", "Your key is too long", 400, **shown)


def _check_metadata(call: ApiCall) -> None:
    headers = [(name.lower(), value) for name, value in call.http.headers.items]
    size = sum(len(name) - 11 + len(value) for name, value in headers if name.startswith("x-amz-meta-"))
    if size > MOST_METADATA:
        text = "Your metadata headers exceed the maximum allowed metadata size"
        shown = {"Size": str(size), "MaxSizeAllowed": str(MOST_METADATA)}
        raise AwsError("MetadataTooLarge", text, 400, **shown)
    for name in ("If-None-Match", "If-Match"):
        value = call.http.headers.get(name)
        if value and (value != "*" if name == "If-None-Match" else value == "*"):
            more = {"additionalMessage": f"We don't accept the provided value of {name} header for this API"}
            text = "A header you provided implies functionality that is not implemented"
            raise AwsError("NotImplemented", text, 501, Header=name, **more)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _changed_since(stored: Any, text: str) -> bool:
    moment = _moment(text)
    changed = stored.last_modified if stored.last_modified.tzinfo else stored.last_modified.replace(tzinfo=UTC)
    return moment is None or changed.replace(microsecond=0) > moment


def _is_one_of(stored: Any, text: str) -> bool:
    return text == "*" or stored.etag.strip('"') in re.split(r'[\s,"]+', text)


CONDITIONS: dict[str, Callable[[Any, str], bool]] = {
    "if-match": _is_one_of,
    "if-none-match": lambda stored, text: not _is_one_of(stored, text),
    "if-modified-since": _changed_since,
    "if-unmodified-since": lambda stored, text: _moment(text) is None or not _changed_since(stored, text),
}
SPELLED = {
    "if-match": "If-Match",
    "if-none-match": "If-None-Match",
    "if-modified-since": "If-Modified-Since",
    "if-unmodified-since": "If-Unmodified-Since",
}
