"""The parts of the application: which notebook makes each, and whether it is there, read from the cloud."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labkit.cloud import settings
from labkit.names import name

ABSENT = {
    "404", "NoSuchBucket", "NoSuchWebsiteConfiguration", "NoSuchEntity", "ResourceNotFoundException",
    "NotFoundException", "NotFound", "TrailNotFoundException", "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
}  # fmt: skip


class State(Enum):
    """What is true of a part now."""

    BUILT = "built"
    MISSING = "missing"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of a part: its state, and why it is failing."""

    state: State
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a notebook makes; *box* is its place in the picture of the twelve parts, or ``""``."""

    notebook: str
    title: str
    probe: Callable[[], str | None]
    box: str = ""

    def look(self) -> Look:
        """Read the part from the cloud. A probe returns ``None`` (missing), ``""`` (built) or what is wrong."""
        try:
            seen = self.probe()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ABSENT:
                raise
            seen = None
        if seen is None:
            return Look(State.MISSING)
        return Look(State.FAILING, seen) if seen else Look(State.BUILT)


def _bucket(base: str) -> Callable[[], str | None]:
    def probe() -> str:
        boto3.client("s3").head_bucket(Bucket=name(base, bucket=True))
        return ""

    return probe


def _website() -> str:
    s3, bucket = boto3.client("s3"), name("visits-form", bucket=True)
    s3.get_bucket_website(Bucket=bucket)
    try:
        status = s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]
        return "" if status["IsPublic"] else "nobody may read it: its policy is not public"
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucketPolicy":
            return "nobody may read it: it has no policy"
        raise


def _queue(base: str) -> Callable[[], str | None]:
    def probe() -> str:
        boto3.client("sqs").get_queue_url(QueueName=name(base))
        return ""

    return probe


def _dead_letter_queue() -> str:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=name("ProductVisitsDeadLetterQueue"))["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    waiting = int(attributes["ApproximateNumberOfMessages"])
    return f"{waiting} failed message{'s' if waiting > 1 else ''} on it" if waiting else ""


def _redrive() -> str | None:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=name("ProductVisitsDataQueue"))["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"]).get("Attributes", {})
    if "RedrivePolicy" not in attributes:
        return None
    target = json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"]
    return "" if target.endswith(":" + name("ProductVisitsDeadLetterQueue")) else f"redrive goes to {target}"


def _role(base: str) -> Callable[[], str | None]:
    def probe() -> str:
        boto3.client("iam").get_role(RoleName=name(base))
        return ""

    return probe


def _function(base: str) -> Callable[[], str | None]:
    def probe() -> str:
        found = boto3.client("lambda").get_function_configuration(FunctionName=name(base))
        if found.get("State", "Active") not in ("Active", "Inactive", "Pending"):
            return f"state {found['State']}: {found.get('StateReason', 'no reason given')}"
        return _last_invocation(name(base))

    return probe


def _last_invocation(function: str) -> str:
    """Return what the function's newest log says of its last invocation, ``""`` when it went well."""
    logs, group = boto3.client("logs"), f"/aws/lambda/{function}"
    try:
        streams = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=1)
        if not streams["logStreams"]:
            return ""
        stream = streams["logStreams"][0]["logStreamName"]
        events = logs.get_log_events(logGroupName=group, logStreamName=stream, limit=50)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return ""
    lines = [event["message"].rstrip() for event in events]
    start = max((index for index, line in enumerate(lines) if line.startswith("START ")), default=0)
    ends = [index for index, line in enumerate(lines[:start]) if line.startswith(("END ", "REPORT "))]
    for line in lines[ends[-1] + 1 if ends else 0 :]:  # an import that fails is logged before START
        if line.startswith("[ERROR]"):
            return (
                f"its last invocation raised: {line.removeprefix('[ERROR]').splitlines()[0].split(chr(9))[-1].strip()}"
            )
        if (line.startswith("REPORT ") and "Status: " in line) or "Task timed out" in line:
            return f"its last invocation ended with: {line.partition('Status: ')[2].split(chr(9))[0] or line}"
    return ""


def _mapping(base: str) -> Callable[[], str | None]:
    def probe() -> str | None:
        found = boto3.client("lambda").list_event_source_mappings(FunctionName=name(base))["EventSourceMappings"]
        mappings = [mapping for mapping in found if mapping["State"] != "Deleting"]
        if not mappings:
            return None
        if all(mapping["State"] in ("Disabled", "Disabling") for mapping in mappings):
            return "its mapping is disabled"
        return next(
            (m["LastProcessingResult"] for m in mappings if str(m.get("LastProcessingResult")).startswith("PROBLEM")),
            "",
        )

    return probe


def _table() -> str | None:
    table = boto3.client("dynamodb").describe_table(TableName=name("ProductVisits"))["Table"]
    if table["TableStatus"] not in ("ACTIVE", "UPDATING", "CREATING"):
        return None
    return "" if table.get("StreamSpecification", {}).get("StreamEnabled") else "its stream is off"


def _api() -> str | None:
    apigateway = boto3.client("apigateway")
    pages = apigateway.get_paginator("get_rest_apis").paginate()
    ids = [api["id"] for page in pages for api in page["items"] if api["name"] == name("ProductVisits")]
    if not ids:
        return None
    if len(ids) > 1:
        return f"there are {len(ids)} of this name; keep one"
    stages = [stage["stageName"] for stage in apigateway.get_stages(restApiId=ids[0])["item"]]
    return "" if "prod" in stages else "it has no stage prod: not deployed"


def _trail() -> str:
    status = boto3.client("cloudtrail").get_trail_status(Name=name("visits-trail"))
    return "" if status["IsLogging"] else "it does not log"


def _rule() -> str:
    events = boto3.client("events")
    rule = events.describe_rule(Name=name("S3BucketChanges"))
    if rule["State"] == "DISABLED":
        return "it is disabled"
    return "" if events.list_targets_by_rule(Rule=name("S3BucketChanges"))["Targets"] else "it has no target"


def _topic() -> str:
    chosen = settings()
    arn = f"arn:aws:sns:{chosen['region']}:{chosen['account']}:{name('S3DataLakeAlerts')}"
    found: dict[str, Any] = boto3.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    if int(found.get("SubscriptionsConfirmed", 0)) == 0:
        return "nobody who subscribed has confirmed"
    return ""


def _both(*probes: Callable[[], str | None]) -> Callable[[], str | None]:
    """Join probes: missing when one is missing, else the first complaint."""

    def probe() -> str | None:
        seen = [one() for one in probes]
        return None if None in seen else next((one for one in seen if one), "")

    return probe


PARTS = (
    Part("02", "the form's website", _website, box="form"),
    Part("03", "the queue ProductVisitsDataQueue", _queue("ProductVisitsDataQueue"), box="queue"),
    Part("03", "the role of ProductVisitSendDataToQueue", _role("ProductVisitSendDataToQueue")),
    Part("03", "the function ProductVisitSendDataToQueue", _function("ProductVisitSendDataToQueue"), box="send"),
    Part("04", "the REST API ProductVisits", _api, box="api"),
    Part("05", "the dead-letter queue", _both(_dead_letter_queue, _redrive), box="dlq"),
    Part("06", "the table ProductVisits", _table, box="table"),
    Part(
        "06",
        "the function ProductVisitHandler with its mapping",
        _both(_function("ProductVisitHandler"), _mapping("ProductVisitHandler")),
        box="handler",
    ),
    Part("07", "the data lake", _bucket("visits-datalake"), box="lake"),
    Part(
        "07",
        "the function ProductVisitDataLakeHandler with its mapping",
        _both(_function("ProductVisitDataLakeHandler"), _mapping("ProductVisitDataLakeHandler")),
        box="lake_handler",
    ),
    Part("07", "the queue ProductVisitsStreamFailures", _queue("ProductVisitsStreamFailures")),
    Part("09", "the trail", _trail, box="trail"),
    Part("09", "the rule S3BucketChanges", _rule, box="rule"),
    Part("09", "the topic S3DataLakeAlerts", _topic, box="topic"),
    Part("09", "the queue S3DataLakeAlertsCopy", _queue("S3DataLakeAlertsCopy")),
    Part("10", "the function BucketPublicCheck", _function("BucketPublicCheck")),
    Part("10", "the queue AsyncFailures", _queue("AsyncFailures")),
)
