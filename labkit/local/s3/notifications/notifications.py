"""The notification configurations of all buckets, and the events that are told by them.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventNotifications.html
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from copy import deepcopy
from dataclasses import asdict
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError, Caller, Forward, HttpResponse, Interceptor
from labkit.local.destinations import Destinations
from labkit.local.picture import Arrow, Picture
from labkit.local.s3.errors import no_such_bucket
from labkit.local.s3.notifications.configuration import concerns, entries_of, read_configuration
from labkit.local.s3.notifications.destinations import refusal, send
from labkit.local.s3.notifications.event_records import Change, event_record, eventbridge_event, s3_test_event

# Operation: the event, and how EventBridge names the reason. A deletion's event depends on the bucket's versioning.
TOLD = {
    "PutObject": ("ObjectCreated:Put", "PutObject"),
    "PostObject": ("ObjectCreated:Post", "POST Object"),
    "CopyObject": ("ObjectCreated:Copy", "CopyObject"),
    "CompleteMultipartUpload": ("ObjectCreated:CompleteMultipartUpload", "CompleteMultipartUpload"),
    "DeleteObject": ("ObjectRemoved:Delete", "DeleteObject"),
    "DeleteObjects": ("ObjectRemoved:Delete", "DeleteObject"),
    "PutObjectTagging": ("ObjectTagging:Put", ""),
    "DeleteObjectTagging": ("ObjectTagging:Delete", ""),
    "PutObjectAcl": ("ObjectAcl:Put", ""),
}
EMPTY_ETAG = "d41d8cd98f00b204e9800998ecf8427e"


class Notifications:
    """Configurations by bucket, and the *under_way* messages of S3 by their task."""

    def __init__(
        self,
        *,
        region_of: Callable[[str], Awaitable[str | None]],
        version_of: Callable[[str, str, str], Awaitable[Any]],
        parse_answer: Callable[[ApiCall, HttpResponse], dict[str, Any]],
        serialise: Callable[[ApiCall, dict[str, Any]], HttpResponse],
        destinations: Destinations,
        put_event: Callable[[dict[str, Any]], Awaitable[None]],
        now: Callable[[], float],
        emit: Callable[..., None],
    ) -> None:
        self._region_of, self._version_of = region_of, version_of
        self._destinations, self._put_event = destinations, put_event
        self._parse, self._serialise, self._now, self._emit = parse_answer, serialise, now, emit
        self._configurations: dict[str, dict[str, Any]] = {}
        self._under_way: dict[asyncio.Task[None], dict[str, Any]] = {}
        self._last_sequence = 0

    def description(self) -> dict[str, int]:
        """Count the buckets that tell of their objects, and the messages under way, for the health page."""
        return {"buckets": len(self._configurations), "delivering": len(self._under_way)}

    def picture(self) -> Picture:
        """Draw whom the buckets tell."""
        return [
            Arrow(f"arn:aws:s3:::{bucket}", entry[kind.member], "notification")
            for bucket, configuration in self._configurations.items()
            for kind, entry in entries_of(configuration)
        ]

    # --- The API ------------------------------------------------------------------------------------------------------

    async def put(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Replace a bucket's configuration, once every destination can be reached."""
        bucket, region = call.params["Bucket"], await self._region(call)
        configuration = read_configuration(call.params.get("NotificationConfiguration") or {}, region)
        if not call.params.get("SkipDestinationValidation"):
            await self._check_destinations(configuration, bucket, call.request_id)
        self._configurations.pop(bucket, None)
        if configuration:
            self._configurations[bucket] = configuration
        return self._serialise(call, {})

    async def get(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Return a bucket's configuration."""
        await self._region(call)
        return self._serialise(call, self._configurations.get(call.params["Bucket"], {}))

    async def _region(self, call: ApiCall) -> str:
        region = await self._region_of(call.params["Bucket"])
        if region is None:
            raise no_such_bucket(call.params["Bucket"])
        return region

    async def _check_destinations(self, configuration: dict[str, Any], bucket: str, request_id: str) -> None:
        """Look at every destination, then send queues and topics the test message, as S3 does."""
        source, arns = f"arn:aws:s3:::{bucket}", [entry[kind.member] for kind, entry in entries_of(configuration)]
        refused = [one for arn in dict.fromkeys(arns) if (one := refusal(self._destinations, arn, source))]
        if refused:
            members: dict[str, str] = {}
            for number, (name, value) in enumerate(refused, start=1):
                members |= {f"ArgumentName{number}": name, f"ArgumentValue{number}": value}
            text = "Unable to validate the following destination configurations"
            raise AwsError("InvalidArgument", text, 400, **members)
        for arn in dict.fromkeys(arns):
            if arn.split(":")[2] != "lambda":
                await send(self._destinations, arn, source, s3_test_event(bucket, request_id, self._now()))

    def observe(self, call: ApiCall, result: dict[str, Any] | None, error: AwsError | None) -> None:
        """Forget a bucket that is deleted."""
        if call.operation == "DeleteBucket" and error is None:
            self._configurations.pop(call.params["Bucket"], None)

    # --- Telling ------------------------------------------------------------------------------------------------------

    def watch(self, then: Interceptor | None = None) -> Interceptor:
        """Stand before a call that changes objects: let it be answered, then tell of it if the bucket is to."""

        async def watched(call: ApiCall, forward: Forward) -> HttpResponse:
            response = await (then(call, forward) if then else forward(call))
            if call.params.get("Bucket") in self._configurations and response.status < 300:
                await self._tell(call, response)
            return response

        return watched

    async def written_by_service(self, bucket: str, key: str, service: str) -> None:
        """Tell of an object that a service of AWS has put."""
        if bucket in self._configurations:
            event, reason = TOLD["PutObject"]
            caller = Caller("service", service, principal_id=service)
            self._begin(await self._change(event, reason, bucket, key, "", by=_by(caller, service, uuid.uuid4().hex)))

    async def _tell(self, call: ApiCall, response: HttpResponse) -> None:
        event, reason = TOLD["PostObject" if call.http.form else call.operation]
        by = _by(call.caller, call.http.source_ip, call.request_id)
        for key, version_id in self._objects(call, response):
            self._begin(await self._change(event, reason, call.params["Bucket"], key, version_id, by=by))

    def _objects(self, call: ApiCall, response: HttpResponse) -> Iterator[tuple[str, str]]:
        """Yield key and version id of what a call changed; S3 tells of deletions of what was not there, too."""
        if call.operation != "DeleteObjects":
            yield call.params["Key"], call.params.get("VersionId") or ""
            return
        failed = {(one.get("Key"), one.get("VersionId") or "") for one in self._parse(call, response).get("Errors", [])}
        for one in (call.params.get("Delete") or {}).get("Objects") or []:
            if (one["Key"], one.get("VersionId") or "") not in failed:
                yield one["Key"], one.get("VersionId") or ""

    async def _change(
        self, event: str, reason: str, bucket: str, key: str, version_id: str, *, by: dict[str, str]
    ) -> Change:
        found, size, etag = None, -1, ""
        if not event.startswith("ObjectRemoved"):
            found = await self._version_of(bucket, key, version_id)
            if found is not None:
                etag, version_id = found.etag, found.version_id
                size = found.size if event.startswith("ObjectCreated") else -1
        elif not version_id:
            found = await self._version_of(bucket, key, "")
            if found is not None and found.is_delete_marker:
                event, etag, version_id = "ObjectRemoved:DeleteMarkerCreated", EMPTY_ETAG, found.version_id
        return Change(
            event=event,
            bucket=bucket,
            region=await self._region_of(bucket) or "us-east-1",
            key=key,
            size=size,
            etag=etag,
            version_id="" if version_id == "null" else version_id,
            sequencer=self._sequencer() if event.startswith(("ObjectCreated", "ObjectRemoved")) else "",
            time=self._now(),
            reason=reason,
            **by,
        )

    def _sequencer(self) -> str:
        """Return a number that grows with every change: of two events of one key the greater one came later."""
        self._last_sequence = max(self._last_sequence + 1, time.time_ns())
        return f"{self._last_sequence:018X}"

    def _begin(self, change: Change) -> None:
        configuration = self._configurations.get(change.bucket, {})
        for kind, entry in entries_of(configuration):
            if concerns(entry, f"s3:{change.event}", change.key):
                self._send_soon({"change": asdict(change), "arn": entry[kind.member], "id": entry["Id"]})
        if "EventBridgeConfiguration" in configuration:
            self._send_soon({"change": asdict(change), "arn": "", "id": ""})

    def _send_soon(self, message: dict[str, Any]) -> None:
        task = asyncio.create_task(self._send(**message))
        self._under_way[task] = message
        task.add_done_callback(lambda done: self._under_way.pop(done, None))

    async def _send(self, change: dict[str, Any], arn: str, id: str) -> None:
        told = Change(**change)
        try:
            if arn:
                await send(self._destinations, arn, told.bucket_arn, event_record(told, id))
            else:
                await self._put_event(eventbridge_event(told))
            self._emit("s3 event", event=told.event, bucket=told.bucket, destination=arn or "EventBridge")
        except AwsError as error:
            self._emit("not delivered", bucket=told.bucket, destination=arn, error=error.message)

    def snapshot(self) -> dict[str, Any]:
        """Return the configurations and the messages under way, as plain data."""
        return deepcopy({"configurations": self._configurations, "deliveries": list(self._under_way.values())})

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; a message that was under way is sent again."""
        kept = deepcopy(state)
        self._configurations.update(kept["configurations"])
        for message in kept["deliveries"]:
            self._send_soon(message)


def _by(caller: Caller, source_ip: str, request_id: str) -> dict[str, str]:
    """Return who made a change, as :class:`Change` holds it."""
    return {
        "request_id": request_id.replace("-", "")[:16].upper(),
        "source_ip": source_ip,
        "principal": "Anonymous" if caller.kind == "anonymous" else f"AWS:{caller.principal_id or ACCOUNT_ID}",
        "requester": caller.arn if caller.kind == "service" else ACCOUNT_ID,
    }
