"""The checks of notebook 05: what they say to the untouched stub, to right answers and to the usual mistakes."""

from __future__ import annotations

import pytest

ARN = """
    dlq_arn = sqs.get_queue_attributes(QueueUrl=dlq_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
"""
SET = """
    sqs.set_queue_attributes(QueueUrl={queue}, Attributes={{"RedrivePolicy": {policy}}})
"""


def redrive(policy, queue="queue_url"):
    return f"def redrive_after_three(queue_url, dlq_url):{ARN}{SET.format(queue=queue, policy=policy)}"


def drain(body):
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    return f"def drain(queue_url, work):\n{lines}\n"


RECEIVE = 'sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds={wait}).get("Messages")'
DELETE = 'sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])'
WORK = 'work(message["Body"])'


def loop(*lines, wait=2):
    inner = "\n".join(f"        {line}" for line in lines)
    return drain(f"while messages := {RECEIVE.format(wait=wait)}:\n    for message in messages:\n{inner}")


@pytest.mark.parametrize("exercise", ["05.1", "05.2"])
def test_the_stub_counts_as_not_attempted(course, exercise):
    assert course.answer(exercise, course.stub(exercise)).outcome == "not attempted"


@pytest.mark.parametrize("exercise", ["05.1", "05.2"])
def test_the_solution_is_correct(course, exercise):
    verdict = course.answer(exercise, course.solution(exercise))

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (redrive('{"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 3}'), "json.dumps"),
        (redrive('json.dumps({"deadLetterTargetArn": dlq_url, "maxReceiveCount": 3})'), "a URL will not do"),
        (redrive('json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 3})', "dlq_url"), "queue itself"),
        (redrive('json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 2})'), "handed out 2 times"),
        (redrive('json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 4})'), "handed out 4 times"),
        (f"def redrive_after_three(queue_url, dlq_url):{ARN}", "no RedrivePolicy"),
    ],
    ids=["a dict", "the URL", "on the DLQ", "two", "four", "nothing set"],
)
def test_a_usual_mistake_with_the_redrive_is_named(course, source, message):
    verdict = course.answer("05.1", source)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_another_way_to_the_same_redrive_is_correct(course):
    """The count as text, the ARN put together by hand, all attributes in one call."""
    source = """
def redrive_after_three(queue_url, dlq_url):
    account, name = dlq_url.split("/")[-2:]
    policy = '{"deadLetterTargetArn": "arn:aws:sqs:%s:%s:%s", "maxReceiveCount": "3"}' % (lab["region"], account, name)
    boto3.client("sqs").set_queue_attributes(QueueUrl=queue_url, Attributes={"RedrivePolicy": policy})
"""
    assert course.answer("05.1", source).outcome == "correct"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (loop(DELETE, WORK), "deleted before the work was done"),
        (loop(WORK, DELETE, wait=0), "an empty short poll proves nothing"),
        (loop(WORK), "does not delete what is done"),
        (drain("return len(queue_url)"), "without one call of work"),
        (loop("try:", f"    {WORK}", "except BaseException:", "    return 0", DELETE), "stopped after"),
    ],
    ids=["deletes first", "short poll", "never deletes", "no work", "catches everything"],
)
def test_a_usual_mistake_of_drain_is_named(course, source, message):
    verdict = course.answer("05.2", source)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_another_drain_is_correct(course):
    """One message at a time, and the queue believed empty after two long polls."""
    source = drain("""
done = empty = 0
while empty < 2:
    answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=1)
    empty = 0 if "Messages" in answer else empty + 1
    for message in answer.get("Messages", []):
        work(message["Body"])
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        done += 1
return done
""")
    assert course.answer("05.2", source).outcome == "correct"


@pytest.mark.parametrize(("option", "outcome"), [("a", "not yet"), ("b", "correct"), ("c", "not yet")])
def test_every_option_of_the_prediction_gets_its_reply(course, option, outcome):
    verdict = course.check("05.predict", option)

    assert (verdict.outcome, len(verdict.message) > 40) == (outcome, True)
