"""CloudWatch Logs, where moto does otherwise."""

from __future__ import annotations

import time


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
