"""What S3 tells of a change: the record for queues, topics and functions, and the event for EventBridge.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from labkit.local.api_call import ACCOUNT_ID
from labkit.local.clock import iso, iso_milliseconds

OWNER = "A" + hashlib.sha256(ACCOUNT_ID.encode()).hexdigest()[:13].upper()  # the form of S3's ids of a customer
HOST_ID = "bGFia2l0IHNlbmRzIHRoaXMgZnJvbSB5b3VyIG93biBjb21wdXRlcg=="

# The detail-type of an event at EventBridge, and the deletion-type.
DETAIL_TYPES = {
    "ObjectCreated": "Object Created",
    "ObjectRemoved": "Object Deleted",
    "ObjectTagging:Put": "Object Tags Added",
    "ObjectTagging:Delete": "Object Tags Deleted",
    "ObjectAcl:Put": "Object ACL Updated",
}
DELETIONS = {"Delete": "Permanently Deleted", "DeleteMarkerCreated": "Delete Marker Created"}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an object. *event* has no ``s3:`` (``"ObjectCreated:Put"``); what an event does not tell is ``""``.

    *size* is -1 where there is none; *reason* is the operation as EventBridge names it.
    """

    event: str
    bucket: str
    region: str
    key: str
    size: int
    etag: str
    version_id: str
    sequencer: str
    time: float
    request_id: str
    source_ip: str
    principal: str
    requester: str
    reason: str

    @property
    def bucket_arn(self) -> str:
        """The ARN of the bucket, which the policies of destinations name."""
        return f"arn:aws:s3:::{self.bucket}"


def event_record(change: Change, configuration_id: str) -> dict[str, Any]:
    """Return the message for a queue, a topic or a function; the key is URL-encoded there."""
    key = quote_plus(change.key, safe="/")
    return {
        "Records": [
            {
                "eventVersion": "2.1" if change.sequencer else "2.3",
                "eventSource": "aws:s3",
                "awsRegion": change.region,
                "eventTime": iso_milliseconds(change.time),
                "eventName": change.event,
                "userIdentity": {"principalId": change.principal},
                "requestParameters": {"sourceIPAddress": change.source_ip},
                "responseElements": {"x-amz-request-id": change.request_id, "x-amz-id-2": HOST_ID},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": configuration_id,
                    "bucket": {
                        "name": change.bucket,
                        "ownerIdentity": {"principalId": OWNER},
                        "arn": change.bucket_arn,
                    },
                    "object": {"key": key, **_told(change, etag="eTag", version="versionId")},
                },
            }
        ]
    }


def eventbridge_event(change: Change) -> dict[str, Any]:
    """Return the event for EventBridge; the key stands there as it is."""
    family, _, name = change.event.partition(":")
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": change.bucket},
        "object": {"key": change.key, **_told(change, etag="etag", version="version-id")},
        "request-id": change.request_id,
        "requester": change.requester,
        "source-ip-address": change.source_ip,
    }
    if change.reason:
        detail["reason"] = change.reason
    if family == "ObjectRemoved":
        detail["deletion-type"] = DELETIONS[name]
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": DETAIL_TYPES.get(family) or DETAIL_TYPES[change.event],
        "source": "aws.s3",
        "account": ACCOUNT_ID,
        "time": iso(change.time),
        "region": change.region,
        "resources": [change.bucket_arn],
        "detail": detail,
    }


def s3_test_event(bucket: str, request_id: str, now: float) -> dict[str, str]:
    """Return what S3 sends to queues and topics when they are configured."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": iso_milliseconds(now),
        "Bucket": bucket,
        "RequestId": request_id,
        "HostId": HOST_ID,
    }


def _told(change: Change, *, etag: str, version: str) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if change.size >= 0:
        told["size"] = change.size
    if change.etag:
        told[etag] = change.etag
    if change.version_id:
        told[version] = change.version_id
    if change.sequencer:
        told["sequencer"] = change.sequencer
    return told
