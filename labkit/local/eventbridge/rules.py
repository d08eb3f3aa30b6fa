"""Amazon EventBridge: rules on the default bus, and their targets.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rules.html
"""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.event_pattern import InvalidPattern, compile_pattern
from labkit.local.eventbridge.input_transformer import check_target, target_input
from labkit.local.picture import Arrow, Part, Picture

Deliver = Callable[..., Awaitable[None]]
MOST_TARGETS = 5
LARGEST_PUT = 262_144
FINAL_CODES = {
    "AuthorizationError",
    "AccessDenied",
    "AccessDeniedException",
    "NotFound",
    "ResourceNotFoundException",
    "AWS.SimpleQueueService.NonExistentQueue",
}


class EventBridge:
    """Rules and targets. Custom buses and schedules answer a clear error."""

    def __init__(
        self,
        *,
        deliver: Mapping[str, Deliver],
        send_to_dlq: Deliver,
        clock: Clock,
        measure: Callable[[str, str, float], None],
        emit: Callable[..., None],
    ) -> None:
        self._deliver, self._send_to_dlq, self._clock, self._emit = deliver, send_to_dlq, clock, emit
        self._measure = measure
        self._rules: dict[str, dict[str, Any]] = {}
        self._deliveries: dict[asyncio.Task[None], dict[str, Any]] = {}

    def description(self) -> dict[str, int]:
        """Count the rules, the enabled ones, their targets and the deliveries under way, for the health page."""
        rules = self._rules.values()
        return {
            "rules": len(rules),
            "enabled": sum(rule["State"] != "DISABLED" for rule in rules),
            "targets": sum(len(rule["targets"]) for rule in rules),
            "delivering": len(self._deliveries),
        }

    def picture(self) -> Picture:
        """Draw the rules and their targets."""
        drawn: Picture = []
        for arn, rule in self._rules.items():
            problem = "it is disabled" if rule["State"] == "DISABLED" else "" if rule["targets"] else "it has no target"
            drawn.append(Part(arn, "EventBridge rule", rule["Name"], {}, problem))
            drawn += [Arrow(arn, target["Arn"], "target") for target in rule["targets"].values()]
        return drawn

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "PutRule": self.put_rule,
            "DeleteRule": self.delete_rule,
            "DescribeRule": lambda call: _shown(self._of(call)),
            "ListRules": self.list_rules,
            "EnableRule": lambda call: self._of(call).update(State="ENABLED"),
            "DisableRule": lambda call: self._of(call).update(State="DISABLED"),
            "PutTargets": self.put_targets,
            "RemoveTargets": self.remove_targets,
            "ListTargetsByRule": self.list_targets_by_rule,
            "ListRuleNamesByTarget": self.list_rule_names_by_target,
            "PutEvents": self.put_events,
            "TestEventPattern": self.test_event_pattern,
            "ListEventBuses": lambda call: {"EventBuses": [_bus(call)]},
            "DescribeEventBus": _bus,
            "TagResource": self.tag_resource,
            "ListTagsForResource": lambda call: {"Tags": self._rules[call.params["ResourceARN"]]["tags"]},
        }

    def put_rule(self, call: ApiCall) -> dict[str, Any]:
        """Create or replace a rule; its targets stay."""
        params, name = call.params, str(call.params.get("Name") or "")
        _only_default_bus(params)
        if params.get("ScheduleExpression"):
            raise AwsError("ValidationException", "The local cloud does not support ScheduleExpression yet.")
        if not params.get("EventPattern"):
            raise AwsError("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
        pattern = _compiled(params["EventPattern"])
        arn = f"arn:aws:events:{call.region}:{ACCOUNT_ID}:rule/{name}"
        kept = self._rules.get(arn, {"targets": {}, "tags": []})
        self._rules[arn] = {
            "Name": name,
            "Arn": arn,
            "EventPattern": params["EventPattern"],
            "State": params.get("State") or "ENABLED",
            "Description": params.get("Description"),
            "EventBusName": "default",
            "region": call.region,
            "pattern": pattern,
            "targets": kept["targets"],
            "tags": list(params.get("Tags") or kept["tags"]),
        }
        return {"RuleArn": arn}

    def delete_rule(self, call: ApiCall) -> None:
        """Delete a rule without targets; one that is not there is deleted already."""
        arn = _arn(call)
        if self._rules.get(arn, {}).get("targets"):
            raise AwsError("ValidationException", "Rule can't be deleted since it has targets.")
        self._rules.pop(arn, None)

    def list_rules(self, call: ApiCall) -> dict[str, Any]:
        """List rules by name prefix."""
        prefix = call.params.get("NamePrefix") or ""
        return {
            "Rules": [
                _shown(r) for r in self._rules.values() if r["region"] == call.region and r["Name"].startswith(prefix)
            ]
        }

    def put_targets(self, call: ApiCall) -> dict[str, Any]:
        """Add or replace targets; what is wrong with single ones is told in FailedEntries."""
        rule, failed = self._of(call), []
        targets = call.params.get("Targets") or []
        for target in targets:
            check_target(target)
        if len(set(rule["targets"]) | {target["Id"] for target in targets}) > MOST_TARGETS:
            raise AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
        for target in targets:
            service = str(target.get("Arn", "")).split(":")[2:3]
            if not service or service[0] not in self._deliver:
                known = ", ".join(sorted(self._deliver))
                text = f"The local cloud delivers to {known}; the target's Arn was {target.get('Arn')!r}."
                failed.append({"TargetId": target["Id"], "ErrorCode": "ValidationException", "ErrorMessage": text})
            else:
                rule["targets"][target["Id"]] = dict(target)
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    def remove_targets(self, call: ApiCall) -> dict[str, Any]:
        """Remove targets by id."""
        rule = self._of(call)
        for one in call.params.get("Ids") or []:
            rule["targets"].pop(one, None)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    def list_targets_by_rule(self, call: ApiCall) -> dict[str, Any]:
        """List the targets of a rule."""
        return {"Targets": list(self._of(call)["targets"].values())}

    def list_rule_names_by_target(self, call: ApiCall) -> dict[str, Any]:
        """List the rules that have a target."""
        wanted = call.params.get("TargetArn")
        return {
            "RuleNames": [
                r["Name"] for r in self._rules.values() if any(t["Arn"] == wanted for t in r["targets"].values())
            ]
        }

    async def put_events(self, call: ApiCall) -> dict[str, Any]:
        """Take up to ten events of an application."""
        entries = call.params.get("Entries") or []
        if not 1 <= len(entries) <= 10:
            raise AwsError("ValidationException", "1 validation error detected: Entries must have 1 to 10 members.")
        if sum(len(json.dumps(entry, default=str)) for entry in entries) > LARGEST_PUT:
            raise AwsError("ValidationException", "Total size of the entries in the request is over the limit.")
        answers = [self._put_event(entry, call) for entry in entries]
        return {"FailedEntryCount": sum("ErrorCode" in one for one in answers), "Entries": answers}

    def _put_event(self, entry: dict[str, Any], call: ApiCall) -> dict[str, str]:
        for name in ("Source", "DetailType", "Detail"):
            if not entry.get(name):
                return {
                    "ErrorCode": "InvalidArgument",
                    "ErrorMessage": f"Parameter {name} is not valid. Reason: {name} is a required argument.",
                }
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            detail = None
        if not isinstance(detail, dict):
            return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": entry["DetailType"],
            "source": entry["Source"],
            "account": ACCOUNT_ID,
            "time": f"{datetime.fromtimestamp(self._clock.now(), UTC):%Y-%m-%dT%H:%M:%SZ}",
            "region": call.region,
            "resources": entry.get("Resources") or [],
            "detail": detail,
        }
        self._match(event)
        return {"EventId": event["id"]}

    def test_event_pattern(self, call: ApiCall) -> dict[str, Any]:
        """Tell whether an event matches a pattern."""
        try:
            event = json.loads(call.params.get("Event") or "")
        except ValueError:
            event = None
        required = {"id", "account", "source", "time", "region", "resources", "detail-type"}
        if not isinstance(event, dict) or not required <= event.keys():
            raise AwsError(
                "InvalidEventPatternException",
                f"Parameter Event is not valid. It needs: {', '.join(sorted(required))}.",
            )
        return {"Result": _compiled(call.params.get("EventPattern") or "").matches(event)}

    def tag_resource(self, call: ApiCall) -> None:
        """Add tags to a rule."""
        rule = self._rules[call.params["ResourceARN"]]
        given = {tag["Key"]: tag for tag in call.params.get("Tags") or []}
        rule["tags"] = [tag for tag in rule["tags"] if tag["Key"] not in given] + list(given.values())

    # --- Delivery -----------------------------------------------------------------------------------------------------

    async def put_service_event(self, event: dict[str, Any]) -> None:
        """Take an event of an AWS service; read-only calls reach only rules that ask for them."""
        self._match(
            event,
            read_only=bool(event["detail"].get("readOnly"))
            and event["detail"]["eventName"].startswith(("Get", "List", "Describe")),
        )

    def _match(self, event: dict[str, Any], *, read_only: bool = False) -> None:
        for rule in self._rules.values():
            state = rule["State"]
            wanted = state == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" or (state == "ENABLED" and not read_only)
            if wanted and rule["region"] == event["region"] and rule["pattern"].matches(event):
                self._measure(rule["Arn"], "MatchedEvents", 1.0)
                self._measure(rule["Arn"], "TriggeredRules", 1.0)
                for target in rule["targets"].values():
                    self._begin({"rule_arn": rule["Arn"], "target": dict(target), "event": event})

    def _begin(self, delivery: dict[str, Any]) -> None:
        task = asyncio.create_task(self._send(**delivery))
        self._deliveries[task] = delivery
        task.add_done_callback(lambda done: self._deliveries.pop(done, None))

    async def _send(self, rule_arn: str, target: dict[str, Any], event: dict[str, Any]) -> None:
        text, policy = target_input(target, event, rule_arn), target.get("RetryPolicy") or {}
        most = policy.get("MaximumRetryAttempts", 185)
        deadline = self._clock.now() + self._clock.scaled(policy.get("MaximumEventAgeInSeconds", 86_400))
        for attempt in range(most + 1):
            try:
                await self._deliver[target["Arn"].split(":")[2]](target["Arn"], text, rule_arn=rule_arn)
                self._measure(rule_arn, "Invocations", 1.0)
                self._emit("event delivered", rule=rule_arn.rpartition("/")[2], target=target["Arn"])
                return
            except AwsError as error:
                failure = error
            if failure.code in FINAL_CODES or self._clock.now() > deadline:
                break
            await asyncio.sleep(self._clock.scaled(min(600.0, 2.0**attempt) * (1 + random.random())))
        self._measure(rule_arn, "Invocations", 1.0)
        self._measure(rule_arn, "FailedInvocations", 1.0)
        self._emit("not delivered", rule=rule_arn.rpartition("/")[2], target=target["Arn"], error=failure.message)
        if dlq := (target.get("DeadLetterConfig") or {}).get("Arn"):
            values = {
                "RULE_ARN": rule_arn, "TARGET_ARN": target["Arn"], "ERROR_CODE": failure.code,
                "ERROR_MESSAGE": failure.message,
            }  # fmt: skip
            attributes = {name: {"DataType": "String", "StringValue": value or "-"} for name, value in values.items()}
            await self._send_to_dlq(dlq, text, attributes)
            self._measure(rule_arn, "InvocationsSentToDlq", 1.0)

    def _of(self, call: ApiCall) -> dict[str, Any]:
        arn = _arn(call)
        if arn not in self._rules:
            raise AwsError(
                "ResourceNotFoundException", f"Rule {arn.rpartition('/')[2]} does not exist on EventBus default."
            )
        return self._rules[arn]

    def snapshot(self) -> dict[str, Any]:
        """Return the rules and the deliveries under way, as plain data."""
        rules = [{key: value for key, value in rule.items() if key != "pattern"} for rule in self._rules.values()]
        return {"rules": deepcopy(rules), "deliveries": list(self._deliveries.values())}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot; a delivery that was under way begins again."""
        rules = deepcopy(state["rules"])
        self._rules = {rule["Arn"]: {**rule, "pattern": compile_pattern(rule["EventPattern"])} for rule in rules}
        for delivery in state["deliveries"]:
            self._begin(delivery)


def _arn(call: ApiCall) -> str:
    _only_default_bus(call.params)
    return f"arn:aws:events:{call.region}:{ACCOUNT_ID}:rule/{call.params.get('Name') or call.params.get('Rule')}"


def _only_default_bus(params: dict[str, Any]) -> None:
    bus = params.get("EventBusName") or "default"
    if bus.rpartition("/")[2] != "default":
        raise AwsError(
            "ResourceNotFoundException", f"Event bus {bus} does not exist: the local cloud has the default bus only."
        )


def _compiled(pattern: str) -> Any:
    try:
        return compile_pattern(pattern)
    except InvalidPattern as error:
        raise AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}") from None


def _shown(rule: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if key[0].isupper() and value is not None}


def _bus(call: ApiCall) -> dict[str, Any]:
    return {"Name": "default", "Arn": f"arn:aws:events:{call.region}:{ACCOUNT_ID}:event-bus/default"}
