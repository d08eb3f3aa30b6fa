"""What an API wrote down about its requests."""

from __future__ import annotations

import boto3
import pandas as pd

from labkit.waiting import wait_until

COLUMNS = ["request", "status", "function called", "why"]
METHOD, STATUS, SENDING = "HTTP Method: ", "Method completed with status: ", "Sending request to "
FAILURES = ("Execution failed", "Lambda execution failed", "Lambda invocation failed")


def execution_log(
    api_id: str, stage: str, *, request_id: str, since: int | None = None, timeout: float = 120.0
) -> pd.DataFrame:
    """Wait until a request is in the execution log of a REST API's stage, and return what the log says.

    Args:
        api_id: The API's id.
        stage: The stage; its logging level must be ``INFO``.
        request_id: The header ``x-amzn-RequestId`` of the answer that is awaited in the log.
        since: Epoch milliseconds: then every request since that time is returned, not this one alone.
        timeout: How long the log may take, in seconds; on AWS it takes some.

    Returns:
        One row per request, the oldest first: ``request`` (``"POST /visits"``), ``status``, ``function called``
        (``"yes"`` or ``"no"``) and ``why`` (what went wrong, else ``""``).

    Raises:
        WaitTimeout: The request is not in the log; does the stage write one?

    See Also:
        https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
    """
    group = f"API-Gateway-Execution-Logs_{api_id}/{stage}"

    def complete() -> dict[str, dict[str, str]]:
        rows = _rows(group, since or 0)
        return rows if "status" in rows.get(request_id, {}) else {}

    found = wait_until(complete, what=f"request {request_id} in the log group {group}", timeout=timeout, interval=0.2)
    chosen = found.values() if since is not None else [found[request_id]]
    return pd.DataFrame([{column: row.get(column, "") for column in COLUMNS} for row in chosen])


def _rows(group: str, since: int) -> dict[str, dict[str, str]]:
    """Read the log into one row per request id."""
    logs = boto3.client("logs")
    rows: dict[str, dict[str, str]] = {}
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since)
        lines = [event["message"].rstrip() for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:  # API Gateway makes the group when the first lines arrive
        return {}
    for message in lines:
        request_id, _, line = message.removeprefix("(").partition(") ")
        row = rows.setdefault(request_id, {"function called": "no"})
        if line.startswith(METHOD):
            row["request"] = line.removeprefix(METHOD).replace(", Resource Path: ", " ")
        elif line.startswith(SENDING):
            row["function called"] = "yes"
        elif line.startswith(FAILURES):
            row["why"] = line
        elif line.startswith(STATUS):
            row["status"] = line.removeprefix(STATUS)
    return rows
