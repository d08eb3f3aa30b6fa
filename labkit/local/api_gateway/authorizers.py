"""Lambda authorizers: a function says by a policy who may call which method.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labkit.local.api_gateway.gateway_error import GatewayError, access_denied
from labkit.local.api_gateway.headers import grouped, headers_of
from labkit.local.api_gateway.lambda_integration import LambdaIntegration, error_message
from labkit.local.api_gateway.mapping_template import value_of
from labkit.local.api_gateway.method_request import MethodRequest
from labkit.local.policy import Decision, evaluate

DEFAULT_TTL = 300
MOST_RESULTS = 10_000


@dataclass(frozen=True, slots=True)
class Result:
    """What an authorizer's function said, and until when it counts."""

    principal_id: str
    policy: dict[str, Any]
    context: dict[str, str]
    usage_identifier_key: str
    milliseconds: int
    expires: float


class Authorizers:
    """Ask authorizers, and remember what they said: a result counts for every method, which surprises many.

    Args:
        functions: Invokes their functions.
        now: Epoch seconds.
    """

    def __init__(self, *, functions: LambdaIntegration, now: Callable[[], float]) -> None:
        self._functions = functions
        self._now = now
        self._results: dict[tuple[str, ...], Result] = {}
        self._forgotten = 0

    def forget(self, api_id: str, stage_name: str | None = None) -> None:
        """Forget the results for an API, or for one of its stages; what is asked by now is not remembered either."""
        self._forgotten += 1
        self._results = {
            key: kept
            for key, kept in self._results.items()
            if key[0] != api_id or (stage_name is not None and key[1] != stage_name)
        }

    async def admit(self, request: MethodRequest, by_resource: Decision | None) -> None:
        """Let *request* pass if its authorizer's policy or the API's own, whose decision is given, allows the method.

        Raises:
            GatewayError: UNAUTHORIZED, ACCESS_DENIED, AUTHORIZER_FAILURE or AUTHORIZER_CONFIGURATION_ERROR.
        """
        authorizer = (request.api.get("authorizers") or {}).get(request.method.get("authorizerId") or "")
        if authorizer is None:
            raise _configuration_error("the method's authorizer does not exist")
        identity = _identity(request, authorizer)
        ttl = authorizer.get("authorizerResultTtlInSeconds")
        ttl = DEFAULT_TTL if ttl is None else int(ttl)
        key = (request.api_id, request.stage["stageName"], str(request.stage["deploymentId"]), authorizer["id"])
        result = self._results.get((*key, *identity)) if ttl and identity else None
        if result is None or result.expires <= self._now():
            forgotten = self._forgotten
            result = await self._ask(request, authorizer, identity, ttl)
            if ttl and identity and forgotten == self._forgotten:
                if len(self._results) >= MOST_RESULTS:
                    self._results.clear()
                self._results[*key, *identity] = result
        request.usage_identifier_key = result.usage_identifier_key
        _judge(request, result, by_resource)

    async def _ask(self, request: MethodRequest, authorizer: dict[str, Any], identity: list[str], ttl: int) -> Result:
        event = _token_event(request, identity) if authorizer["type"] == "TOKEN" else _request_event(request)
        began = self._now()
        try:
            invoked = await self._functions.invoke(
                request,
                uri=authorizer.get("authorizerUri"),
                credentials=authorizer.get("authorizerCredentials"),
                arrow=f"authorizers/{authorizer['id']}",
                payload=json.dumps(event).encode(),
            )
        except GatewayError as error:
            raise _not_asked(error.reason) from error
        if invoked.function_error:
            if (message := error_message(invoked.payload)) == "Unauthorized":
                raise _unauthorized("the authorizer's function raised «Unauthorized»")
            raise GatewayError(
                "AUTHORIZER_FAILURE", None, "AuthorizerFailureException",
                reason=f"Execution failed due to an authorizer error: {message}",
            )  # fmt: skip
        ended = self._now()
        return _read(invoked.payload, milliseconds=round((ended - began) * 1000), expires=ended + ttl)


def _identity(request: MethodRequest, authorizer: dict[str, Any]) -> list[str]:
    """Return the values of the identity sources; without one of them nobody is asked."""
    sources = [one.strip() for one in (authorizer.get("identitySource") or "").split(",") if one.strip()]
    values = [value_of(source, request) for source in sources]
    missing = [source for source, value in zip(sources, values, strict=True) if not value]
    if missing:
        raise _unauthorized(f"the request has no {missing[0]}")
    identity = [value for value in values if value]
    pattern = authorizer.get("identityValidationExpression")
    if authorizer["type"] == "TOKEN" and pattern and not _fits(pattern, identity[0] if identity else ""):
        raise _unauthorized(f"the token does not match {pattern!r}")
    return identity


def _fits(pattern: str, token: str) -> bool:
    try:
        return re.fullmatch(pattern, token) is not None
    except re.error as error:
        raise _configuration_error(f"identityValidationExpression {pattern!r}: {error}") from error


def _token_event(request: MethodRequest, identity: list[str]) -> dict[str, Any]:
    token = identity[0] if identity else ""
    return {"type": "TOKEN", "methodArn": request.arn, "authorizationToken": token}


def _request_event(request: MethodRequest) -> dict[str, Any]:
    """Return the event of a REQUEST authorizer: that of the function behind it, without the body.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
    """
    headers = headers_of(request)
    return {
        "type": "REQUEST",
        "methodArn": request.arn,
        "resource": request.resource["path"],
        "path": request.path,
        "httpMethod": request.http.method,
        "headers": dict(headers),
        "multiValueHeaders": grouped(headers),
        "queryStringParameters": dict(request.query),
        "multiValueQueryStringParameters": grouped(request.query),
        "pathParameters": request.path_parameters,
        "stageVariables": request.stage_variables,
        "requestContext": request.context(),
    }


def _read(payload: bytes, *, milliseconds: int, expires: float) -> Result:
    """Read what the function returned.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
    """
    try:
        answer = json.loads(payload)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise _configuration_error("the authorizer's function returned no object")
    principal, policy, context = (answer.get(name) for name in ("principalId", "policyDocument", "context"))
    if not isinstance(principal, str) or not isinstance(policy, dict):
        raise _configuration_error("the authorizer's function must return principalId and policyDocument")
    if not isinstance(context or {}, dict):
        raise _configuration_error("the authorizer's context must be an object")
    if nested := [name for name, value in (context or {}).items() if isinstance(value, dict | list)]:
        raise _configuration_error(f"the authorizer's context holds an object or list: {nested[0]}")
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in (context or {}).items()
        if value is not None
    }
    return Result(principal, policy, texts, str(answer.get("usageIdentifierKey") or ""), milliseconds, expires)


def _judge(request: MethodRequest, result: Result, by_resource: Decision | None) -> None:
    try:
        decision = evaluate([result.policy], "execute-api:Invoke", request.arn)
    except (AttributeError, TypeError, ValueError) as error:
        raise _configuration_error(f"the authorizer's policyDocument is none: {error}") from error
    if decision == "explicit-deny" or "allow" not in (decision, by_resource):
        message = "User is not authorized to access this resource"
        if decision == "explicit-deny":
            message += " with an explicit deny"
        raise access_denied(message)
    request.authorizer = {
        **result.context,
        "principalId": result.principal_id,
        "integrationLatency": result.milliseconds,
    }


def _unauthorized(reason: str) -> GatewayError:
    return GatewayError("UNAUTHORIZED", "Unauthorized", "UnauthorizedException", reason=f"Unauthorized: {reason}")


def _configuration_error(what: str) -> GatewayError:
    return _not_asked(f"Execution failed due to configuration error: {what}")


def _not_asked(reason: str) -> GatewayError:
    return GatewayError("AUTHORIZER_CONFIGURATION_ERROR", None, "AuthorizerConfigurationException", reason=reason)
