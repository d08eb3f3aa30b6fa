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
PATH = re.compile(r"\$(\.[^.\[\]\s]+|\[\d{1,9}\]|\['[^'\]]+'\])*")
STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,9})\]|\['([^'\]]+)'\]")
PREDEFINED = {
    "aws.events.rule-arn", "aws.events.rule-name", "aws.events.event.ingestion-time", "aws.events.event",
    "aws.events.event.json",
}  # fmt: skip


def check_input(target: dict[str, Any]) -> None:
    """Refuse a target whose input cannot be made.

    Raises:
        AwsError: ``ValidationException``.
    """
    one = f"for target {target.get('Id')}"
    if sum(name in target for name in ("Input", "InputPath", "InputTransformer")) > 1:
        raise _invalid(f"Only one of Input, InputPath, or InputTransformer must be provided {one}.")
    if "Input" in target and not _is_json(target["Input"]):
        raise _invalid(f"JSON syntax error in input {one}.")
    transformer = target.get("InputTransformer") or {}
    paths = transformer.get("InputPathsMap") or {}
    if not all(PATH.fullmatch(path) for path in [target.get("InputPath") or "$", *paths.values()]):
        raise _invalid(f"Invalid InputPath {one}.")
    for name in PLACEHOLDER.findall(transformer.get("InputTemplate") or ""):
        if name not in PREDEFINED | set(paths):
            raise _invalid(f"InputTemplate {one} contains invalid placeholder {name}.")


def target_input(target: dict[str, Any], event: dict[str, Any], rule_arn: str) -> str:
    """Return the text that a target receives for an event.

    Raises:
        AwsError: A JSON template that is none once its placeholders are filled; nothing is delivered then.
    """
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return compact(_at(event, target["InputPath"]))
    if "InputTransformer" in target:
        return _transform(target["InputTransformer"], event, rule_arn)
    return compact(event)


def compact(value: Any) -> str:
    """Return a value as JSON on one line, as EventBridge writes it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)


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
    if template.lstrip().startswith('"'):
        return PLACEHOLDER.sub(lambda found: _as_text(values[found[1]]), template)
    quoted = [span.span() for span in re.finditer(r'"(?:[^"\\]|\\.)*"', template)]

    def put(found: re.Match[str]) -> str:
        value = values[found[1]]
        if any(start < found.start() < end for start, end in quoted):
            return compact(value)[1:-1] if isinstance(value, str) else "" if value is None else compact(value)
        return '""' if value is None else compact(value)

    filled = PLACEHOLDER.sub(put, template)
    if template.lstrip().startswith("{") and not _is_json(filled):
        raise _invalid("The InputTemplate is no JSON once its placeholders are filled: only texts may be quoted.")
    return filled


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
    for name, index, bracketed in STEP.findall(path.removeprefix("$")):
        key = name or bracketed
        if key and isinstance(value, dict) and key in value:
            value = value[key]
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return None
    return value


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
