"""How a record leaves CloudTrail: as a log file in the trail's bucket, and as an event for EventBridge, after a wait.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
"""

from __future__ import annotations

import asyncio
import gzip
import json
import secrets
import string
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, AwsError
from labkit.local.clock import Clock
from labkit.local.cloudtrail.trail_bucket import log_prefix

LOG_FILE_SECONDS = 300.0
EVENT_SECONDS = 60.0
MOST_KEPT = 10_000  # records that a bucket does not take; AWS tries for 30 days


class Delivery:
    """What no file and no rule has got yet: *unwritten* records by the trail's ARN, *unsent* ones by their event id."""

    def __init__(
        self,
        *,
        trail: Callable[[str], dict[str, Any] | None],
        why_not: Callable[[dict[str, Any]], Awaitable[str]],
        put_object: Callable[[str, str, bytes, str], Awaitable[None]],
        put_service_event: Callable[[dict[str, Any]], Awaitable[None]],
        clock: Clock,
        emit: Callable[..., None],
        note: Callable[..., None],
    ) -> None:
        self._note = note
        self._trail, self._why_not = trail, why_not
        self._put_object, self._put_service_event = put_object, put_service_event
        self._clock, self._emit = clock, emit
        self.unwritten: dict[str, list[dict[str, Any]]] = {}
        self.unsent: dict[str, dict[str, Any]] = {}
        self._writing: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def to_log_file(self, trail_arn: str, record: dict[str, Any]) -> None:
        """Write *record* into the trail's next log file."""
        self.unwritten.setdefault(trail_arn, []).append(record)
        if trail_arn not in self._writing:
            self._writing.add(trail_arn)
            self._later(self._write_log_files(trail_arn))

    def forget(self, trail_arn: str) -> None:
        """Drop what a trail that is deleted has not written yet."""
        self._note("written", trail_arn, len(self.unwritten.pop(trail_arn, [])))

    def to_rules(self, record: dict[str, Any]) -> None:
        """Send *record* to EventBridge."""
        self.unsent[record["eventID"]] = record
        self._later(self._send_event(record))

    async def _send_event(self, record: dict[str, Any]) -> None:
        await asyncio.sleep(self._clock.scaled(EVENT_SECONDS))
        await self._put_service_event(
            {
                "version": "0",
                "id": record["eventID"],
                "detail-type": "AWS API Call via CloudTrail",
                "source": f"aws.{record['eventSource'].partition('.')[0]}",
                "account": ACCOUNT_ID,
                "time": record["eventTime"],
                "region": record["awsRegion"],
                "resources": [],
                "detail": record,
            }
        )
        del self.unsent[record["eventID"]]
        self._note("sent", record["eventID"])

    async def _write_log_files(self, arn: str) -> None:
        """Write what has come together, again and again until nothing is left; a record stays until it is written."""
        try:
            while self.unwritten.get(arn):
                await asyncio.sleep(self._clock.scaled(LOG_FILE_SECONDS))
                waiting, trail = self.unwritten.get(arn, []), self._trail(arn)
                if trail is None:
                    return self.forget(arn)
                records = list(waiting)
                done = len(records) if await self._put_log_files(trail, records) else max(0, len(records) - MOST_KEPT)
                if done and self.unwritten.get(arn) is waiting:  # else the trail was deleted meanwhile
                    written(self.unwritten, arn, done)
                    self._note("written", arn, done)
        finally:
            self._writing.discard(arn)

    async def _put_log_files(self, trail: dict[str, Any], records: list[dict[str, Any]]) -> bool:
        known, why = trail.get("delivery_error"), await self._why_not(trail)
        try:
            for region in () if why else sorted({record["awsRegion"] for record in records}):
                await self._put_log_file(trail, region, [one for one in records if one["awsRegion"] == region])
        except AwsError as error:  # the bucket went meanwhile
            why = error.code
        trail["delivery_error"] = why
        if not why:
            trail["times"]["LatestDeliveryTime"] = self._clock.now()
        elif why != known:
            self._emit("not delivered", trail=trail["Name"], bucket=trail["S3BucketName"], why=why)
        return not why

    async def _put_log_file(self, trail: dict[str, Any], region: str, records: list[dict[str, Any]]) -> None:
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        unique = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(16))
        key = (
            f"{log_prefix(trail)}/CloudTrail/{region}/{now:%Y/%m/%d}/"
            f"{ACCOUNT_ID}_CloudTrail_{region}_{now:%Y%m%dT%H%MZ}_{unique}.json.gz"
        )
        content = gzip.compress(json.dumps({"Records": records}, default=str).encode())
        await self._put_object(trail["S3BucketName"], key, content, "application/json")

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def snapshot(self) -> dict[str, Any]:
        """Return the records that are under way, as plain data."""
        return {
            "unwritten": {arn: list(records) for arn, records in self.unwritten.items()},
            "unsent": list(self.unsent.values()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with the records of a snapshot; their waits begin again."""
        for arn, records in state["unwritten"].items():
            for record in records:
                self.to_log_file(arn, record)
        for record in state["unsent"]:
            self.to_rules(record)


def written(unwritten: dict[str, list[dict[str, Any]]], arn: str, count: int) -> None:
    """Take the oldest records of a trail out of what is not written yet."""
    del unwritten[arn][:count]
    if not unwritten[arn]:
        del unwritten[arn]
