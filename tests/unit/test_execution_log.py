"""labkit.execution_log reads what API Gateway writes, on AWS and here."""

from __future__ import annotations

import time

import pytest

from labkit.exceptions import WaitTimeout

LINES = {
    "id-1": ["Starting execution for request: id-1", "HTTP Method: OPTIONS, Resource Path: /visits",
             "Method completed with status: 200"],
    "id-2": ["HTTP Method: POST, Resource Path: /visits",
             "Sending request to https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/f/invocations",
             "Execution failed due to configuration error: Malformed Lambda proxy response",
             "Method completed with status: 502"],
    "id-3": ["HTTP Method: POST, Resource Path: /visits"],
}  # fmt: skip


@pytest.fixture
def api_id(cloud, client, unique, monkeypatch):
    """An API's id, under whose name the lines above are in the log."""
    for name, value in {
        "AWS_ENDPOINT_URL": cloud["endpoint"],
        "AWS_ACCESS_KEY_ID": cloud["access_key"],
        "AWS_SECRET_ACCESS_KEY": cloud["secret_key"],
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    api_id, logs = unique("api"), client("logs")
    group = {"logGroupName": f"API-Gateway-Execution-Logs_{api_id}/prod"}
    logs.create_log_group(**group)
    logs.create_log_stream(**group, logStreamName="s")
    now = int(time.time() * 1000)
    events = [
        {"timestamp": now, "message": f"({request_id}) {line}"} for request_id, lines in LINES.items() for line in lines
    ]
    logs.put_log_events(**group, logStreamName="s", logEvents=events)
    return api_id


def test_a_request_is_a_row_that_says_why_it_failed(api_id):
    """The client saw «Internal server error» only."""
    from labkit import execution_log

    found = execution_log(api_id, "prod", request_id="id-2")

    assert found.to_dict("records") == [
        {
            "request": "POST /visits", "status": "502", "function called": "yes",
            "why": "Execution failed due to configuration error: Malformed Lambda proxy response",
        }
    ]  # fmt: skip


def test_every_request_since_a_time_is_a_row(api_id):
    """One click, two requests; one that is still under way has no status."""
    from labkit import execution_log

    found = execution_log(api_id, "prod", request_id="id-2", since=0)

    assert found[["request", "status", "function called"]].to_numpy().tolist() == [
        ["OPTIONS /visits", "200", "no"],
        ["POST /visits", "502", "yes"],
        ["POST /visits", "", "no"],
    ]


def test_a_request_that_does_not_come_is_named(api_id):
    """Whoever waits in vain learns for what, and where it was looked for."""
    from labkit import execution_log

    with pytest.raises(WaitTimeout, match=f"request id-3 in the log group API-Gateway-Execution-Logs_{api_id}/prod"):
        execution_log(api_id, "prod", request_id="id-3", timeout=0.3)
