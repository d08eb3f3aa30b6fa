"""Subscription filters of CloudWatch Logs: what is written reaches a function, packed as AWS packs it.

Truth: Lambda developer guide, "Using Lambda with CloudWatch Logs"; CloudWatch Logs API reference,
PutSubscriptionFilter; AWS's Go types for the event (aws-lambda-go, cloudwatch-logs-event.json).
"""

from __future__ import annotations

import base64
import gzip
import json
import time

import pytest
from botocore.exceptions import ClientError

from tests.contract.test_arrows import PRINTING, printed

ACCOUNT = "123456789012"


@pytest.fixture
def group(client, unique):
    """The name of a new log group with the stream ``s``."""
    name = f"/shop/{unique('log')}"
    client("logs").create_log_group(logGroupName=name)
    client("logs").create_log_stream(logGroupName=name, logStreamName="s")
    return name


@pytest.fixture
def listener(client, function):
    """Make a printing function that CloudWatch Logs may invoke for a group."""

    def listener(group, principal="logs.amazonaws.com"):
        arn = function(PRINTING)
        client("lambda").add_permission(
            FunctionName=arn,
            StatementId="logs",
            Action="lambda:InvokeFunction",
            Principal=principal,
            SourceArn=f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}:*",
        )
        return arn

    return listener


def put_filter(client, group, arn, pattern="", name="f"):
    client("logs").put_subscription_filter(
        logGroupName=group, filterName=name, filterPattern=pattern, destinationArn=arn
    )


def write(client, group, *messages):
    events = [{"timestamp": int(time.time() * 1000), "message": message} for message in messages]
    client("logs").put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def unpacked(event):
    return json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))


def test_what_matches_reaches_the_function(client, group, listener, eventually):
    """One event for what one call wrote."""
    arn = listener(group)
    put_filter(client, group, arn, "{ $.level = ERROR && $.ms > 100 }")

    write(client, group, "no JSON", json.dumps({"level": "ERROR", "ms": 5}), json.dumps({"level": "ERROR", "ms": 500}))

    [event] = eventually(lambda: printed(client, arn))
    data = unpacked(event)
    [told] = data.pop("logEvents")
    assert data == {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": group,
        "logStream": "s",
        "subscriptionFilters": ["f"],
    }
    assert json.loads(told["message"]) == {"level": "ERROR", "ms": 500}
    assert (len(told["id"]), told.keys()) == (56, {"id", "timestamp", "message"})


def test_the_lines_of_one_function_reach_another(client, function, listener, eventually):
    """The older principal with the region in it counts, too."""
    talking = function("def lambda_handler(event, context):\n    print('ERROR', event['n'])\n")
    source = f"/aws/lambda/{talking.rpartition(':')[2]}"
    client("lambda").invoke(FunctionName=talking, Payload=b'{"n": 1}')
    client("logs").describe_log_groups(logGroupNamePrefix=source)
    arn = listener(source, "logs.us-east-1.amazonaws.com")
    put_filter(client, source, arn, "ERROR")

    client("lambda").invoke(FunctionName=talking, Payload=b'{"n": 2}')

    [event] = eventually(lambda: printed(client, arn))
    assert [one["message"].strip() for one in unpacked(event)["logEvents"]] == ["ERROR 2"]


def test_filters_are_listed_changed_and_deleted(client, group, listener):
    """Two at most; a group that is deleted takes them with it."""
    logs, arn = client("logs"), listener(group)
    put_filter(client, group, arn, "one", "a")
    put_filter(client, group, arn, "two", "b")
    put_filter(client, group, arn, "other", "a")
    with pytest.raises(ClientError) as third:
        put_filter(client, group, arn, "", "c")

    listed = logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"]
    logs.delete_subscription_filter(logGroupName=group, filterName="b")
    with pytest.raises(ClientError) as gone:
        logs.delete_subscription_filter(logGroupName=group, filterName="b")
    logs.delete_log_group(logGroupName=group)
    with pytest.raises(ClientError) as no_group:
        logs.describe_subscription_filters(logGroupName=group)
    logs.create_log_group(logGroupName=group)

    assert [(one["filterName"], one["filterPattern"]) for one in listed] == [("a", "other"), ("b", "two")]
    assert listed[0]["distribution"] == "ByLogStream"
    assert third.value.response["Error"]["Code"] == "LimitExceededException"
    assert gone.value.response["Error"]["Message"] == "The specified subscription filter does not exist."
    assert no_group.value.response["Error"]["Message"] == "The specified log group does not exist."
    assert logs.describe_subscription_filters(logGroupName=group)["subscriptionFilters"] == []


def test_what_would_never_or_always_be_delivered_is_refused(client, group, function):
    """A function without the permission, one that would hear itself, another kind of destination."""
    arn = function(PRINTING)
    own = f"/aws/lambda/{arn.rpartition(':')[2]}"
    client("logs").create_log_group(logGroupName=own)

    def refusal(where, to, pattern=""):
        with pytest.raises(ClientError) as refused:
            put_filter(client, where, to, pattern)
        return refused.value.response["Error"]["Message"]

    assert refusal(group, arn).startswith("Could not execute the lambda function. Make sure you have given CloudWatch")
    assert "by its own log lines" in refusal(own, arn)
    assert "to Lambda functions only" in refusal(group, f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s")
    assert "to Lambda functions only" in refusal(group, f"arn:aws:lambda:us-east-1:{ACCOUNT}:function")
    assert refusal(group, arn, "{ $.a = }") == "Invalid filter pattern"
