"""Notebook 05: redrive after three receives, and a ``drain`` that loses nothing."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError, ParamValidationError

from labkit.checks import scratch
from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_attempted, not_yet

MESSAGES = 24
HIDDEN_FOR = 1
MOST_DELIVERIES = 3


def redrive_after_three(answer: Callable[[str, str], Any]) -> Verdict:
    """Let the answer set the redrive of a queue of the check's own, then receive four times."""
    if not callable(answer):
        return not_yet("redrive_after_three must be a function of two URLs; keep its first line as it was")
    with scratch.queues("Queue", "DeadLetters", VisibilityTimeout="0") as (queue, dlq):
        try:
            answer(queue, dlq)
        except ParamValidationError as error:
            if "RedrivePolicy" in str(error) and "dict" in str(error):
                return not_yet("RedrivePolicy is a dict in your call, and SQS wants a string: json.dumps(policy)")
            return not_yet(f"boto3 refused your call before it was sent: {str(error).splitlines()[-1]}")
        except ClientError as error:
            if "Dead letter target" in error.response["Error"]["Message"]:
                return not_yet(
                    "SQS finds no queue of that name: deadLetterTargetArn wants the ARN of the dead-letter queue, "
                    "which get_queue_attributes tells; a URL will not do"
                )
            raise
        return _judge_redrive(answer, queue, dlq)


def _judge_redrive(answer: Callable[[str, str], Any], queue: str, dlq: str) -> Verdict:
    if _redrive_of(dlq):
        return not_yet(
            "you set the policy on the dead-letter queue itself, where nothing is received; "
            "it belongs to the queue that messages are taken from"
        )
    policy = _redrive_of(queue)
    if not policy:
        if not answer.__code__.co_names:
            return not_attempted("the body of redrive_after_three is still ...; write its lines, then run this again")
        return not_yet("your function ran, and the queue has no RedrivePolicy; is set_queue_attributes in it?")
    if policy["deadLetterTargetArn"] != scratch.arn_of(dlq):
        return not_yet(
            f"failed messages would go to {policy['deadLetterTargetArn']}; use the dlq_url that you are given"
        )
    times = _receives_until_moved(queue, dlq)
    if times != 3:
        return not_yet(
            f"the message was handed out {times} times before it moved, and three were asked for; see maxReceiveCount"
        )
    return correct("handed out three times, and at the fourth receive SQS moved it to the dead-letter queue")


def _redrive_of(url: str) -> dict[str, Any]:
    answer = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    return dict(json.loads(answer.get("Attributes", {}).get("RedrivePolicy", "{}")))


def _receives_until_moved(queue: str, dlq: str) -> int:
    """Return how often a message is handed out before it lies on the DLQ; four receives are the most."""
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="a visit that nobody can store")
    times = 0
    for _ in range(4):
        times += len(sqs.receive_message(QueueUrl=queue).get("Messages", []))
        if scratch.depth(dlq):
            break
    return times


class PlugPulled(BaseException):
    """The worker ends here and now; not an ``Exception``, so that no ``except Exception`` saves it."""


def drain(answer: Callable[[str, Callable[[str], None]], int]) -> Verdict:
    """Kill the answer in the middle of its work, call it again, and count what was worked on and what is left."""
    if not callable(answer):
        return not_yet("drain must be a function of a URL and of the work; keep its first line as it was")
    sqs, worked = boto3.client("sqs"), Counter[str]()
    with scratch.queues("Drain", VisibilityTimeout=str(HIDDEN_FOR)) as (queue,):
        for start in range(0, MESSAGES, 10):
            numbers = range(start, min(start + 10, MESSAGES))
            sqs.send_message_batch(
                QueueUrl=queue, Entries=[{"Id": str(n), "MessageBody": f"visit {n}"} for n in numbers]
            )
        if verdict := _die_half_way(answer, queue, worked):
            return verdict
        if verdict := _run_again(answer, queue, worked):
            return verdict
        lost = MESSAGES - len(worked)
        left = scratch.depth(queue)
    if lost and left:
        return not_yet(
            f"{left} of {MESSAGES} messages are left: drain stopped while what the dead worker had received was still "
            "hidden; an empty short poll proves nothing, so wait with WaitTimeSeconds longer than they are hidden"
        )
    if lost:
        return not_yet(
            f"{lost} of {MESSAGES} visits were never worked on and are gone: they were deleted before the work was "
            "done; work first, then delete"
        )
    if left:
        return not_yet(f"{left} of {MESSAGES} messages are still on the queue after drain has returned")
    twice = sum(count > 1 for count in worked.values())
    return correct(f"all {MESSAGES} visits were worked on, none is left, and {twice} came twice")


def _die_half_way(answer: Callable[..., Any], queue: str, worked: Counter[str]) -> Verdict | None:
    def work(body: str) -> None:
        if len(worked) == MESSAGES // 2:
            raise PlugPulled
        worked[body] += 1
        _stop_endless(worked[body])

    try:
        answer(queue, work)
    except PlugPulled:
        return None
    except NeverDeleted:
        return NEVER_DELETES
    if not worked:
        if not answer.__code__.co_names:
            return not_attempted("the body of drain is still ...; write its lines, then run this again")
        return not_yet(f"drain returned without one call of work(body), and {MESSAGES} messages were waiting")
    return not_yet(
        f"drain stopped after {len(worked)} of {MESSAGES} visits, or went on although the work was broken off; "
        "take messages until none is left, and catch nothing that you cannot mend"
    )


def _run_again(answer: Callable[..., Any], queue: str, worked: Counter[str]) -> Verdict | None:
    ends = time.monotonic() + 60

    def work(body: str) -> None:
        worked[body] += 1
        _stop_endless(worked[body])
        if time.monotonic() > ends:
            raise NeverDeleted

    try:
        answer(queue, work)
    except NeverDeleted:
        return NEVER_DELETES
    return None


class NeverDeleted(BaseException):
    """One message has been delivered too often: the answer would go on for ever."""


NEVER_DELETES = not_yet(
    "the same visit came again and again: drain does not delete what is done; "
    "delete_message wants the ReceiptHandle of the message"
)


def _stop_endless(deliveries: int) -> None:
    if deliveries > MOST_DELIVERIES:
        raise NeverDeleted


CHECKS: dict[str, Callable[..., Verdict]] = {
    "1": redrive_after_three,
    "2": drain,
    "predict": prediction(
        right="b",
        replies={
            "a": "no: received is not removed. The queue keeps the message until you delete it; run on and watch",
            "b": "yes: the queue still has it, hidden; after the visibility timeout anybody can receive it again",
            "c": "no: the sender got its MessageId and has gone; SQS tells it nothing. The queue still has the visit",
        },
    ),
}
