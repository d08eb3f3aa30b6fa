"""Batch requests: up to ten entries, each with an id of its own.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-batch-api-actions.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError

ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def each_entry(
    call: ApiCall,
    act: Callable[[dict[str, Any]], dict[str, Any]],
    check: Callable[[list[dict[str, Any]]], None] = lambda entries: None,
) -> dict[str, Any]:
    """Let *act* do each entry of a batch request; one succeeds or fails without the others.

    *check* may refuse them all before.

    Raises:
        AwsError: The batch is empty, too long, or its ids are no good; then no entry was done.
    """
    entries = call.params.get("Entries") or []
    prefix = "AWS.SimpleQueueService."
    if not entries:
        raise AwsError(
            f"{prefix}EmptyBatchRequest",
            f"There should be at least one {call.operation}RequestEntry in the request.",
        )
    if len(entries) > 10:
        raise AwsError(
            f"{prefix}TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are 10. You have sent {len(entries)}.",
        )
    ids = [str(entry.get("Id") or "") for entry in entries]
    if not all(ENTRY_ID.fullmatch(one) for one in ids):
        raise AwsError(
            f"{prefix}InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
            "It can be at most 80 letters long.",
        )
    repeated = next((one for one in ids if ids.count(one) > 1), None)
    if repeated:
        raise AwsError(f"{prefix}BatchEntryIdsNotDistinct", f"Id {repeated} repeated.")
    check(entries)
    answer: dict[str, list[dict[str, Any]]] = {"Successful": [], "Failed": []}
    for one, entry in zip(ids, entries, strict=True):
        try:
            answer["Successful"].append({"Id": one, **act(entry)})
        except AwsError as error:
            answer["Failed"].append({"Id": one, "Code": error.code, "Message": error.message, "SenderFault": True})
    return {key: value for key, value in answer.items() if value}
