"""Tags of REST APIs and their stages, of API keys and usage plans, each named by its ARN.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import ApiCall
from labkit.local.api_gateway.errors import bad_request, not_found

TAGGABLE = re.compile(
    r"arn:aws[\w-]*:apigateway:[\w-]+::/(?P<kind>restapis|apikeys|usageplans)/"
    r"(?P<names>[^/]+|(?<=/restapis/)[^/]+/stages/[^/]+)"
)


class Tags:
    """GetTags, TagResource, UntagResource; moto keeps the tags, see ``moto_app.rest_api_changes``."""

    def __init__(self, changes: Any) -> None:
        self._changes = changes

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Awaitable[dict[str, Any]]]]:
        """The operations of the API."""
        return {
            "GetTags": self._get_tags,
            "TagResource": self._tag_resource,
            "UntagResource": self._untag_resource,
        }

    async def _get_tags(self, call: ApiCall) -> dict[str, Any]:
        _, _, tags = await self._tagged(call)
        return {"tags": tags}

    async def _tag_resource(self, call: ApiCall) -> dict[str, Any]:
        kind, names, tags = await self._tagged(call)
        await self._changes.set_tags(call.region, kind, names, {**tags, **call.params["tags"]})
        return {}

    async def _untag_resource(self, call: ApiCall) -> dict[str, Any]:
        kind, names, tags = await self._tagged(call)
        kept = {key: value for key, value in tags.items() if key not in call.params["tagKeys"]}
        await self._changes.set_tags(call.region, kind, names, kept)
        return {}

    async def _tagged(self, call: ApiCall) -> tuple[str, list[str], dict[str, str]]:
        found = TAGGABLE.fullmatch(call.params["resourceArn"])
        if found is None:
            raise bad_request(f"Invalid ARN specified: {call.params['resourceArn']}")
        names = found["names"].split("/")
        tags = await self._changes.tags(call.region, found["kind"], names)
        if tags is None:
            raise not_found(f"There is no resource {call.params['resourceArn']}")
        return found["kind"], names, tags
