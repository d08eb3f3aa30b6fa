"""The event buses of an account: the default one of each region, and those that somebody made.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.eventbridge.paging import page

DEFAULT = "default"
MOST_BUSES = 100
NOT_HERE = ("EventSourceName", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig")


class EventBuses:
    """Event buses with their policies; *all* of them by ARN."""

    def __init__(self, *, now: Callable[[], float]) -> None:
        self._now = now
        self.all: dict[str, dict[str, Any]] = {}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "CreateEventBus": self.create_event_bus,
            "UpdateEventBus": self.update_event_bus,
            "DescribeEventBus": lambda call: _shown(self.of(call.params.get("Name"), call.region)),
            "ListEventBuses": self.list_event_buses,
            "PutPermission": self.put_permission,
            "RemovePermission": self.remove_permission,
        }

    def of(self, name_or_arn: str | None, region: str) -> dict[str, Any]:
        """Return a bus by its name or ARN.

        Raises:
            AwsError: ``ResourceNotFoundException``.
        """
        arn = bus_arn(name_or_arn, region)
        if arn == bus_arn(DEFAULT, region) and arn not in self.all:
            self.all[arn] = {"Name": DEFAULT, "Arn": arn, **self._times(), "tags": {}, "statements": []}
        if arn not in self.all:
            raise AwsError("ResourceNotFoundException", f"Event bus {_name(arn)} does not exist.")
        return self.all[arn]

    def create_event_bus(self, call: ApiCall) -> dict[str, Any]:
        """Create a bus."""
        name = str(call.params["Name"])
        _refuse_what_is_not_here(call.params)
        if "/" in name:
            raise AwsError("ValidationException", "Event bus name must not contain '/'.")
        arn = bus_arn(name, call.region)
        if name == DEFAULT or arn in self.all:
            raise AwsError("ResourceAlreadyExistsException", f"Event bus {name} already exists.")
        if sum(_region(one) == call.region for one in self.all) >= MOST_BUSES:
            raise AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
        tags = {tag["Key"]: tag["Value"] for tag in call.params.get("Tags") or []}
        described = {key: call.params[key] for key in ("Description",) if call.params.get(key)}
        self.all[arn] = {"Name": name, "Arn": arn, **described, **self._times(), "tags": tags, "statements": []}
        return {"EventBusArn": arn, **described}

    def _times(self) -> dict[str, float]:
        return dict.fromkeys(("CreationTime", "LastModifiedTime"), self._now())

    def update_event_bus(self, call: ApiCall) -> dict[str, Any]:
        """Change the description of a bus."""
        _refuse_what_is_not_here(call.params)
        bus = self.of(call.params.get("Name"), call.region)
        bus |= {"Description": call.params.get("Description"), "LastModifiedTime": self._now()}
        return {name: bus[name] for name in ("Arn", "Name", "Description") if bus[name] is not None}

    def list_event_buses(self, call: ApiCall) -> dict[str, Any]:
        """List buses by name prefix."""
        self.of(DEFAULT, call.region)
        prefix = call.params.get("NamePrefix") or ""
        found = [b for b in self.all.values() if _region(b["Arn"]) == call.region and b["Name"].startswith(prefix)]
        return page([_shown(bus) for bus in sorted(found, key=lambda bus: bus["Name"])], call, "EventBuses")

    def put_permission(self, call: ApiCall) -> None:
        """Add a statement to the policy of a bus, or replace the whole policy."""
        params, bus = call.params, self.of(call.params.get("EventBusName"), call.region)
        if params.get("Policy"):
            bus["statements"] = _statements(params["Policy"])
            return
        if not all(params.get(name) for name in ("Action", "Principal", "StatementId")):
            raise AwsError(
                "ValidationException", "Parameter(s) Policy, or StatementId, Action and Principal must be specified."
            )
        account = params["Principal"]
        statement = {
            "Sid": params["StatementId"],
            "Effect": "Allow",
            "Principal": "*" if account == "*" else {"AWS": f"arn:aws:iam::{account}:root"},
            "Action": params["Action"],
            "Resource": bus["Arn"],
        }
        if condition := params.get("Condition"):
            statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
        kept = [one for one in bus["statements"] if one.get("Sid") != params["StatementId"]]
        bus["statements"] = [*kept, statement]

    def remove_permission(self, call: ApiCall) -> None:
        """Remove a statement, or all of them."""
        params, bus = call.params, self.of(call.params.get("EventBusName"), call.region)
        kept = [one for one in bus["statements"] if one.get("Sid") != params.get("StatementId")]
        if not params.get("RemoveAllPermissions") and len(kept) == len(bus["statements"]):
            raise AwsError("ResourceNotFoundException", "Statement with the provided id does not exist.")
        bus["statements"] = [] if params.get("RemoveAllPermissions") else kept

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the buses, as plain data."""
        return deepcopy(list(self.all.values()))

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Take over what :meth:`snapshot` returned."""
        self.all = {bus["Arn"]: bus for bus in deepcopy(state)}


def bus_arn(name_or_arn: str | None, region: str) -> str:
    """Return the ARN of a bus that is named, or whose ARN is given, or that is the default."""
    name = name_or_arn or DEFAULT
    return name if name.startswith("arn:") else f"arn:aws:events:{region}:{ACCOUNT_ID}:event-bus/{name}"


def _name(arn: str) -> str:
    return arn.partition("/")[2]


def _region(arn: str) -> str:
    return arn.split(":")[3]


def _statements(policy: str) -> list[dict[str, Any]]:
    try:
        statements = json.loads(policy)["Statement"]
    except (ValueError, KeyError, TypeError, RecursionError):
        statements = None
    found = statements if isinstance(statements, list) else [statements]
    if not all(isinstance(one, dict) for one in found):
        raise AwsError("ValidationException", "Parameter Policy is not valid: it must be JSON with a Statement.")
    return found


def _refuse_what_is_not_here(params: dict[str, Any]) -> None:
    for name in NOT_HERE:
        if params.get(name) is not None:
            raise AwsError("ValidationException", f"The local cloud does not support {name} of an event bus.")


def _shown(bus: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in bus.items() if key[0].isupper() and value is not None}
    if bus["statements"]:
        shown["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": bus["statements"]}, separators=(",", ":"))
    return shown
