"""Resource policies of REST APIs: who may call the API, from where.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
"""

from __future__ import annotations

import json
from typing import Any

from labkit.local.api_call import ACCOUNT_ID
from labkit.local.api_gateway.errors import bad_request
from labkit.local.api_gateway.gateway_error import GatewayError, access_denied, internal_server_error
from labkit.local.api_gateway.method_request import MethodRequest
from labkit.local.clock import iso
from labkit.local.policy import Decision, allows_principal

ACTION = "execute-api:Invoke"
SHORT = "execute-api:/"


def read_policy(text: str) -> dict[str, Any]:
    """Read a policy as it is given.

    Raises:
        AwsError: BadRequestException: it is no policy.
    """
    try:
        policy = json.loads(text)
        statements = policy["Statement"]
        statements = statements if isinstance(statements, list) else [statements]
        good = all(
            isinstance(one["Principal"], dict | str) and one["Effect"] in ("Allow", "Deny") and one["Action"]
            for one in statements
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        good = False
    if not good:
        raise bad_request(
            "Invalid policy document. Please check the policy syntax and ensure that Principals are valid."
        )
    return {**policy, "Statement": statements}


def policy_of(request: MethodRequest) -> dict[str, Any] | None:
    """Return the policy of a request's API, with ``execute-api:/stage/…`` written as ARNs; ``None`` without one."""
    text = request.api.get("policy")
    if not text:
        return None
    own = f"arn:aws:execute-api:{request.region}:{ACCOUNT_ID}:{request.api_id}/"

    def arns(value: Any) -> Any:
        if isinstance(value, list):
            return [arns(one) for one in value]
        return own + value.removeprefix(SHORT) if isinstance(value, str) and value.startswith(SHORT) else value

    policy = read_policy(text)
    statements = [
        {name: arns(value) if name in ("Resource", "NotResource") else value for name, value in one.items()}
        for one in policy["Statement"]
    ]
    return {**policy, "Statement": statements}


def context_of(request: MethodRequest) -> dict[str, str]:
    """Return what conditions know of a request."""
    headers = {"aws:UserAgent": request.headers.get("user-agent"), "aws:Referer": request.headers.get("referer")}
    return {
        "aws:SourceIp": request.http.source_ip,
        "aws:SecureTransport": "true",  # as on AWS, where execute-api speaks HTTPS only
        "aws:CurrentTime": iso(request.received),
        "aws:EpochTime": str(int(request.received)),
        **{name: value for name, value in headers.items() if value},
    }


def decide(request: MethodRequest) -> Decision | None:
    """Decide about a caller whom nobody knows; ``None`` where the API has no policy."""
    policy = policy_of(request)
    if policy is None:
        return None
    try:
        return allows_principal(policy, principal={}, action=ACTION, resource=request.arn, context=context_of(request))
    except (AttributeError, TypeError, ValueError) as error:
        raise internal_server_error(f"the API's resource policy cannot be read: {error}") from error


def denied(request: MethodRequest, caller: str = "anonymous", *, explicitly: bool = False) -> GatewayError:
    """The error for a caller whom policies keep out."""
    resource = request.arn.replace(ACCOUNT_ID, "*" * 8 + ACCOUNT_ID[-4:])
    message = f"User: {caller} is not authorized to perform: {ACTION} on resource: {resource}"
    return access_denied(message + (" with an explicit deny" if explicitly else ""))
