"""The schemas of an OpenAPI document, which become the models of a REST API.

https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from labkit.local.api_gateway.openapi_document import Document, import_failed, text
from labkit.local.api_gateway.validation import InvalidModelError, compile_model

# How models refer to one another; {api_id} stands for the API's id until it has one.
MODEL_URL = "https://apigateway.amazonaws.com/restapis/{api_id}/models/"


class Models:
    """*models*: name → ``schema`` (JSON text) and ``description``; :meth:`of` adds those of schemas without a name."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.models: dict[str, dict[str, Any]] = {}
        for name, schema in document.schemas.items():
            self._add(name, schema)
        self._check(*self.models)

    def of(self, schema: Any) -> str | None:
        """Return the name of a schema's model; one without a name gets one."""
        if schema is None:
            return None
        reference = schema.get("$ref") if isinstance(schema, dict) else ""
        name = str(reference or "").rpartition("/")[2]
        if name in self.models:
            return name
        written = json.dumps(self._document.resolved(schema, "schema"), sort_keys=True)
        name = f"MODEL{hashlib.sha256(written.encode()).hexdigest()[:6]}"
        if name not in self.models:
            self._add(name, json.loads(written))
            self._check(name)
        return name

    def _add(self, name: str, schema: Any) -> None:
        if not re.fullmatch(r"[A-Za-z0-9]+", name):
            raise import_failed(f"Unable to create model for '{name}': Model name must be alphanumeric: {name}")
        if not isinstance(schema, dict):
            raise import_failed(f"Unable to create model for '{name}': the schema must be an object")
        description = text(schema.get("description"))
        self.models[name] = {"schema": json.dumps(_between_models(schema)), "description": description}

    def _check(self, *names: str) -> None:
        schemas = {name: model["schema"] for name, model in self.models.items()}
        for name in names:
            try:
                compile_model(name, schemas)
            except InvalidModelError as error:
                raise import_failed(f"Unable to create model for '{name}': {error}") from None


def _between_models(value: Any) -> Any:
    """Write references between the schemas of a document as references between the models of an API."""
    if isinstance(value, list):
        return [_between_models(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = re.fullmatch(r"#/(?:definitions|components/schemas)/(\w+)", str(value.get("$ref", "")))
    return {"$ref": MODEL_URL + found[1]} if found else {key: _between_models(one) for key, one in value.items()}
