"""ImportRestApi and PutRestApi: an OpenAPI document becomes a REST API, or a part of one.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.api_gateway.authorizer_checks import usable
from labkit.local.api_gateway.control_plane_checks import ENDPOINT_TYPES
from labkit.local.api_gateway.errors import bad_request, not_found
from labkit.local.api_gateway.method_checks import supported_authorization, supported_integration
from labkit.local.api_gateway.openapi_definition import read_definition
from labkit.local.api_gateway.openapi_document import Document, import_failed, read_document
from labkit.local.api_gateway.resource_policy import read_policy

MODES = ("merge", "overwrite")

Create = Callable[[str, dict[str, Any], list[str]], Awaitable[dict[str, Any]]]
Change = Callable[..., Awaitable[dict[str, Any] | None]]


class Imports:
    """The two operations.

    Args:
        create: ``await create(region, definition, endpoint_types)`` makes an API.
        change: ``await change(region, api_id, definition, overwrite=…)`` changes one; ``None`` where there is none.
    """

    def __init__(self, *, create: Create, change: Change) -> None:
        self._create = create
        self._change = change

    async def import_rest_api(self, call: ApiCall) -> dict[str, Any]:
        """Make an API of a document."""
        definition, warnings = await _definition(call)
        types = (call.params.get("parameters") or {}).get("endpointConfigurationTypes", "EDGE").split(",")
        if wrong := [one for one in types if one not in ENDPOINT_TYPES]:
            raise bad_request(f"Invalid endpoint configuration type '{wrong[0]}'")
        api = await self._create(call.region, definition, types)
        return {**api, **({"warnings": warnings} if warnings else {})}

    async def put_rest_api(self, call: ApiCall) -> dict[str, Any]:
        """Merge a document into an API, or overwrite the API with it."""
        mode = call.params.get("mode") or "merge"
        if mode not in MODES:
            raise bad_request("Invalid value for 'mode'. Valid values are merge and overwrite")
        definition, warnings = await _definition(call)
        api_id = call.params["restApiId"]
        api = await self._change(call.region, api_id, definition, overwrite=mode == "overwrite")
        if api is None:
            raise not_found(f"Invalid API identifier specified {ACCOUNT_ID}:{api_id}")
        return {**api, **({"warnings": warnings} if warnings else {})}


async def _definition(call: ApiCall) -> tuple[dict[str, Any], list[str]]:
    """Read the document, beside the event loop since it may be large."""
    base_path = (call.params.get("parameters") or {}).get("basepath", "ignore")
    definition, warnings = await asyncio.to_thread(_read, call.params.get("body") or b"", base_path)
    if warnings and call.params.get("failOnWarnings"):
        raise bad_request("Warnings found during import:" + "".join(f"\n\t{warning}" for warning in warnings))
    return definition, warnings


def _read(body: bytes | str, base_path: str) -> tuple[dict[str, Any], list[str]]:
    document = Document(read_document(body.encode() if isinstance(body, str) else body))
    definition = read_definition(document, document.base_path(base_path))
    if definition["policy"]:
        read_policy(definition["policy"])
    for name, one in definition["authorizers"].items():
        try:
            usable(one["type"], one["authorizerUri"], one["identitySource"], one["authorizerResultTtlInSeconds"])
        except AwsError as error:
            if error.status == 501:
                raise
            raise import_failed(f"Unable to create authorizer '{name}': {error}") from None
    for method in definition["methods"]:
        supported_authorization(method.get("authorizationType", "NONE"))
        integration = method.get("integration") or {}
        kind, uri = integration.get("type", ""), integration.get("uri") or ""
        supported_integration(kind, uri, integration.get("connectionType"))
    return definition, document.warnings
