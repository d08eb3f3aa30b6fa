"""Checks of notebook 00: an ARN taken apart, and an error told by its code."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError, ParamValidationError

from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_attempted, not_yet
from labkit.cloud import tags
from labkit.names import name

FIELDS = ("partition", "service", "region", "account", "resource")
AN_ANSWER = 2


def caller_taken_apart(parts: Any) -> Verdict:
    """Compare the five fields with a fresh answer of the cloud."""
    if not isinstance(parts, dict):
        return not_yet(f"parts is a {type(parts).__name__}; make it a dict with the keys {', '.join(FIELDS)}")
    if set(parts) != set(FIELDS):
        return not_yet(f"the keys are {', '.join(map(str, parts))}; they should be {', '.join(FIELDS)}")
    arn = str(boto3.client("sts").get_caller_identity()["Arn"])
    right = dict(zip(FIELDS, arn.split(":", 5)[1:], strict=True))
    if parts == right:
        return correct(f"{arn} is in your hands; its region is empty, since a caller lives in no region")
    return not_yet(_what_is_wrong(parts, right))


def _what_is_wrong(parts: dict[str, Any], right: dict[str, str]) -> str:
    if parts["partition"] == "arn":
        return "the fields are one place off: the word arn itself is none of the five"
    if isinstance(parts["account"], int):
        return "the account is a number here; keep it a string, since an account may begin with a zero"
    if parts["region"] and not right["region"]:
        return f"the region is {parts['region']!r}; the ARN has nothing between those two colons: callers have none"
    if parts["resource"] != right["resource"] and str(parts["resource"]) in right["resource"]:
        return (
            f"the resource is {parts['resource']!r}, only a part of it: it is all that follows the fifth colon of the "
            'ARN, with every "/" and ":" in it'
        )
    wrong = next(field for field in FIELDS if parts[field] != right[field])
    return f"{wrong} is {parts[wrong]!r}, and the ARN says something else there; print it and count the colons"


def error_by_its_code(ask_for: Any) -> Verdict:
    """Call the function with a name that does not exist, one that does, and one that boto3 refuses to send."""
    if not callable(ask_for):
        return not_yet("hand in the function itself, ask_for, without brackets behind it")
    try:
        missing = ask_for(f"no-such-{secrets.token_hex(4)}")
    except ClientError as error:
        return not_yet(f"AWS's no ({error.response['Error']['Code']}) flew out of ask_for: catch ClientError there")
    if missing is None or missing is ...:
        return not_attempted("ask_for returns nothing yet; write it, run its cell, then run this one again")
    if not isinstance(missing, (tuple, list)) or len(missing) != AN_ANSWER:
        return not_yet(f"ask_for returned {missing!r}; it should return two things, the code and the HTTP status")
    return _judge_missing(*missing) or _judge_mistake(ask_for) or _judge_found(ask_for)


def _judge_missing(code: Any, status: Any) -> Verdict | None:
    error = _refusal()
    right, right_status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    if code in (type(error).__name__, error.response["Error"].get("QueryErrorCode")):
        return not_yet(f"{code!r} is the name of Python's exception class; AWS's code is in error.response")
    if code == error.response["Error"]["Message"] or code == str(error):
        return not_yet("that is the message, made for people and reworded any day; the code stands beside it")
    if code != right:
        return not_yet(f"the code is {code!r}, but AWS's answer holds another; print error.response and look for Code")
    if status != right_status:
        return not_yet(
            f"the code is right; the status is {status!r}, and AWS's answer holds another, as a number, in "
            "ResponseMetadata"
        )
    return None


def _refusal() -> ClientError:
    try:
        boto3.client("sqs").get_queue_url(QueueName=f"no-such-{secrets.token_hex(4)}")
    except ClientError as error:
        return error
    raise AssertionError("a queue of a random name exists")


def _judge_mistake(ask_for: Callable[[Any], Any]) -> Verdict | None:
    try:
        answer = ask_for(7)
    except ParamValidationError:
        return None
    return not_yet(
        f"ask_for(7) is a mistake of the caller, which boto3 does not even send, and ask_for answered {answer!r}: "
        "your except catches more than AWS's no; name ClientError in it"
    )


def _judge_found(ask_for: Callable[[Any], Any]) -> Verdict:
    sqs = boto3.client("sqs")
    there = name(f"Check-{secrets.token_hex(4)}")
    url = sqs.create_queue(QueueName=there, tags=tags())["QueueUrl"]
    try:
        found = ask_for(there)
    finally:
        sqs.delete_queue(QueueUrl=url)
    if found in (("", 200), ["", 200]):
        return correct("the code comes from AWS's answer, and every other mistake stays loud")
    return not_yet(f'for a name that exists ask_for returned {found!r}; it should return ("", 200)')


CHECKS: dict[str, Callable[..., Verdict]] = {
    "1": caller_taken_apart,
    "2": error_by_its_code,
    "predict": prediction(
        right="b",
        replies={
            "a": "some requests of AWS are like that, but not this one: a second table of a name is refused",
            "b": "names of tables are unique within account and region, so the second request is refused with a code",
            "c": "there cannot be two: a name stands for one table, so the second request is refused",
        },
    ),
}
