"""The events of an application: what PutEvents takes, and what it says of an entry that it does not take.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC
from typing import Any, NoReturn

from labkit.local.api_call import ACCOUNT_ID, AwsError
from labkit.local.clock import iso

LARGEST = 1_048_576
DEEPEST = 200
SIZE_OF_TIME = 14


def check_size(entries: list[dict[str, Any]]) -> None:
    """Refuse a request whose entries together have 1 MB or more, counted as AWS counts them.

    Raises:
        AwsError: ``ValidationException``.
    """
    if sum(map(_size, entries)) >= LARGEST:
        raise AwsError("ValidationException", "Total size of the entries in the request is over the limit.")


def event_of(entry: dict[str, Any], region: str, now: float) -> dict[str, Any]:
    """Return the event that an entry of PutEvents becomes.

    Raises:
        AwsError: Code and message are those of the failed entry.
    """
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            raise AwsError("InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument.")
    if entry["Source"].startswith("aws."):
        raise AwsError("NotAuthorizedForSourceException", "Not authorized for the source.")
    if len(entry["DetailType"]) > 128:
        raise AwsError("InvalidArgument", "Parameter DetailType is not valid. Reason: it has more than 128 characters.")
    at = entry["Time"].replace(tzinfo=UTC).timestamp() if entry.get("Time") else now
    resources, detail = list(entry.get("Resources") or []), _detail(entry["Detail"])
    return new_event(entry["Source"], entry["DetailType"], region, resources=resources, detail=detail, at=at)


def new_event(
    source: str,
    detail_type: str,
    region: str,
    *,
    resources: list[str],
    at: float,
    detail: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return an event in EventBridge's envelope; *at* is epoch seconds.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
    """
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT_ID,
        "time": iso(at),
        "region": region,
        "resources": resources,
        "detail": detail or {},
    }


def parse_object(text: Any, invalid: Callable[[], AwsError]) -> dict[str, Any]:
    """Return the JSON object that a text is; else raise what *invalid* returns."""

    def refuse(*_: Any) -> NoReturn:
        raise invalid()

    try:
        found = json.loads(text, parse_constant=refuse)
    except (TypeError, ValueError, RecursionError):
        refuse()
    if not isinstance(found, dict) or not _is_flat(found):
        refuse()
    return found


def _detail(text: str) -> dict[str, Any]:
    return parse_object(text, lambda: AwsError("MalformedDetail", "Detail is malformed."))


def _is_flat(found: Any) -> bool:
    """Whether nothing is nested so deeply that matching it could fail."""
    level, depth = [found], 0
    while level:
        depth += 1
        below = [one for each in level for one in (each.values() if isinstance(each, dict) else each)]
        level = [one for one in below if isinstance(one, dict | list)]
    return depth <= DEEPEST


def _size(entry: dict[str, Any]) -> int:
    texts = [entry.get("Source"), entry.get("DetailType"), entry.get("Detail"), *(entry.get("Resources") or [])]
    return sum(len(text.encode()) for text in texts if text) + (SIZE_OF_TIME if entry.get("Time") else 0)
