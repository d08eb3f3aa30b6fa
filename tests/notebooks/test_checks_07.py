"""The checks of notebook 07: the stub, the solution, other right answers, and the mistakes that learners make."""

from __future__ import annotations

import linecache

import pandas as pd
import pytest

import labkit

FAILURES = "arn:aws:sqs:us-east-1:123456789012:ProductVisitsStreamFailures"
SHOES = '{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"Category": {"S": ["Shoes"]}}}}'
PREFIX = SHOES.replace('"Shoes"', '{"prefix": "Sho"}')
BARE = SHOES.replace('["INSERT"]', '"INSERT"')
FIRST = 'return {"batchItemFailures": [{"itemIdentifier": bad[0]["dynamodb"]["SequenceNumber"]}]}'
SETTINGS = (
    '{"BisectBatchOnFunctionError": True, "MaximumRetryAttempts": 2, '
    '"DestinationConfig": {"OnFailure": {"Destination": failures_arn}}}'
)


def answer(course, exercise, source):
    """Execute *source* as a cell, so that the check can read the source of a function, and check what it defines."""
    file = f"<answer to {exercise}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names = {"failures_arn": FAILURES}
    exec(compile(source, file, "exec"), names)  # noqa: S102
    wanted = {"07.1": ("pattern",), "07.2": ("response_to", "settings")}[exercise]
    return course.check(exercise, *(names[name] for name in wanted))


def halves(body=FIRST, settings=SETTINGS):
    """Both halves of the stretch."""
    return f"def response_to(bad):\n    {body}\n\n\nsettings = {settings}\n"


@pytest.mark.parametrize("exercise", ["07.1", "07.2"])
def test_the_stub_counts_as_not_attempted(course, exercise):
    """Nobody is told that an empty answer is wrong."""
    assert answer(course, exercise, course.stub(exercise)).outcome == "not attempted"


@pytest.mark.parametrize("exercise", ["07.1", "07.2"])
def test_the_solution_is_correct(course, exercise):
    """Lifted from the notebook, so that it cannot drift."""
    verdict = answer(course, exercise, course.solution(exercise))

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("exercise", "source"),
    [
        ("07.1", f"pattern = {SHOES!r}"),
        ("07.1", f"pattern = {PREFIX}"),
        ("07.2", halves(FIRST.replace("bad[0]", "one").replace("}]}", "} for one in bad]}"))),
        ("07.2", halves(settings=SETTINGS.replace('Attempts": 2', 'Attempts": 0'))),
    ],
    ids=["as JSON", "other words of the language", "all bad ones, the lowest counts", "no retry at all"],
)  # fmt: skip
def test_another_right_answer_is_correct(course, exercise, source):
    """The check looks at what happens, not at the text."""
    verdict = answer(course, exercise, source)

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"Category": ["Shoes"]}}}', "without the S the"),
        (f"pattern = {SHOES.replace('INSERT', 'insert')}", "upper and lower case differ"),
        (f"pattern = {BARE}", "must be a list"),
        ('pattern = {"eventName": ["INSERT"], "Category": {"S": ["Shoes"]}}', "lies below dynamodb, NewImage"),
        ('pattern = {"eventName": ["INSERT"]}', "other categories reached the function"),
        ('pattern = {"dynamodb": {"NewImage": {"Category": {"S": ["Shoes"]}}}}', "a correction reached the function"),
        ("pattern = ['INSERT']", "is a list; write it as a dict"),
    ],
    ids=["no S", "lower case", "bare text", "not under NewImage", "no category", "no event name", "no dict"],
)  # fmt: skip
def test_a_known_mistake_in_the_filter_is_named(course, source, message):
    """Each gets its own sentence."""
    verdict = answer(course, "07.1", source)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (halves(settings=SETTINGS.replace("True", "False")), "good ones were given up together with a bad one"),
        (halves(FIRST.replace('["dynamodb"]["SequenceNumber"]', '["eventID"]')), "it is the SequenceNumber"),
        (halves(FIRST.replace("bad[0]", "bad[-1]")), "counts as done. Which of the bad records"),
        (halves(settings='{"BisectBatchOnFunctionError": True, "MaximumRetryAttempts": 2}'), "no destination"),
        (halves(settings=SETTINGS.replace('"MaximumRetryAttempts": 2, ', "")), "is tried again and again"),
        (halves(settings=SETTINGS.replace("failures_arn", "'http://localhost/queue'")), "is no ARN"),
    ],
    ids=["no bisect", "event id", "the highest", "no destination", "no end", "address for ARN"],
)  # fmt: skip
def test_a_known_mistake_about_bad_records_is_named(course, source, message):
    """Found by what arrived in the lake and on the queue."""
    verdict = answer(course, "07.2", source)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


@pytest.mark.parametrize(("option", "outcome"), [("a", "not yet"), ("b", "correct"), ("c", "not yet")])
def test_every_option_of_the_prediction_gets_its_reply(course, option, outcome):
    """The stream keeps the record."""
    assert course.check("07.predict", option).outcome == outcome


def test_the_picture_of_the_lane_says_what_it_shows_and_is_kept_for_slides(course, tmp_path, monkeypatch):
    """The finding is its title, and where it was measured stands below."""
    monkeypatch.setenv("LABKIT_BUILD", str(tmp_path))
    records = pd.DataFrame(
        {
            "record": ["bad", "good 1", "good 2"],
            "written": [0.0, 0.1, 0.2],
            "failed at": [[0.2, 0.5], [], []],
            "left": [3.0, 3.1, 3.2],
            "where to": ["failures", "lake", "lake"],
        }
    )

    figure = labkit.draw_lane(records, changed=2.5)

    assert figure.axes[0].get_title(loc="left") == "One bad record held up 2 good ones for 3.1 s"
    assert figure.get_supxlabel().startswith("measured on: local cloud")
    assert (tmp_path / "figures" / "07_blocked_lane.png").stat().st_size > 10_000
