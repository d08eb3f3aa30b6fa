"""The event history: the newest management events, looked up by one attribute.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
from collections import deque
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import ApiCall, AwsError

HISTORY = 10_000
ATTRIBUTES = (
    "EventId",
    "EventName",
    "ReadOnly",
    "Username",
    "ResourceType",
    "ResourceName",
    "EventSource",
    "AccessKeyId",
)
# The resources that the parameters of a call name, beside those that S3's records have.
RESOURCES = {
    "lambda": {"functionName": "AWS::Lambda::Function"},
    "sqs": {"queueName": "AWS::SQS::Queue", "queueUrl": "AWS::SQS::Queue"},
    "sns": {"topicArn": "AWS::SNS::Topic", "name": "AWS::SNS::Topic"},
    "dynamodb": {"tableName": "AWS::DynamoDB::Table"},
    "iam": {"roleName": "AWS::IAM::Role", "userName": "AWS::IAM::User", "policyArn": "AWS::IAM::Policy"},
    "cloudtrail": {"trailName": "AWS::CloudTrail::Trail", "name": "AWS::CloudTrail::Trail"},
    "events": {"name": "AWS::Events::Rule", "rule": "AWS::Events::Rule"},
    "apigateway": {"restApiId": "AWS::ApiGateway::RestApi"},
    "s3": {"bucketName": "AWS::S3::Bucket"},
}


class EventHistory:
    """The newest 10,000 records, there at once; AWS keeps 90 days, and shows an event after some minutes."""

    def __init__(self) -> None:
        self.records: deque[dict[str, Any]] = deque(maxlen=HISTORY)

    def lookup_events(self, call: ApiCall) -> dict[str, Any]:
        """Look up recorded events, newest first, in pages of up to 50."""
        params, most = call.params, int(call.params.get("MaxResults") or 50)
        attributes = params.get("LookupAttributes") or []
        if len(attributes) > 1 or any(a.get("AttributeKey") not in ATTRIBUTES for a in attributes):
            raise AwsError(
                "InvalidLookupAttributesException", f"Give one attribute, its key one of {', '.join(ATTRIBUTES)}."
            )
        if not 1 <= most <= 50:
            raise AwsError("InvalidMaxResultsException", "MaxResults must be 1 to 50.")
        start, end = params.get("StartTime"), params.get("EndTime")
        if start and end and start > end:
            raise AwsError("InvalidTimeRangeException", "StartTime must not be later than EndTime.")
        if params.get("EventCategory") not in (None, "insight"):
            raise AwsError("InvalidEventCategoryException", "EventCategory can only be insight.")
        records = [] if params.get("EventCategory") else list(reversed(self.records))  # there are no Insights
        found = [
            (event, record)
            for record in records
            if record["awsRegion"] == call.region and _in_time(record, params)
            for event in [_looked_up(record)]
            if all(_has(event, a["AttributeKey"], a["AttributeValue"]) for a in attributes)
        ]
        token = str(params.get("NextToken") or "0")
        if not (token.isascii() and token.isdecimal() and len(token) < 10):
            raise AwsError("InvalidNextTokenException", "The NextToken is not one of this look-up.")
        page = [
            {**event, "CloudTrailEvent": json.dumps(record, default=str)}
            for event, record in found[int(token) : int(token) + most]
        ]
        more = int(token) + most < len(found)
        return {"Events": page, **({"NextToken": str(int(token) + most)} if more else {})}


def _in_time(record: dict[str, Any], params: dict[str, Any]) -> bool:
    at = datetime.strptime(record["eventTime"], "%Y-%m-%dT%H:%M:%SZ")
    start, end = params.get("StartTime"), params.get("EndTime")
    return (start is None or at >= start.replace(microsecond=0)) and (end is None or at <= end)


def _looked_up(record: dict[str, Any]) -> dict[str, Any]:
    identity = record["userIdentity"]
    user = identity.get("userName") or identity["principalId"].rpartition(":")[2]
    event: dict[str, Any] = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": "true" if record["readOnly"] else "false",
        "EventTime": datetime.strptime(record["eventTime"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC),
        "EventSource": record["eventSource"],
        "Username": user,
        "Resources": _resources(record),
    }
    if identity.get("accessKeyId"):  # who calls without a signature has none
        event["AccessKeyId"] = identity["accessKeyId"]
    return event


def _resources(record: dict[str, Any]) -> list[dict[str, str]]:
    kinds, parameters = RESOURCES.get(record["eventSource"].partition(".")[0], {}), record["requestParameters"] or {}
    if "EventBus" in record["eventName"]:
        kinds = {"name": "AWS::Events::EventBus"}
    named = {(kind, str(parameters[name])) for name, kind in kinds.items() if parameters.get(name)}
    return [{"ResourceType": kind, "ResourceName": name.rpartition("/")[2]} for kind, name in sorted(named)]


def _has(event: dict[str, Any], key: str, value: str) -> bool:
    if key in ("ResourceType", "ResourceName"):
        return any(resource[key] == value for resource in event["Resources"])
    return bool(event.get(key) == value)
