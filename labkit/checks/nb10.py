"""Checks of notebook 10: a failing event whose record is read, and a rule that calls a function for a fire drill."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_yet
from labkit.cloud import settings as connected
from labkit.cloud import time_scale
from labkit.exceptions import WaitTimeout
from labkit.names import name
from labkit.waiting import wait_until

PRACTICE, QUEUE, RULE = "PracticeCheck", "PracticeFailures", "FireDrill"
NO_PRACTICE = (
    "PracticeCheck or its queue is not there; run the cell under Exercise that makes them, then this one again"
)
ROLE_POLICY = "exercise"
SETTINGS = {"MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig"}
NEW_PERMISSION = 30.0  # seconds that AWS may take until a permission works


def _arn(service: str, resource: str) -> str:
    chosen = connected()
    return f"arn:aws:{service}:{chosen['region']}:{chosen['account']}:{resource}"


def _practice_is_there() -> bool:
    try:
        boto3.client("lambda").get_function_configuration(FunctionName=name(PRACTICE))
        boto3.client("sqs").get_queue_url(QueueName=name(QUEUE))
    except ClientError:
        return False
    return True


def _on_aws() -> bool:
    return connected()["cloud"] == "aws"


# --- 10.1: at most two attempts, then the queue -------------------------------------------------


def at_most_twice(may_send: Any, settings: Any, how: Any, count: Any) -> Verdict:
    """Put permission and settings in place, hand a failing event over, read its record, and take all away again."""
    if how != "Event":
        return not_yet(_not_handed_over(how))
    if not isinstance(may_send, dict) or not isinstance(settings, dict):
        return not_yet("may_send and settings are dicts: a statement of a policy, and arguments of a call")
    if strange := set(settings) - SETTINGS:
        return not_yet(f"put_function_event_invoke_config has no argument {sorted(strange)[0]}")
    if not _practice_is_there():
        return not_yet(NO_PRACTICE)
    with _restored():
        return _configured(may_send, settings) or _tried(may_send, settings, count)


def _not_handed_over(how: Any) -> str:
    if how == "RequestResponse":
        return (
            "with RequestResponse you wait at the function and get its error yourself; nothing is kept or tried again"
        )
    if how == "DryRun":
        return "DryRun only asks for permission; the function does not run at all"
    return f"how is {how!r}; the type of invocation that answers 202 at once is 'Event'"


def _configured(may_send: dict[str, Any], settings: dict[str, Any]) -> Verdict | None:
    """Set both, or say why AWS does not take them."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may_send]})
    try:
        boto3.client("iam").put_role_policy(RoleName=name(PRACTICE), PolicyName=ROLE_POLICY, PolicyDocument=policy)
    except ClientError as error:
        return not_yet(_why_no_policy(may_send, error))
    deadline = time.monotonic() + (NEW_PERMISSION if _on_aws() else 0)
    while True:
        try:
            boto3.client("lambda").put_function_event_invoke_config(FunctionName=name(PRACTICE), **settings)
            return None
        except ClientError as error:
            if "permissions" not in str(error) or time.monotonic() >= deadline:
                return not_yet(_why_no_settings(error, settings, may_send))
        time.sleep(2)


def _why_no_policy(may_send: dict[str, Any], error: ClientError) -> str:
    if "Principal" in may_send:
        return "IAM refuses the statement: in a role's policy nobody is named, the wearer is meant; leave Principal out"
    if "://" in str(may_send.get("Resource")):
        return "IAM refuses the statement: its Resource is the queue's URL; policies want the ARN, practice_arn"
    return f"IAM refuses the statement: {error.response['Error']['Message']}"


def _why_no_settings(error: ClientError, settings: dict[str, Any], may_send: dict[str, Any]) -> str:
    message = error.response["Error"]["Message"]
    where = _destination(settings)
    if "permissions" in message:
        seen = {key: may_send.get(key) for key in ("Effect", "Action", "Resource")}
        return f"Lambda refuses the settings, since the role may not send to {where}; your statement says {seen}"
    if "://" in where:
        return "Lambda refuses the settings: the destination is the queue's URL; give its ARN, practice_arn"
    return f"Lambda refuses the settings: {message}"


def _destination(settings: dict[str, Any]) -> str:
    config = settings.get("DestinationConfig")
    on_failure = config.get("OnFailure") if isinstance(config, dict) else None
    return str(on_failure.get("Destination") if isinstance(on_failure, dict) else None)


def _tried(may_send: dict[str, Any], settings: dict[str, Any], count: Any) -> Verdict:
    where, queue = _destination(settings), _arn("sqs", name(QUEUE))
    if where != queue:
        if "OnSuccess" in (settings.get("DestinationConfig") or {}):
            return not_yet("OnSuccess is for events that went well; a failing one goes to OnFailure")
        return not_yet(f"the destination is {where}; the queue is {queue}")
    other = _arn("sqs", "some-other-queue")
    if _allows(may_send, other):
        return not_yet(f"it works, but the role may now send to every queue, such as {other}: name this one")
    try:
        seen = _record()["requestContext"]["approximateInvokeCount"]
    except WaitTimeout as timeout:
        return not_yet(f"no record came: {timeout}")
    if seen > 2:
        return not_yet(
            f"the record says {seen} attempts: MaximumRetryAttempts counts what comes after the first, "
            "and left out it is 2"
        )
    if seen < 2:
        return not_yet(f"the record says {seen} attempt: with no retry, a failure of a moment is final; one is allowed")
    if count != seen:
        return not_yet(f"the event is tried twice, and the record says approximateInvokeCount {seen}, not {count!r}")
    return correct("two attempts under one request id, then the record on the queue; the caller had 202 all the time")


def _allows(statement: dict[str, Any], resource: str) -> bool:
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    answer = boto3.client("iam").simulate_custom_policy(
        PolicyInputList=[policy], ActionNames=["sqs:SendMessage"], ResourceArns=[resource]
    )
    return bool(answer["EvaluationResults"][0]["EvalDecision"] == "allowed")


def _record() -> dict[str, Any]:
    """Hand an event over and return the record about it."""
    payload = json.dumps(_event(str(uuid.uuid4())))
    answer = boto3.client("lambda").invoke(FunctionName=name(PRACTICE), InvocationType="Event", Payload=payload)
    request_id = answer["ResponseMetadata"]["RequestId"]
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=name(QUEUE))["QueueUrl"]

    def arrived() -> dict[str, Any] | None:
        for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            body: dict[str, Any] = json.loads(message["Body"])
            if body.get("requestContext", {}).get("requestId") == request_id:
                return body
        return None

    found = wait_until(arrived, what="the record on the queue", timeout=30 + 300 / time_scale(), interval=0.1)
    assert found is not None
    return found


def _event(event_id: str) -> dict[str, Any]:
    detail = {"eventName": "PutBucketPolicy", "requestParameters": {"bucketName": name("visits-datalake", bucket=True)}}
    return {"id": event_id, "source": "lab.exercise", "detail-type": "check", "detail": detail}


@contextmanager
def _restored() -> Iterator[None]:
    """Leave role and settings of the practice function as they were before."""
    client: Any = boto3.client("lambda")
    try:
        before = client.get_function_event_invoke_config(FunctionName=name(PRACTICE))
    except ClientError:
        before = {}
    try:
        yield
    finally:
        with contextlib.suppress(ClientError):
            client.delete_function_event_invoke_config(FunctionName=name(PRACTICE))
        if kept := {key: before[key] for key in SETTINGS if key in before}:
            client.put_function_event_invoke_config(FunctionName=name(PRACTICE), **kept)
        with contextlib.suppress(ClientError):
            boto3.client("iam").delete_role_policy(RoleName=name(PRACTICE), PolicyName=ROLE_POLICY)


# --- 10.2: a fire drill -------------------------------------------------------------------------


def fire_drill(pattern: Any, permission: Any, target: Any) -> Verdict:
    """Make the rule, send a drill and another event, look who was called for, and remove the rule."""
    if isinstance(pattern, str):
        try:
            pattern = json.loads(pattern)
        except ValueError:
            return not_yet("that pattern is a text but no JSON; a dict is easier, the check makes the JSON")
    if not all(isinstance(one, dict) for one in (pattern, permission, target)):
        return not_yet("pattern, permission and target are dicts")
    if not _practice_is_there():
        return not_yet(NO_PRACTICE)
    with _drill_rule():
        return _connected(pattern, permission, target) or _drilled(permission)


@contextmanager
def _drill_rule() -> Iterator[None]:
    """Leave no rule and no permission behind, and begin without them."""
    try:
        _remove_drill()
        yield
    finally:
        _remove_drill()


def _remove_drill() -> None:
    events, function = boto3.client("events"), boto3.client("lambda")
    with contextlib.suppress(events.exceptions.ResourceNotFoundException):
        ids = [one["Id"] for one in events.list_targets_by_rule(Rule=name(RULE))["Targets"]]
        if ids:
            events.remove_targets(Rule=name(RULE), Ids=ids)
        events.delete_rule(Name=name(RULE))
    with contextlib.suppress(function.exceptions.ResourceNotFoundException):
        policy = json.loads(function.get_policy(FunctionName=name(PRACTICE))["Policy"])
        for statement in policy["Statement"]:
            function.remove_permission(FunctionName=name(PRACTICE), StatementId=statement["Sid"])


def _connected(pattern: dict[str, Any], permission: dict[str, Any], target: Any) -> Verdict | None:
    events = boto3.client("events")
    try:
        events.put_rule(Name=name(RULE), EventPattern=json.dumps(pattern))
    except ClientError as error:
        bare = [key for key, leaf in pattern.items() if not isinstance(leaf, (list, dict))]
        if bare:
            return not_yet(f"put_rule refuses the pattern: {bare[0]} is no list; a leaf is a list, even of one value")
        return not_yet(f"put_rule refuses the pattern: {error.response['Error']['Message']}")
    if permission:
        try:
            boto3.client("lambda").add_permission(**permission)
        except ClientError as error:
            return not_yet(f"add_permission refuses it: {error.response['Error']['Message']}")
    try:
        answer = events.put_targets(Rule=name(RULE), Targets=[target])
    except ClientError as error:
        return not_yet(f"put_targets refuses the target: {error.response['Error']['Message']}")
    if answer["FailedEntryCount"]:
        failed = answer["FailedEntries"][0]
        return not_yet(
            f"put_targets answered 200, and FailedEntryCount is {answer['FailedEntryCount']}: {failed['ErrorMessage']} "
            "Whoever does not read it believes that all is well"
        )
    if target["Arn"].removesuffix(":$LATEST") != _arn("lambda", f"function:{name(PRACTICE)}"):
        return not_yet(f"the target is {target['Arn']}; the drill should call {name(PRACTICE)}")
    return None


def _drilled(permission: dict[str, Any]) -> Verdict:
    since = int(time.time() * 1000) - 1000
    others = {"a real fire": ("lab.exercise", "real fire"), "another source": ("lab.other", "fire drill")}
    sent = {what: _send(*kind) for what, kind in others.items()}
    drill = _send("lab.exercise", "fire drill")
    deadline = time.monotonic() + (60 if _on_aws() else 5)
    while drill not in _looked(since):
        if time.monotonic() >= deadline:
            return not_yet(_why_no_call(permission, drill, _looked(since), sent))
        time.sleep(0.2)
    too_many = [what for what, event_id in sent.items() if event_id in _looked(since)]
    if too_many:
        return not_yet(f"the drill calls the function, and so does {too_many[0]}: source and detail-type must both fit")
    return correct("the rule picks the drill, the function lets the rule in, and the target is the function")


def _send(source: str, detail_type: str) -> str:
    detail = json.dumps(_event("")["detail"])
    entry: Any = {"Source": source, "DetailType": detail_type, "Detail": detail}
    return str(boto3.client("events").put_events(Entries=[entry])["Entries"][0]["EventId"])


def _looked(since: int) -> set[str]:
    """The ids of the events that the practice function was called with."""
    logs = boto3.client("logs")
    try:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{name(PRACTICE)}", startTime=since
        )
        lines = [event["message"] for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return set()
    return {json.loads(line)["event"] for line in lines if line.startswith("{")}


def _why_no_call(permission: dict[str, Any], drill: str, looked: set[str], sent: dict[str, str]) -> str:
    rule, events = _arn("events", f"rule/{name(RULE)}"), boto3.client("events")
    pattern = events.describe_rule(Name=name(RULE))["EventPattern"]
    chosen = connected()
    event = _event(drill) | {"account": chosen["account"], "region": chosen["region"], "resources": []}
    event |= {"time": "2026-01-15T10:00:00Z", "detail-type": "fire drill"}
    if not events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]:
        wrong = " (a real fire called it, though)" if sent["a real fire"] in looked else ""
        return (
            f"the rule does not fit the drill{wrong}: source lab.exercise, detail-type fire drill; yours is {pattern}"
        )
    if not permission:
        return "the rule fits, and nobody was called: without add_permission the function does not let EventBridge in"
    if permission.get("Principal") != "events.amazonaws.com":
        return (
            f"the rule fits, and nobody was called: the permission lets in {permission.get('Principal')!r}; "
            "who calls is events.amazonaws.com"
        )
    if permission.get("SourceArn") not in (None, rule):
        return (
            f"the rule fits, and nobody was called: the permission is for {permission['SourceArn']}, the rule is {rule}"
        )
    return "the rule fits, and nobody was called; compare the permission with the first one of this notebook"


CHECKS: dict[str, Callable[..., Verdict]] = {
    "1": at_most_twice,
    "2": fire_drill,
    "predict": prediction(
        right="c",
        replies={
            "a": "you went home with your 202; there is no line on which an error could reach you",
            "b": "it will be in the end, if it fails three times and has no destination; but first Lambda tries again",
            "c": "Lambda keeps it in a queue of its own, waits, and tries again: three attempts in all",
        },
    ),
}
