"""What a function may be called and how it may be configured.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.lambda_runtime.names import LATEST, NAME, invalid, read, violation
from labkit.local.lambda_runtime.runtimes import check_runtime

ROLE = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
LARGEST_ENVIRONMENT = 4096
MOST_TAGS = 50
UNSUPPORTED = (
    "VpcConfig", "ImageConfig", "FileSystemConfigs", "KMSKeyArn", "CodeSigningConfigArn", "CapacityProviderConfig",
    "DurableConfig", "TenancyConfig",
)  # fmt: skip
# The only value of a setting that changes nothing here.
ONLY = {
    "PackageType": (None, "Zip"), "TracingConfig": ("Mode", "PassThrough"), "SnapStart": ("ApplyOn", "None"),
    "LoggingConfig": ("LogFormat", "Text"),
}  # fmt: skip
OWN_VARIABLES = {
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}  # fmt: skip


def check_new_name(name: str, region: str) -> str:
    """Return the ARN for a new function's name.

    Raises:
        AwsError: ``ValidationException`` or ``InvalidParameterValueException``.
    """
    arn, qualifier = read(name, region)
    short = arn.rpartition(":")[2]
    if len(short) > 64:
        raise invalid(violation(name, "functionName", "have length less than or equal to 64").message)
    if not NAME.fullmatch(short) or qualifier not in ("", LATEST):
        raise violation(name, "functionName", "satisfy regular expression pattern: [a-zA-Z0-9-_]+")
    return arn


def check_configuration(params: dict[str, Any], *, creating: bool) -> None:
    """Refuse what Lambda refuses, and what the local cloud cannot run.

    Raises:
        AwsError: ``InvalidParameterValueException`` or ``ValidationException``.
    """
    _check_supported(params)
    for name in ("Role", "Handler", "Runtime", "Code") if creating else ():
        if not params.get(name):
            raise invalid(f"{name} is required for a function in a zip.")
    if params.get("Role") and not re.fullmatch(ROLE, params["Role"]):
        raise violation(params["Role"], "role", f"satisfy regular expression pattern: {ROLE}")
    if params.get("Runtime"):
        check_runtime(str(params["Runtime"]))
    _check_architectures(params.get("Architectures") or ["x86_64"])
    check_range("timeout", params.get("Timeout"), 1, 900)
    check_range("memorySize", params.get("MemorySize"), 128, 10_240)
    check_range("ephemeralStorage.Size", (params.get("EphemeralStorage") or {}).get("Size"), 512, 10_240)
    _check_variables((params.get("Environment") or {}).get("Variables") or {})


def _check_supported(params: dict[str, Any]) -> None:
    for name in UNSUPPORTED:
        wanted = params.get(name)
        if any(wanted.values()) if isinstance(wanted, dict) else wanted:  # a VpcConfig of empty lists asks for nothing
            raise invalid(f"The local cloud does not support {name} yet.")
    if (params.get("Code") or {}).get("ImageUri") or params.get("ImageUri"):
        raise invalid("The local cloud runs functions in zips only: it does not support ImageUri yet.")
    for name, (member, only) in ONLY.items():
        given = params.get(name) if member is None else (params.get(name) or {}).get(member)
        if given not in (None, "", only):
            inside = f"{name}.{member}" if member else name
            raise invalid(f"The local cloud does not support {inside} {given!r} yet, only {only!r}.")


def _check_architectures(given: list[str]) -> None:
    shown = f"[{', '.join(given)}]"
    if len(given) > 1:
        raise violation(shown, "architectures", "have length less than or equal to 1")
    if given[0] not in ("x86_64", "arm64"):
        rule = "satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"
        raise violation(shown, "architectures", rule)


def _check_variables(variables: dict[str, str]) -> None:
    measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) > LARGEST_ENVIRONMENT:
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the 4KB limit. String measured: {measured}"
        )
    if reserved := sorted(OWN_VARIABLES & variables.keys()):
        raise invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. Reserved keys used in "
            f"this request: {', '.join(reserved)}"
        )


def check_tags(tags: dict[str, str]) -> None:
    """Refuse more tags than a resource may have.

    Raises:
        AwsError: ``InvalidParameterValueException``.
    """
    if len(tags) > MOST_TAGS:
        raise invalid("Number of tags exceeds resource tag limit.")


async def check_dead_letter(
    params: dict[str, Any], role: str, role_can: Callable[[str, str, str], Awaitable[bool]]
) -> None:
    """Refuse a dead-letter queue or topic that is none, or that the role may not send to.

    Raises:
        AwsError: ``InvalidParameterValueException``.
    """
    arn = (params.get("DeadLetterConfig") or {}).get("TargetArn")
    if not arn:
        return
    service = str(arn).split(":")[2] if str(arn).startswith("arn:") else ""
    verb = {"sqs": "SendMessage", "sns": "Publish"}.get(service)
    if verb is None:
        raise invalid(f"The provided target is neither a queue nor a topic: {arn}")
    if str(arn).endswith(".fifo"):
        raise invalid(
            f"A function's dead-letter queue is a standard queue or topic, no FIFO one; TargetArn was {arn!r}."
        )
    if not await role_can(role, f"{service}:{verb}", arn):
        raise invalid(f"The provided execution role does not have permissions to call {verb} on {service.upper()}")


def check_range(member: str, value: int | None, lowest: int, highest: int) -> None:
    """Refuse a number that the service model does not allow.

    Raises:
        AwsError: ``ValidationException``.
    """
    if value is not None and not lowest <= value <= highest:
        bound = f"less than or equal to {highest}" if value > highest else f"greater than or equal to {lowest}"
        raise violation(value, member, f"have value {bound}")
