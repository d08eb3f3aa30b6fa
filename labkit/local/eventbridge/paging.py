"""A page of a list: up to *Limit* entries and, if there are more, the token for the next ones.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html
"""

from __future__ import annotations

from typing import Any

from labkit.local.api_call import ApiCall, AwsError

LARGEST_PAGE = 100


def page(found: list[Any], call: ApiCall, name: str) -> dict[str, Any]:
    """Return the page of *found* that a call asks for, under *name*.

    Raises:
        AwsError: ``InvalidToken``.
    """
    token, most = str(call.params.get("NextToken") or "0"), int(call.params.get("Limit") or LARGEST_PAGE)
    if not (token.isascii() and token.isdecimal() and len(token) < 10):
        raise AwsError("InvalidToken", "The NextToken is not one that this list gave.")
    start, end = int(token), int(token) + most
    return {name: found[start:end], **({"NextToken": str(end)} if end < len(found) else {})}
