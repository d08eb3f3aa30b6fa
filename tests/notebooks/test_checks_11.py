"""Exercises of notebook 11: who holds the failing event, and a trigger for five cases."""

from __future__ import annotations

import copy

import pandas as pd
import pytest

import labkit

SOLUTION = {
    "call": {"kind": "synchronous", "held by": "the caller", "attempts": 1, "ended in": "nowhere: the caller knows"},
    "hand over": {"kind": "asynchronous", "held by": "Lambda", "attempts": 3, "ended in": "the function's destination"},
    "queue": {"kind": "poll-based", "held by": "the queue", "attempts": 2, "ended in": "the queue's DLQ"},
    "stream": {"kind": "poll-based", "held by": "the stream", "attempts": 7, "ended in": "the mapping's destination"},
}
ENDS = (
    "with the caller",
    "destination: the whole event",
    "DLQ of the queue: the message",
    "destination: its place only",
)
MEASURED = pd.DataFrame({"attempts": [1, 3, 2, 7], "where it ended": ENDS}, index=list(SOLUTION))
CHOICES = {
    "coupon": ("call", "because the customer waits for it"),
    "thumbnail": ("hand over", "because the bucket tells Lambda"),
    "report": ("queue", "because an API waits 29 seconds only"),
    "balance": ("stream", "because it keeps the order"),
    "rush": ("queue", "because the pace can be limited"),
}


@pytest.mark.parametrize(("exercise", "names"), [("11.1", {"measured": MEASURED}), ("11.2", {})])
def test_the_stub_counts_as_not_attempted(course, exercise, names):
    """Who runs all cells has not tried yet."""
    assert course.answer(exercise, course.stub(exercise), **names).outcome == "not attempted"


@pytest.mark.parametrize(("exercise", "names"), [("11.1", {"measured": MEASURED}), ("11.2", {})])
def test_the_solution_is_correct(course, exercise, names):
    """Lifted from the notebook, so that it never drifts."""
    verdict = course.answer(exercise, course.solution(exercise), **names)

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("trigger", "key", "word", "message"),
    [
        ("queue", "kind", "asynchronous", "makes the *work* asynchronous"),
        ("queue", "kind", "Asynchronous invocation", "makes the *work* asynchronous"),
        ("call", "held by", "Lambda", "Lambda keeps nothing of a call"),
        ("call", "attempts", 3, "Lambda does not retry a call"),
        ("queue", "ended in", "the function's DLQ", "would have stayed empty"),
        ("queue", "ended in", "the function's destination", "a poller does not ask for it"),
        ("stream", "attempts", 3, "three attempts are the courier's"),
        ("queue", "held by", "Lambda", "which is yours"),
        ("hand over", "kind", "synchronous", "synchronous it is not"),
        ("stream", "kind", "polling", "choose one of"),
        ("hand over", "ended in", "the queue's DLQ", "not in the queue's dlq"),
        ("hand over", "ended in", "somewhere", "choose one of the words"),
        ("stream", "held by", "the caller", "who could have tried again"),
        ("hand over", "attempts", 2, "counts 3 attempts, not 2"),
    ],
)
def test_a_known_mistake_is_named(course, trigger, key, word, message):
    """Each wrong answer gets its own message."""
    answers = copy.deepcopy(SOLUTION)
    answers[trigger][key] = word

    verdict = course.check("11.1", answers, MEASURED)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_the_numbers_are_those_that_the_learner_measured(course):
    """Whoever set other limits has other numbers."""
    measured = MEASURED.assign(attempts=[1, 3, 4, 2])

    verdict = course.check("11.1", SOLUTION, measured)

    assert (verdict.outcome, verdict.message) == ("not yet", "queue: your table counts 4 attempts, not 2")


def test_other_words_for_the_same_are_correct(course):
    """Capitals, the long form of DLQ, your queue."""
    answers = copy.deepcopy(SOLUTION)
    answers["call"]["ended in"] = "nowhere"
    answers["hand over"].update({"held by": "Lambda's hidden queue", "attempts": "3 times"})
    answers["queue"].update({"held by": "Your queue", "ended in": "the queue's dead-letter queue"})

    assert course.check("11.1", answers, MEASURED).outcome == "correct"


@pytest.mark.parametrize(
    ("case", "pair", "message"),
    [
        ("coupon", ("queue", "because it is robust and cheap"), "the customer waits for the answer"),
        ("report", ("call", "because it is the simplest way"), "API Gateway waits 29 seconds"),
        ("balance", ("queue", "because nothing gets lost"), "not to keep the order"),
        ("rush", ("hand over", "because nobody waits here"), "takes five at a time"),
        ("thumbnail", ("call", "because it is the simplest way"), "who should call"),
        ("rush", ("queue", "because …"), "now the reason"),
        ("coupon", ("SNS", "because it is modern and fast"), "is none of call, hand over, queue, stream"),
        ("coupon", "call", "write a pair"),
    ],
)
def test_a_trigger_that_would_hurt_is_refused_with_the_reason(course, case, pair, message):
    """Answer needed but queued, ten minutes behind the API, order on a standard queue."""
    verdict = course.check("11.2", {**CHOICES, case: pair})

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_another_right_choice_is_correct(course):
    """A thumbnail may be queued, and a report be handed over."""
    other = {
        "thumbnail": ("queue", "because nothing gets lost"),
        "report": ["hand over", "because nobody waits"],
    }

    assert course.check("11.2", CHOICES | other).outcome == "correct"


@pytest.mark.parametrize(
    ("question", "right"),
    [("predict_call", "c"), ("predict_hand_over", "b"), ("predict_queue", "a"), ("predict_stream", "b")],
)
def test_every_option_of_a_prediction_gets_its_reply(course, question, right):
    """Four times the question of the whole course."""
    replies = {option: course.check(f"11.{question}", option) for option in "abc"}

    assert [option for option, reply in replies.items() if reply.outcome == "correct"] == [right]
    assert len({reply.message for reply in replies.values()}) == 3


def test_the_figure_says_in_words_what_it_shows(course):
    """Markers and labels, not colour alone; and what AWS would take beside what is scaled."""
    lane = {"began": 100.0, "released": 100.02, "attempts": [100.01, 101.0, 103.0], "ended": 103.1, "where": "there"}

    [axes] = labkit.draw_invocations({"hand over": lane, "queue": lane}).axes

    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0].startswith("hand over\n(on AWS about ")
    assert labels[1] == "queue"
    assert [text.get_text() for text in axes.texts] == ["there", "3 attempts"] * 2
    assert len({handle.get_marker() for handle in axes.get_legend().legend_handles}) == 3
