"""The checks of notebook 04: a refusal that goes through the API, and a key on a plan."""

from __future__ import annotations

import pytest

CLOSE = 'change_post(suppliers, ("replace", "/apiKeyRequired", "true"))\ndeploy()\n'
OPTIONS = """
apigateway.update_method(
    restApiId=api_id, resourceId=suppliers, httpMethod="OPTIONS",
    patchOperations=[{"op": "replace", "path": "/apiKeyRequired", "value": "%s"}],
)
deploy()
"""


@pytest.fixture(scope="module")
def lesson(course):
    """All cells of the notebook before the stretch have run."""
    course.run("04.2")
    return course


@pytest.fixture
def open_suppliers(lesson):
    """The path of the stretch as the notebook leaves it: open to everybody, in drawing and photograph."""
    yield lesson
    namespace = lesson.build("04")
    exec('change_post(suppliers, ("replace", "/apiKeyRequired", "false"))\n' + OPTIONS % "false", namespace)  # noqa: S102


@pytest.mark.parametrize("exercise", ["04.1", "04.2"])
def test_the_stub_counts_as_not_attempted(lesson, exercise):
    """Nobody is told that an empty cell is wrong."""
    assert lesson.answer(exercise, lesson.stub(exercise)).outcome == "not attempted"


def test_the_solution_of_the_refusal_is_correct(lesson):
    """Lifted from the notebook, so that it cannot drift."""
    assert lesson.answer("04.1", lesson.solution("04.1")).outcome == "correct"


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ('{"statusCode": 400, "headers": CORS, "body": {"message": message}}', "body is a dict"),
        ('{"statusCode": 400, "headers": CORS, "body": TEXT, "message": message}', "'message' may not stand"),
        ('{"statusCode": 400, "body": TEXT}', "Access-Control-Allow-Origin"),
        ('{"statusCode": 200, "headers": CORS, "body": TEXT}', "takes it for a success"),
        ('{"headers": CORS, "body": TEXT}', "takes it for a success"),
        ('{"statusCode": 500, "headers": CORS, "body": TEXT}', "status 500"),
        ('{"statusCode": 400, "headers": CORS, "body": message}', "not JSON"),
        ('{"statusCode": 400, "headers": CORS, "body": json.dumps(message)}', "it should be"),
        ("json.dumps({'statusCode': 400})", "must return a dict"),
        ('{"statusCode": 400, "body": message.encode()}', "must be JSON"),
    ],
)
def test_a_wrong_refusal_gets_its_own_message(lesson, returned, message):
    """Each is sent through the API: the message says what a client would get."""
    source = f"""
def refuse(message):
    CORS, TEXT = {{"Access-Control-Allow-Origin": "*"}}, json.dumps({{"message": message}})
    return {returned}
"""
    verdict = lesson.answer("04.1", source)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_another_right_refusal_is_correct(lesson):
    """A header in another spelling, more in the body, the status as text."""
    source = """
def refuse(message):
    headers = {"access-control-allow-origin": "*"}
    return {"statusCode": "400", "headers": headers, "body": json.dumps({"message": message, "field": None})}
"""
    assert lesson.answer("04.1", source).outcome == "correct"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('supplier_key = key_with_plan("in-time", rate=0.5, burst=5)', "set apiKeyRequired of POST to true"),
        (
            'supplier_key = key_with_plan("in-time", rate=0.5, burst=5)\n' + CLOSE.replace("deploy()\n", ""),
            "not in the photograph",
        ),
        (CLOSE + 'supplier_key = apigateway.create_api_key(name="alone", enabled=True)["value"]', "no usage plan"),
        (
            CLOSE
            + """
key = apigateway.create_api_key(name="elsewhere", enabled=True)
plan = apigateway.create_usage_plan(name="elsewhere", throttle={"rateLimit": 0.5, "burstLimit": 5})
apigateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
supplier_key = key["value"]
""",
            "does not name this API's stage",
        ),
        (CLOSE + 'supplier_key = key_with_plan("generous", rate=100, burst=100)', "should hold 5 tokens"),
        (CLOSE + 'supplier_key = "not a key of this account"', "no API key with this value"),
        (
            CLOSE + 'supplier_key = apigateway.create_api_key(name="by-id", enabled=True)["id"]',
            "the key's id",
        ),
        (
            CLOSE + OPTIONS % "true" + 'supplier_key = key_with_plan("on-options", rate=0.5, burst=5)',
            "preflight gets 403",
        ),
    ],
)
def test_a_wrong_plan_gets_its_own_message(open_suppliers, source, message):
    """Tried by posting: with the key, without it, and as a browser asks first."""
    verdict = open_suppliers.answer("04.2", source)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_the_solution_of_the_plan_is_correct_once_its_bucket_is_full(open_suppliers):
    """A second check at once finds the bucket empty, and says so."""
    first = open_suppliers.answer("04.2", open_suppliers.solution("04.2"))
    second = open_suppliers.answer("04.2", open_suppliers.solution("04.2"))

    assert first.outcome == "correct", first
    assert (second.outcome, "you have just used the bucket" in second.message) == ("not yet", True), second


def test_another_right_plan_is_correct(open_suppliers):
    """Another name, another rate, made by hand."""
    source = (
        CLOSE
        + """
key = apigateway.create_api_key(name="by hand", enabled=True)
stage = {"apiId": api_id, "stage": "prod"}
throttle = {"rateLimit": 0.01, "burstLimit": 5}
plan = apigateway.create_usage_plan(name="by hand", apiStages=[stage], throttle=throttle)
apigateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
supplier_key = key["value"]
"""
    )
    assert open_suppliers.answer("04.2", source).outcome == "correct"


def test_every_option_of_the_prediction_gets_its_reply(course):
    """Whoever holds the event is the question of the whole course."""
    replies = {option: course.check("04.predict", option) for option in "abc"}

    assert [reply.outcome for reply in replies.values()] == ["correct", "not yet", "not yet"]
    assert len({reply.message for reply in replies.values()}) == 3
