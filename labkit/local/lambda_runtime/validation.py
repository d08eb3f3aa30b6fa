"""What a function may be called and how it may be configured.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
"""

from __future__ import annotations

import re
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, AwsError

NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")
ARN = re.compile(r"arn:aws[\w-]*:lambda:(?P<region>[\w-]+):(?P<account>\d{12}):function:(?P<name>[\w-]+)(:\$LATEST)?")
PARTIAL = re.compile(r"(\d{12}:function:)?(?P<name>[\w-]+)(:\$LATEST)?")
RUNTIME = re.compile(r"python3\.\d+")
DESTINATION = re.compile(r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}(-gov)?-[a-z]+-\d{1})?:(\d{12})?:(.*)")
LARGEST_ENVIRONMENT = 4096


def function_arn(name: str, region: str) -> str:
    """Return the ARN of a function given by its name, ARN or partial ARN.

    Raises:
        AwsError: ``ValidationException`` for anything else.
    """
    if found := ARN.fullmatch(name):
        return f"arn:aws:lambda:{found['region']}:{ACCOUNT_ID}:function:{found['name']}"
    found = PARTIAL.fullmatch(name)
    if not found or not NAME.fullmatch(found["name"]):
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z0-9-_]{1,64}",
        )
    return f"arn:aws:lambda:{region}:{ACCOUNT_ID}:function:{found['name']}"


def check_configuration(params: dict[str, Any], *, creating: bool) -> None:
    """Refuse what Lambda refuses, and what the local cloud cannot run.

    Raises:
        AwsError: ``InvalidParameterValueException`` or ``ValidationException``.
    """
    required = ("Role", "Handler", "Runtime", "Code") if creating else ()
    for name in required:
        if not params.get(name):
            raise AwsError("InvalidParameterValueException", f"{name} is required for a function in a zip.", 400)
    runtime = params.get("Runtime")
    if runtime and not RUNTIME.fullmatch(str(runtime)):
        raise AwsError(
            "InvalidParameterValueException",
            f"The local cloud runs python3.x functions only; Runtime was {runtime!r}.",
            400,
        )
    for unsupported in ("Layers", "VpcConfig", "ImageConfig", "FileSystemConfigs"):
        wanted = params.get(unsupported)
        if any(wanted.values()) if isinstance(wanted, dict) else wanted:  # a VpcConfig of empty lists asks for nothing
            raise AwsError(
                "InvalidParameterValueException", f"The local cloud does not support {unsupported} yet.", 400
            )
    _check_range(params, "Timeout", 1, 900)
    _check_range(params, "MemorySize", 128, 10_240)
    variables = (params.get("Environment") or {}).get("Variables") or {}
    if sum(len(k.encode()) + len(str(v).encode()) for k, v in variables.items()) > LARGEST_ENVIRONMENT:
        raise AwsError(
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided exceeded the 4KB limit.",
            400,
        )


def check_destination(arn: str, function: str) -> None:
    """Refuse what can be no destination of the asynchronous invocations of *function* (its ARN).

    Raises:
        AwsError: ``ValidationException`` for anything but an ARN, else ``InvalidParameterValueException``.
    """
    if not DESTINATION.fullmatch(arn):
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{arn}' at 'destinationConfig.onFailure.destination' failed to "
            f"satisfy constraint: Member must satisfy regular expression pattern: ^$|{DESTINATION.pattern}",
        )
    if arn.removesuffix(":$LATEST") == function:
        raise AwsError(
            "InvalidParameterValueException", "You can't specify the function as a destination for itself.", Type="User"
        )
    service = arn.split(":")[2]
    if service == "events":
        raise AwsError(
            "InvalidParameterValueException", "The local cloud does not deliver to an event bus yet.", Type="User"
        )
    if service not in ("sqs", "sns", "lambda"):
        raise AwsError("InvalidParameterValueException", f"The destination ARN {arn} is invalid.", Type="User")


def _check_range(params: dict[str, Any], name: str, lowest: int, highest: int) -> None:
    value = params.get(name)
    if value is None:
        return
    if not lowest <= value <= highest:
        bound = f"less than or equal to {highest}" if value > highest else f"greater than or equal to {lowest}"
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{value}' at '{name[0].lower()}{name[1:]}' failed to satisfy "
            f"constraint: Member must have value {bound}",
        )
