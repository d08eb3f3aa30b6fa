"""Filters of a mapping: which records reach the function.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
"""

from __future__ import annotations

import json
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.event_pattern import InvalidPattern, Pattern, compile_pattern


def compile_filters(criteria: dict[str, Any] | None) -> list[Pattern]:
    """Compile ``FilterCriteria``; an empty list lets everything pass.

    Raises:
        AwsError: ``InvalidParameterValueException``.
    """
    filters = (criteria or {}).get("Filters") or []
    if len(filters) > 5:
        raise AwsError("InvalidParameterValueException", "A mapping has at most 5 filters.")
    try:
        return [compile_pattern(str(one.get("Pattern"))) for one in filters]
    except InvalidPattern:
        raise AwsError("InvalidParameterValueException", "Invalid filter pattern definition.") from None


def passes(filters: list[Pattern], record: dict[str, Any]) -> bool:
    """Whether a record passes: one filter that matches is enough. A JSON body is matched as JSON."""
    if not filters:
        return True
    if "body" in record:
        try:
            record = {**record, "body": json.loads(record["body"])}
        except (ValueError, RecursionError):
            pass
    return any(one.matches(record) for one in filters)
