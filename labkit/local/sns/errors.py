"""The error of SNS for a parameter that it refuses.

https://docs.aws.amazon.com/sns/latest/api/CommonErrors.html
"""

from __future__ import annotations

from labkit.local.api_call import AwsError


def invalid(message: str) -> AwsError:
    """The error; *message* says which parameter, and what is wrong with it."""
    return AwsError("InvalidParameter", f"Invalid parameter: {message}")
