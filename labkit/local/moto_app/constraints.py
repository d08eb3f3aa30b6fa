"""What a service's model says of its parameters: what is required, how long a text may be, which values there are.

Their types were looked at when the call was recognised (``json_types``).

https://docs.aws.amazon.com/eventbridge/latest/APIReference/CommonErrors.html (ValidationError)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import moto.core.utils as moto_utils

from labkit.local.api_call import ApiCall, AwsError


def check_required(call: ApiCall) -> None:
    """Refuse a call without a parameter that the model of the service requires.

    Raises:
        AwsError: ``ValidationException``.
    """
    _refuse(_missing(_input(call), call.params, ""))


def check_constraints(call: ApiCall) -> None:
    """Refuse parameters that the model of the service does not allow, all of them in one sentence, as AWS does.

    Raises:
        AwsError: ``ValidationException``.
    """
    check_required(call)
    _refuse(_violations(_input(call), call.params, ""))


def _input(call: ApiCall) -> Any:
    return moto_utils.get_service_model(call.service).operation_model(call.operation).input_shape


def _refuse(violations: Iterator[str]) -> None:
    if found := list(violations):
        count = f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected"
        raise AwsError("ValidationException", f"{count}: {'; '.join(found)}")


def _inner(shape: Any, value: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """Yield what a value holds that is there, each with its shape and its path as AWS writes it."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield member, value[name], _path(path, name)
    elif shape.type_name == "list":
        for number, one in enumerate(value, 1):
            yield shape.member, one, f"{path}.{number}.member"
    elif shape.type_name == "map":
        for key, one in value.items():
            yield shape.key, key, f"{path}.key"
            yield shape.value, one, f"{path}.{key}.member"


def _path(path: str, name: str) -> str:
    return f"{path}.{name[0].lower()}{name[1:]}".lstrip(".")


def _missing(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape is None:
        return
    for name in shape.required_members if shape.type_name == "structure" else ():
        if value.get(name) is None:
            yield f"Value null at '{_path(path, name)}' failed to satisfy constraint: Member must not be null"
    for inner, one, here in _inner(shape, value, path):
        yield from _missing(inner, one, here)


def _violations(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape is None:
        return
    for broken in _broken(shape, value):
        yield f"Value '{_printed(value)}' at '{path}' failed to satisfy constraint: Member must {broken}"
    for inner, one, here in _inner(shape, value, path):
        yield from _violations(inner, one, here)


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
