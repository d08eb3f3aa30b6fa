"""Buckets and objects that moto keeps, for the features that need them without an API call."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import xmltodict
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeDeleteMarker, PublicAccessBlock

from labkit.local.moto_app.app import MotoApp, backend

SHOWN = frozenset({"cache-control", "content-disposition", "content-encoding", "content-language", "expires"})


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object: *body* bytes, *content_type*, *etag* with its quotes, website redirect or ``""``.

    *headers* are those that it was stored with besides, such as ``Cache-Control`` and user metadata.
    """

    body: bytes
    content_type: str
    etag: str
    last_modified: datetime
    website_redirect: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """One version of an object: *etag* without quotes; *version_id* is ``"null"`` in a bucket without versions."""

    size: int
    etag: str
    version_id: str
    is_delete_marker: bool


class Buckets:
    """Reads and writes of moto's S3, each in moto's thread. What is not there is ``None``."""

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto

    async def exists(self, bucket: str) -> bool:
        """Whether the bucket exists."""
        return await self._moto.run(find_bucket, bucket) is not None

    async def holds(self, bucket: str, key: str) -> bool:
        """Whether the bucket has an object of that key."""
        return await self._moto.run(_holds, bucket, key)

    async def get_object(self, bucket: str, key: str) -> StoredObject | None:
        """Return the newest version of an object."""
        return await self._moto.run(_get_object, bucket, key)

    async def upload_exists(self, bucket: str, upload_id: str) -> bool:
        """Whether a multipart upload has begun and is neither completed nor aborted."""
        return await self._moto.run(_upload_exists, bucket, upload_id)

    async def put_object(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Store an object, as a service of AWS would.

        Raises:
            KeyError: The bucket does not exist.
        """
        await self._moto.run(_put_object, bucket, key, body, content_type)

    async def region(self, bucket: str) -> str | None:
        """Return the region that the bucket was made in."""
        found = await self._moto.run(find_bucket, bucket)
        return None if found is None else str(found.region_name)

    async def version(self, bucket: str, key: str, version_id: str = "") -> ObjectVersion | None:
        """Return one version of an object, the newest without a *version_id*; a delete marker is one, too."""
        return await self._moto.run(_version, bucket, key, version_id)

    async def policy(self, bucket: str) -> dict[str, Any] | None:
        """Return the bucket policy as a dict."""
        return await self._moto.run(_policy, bucket)

    async def website(self, bucket: str) -> dict[str, Any] | None:
        """Return the website configuration, with the names of the API, or ``None``."""
        return await self._moto.run(_website, bucket)

    async def cors_rules(self, bucket: str) -> list[dict[str, Any]] | None:
        """Return the rules for cross-origin requests, with the names of the API; ``None``: there is no such bucket."""
        return await self._moto.run(_cors_rules, bucket)

    async def public_access_block(self, bucket: str) -> dict[str, bool]:
        """Return the four settings; all are false where the block was removed."""
        return await self._moto.run(_public_access_block, bucket)

    async def block_public_access(self, bucket: str) -> None:
        """Switch all four settings on, as every new bucket has them."""
        await self._moto.run(_block_public_access, bucket)


def find_bucket(name: str) -> Any:
    """Return moto's bucket, or ``None``."""
    try:
        return backend("s3", "us-east-1").get_bucket(name)
    except MissingBucket:
        return None


def _holds(bucket: str, key: str) -> bool:
    return find_bucket(bucket) is not None and backend("s3", "us-east-1").get_object(bucket, key) is not None


def _upload_exists(bucket: str, upload_id: str) -> bool:
    found = find_bucket(bucket)
    return found is None or upload_id in found.multiparts  # of a bucket that is not there moto says so


def _get_object(bucket: str, key: str) -> StoredObject | None:
    if find_bucket(bucket) is None:
        return None
    stored = backend("s3", "us-east-1").get_object(bucket, key)
    if stored is None:
        return None
    metadata = {name.lower(): str(value) for name, value in (stored.metadata or {}).items()}
    return StoredObject(
        body=stored.value,
        content_type=metadata.get("content-type", "binary/octet-stream"),
        etag=stored.etag,
        last_modified=stored.last_modified,
        website_redirect=stored.website_redirect_location or "",
        headers={name: value for name, value in metadata.items() if name in SHOWN or name.startswith("x-amz-meta-")},
    )


def _version(bucket: str, key: str, version_id: str) -> ObjectVersion | None:
    found = find_bucket(bucket)
    versions = [] if found is None else found.keys.getlist(key, [])
    chosen = [one for one in versions if not version_id or str(one.version_id) == version_id]
    if not chosen:
        return None
    one = chosen[-1]
    if isinstance(one, FakeDeleteMarker):
        return ObjectVersion(0, "", str(one.version_id), is_delete_marker=True)
    return ObjectVersion(one.size, one.etag.strip('"'), str(one.version_id), is_delete_marker=False)


def _put_object(bucket: str, key: str, body: bytes, content_type: str) -> None:
    if find_bucket(bucket) is None:
        raise KeyError(bucket)
    stored = backend("s3", "us-east-1").put_object(bucket, key, body)
    stored.set_metadata({"Content-Type": content_type})


def _policy(bucket: str) -> dict[str, Any] | None:
    found = find_bucket(bucket)
    text = found.policy if found is not None else None
    return json.loads(text) if text else None


def _website(bucket: str) -> dict[str, Any] | None:
    found = find_bucket(bucket)
    if found is None or not found.website_configuration:
        return None
    configuration = xmltodict.parse(found.website_configuration, force_list=("RoutingRule",))["WebsiteConfiguration"]
    rules = (configuration.get("RoutingRules") or {}).get("RoutingRule") or []
    return {**configuration, "RoutingRules": rules}


def _cors_rules(bucket: str) -> list[dict[str, Any]] | None:
    def texts(value: Any) -> list[str]:
        return [one or "" for one in (value if isinstance(value, list) else [value])] if value is not None else []

    found = find_bucket(bucket)
    if found is None:
        return None
    return [
        {
            "AllowedOrigins": texts(rule.allowed_origins),
            "AllowedMethods": texts(rule.allowed_methods),
            "AllowedHeaders": texts(rule.allowed_headers),
            "ExposeHeaders": texts(rule.exposed_headers),
            "MaxAgeSeconds": rule.max_age_seconds,
        }
        for rule in found.cors
    ]


def _public_access_block(bucket: str) -> dict[str, bool]:
    found = find_bucket(bucket)
    block = found.public_access_block if found is not None else None
    names = ("block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets")
    return {name: bool(block and getattr(block, name)) for name in names}


def _block_public_access(bucket: str) -> None:
    found = find_bucket(bucket)
    if found is not None and found.public_access_block is None:
        found.public_access_block = PublicAccessBlock(True, True, True, True)
