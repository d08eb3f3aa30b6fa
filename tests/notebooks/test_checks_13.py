"""Notebook 13's checks: rate × duration, and two designs priced line by line."""

from __future__ import annotations

import pytest

from labkit.checks import checks_of
from labkit.cost import cost_of_visits

ANSWER = "one_by_one, in_batches, maximum = {}"
BILLS = """
before = quantities(3_000_000)
after = quantities(3_000_000, per_batch=10, per_object=100)
{}
"""
REST, HTTP = "API Gateway REST calls", "API Gateway HTTP calls"


@pytest.fixture(scope="module")
def opened(course):
    """The notebook, run up to its last exercise."""
    course.run("13.2")
    return course


@pytest.mark.parametrize("exercise", ["13.1", "13.2"])
def test_the_stub_counts_as_not_attempted(opened, exercise):
    """A learner who runs all cells is not told off."""
    assert opened.answer(exercise, opened.stub(exercise)).outcome == "not attempted"


@pytest.mark.parametrize("exercise", ["13.1", "13.2"])
def test_the_solution_is_correct(opened, exercise):
    """Solutions do not drift from their checks."""
    verdict = opened.answer(exercise, opened.solution(exercise))

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("13.1", ANSWER.format("12, 3, 5")),
        ("13.1", ANSWER.format("100 * 120 / 1000, 3.0, 10.0")),
        ("13.2", BILLS.format(f'after = before | {{"{REST}: POST": 0, "{REST}: preflight": 0, "{HTTP}": 6_000_000}}')),
        ("13.2", BILLS.format('before = {**before, "Lambda duration: INIT": 0}')),
        ("13.2", BILLS.format(f'after["{REST}: preflight"] = 600_000')),
        ("13.2", BILLS.format('after["Lambda duration arm64: running"] = after.pop("Lambda duration: running")')),
    ],
)
def test_another_right_answer_is_correct(opened, exercise, answer):
    """There are several ways to save."""
    verdict = opened.answer(exercise, answer)

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("12_000, 3, 6", "milliseconds taken for seconds"),
        ("100, 3, 6", "a whole second"),
        ("100 / 0.12, 3, 6", "divided by the duration"),
        ("11, 3, 6", "what is their product?"),
        ("12, 1.2, 6", "forgets that a batch takes longer"),
        ("12, 30, 60", "would be 100 batches a second"),
        ("12, 3_000, 6_000", "300 ms are 0.3 s"),
        ("12, 4, 6", "how many invocations a second"),
        ("12, 3, 3", "has no head-room"),
        ("12, 3, 2", "has no head-room"),
        ("12, 3, 4.5", "a whole number"),
        ("12, 3, 1_000", "take the whole account"),
        ("'12', 3, 6", "should be a number of environments"),
        ("12, 3, None", "not attempted"),
    ],
)
def test_a_wrong_number_is_told_by_the_slip_that_makes_it(opened, answer, message):
    """The usual slips are known by their result."""
    verdict = opened.answer("13.1", ANSWER.format(answer))

    expected = ("not attempted", True) if message == "not attempted" else ("not yet", message in verdict.message)
    assert (verdict.outcome, True) == (expected[0], expected[1]), verdict


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('before = quantities(3_000_000); before["Lambda duration: running"] *= 1024', "megabytes taken for gigabytes"),
        ('before["Lambda requests"] -= 1_000_000', "free tier"),
        ('before["Lambda duration: running"] = before["Lambda duration: INIT"] = 0', "free tier"),
        ('del before["SQS requests: idle polling"]', "before: idle polling is left out"),
        (f'del before["{REST}: preflight"]', "before: the preflights are left out"),
        ('before["S3 puts and lists"] = 30_000', "before: S3 puts are 30,000"),
        ('before["DynamoDB writes"] = 0', "before: DynamoDB writes are 0"),
        ('del after["SQS requests: idle polling"]', "after: idle polling is left out"),
        (f'del after["{REST}: preflight"]', "after: the preflights are left out"),
        ('after["DynamoDB writes"] = 300_000', "DynamoDB writes are too few"),
        ('after["S3 puts and lists"] = 0', "S3 puts are too few"),
        ('after["Lambda requests"] = 300_000', "Lambda requests are too few"),
        ('after["SQS requests: send, receive, delete"] = 0', "SQS requests are too few"),
        (f'after["{REST}: POST"] = after["{REST}: preflight"] = 300_000', "calls of the API are too few"),
        ('after["Lambda duration: running"] = after["Lambda duration: INIT"] = 0', "hardly any Lambda duration"),
        ("after = before", "20 % are asked for"),
        ("after = quantities(3_000_000, per_batch=10)", "20 % are asked for"),
        ("before = labkit.cost(before)", "should be a dict of quantities"),
        ('before["Lambda"] = 3', "before: there is no price for 'Lambda'"),
    ],
)  # fmt: skip
def test_a_design_that_forgets_or_loses_something_is_told(opened, change, message):
    """Both designs are priced; what is left out of a bill does not make it cheaper."""
    verdict = opened.answer("13.2", BILLS.format(change))

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_the_bill_of_the_notebook_is_that_of_cost_of_visits(opened):
    """About two dollars, whoever calculates."""
    bill = opened.build("13")["bill"].set_index("item")["USD"]
    other = cost_of_visits(100_000).set_index("item")["USD"]

    assert bill["total"] == pytest.approx(other["total"], rel=0.1)
    assert bill["S3 puts and lists"] == other["S3 puts and lists"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("option", "outcome"), [("a", "not yet"), ("b", "not yet"), ("c", "correct"), ("d", "not yet")]
)
def test_every_option_of_the_prediction_gets_its_reply(opened, option, outcome):
    """A wrong guess is answered too."""
    assert opened.check("13.predict", option).outcome == outcome


def test_all_checks_are_there():
    """Core, stretch and prediction."""
    assert set(checks_of("13")) == {"1", "2", "predict"}
