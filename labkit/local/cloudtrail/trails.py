"""AWS CloudTrail: its operations, and the record of each management call on its way to history, files and rules.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-user-guide.html
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.cloudtrail.delivery import Delivery
from labkit.local.cloudtrail.event_history import EventHistory
from labkit.local.cloudtrail.record import is_management_event, record_of
from labkit.local.picture import Arrow, Part, Picture
from labkit.local.policy import allows_principal

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]")


class CloudTrail:
    """Records of management calls. The event history is there at once; trails and events come after a scaled wait."""

    def __init__(
        self,
        *,
        bucket_exists: Callable[[str], Awaitable[bool]],
        bucket_policy: Callable[[str], Awaitable[dict[str, Any] | None]],
        put_object: Callable[[str, str, bytes, str], Awaitable[None]],
        put_service_event: Callable[[dict[str, Any]], Awaitable[None]],
        clock: Clock,
        emit: Callable[..., None],
    ) -> None:
        self._bucket_exists, self._bucket_policy, self._clock = bucket_exists, bucket_policy, clock
        self._trails: dict[str, dict[str, Any]] = {}
        self._history = EventHistory()
        self._delivery = Delivery(
            trail=self._trails.get,
            put_object=put_object,
            put_service_event=put_service_event,
            clock=clock,
            emit=emit,
        )

    def description(self) -> dict[str, int]:
        """Count the trails, those that log, and the events of the history, for the health page."""
        logging = sum(trail["logging"] for trail in self._trails.values())
        return {"trails": len(self._trails), "logging": logging, "events": len(self._history.records)}

    def picture(self) -> Picture:
        """Draw the trails and their buckets."""
        drawn: Picture = []
        for arn, trail in self._trails.items():
            drawn.append(Part(arn, "CloudTrail", trail["Name"], {}, "" if trail["logging"] else "it does not log"))
            drawn.append(Arrow(arn, f"arn:aws:s3:::{trail['S3BucketName']}", "log files"))
        return drawn

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "CreateTrail": self.create_trail,
            "UpdateTrail": self.update_trail,
            "DeleteTrail": self.delete_trail,
            "GetTrail": lambda call: {"Trail": _shown(self._of(call.params.get("Name"), call))},
            "DescribeTrails": self.describe_trails,
            "ListTrails": self.list_trails,
            "GetTrailStatus": self.get_trail_status,
            "StartLogging": lambda call: self._set_logging(call, logging=True),
            "StopLogging": lambda call: self._set_logging(call, logging=False),
            "GetEventSelectors": self.get_event_selectors,
            "LookupEvents": self._history.lookup_events,
            "AddTags": self.add_tags,
            "ListTags": self.list_tags,
        }

    # --- Recording ----------------------------------------------------------------------------------------------------

    def record(self, call: ApiCall, response: dict[str, Any] | None, error: AwsError | None) -> None:
        """Keep the record of one call that came in from outside, if it is a management event."""
        if not is_management_event(call):
            return
        record = record_of(call, response, error, self._clock.now())
        self._history.records.append(record)
        for arn, trail in self._trails.items():
            if trail["logging"] and (trail["IsMultiRegionTrail"] or trail["HomeRegion"] == call.region):
                self._delivery.to_log_file(arn, record)
        if any(trail["logging"] for trail in self._trails.values()):
            self._delivery.to_rules(record)

    # --- Trails -------------------------------------------------------------------------------------------------------

    async def create_trail(self, call: ApiCall) -> dict[str, Any]:
        """Create a trail; it logs only after StartLogging."""
        name = str(call.params.get("Name") or "")
        if not NAME.fullmatch(name):
            raise AwsError(
                "InvalidTrailNameException",
                "Trail name or ARN can only contain letters, numbers, periods, underscores and dashes, "
                "3 to 128 of them.",
            )
        arn = f"arn:aws:cloudtrail:{call.region}:{ACCOUNT_ID}:trail/{name}"
        if arn in self._trails:
            raise AwsError("TrailAlreadyExistsException", f"Trail {name} already exists for customer: {ACCOUNT_ID}")
        trail = {
            "Name": name,
            "S3BucketName": call.params.get("S3BucketName"),
            "S3KeyPrefix": call.params.get("S3KeyPrefix"),
            "IncludeGlobalServiceEvents": call.params.get("IncludeGlobalServiceEvents") is not False,
            "IsMultiRegionTrail": bool(call.params.get("IsMultiRegionTrail")),
            "TrailARN": arn,
            "LogFileValidationEnabled": bool(call.params.get("EnableLogFileValidation")),
            "HomeRegion": call.region,
            "HasCustomEventSelectors": False,
            "HasInsightSelectors": False,
            "IsOrganizationTrail": False,
            "logging": False,
            "tags": list(call.params.get("TagsList") or []),
        }
        await self._check_bucket(trail)
        self._trails[arn] = trail
        return _shown(trail)

    async def _check_bucket(self, trail: dict[str, Any]) -> None:
        bucket = str(trail["S3BucketName"] or "")
        if not await self._bucket_exists(bucket):
            raise AwsError("S3BucketDoesNotExistException", f"S3 bucket {bucket} does not exist!", 404)
        policy, prefix = (
            await self._bucket_policy(bucket),
            f"{trail['S3KeyPrefix']}/" if trail.get("S3KeyPrefix") else "",
        )
        context = {
            "aws:SourceArn": trail["TrailARN"],
            "s3:x-amz-acl": "bucket-owner-full-control",
            "aws:SourceAccount": ACCOUNT_ID,
        }
        needed = {
            "s3:GetBucketAcl": f"arn:aws:s3:::{bucket}",
            "s3:PutObject": f"arn:aws:s3:::{bucket}/{prefix}AWSLogs/{ACCOUNT_ID}/x",
        }
        for action, resource in needed.items():
            decision = allows_principal(
                policy,
                principal={"Service": "cloudtrail.amazonaws.com"},
                action=action,
                resource=resource,
                context=context,
            )
            if decision != "allow":
                raise AwsError(
                    "InsufficientS3BucketPolicyException",
                    f"Incorrect S3 bucket policy is detected for bucket: {bucket}",
                    403,
                )

    async def update_trail(self, call: ApiCall) -> dict[str, Any]:
        """Change a trail."""
        trail = self._of(call.params.get("Name"), call)
        changed = {
            name: call.params[name]
            for name in ("S3BucketName", "S3KeyPrefix", "IsMultiRegionTrail")
            if call.params.get(name) is not None
        }
        await self._check_bucket({**trail, **changed})
        trail.update(changed)
        return _shown(trail)

    def delete_trail(self, call: ApiCall) -> None:
        """Delete a trail; its log files stay."""
        arn = self._of(call.params.get("Name"), call)["TrailARN"]
        del self._trails[arn]
        self._delivery.unwritten.pop(arn, None)

    def describe_trails(self, call: ApiCall) -> dict[str, Any]:
        """Return trails, all or by name."""
        wanted = call.params.get("trailNameList") or []
        found = [t for t in self._trails.values() if not wanted or t["Name"] in wanted or t["TrailARN"] in wanted]
        return {"trailList": [_shown(trail) for trail in found]}

    def list_trails(self, call: ApiCall) -> dict[str, Any]:
        """List trails."""
        names = ("TrailARN", "Name", "HomeRegion")
        return {"Trails": [{name: trail[name] for name in names} for trail in self._trails.values()]}

    def get_trail_status(self, call: ApiCall) -> dict[str, Any]:
        """Tell whether a trail logs, and when it last delivered."""
        trail = self._of(call.params.get("Name"), call)
        status: dict[str, Any] = {"IsLogging": trail["logging"]}
        if trail.get("delivered_at"):
            status["LatestDeliveryTime"] = trail["delivered_at"]
        return status

    def _set_logging(self, call: ApiCall, *, logging: bool) -> None:
        self._of(call.params.get("Name"), call)["logging"] = logging

    def get_event_selectors(self, call: ApiCall) -> dict[str, Any]:
        """Return the selectors: all management events, no data events."""
        arn = self._of(call.params.get("TrailName"), call)["TrailARN"]
        selector = {
            "ReadWriteType": "All",
            "IncludeManagementEvents": True,
            "DataResources": [],
            "ExcludeManagementEventSources": [],
        }
        return {"TrailARN": arn, "EventSelectors": [selector]}

    def add_tags(self, call: ApiCall) -> None:
        """Add tags to a trail."""
        trail = self._of(call.params.get("ResourceId"), call)
        given = {tag["Key"]: tag for tag in call.params.get("TagsList") or []}
        trail["tags"] = [tag for tag in trail["tags"] if tag["Key"] not in given] + list(given.values())

    def list_tags(self, call: ApiCall) -> dict[str, Any]:
        """Return the tags of trails."""
        found = [self._of(one, call) for one in call.params.get("ResourceIdList") or []]
        return {"ResourceTagList": [{"ResourceId": trail["TrailARN"], "TagsList": trail["tags"]} for trail in found]}

    def _of(self, name: Any, call: ApiCall) -> dict[str, Any]:
        arn = (
            str(name) if str(name).startswith("arn:") else f"arn:aws:cloudtrail:{call.region}:{ACCOUNT_ID}:trail/{name}"
        )
        if arn not in self._trails:
            raise AwsError("TrailNotFoundException", f"Unknown trail: {name} for the user: {ACCOUNT_ID}", 404)
        return self._trails[arn]

    def snapshot(self) -> dict[str, Any]:
        """Return the state as plain data: history, trails, and the records that no file and no rule has got yet."""
        return {
            "history": list(self._history.records),
            "trails": {arn: dict(trail) for arn, trail in self._trails.items()},
            **self._delivery.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._history.records.extend(state["history"])
        self._trails.update({arn: dict(trail) for arn, trail in state["trails"].items()})
        self._delivery.restore(state)


def _shown(trail: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in trail.items() if key[0].isupper() and value is not None}
