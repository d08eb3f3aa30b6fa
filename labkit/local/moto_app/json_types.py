"""Whether a JSON body has the types that botocore's model of the operation names, so that nobody trips over others.

https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

from __future__ import annotations

from typing import Any

TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "character": str,
    "blob": str,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "boolean": bool,
    "structure": dict,
    "map": dict,
    "list": list,
}


def check_types(shape: Any, value: Any, name: str) -> None:
    """Raise ValueError when *value* is not what *shape* says; ``null`` stands for "not given"."""
    kind: str = shape.type_name
    wanted: Any = TYPES.get(kind)
    if wanted is None:
        return
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "boolean"):
        raise ValueError(f"{name} is no {kind}")
    if kind == "structure":
        members = shape.members
        for key, one in value.items():
            if key in members and one is not None:
                check_types(members[key], one, key)
    elif kind == "list":
        for one in value:
            check_types(shape.member, one, f"an element of {name}")
    elif kind == "map":
        for one in value.values():
            check_types(shape.value, one, f"a value of {name}")
