"""The checks of notebook 03: the statement of a role, and what came of an invocation."""

from __future__ import annotations

import pytest

OWN = 'sqs.get_queue_attributes(QueueUrl=refused_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]'
CREATED = 'refused_url = sqs.create_queue(QueueName=labkit.name("RefusedVisits"))["QueueUrl"]\n'
SEND = '{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": %s}'


def statement(source: str) -> str:
    """The cell before the stub, and an answer in which OWN stands for the mailbox's ARN."""
    return f"{CREATED}OWN = {OWN}\nstatement = {source}"


@pytest.mark.parametrize("exercise", ["03.1", "03.2"])
def test_the_stub_counts_as_not_attempted(course, exercise):
    """Nobody is told that an empty cell is wrong."""
    assert course.answer(exercise, course.stub(exercise)).outcome == "not attempted"


@pytest.mark.parametrize("exercise", ["03.1", "03.2"])
def test_the_solution_is_correct(course, exercise):
    """Lifted from the notebook, so that it cannot drift."""
    source = CREATED + course.solution(exercise) if exercise == "03.1" else course.solution(exercise)

    verdict = course.answer(exercise, source)

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (SEND % '"*"', "allows too much"),
        ('{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}', "allows too much"),
        ('{"Effect": "Allow", "Action": "sqs:*", "Resource": OWN}', "sqs:ReceiveMessage as well"),
        (SEND % "refused_url", "the mailbox's URL"),
        (SEND % "mailbox_arn", "could also send to ProductVisitsDataQueue"),
        (SEND % '"arn:aws:sqs:us-east-1:111122223333:RefusedVisits"', "the simulator denies"),
        ('{"Effect": "Deny", "Action": "sqs:SendMessage", "Resource": OWN}', "the simulator denies"),
        (
            '{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}',
            "trust policy",
        ),
        (
            '{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": OWN}',
            "names no Principal",
        ),
        ('"sqs:SendMessage"', "a statement is a dict"),
    ],
)
def test_a_wrong_statement_gets_its_own_message(course, source, message):
    """The mistakes that learners make, one by one."""
    verdict = course.answer("03.1", statement(source))

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


@pytest.mark.parametrize(
    "source",
    [
        '{"Sid": "Send", "Effect": "Allow", "Action": ["sqs:SendMessage"], "Resource": [OWN]}',
        f'{{"Version": "2012-10-17", "Statement": [{SEND % "OWN"}]}}',
        '{"Effect": "Allow", "Action": "SQS:sendmessage", "Resource": OWN}',
    ],
)
def test_another_right_statement_is_correct(course, source):
    """Behaviour is judged, not text."""
    assert course.answer("03.1", statement(source)).outcome == "correct"


TRUSTS_200 = """
def outcome(response):
    returned = json.loads(response["Payload"].read())
    if response["StatusCode"] == 200:
        return "ok", json.loads(returned["body"])["ProductVisitKey"]
    return "function error", returned["errorMessage"]
"""
SAYS_OK = """
def outcome(response):
    returned = json.loads(response["Payload"].read())
    if "body" not in returned:
        return "ok", returned["errorMessage"]
    return "ok", json.loads(returned["body"]).get("ProductVisitKey")
"""
READS_TWICE = """
def outcome(response):
    if "FunctionError" in response:
        return "function error", json.loads(response["Payload"].read())["errorMessage"]
    body = json.loads(json.loads(response["Payload"].read())["body"])
    if json.loads(response["Payload"].read())["statusCode"] >= 400:
        return "refused", body["message"]
    return "ok", body["ProductVisitKey"]
"""
UNPARSED = """
def outcome(response):
    payload = response["Payload"].read()
    return ("function error" if "FunctionError" in response else "ok", payload)
"""
BODY_UNPARSED = """
def outcome(response):
    returned = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        return "function error", returned["errorMessage"]
    return ("refused" if returned["statusCode"] >= 400 else "ok"), returned["body"]
"""
REFUSED_IS_OK = """
def outcome(response):
    returned = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        return "function error", returned["errorMessage"]
    body = json.loads(returned["body"])
    return "ok", body.get("ProductVisitKey") or body["message"]
"""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (TRUSTS_200, "do not trust the status 200"),
        (SAYS_OK, "look for FunctionError"),
        (READS_TWICE, "the second reading is empty"),
        (UNPARSED, "JSON that nobody read"),
        (BODY_UNPARSED, "JSON that nobody read"),
        (REFUSED_IS_OK, "calls a refused visit ok"),
        ("def outcome(response):\n    return 'ok'", "return a pair"),
        ("outcome = 'ok'", "must be a function"),
    ],
)
def test_a_wrong_outcome_gets_its_own_message(course, source, message):
    """The mistakes that learners make, one by one."""
    verdict = course.answer("03.2", source)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_another_right_outcome_is_correct(course):
    """A list instead of a tuple, get instead of in."""
    source = """
def outcome(response):
    returned = json.load(response["Payload"])
    if response.get("FunctionError"):
        return ["function error", returned["errorMessage"]]
    body = json.loads(returned["body"])
    return ["ok", body["ProductVisitKey"]] if returned["statusCode"] == 202 else ["refused", body["message"]]
"""
    assert course.answer("03.2", source).outcome == "correct"


def test_every_option_of_the_prediction_gets_its_reply(course):
    """Whoever holds the event is the question of the whole course."""
    replies = {option: course.check("03.predict", option) for option in "abc"}

    assert [reply.outcome for reply in replies.values()] == ["correct", "not yet", "not yet"]
    assert len({reply.message for reply in replies.values()}) == 3
