"""What the value that a function returns says about the batch it was given.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

import json


def failed_identifiers(payload: bytes, identifiers: list[str]) -> list[str] | None:
    """Return the identifiers of *identifiers* that failed, or ``None`` when the whole batch did."""
    try:
        answer = json.loads(payload) if payload else None
    except ValueError:
        return None
    if answer is None or answer == {}:
        return []
    if not isinstance(answer, dict) or "batchItemFailures" not in answer:
        return None
    entries = answer["batchItemFailures"]
    if entries is None:
        return []
    if not isinstance(entries, list):
        return None
    failed = [entry.get("itemIdentifier") if isinstance(entry, dict) else None for entry in entries]
    known = set(identifiers)
    if any(not isinstance(one, str) or one not in known for one in failed):
        return None
    return [str(one) for one in failed]
