"""The errors that many operations of SQS share.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from typing import Any

from labkit.local.api_call import AwsError


def invalid(message: str) -> AwsError:
    """The error for what does not fit."""
    return AwsError("InvalidParameterValue", message)


def invalid_value(value: object, parameter: str, reason: str) -> AwsError:
    """The error for a value of a parameter."""
    return invalid(f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")


def not_for_this_type(value: object, parameter: str) -> AwsError:
    """The error for a parameter that standard queues have and FIFO queues have not, or the reverse."""
    return invalid_value(value, parameter, "The request include parameter that is not valid for this queue type.")


def missing(parameter: str) -> AwsError:
    """The error for a parameter that must be there."""
    return AwsError("MissingParameter", f"The request must contain the parameter {parameter}.")


def number_of(params: dict[str, Any], parameter: str, most: int) -> int | None:
    """Return how many of something a request asks for, ``None`` where it does not say.

    Raises:
        AwsError: ``InvalidParameterValue``.
    """
    number: int | None = params.get(parameter)
    if number is not None and not 1 <= number <= most:
        raise invalid_value(number, parameter, f"Must be between 1 and {most}, if provided.")
    return number
