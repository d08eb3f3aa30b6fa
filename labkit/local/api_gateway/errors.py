"""The errors of API Gateway's own operations.

https://docs.aws.amazon.com/apigateway/latest/api/CommonErrors.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import AwsError


def bad_request(message: str) -> AwsError:
    """The call asks for what cannot be."""
    return AwsError("BadRequestException", message)


def conflict(message: str) -> AwsError:
    """What the call wants to make is there, or what it wants to delete is in use."""
    return AwsError("ConflictException", message, 409)


def not_found(message: str) -> AwsError:
    """The call names what does not exist."""
    return AwsError("NotFoundException", message, 404)


def check_status_code(status_code: str) -> None:
    """Refuse what is no HTTP status."""
    if not re.fullmatch(r"[1-5]\d\d", status_code):
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{status_code}' at 'statusCode' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [1-5]\d\d",
        )


def known(parameter: str, kept: str, message: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Return the check of a call that names by *parameter* what *setup* must keep under *kept*; ``{}`` is its value."""

    def check(params: dict[str, Any], setup: dict[str, Any]) -> None:
        if params[parameter] not in setup[kept]:
            raise not_found(message.format(params[parameter]))

    return check
