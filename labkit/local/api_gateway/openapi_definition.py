"""What an OpenAPI document says of a REST API, in the words of API Gateway, as plain data.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from labkit.local.api_gateway.gateway_error import TYPES
from labkit.local.api_gateway.method_checks import INTEGRATION_TYPES
from labkit.local.api_gateway.openapi_document import EXTENSION, Document, import_failed, mapping, text, texts, values
from labkit.local.api_gateway.openapi_models import Models
from labkit.local.api_gateway.openapi_security import Security

ANY_METHOD = f"{EXTENSION}any-method"
VERBS = {name: name.upper() for name in ("get", "put", "post", "delete", "patch", "options", "head")} | {
    ANY_METHOD: "ANY"
}
PLACES = {"query": "querystring", "header": "header", "path": "path"}


def read_definition(document: Document, base_path: str) -> dict[str, Any]:
    """Return an API as a document describes it.

    Keys: ``name``, ``description``, ``version``, ``apiKeySource``, ``binaryMediaTypes``, ``minimumCompressionSize``,
    ``policy``, ``disableExecuteApiEndpoint`` (``None`` where the document is silent), ``models`` (name → ``schema``,
    ``description``), ``requestValidators``, ``gatewayResponses``, ``authorizers`` (each by name) and ``methods``
    (``path``, ``httpMethod`` and the members of PutMethod, names of validators and authorizers in the place of ids).

    Raises:
        AwsError: BadRequestException: something in it cannot become part of an API.
    """
    content, info = document.content, document.member(document.content, "info")
    if not info.get("title"):
        raise import_failed("Unable to name the API: the attribute info.title is missing")
    endpoint = document.member(content, f"{EXTENSION}endpoint-configuration")
    policy = content.get(f"{EXTENSION}policy")
    size = content.get(f"{EXTENSION}minimum-compression-size")
    definition = {
        "name": str(info["title"]),
        "description": text(info.get("description")),
        "version": text(info.get("version")),
        "apiKeySource": text(content.get(f"{EXTENSION}api-key-source")),
        "binaryMediaTypes": texts(content.get(f"{EXTENSION}binary-media-types"), "binary-media-types"),
        "minimumCompressionSize": size if isinstance(size, int) else None,
        "policy": None if policy is None else policy if isinstance(policy, str) else json.dumps(policy),
        "disableExecuteApiEndpoint": endpoint.get("disableExecuteApiEndpoint"),
    }
    reader = _Reader(document)
    methods = reader.methods(base_path)
    return {
        **definition,
        "methods": methods,
        "models": reader.models,
        "requestValidators": reader.validators,
        "gatewayResponses": _gateway_responses(document),
        "authorizers": reader.security.authorizers,
    }


def _gateway_responses(document: Document) -> dict[str, dict[str, Any]]:
    responses = {}
    for kind, value in document.member(document.content, f"{EXTENSION}gateway-responses").items():
        if kind not in TYPES:
            raise import_failed(f"Unable to put gateway response '{kind}': Invalid response type")
        response = document.resolved(value, kind)
        responses[kind] = {
            "statusCode": text(response.get("statusCode")),
            "responseParameters": mapping(document.member(response, "responseParameters")),
            "responseTemplates": mapping(document.member(response, "responseTemplates")),
        }
    return responses


class _Reader:
    """Reads the paths of a document; what they refer to gathers in *models* and *validators*."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.security = Security(document)
        self._models = Models(document)
        self.models = self._models.models
        validators = document.member(document.content, f"{EXTENSION}request-validators")
        self.validators = {name: document.resolved(one, name) for name, one in validators.items()}

    def methods(self, base_path: str) -> list[dict[str, Any]]:
        """Return the methods of all paths."""
        found = []
        for path, value in self._document.member(self._document.content, "paths").items():
            if path.startswith("x-"):
                continue
            if not path.startswith("/"):
                raise import_failed(f"Unable to create resource at path '{path}': a path begins with /")
            item = self._document.resolved(value, path)
            shared = item.get("parameters")
            verbs = [(name, verb) for name, verb in VERBS.items() if name in item]
            if "trace" in item:
                self._document.warnings.append(f"The method 'trace' of '{path}' is not supported and was left out")
            found += [
                self._method(f"{base_path}{path}", verb, self._document.resolved(item[name], name), shared)
                for name, verb in verbs
            ] or [{"path": f"{base_path}{path}", "httpMethod": None}]
        return found

    def _method(self, path: str, verb: str, operation: dict[str, Any], shared: Any) -> dict[str, Any]:
        where = f"'{verb}' for resource at path '{path}'"
        parameters, body = self._parameters(path, operation, shared)
        default = self._document.content.get(f"{EXTENSION}request-validator")
        validator = operation.get(f"{EXTENSION}request-validator", default)
        if validator is not None and str(validator) not in self.validators:
            raise import_failed(f"Unable to put method {where}: Invalid request validator '{validator}'")
        integration = operation.get(f"{EXTENSION}integration")
        return {
            "path": path,
            "httpMethod": verb,
            "operationName": text(operation.get("operationId")),
            "requestParameters": parameters,
            "requestModels": body,
            "requestValidator": text(validator),
            "methodResponses": self._responses(operation),
            "integration": None if integration is None else self._integration(integration, where),
            **self.security.of(operation, where),
        }

    def _parameters(self, path: str, operation: dict[str, Any], shared: Any) -> tuple[dict[str, bool], dict[str, str]]:
        """Return the method's request parameters, those of the path always among them, and its request models."""
        parameters = {f"method.request.path.{name}": True for name in re.findall(r"\{([^{}+]+)\+?\}", path)}
        models: dict[str, str] = {}
        for value in [*values(shared, "parameters"), *values(operation.get("parameters"), "parameters")]:
            one = self._document.resolved(value, "parameters")
            place, name = str(one.get("in")), str(one.get("name"))
            if place in PLACES:
                parameters[f"method.request.{PLACES[place]}.{name}"] = one.get("required") is True or place == "path"
            elif place == "body":
                types = texts(operation.get("consumes", self._document.content.get("consumes")), "consumes")
                model = self._models.of(one.get("schema"))
                models |= dict.fromkeys(types or ["application/json"], model) if model else {}
            else:
                self._document.warnings.append(f"The parameter '{name}' in '{place}' is not supported and was left out")
        return parameters, models | self._content_models(self._document.member(operation, "requestBody"))

    def _content_models(self, holder: dict[str, Any]) -> dict[str, str]:
        """Content type → model, as OpenAPI 3 writes them under ``content``."""
        models = {}
        for content_type, media in self._document.member(holder, "content").items():
            if model := self._models.of(self._document.resolved(media, content_type).get("schema")):
                models[content_type] = model
        return models

    def _responses(self, operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
        responses = {}
        for status, value in self._document.member(operation, "responses").items():
            if not re.fullmatch(r"[1-5]\d\d", status):
                self._document.warnings.append(f"The response '{status}' is no status code and was left out")
                continue
            response = self._document.resolved(value, status)
            models = self._content_models(response)
            if model := self._models.of(response.get("schema")):
                types = texts(operation.get("produces", self._document.content.get("produces")), "produces")
                models = dict.fromkeys(types or ["application/json"], model)
            headers = self._document.member(response, "headers")
            responses[status] = {
                "responseModels": models,
                "responseParameters": {f"method.response.header.{name}": False for name in headers},
            }
        return responses

    def _integration(self, value: Any, where: str) -> dict[str, Any]:
        """Read ``x-amazon-apigateway-integration``.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-integration.html
        """
        written = self._document.resolved(value, f"{EXTENSION}integration")
        kind = str(written.get("type", "")).upper()
        if kind not in INTEGRATION_TYPES:
            raise import_failed(
                f"Unable to put integration on {where}: Invalid integration type '{written.get('type')}'"
            )
        responses = self._document.member(written, "responses")
        timeout = written.get("timeoutInMillis")
        if timeout is not None and (not isinstance(timeout, int) or not 50 <= timeout <= 29_000):
            raise import_failed(f"Unable to put integration on {where}: Timeout should be between 50 ms and 29000 ms")
        return {
            "type": kind,
            "uri": text(written.get("uri")),
            "httpMethod": text(written.get("httpMethod")),
            "credentials": text(written.get("credentials")),
            "passthroughBehavior": str(written.get("passthroughBehavior") or "WHEN_NO_MATCH").upper(),
            "contentHandling": text(written.get("contentHandling")),
            "timeoutInMillis": timeout or 29_000,
            "connectionType": text(written.get("connectionType")) or ("INTERNET" if "HTTP" in kind else None),
            "requestParameters": mapping(self._document.member(written, "requestParameters")) or None,
            "requestTemplates": mapping(self._document.member(written, "requestTemplates")) or None,
            "cacheNamespace": text(written.get("cacheNamespace")),
            "cacheKeyParameters": texts(written.get("cacheKeyParameters"), "cacheKeyParameters"),
            "integrationResponses": [self._integration_response(*one) for one in responses.items()],
        }

    def _integration_response(self, pattern: str, value: Any) -> dict[str, Any]:
        response = self._document.resolved(value, pattern)
        return {
            "statusCode": str(response.get("statusCode", 200)),
            "selectionPattern": None if pattern == "default" else pattern,
            "responseParameters": mapping(self._document.member(response, "responseParameters")) or None,
            "responseTemplates": mapping(self._document.member(response, "responseTemplates")),
            "contentHandling": text(response.get("contentHandling")),
        }
