"""A request that ends before its integration has answered it: what went wrong, and as which gateway response it leaves.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

# Response type → default status; the two DEFAULT types keep the status of the error.
TYPES: dict[str, int | None] = {
    "ACCESS_DENIED": 403,
    "API_CONFIGURATION_ERROR": 500,
    "AUTHORIZER_CONFIGURATION_ERROR": 500,
    "AUTHORIZER_FAILURE": 500,
    "BAD_REQUEST_BODY": 400,
    "BAD_REQUEST_PARAMETERS": 400,
    "DEFAULT_4XX": None,
    "DEFAULT_5XX": None,
    "EXPIRED_TOKEN": 403,
    "INTEGRATION_FAILURE": 504,
    "INTEGRATION_TIMEOUT": 504,
    "INVALID_API_KEY": 403,
    "INVALID_SIGNATURE": 403,
    "MISSING_AUTHENTICATION_TOKEN": 403,
    "QUOTA_EXCEEDED": 429,
    "REQUEST_TOO_LARGE": 413,
    "RESOURCE_NOT_FOUND": 404,
    "THROTTLED": 429,
    "UNAUTHORIZED": 401,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "WAF_FILTERED": 403,
}


class GatewayError(Exception):
    """A request ends here, with a gateway response.

    *error_type* is what the header ``x-amzn-ErrorType`` says; *reason* goes into the execution log and never to the
    client, who gets *message* only (``None`` is ``null``).
    """

    def __init__(
        self, response_type: str, message: str | None, error_type: str, *, status: int | None = None, reason: str = ""
    ) -> None:
        super().__init__(reason or message)
        self.response_type = response_type
        self.message = message
        self.error_type = error_type
        self.status = status or TYPES[response_type] or 500
        self.reason = reason


def internal_server_error(reason: str, *, status: int = 500) -> GatewayError:
    """The error whose cause only the execution log tells: a wrong set-up (500) or a function that failed (502)."""
    response_type = "API_CONFIGURATION_ERROR" if status == 500 else "DEFAULT_5XX"
    return GatewayError(
        response_type, "Internal server error", "InternalServerErrorException", status=status, reason=reason
    )


def configuration_error(what: str, *, status: int = 500) -> GatewayError:
    """The error for a set-up that cannot work, in the words of the execution log."""
    return internal_server_error(f"Execution failed due to configuration error: {what}", status=status)


def integration_timeout(what: str) -> GatewayError:
    """The error for an integration that did not answer in time."""
    return GatewayError(
        "INTEGRATION_TIMEOUT", "Endpoint request timed out", "InternalServerErrorException",
        reason=f"Execution failed due to a timeout error: {what}",
    )  # fmt: skip


def access_denied(message: str) -> GatewayError:
    """The error for a caller whom policies keep out."""
    return GatewayError("ACCESS_DENIED", message, "AccessDeniedException")


def missing_authentication_token(reason: str) -> GatewayError:
    """The error for a request that is not signed, and for one that no method answers."""
    return GatewayError(
        "MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token", "MissingAuthenticationTokenException",
        reason=reason,
    )  # fmt: skip
