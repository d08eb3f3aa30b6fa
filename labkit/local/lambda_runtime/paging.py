"""Lists of Lambda in pages: MaxItems of them, at most 50, and a marker for the next.

https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.local.api_call import ApiCall

LARGEST_PAGE = 50


def page(call: ApiCall, name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the page of *found* that *call* asks for as ``{name: […], "NextMarker": …}``; keys are the markers."""
    most = min(int(call.params.get("MaxItems") or LARGEST_PAGE), LARGEST_PAGE)
    markers, start = list(found), str(call.params.get("Marker") or "")
    first = markers.index(start) + 1 if start in found else 0
    shown = markers[first : first + most]
    answer: dict[str, Any] = {name: [found[marker] for marker in shown]}
    return answer | ({"NextMarker": shown[-1]} if first + most < len(markers) else {})
