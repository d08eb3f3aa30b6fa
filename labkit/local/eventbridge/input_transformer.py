"""What a target receives: the event, a part of it, a constant, or a text made of its parts.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import AwsError

PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.-]+)>")
PREDEFINED = {
    "aws.events.rule-arn", "aws.events.rule-name", "aws.events.event.ingestion-time", "aws.events.event",
    "aws.events.event.json",
}  # fmt: skip


def check_target(target: dict[str, Any]) -> None:
    """Refuse a target whose input cannot be made.

    Raises:
        AwsError: ``ValidationException``.
    """
    if sum(name in target for name in ("Input", "InputPath", "InputTransformer")) > 1:
        raise AwsError(
            "ValidationException",
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {target.get('Id')}.",
        )
    transformer = target.get("InputTransformer") or {}
    known = set(transformer.get("InputPathsMap") or {}) | PREDEFINED
    for name in PLACEHOLDER.findall(transformer.get("InputTemplate") or ""):
        if name not in known:
            raise AwsError(
                "ValidationException",
                f"InputTemplate for target {target.get('Id')} contains invalid placeholder {name}.",
            )


def target_input(target: dict[str, Any], event: dict[str, Any], rule_arn: str) -> str:
    """Return the text that a target receives for an event."""
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return _compact(_at(event, target["InputPath"]))
    if "InputTransformer" in target:
        return _transform(target["InputTransformer"], event, rule_arn)
    return _compact(event)


def _transform(transformer: dict[str, Any], event: dict[str, Any], rule_arn: str) -> str:
    values: dict[str, Any] = {name: _at(event, path) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    without_detail = {("detailType" if k == "detail-type" else k): v for k, v in event.items() if k != "detail"}
    values |= {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_arn.rpartition("/")[2],
        "aws.events.event.ingestion-time": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "aws.events.event": without_detail,
        "aws.events.event.json": event,
    }
    template = str(transformer.get("InputTemplate") or "")
    text_template = template.lstrip().startswith('"')
    quoted = [span.span() for span in re.finditer(r'"(?:[^"\\]|\\.)*"', template)]

    def put(found: re.Match[str]) -> str:
        value = values[found[1]]
        inside = any(start < found.start() < end for start, end in quoted)
        if text_template or inside:
            return _as_text(value)
        return '""' if value is None else _compact(value)

    return PLACEHOLDER.sub(put, template)


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_as_text(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_as_text(one) for one in value) + "]"
    return str(value)


def _at(event: dict[str, Any], path: str) -> Any:
    value: Any = event
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path.removeprefix("$")):
        if name and isinstance(value, dict) and name in value:
            value = value[name]
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return None
    return value


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
