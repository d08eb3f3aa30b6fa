"""Notebook 07: what a filter lets through, and what becomes of bad records in a stream."""

from __future__ import annotations

import copy
import inspect
import json
import textwrap
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from labkit.checks.prediction import prediction
from labkit.checks.scratch_stream import ScratchStream, scratch_stream
from labkit.checks.verdict import Verdict, correct, not_attempted, not_yet, untouched
from labkit.cloud import settings
from labkit.waiting import wait_until

PATIENCE = {"local": 5.0, "endpoint": 20.0, "aws": 120.0}
LAST = {"Pattern": json.dumps({"dynamodb": {"Keys": {"ProductVisitKey": {"S": ["last"]}}}})}
SAYS_KEYS = """
def lambda_handler(event, context):
    for record in event["Records"]:
        print("seen", record["eventName"], record["dynamodb"]["Keys"]["ProductVisitKey"]["S"])
"""


def filter_pattern(pattern: Any) -> Verdict:
    """Offer four records to a real mapping with the pattern, and look which reach the function."""
    if isinstance(pattern, str):
        try:
            pattern = json.loads(pattern)
        except ValueError:
            return not_yet("the pattern is a text that is no JSON; write it as a dict")
    if not isinstance(pattern, dict):
        return not_yet(f"the pattern is a {type(pattern).__name__}; write it as a dict")
    with scratch_stream(SAYS_KEYS) as scratch:
        try:
            seen = _seen(scratch, pattern)
        except ClientError as error:
            return not_yet(f"AWS refuses the pattern ({error.response['Error']['Message']}) {_every_leaf(pattern)}")
    return _judge(seen, pattern)


def _seen(scratch: ScratchStream, pattern: dict[str, Any]) -> set[str]:
    # The second filter lets one more record through, the last: when it arrives, the four before it are decided.
    scratch.map(FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}, LAST]})
    scratch.put("shoe", Category="Shoes", ProductName="Trail Shoe")
    scratch.put("jacket", Category="Clothing", ProductName="Rain Jacket")
    scratch.put("shoe", Category="Shoes", ProductName="Trail Shoe, corrected")
    scratch.put("bag", Category="Bags", ProductName="Shoes bag")
    scratch.put("last", Category="-", ProductName="-")

    def decided() -> set[str]:
        seen = set(scratch.said())
        return seen if "INSERT last" in seen else set()

    seen = wait_until(decided, what="the check's last record", timeout=PATIENCE[settings()["cloud"]] * 3, interval=0.1)
    if settings()["cloud"] == "aws":  # several shards there: the others may be a little behind
        time.sleep(5)
        seen = set(scratch.said())
    return seen - {"INSERT last"}


def _judge(seen: set[str], pattern: dict[str, Any]) -> Verdict:
    wanted = {"INSERT shoe"}
    if seen == wanted:
        return correct("of four records the one new visit of the category Shoes reached the function, and no other")
    if "MODIFY shoe" in seen:
        return not_yet(
            f"a correction reached the function as well ({_names(seen)}); let one eventName pass, that of new items"
        )
    if seen > wanted:
        return not_yet(f"other categories reached the function as well ({_names(seen)}); the pattern must name Shoes")
    return not_yet(f"nothing reached the function. {_why_nothing(pattern)}")


def _names(seen: set[str]) -> str:
    return ", ".join(sorted(seen))


def _why_nothing(pattern: dict[str, Any]) -> str:
    names = pattern.get("eventName")
    if isinstance(names, list) and "INSERT" not in names:
        return f"eventName is {names} in the pattern and INSERT in the record; upper and lower case differ"
    image = pattern.get("dynamodb")
    image = image.get("NewImage") if isinstance(image, dict) else None
    if not isinstance(image, dict):
        return "In the record the category lies below dynamodb, NewImage; so it must in the pattern"
    if isinstance(image.get("Category"), list):
        return 'The category has a type in the record, {"S": "Shoes"}; without the S the pattern never matches'
    return f"Lay the record of the notebook beside your pattern, level by level: {json.dumps(pattern)}"


def _every_leaf(pattern: dict[str, Any]) -> str:
    bare = [key for key, value in pattern.items() if not isinstance(value, (dict, list))]
    where = f"; {bare[0]} is {pattern[bare[0]]!r}" if bare else ""
    return f"because every leaf must be a list of allowed values{where}"


HANDLER = """
def lambda_handler(event, context):
    bad = []
    for record in event["Records"]:
        key = record["dynamodb"]["Keys"]["ProductVisitKey"]["S"]
        if key.startswith("bad"):
            bad.append(record)
        elif not bad:
            print("seen", key)  # done; behind a bad record nothing is
    if bad and bad[0] is event["Records"][0]:
        raise ValueError("the first record is bad")
    return response_to(bad) if bad else {"batchItemFailures": []}
"""
RECORDS = ["good-0", "bad-1", "good-1", "good-2", "good-3", "good-4", "bad-2", "good-5", "good-6", "good-7", "good-8"]
MOST_RETRIES = 20  # more take longer than anybody waits in a lesson
GOOD, BAD = [key for key in RECORDS if key.startswith("good")], ["bad-1", "bad-2"]


def two_bad_records(response_to: Callable[[list[Any]], Any], chosen: Any) -> Verdict:
    """Run both halves on a stream with nine good and two bad records."""
    if not callable(response_to):
        return not_yet("response_to must be a function that takes the list of bad records")
    if not isinstance(chosen, dict):
        return not_yet(f"settings is a {type(chosen).__name__}; write a dict of arguments for the mapping")
    sample = response_to([{"dynamodb": {"SequenceNumber": "1"}, "eventID": "x", "eventName": "INSERT"}])
    if untouched(sample):
        return not_attempted("response_to returns ... still; return what the handler must return")
    source = textwrap.dedent(inspect.getsource(response_to)) + HANDLER
    destination = str(chosen.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "arn:"))
    if not destination.startswith("arn:"):
        return not_yet(f"the destination {destination} is no ARN; Lambda wants the queue's ARN, not its address")
    with scratch_stream(source) as scratch:
        for key in RECORDS:
            scratch.put(key)
        try:
            scratch.map(**_with_own_queue(chosen, scratch))
        except ClientError as error:
            return not_yet(f"AWS refuses the settings: {error.response['Error']['Message']}")
        return _after(scratch, chosen)


def _with_own_queue(chosen: dict[str, Any], scratch: ScratchStream) -> dict[str, Any]:
    """Return the settings with the check's queue in place of the learner's, where they name a queue by its ARN."""
    own = copy.deepcopy(chosen)
    destination = own.get("DestinationConfig", {}).get("OnFailure", {})
    if str(destination.get("Destination")).startswith("arn:aws:sqs:"):
        destination["Destination"] = scratch.queue_arn
    return own


def _after(scratch: ScratchStream, chosen: dict[str, Any]) -> Verdict:
    deadline = time.monotonic() + PATIENCE[settings()["cloud"]]
    noted: list[dict[str, Any]] = []
    while time.monotonic() < deadline:
        noted += [note["DDBStreamBatchInfo"] for note in scratch.noted()]
        if sum(note["batchSize"] for note in noted) >= len(BAD) and set(GOOD) <= set(scratch.said()):
            break
    return _judge_records(scratch.said(), [note["batchSize"] for note in noted], chosen)


def _judge_records(seen: list[str], noted: list[int], chosen: dict[str, Any]) -> Verdict:
    missing = [key for key in GOOD if key not in seen]
    if _endless(chosen):
        return not_yet(
            f"a bad record is tried again and again, and {len(missing)} of 9 good ones wait behind it. How often may "
            "Lambda try? MaximumRetryAttempts is -1, without end, unless you set it"
        )
    if any(size > 1 for size in noted):
        return not_yet(
            f"a note is about {max(noted)} records at once: {len(missing)} good ones were given up together with a "
            "bad one. Which setting finds out which record it is?"
        )
    if not chosen.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"):
        return not_yet(
            f"{9 - len(missing)} good records arrived, the rest was given up, and nobody noted it: no destination"
        )
    if seen.count("good-0") > 1:
        return not_yet(
            f"good-0 stands before the first bad record and was done, yet it came {seen.count('good-0')} times: Lambda "
            "did not know the identifier and took the whole batch as failed. In a stream it is the SequenceNumber"
        )
    if missing or len(noted) < len(BAD):
        return not_yet(
            f"{len(missing)} good records never arrived and {len(noted)} of 2 bad ones is noted: what stands before "
            "the number that you return counts as done. Which of the bad records must it be?"
        )
    return correct("9 good records arrived, the 2 bad ones are noted, each alone, and nothing was done twice")


def _endless(chosen: dict[str, Any]) -> bool:
    retries = int(chosen.get("MaximumRetryAttempts", -1))
    return not 0 <= retries <= MOST_RETRIES and int(chosen.get("MaximumRecordAgeInSeconds", -1)) < 0


CHECKS = {
    "1": filter_pattern,
    "2": two_bad_records,
    "predict": prediction(
        right="b",
        replies={
            "a": "the dead-letter queue belongs to the queue of 05, and this record never was a message. A stream has "
            "no queue behind it; watch what Lambda does instead",
            "b": "the stream keeps it, and Lambda stays at its place. Watch what that means for the nine behind it",
            "c": "Lambda never skips on its own: a stream promises order, and a skipped record would break it. "
            "Watch what it does instead",
        },
    ),
}
