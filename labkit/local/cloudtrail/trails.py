"""Trails: where records go, whether they do, and which of them.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.clock import iso
from labkit.local.cloudtrail.event_selectors import (
    checked_selectors,
    default_selectors,
    selects,
    services_of_data_events,
)
from labkit.local.cloudtrail.trail_checks import check_name, refuse_what_is_not_here

MOST_TRAILS = 5
GLOBAL_SERVICES = {"iam.amazonaws.com", "sts.amazonaws.com"}
SET_BY_CALLER = ("S3BucketName", "S3KeyPrefix", "IncludeGlobalServiceEvents", "IsMultiRegionTrail")


class Trails:
    """All trails, by ARN."""

    def __init__(
        self,
        *,
        check_bucket: Callable[[dict[str, Any]], Awaitable[None]],
        now: Callable[[], float],
    ) -> None:
        self._check_bucket, self._now = check_bucket, now
        self.all: dict[str, dict[str, Any]] = {}
        self.data_services: set[str] = set()

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "CreateTrail": self.create_trail,
            "UpdateTrail": self.update_trail,
            "DeleteTrail": self.delete_trail,
            "GetTrail": lambda call: {"Trail": _shown(self._of(call))},
            "DescribeTrails": self.describe_trails,
            "ListTrails": self.list_trails,
            "GetTrailStatus": self.get_trail_status,
            "StartLogging": lambda call: self._set_logging(call, logging=True),
            "StopLogging": lambda call: self._set_logging(call, logging=False),
            "PutEventSelectors": self.put_event_selectors,
            "GetEventSelectors": lambda call: self._selectors(self._of(call, "TrailName")),
            "GetInsightSelectors": self.get_insight_selectors,
            "AddTags": self.add_tags,
            "RemoveTags": self.remove_tags,
            "ListTags": self.list_tags,
        }

    def that_log(self, record: dict[str, Any]) -> list[str]:
        """Return the ARNs of the trails that log a record."""
        return [arn for arn, trail in self.all.items() if trail["logging"] and _concerns(trail, record)]

    # --- Trails -------------------------------------------------------------------------------------------------------

    async def create_trail(self, call: ApiCall) -> dict[str, Any]:
        """Create a trail; it logs only after StartLogging."""
        params, name = call.params, str(call.params.get("Name") or "")
        check_name(name)
        refuse_what_is_not_here(params)
        arn = _arn(name, call.region)
        trail = {
            "Name": name,
            "S3BucketName": str(params.get("S3BucketName") or ""),
            "S3KeyPrefix": params.get("S3KeyPrefix"),
            "IncludeGlobalServiceEvents": params.get("IncludeGlobalServiceEvents") is not False,
            "IsMultiRegionTrail": bool(params.get("IsMultiRegionTrail")),
            "TrailARN": arn,
            "LogFileValidationEnabled": False,
            "HomeRegion": call.region,
            "HasCustomEventSelectors": False,
            "HasInsightSelectors": False,
            "IsOrganizationTrail": False,
            "logging": False,
            "times": {},
            "selectors": default_selectors(),
            "tags": {tag["Key"]: tag.get("Value", "") for tag in params.get("TagsList") or []},
        }
        _check_regions(trail)
        await self._check_bucket(trail)
        self._check_new(trail)  # last: while the bucket was asked, another call may have made one
        self.all[arn] = trail
        return _shown(trail)

    def _check_new(self, trail: dict[str, Any]) -> None:
        region = trail["HomeRegion"]
        if trail["TrailARN"] in self.all:
            text = f"Trail {trail['Name']} already exists for customer: {ACCOUNT_ID}"
            raise AwsError("TrailAlreadyExistsException", text)
        if sum(one["HomeRegion"] == region for one in self.all.values()) >= MOST_TRAILS:
            text = f"User: {ACCOUNT_ID} already has {MOST_TRAILS} trails in {region}."
            raise AwsError("MaximumNumberOfTrailsExceededException", text)

    async def update_trail(self, call: ApiCall) -> dict[str, Any]:
        """Change a trail."""
        trail = self._own(call)
        refuse_what_is_not_here(call.params)
        changed = {name: call.params[name] for name in SET_BY_CALLER if call.params.get(name) is not None}
        _check_regions({**trail, **changed})
        await self._check_bucket({**trail, **changed})
        trail.update(changed)
        return _shown(trail)

    def delete_trail(self, call: ApiCall) -> str:
        """Delete a trail and return its ARN; its log files stay."""
        arn: str = self._own(call)["TrailARN"]
        del self.all[arn]
        self.look_at_selectors()
        return arn

    def describe_trails(self, call: ApiCall) -> dict[str, Any]:
        """Return the trails of the region, and those of others that log here, too; all or by name."""
        wanted, shadows = call.params.get("trailNameList") or [], call.params.get("includeShadowTrails") is not False
        here = [
            trail
            for trail in self.all.values()
            if trail["HomeRegion"] == call.region or (shadows and trail["IsMultiRegionTrail"])
        ]
        return {"trailList": [_shown(t) for t in here if not wanted or t["Name"] in wanted or t["TrailARN"] in wanted]}

    def list_trails(self, call: ApiCall) -> dict[str, Any]:
        """List the trails of all regions."""
        names = ("TrailARN", "Name", "HomeRegion")
        return {"Trails": [{name: trail[name] for name in names} for trail in self.all.values()]}

    def get_trail_status(self, call: ApiCall) -> dict[str, Any]:
        """Tell whether a trail logs, when it was started and stopped, and how its last delivery went."""
        trail = self._of(call)
        times = trail["times"]
        texts = {
            "LatestDeliveryAttemptTime": "LatestDeliveryTime", "LatestNotificationAttemptTime": "",
            "LatestNotificationAttemptSucceeded": "", "LatestDeliveryAttemptSucceeded": "LatestDeliveryTime",
            "TimeLoggingStarted": "StartLoggingTime", "TimeLoggingStopped": "StopLoggingTime",
        }  # fmt: skip
        error = {"LatestDeliveryError": trail["delivery_error"]} if trail.get("delivery_error") else {}
        return {
            "IsLogging": trail["logging"],
            **{text: _second(times.get(name)) for text, name in texts.items()},
            **times,
            **error,
        }

    def _set_logging(self, call: ApiCall, *, logging: bool) -> None:
        trail = self._own(call)
        trail["logging"] = logging
        trail["times"]["StartLoggingTime" if logging else "StopLoggingTime"] = self._now()

    # --- Selectors and tags -------------------------------------------------------------------------------------------

    def put_event_selectors(self, call: ApiCall) -> dict[str, Any]:
        """Decide which events a trail logs."""
        trail = self._own(call, "TrailName")
        trail["selectors"] = checked_selectors(call.params)
        trail["HasCustomEventSelectors"] = True
        self.look_at_selectors()
        return self._selectors(trail)

    def look_at_selectors(self) -> None:
        """Find out of which services somebody wants data events: of no others are records made."""
        found = [services_of_data_events(trail["selectors"]) for trail in self.all.values()]
        self.data_services = set().union(*found)

    def _selectors(self, trail: dict[str, Any]) -> dict[str, Any]:
        return {"TrailARN": trail["TrailARN"], **trail["selectors"]}

    def get_insight_selectors(self, call: ApiCall) -> None:
        """Tell that a trail has none."""
        name = self._of(call, "TrailName")["Name"]
        text = f"Trail {name} does not have Insights enabled. The local cloud has no Insights."
        raise AwsError("InsightNotEnabledException", text)

    def add_tags(self, call: ApiCall) -> None:
        """Add tags to a trail."""
        given = {tag["Key"]: tag.get("Value", "") for tag in call.params.get("TagsList") or []}
        self._of(call, "ResourceId")["tags"].update(given)

    def remove_tags(self, call: ApiCall) -> None:
        """Remove tags by their keys."""
        for tag in call.params.get("TagsList") or []:
            self._of(call, "ResourceId")["tags"].pop(tag["Key"], None)

    def list_tags(self, call: ApiCall) -> dict[str, Any]:
        """Return the tags of trails."""
        found = [self.by_name(one, call.region) for one in call.params.get("ResourceIdList") or []]
        return {
            "ResourceTagList": [
                {"ResourceId": t["TrailARN"], "TagsList": [{"Key": k, "Value": v} for k, v in t["tags"].items()]}
                for t in found
            ]
        }

    # --- Look-up ------------------------------------------------------------------------------------------------------

    def _of(self, call: ApiCall, parameter: str = "Name") -> dict[str, Any]:
        return self.by_name(call.params.get(parameter), call.region)

    def _own(self, call: ApiCall, parameter: str = "Name") -> dict[str, Any]:
        """Return a trail that the call may change: from its home region only."""
        trail = self._of(call, parameter)
        if trail["HomeRegion"] != call.region:
            text = f"Trail {trail['Name']} must be changed from its home region {trail['HomeRegion']}."
            raise AwsError("InvalidHomeRegionException", text)
        return trail

    def by_name(self, name: Any, region: str) -> dict[str, Any]:
        """Return a trail by its name or ARN.

        Raises:
            AwsError: ``TrailNotFoundException``.
        """
        arn = _arn(str(name), region)
        if arn not in self.all:
            raise AwsError("TrailNotFoundException", f"Unknown trail: {name} for the user: {ACCOUNT_ID}", 404)
        return self.all[arn]


def _check_regions(trail: dict[str, Any]) -> None:
    if trail["IsMultiRegionTrail"] and not trail["IncludeGlobalServiceEvents"]:
        text = "Multi-Region trail must include global service events."
        raise AwsError("InvalidParameterCombinationException", text)


def _concerns(trail: dict[str, Any], record: dict[str, Any]) -> bool:
    everywhere = trail["IsMultiRegionTrail"] or (
        trail["IncludeGlobalServiceEvents"] and record["eventSource"] in GLOBAL_SERVICES
    )
    return (everywhere or trail["HomeRegion"] == record["awsRegion"]) and selects(trail["selectors"], record)


def _arn(name: str, region: str) -> str:
    return name if name.startswith("arn:") else f"arn:aws:cloudtrail:{region}:{ACCOUNT_ID}:trail/{name}"


def _second(at: float | None) -> str:
    return iso(at) if at else ""


def _shown(trail: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in trail.items() if key[0].isupper() and value is not None}
