"""The checks of notebook 99: the stub, the solution, other right answers, and the mistakes that learners make."""

from __future__ import annotations

import boto3
import pytest

import labkit

ORDER = [
    "delete_event_source_mapping",
    "delete_queue",
    "delete_object",
    "delete_bucket",
    "delete_role_policy",
    "delete_role",
]
LISTS = """
def all_of(service, operation, key):
    pages = boto3.client(service).get_paginator(operation).paginate()
    return [one for page in pages for one in page.get(key, [])]

def found(part):
    names = [one["Name"] for one in all_of("s3", "list_buckets", "Buckets")] + all_of("sqs", "list_queues", "QueueUrls")
    names += [one["logGroupName"] for one in all_of("logs", "describe_log_groups", "logGroups")]
    names += [one["TopicArn"] for one in all_of("sns", "list_topics", "Topics")]
    names += [str(one) for one in all_of("sns", "list_subscriptions", "Subscriptions")]
    return [name for name in names if part in name]
"""


def answer(course, exercise, source):
    """Execute *source* as a cell and check what it defines."""
    names = {"boto3": boto3, "labkit": labkit}
    exec(compile(source, f"<answer to {exercise}>", "exec"), names)  # noqa: S102
    return course.check(exercise, names[{"99.1": "steps", "99.2": "left_behind"}[exercise]])


def swapped(one, other):
    """The right order with two steps exchanged."""
    exchange = {one: other, other: one}
    return f"steps = {[exchange.get(step, step) for step in ORDER]}"


@pytest.mark.parametrize("exercise", ["99.1", "99.2"])
def test_the_stub_counts_as_not_attempted(course, exercise):
    """Nobody is told that an empty answer is wrong."""
    assert answer(course, exercise, course.stub(exercise)).outcome == "not attempted"


@pytest.mark.parametrize("exercise", ["99.1", "99.2"])
def test_the_solution_is_correct_and_the_check_leaves_nothing(course, exercise):
    """Lifted from the notebook, so that it cannot drift."""
    verdict = answer(course, exercise, course.solution(exercise))

    assert verdict.outcome == "correct", verdict
    assert labkit.inventory().empty
    assert not [one for one in boto3.client("sqs").list_queues().get("QueueUrls", []) if course.lab["lab_id"] in one]


@pytest.mark.parametrize(
    ("exercise", "source"),
    [
        ("99.1", f"steps = {ORDER[4:] + ORDER[2:4] + ORDER[:2]}"),
        ("99.2", LISTS + "left_behind = lambda part: set(found(part))"),
    ],
    ids=["the pairs the other way round", "a set of whole answers"],
)
def test_another_right_answer_is_correct(course, exercise, source):
    """The check looks at what happens, not at the text."""
    verdict = answer(course, exercise, source)

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (swapped("delete_object", "delete_bucket"), "was refused (BucketNotEmpty"),
        (swapped("delete_role", "delete_role_policy"), "was refused (DeleteConflict"),
        (swapped("delete_queue", "delete_event_source_mapping"), "the mapping that reads the queue is left"),
        (f"steps = {ORDER[:5]}", "missing: delete_role"),
        (f"steps = {[*ORDER[:5], 'delete_everything']}", "is none of the six calls"),
        ("steps = 'delete_role'", "write a list"),
    ],
    ids=["bucket before objects", "role before policy", "queue before mapping", "five", "unknown", "no list"],
)
def test_a_known_mistake_in_the_order_is_named(course, source, message):
    """By what AWS said, or by what was left."""
    verdict = answer(course, "99.1", source)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict
    assert labkit.inventory().empty


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("left_behind = lambda part: [one for one in found(part) if one.startswith('old')]", "carries a tag"),
        ("left_behind = lambda part: [one for one in found(part) if 'Endpoint' not in one]", "PendingConfirmation"),
        ("left_behind = lambda part: [labkit.name('ProductVisits')]", "their names are random"),
        ("left_behind = lambda part: found('old-')", "which has another name"),
        (
            "def left_behind(part):\n    names = found(part)\n    sqs = boto3.client('sqs')\n"
            "    [sqs.delete_queue(QueueUrl=one) for one in names if one.startswith('http')]\n    return names",
            "a proof only reads",
        ),
    ],
    ids=["trusts tags", "no pending subscription", "remembered names", "somebody else's", "deletes"],
)
def test_a_known_mistake_in_the_proof_is_named(course, source, message):
    """Five things with random names are planted."""
    verdict = answer(course, "99.2", LISTS + source)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


@pytest.mark.parametrize(("option", "outcome"), [("a", "correct"), ("b", "not yet"), ("c", "not yet")])
def test_every_option_of_the_prediction_gets_its_reply(course, option, outcome):
    """A log group outlives its function."""
    assert course.check("99.predict", option).outcome == outcome


def test_the_page_to_take_home_holds_the_numbers_and_needs_no_network(course, tmp_path, monkeypatch):
    """A learner opens it years later."""
    monkeypatch.setenv("LABKIT_BUILD", str(tmp_path))
    labkit.checkpoint("01", good_records_held=9, seconds_held=4.25)

    page = labkit.take_home().read_text(encoding="utf-8")
    numbers = labkit.your_numbers().set_index("what")["your number"]

    assert (numbers["good records held"], numbers["seconds held"]) == ("9", "4.25")
    assert all(text in page for text in ("<td>good records held</td>", "<td>9</td>", course.lab["lab_id"]))
    assert "http" not in page
