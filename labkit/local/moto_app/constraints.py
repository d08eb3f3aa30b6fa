"""What a service's model says of its parameters: what is required, how long a text may be, which values there are.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/CommonErrors.html (ValidationError)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import moto.core.utils as moto_utils

from labkit.local.api_call import ApiCall, AwsError


def check_constraints(call: ApiCall) -> None:
    """Refuse parameters that the model of the service does not allow, all of them in one sentence, as AWS does.

    Raises:
        AwsError: ``ValidationException``.
    """
    shape = moto_utils.get_service_model(call.service).operation_model(call.operation).input_shape
    found = list(_violations(shape, call.params, ""))
    if found:
        count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected"
        raise AwsError("ValidationException", f"{count}: {'; '.join(found)}")


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape is None:
        return
    if shape.type_name == "structure":
        yield from _members(shape, value, path)
        return
    for broken in _broken(shape, value):
        yield f"Value '{_printed(value)}' at '{path}' failed to satisfy constraint: Member must {broken}"
    if shape.type_name == "list":
        for number, one in enumerate(value, 1):
            yield from _violations(shape.member, one, f"{path}.{number}.member")
    elif shape.type_name == "map":
        for key, one in value.items():
            yield from _violations(shape.key, key, f"{path}.key")
            yield from _violations(shape.value, one, f"{path}.{key}.member")


def _members(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        here = f"{path}.{name[0].lower()}{name[1:]}".lstrip(".")
        if value.get(name) is not None:
            yield from _violations(member, value[name], here)
        elif name in shape.required_members:
            yield f"Value null at '{here}' failed to satisfy constraint: Member must not be null"


def _broken(shape: Any, value: Any) -> Iterator[str]:
    metadata, kind = shape.metadata, shape.type_name
    if kind == "string":
        pattern = metadata.get("pattern")
        if pattern and not re.fullmatch(pattern, value):
            yield f"satisfy regular expression pattern: {pattern}"
        if metadata.get("enum") and value not in metadata["enum"]:
            yield f"satisfy enum value set: [{', '.join(metadata['enum'])}]"
    sized = kind in ("string", "list", "map")
    if not sized and kind not in ("integer", "long"):
        return
    what, size = ("length", len(value)) if sized else ("value", value)
    if size > metadata.get("max", size):
        yield f"have {what} less than or equal to {metadata['max']}"
    if size < metadata.get("min", size):
        yield f"have {what} greater than or equal to {metadata['min']}"


def _printed(value: Any) -> str:
    return "[" + ", ".join(map(_printed, value)) + "]" if isinstance(value, list) else str(value)
