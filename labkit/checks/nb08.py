"""Checks of notebook 08: the busiest hour of a market day, and one day read without touching the rest."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import CodeType
from typing import Any

import boto3
import pandas as pd

from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_attempted, not_yet, untouched
from labkit.cloud import settings, tags
from labkit.names import name
from labkit.synthetic_visits import visits

NO_MARKET = "the market day is not in the lake; run the cell under Exercise that makes it, then this one again"


# --- 08.1: the busiest hour ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A visit of the market day as it lies in the lake: its receipt, its time, and when its object was uploaded."""

    receipt: str
    at: datetime
    uploaded: datetime


def busiest_hour(hour: Any, count: Any) -> Verdict:
    """Compare with the lake, and with what the usual mistakes make of it."""
    if isinstance(hour, str) or isinstance(count, str):
        return not_yet(f"the answers are texts, {hour!r} and {count!r}; numbers are asked for: as texts, '9' > '10'")
    if not _whole(hour) or not _whole(count):
        return not_yet(f"two whole numbers are asked for, an hour from 0 to 23 and a count; seen: {hour!r}, {count!r}")
    lines = _market_day()
    if not lines:
        return not_yet(NO_MARKET)
    unique = list({line.receipt: line for line in lines}.values())
    right, visits_in_it = _most(line.at.hour for line in unique)
    if (hour, count) == (right, visits_in_it):
        return correct(f"{hour}:00 UTC, {count} different visits; neither the copy nor the late upload fooled you")
    return not_yet(_why_another_hour(int(hour), int(count), lines, unique))


def _why_another_hour(hour: int, count: int, lines: list[Line], unique: list[Line]) -> str:
    right, visits_in_it = _most(line.at.hour for line in unique)
    if (hour, count) == _most(line.at.hour for line in lines):
        return (
            f"{hour}:00 has {count} lines, but some visits are in two objects: "
            "drop what has the same ProductVisitKey, then count"
        )
    uploads = {_most(line.uploaded.hour for line in some) for some in (lines, unique)}
    uploads |= {_most(line.uploaded.astimezone().hour for line in some) for some in (lines, unique)}
    if (hour, count) in uploads:
        return (
            "that is when the objects were uploaded (LastModified); "
            "when the visit took place stands in the line, in TimeOfVisit"
        )
    if not 0 <= hour <= 23:
        return f"{hour} is no hour of a day; they go from 0 to 23"
    if count == visits_in_it and hour != right:
        return f"{count} visits is right, but not at {hour}:00 UTC: is that hour in another time zone?"
    if hour == right:
        return f"{hour}:00 is the hour, but it has not {count} different visits; the late upload belongs to it, too"
    return f"{hour}:00 UTC is not the busiest hour; read below practice/, drop copies, count by the hour of TimeOfVisit"


def _whole(number: Any) -> bool:
    return not isinstance(number, bool) and hasattr(number, "__index__")


def _most(hours: Any) -> tuple[int, int]:
    counted = Counter(hours)
    return max(counted.items(), key=lambda one: (one[1], -one[0]))


def _market_day() -> list[Line]:
    s3, lake = boto3.client("s3"), name("visits-datalake", bucket=True)
    found = []
    try:
        listed = s3.list_objects_v2(Bucket=lake, Prefix="practice/").get("Contents", [])
    except s3.exceptions.NoSuchBucket:
        return []
    for one in listed:
        for text in s3.get_object(Bucket=lake, Key=one["Key"])["Body"].read().splitlines():
            visit = json.loads(text)
            at = datetime.fromisoformat(visit["TimeOfVisit"]).astimezone(UTC)
            found.append(Line(visit["ProductVisitKey"], at, one["LastModified"].astimezone(UTC)))
    return found


# --- 08.2: one day only -------------------------------------------------------------------------

DAY = date(2026, 1, 1)
DAYS = 12  # so that day=1 is also the beginning of day=10, 11 and 12
OBJECTS_A_DAY = 3
NOTHING_YET = "read_day returns nothing yet: the visits of the day and how many objects were read"


@dataclass(slots=True)
class Meter:
    """A session, and the keys of the objects that were read through it."""

    session: boto3.Session
    read: list[str] = field(default_factory=list)


def one_day(read_day: Any) -> Verdict:
    """Offer a lake with traps, and count what is opened."""
    if not callable(read_day):
        return not_yet(f"read_day is a {type(read_day).__name__}; it should be a function")
    if _uses_no_name(read_day):
        return not_attempted(NOTHING_YET)
    with _lake() as (bucket, expected):
        meter = _meter()
        try:
            answer = read_day(f"s3://{bucket}/visits/", DAY, meter.session)
        except Exception as error:
            return not_yet(_why_it_raised(error))
        return _read(answer, meter, expected)


def _uses_no_name(function: Any) -> bool:
    """Whether the body names nothing that it could call, as in the template: then no lake is needed to judge it."""
    code = getattr(function, "__code__", None)
    return isinstance(code, CodeType) and not (code.co_names or code.co_freevars)


def _read(answer: Any, meter: Meter, expected: set[str]) -> Verdict:
    if untouched(answer):
        return not_attempted(NOTHING_YET)
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[0], pd.DataFrame)):
        return not_yet("read_day returns two things, a DataFrame and a number: return table, objects")
    table, objects = answer
    if not meter.read:
        return not_yet(
            "nothing was read through the session that read_day was given; pass it on: boto3_session=session"
        )
    opened = len(set(meter.read))
    wrong = _opened_too_much(meter)
    if wrong:
        return not_yet(wrong)
    receipts = set(table["ProductVisitKey"]) if "ProductVisitKey" in table else set()
    if receipts != expected:
        return not_yet(f"the table has {len(receipts)} visits of {DAY}; there are {len(expected)}")
    if objects != opened:
        return not_yet(f"you say that {objects!r} objects were read; counted were {opened}")
    return correct(f"{opened} of {DAYS * OBJECTS_A_DAY + 1} objects opened, and all {len(expected)} visits of the day")


def _opened_too_much(meter: Meter) -> str | None:
    folder = f"/{DAY:year=%Y/month=%m/day=%d}/"
    others = {key for key in meter.read if folder not in f"/{key}"}
    if not others:
        return None
    if len(set(meter.read)) >= DAYS * OBJECTS_A_DAY:
        return (
            f"{len(set(meter.read))} objects were opened for one day: "
            "you read the whole lake and filtered afterwards; read the day's folder only"
        )
    if any("-draft/" in key for key in others):
        return "day=01-draft/ was opened too: it begins like day=01. End the prefix with a slash"
    return f"{sorted(others)[0]} was opened, which is another day"


def _why_it_raised(error: Exception) -> str:
    if "not under the root path" in str(error):
        return "day=01-draft/ was opened too: it begins like day=01. End the prefix with a slash"
    if type(error).__name__ == "NoFilesFound" or (isinstance(error, KeyError) and "Contents" in str(error)):
        return (
            f"nothing was found where you looked ({type(error).__name__}: {error}); "
            "in the folder names days and months have two digits: day=01"
        )
    return f"read_day raised {type(error).__name__}: {error}"


def _meter() -> Meter:
    meter = Meter(boto3.Session(region_name=settings()["region"]))

    def asked(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["labkit_key"] = params.get("Key")

    def answered(model: Any, context: dict[str, Any], **_: Any) -> None:
        if model.name == "GetObject":
            meter.read.append(context["labkit_key"])

    meter.session.events.register("before-parameter-build.s3", asked)
    meter.session.events.register("after-call.s3", answered)
    return meter


@contextmanager
def _lake() -> Iterator[tuple[str, set[str]]]:
    """A bucket with twelve days and a draft of the first; the receipts of the first day."""
    s3, bucket = boto3.client("s3"), name(f"visits-check-{secrets.token_hex(3)}", bucket=True)
    region: Any = settings()["region"]
    outside: Any = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **outside)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in tags().items()]})
    keys, expected = [], set()
    try:
        for day in range(1, DAYS + 1):
            for part in range(OBJECTS_A_DAY):
                receipts = [f"{day}-{part}-{one}-{time.time_ns()}" for one in range(2)]
                expected |= set(receipts) if day == DAY.day else set()
                keys.append(_put(bucket, f"day={day:02d}/hour={8 + part:02d}", receipts, day))
        keys.append(_put(bucket, "day=01-draft/hour=08", ["draft"], 1))
        yield bucket, expected
    finally:
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
        s3.delete_bucket(Bucket=bucket)


def _put(bucket: str, folder: str, receipts: list[str], day: int) -> str:
    made = visits(len(receipts), seed=day, start=f"2026-01-{day:02d}", days=1)
    lines = "".join(json.dumps(v | {"ProductVisitKey": r}) + "\n" for v, r in zip(made, receipts, strict=True))
    key = f"visits/year=2026/month=01/{folder}/part.json"
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=lines.encode())
    return key


CHECKS: dict[str, Callable[..., Verdict]] = {
    "1": busiest_hour,
    "2": one_day,
    "predict": prediction(
        right="c",
        replies={
            "a": "the function raises before it writes anything, so there is no such folder and nothing to fail on",
            "b": "its message is gone from the data queue: ProductVisitHandler had stored the visit, that was success",
            "c": "the stream holds it until the attempts are used up; and a query knows only what is there",
        },
    ),
}
