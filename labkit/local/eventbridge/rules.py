"""Rules: what they match, when they run, and their targets.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rules.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.event_pattern import InvalidPattern, Pattern, compile_pattern
from labkit.local.eventbridge.event_buses import DEFAULT, EventBuses
from labkit.local.eventbridge.input_transformer import check_input
from labkit.local.eventbridge.paging import page
from labkit.local.eventbridge.schedule_expression import InvalidSchedule, next_run
from labkit.local.eventbridge.schedules import Schedules
from labkit.local.eventbridge.targets import SERVICES

MOST_RULES, MOST_TARGETS = 300, 5
GIVEN = ("EventPattern", "ScheduleExpression", "Description", "RoleArn")
UNSUPPORTED = {
    "KinesisParameters", "RunCommandParameters", "EcsParameters", "BatchParameters", "HttpParameters",
    "RedshiftDataParameters", "SageMakerPipelineParameters", "AppSyncParameters",
}  # fmt: skip


class Rules:
    """The rules of all buses, by ARN."""

    def __init__(self, *, buses: EventBuses, schedules: Schedules, now: Callable[[], float]) -> None:
        self._buses, self._schedules, self._now = buses, schedules, now
        self.all: dict[str, dict[str, Any]] = {}
        self._patterns: dict[str, Pattern] = {}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "PutRule": self.put_rule,
            "DeleteRule": self.delete_rule,
            "DescribeRule": lambda call: {**_shown(self._of(call)), "CreatedBy": ACCOUNT_ID},
            "ListRules": self.list_rules,
            "EnableRule": lambda call: self._set_state(call, "ENABLED"),
            "DisableRule": lambda call: self._set_state(call, "DISABLED"),
            "PutTargets": self.put_targets,
            "RemoveTargets": self.remove_targets,
            "ListTargetsByRule": lambda call: page(list(self._of(call)["targets"].values()), call, "Targets"),
            "ListRuleNamesByTarget": self.list_rule_names_by_target,
            "DeleteEventBus": self.delete_event_bus,
        }

    # --- Rules --------------------------------------------------------------------------------------------------------

    def put_rule(self, call: ApiCall) -> dict[str, Any]:
        """Create a rule, or replace one; its targets and tags stay."""
        params, bus = call.params, self._buses.of(call.params.get("EventBusName"), call.region)
        if not params.get("EventPattern") and not params.get("ScheduleExpression"):
            raise _invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
        if params.get("ScheduleExpression") and bus["Name"] != DEFAULT:
            raise _invalid("ScheduleExpression is supported only on the default event bus.")
        arn = _rule_arn(bus, params["Name"])
        if arn not in self.all and sum(1 for _ in self._on(bus["Arn"])) >= MOST_RULES:
            raise _limit_exceeded()
        tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}
        kept = self.all.get(arn, {"targets": {}, "tags": tags})
        rule = {
            "Name": params["Name"],
            "Arn": arn,
            **{name: params[name] for name in GIVEN if params.get(name)},
            "State": params.get("State") or "ENABLED",
            "EventBusName": bus["Name"],
            "bus": bus["Arn"],
            "put_at": self._now(),
            "targets": kept["targets"],
            "tags": kept["tags"],
        }
        self._take(rule)
        return {"RuleArn": arn}

    def _take(self, rule: dict[str, Any]) -> None:
        pattern = compiled(rule["EventPattern"]) if rule.get("EventPattern") else None
        if rule.get("ScheduleExpression"):
            try:
                next_run(rule["ScheduleExpression"], rule["put_at"])
            except InvalidSchedule:
                raise _invalid("Parameter ScheduleExpression is not valid.") from None
        self.all[rule["Arn"]] = rule
        self._patterns.pop(rule["Arn"], None)
        if pattern:
            self._patterns[rule["Arn"]] = pattern
        self._schedule(rule)

    def _schedule(self, rule: dict[str, Any]) -> None:
        if rule.get("ScheduleExpression") and rule["State"] != "DISABLED":
            self._schedules.put(rule["Arn"], next_run(rule["ScheduleExpression"], rule["put_at"]))
        else:
            self._schedules.remove(rule["Arn"])

    def _set_state(self, call: ApiCall, state: str) -> None:
        rule = self._of(call)
        rule["State"] = state
        self._schedule(rule)

    def delete_rule(self, call: ApiCall) -> None:
        """Delete a rule without targets; one that is not there is deleted already."""
        bus = self._buses.of(call.params.get("EventBusName"), call.region)
        arn = _rule_arn(bus, call.params["Name"])
        if self.all.get(arn, {}).get("targets"):
            raise _invalid("Rule can't be deleted since it has targets.")
        self._forget(arn)

    def _forget(self, arn: str) -> None:
        self.all.pop(arn, None)
        self._patterns.pop(arn, None)
        self._schedules.remove(arn)

    def delete_event_bus(self, call: ApiCall) -> None:
        """Delete a bus without rules."""
        bus = self._buses.of(call.params["Name"], call.region)
        if bus["Name"] == DEFAULT:
            raise _invalid("Cannot delete event bus default.")
        if any(self._on(bus["Arn"])):
            raise _invalid("Event bus can't be deleted since it has rules.")
        del self._buses.all[bus["Arn"]]

    def list_rules(self, call: ApiCall) -> dict[str, Any]:
        """List the rules of a bus by name prefix."""
        bus, prefix = self._buses.of(call.params.get("EventBusName"), call.region), call.params.get("NamePrefix") or ""
        found = [_shown(rule) for rule in self._on(bus["Arn"]) if rule["Name"].startswith(prefix)]
        return page(sorted(found, key=lambda rule: rule["Name"]), call, "Rules")

    def list_rule_names_by_target(self, call: ApiCall) -> dict[str, Any]:
        """List the rules of a bus that have a target."""
        wanted, bus = call.params["TargetArn"], self._buses.of(call.params.get("EventBusName"), call.region)
        names = [r["Name"] for r in self._on(bus["Arn"]) if any(t["Arn"] == wanted for t in r["targets"].values())]
        return page(sorted(names), call, "RuleNames")

    # --- Targets ------------------------------------------------------------------------------------------------------

    def put_targets(self, call: ApiCall) -> dict[str, Any]:
        """Add or replace targets."""
        rule, targets = self._of(call), call.params["Targets"]
        for target in targets:
            self._check_target(target)
        if len(set(rule["targets"]) | {target["Id"] for target in targets}) > MOST_TARGETS:
            raise _limit_exceeded()
        rule["targets"] |= {target["Id"]: dict(target) for target in targets}
        return {"FailedEntryCount": 0, "FailedEntries": []}

    @staticmethod
    def _check_target(target: dict[str, Any]) -> None:
        check_input(target)
        arn, id_ = target["Arn"], target["Id"]
        parts = arn.split(":")
        if parts[0] != "arn" or len(parts) < (7 if parts[2:3] == ["logs"] else 6):
            raise _invalid(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")
        if parts[2] not in SERVICES:
            known = ", ".join(SERVICES)
            raise _invalid(f"The local cloud delivers to {known} only; the Arn of target {id_} is {arn}.")
        if unknown := sorted(UNSUPPORTED & set(target)):
            raise _invalid(f"The local cloud does not support {unknown[0]}, which target {id_} has.")
        if parts[2] == "sns" and arn.endswith(".fifo"):
            raise _invalid(f"EventBridge does not deliver to FIFO topics; the Arn of target {id_} is {arn}.")
        if parts[2] == "sqs" and arn.endswith(".fifo") and not target.get("SqsParameters"):
            raise _invalid(f"Parameter(s) SqsParameters must be specified for target: {id_}.")
        dlq = (target.get("DeadLetterConfig") or {}).get("Arn")
        if dlq and (dlq.split(":")[2:3] != ["sqs"] or dlq.endswith(".fifo")):
            raise _invalid(f"Only a standard SQS queue can be the dead-letter queue of target {id_}, not {dlq}.")

    def remove_targets(self, call: ApiCall) -> dict[str, Any]:
        """Remove targets by id."""
        rule = self._of(call)
        for one in call.params["Ids"]:
            rule["targets"].pop(one, None)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    # --- Look-up ------------------------------------------------------------------------------------------------------

    def matching(self, bus_arn: str, event: dict[str, Any], *, read_only: bool) -> Iterator[dict[str, Any]]:
        """Yield the enabled rules of a bus that match an event."""
        for rule in self._on(bus_arn):
            state, pattern = rule["State"], self._patterns.get(rule["Arn"])
            wanted = state == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS" or (state == "ENABLED" and not read_only)
            if wanted and pattern and pattern.matches(event):
                yield rule

    def _on(self, bus_arn: str) -> Iterator[dict[str, Any]]:
        return (rule for rule in self.all.values() if rule["bus"] == bus_arn)

    def _of(self, call: ApiCall) -> dict[str, Any]:
        bus = self._buses.of(call.params.get("EventBusName"), call.region)
        return self.by_arn(_rule_arn(bus, call.params.get("Name") or call.params["Rule"]))

    def by_arn(self, arn: str) -> dict[str, Any]:
        """Return a rule.

        Raises:
            AwsError: ``ResourceNotFoundException``.
        """
        if arn not in self.all:
            bus, _, name = arn.partition("/")[2].rpartition("/")
            text = f"Rule {name} does not exist on EventBus {bus or DEFAULT}."
            raise AwsError("ResourceNotFoundException", text)
        return self.all[arn]

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the rules with their targets, as plain data."""
        return deepcopy(list(self.all.values()))

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Take over what :meth:`snapshot` returned; what was due meanwhile is not made up for."""
        for rule in deepcopy(state):
            self._take(rule)


def compiled(pattern: str) -> Pattern:
    """Compile the event pattern of a call.

    Raises:
        AwsError: ``InvalidEventPatternException``.
    """
    try:
        return compile_pattern(pattern)
    except InvalidPattern as error:
        raise AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}") from None


def _rule_arn(bus: dict[str, Any], name: str) -> str:
    path = name if bus["Name"] == DEFAULT else f"{bus['Name']}/{name}"
    return f"{bus['Arn'].rpartition(':')[0]}:rule/{path}"


def _limit_exceeded() -> AwsError:
    return AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _shown(rule: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if key[0].isupper()}
