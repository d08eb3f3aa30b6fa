"""Notebook 11: who holds a failing event, and which trigger a business case wants."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_yet

TRIGGERS = ("call", "hand over", "queue", "stream")
KEYS = ("kind", "held by", "attempts", "ended in")
KINDS = {"call": "synchronous", "hand over": "asynchronous", "queue": "poll-based", "stream": "poll-based"}
HOLDERS = {"call": "the caller", "hand over": "lambda", "queue": "the queue", "stream": "the stream"}
# Where the event is, as the column "where it ended" of the learner's own table says it.
ENDS = {
    "with the caller": "nowhere: the caller knows",
    "destination: the whole event": "the function's destination",
    "dlq of the queue: the message": "the queue's dlq",
    "destination: its place only": "the mapping's destination",
}


def who_holds_the_event(answers: Any, measured: Any) -> Verdict:
    """Compare the answers with what the learner measured, trigger by trigger."""
    if not isinstance(answers, dict) or not all(isinstance(answers.get(trigger), dict) for trigger in TRIGGERS):
        return not_yet(f"answers is a dict with the keys {', '.join(TRIGGERS)}, and a dict for each")
    for trigger in TRIGGERS:
        given = answers[trigger]
        if missing := [key for key in KEYS if key not in given]:
            return not_yet(f"{trigger}: the key {missing[0]!r} is missing")
        if wrong := _wrong(trigger, given, measured.loc[trigger]):
            return wrong
    return correct("four triggers, four holders, four ends, and the numbers are those that you measured")


def _wrong(trigger: str, given: Mapping[str, Any], row: Any) -> Verdict | None:
    kind, holder, end = (_plain(given[key]) for key in ("kind", "held by", "ended in"))
    return (
        _wrong_kind(trigger, kind)
        or _wrong_holder(trigger, holder)
        or _wrong_attempts(trigger, given["attempts"], int(row["attempts"]))
        or _wrong_end(trigger, end, ENDS[_plain(row["where it ended"])])
    )


def _plain(word: Any) -> str:
    """Write a word as it is compared: *Your queue* and *the queue* are the same."""
    text = re.sub(r"\s+", " ", str(word).replace("’", "'").strip().rstrip(".").lower())
    text = re.sub(r"^(your|the) (caller|queue|stream)", r"the \2", text)
    text = text.replace("dead-letter queue", "dlq").replace("on-failure destination", "destination")
    return {"lambda's hidden queue": "lambda", "lambda's own queue": "lambda", "caller": "the caller"}.get(text, text)


def _wrong_kind(trigger: str, kind: str) -> Verdict | None:
    if kind in (KINDS[trigger], KINDS[trigger] + " invocation"):
        return None
    if trigger == "queue" and kind.startswith("asynchronous"):
        return not_yet(
            "queue: the queue makes the *work* asynchronous, for whoever sent the message. The invocation is another "
            "matter: a poller fetched the message and called the probe. Lambda's hidden queue had no part in it"
        )
    if kind not in KINDS.values():
        return not_yet(f"{trigger}: kind is {kind!r}; choose one of {', '.join(sorted(set(KINDS.values())))}")
    return not_yet(f"{trigger}: {kind} it is not. Who called the probe: a caller, Lambda's own queue, a poller?")


def _wrong_holder(trigger: str, holder: str) -> Verdict | None:
    if holder == HOLDERS[trigger]:
        return None
    if trigger == "call" and holder == "lambda":
        return not_yet(
            "call: Lambda keeps nothing of a call and tries nothing again; the log has one attempt. Whoever called "
            "has the error, and still has the visit"
        )
    if trigger == "queue" and holder == "lambda":
        return not_yet("queue: between the attempts the message lay hidden in ProbeQueue, which is yours, not Lambda's")
    return not_yet(f"{trigger}: not {holder}; who could have tried again, or did?")


def _wrong_attempts(trigger: str, given: Any, counted: int) -> Verdict | None:
    number = re.search(r"\d+", str(given))
    if number and int(number[0]) == counted:
        return None
    if trigger == "call":
        return not_yet(
            f"call: your table counts {counted}. Lambda does not retry a call; only the caller can call again"
        )
    if trigger == "stream" and number and number[0] == "3":
        return not_yet(
            f"stream: three attempts are the courier's, for a hand over. Your table counts {counted}: the mapping's "
            "MaximumRetryAttempts and the first one. By default a stream tries until the record expires"
        )
    return not_yet(f"{trigger}: your table counts {counted} attempts, not {given}")


def _wrong_end(trigger: str, given: str, right: str) -> Verdict | None:
    if given == right or (trigger == "call" and given in ("nowhere", "the caller knows", "with the caller")):
        return None
    if trigger == "queue" and given == "the function's dlq":
        return not_yet(
            "queue: a DLQ on the *function* serves events that were handed over, and would have stayed empty. The "
            "message went where the *queue's* redrive policy sends it"
        )
    if trigger in ("queue", "stream") and given == "the function's destination":
        return not_yet(
            f"{trigger}: the function's destination serves events that were handed over; a poller does not ask for it"
        )
    if given not in {*ENDS.values(), "the function's dlq"}:
        return not_yet(f"{trigger}: 'ended in' is {given!r}; choose one of the words of the table above")
    return not_yet(f"{trigger}: not in {given}; look at the column 'where it ended' of your table")


CASES = {
    "coupon": {"call"},
    "thumbnail": {"hand over", "queue"},
    "report": {"hand over", "queue"},
    "balance": {"stream"},
    "rush": {"queue"},
}
AGAINST = {
    ("coupon", "queue"): "the customer waits for the answer, and a queue brings none: the sender gets a MessageId only",
    ("coupon", "hand over"): "the customer waits for the answer, and a hand over brings none: 202 and an empty body",
    ("coupon", "stream"): "the customer waits for the answer, and a stream brings none to whoever wrote",
    ("thumbnail", "call"): "who should call, and who repeat it after a failure? The uploader has gone; nobody waits",
    ("thumbnail", "stream"): "a picture in a bucket makes no record in a stream, and a bad one would stop the rest",
    ("report", "call"): "API Gateway waits 29 seconds and then answers 504, and the report takes 10 minutes",
    ("report", "stream"): "a report that fails would hold up every report behind it in the shard",
    ("balance", "queue"): "a standard queue promises to deliver, not to keep the order: a later change may come first",
    ("balance", "hand over"): "events that were handed over run side by side and are retried minutes later: no order",
    ("balance", "call"): "two callers at the same moment have no order between them, and each must repeat by itself",
    ("rush", "call"): "10,000 calls at once run as many functions at once, and each caller must keep its order",
    ("rush", "hand over"): "Lambda would start an environment for each event: the old warehouse takes five at a time",
    ("rush", "stream"): "one bad order would stop all the orders behind it in the shard; the brake for five at a "
    "time is the MaximumConcurrency of another trigger",
}  # fmt: skip


def trigger_for_a_case(choices: Any) -> Verdict:
    """Judge the choice by what would go wrong with it, and ask for a reason of one's own."""
    if not isinstance(choices, dict) or set(choices) != set(CASES):
        return not_yet(f"choices is a dict with the keys {', '.join(CASES)}")
    for case, right in CASES.items():
        pair = choices[case]
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            return not_yet(f'{case}: write a pair, such as ("call", "because …")')
        trigger, reason = _plain(pair[0]).replace("the ", ""), str(pair[1]).strip()
        if trigger not in TRIGGERS:
            return not_yet(f"{case}: {pair[0]!r} is none of {', '.join(TRIGGERS)}")
        if trigger not in right:
            return not_yet(f"{case}: {AGAINST[case, trigger]}")
        if len(re.findall(r"\w+", reason)) < 3:
            return not_yet(f"{case}: {trigger} will do, and now the reason: one line with at least three words")
    return correct("five cases, each with a trigger that will not hurt, and a reason to tell your colleagues")


CHECKS: dict[str, Callable[..., Verdict]] = {
    "1": who_holds_the_event,
    "2": trigger_for_a_case,
    "predict_call": prediction(
        right="c",
        replies={
            "a": "that is the courier's way, after a hand over. Nobody repeats a call: count the attempts below.",
            "b": "it is not lost: whoever called has the error in hand, and still has the visit.",
            "c": "yes. You wait, so you are told; and whether it is tried again is up to you.",
        },
    ),
    "predict_hand_over": prediction(
        right="b",
        replies={
            "a": "you are gone by then: 202 comes before the function has run, so there is no error to bring.",
            "b": "yes: Lambda's hidden queue. You cannot look into it, and it tries twice more by itself.",
            "c": "ProbeQueue is yours and nothing was sent to it. The queue that is meant here is Lambda's own.",
        },
    ),
    "predict_queue": prediction(
        right="a",
        replies={
            "a": "yes: it was never gone from there. A received message is hidden, and deleted only after a success.",
            "b": "that queue takes part only when an event is handed over. Here a poller *calls* the probe, and your "
            "own queue keeps the message until that call has succeeded.",
            "c": "send_message succeeded as soon as the message lay in the queue; what happens to it later is not your "
            "affair any more.",
        },
    ),
    "predict_stream": prediction(
        right="b",
        replies={
            "a": "a stream has no dead-letter queue, and it is read in order: nobody overtakes.",
            "b": "yes: a tape is read in order. The reader goes on only when the first has succeeded or is given up.",
            "c": "the three attempts are those of a hand over; here the mapping's setting decides, and the place of "
            "waiting is the stream itself.",
        },
    ),
}  # fmt: skip
