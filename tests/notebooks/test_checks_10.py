"""Notebook 10's checks: a failing event's record is read from the queue, and a fire drill calls a function."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

import labkit

TWICE = """
may_send = {{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": practice_arn}}
settings = {{"MaximumRetryAttempts": 1, "DestinationConfig": {{"OnFailure": {{"Destination": practice_arn}}}}}}
how, count = "Event", 2
{change}
"""
DRILL = """
pattern = {{"source": ["lab.exercise"], "detail-type": ["fire drill"]}}
permission = {{
    "FunctionName": practice, "StatementId": "fire-drill", "Action": "lambda:InvokeFunction",
    "Principal": "events.amazonaws.com", "SourceArn": drill_rule_arn,
}}
target = {{"Id": "drill", "Arn": practice_function_arn}}
{change}
"""


def twice(change=""):
    return TWICE.format(change=change)


def drill(change=""):
    return DRILL.format(change=change)


@pytest.fixture(scope="module")
def opened(course):
    """The notebook, run up to its last exercise."""
    course.run("10.2")
    return course


@pytest.mark.parametrize("exercise", ["10.1", "10.2"])
def test_the_stub_counts_as_not_attempted(opened, exercise):
    """A learner who runs all cells is not told off."""
    assert opened.answer(exercise, opened.stub(exercise)).outcome == "not attempted"


@pytest.mark.parametrize("exercise", ["10.1", "10.2"])
def test_the_solution_is_correct_and_leaves_nothing_behind(opened, exercise):
    """Solutions do not drift from their checks; the practice function is afterwards as it was."""
    verdict = opened.answer(exercise, opened.solution(exercise))

    practice = labkit.name("PracticeCheck")
    assert verdict.outcome == "correct", verdict
    assert boto3.client("iam").list_role_policies(RoleName=practice)["PolicyNames"] == ["work"]
    with pytest.raises(ClientError, match="doesn't have an EventInvokeConfig"):
        boto3.client("lambda").get_function_event_invoke_config(FunctionName=practice)
    with pytest.raises(ClientError, match="does not exist"):
        boto3.client("events").describe_rule(Name=labkit.name("FireDrill"))
    with pytest.raises(ClientError, match="does not exist"):
        boto3.client("lambda").get_policy(FunctionName=practice)


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("10.1", twice('may_send["Action"] = ["sqs:sendmessage"]')),
        ("10.1", twice('settings["MaximumEventAgeInSeconds"] = 3600')),
        ("10.2", drill("del permission['SourceArn']")),
        ("10.2", drill("pattern = json.dumps(pattern)")),
        ("10.2", drill("pattern['detail'] = {'eventName': [{'exists': True}]}")),
    ],
)
def test_another_right_answer_is_correct(opened, exercise, answer):
    """What counts is the record, and who was called."""
    verdict = opened.answer(exercise, answer)

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('settings["MaximumRetryAttempts"] = 2', "the record says 3 attempts"),
        ('del settings["MaximumRetryAttempts"]', "the record says 3 attempts"),
        ('settings["MaximumRetryAttempts"] = 0', "the record says 1 attempt"),
        ("count = 3", "approximateInvokeCount 2, not 3"),
        ('may_send["Resource"] = failures_arn', "the role may not send to"),
        ('may_send["Action"] = "sqs:ReceiveMessage"', "the role may not send to"),
        ('may_send["Effect"] = "Deny"', "the role may not send to"),
        ('may_send["Resource"] = practice_url', "its Resource is the queue's URL"),
        ('may_send["Resource"] = "*"', "may now send to every queue"),
        ('may_send["Principal"] = {"Service": "lambda.amazonaws.com"}', "leave Principal out"),
        ('settings["DestinationConfig"]["OnFailure"]["Destination"] = practice_url', "the queue's URL; give its ARN"),
        ('settings["DestinationConfig"] = {"OnSuccess": {"Destination": practice_arn}}', "OnSuccess is for events"),
        ('settings["MaximumRetryAttempts"] = 5', "Lambda refuses the settings"),
        ('settings["MaxRetries"] = 1', "no argument MaxRetries"),
        ('how = "RequestResponse"', "you wait at the function"),
        ('how = "DryRun"', "only asks for permission"),
        ('how = "async"', "how is 'async'"),
        ("settings = 1", "are dicts"),
    ],
)
def test_wrong_settings_are_told_by_what_happens(opened, change, message):
    """Each wrong answer gets its own sentence."""
    verdict = opened.answer("10.1", twice(change))

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("pattern['source'] = 'lab.exercise'", "source is no list"),
        ("permission = {}", "without add_permission"),
        ("permission['Principal'] = 'lambda.amazonaws.com'", "who calls is events.amazonaws.com"),
        ("permission['SourceArn'] = drill_rule_arn.replace('FireDrill', 'S3BucketChanges')", "the permission is for"),
        ("target['Arn'] = practice", "put_targets refuses the target"),
        ("target['Arn'] = check_arn", "the drill should call"),
        ("pattern = {'source': ['lab.exercise']}", "and so does a real fire"),
        ("pattern = {'detail-type': ['fire drill']}", "and so does another source"),
        ("pattern['detail_type'] = pattern.pop('detail-type')", "the rule does not fit the drill"),
        ("pattern['source'] = ['aws.s3']", "the rule does not fit the drill"),
        ("pattern = 'fire drill'", "no JSON"),
        ("target = check_arn", "are dicts"),
    ],
)
def test_a_drill_that_calls_nobody_or_too_often_is_told_why(opened, change, message):
    """The rule, the function's policy and the target must agree."""
    verdict = opened.answer("10.2", drill(change))

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_without_the_practice_function_the_check_says_which_cell_to_run(opened):
    """A learner comes back the next day, and begins with an empty local cloud."""
    labkit.connect(lab_id="t-elsewhere")
    try:
        verdicts = [opened.check("10.1", {}, {}, "Event", 2), opened.check("10.2", {"a": ["b"]}, {}, {"Id": "1"})]
    finally:
        labkit.connect(lab_id=opened.lab["lab_id"])

    assert all("run the cell under Exercise" in verdict.message for verdict in verdicts), verdicts


@pytest.mark.parametrize(
    ("option", "outcome"), [("a", "not yet"), ("b", "not yet"), ("c", "correct"), ("d", "not yet")]
)
def test_every_option_of_the_prediction_gets_its_reply(course, option, outcome):
    """A wrong guess is answered too."""
    assert course.check("10.predict", option).outcome == outcome
