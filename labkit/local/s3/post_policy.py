"""The policy of a form that uploads: until when, and which fields with which values.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import AwsError

# Fields that no condition needs to name.
FREE = frozenset({"policy", "x-amz-signature", "signature", "awsaccesskeyid", "file"})


def check_post_policy(encoded: str, fields: Mapping[str, str], length: int, now: float) -> None:
    """Refuse what the policy does not allow.

    Args:
        encoded: The policy as it is in the form: JSON in base64.
        fields: The form's fields by their names in lower case, and ``bucket``.
        length: Size of the file in bytes.
        now: The time in epoch seconds.

    Raises:
        AwsError: ``InvalidPolicyDocument``, ``AccessDenied``, ``EntityTooLarge`` or ``EntityTooSmall``.
    """
    policy = _read(encoded)
    if _epoch(policy["expiration"]) < now:
        raise _denied("Policy expired.")
    named = set(FREE)
    for condition in policy["conditions"]:
        named.add(_check(condition, fields, length))
    extra = sorted(set(fields) - named - {"bucket"} - {name for name in fields if name.startswith("x-ignore-")})
    if extra:
        raise _denied(f"Extra input fields: {', '.join(extra)}")


def _read(encoded: str) -> dict[str, Any]:
    try:
        policy = json.loads(base64.b64decode(encoded))
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(policy, dict) or not isinstance(policy.get("expiration"), str):
        raise _invalid("Policy missing expiration.")
    if not isinstance(policy.get("conditions"), list):
        raise _invalid("Policy missing conditions.")
    return policy


def _epoch(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid(f"Invalid 'expiration' value: '{text}'") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _check(condition: Any, fields: Mapping[str, str], length: int) -> str:
    """Check one condition and return the field that it names."""
    if isinstance(condition, dict):
        if len(condition) != 1:
            raise _invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
        name, value = next(iter(condition.items()))
        condition = ["eq", f"${name}", value]
    if not isinstance(condition, list) or len(condition) != 3:
        raise _invalid("Invalid Condition: a condition is an object or a list of three.")
    operator, name, value = condition
    if str(operator).lower() == "content-length-range":
        _check_length(condition, length)
        return "content-length-range"
    field = str(name).removeprefix("$").lower()
    actual = fields.get(field, "")
    met = {"eq": actual == value, "starts-with": actual.startswith(str(value))}.get(str(operator).lower(), False)
    if not met or not str(name).startswith("$"):
        raise _denied(f"Policy Condition failed: {json.dumps(condition, ensure_ascii=False)}")
    return field


def _check_length(condition: list[Any], length: int) -> None:
    try:
        smallest, largest = int(condition[1]), int(condition[2])
    except (TypeError, ValueError):
        raise _denied(f"Policy Condition failed: {json.dumps(condition, ensure_ascii=False)}") from None
    if length > largest:
        text = "Your proposed upload exceeds the maximum allowed size"
        raise AwsError("EntityTooLarge", text, 400, ProposedSize=str(length), MaxSizeAllowed=str(largest))
    if length < smallest:
        text = "Your proposed upload is smaller than the minimum allowed size"
        raise AwsError("EntityTooSmall", text, 400, ProposedSize=str(length), MinSizeAllowed=str(smallest))


def _denied(reason: str) -> AwsError:
    return AwsError("AccessDenied", f"Invalid according to Policy: {reason}", 403)


def _invalid(reason: str) -> AwsError:
    return AwsError("InvalidPolicyDocument", f"Invalid Policy: {reason}", 400)
