"""Notebook 00's checks tell a right answer from the mistakes that learners make."""

from __future__ import annotations

import pytest

ARN = "my_arn = sts.get_caller_identity()['Arn']\nfields = my_arn.split(':', 5)[1:]\n"
NAMES = "['partition', 'service', 'region', 'account', 'resource']"
PARTS = ARN + f"parts = dict(zip({NAMES}, fields))\n"
ASK = """
sqs = boto3.client("sqs")


def ask_for(name):
    try:
        sqs.get_queue_url(QueueName=name)
    except {caught} as error:
        return {answer}
    return "", 200
"""
CODE = 'error.response["Error"]["Code"]'
STATUS = 'error.response["ResponseMetadata"]["HTTPStatusCode"]'


@pytest.fixture(scope="module")
def opened(course):
    """The notebook, run up to its last exercise."""
    course.run("00.2")
    return course


@pytest.mark.parametrize("exercise", ["00.1", "00.2"])
def test_the_stub_counts_as_not_attempted(opened, exercise):
    """A learner who runs all cells is not told off."""
    assert opened.answer(exercise, opened.stub(exercise)).outcome == "not attempted"


@pytest.mark.parametrize("exercise", ["00.1", "00.2"])
def test_the_solution_is_correct(opened, exercise):
    """Solutions do not drift from their checks."""
    verdict = opened.answer(exercise, opened.solution(exercise))

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("00.1", ARN + "_, p, s, r, a, rest = my_arn.split(':', 5)\n"
                       "parts = dict(partition=p, service=s, region=r, account=a, resource=rest)"),
        ("00.2", ASK.format(caught="ClientError", answer=f"[{CODE}, {STATUS}]")),
        ("00.2", ASK.format(caught="sqs.exceptions.QueueDoesNotExist", answer=f"({CODE}, {STATUS})")),
    ],
)  # fmt: skip
def test_another_right_answer_is_correct(opened, exercise, answer):
    """What counts is what it does."""
    verdict = opened.answer(exercise, answer)

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("exercise", "answer", "message"),
    [
        ("00.1", PARTS + "parts['region'] = lab['region']", "the ARN has nothing between those two colons"),
        ("00.1", PARTS + "parts['account'] = int(parts['account'])", "keep it a string"),
        ("00.1", PARTS + "parts['resource'] = parts['resource'].split('/')[1]", "only a part of it"),
        ("00.1", PARTS + "parts['resource'] = parts['resource'].split('/')[0]", "only a part of it"),
        ("00.1", ARN + f"parts = dict(zip({NAMES}, my_arn.split(':')))", "one place off"),
        ("00.1", ARN + "parts = fields", "make it a dict"),
        ("00.1", PARTS + "parts['service'] = 'sts'", "service is 'sts'"),
        ("00.2", ASK.format(caught="ClientError", answer=f'error.response["Error"]["Message"], {STATUS}'), "message"),
        ("00.2", ASK.format(caught="ClientError", answer=f"str(error), {STATUS}"), "made for people"),
        ("00.2", ASK.format(caught="ClientError", answer=f"type(error).__name__, {STATUS}"), "exception class"),
        ("00.2", ASK.format(caught="Exception", answer=f"{CODE}, {STATUS}"), "AttributeError"),
        ("00.2", ASK.format(caught="ClientError", answer=f"{CODE}, str({STATUS})"), "as a number"),
        ("00.2", ASK.format(caught="ClientError", answer=CODE), "should return two things"),
        (
            "00.2",
            "def ask_for(name):\n    return boto3.client('sqs').get_queue_url(QueueName=name)",
            "catch ClientError there",
        ),
        ("00.2", "ask_for = 'QueueDoesNotExist'", "without brackets"),
    ],
)
def test_a_known_mistake_is_named(opened, exercise, answer, message):
    """Each wrong answer gets its own sentence."""
    verdict = opened.answer(exercise, answer)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_a_bare_except_is_found_by_a_mistake_that_it_swallows(opened):
    """Not by reading the source: a number is no name, and boto3 does not send it."""
    bare = ASK.format(
        caught="Exception", answer="getattr(error, 'response', {'Error': {'Code': '?'}})['Error']['Code'], 400"
    )

    verdict = opened.answer("00.2", bare)

    assert (verdict.outcome, "your except catches more than AWS's no" in verdict.message) == ("not yet", True), verdict


@pytest.mark.parametrize(
    ("option", "outcome"), [("a", "not yet"), ("b", "correct"), ("c", "not yet"), ("d", "not yet")]
)
def test_every_option_of_the_prediction_gets_its_reply(opened, option, outcome):
    """A wrong guess is answered too."""
    assert opened.check("00.predict", option).outcome == outcome
