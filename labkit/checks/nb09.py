"""Checks of notebook 09: a pattern tried on five events, and the one who opened a bucket found in the event history."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_yet
from labkit.cloud import settings
from labkit.names import name

ACT = "PutBucketPublicAccessBlock"


# --- 09.1: the pattern --------------------------------------------------------------------------


def policy_changes(pattern: Any) -> Verdict:
    """Offer five events to EventBridge, and compare which ones fit."""
    if isinstance(pattern, str):
        try:
            pattern = json.loads(pattern)
        except ValueError:
            return not_yet("that text is no JSON; a dict is easier, the check makes the JSON")
    if not isinstance(pattern, dict):
        return not_yet(f"the pattern is a {type(pattern).__name__}; it should be a dict with the shape of the event")
    lake = name("visits-datalake", bucket=True)
    try:
        put, removed = _fits(pattern, "PutBucketPolicy", lake), _fits(pattern, "DeleteBucketPolicy", lake)
        elsewhere = _fits(pattern, "PutBucketPolicy", name("visits-form", bucket=True))
        tagged, uploaded = _fits(pattern, "PutBucketTagging", lake), _fits(pattern, "PutObject", lake)
    except ClientError as error:
        return not_yet(_refusal(error, pattern))
    if not put or not removed:
        return not_yet(_why_silent(pattern, lake, put=put, removed=removed))
    if elsewhere:
        return not_yet(
            "a policy on another bucket would wake you too: requestParameters in detail says which bucket, bucketName"
        )
    if tagged or uploaded:
        what = "a change of the tags" if tagged else "an upload"
        return not_yet(f"{what} would wake you too: name the two calls, as eventName in detail")
    return correct("a policy put on the lake or removed from it, and nothing else")


def _fits(pattern: dict[str, Any], event_name: str, bucket: str) -> bool:
    answer = boto3.client("events").test_event_pattern(
        EventPattern=json.dumps(pattern), Event=json.dumps(event(event_name, bucket))
    )
    return bool(answer["Result"])


def event(event_name: str, bucket: str) -> dict[str, Any]:
    """Return the event that a rule gets of a call to S3."""
    chosen, now = settings(), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {
        "version": "0",
        "id": "6d2f0c1a-0000-4000-8000-7a8b9c0d1e2f",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.s3",
        "account": chosen["account"],
        "time": now,
        "region": chosen["region"],
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "eventTime": now,
            "eventSource": "s3.amazonaws.com",
            "eventName": event_name,
            "awsRegion": chosen["region"],
            "requestParameters": {"bucketName": bucket},
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": event_name != "PutObject",
        },
    }


def _refusal(error: ClientError, pattern: dict[str, Any]) -> str:
    message = error.response["Error"]["Message"]
    bare = [path for path, leaf in _leaves(pattern) if not isinstance(leaf, list)]
    if bare:
        return f"EventBridge refuses it: {bare[0]} is no list; a leaf is a list of allowed values, even of one"
    return f"EventBridge refuses it: {message}"


def _leaves(pattern: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in pattern.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _why_silent(pattern: dict[str, Any], lake: str, *, put: bool, removed: bool) -> str:
    """Say why an event that should fit does not."""
    if put != removed:
        missing = "DeleteBucketPolicy" if put else "PutBucketPolicy"
        return f"it hears half of it: {missing} does not fit; both names belong into the list of eventName"
    leaves = dict(_leaves(pattern))
    if "eventName" in leaves or "bucketName" in leaves or "requestParameters.bucketName" in leaves:
        return "no event ever fits: eventName and requestParameters are not outside, but in detail, CloudTrail's record"
    if leaves.get("source") and "aws.s3" not in leaves["source"]:
        return f"no event ever fits: its source is 'aws.s3', and yours is {leaves['source']}"
    names = leaves.get("detail.eventName", [])
    if "PutObject" in names or "DeleteObject" in names:
        return (
            "it waits for what happens to objects: those are data events, and off; a policy's event is PutBucketPolicy"
        )
    if lower := [one for one in names if isinstance(one, str) and "_" in one]:
        return f"no event is called {lower[0]}: that is boto3's name; CloudTrail's is as in the event that you received"
    if lake not in leaves.get("detail.requestParameters.bucketName", [lake]):
        return f"it is about {leaves['detail.requestParameters.bucketName']}, and your lake is {lake}"
    known = dict(_leaves(event("PutBucketPolicy", lake)))
    strange = [path for path, wanted in leaves.items() if path not in known or known[path] not in wanted]
    return f"neither event fits; compare with the event you received: {', '.join(strange) or 'all of it'}"


# --- 09.2: who, and when ------------------------------------------------------------------------


def culprit(answer: Any) -> Verdict:
    """Compare with the records in the event history."""
    if not isinstance(answer, dict) or set(answer) != {"who", "when"}:
        return not_yet('culprit is a dict with two keys, "who" and "when"')
    who, when = answer["who"], answer["when"]
    if isinstance(when, datetime):
        when = f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if not isinstance(who, str):
        return not_yet(f"who is a {type(who).__name__}; the ARN of the role is a text")
    acts = records()
    if not acts:
        return not_yet(
            f"the history has no {ACT} about your lake yet; run the two cells before it, on AWS wait some minutes"
        )
    identity = acts[0]["userIdentity"]
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {})
    if who != issuer.get("arn"):
        return not_yet(_not_who(who, identity, issuer))
    if str(when) not in [record["eventTime"] for record in acts]:
        return not_yet(_not_when(str(when), acts))
    return correct("the role had the permission; the session's name is a label that its wearer chose")


def records() -> list[dict[str, Any]]:
    """Return the records of the act on the bucket of the exercise, newest first."""
    by_name: Any = [{"AttributeKey": "ResourceName", "AttributeValue": name("visits-datalake", bucket=True)}]
    pages = boto3.client("cloudtrail").get_paginator("lookup_events").paginate(LookupAttributes=by_name)
    found = [json.loads(one["CloudTrailEvent"]) for page in pages for one in page["Events"]]
    return [record for record in found if record["eventName"] == ACT]


def _not_who(who: str, identity: dict[str, Any], issuer: dict[str, Any]) -> str:
    session = identity["arn"].rpartition("/")[2]
    if who.lstrip().startswith("{"):
        return "that is the whole record, as a text: CloudTrailEvent is JSON inside the answer; json.loads, then look"
    if who == session:
        return f"{who!r} is the session: a name that somebody chose; whose permission was it? sessionIssuer says so"
    if who == identity["arn"]:
        return "that is the session's ARN, with a name that somebody chose at its end; the role is its sessionIssuer"
    if who == issuer.get("userName"):
        return "that is the role's name, and the right one; give its ARN"
    if who == boto3.client("sts").get_caller_identity()["Arn"]:
        return f"that is you: you made the bucket; the act at its locks is called {ACT}"
    return f"{who!r} did not do it; find the record of {ACT}, and in its userIdentity the sessionIssuer"


def _not_when(when: str, acts: list[dict[str, Any]]) -> str:
    if when.strip() and not when[:4].isdigit():
        return (
            f"when is {when!r}; give the record's eventTime as it stands there, such as {acts[-1]['eventTime'][:10]}T…Z"
        )
    return f"at {when} something else happened to the bucket: the act is {ACT} (the API says PutPublicAccessBlock)"


CHECKS: dict[str, Callable[..., Verdict]] = {
    "1": policy_changes,
    "2": culprit,
    "predict": prediction(
        right="a",
        replies={
            "a": "EventBridge hands over and is done: Lambda says yes at once, and the rest is its affair, as 10 shows",
            "b": "the bus has handed the event over and got a yes; it would try again only if Lambda had not taken it",
            "c": "they got the answer to their own call long before, and do not know that somebody listens",
        },
    ),
}
