"""Checks of notebook 13: how many environments a load needs, and a design that costs a fifth less and loses nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import boto3

from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_yet, untouched
from labkit.cost import cost
from labkit.exceptions import LabkitError
from labkit.names import name

# --- 13.1: rate × duration ----------------------------------------------------------------------

RATE, ONE, BATCH, BATCH_OF = 100, 0.12, 0.3, 10
ALONE, BATCHED = RATE * ONE, RATE / BATCH_OF * BATCH
MOST = 1_000  # the usual limit of a whole account


def environments(one_by_one: Any, in_batches: Any, maximum: Any) -> Verdict:
    """Compare with rate × duration, and with what the usual slips make of it."""
    for what, value in (("one_by_one", one_by_one), ("in_batches", in_batches), ("maximum", maximum)):
        if untouched(value) or isinstance(value, bool) or not isinstance(value, int | float):
            return not_yet(f"{what} is {value!r}; it should be a number of environments")
    return (
        _one_by_one(one_by_one)
        or _in_batches(in_batches)
        or _maximum(maximum)
        or correct(
            f"12 against 3: a batch of ten takes longer, not ten times as long; and {maximum:g} leaves head-room"
        )
    )


def _one_by_one(value: float) -> Verdict | None:
    if math.isclose(value, ALONE):
        return None
    if math.isclose(value, ALONE * 1000):
        return not_yet("12,000 are milliseconds taken for seconds: 120 ms are 0.12 s")
    if value == RATE:
        return not_yet("100 would be right if each visit kept its environment for a whole second; it takes 0.12 s")
    if math.isclose(value, RATE / ONE):
        return not_yet("that is the rate divided by the duration; a longer duration needs more environments, not fewer")
    return not_yet(f"one_by_one is {value:g}; 100 invocations a second, each for 0.12 s: what is their product?")


def _in_batches(value: float) -> Verdict | None:
    if math.isclose(value, BATCHED):
        return None
    if math.isclose(value, RATE / BATCH_OF * ONE):
        return not_yet("1.2 forgets that a batch takes longer: 0.3 s, not 0.12 s")
    if math.isclose(value, RATE * BATCH):
        return not_yet("30 would be 100 batches a second; 100 visits in batches of 10 are how many invocations?")
    if math.isclose(value, BATCHED * 1000):
        return not_yet("3,000 are milliseconds taken for seconds: 300 ms are 0.3 s")
    return not_yet(f"in_batches is {value:g}; how many invocations a second are there, and how long does each take?")


def _maximum(value: float) -> Verdict | None:
    if value <= BATCHED:
        return not_yet(
            f"a maximum of {value:g} has no head-room: 3 is the average, and whenever more visits come than on average "
            "the pile grows; name a number above it"
        )
    if value != int(value):
        return not_yet(f"a maximum of {value:g} cannot be set; it is a whole number")
    if value >= MOST:
        return not_yet(
            f"a maximum of {value:g} is no limit: it lets this function take the whole account; "
            "head-room is some times the average"
        )
    return None


# --- 13.2: save a fifth -------------------------------------------------------------------------

VISITS = 3_000_000
IDLE = 5 * 3 * 60 * 24 * 30  # five pollers, one long poll every 20 s, a month
FEWEST_IDLE = 2 * 3 * 60 * 24 * 30  # Lambda keeps at least two
FUNCTIONS = ("ProductVisitSendDataToQueue", "ProductVisitHandler", "ProductVisitDataLakeHandler")
INVOCATIONS = len(FUNCTIONS) * VISITS
SECONDS = 0.1  # of an invocation with one visit
LARGEST_BATCH = 10_000
LARGEST_SAVING = 0.8
FREE_REQUESTS, FREE_GB_SECONDS = 1_000_000, 400_000

API = ("API Gateway REST calls", "API Gateway HTTP calls")
DURATION = ("Lambda duration", "Lambda duration arm64")


def a_fifth_less(before: Any, after: Any) -> Verdict:
    """Price both designs, and look whether each has every line."""
    for what, quantities in (("before", before), ("after", after)):
        if not isinstance(quantities, Mapping):
            return not_yet(
                f"{what} is a {type(quantities).__name__}; it should be a dict of quantities, as labkit.cost takes it"
            )
        try:
            cost(quantities)
        except (LabkitError, TypeError) as error:
            return not_yet(f"{what}: {error}")
    complaint = _as_it_is(before) or _complete(after) or _loses(after)
    if complaint:
        return not_yet(complaint)
    old, new = (float(cost(quantities)["USD"].iloc[-1]) for quantities in (before, after))
    if new > LARGEST_SAVING * old:
        return not_yet(
            f"{new:.2f} USD instead of {old:.2f} saves {1 - new / old:.0%}; 20 % are asked for. "
            "The largest lines are the API's calls and the objects of the lake"
        )
    return correct(f"{new:.2f} USD instead of {old:.2f}: {1 - new / old:.0%} less, and every visit is still there")


def _gb_seconds() -> float:
    """Of today's application, by the memory that its functions really have."""
    client = boto3.client("lambda")
    try:
        memories = [client.get_function_configuration(FunctionName=name(one))["MemorySize"] for one in FUNCTIONS]
    except client.exceptions.ResourceNotFoundException:
        memories = [256, 128, 256]  # as 03, 06 and 07 make them
    return sum(memories) / 1024 * SECONDS * VISITS


def _as_it_is(before: Mapping[str, float]) -> str | None:
    """What is wrong with the bill of today's application, by the quantities it should have."""
    seconds, requests, right_seconds = _of(before, *DURATION), _of(before, "Lambda requests"), _gb_seconds()
    if seconds > 100 * right_seconds:
        return (
            f"before: {seconds:,.0f} GB-seconds are megabytes taken for gigabytes: 256 MB are 0.25 GB "
            f"(about {right_seconds:,.0f})"
        )
    if _near(requests, INVOCATIONS - FREE_REQUESTS) or seconds == 0:
        return "before: the free tier is taken off; it is no property of the design. Count everything, at list price"
    if missing := _complete(before, "before", idle=IDLE):
        return missing
    expected = {
        "the API's calls": (_of(before, *API), 2 * VISITS),
        "Lambda requests": (requests, INVOCATIONS),
        "Lambda's GB-seconds": (seconds, right_seconds),
        "SQS requests": (_of(before, "SQS requests"), 3 * VISITS + IDLE),
        "DynamoDB writes": (_of(before, "DynamoDB writes"), VISITS),
        "S3 puts": (_of(before, "S3 puts and lists"), VISITS),
    }
    for what, (seen, right) in expected.items():
        if not _near(seen, right):
            return f"before: {what} are {seen:,.0f}; as the application stands they are about {right:,.0f}"
    return None


def _complete(quantities: Mapping[str, float], which: str = "after", *, idle: float = FEWEST_IDLE) -> str | None:
    """The lines that are forgotten: preflights and idle polling."""
    calls, polls = _of(quantities, *API), _of(quantities, "SQS requests")
    batches = _of(quantities, "Lambda requests") - VISITS - _of(quantities, "S3 puts and lists")
    working = VISITS + 2 * max(batches, VISITS / LARGEST_BATCH)
    if _near(calls, VISITS, 0.001):
        return (
            f"{which}: the preflights are left out. One click is two requests; a browser that remembers the answer "
            "(Access-Control-Max-Age) still asks once"
        )
    if working <= polls * 1.001 and polls < working + 0.9 * idle:
        return (
            f"{which}: idle polling is left out. Lambda's pollers ask the queue day and night, "
            f"{IDLE:,} times a month with five of them, at least {FEWEST_IDLE:,}"
        )
    return None


def _loses(after: Mapping[str, float]) -> str | None:
    """Whether a visit is lost on its way: fewer of something than there are visits."""
    needed = {
        "calls of the API": (_of(after, *API), VISITS),
        "Lambda requests": (_of(after, "Lambda requests"), VISITS),
        "SQS requests": (_of(after, "SQS requests"), VISITS * (1 + 2 / LARGEST_BATCH)),
        "DynamoDB writes": (_of(after, "DynamoDB writes"), VISITS),
        "S3 puts": (_of(after, "S3 puts and lists"), VISITS / LARGEST_BATCH),
    }
    for what, (seen, least) in needed.items():
        if seen < least * 0.999:
            return f"after: {seen:,.0f} {what} are too few for {VISITS:,} visits: some are lost (at least {least:,.0f})"
    if _of(after, *DURATION) < VISITS * 0.02 * 0.125:
        return "after: there is hardly any Lambda duration; every visit takes some milliseconds of a function's memory"
    return None


def _of(quantities: Mapping[str, float], *items: str) -> float:
    return float(sum(number for row, number in quantities.items() if row.partition(":")[0] in items))


def _near(seen: float, right: float, tolerance: float = 0.06) -> bool:
    return abs(seen - right) <= tolerance * right


CHECKS: dict[str, Callable[..., Verdict]] = {
    "1": environments,
    "2": a_fifth_less,
    "predict": prediction(
        right="c",
        replies={
            "a": "SQS takes what comes, at any rate; its answer says only that the message is kept",
            "b": "an error would come if you called the function yourself; between you and it there is the queue",
            "c": "the queue stands between them, so each side has a speed of its own",
        },
    ),
}
