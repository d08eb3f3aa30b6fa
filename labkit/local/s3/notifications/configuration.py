"""What a bucket's notification configuration may be, and which part of it an event concerns.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
"""

from __future__ import annotations

import base64
import itertools
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from labkit.local.api_call import AwsError, malformed_xml
from labkit.local.s3.errors import invalid_argument

ARN = re.compile(r"arn:aws:(sqs|sns|lambda):[a-z0-9-]+:\d{12}:\S+")
OCCURRING = {
    "s3:ObjectCreated": ("Put", "Post", "Copy", "CompleteMultipartUpload"),
    "s3:ObjectRemoved": ("Delete", "DeleteMarkerCreated"),
    "s3:ObjectTagging": ("Put", "Delete"),
}
EVENTS = frozenset(f"{family}:{name}" for family, names in OCCURRING.items() for name in ("*", *names)) | {
    "s3:ObjectAcl:Put"
}
NEVER_HERE = re.compile(
    r"s3:(ObjectRestore:(\*|Post|Completed|Delete)|ReducedRedundancyLostObject|LifecycleTransition|IntelligentTiering"
    r"|LifecycleExpiration:(\*|Delete|DeleteMarkerCreated)|Replication:(\*|Operation\w+)"
    r"|ObjectAnnotation:(\*|Put|Delete)|ObjectRetention:Put)"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the three lists of a configuration: the *member* with the ARN, its *service*, its *name* in errors."""

    member: str
    service: str
    name: str


KINDS = {
    "TopicConfigurations": Kind("TopicArn", "sns", "Topic"),
    "QueueConfigurations": Kind("QueueArn", "sqs", "Queue"),
    "LambdaFunctionConfigurations": Kind("LambdaFunctionArn", "lambda", "CloudFunction"),
}


def read_configuration(given: dict[str, Any], region: str) -> dict[str, Any]:
    """Return the configuration as it is kept, with an Id everywhere, if S3 would take it for a bucket of *region*.

    Raises:
        AwsError: ``InvalidArgument`` with S3's words, ``NotImplemented`` for events that never happen here.
    """
    kept: dict[str, Any] = {}
    for part, kind in KINDS.items():
        entries = [_entry(one, kind, region) for one in given.get(part) or []]
        if entries:
            kept[part] = entries
    if given.get("EventBridgeConfiguration") is not None:
        kept["EventBridgeConfiguration"] = {}
    entries = [entry for _, entry in entries_of(kept)]
    ids = [entry["Id"] for entry in entries]
    if len(set(ids)) < len(ids):
        raise invalid_argument("Same ID used for multiple configurations. IDs must be unique")
    for one, other in itertools.combinations(entries, 2):
        _check_apart(one, other)
    return kept


def entries_of(configuration: dict[str, Any]) -> Iterator[tuple[Kind, dict[str, Any]]]:
    """Yield every entry of a configuration that has a destination of its own."""
    for part, kind in KINDS.items():
        for entry in configuration.get(part) or []:
            yield kind, entry


def concerns(entry: dict[str, Any], event: str, key: str) -> bool:
    """Whether an entry asks for *event* (``"s3:ObjectCreated:Put"``) of an object of that *key*."""
    if event not in entry["Events"] and f"{event.rpartition(':')[0]}:*" not in entry["Events"]:
        return False
    prefix, suffix = _rules(entry)
    return key.startswith(prefix) and key.endswith(suffix)


def _entry(given: dict[str, Any], kind: Kind, region: str) -> dict[str, Any]:
    arn, events = str(given.get(kind.member) or ""), [str(one) for one in given.get("Events") or []]
    found = ARN.fullmatch(arn)
    if not found or found[1] != kind.service:
        raise invalid_argument("The ARN could not be parsed", kind.name, arn)
    if arn.split(":")[3] != region:
        text = "The notification destination service region is not valid for the bucket location constraint"
        raise invalid_argument(text, kind.name, arn)
    if not events:
        raise malformed_xml()
    for event in events:
        _check_event(event)
    entry = {"Id": given.get("Id") or base64.b64encode(str(uuid.uuid4()).encode()).decode(), kind.member: arn}
    entry["Events"] = events
    rules = ((given.get("Filter") or {}).get("Key") or {}).get("FilterRules") or []
    if rules:
        entry["Filter"] = {"Key": {"FilterRules": _read_rules(rules)}}
    return entry


def _check_event(event: str) -> None:
    if NEVER_HERE.fullmatch(event):
        text = f"{event} never happens in the local cloud. It sends: {', '.join(sorted(EVENTS))}."
        raise AwsError("NotImplemented", text, 501)
    if event not in EVENTS:
        raise invalid_argument("The event is not supported for notifications", "Event", event)


def _read_rules(rules: list[dict[str, Any]]) -> list[dict[str, str]]:
    read: dict[str, str] = {}
    for rule in rules:
        name = str(rule.get("Name") or "")
        if name.lower() not in ("prefix", "suffix"):
            text = "filter rule name must be either prefix or suffix"
            raise invalid_argument(text, "FilterRule.Name", name)
        if name.capitalize() in read:
            text = f"Cannot specify more than one {name.lower()} rule in a filter."
            raise invalid_argument(text, "FilterRule.Name", name.lower())
        read[name.capitalize()] = str(rule.get("Value") or "")
    return [{"Name": name, "Value": value} for name, value in read.items()]


def _rules(entry: dict[str, Any]) -> tuple[str, str]:
    rules = {rule["Name"]: rule["Value"] for rule in entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])}
    return rules.get("Prefix", ""), rules.get("Suffix", "")


def _check_apart(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Refuse two entries that would both tell of the same event of the same object."""
    shared = next((pair for pair in itertools.product(one["Events"], other["Events"]) if _same_event(*pair)), None)
    (prefix, suffix), (other_prefix, other_suffix) = _rules(one), _rules(other)
    nested = (prefix.startswith(other_prefix) or other_prefix.startswith(prefix)) and (
        suffix.endswith(other_suffix) or other_suffix.endswith(suffix)
    )
    if not shared or not nested:
        return
    if "Filter" in one or "Filter" in other:
        raise invalid_argument(
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are "
            "overlapping for the same event type."
        )
    text = "Configurations overlap. Configurations on the same bucket cannot share a common event type."
    raise invalid_argument(text, "Event", ", ".join(shared))


def _same_event(one: str, other: str) -> bool:
    family, _, name = one.rpartition(":")
    other_family, _, other_name = other.rpartition(":")
    return family == other_family and (name == other_name or "*" in (name, other_name))
