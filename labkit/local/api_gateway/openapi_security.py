"""What an OpenAPI document says of who may call: API keys, IAM, authorizers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authorizer.html
"""

from __future__ import annotations

from typing import Any

from labkit.local.api_gateway.openapi_document import EXTENSION, Document, import_failed, text, texts

AUTHORIZER_TYPES = ("TOKEN", "REQUEST", "COGNITO_USER_POOLS")


class Security:
    """The security schemes of a document. *authorizers* holds those that become authorizers, by name."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._schemes = {name: document.resolved(one, name) for name, one in document.security_schemes.items()}
        self.authorizers = {
            name: self._authorizer(name, scheme)
            for name, scheme in self._schemes.items()
            if f"{EXTENSION}authorizer" in scheme
        }

    def of(self, operation: dict[str, Any], where: str) -> dict[str, Any]:
        """Return ``apiKeyRequired``, ``authorizationType`` and ``authorizer`` (a name) of an operation."""
        required = operation.get("security", self._document.content.get("security"))
        if required is not None and not isinstance(required, list):
            raise import_failed(f"Unable to put method {where}: its security must be a list")
        answer: dict[str, Any] = {"apiKeyRequired": False, "authorizationType": "NONE", "authorizer": None}
        for name in [name for one in required or [] if isinstance(one, dict) for name in one]:
            scheme = self._schemes.get(name)
            if scheme is None:
                raise import_failed(f"Unable to put method {where}: there is no security scheme '{name}'")
            if name in self.authorizers:
                is_pool = self.authorizers[name]["type"] == "COGNITO_USER_POOLS"
                answer |= {"authorizer": name, "authorizationType": "COGNITO_USER_POOLS" if is_pool else "CUSTOM"}
            elif str(scheme.get(f"{EXTENSION}authtype", "")).lower() == "awssigv4":
                answer["authorizationType"] = "AWS_IAM"
            elif scheme.get("type") == "apiKey" and str(scheme.get("name")).lower() == "x-api-key":
                answer["apiKeyRequired"] = True
        own = self._document.member(operation, f"{EXTENSION}auth")
        if str(own.get("type", "")).upper() in ("NONE", "AWS_IAM"):
            answer |= {"authorizationType": str(own["type"]).upper(), "authorizer": None}
        return answer

    def _authorizer(self, name: str, scheme: dict[str, Any]) -> dict[str, Any]:
        written = self._document.member(scheme, f"{EXTENSION}authorizer")
        kind = str(written.get("type", "")).upper()
        if kind not in AUTHORIZER_TYPES:
            raise import_failed(f"Unable to create authorizer '{name}': Invalid type '{written.get('type')}'")
        ttl = written.get("authorizerResultTtlInSeconds")
        source = written.get("identitySource")
        if source is None and scheme.get("in") == "header" and kind != "REQUEST":
            source = f"method.request.header.{scheme.get('name')}"
        members = ("authorizerUri", "authorizerCredentials", "identityValidationExpression")
        return {
            "type": kind,
            "authType": str(scheme.get(f"{EXTENSION}authtype") or "custom"),
            "identitySource": text(source),
            "authorizerResultTtlInSeconds": ttl if isinstance(ttl, int) else None,
            "providerARNs": texts(written.get("providerARNs"), "providerARNs"),
            **{key: text(written.get(key)) for key in members},
        }
