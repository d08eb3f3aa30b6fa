"""Methods with the authorization type AWS_IAM: who signed the request, and whether they may invoke the method.

https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import AwsError, Caller, HttpRequest
from labkit.local.api_gateway.gateway_error import GatewayError, missing_authentication_token
from labkit.local.api_gateway.method_request import MethodRequest
from labkit.local.api_gateway.resource_policy import ACTION, context_of, denied, policy_of

RESPONSE_TYPES = {"InvalidSignatureException": "INVALID_SIGNATURE", "ExpiredTokenException": "EXPIRED_TOKEN"}

Identify = Callable[[HttpRequest, str], Awaitable[tuple[Caller, str, str]]]
CallerCan = Callable[..., Awaitable[bool]]


class IamAuthorization:
    """Admit signed requests.

    Args:
        identify: ``await identify(request, service)`` returns caller, region and service; it refuses a bad signature.
        caller_can: ``await caller_can(caller, action, resource, policy, context)``, *policy* being the API's own.
    """

    def __init__(self, *, identify: Identify, caller_can: CallerCan) -> None:
        self._identify = identify
        self._caller_can = caller_can

    async def admit(self, request: MethodRequest) -> None:
        """Let *request* pass if who signed it may invoke the method.

        Raises:
            GatewayError: MISSING_AUTHENTICATION_TOKEN, INVALID_SIGNATURE, EXPIRED_TOKEN or ACCESS_DENIED.
        """
        try:
            caller, _, service = await self._identify(request.http, "execute-api")
        except AwsError as error:
            if error.code.startswith("MissingAuthenticationToken"):
                raise missing_authentication_token("the request is not signed") from error
            raise _refused(error.code, error.message) from error
        if caller.kind == "anonymous":
            raise missing_authentication_token("the request is not signed")
        if service != "execute-api":
            raise _refused(
                "InvalidSignatureException", "Credential should be scoped to correct service: 'execute-api'."
            )
        if not await self._caller_can(caller, ACTION, request.arn, policy_of(request), context_of(request)):
            raise denied(request, caller.arn)
        request.iam_identity = _identity(caller)


def _refused(code: str, message: str) -> GatewayError:
    error_type = code if code.endswith("Exception") else f"{code}Exception"
    return GatewayError(RESPONSE_TYPES.get(error_type, "DEFAULT_4XX"), message, error_type, status=403)


def _identity(caller: Caller) -> dict[str, Any]:
    """What ``$context.identity`` says of the caller.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
    """
    principal = caller.principal_id or caller.account_id
    return {
        "accessKey": caller.access_key_id,
        "accountId": caller.account_id,
        "caller": principal,
        "user": principal,
        "userArn": caller.arn,
    }
