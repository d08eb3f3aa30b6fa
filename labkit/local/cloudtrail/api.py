"""AWS CloudTrail: the record of each call on its way to history, log files and rules.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-user-guide.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, checked
from labkit.local.clock import Clock
from labkit.local.cloudtrail.delivery import Delivery, written
from labkit.local.cloudtrail.event_history import EventHistory
from labkit.local.cloudtrail.record import is_management_event, record_of
from labkit.local.cloudtrail.trail_bucket import TrailBucket
from labkit.local.cloudtrail.trails import Trails
from labkit.local.picture import Arrow, Part, Picture


class CloudTrail:
    """Records of calls. The event history is there at once; log files and events come after a scaled wait."""

    def __init__(
        self,
        *,
        bucket_exists: Callable[[str], Awaitable[bool]],
        bucket_policy: Callable[[str], Awaitable[dict[str, Any] | None]],
        put_object: Callable[[str, str, bytes, str], Awaitable[None]],
        put_service_event: Callable[[dict[str, Any]], Awaitable[None]],
        check: Callable[[ApiCall], None],
        clock: Clock,
        emit: Callable[..., None],
        note: Callable[..., None],
    ) -> None:
        self._check, self._clock, self._note, self._history = check, clock, note, EventHistory()
        bucket = TrailBucket(exists=bucket_exists, policy=bucket_policy)
        self._trails = Trails(check_bucket=bucket.check, now=clock.now)
        self._delivery = Delivery(
            trail=self._trails.all.get,
            why_not=bucket.why_not,
            put_object=put_object,
            put_service_event=put_service_event,
            clock=clock,
            emit=emit,
            note=note,
        )

    def description(self) -> dict[str, int]:
        """Count the trails, those that log, and the events of the history, for the health page."""
        trails = self._trails.all.values()
        logging = sum(trail["logging"] for trail in trails)
        return {"trails": len(trails), "logging": logging, "events": len(self._history.records)}

    def picture(self) -> Picture:
        """Draw the trails and their buckets."""
        drawn: Picture = []
        for arn, trail in self._trails.all.items():
            drawn.append(Part(arn, "CloudTrail", trail["Name"], {}, "" if trail["logging"] else "it does not log"))
            drawn.append(Arrow(arn, f"arn:aws:s3:::{trail['S3BucketName']}", "log files"))
        return drawn

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API; each looks first at the types of its parameters."""
        operations = {
            **self._trails.operations,
            "DeleteTrail": self.delete_trail,
            "LookupEvents": self._history.lookup_events,
        }
        return {name: checked(self._check, operation) for name, operation in operations.items()}

    def record(self, call: ApiCall, response: dict[str, Any] | None, error: AwsError | None) -> None:
        """Keep the record of one call that came in from outside: a management event, or a data event that is wanted."""
        management = is_management_event(call)
        if not management and call.service not in self._trails.data_services:
            return
        record = record_of(call, response, error, self._clock.now())
        if management:
            self._history.records.append(record)
        trails = self._trails.that_log(record)
        for arn in trails:
            self._delivery.to_log_file(arn, record)
        if trails:
            self._delivery.to_rules(record)
        if management or trails:
            self._note("recorded", record, management, trails)

    def delete_trail(self, call: ApiCall) -> None:
        """Delete a trail, and the records that were to be written into its next file."""
        self._delivery.forget(self._trails.delete_trail(call))

    def snapshot(self) -> dict[str, Any]:
        """Return the state as plain data: history, trails, and the records that no file and no rule has got yet."""
        return {
            "history": list(self._history.records),
            "trails": deepcopy(self._trails.all),
            **self._delivery.snapshot(),
        }

    def settings(self) -> dict[str, Any]:
        """Return the trails alone; of the records each change is noted."""
        return {"trails": deepcopy(self._trails.all)}

    @staticmethod
    def replay(state: dict[str, Any], kind: str, what: Any, *more: Any) -> None:
        """Do to a snapshot what was noted: a record came, went to the rules, or went into a trail's file."""
        if kind == "recorded":
            management, trails = more
            state["history"] += [what] if management else []
            for arn in trails:
                state["unwritten"].setdefault(arn, []).append(what)
            state["unsent"] += [what] if trails else []
        elif kind == "sent":
            state["unsent"] = [record for record in state["unsent"] if record["eventID"] != what]
        else:
            [count] = more
            if what in state["unwritten"]:
                written(state["unwritten"], what, count)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._history.records.extend(state["history"])
        self._trails.all.update(deepcopy(state["trails"]))
        self._trails.look_at_selectors()
        self._delivery.restore(state)
