"""The lists of API Gateway come in pages: ``limit`` is the longest, ``position`` the id with which the next begins.

https://docs.aws.amazon.com/apigateway/latest/api/API_GetRestApis.html
"""

from __future__ import annotations

from typing import Any

from labkit.local.api_gateway.errors import bad_request

DEFAULT_LIMIT, LARGEST_LIMIT = 25, 500


def page(items: list[dict[str, Any]], params: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the page of *items* that a call asks for, and ``{"position": …}`` if there is a next one.

    What was shown may be deleted before the next page is asked for: that one begins where it would have anyway.

    Raises:
        AwsError: BadRequestException, where nothing begins at the position.
    """
    limit, start = params.get("limit") or DEFAULT_LIMIT, params.get("position")
    most = min(limit, LARGEST_LIMIT) if limit > 0 else DEFAULT_LIMIT  # AWS takes -1 in silence
    ids = [one["id"] for one in items]
    if start and start not in ids:
        raise bad_request("Invalid position specified")
    first = ids.index(start) if start else 0
    end = first + most
    return items[first:end], ({"position": ids[end]} if end < len(ids) else {})
