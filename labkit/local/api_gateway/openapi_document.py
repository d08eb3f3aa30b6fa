"""OpenAPI 2 and 3 documents as bytes from outside: read, kept to what can be followed, with their references resolved.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api.html
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import yaml

from labkit.local.api_call import AwsError
from labkit.local.api_gateway.errors import bad_request

EXTENSION = "x-amazon-apigateway-"
LARGEST_DOCUMENT = 6 * 1024 * 1024
MOST_VALUES = 500_000  # of a document with its YAML aliases written out
DEEPEST = 100
BASE_PATHS = ("ignore", "prepend", "split")


def read_document(body: bytes) -> dict[str, Any]:
    """Read a document in JSON or YAML.

    Raises:
        AwsError: BadRequestException: it is larger than 6 MB, or neither, or no OpenAPI 2 or 3.
    """
    if len(body) > LARGEST_DOCUMENT:
        raise bad_request("The OpenAPI document is larger than 6 MB.")
    try:
        written = body.decode("utf-8-sig")
        content = json.loads(written) if written.lstrip().startswith("{") else yaml.safe_load(written)
        content = _plain(content, DEEPEST)
    except (ValueError, RecursionError, yaml.YAMLError):
        raise bad_request("Invalid OpenAPI input.") from None
    version = str(content.get("swagger") or content.get("openapi") or "") if isinstance(content, dict) else ""
    if not version.startswith(("2.", "3.0")):
        raise bad_request("Invalid OpenAPI input.")
    return content  # type: ignore[no-any-return]


def _plain(value: Any, deepest: int) -> Any:
    """Give a value what JSON can hold, keys as text; an alias of YAML may stand for much, so values are counted."""
    left = MOST_VALUES

    def plain(value: Any, deep: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or deep < 0:
            raise ValueError("the document is too large or too deep")
        if isinstance(value, dict):
            return {str(key): plain(one, deep - 1) for key, one in value.items()}
        if isinstance(value, list):
            return [plain(one, deep - 1) for one in value]
        return value if value is None or isinstance(value, str | bool | int | float) else str(value)

    return plain(value, deepest)


def import_failed(what: str) -> AwsError:
    """The error for a document whose content cannot become an API."""
    return bad_request(f"Errors found during import:\n\t{what}")


def values(value: Any, name: str) -> list[Any]:
    """Return a list as it is, and an empty one for nothing."""
    if value is not None and not isinstance(value, list):
        raise import_failed(f"Unable to parse '{name}': it must be a list")
    return value or []


def texts(value: Any, name: str) -> list[str]:
    """Return a list of texts."""
    return [str(one) for one in values(value, name)]


def text(value: Any) -> str | None:
    """Return a value as text, and ``None`` for nothing."""
    return None if value is None else str(value)


def mapping(value: dict[str, Any]) -> dict[str, str]:
    """Return an object's values as text, and as JSON what is none."""
    return {key: one if isinstance(one, str) else json.dumps(one) for key, one in value.items() if one is not None}


class Document:
    """A document's content. *warnings* gathers what is left out."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.warnings: list[str] = []

    def member(self, holder: dict[str, Any], name: str) -> dict[str, Any]:
        """Return the object that *holder* has under *name*, resolved; an empty one where it has none."""
        value = holder.get(name)
        return {} if value is None else self.resolved(value, name)

    def resolved(self, value: Any, name: str) -> dict[str, Any]:
        """Follow ``$ref`` within the document until there is an object.

        Raises:
            AwsError: BadRequestException: there is something else, nothing, or a circle.
        """
        for _ in range(DEEPEST):
            if not isinstance(value, dict):
                raise import_failed(f"Unable to parse '{name}': it must be an object")
            reference = value.get("$ref")
            if reference is None:
                return value
            value = self._at(str(reference))
        raise import_failed(f"Unable to parse '{name}': its references run in a circle")

    def _at(self, reference: str) -> Any:
        value: Any = self.content
        if not reference.startswith("#/"):
            raise import_failed(
                f"Unable to resolve the reference '{reference}': only references within it are followed"
            )
        for part in reference[2:].split("/"):
            value = value.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(value, dict) else None
        if value is None:
            raise import_failed(f"Unable to resolve the reference '{reference}'")
        return value

    @property
    def schemas(self) -> dict[str, Any]:
        """The named schemas."""
        named = self.member(self.content, "definitions")
        return named or self.member(self.member(self.content, "components"), "schemas")

    @property
    def security_schemes(self) -> dict[str, Any]:
        """The named ways to sign a request."""
        named = self.member(self.content, "securityDefinitions")
        return named or self.member(self.member(self.content, "components"), "securitySchemes")

    def base_path(self, mode: str) -> str:
        """Return what stands before each path, ``""`` or ``/v1``, as the parameter *basepath* says.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api-basePath.html
        """
        if mode not in BASE_PATHS:
            raise bad_request(f"Invalid basepath parameter: {mode}. Valid values are {', '.join(BASE_PATHS)}")
        if mode == "ignore":
            return ""
        parts = [part for part in self._written_base_path().split("/") if part]
        return "".join(f"/{part}" for part in (parts if mode == "prepend" else parts[1:]))

    def _written_base_path(self) -> str:
        servers = self.content.get("servers")
        if not isinstance(servers, list) or not servers:
            return str(self.content.get("basePath") or "")
        server = self.resolved(servers[0], "servers")
        variables = self.member(server, "variables")
        defaults = {name: str(self.resolved(one, name).get("default", "")) for name, one in variables.items()}
        if "basePath" in defaults:
            return defaults["basePath"]
        url = str(server.get("url") or "")
        for name, value in defaults.items():
            url = url.replace(f"{{{name}}}", value)
        try:
            return urlsplit(url).path
        except ValueError:
            raise import_failed(f"Unable to parse the server url '{url}'") from None
