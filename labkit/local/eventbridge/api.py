"""Amazon EventBridge: events of applications, of AWS services and of schedules, matched by rules and sent to targets.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-what-is.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, checked
from labkit.local.clock import Clock
from labkit.local.eventbridge.delivery import Deliveries
from labkit.local.eventbridge.event_buses import EventBuses, bus_arn
from labkit.local.eventbridge.put_events import check_size, event_of, new_event, parse_object
from labkit.local.eventbridge.rules import Rules, compiled
from labkit.local.eventbridge.schedules import Schedules
from labkit.local.eventbridge.targets import Targets
from labkit.local.picture import Arrow, Part, Picture

COUNT_AS_CHANGES = {"GetFederationToken", "GetSessionToken"}
REQUIRED_IN_EVENT = {"id", "account", "source", "time", "region", "resources", "detail-type"}


class EventBridge:
    """Buses, rules, targets and schedules. Archives, replays, API destinations and pipes answer a clear error."""

    def __init__(
        self,
        *,
        targets: Targets,
        check: Callable[[ApiCall], None],
        clock: Clock,
        measure: Callable[[str, str, float], None],
        note: Callable[..., None],
        emit: Callable[..., None],
    ) -> None:
        self._check, self._clock, self._measure = check, clock, measure
        self._buses = EventBuses(now=clock.now)
        self._schedules = Schedules(now=clock.now, fire=self._run_scheduled)
        self._rules = Rules(buses=self._buses, schedules=self._schedules, now=clock.now)
        self._deliveries = Deliveries(targets, clock=clock, measure=measure, note=note, emit=emit)

    def description(self) -> dict[str, int]:
        """Count the rules, the enabled ones, their targets and the deliveries under way, for the health page."""
        rules = self._rules.all.values()
        return {
            "rules": len(rules),
            "enabled": sum(rule["State"] != "DISABLED" for rule in rules),
            "targets": sum(len(rule["targets"]) for rule in rules),
            "delivering": len(self._deliveries),
        }

    def picture(self) -> Picture:
        """Draw the rules and their targets."""
        drawn: Picture = []
        for arn, rule in self._rules.all.items():
            problem = "it is disabled" if rule["State"] == "DISABLED" else "" if rule["targets"] else "it has no target"
            drawn.append(Part(arn, "EventBridge rule", rule["Name"], {}, problem))
            drawn += [Arrow(arn, target["Arn"], "target") for target in rule["targets"].values()]
        return drawn

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API; each checks first what the service's model says of its parameters."""
        operations = {
            **self._buses.operations,
            **self._rules.operations,
            "PutEvents": self.put_events,
            "TestEventPattern": self.test_event_pattern,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTagsForResource": self.list_tags_for_resource,
        }
        return {name: checked(self._check, operation) for name, operation in operations.items()}

    # --- Events -------------------------------------------------------------------------------------------------------

    def put_events(self, call: ApiCall) -> dict[str, Any]:
        """Take up to ten events of an application, and tell of each whether it was taken."""
        check_size(call.params["Entries"])
        answers = [self._put_event(entry, call) for entry in call.params["Entries"]]
        return {"FailedEntryCount": sum("ErrorCode" in one for one in answers), "Entries": answers}

    def _put_event(self, entry: dict[str, Any], call: ApiCall) -> dict[str, str]:
        try:
            event = event_of(entry, call.region, self._clock.now())
        except AwsError as error:
            return {"ErrorCode": error.code, "ErrorMessage": error.message}
        self._match(bus_arn(entry.get("EventBusName"), call.region), event)  # a bus that is not there has no rules
        return {"EventId": event["id"]}

    async def put_service_event(self, event: dict[str, Any]) -> None:
        """Take an event of an AWS service; management events that only read reach only rules that ask for them."""
        detail = event["detail"]
        read_only = bool(detail.get("managementEvent") and detail.get("readOnly")) and (
            detail["eventName"].startswith(("Get", "List", "Describe")) and detail["eventName"] not in COUNT_AS_CHANGES
        )
        self._match(bus_arn(None, event["region"]), event, read_only=read_only)

    async def put_invocation_result(self, bus: str, record: str) -> None:
        """Take what Lambda tells of an invocation to a bus that is its destination.

        Raises:
            AwsError: ``ResourceNotFoundException``.
        """
        region, detail = bus.split(":")[3], json.loads(record)
        self._buses.of(bus, region)
        outcome = "Success" if detail["requestContext"]["condition"] == "Success" else "Failure"
        resources = [bus, detail["requestContext"]["functionArn"]]
        kind, now = f"Lambda Function Invocation Result - {outcome}", self._clock.now()
        self._match(bus, new_event("lambda", kind, region, resources=resources, detail=detail, at=now))

    def _match(self, bus: str, event: dict[str, Any], *, read_only: bool = False) -> None:
        for rule in list(self._rules.matching(bus, event, read_only=read_only)):
            self._measure(rule["Arn"], "MatchedEvents", 1.0)
            self._trigger(rule, event)

    def _trigger(self, rule: dict[str, Any], event: dict[str, Any]) -> None:
        self._measure(rule["Arn"], "TriggeredRules", 1.0)
        for target in rule["targets"].values():
            self._deliveries.begin(rule_arn=rule["Arn"], target=dict(target), event=event)

    def _run_scheduled(self, rule_arn: str, due: float) -> None:
        event = new_event("aws.events", "Scheduled Event", rule_arn.split(":")[3], resources=[rule_arn], at=due)
        self._trigger(self._rules.by_arn(rule_arn), event)

    def test_event_pattern(self, call: ApiCall) -> dict[str, Any]:
        """Tell whether an event matches a pattern."""
        pattern = compiled(call.params["EventPattern"])
        invalid = AwsError("ValidationException", "Parameter Event is not valid.")
        event = parse_object(call.params["Event"], lambda: invalid)
        if not event.keys() >= REQUIRED_IN_EVENT:
            raise invalid
        return {"Result": pattern.matches(event)}

    # --- Tags ---------------------------------------------------------------------------------------------------------

    def tag_resource(self, call: ApiCall) -> None:
        """Add tags to a rule or a bus."""
        self._tags(call).update({tag["Key"]: tag["Value"] for tag in call.params["Tags"]})

    def untag_resource(self, call: ApiCall) -> None:
        """Remove tags by their keys."""
        for key in call.params["TagKeys"]:
            self._tags(call).pop(key, None)

    def list_tags_for_resource(self, call: ApiCall) -> dict[str, Any]:
        """Return the tags of a rule or a bus."""
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._tags(call).items()]}

    def _tags(self, call: ApiCall) -> dict[str, str]:
        arn = str(call.params["ResourceARN"])
        owner = self._buses.of(arn, call.region) if ":event-bus/" in arn else self._rules.by_arn(arn)
        tags: dict[str, str] = owner["tags"]
        return tags

    def close(self) -> None:
        """End the timer and the deliveries under way, which are in the snapshot."""
        self._schedules.close()
        self._deliveries.close()

    # --- State --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return buses, rules and the deliveries under way, as plain data."""
        return {
            "buses": self._buses.snapshot(),
            "rules": self._rules.snapshot(),
            "deliveries": self._deliveries.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; a delivery that was under way begins again."""
        self._buses.restore(state["buses"])
        self._rules.restore(state["rules"])
        self._deliveries.restore(state["deliveries"])
