"""Notebook 01's checks tell a right answer from the mistakes that learners make."""

from __future__ import annotations

import pandas as pd
import pytest

import labkit

OWN = 'status, body = post_visit(CustomerName="Me")\nhops = labkit.follow(body["ProductVisitKey"])\n'
RECEIPT = 'body["ProductVisitKey"]'
NOBODY = "6b0c7e1e-0000-4000-8000-000000000000"
CHEAP = 'my_fields = {"PricePerUnit": "x"}\n'
REQUEST_ID = """
import re
group = "/aws/lambda/" + labkit.name("ProductVisitHandler")
lines = boto3.client("logs").filter_log_events(logGroupName=group, filterPattern='"START RequestId"')["events"]
request_id = re.search(r"RequestId: (\\S+)", lines[0]["message"])[1]
"""
LENGTHS = '(hops["end"] - hops["start"])'


@pytest.fixture(scope="module")
def tour(course):
    """The tour, built and used up to the exercise."""
    course.run("01.1")
    return course


@pytest.mark.parametrize("exercise", ["01.1", "01.2"])
def test_the_stub_counts_as_not_attempted(tour, exercise):
    """A learner who runs all cells is not told off."""
    assert tour.answer(exercise, tour.stub(exercise)).outcome == "not attempted"


@pytest.mark.parametrize("exercise", ["01.1", "01.2"])
def test_the_solution_is_correct(tour, exercise):
    """Solutions do not drift from their checks."""
    assert tour.answer(exercise, tour.solution(exercise)).outcome == "correct"


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("01.1", OWN + f"my_receipt, slowest_hop = {RECEIPT}, hops.service[{LENGTHS}.idxmax()]"),
        ("01.1", OWN + f"my_receipt, slowest_hop = {RECEIPT}, hops.hop[{LENGTHS}.idxmax()]"),
        ("01.2", 'my_fields = {"TimeOfVisit": "yesterday"}\nrefusal = post_visit(**my_fields)'),
        ("01.2", 'my_fields = {"ProductName": ""}\nrefusal = post_visit(**my_fields)'),
    ],
)
def test_another_right_answer_is_correct(tour, exercise, answer):
    """What counts is what it does."""
    assert tour.answer(exercise, answer).outcome == "correct"


@pytest.mark.parametrize(
    ("exercise", "answer", "message"),
    [
        ("01.1", OWN + "my_receipt, slowest_hop = body, hops.iloc[0]", "take its ProductVisitKey"),
        ("01.1", OWN + f"my_receipt, slowest_hop = {NOBODY!r}, hops.iloc[0]", "MessageId of SQS"),
        ("01.1", OWN + REQUEST_ID + "my_receipt, slowest_hop = request_id, hops.iloc[0]", "a request id of Product"),
        ("01.1", OWN + f"my_receipt, slowest_hop = {RECEIPT}, hops.loc[{LENGTHS}.idxmin()]", "compare end - start"),
        ("01.1", OWN + f'my_receipt, slowest_hop = {RECEIPT}, "API Gateway"', "none of the rows"),
        ("01.2", 'my_fields = {"CustomerName": "Me"}\nrefusal = post_visit(**my_fields)', "202"),
        ("01.2", f'{CHEAP}refusal = (403, {{"message": "Missing Authentication Token"}})', "no function"),
        ("01.2", 'my_fields = \'{"PricePerUnit": "x"}\'\nrefusal = (400, {})', "twice"),
        ("01.2", f'{CHEAP}refusal = (400, {{"message": "The body is not JSON.", "field": None}})', "twice"),
    ],
)
def test_a_known_mistake_is_named(tour, exercise, answer, message):
    """Each mistake has a message of its own."""
    verdict = tour.answer(exercise, answer)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_every_option_of_the_prediction_gets_its_own_reply(tour):
    """A wrong guess is answered, not only marked."""
    replies = [tour.check("01.predict", option) for option in "abc"]

    assert [one.outcome for one in replies] == ["not yet", "correct", "not yet"]
    assert len({one.message for one in replies}) == 3


def test_the_latest_end_is_not_taken_for_the_longest_duration(tour, monkeypatch):
    """The usual mistake: the last row."""
    import pandas as pd

    from labkit.checks import nb01

    hops = pd.DataFrame(
        [
            {"hop": 1, "service": "A", "what happened": "x", "start": 0.0, "end": 9.0},
            {"hop": 2, "service": "B", "what happened": nb01.LAST_STEP, "start": 9.0, "end": 11.0},
        ]
    )
    monkeypatch.setattr(nb01, "follow", lambda receipt, timeout: hops)
    monkeypatch.setattr(nb01, "_item", lambda receipt: {"ProductVisitKey": receipt})

    assert "latest end" in tour.check("01.1", "receipt", hops.iloc[-1]).message
    assert tour.check("01.1", "receipt", hops.iloc[0]).outcome == "correct"


def test_after_the_removal_the_check_says_so(tour):
    """The last cells remove the tour; an answer from before is not called wrong."""
    import boto3

    import labkit

    boto3.client("dynamodb").delete_table(TableName=labkit.name("ProductVisits"))

    assert "the tour is gone" in tour.check("01.1", "receipt", "A").message
    assert "the tour is gone" in tour.check("01.2", {"PricePerUnit": "x"}, (400, {"field": "PricePerUnit"})).message


def test_the_timeline_is_kept_for_slides(tour, tmp_path, monkeypatch):
    """The longest bar is named in words; where it was measured stands below."""
    monkeypatch.setenv("LABKIT_BUILD", str(tmp_path))
    hops = pd.DataFrame(
        [("Lambda A", "queued", 0.0, 4.0), ("SQS queue", "waited", 4.0, 9.0)],
        columns=["service", "what happened", "start", "end"],
    )

    figure = labkit.draw_timeline(hops)

    assert [text.get_text() for text in figure.axes[0].texts] == ["4.0 ms", "5.0 ms"]
    assert figure.get_supxlabel().startswith("measured on: local cloud")
    assert (tmp_path / "figures" / "01_timeline.png").stat().st_size > 10_000
