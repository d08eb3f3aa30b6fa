"""What the live map shows: the parts that exist, and the arrows between them. Every feature draws its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Part:
    """Something that exists; *id* is its ARN, *facts* are counts by their words, *problem* is ``""`` if it is fine."""

    id: str
    service: str
    name: str
    facts: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """What goes from one part to another (their ids), and how: ``"event source mapping"``."""

    start: str
    end: str
    how: str


Picture = list[Part | Arrow]


def part_of(arn: str) -> str:
    """Return the id of the part that an ARN belongs to: an object's bucket, a stream's table, a version's function."""
    if arn.startswith("arn:aws:s3:::"):
        return arn.partition("/")[0]
    if arn.startswith("arn:aws:lambda:"):
        return ":".join(arn.split(":")[:7])
    if arn.startswith("arn:aws:dynamodb:"):
        return "/".join(arn.split("/")[:2])
    return arn
