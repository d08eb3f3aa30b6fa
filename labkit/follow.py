"""Follow one visit through every hop, by what AWS itself shows: logs, the item, the object."""

from __future__ import annotations

import json
import time
from typing import Any

import boto3
import pandas as pd

from labkit.exceptions import LabkitError
from labkit.names import name

STEPS = {
    "queued": ("ProductVisitSendDataToQueue", "Lambda", "checked, then sent to the queue"),
    "stored": ("ProductVisitHandler", "Lambda", "taken from the queue, stored in the table"),
    "written": ("ProductVisitDataLakeHandler", "Lambda", "taken from the stream, written to the lake"),
}
WAITS = {
    "stored": ("SQS", "the message waits in the queue"),
    "written": ("DynamoDB Streams", "the record waits in the stream"),
}


def follow(product_visit_key: str, *, timeout: float = 30.0) -> pd.DataFrame:
    """Return one row per hop of a visit.

    It reads the functions' logs in CloudWatch Logs only, so that it works on AWS too, where logs come seconds later.

    Args:
        product_visit_key: The receipt.
        timeout: How long to wait for the last hop's log line, in seconds.

    Returns:
        Columns ``hop``, ``service``, ``what happened``, ``start`` and ``end``; the last two in milliseconds since the
        first function began.

    Raises:
        LabkitError: No log knows the receipt.

    See Also:
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SearchDataFilterPattern.html
    """
    deadline = time.monotonic() + timeout
    while True:
        steps = _steps(product_visit_key)
        if len(steps) == len(STEPS) or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    if not steps:
        raise LabkitError(
            f"no function has logged the receipt {product_visit_key}; is it the ProductVisitKey of the 202 answer? "
            "see docs/troubleshooting.md#no-receipt"
        )
    return _rows(steps)


def _steps(key: str) -> dict[str, dict[str, Any]]:
    logs, found = boto3.client("logs"), {}
    for step, (function, _, _) in STEPS.items():
        try:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=f"/aws/lambda/{name(function)}", filterPattern=f'"{key}"'
            )
            lines = [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            continue
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("step") == step and entry.get("ProductVisitKey") == key:
                found[step] = entry
                break
    return found


def _rows(steps: dict[str, dict[str, Any]]) -> pd.DataFrame:
    zero = min(step["began"] for step in steps.values())
    rows: list[dict[str, Any]] = []
    before: float | None = None
    for step, (function, service, what) in STEPS.items():
        if step not in steps:
            continue
        began, ended = steps[step]["began"] - zero, steps[step]["at"] - zero
        if before is not None and step in WAITS:
            waiting, why = WAITS[step]
            rows.append({"service": waiting, "what happened": why, "start": before, "end": max(began, before)})
        rows.append({"service": f"{service} {function}", "what happened": what, "start": began, "end": ended})
        before = ended
    frame = pd.DataFrame(rows)
    frame.insert(0, "hop", range(1, len(frame) + 1))
    return frame.round({"start": 1, "end": 1})
