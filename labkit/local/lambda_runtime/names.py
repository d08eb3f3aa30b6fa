"""How callers name a function: by name, ARN or partial ARN, each with or without a version or an alias behind it.

https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
"""

from __future__ import annotations

import re

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError

LATEST = "$LATEST"
NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")
REFERENCE = re.compile(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?(?P<region>(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?"
    r"(function:)?(?P<name>[a-zA-Z0-9-_\.]+)(:(?P<qualifier>\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
PATTERN = re.sub(r"\?P<\w+>", "", REFERENCE.pattern)
QUALIFIER = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
UNQUALIFIED_ONLY = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please "
    "specify either a function name or an unqualified function ARN."
)


def split(arn: str) -> tuple[str, str]:
    """Return the unqualified ARN and the qualifier (``""`` for none) of a function's ARN."""
    parts = arn.split(":", 7)
    return ":".join(parts[:7]), parts[7] if len(parts) > 7 else ""


def joined(arn: str, qualifier: str) -> str:
    """Return the ARN with its qualifier behind it, if there is one."""
    return f"{arn}:{qualifier}" if qualifier else arn


def read(name: str, region: str) -> tuple[str, str]:
    """Return the unqualified ARN and the qualifier of a function named in any form.

    Raises:
        AwsError: ``ValidationException`` for what is no name, ``ResourceNotFoundException`` for another region.
    """
    found = REFERENCE.fullmatch(name)
    if not found:
        raise violation(name, "functionName", f"satisfy regular expression pattern: {PATTERN}")
    elsewhere = (found["region"] or "").rstrip(":")
    if elsewhere and elsewhere != region:
        text = f"Functions from '{elsewhere}' are not reachable in this region ('{region}')"
        raise AwsError("ResourceNotFoundException", text, 404, Type="User")
    return f"arn:aws:lambda:{region}:{ACCOUNT_ID}:function:{found['name']}", found["qualifier"] or ""


def named(call: ApiCall) -> tuple[str, str]:
    """Return the unqualified ARN and the qualifier that a call names, by FunctionName and Qualifier.

    Raises:
        AwsError: as :func:`read`; ``InvalidParameterValueException`` where the two contradict each other.
    """
    arn, inside = read(str(call.params.get("FunctionName") or ""), call.region)
    beside = call.params.get("Qualifier")
    if beside is None:
        return arn, inside
    if len(beside) > 128:
        raise violation(beside, "qualifier", "have length less than or equal to 128")
    if not re.fullmatch(QUALIFIER, beside):
        raise violation(beside, "qualifier", f"satisfy regular expression pattern: {QUALIFIER}")
    if inside and inside != beside:
        raise invalid("The derived qualifier from the function name does not match the specified qualifier.")
    return arn, beside


def unqualified(call: ApiCall) -> str:
    """Return the ARN of a call that is about a function as a whole.

    Raises:
        AwsError: as :func:`named`; ``InvalidParameterValueException`` for a version or an alias.
    """
    arn, qualifier = named(call)
    if qualifier:
        raise invalid(UNQUALIFIED_ONLY)
    return arn


def invalid(message: str) -> AwsError:
    """The error for a value that Lambda does not take."""
    return AwsError("InvalidParameterValueException", message, 400, Type="User")


def violation(value: object, member: str, rule: str) -> AwsError:
    """The error for a value that the service model does not allow: *member* must *rule*."""
    text = (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {rule}"
    )
    return AwsError("ValidationException", text)


def not_found(arn: str) -> AwsError:
    """The error for a function, a version or an alias that is not there."""
    return AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404, Type="User")


def stale(look: str = "GetFunction/GetAlias") -> AwsError:
    """The error for a RevisionId that is not the current one; *look* names the call that returns it."""
    text = "The Revision Id provided does not match the latest Revision Id. Call the "
    return AwsError(
        "PreconditionFailedException", f"{text}{look} API to retrieve the latest Revision Id", 412, Type="User"
    )
