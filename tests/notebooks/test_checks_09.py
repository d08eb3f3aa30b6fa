"""Notebook 09's checks: a pattern is tried on five events, and the one who did it stands in the event history."""

from __future__ import annotations

import pytest

PATTERN = """
policy_changes = {{
    "source": ["aws.s3"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {{
        "eventName": ["PutBucketPolicy", "DeleteBucketPolicy"],
        "requestParameters": {{"bucketName": [lake]}},
    }},
}}
{change}
"""
DETAIL = 'policy_changes["detail"]'
FOUND = """
acts = [one for one in history(lake) if one["eventName"] == "PutBucketPublicAccessBlock"]
issuer = acts[0]["userIdentity"]["sessionContext"]["sessionIssuer"]
culprit = {{"who": issuer["arn"], "when": acts[0]["eventTime"]}}
{change}
"""


def pattern(change=""):
    return PATTERN.format(change=change)


def found(change=""):
    return FOUND.format(change=change)


@pytest.fixture(scope="module")
def opened(course):
    """The notebook, run up to its last exercise."""
    course.run("09.2")
    return course


@pytest.mark.parametrize("exercise", ["09.1", "09.2"])
def test_the_stub_counts_as_not_attempted(opened, exercise):
    """A learner who runs all cells is not told off."""
    assert opened.answer(exercise, opened.stub(exercise)).outcome == "not attempted"


@pytest.mark.parametrize("exercise", ["09.1", "09.2"])
def test_the_solution_is_correct(opened, exercise):
    """Solutions do not drift from their checks."""
    verdict = opened.answer(exercise, opened.solution(exercise))

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("09.1", pattern(f'{DETAIL}["eventName"] = [{{"suffix": "BucketPolicy"}}]')),
        ("09.1", pattern('del policy_changes["detail-type"]')),
        ("09.1", pattern("policy_changes = json.dumps(policy_changes)")),
        ("09.2", found("from datetime import datetime\nculprit['when'] = datetime.fromisoformat(culprit['when'])")),
    ],
)
def test_another_right_answer_is_correct(opened, exercise, answer):
    """What counts is which events fit, and what the record says."""
    verdict = opened.answer(exercise, answer)

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (f'policy_changes["eventName"] = {DETAIL}.pop("eventName")', "not outside, but in detail"),
        (f'policy_changes["requestParameters"] = {DETAIL}.pop("requestParameters")', "not outside, but in detail"),
        (f'del {DETAIL}["requestParameters"]', "a policy on another bucket would wake you too"),
        (f'{DETAIL}["requestParameters"]["bucketName"].append(form)', "a policy on another bucket would wake you too"),
        ('policy_changes["source"] = ["s3"]', "its source is 'aws.s3'"),
        (f'{DETAIL}["eventName"] = "PutBucketPolicy"', "detail.eventName is no list"),
        ('policy_changes["source"] = "aws.s3"', "source is no list"),
        (f'{DETAIL}["eventName"] = ["PutObject"]', "data events, and off"),
        (f'{DETAIL}["eventName"] = ["PutBucketPolicy"]', "DeleteBucketPolicy does not fit"),
        (f'{DETAIL}["eventName"] = ["DeleteBucketPolicy"]', "PutBucketPolicy does not fit"),
        (f'{DETAIL}["eventName"] = ["put_bucket_policy", "delete_bucket_policy"]', "that is boto3's name"),
        (f'del {DETAIL}["eventName"]', "a change of the tags would wake you too"),
        (f'{DETAIL}["eventName"].append("PutObject")', "an upload would wake you too"),
        (f'{DETAIL}["requestParameters"] = {{"bucketName": ["visits-datalake"]}}', "and your lake is"),
        ('policy_changes["detail-type"] = ["Object Created"]', "compare with the event you received: detail-type"),
        (f'{DETAIL}["eventName"] = []', "EventBridge refuses it"),
        ('policy_changes = "PutBucketPolicy"', "no JSON"),
        ("policy_changes = [policy_changes]", "should be a dict"),
    ],
)
def test_a_wrong_pattern_is_told_by_what_it_hears(opened, change, message):
    """Each wrong answer gets its own sentence."""
    verdict = opened.answer("09.1", pattern(change))

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("culprit['who'] = 'ada'", "'ada' is the session"),
        ("culprit['who'] = acts[0]['userIdentity']['arn']", "that is the session's ARN"),
        ("culprit['who'] = issuer['userName']", "give its ARN"),
        ("culprit['who'] = boto3.client('sts').get_caller_identity()['Arn']", "that is you"),
        ("culprit['who'] = cloudtrail.lookup_events()['Events'][0]['CloudTrailEvent']", "json.loads, then look"),
        ("culprit['who'] = acts[0]", "who is a dict"),
        ("culprit['who'] = 'arn:aws:iam::1:role/Nobody'", "did not do it"),
        ("culprit['when'] = 'last night'", "give the record's eventTime"),
        ("culprit['when'] = '2026-01-01T00:00:00Z'", "the API says PutPublicAccessBlock"),
        ("culprit = issuer['arn']", "a dict with two keys"),
    ],
)
def test_a_wrong_culprit_is_told_which_record_to_read(opened, change, message):
    """The session is not the one, and the API's name leads nowhere."""
    verdict = opened.answer("09.2", found(change))

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_before_anything_has_happened_the_check_says_which_cells_to_run(course):
    """On AWS the history lags behind; and a learner may have skipped the cells."""
    import labkit

    labkit.connect(lab_id="t-elsewhere")
    try:
        verdict = course.check("09.2", {"who": "arn:aws:iam::1:role/x", "when": "2026-01-01T00:00:00Z"})
    finally:
        labkit.connect(lab_id=course.lab["lab_id"])

    assert "run the two cells before it" in verdict.message


@pytest.mark.parametrize(
    ("option", "outcome"), [("a", "correct"), ("b", "not yet"), ("c", "not yet"), ("d", "not yet")]
)
def test_every_option_of_the_prediction_gets_its_reply(course, option, outcome):
    """A wrong guess is answered too."""
    assert course.check("09.predict", option).outcome == outcome
