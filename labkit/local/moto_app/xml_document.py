"""Whether the XML that sets something of S3 is what the service's model says: moto looks no further than it needs."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree


def fits_model(body: bytes, shape: Any) -> bool:
    """Whether *body* is a document of *shape*: its elements are known, and texts stand where texts may."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314  expat itself refuses entities that grow
    except (ElementTree.ParseError, LookupError, ValueError):
        return False
    return _name(root) == shape.serialization.get("name", _name(root)) and _fits(root, shape)


def _name(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _fits(element: ElementTree.Element, shape: Any) -> bool:
    children = list(element)
    if shape.type_name not in ("structure", "list"):
        return not children
    if (element.text or "").strip():
        return False
    if shape.type_name == "list":
        return all(_fits(child, shape.member) for child in children)
    members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
    for name, member in list(members.items()):
        if member.type_name == "list" and member.serialization.get("flattened"):
            members[member.member.serialization.get("name", name)] = member.member
    return all(_name(child) in members and _fits(child, members[_name(child)]) for child in children)
