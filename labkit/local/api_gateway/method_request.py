"""The method request: one HTTP request on its way through a deployed API, with all that API Gateway knows about it."""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from labkit.local.api_call import ACCOUNT_ID, Headers, HttpRequest
from labkit.local.api_gateway.gateway_error import GatewayError


@dataclass(slots=True)
class MethodRequest:
    """A request and its context.

    *path* is raw, without the stage. *stage* is the live stage, *api* the deployed picture of the API. The fields from
    *resource* on are filled in on the way: by routing, an authorizer, the API key check, an error. *log* is the
    execution log.
    """

    http: HttpRequest
    api: dict[str, Any]
    api_id: str
    region: str
    stage: dict[str, Any]
    path: str
    received: float
    resource: dict[str, Any] = field(default_factory=dict)
    method: dict[str, Any] = field(default_factory=dict)
    path_parameters: dict[str, str] = field(default_factory=dict)
    api_key: dict[str, Any] | None = None
    usage_identifier_key: str = ""
    authorizer: dict[str, Any] | None = None
    iam_identity: dict[str, Any] = field(default_factory=dict)
    error: GatewayError | None = None
    log: list[str] = field(default_factory=list)
    query: list[tuple[str, str]] = field(init=False)
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    extended_request_id: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(11)).decode())
    trace_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.query = parse_qsl(self.http.query, keep_blank_values=True)
        root = f"Root=1-{int(self.received):08x}-{secrets.token_hex(12)}"
        self.trace_id = self.http.headers.get("x-amzn-trace-id") or root

    @property
    def headers(self) -> Headers:
        """The headers as the client sent them."""
        return self.http.headers

    @property
    def content_type(self) -> str:
        """The media type of the body, in lower case; API Gateway takes it for JSON where the client does not say."""
        return self.headers.get("content-type").split(";")[0].strip().lower() or "application/json"

    @property
    def text(self) -> str:
        """The body as text."""
        return self.http.body.decode("utf-8", "replace")

    @property
    def stage_variables(self) -> dict[str, str]:
        """The variables of the stage."""
        return self.stage.get("variables") or {}

    @property
    def settings(self) -> dict[str, Any]:
        """The stage's settings of this method, or those of all methods."""
        settings = self.stage.get("methodSettings") or {}
        path, verb = self.resource.get("path", ""), self.method.get("httpMethod", "")
        names = (f"{path.replace('/', '~1')}/{verb}", f"{path.removeprefix('/')}/{verb}", "*/*")
        return next((settings[name] for name in names if name in settings), {})

    @property
    def given_api_key(self) -> str:
        """The value of the API key that came with the request, or that the authorizer gave it."""
        from_authorizer = self.api.get("apiKeySource") == "AUTHORIZER"
        return self.usage_identifier_key if from_authorizer else self.headers.get("x-api-key")

    @property
    def arn(self) -> str:
        """The ARN of the method as the request names it: ``…:execute-api:region:account:api/stage/POST/visits/7``."""
        where = f"{self.api_id}/{self.stage['stageName']}/{self.http.method}/{self.path.lstrip('/')}"
        return f"arn:aws:execute-api:{self.region}:{ACCOUNT_ID}:{where}"

    def last_query_value(self, name: str) -> str | None:
        """Return the last value of a query parameter."""
        return next((value for key, value in reversed(self.query) if key == name), None)

    def parameter(self, name: str) -> str | None:
        """Find a parameter in the path, then in the query string, then in the headers."""
        if name in self.path_parameters:
            return self.path_parameters[name]
        found = self.last_query_value(name)
        return found if found is not None else self.headers.get(name) if name in self.headers else None

    def identity(self) -> dict[str, Any]:
        """Who calls; key and key id are there for methods that ask for a key only."""
        names = (
            "accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType",
            "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn",
        )  # fmt: skip
        identity: dict[str, Any] = dict.fromkeys(names)
        identity |= {"sourceIp": self.http.source_ip, "userAgent": self.headers.get("user-agent") or None}
        identity |= self.iam_identity
        if self.api_key:
            identity |= {"apiKey": self.api_key["value"], "apiKeyId": self.api_key["id"]}
        return identity

    def context(self) -> dict[str, Any]:
        """Return ``requestContext`` of the event, which is also ``$context`` of templates.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
        """
        return {
            "resourceId": self.resource.get("id"),
            "resourcePath": self.resource.get("path"),
            "httpMethod": self.http.method,
            "extendedRequestId": self.extended_request_id,
            "requestTime": datetime.fromtimestamp(self.received, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "path": f"/{self.stage['stageName']}{self.path}",
            "accountId": ACCOUNT_ID,
            "protocol": "HTTP/1.1",
            "stage": self.stage["stageName"],
            "domainPrefix": self.api_id,
            "requestTimeEpoch": int(self.received * 1000),
            "requestId": self.request_id,
            "identity": self.identity(),
            "domainName": self.headers.get("host"),
            "deploymentId": self.stage.get("deploymentId"),
            "apiId": self.api_id,
            **({"authorizer": self.authorizer} if self.authorizer is not None else {}),
        }

    def error_context(self) -> dict[str, str | None]:
        """Return ``$context.error`` of gateway responses; *messageString* is quoted as JSON."""
        if self.error is None:
            return {}
        return {
            "message": self.error.message,
            "messageString": json.dumps(self.error.message),
            "responseType": self.error.response_type,
            "validationErrorString": self.error.reason,
        }
