"""CloudWatch Logs, where moto does otherwise."""

from __future__ import annotations

import json
import time

import pytest
from botocore.exceptions import ClientError


def test_events_of_several_streams_come_in_the_order_of_time(client, unique):
    """``interleaved`` is taken as true: API_FilterLogEvents. Each environment of a function has a stream."""
    logs, group, now = client("logs"), unique("group"), int(time.time() * 1000)
    logs.create_log_group(logGroupName=group)
    for stream, numbers in (("a", (0, 2, 4)), ("b", (1, 3, 5))):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        events = [{"timestamp": now + number, "message": str(number)} for number in numbers]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    whole = logs.filter_log_events(logGroupName=group)["events"]
    pages = [
        page["events"]
        for page in logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, PaginationConfig={"PageSize": 2}
        )
    ]

    assert [event["message"] for event in whole] == list("012345")
    assert [[event["message"] for event in page] for page in pages] == [["0", "1"], ["2", "3"], ["4", "5"]]


def test_events_are_chosen_by_pattern_by_stream_and_in_pages(client, unique):
    """CloudWatch Logs user guide, "Filter pattern syntax": JSON, one of several terms, without a term."""
    logs, group, now = client("logs"), unique("group"), int(time.time() * 1000)
    logs.create_log_group(logGroupName=group)
    for stream in ("web-1", "web-2", "job-1"):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        lines = ["DEBUG a", "ERROR b", "WARN c", json.dumps({"level": "ERROR", "stream": stream})]
        events = [{"timestamp": now + at, "message": line} for at, line in enumerate(lines)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    def found(pattern, **more):
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern=pattern, PaginationConfig={"PageSize": 2}, **more
        )
        return [event["message"] for page in pages for event in page["events"]]

    assert found("?DEBUG ?WARN") == ["DEBUG a"] * 3 + ["WARN c"] * 3
    assert found("ERROR -level") == ["ERROR b"] * 3
    assert [json.loads(one)["stream"] for one in found("{ $.level = ERROR }")] == ["web-1", "web-2", "job-1"]
    assert found("WARN", logStreamNamePrefix="web") == ["WARN c"] * 2
    assert found("WARN", logStreamNames=["job-1"]) == ["WARN c"]
    assert found("", startTime=now + 3, endTime=now + 3, logStreamNames=["job-1"])[0].startswith("{")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"logGroupName": "none"}, "ResourceNotFoundException"),
        ({"logGroupName": "arn:aws:logs:us-east-1"}, "ResourceNotFoundException"),
        ({"filterPattern": "{ $.a = "}, "InvalidParameterException"),
        ({"filterPattern": "[ip, user]"}, "NotImplemented"),
        ({"nextToken": "nonsense"}, "InvalidParameterException"),
        ({"logStreamNames": ["a"], "logStreamNamePrefix": "a"}, "InvalidParameterException"),
    ],
)
def test_what_cannot_be_filtered_is_refused(client, unique, arguments, code):
    """Rather than answered with everything."""
    group = unique("group")
    client("logs").create_log_group(logGroupName=group)

    with pytest.raises(ClientError) as refused:
        client("logs").filter_log_events(**{"logGroupName": group, **arguments})

    assert refused.value.response["Error"]["Code"] == code
