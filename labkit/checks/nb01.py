"""Checks of notebook 01: your own visit through the whole application, and one that is refused."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_yet
from labkit.follow import STEPS, follow
from labkit.names import name

GONE = "the tour is gone: run this notebook from the top, and do the exercise before the section that removes it"
LAST_STEP = "written to the lake"


def own_visit(receipt: Any, slowest: Any) -> Verdict:
    """Find the receipt in the table, follow it again, and compare the slowest hop."""
    if isinstance(receipt, dict):
        return not_yet("my_receipt is the whole answer; take its ProductVisitKey")
    if not isinstance(receipt, str):
        return not_yet(f"my_receipt is a {type(receipt).__name__}; the receipt is the text in ProductVisitKey")
    item = _item(receipt)
    if item is None:
        return not_yet(GONE)
    if not item:
        return not_yet(_what_it_is(receipt))
    hops = follow(receipt, timeout=15)
    if LAST_STEP not in hops["what happened"].iloc[-1]:
        return not_yet("the visit has not reached the lake yet: its last row is missing; follow it again, then choose")
    durations = hops["end"] - hops["start"]
    chosen = _row(slowest, hops)
    if chosen is None:
        return not_yet("slowest_hop is none of the rows of labkit.follow(my_receipt); give the row, or its service")
    if durations[chosen] >= durations.max() - 1e-6:
        return correct(f"{hops['service'][chosen]} took longest, {durations[chosen]:.1f} ms of {hops['end'].max():.1f}")
    if hops["end"][chosen] >= hops["end"].max() - 1e-6:
        return not_yet("that hop has the latest end, not the longest duration: compare end - start")
    return not_yet(f"that hop took {durations[chosen]:.1f} ms, another took longer: compare end - start of all rows")


def refused(fields: Any, refusal: Any) -> Verdict:
    """See that the API refused the visit by its fields, and that nothing of it was stored."""
    if isinstance(fields, str):
        return not_yet("my_fields is text, so it is turned into JSON twice; keep a dict, post_visit makes the JSON")
    if not isinstance(fields, dict) or not fields:
        return not_yet('my_fields is a dict of the fields that you changed, such as {"PricePerUnit": …}')
    if not isinstance(refusal, tuple) or len(refusal) != 2:
        return not_yet("refusal is the pair (status, body) that post_visit returns")
    status, body = refusal
    if status == 403:
        return not_yet("403 comes from the API itself: no such path or method; no function has looked at the visit")
    if status == 202:
        return not_yet("202: this visit was accepted and is on its way to the lake; find a value that is not accepted")
    if status != 400 or not isinstance(body, dict):
        return not_yet(f"the status is {status}; a visit that is refused for its fields gets 400")
    field = body.get("field")
    if field is None:
        return not_yet(
            f"the API could not read the body at all ({body.get('message')}): JSON made twice is a text, no dict"
        )
    if field not in fields:
        return not_yet(f"the API complains of {field!r}, which is none of your fields ({', '.join(map(str, fields))})")
    if _stored(fields) is None:
        return not_yet(GONE)
    if _stored(fields):
        return not_yet("a visit with just these fields is in the table: something accepted it")
    return correct(f"400 because of {field}; no visit with these fields is in the table: it was never on the queue")


def _item(receipt: str) -> dict[str, Any] | None:
    """Return the visit's item, ``{}`` when there is none, ``None`` when there is no table."""
    key = {"ProductVisitKey": {"S": receipt or "-"}}
    try:
        answer = boto3.client("dynamodb").get_item(TableName=name("ProductVisits"), Key=key, ConsistentRead=True)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return dict(answer.get("Item", {}))


def _stored(fields: dict[str, Any]) -> list[Any] | None:
    try:
        pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=name("ProductVisits"))
        items = [item for page in pages for item in page["Items"]]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    wanted = {key: str(value) for key, value in fields.items()}
    return [item for item in items if all(next(iter(item.get(k, {"": ""}).values())) == v for k, v in wanted.items())]


def _what_it_is(receipt: str) -> str:
    """Say what a text is that is no receipt: a request id stands in a log, a message id in none."""
    logs = boto3.client("logs")
    for function, _, _ in STEPS.values():
        try:
            found = logs.filter_log_events(
                logGroupName=f"/aws/lambda/{name(function)}", filterPattern=json.dumps(f"RequestId: {receipt}")
            )["events"]
        except ClientError:
            continue
        if found:
            return f"that is a request id of {function}: it names one invocation, the receipt names the visit"
    return (
        "no visit in the table has this receipt; the MessageId of SQS names a message, "
        "the receipt is the ProductVisitKey in the API's answer (just sent? wait a second)"
    )


def _row(slowest: Any, hops: Any) -> Any:
    """Return the index of the row that *slowest* means: a row, its service or its number."""
    for index, row in hops.iterrows():
        if hasattr(slowest, "get") and slowest.get("service") == row["service"]:
            return index
        if isinstance(slowest, str) and slowest in (row["service"], row["what happened"]):
            return index
        if slowest is row.get("hop") or (not isinstance(slowest, str) and _same_number(slowest, row.get("hop"))):
            return index
    return None


def _same_number(one: Any, other: Any) -> bool:
    try:
        return int(one) == int(other)
    except (TypeError, ValueError):
        return False


CHECKS = {
    "1": own_visit,
    "2": refused,
    "predict": prediction(
        right="b",
        replies={
            "a": "the answer comes before the lake knows of the visit; look at the timeline: it is the first bar only",
            "b": "202 and a receipt; the queue keeps the visit, and the other functions take it when they are ready",
            "c": "nobody has to look: the answer comes as soon as the visit is on the queue",
        },
    ),
}
