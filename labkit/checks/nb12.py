"""Notebook 12: three faults mended, and three more with the evidence that proves each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from labkit.checks.broken_copy import HANDLER, LAKE, SEND, BrokenCopy, Found
from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_yet
from labkit.names import name

MOST_RECEIVES, LONGEST_TIMEOUT = 10, 30
GONE = "{part} of the copy is gone; run the notebook from the top for a new game"


def three_faults(mended: Any, put_aside: Iterable[str]) -> Verdict:
    """Probe the roles, look after what was kept, and send new visits through the copy."""
    texts = mended if isinstance(mended, list | tuple) else [mended]
    if len(texts) != 3 or not all(isinstance(text, str) and text.strip() for text in texts):
        return not_yet("mended holds three short texts, one for each fault: what was wrong?")
    try:
        copy = BrokenCopy()
    except LookupError as gone:
        return not_yet(GONE.format(part=gone))
    return (
        _too_much_allowed(copy)
        or _not_kept(copy, set(put_aside))
        or _hidden_by_retries(copy)
        or _still_denied(copy)
        or _wrong_way(copy, copy.try_visits())
        or correct("4 ordinary visits are in the lake, free and yesterday are put aside: sent = lake + DLQ + waiting")
    )


def _too_much_allowed(copy: BrokenCopy) -> Verdict | None:
    for function, (action, _, other) in copy.own_work().items():
        if copy.may(function, action, other):
            return not_yet(
                f"the role of {function} may now do {action} on {other.rpartition(':')[2]} as well, which is none of "
                "its business: a * mends the symptom and opens everything. Name the one ARN, and take the * away"
            )
    return None


def _not_kept(copy: BrokenCopy, put_aside: set[str]) -> Verdict | None:
    if not put_aside or copy.waiting():
        return None
    missing = put_aside - copy.on_dlq() - copy.in_table() - copy.in_lake()
    if missing:
        return not_yet(
            f"{len(missing)} visits that lay on the dead-letter queue are nowhere any more: purged, or deleted. The "
            "queue kept them for you; a clean queue is no mended pipeline. They are lost: play again from the top"
        )
    return None


def _hidden_by_retries(copy: BrokenCopy) -> Verdict | None:
    receives = copy.receives()
    if not 1 <= receives <= MOST_RECEIVES:
        seen = f"maxReceiveCount is {receives}" if receives else "the data queue has no redrive policy any more"
        return not_yet(
            f"{seen}: a bad visit is retried until nobody looks any more. Retrying mends nothing that fails every time"
        )
    if copy.mapping(LAKE).get("MaximumRetryAttempts") == -1:
        return not_yet("the stream's mapping now retries without end: one bad record will stop the lake")
    return _too_slow(copy)


def _too_slow(copy: BrokenCopy) -> Verdict | None:
    for function in (SEND, HANDLER, LAKE):
        if copy.timeout(function) > LONGEST_TIMEOUT:
            return not_yet(
                f"{function} has a timeout of {copy.timeout(function)} s. No REPORT line shows a function that was too "
                "slow: a longer timeout only lets the same failure take longer"
            )
    return None


def _still_denied(copy: BrokenCopy) -> Verdict | None:
    for function, (action, own, _) in copy.own_work().items():
        if not copy.may(function, action, own):
            return not_yet(f"a role may do less than its function does: {function} and {action}; see permissions()")
    return None


def _wrong_way(copy: BrokenCopy, found: Found) -> Verdict | None:
    if found.statuses != [202] * len(found.statuses):
        return not_yet(f"the API answered {found.statuses} to four ordinary visits, 202 was expected each time")
    if lost := found.ordinary - found.everywhere:
        return not_yet(
            f"{len(lost)} of 4 ordinary visits are nowhere: somebody catches an exception and says nothing. "
            "An except: pass makes errors invisible, it does not make them go away"
        )
    if found.ordinary - found.lake:
        return not_yet(
            f"{len(found.ordinary & found.lake)} of 4 ordinary visits are in the lake; on the dead-letter queue: "
            f"{len(found.ordinary & found.dlq)}, in the table: {len(found.ordinary & found.table)}; see trouble()"
        )
    if found.free not in found.dlq:
        return _free_is_missing(copy, found)
    if found.yesterday not in found.noted:
        return not_yet(
            "the visit of yesterday is in the table, and neither in the lake nor noted: the lake function goes on as "
            "if it had not been there. Compare the code that is deployed: difference(LAKE)"
        )
    return None


def _free_is_missing(copy: BrokenCopy, found: Found) -> Verdict:
    if found.free in found.table:
        return not_yet("the visit that costs 'free' was stored: a price that is no number belongs on the DLQ")
    if "ReportBatchItemFailures" not in copy.mapping(HANDLER).get("FunctionResponseTypes", []):
        return not_yet(
            "the visit that costs 'free' is nowhere. The handler may name it as failed, but its mapping does not "
            "listen: look at FunctionResponseTypes in mappings()"
        )
    return not_yet(
        "the visit that costs 'free' is nowhere, and no message came back: the handler swallows the exception. "
        "Compare the code that is deployed: difference(HANDLER)"
    )


# --- The stretch ------------------------------------------------------------------------------------------------------

PROOFS = {"D": 2, "E": 3, "F": 4}
AGAINST = {
    "A": "is innocent: trouble() shows no AccessDenied, and permissions() every role with its own work",
    "B": "is innocent: difference() finds the code that you have in every function",
    "C": "is innocent: FunctionResponseTypes of the queue's mapping is set, and 'free' is on the dead-letter queue",
    "G": "is innocent: no REPORT line has a Duration near the timeout. A longer timeout is what people try first "
    "when they have not looked",
    "H": "is what you *see*, the symptom. Ask why the lake is empty",
}


def three_quiet_faults(proofs: Any) -> Verdict:
    """Judge suspects and evidence, then send new visits through the copy."""
    if not isinstance(proofs, dict):
        return not_yet('proofs is a dict: suspect and evidence, such as {"A": 1}')
    given = {str(letter).strip().upper(): str(number).strip() for letter, number in proofs.items()}
    for letter in given:
        if letter in AGAINST:
            return not_yet(f"{letter} {AGAINST[letter]}")
        if letter not in PROOFS:
            return not_yet(f"{letter} is no suspect; choose three of A to H")
    for letter, number in given.items():
        if number != str(PROOFS[letter]):
            return not_yet(
                f"{letter} is guilty, and evidence {number} does not prove it: what would only {letter} explain?"
            )
    if len(given) < len(PROOFS):
        return not_yet(f"{len(given)} of 3 found, each with its proof; go on")
    try:
        copy = BrokenCopy()
    except LookupError as gone:
        return not_yet(GONE.format(part=gone))
    return (
        _too_slow(copy)
        or _quiet_way(copy, copy.try_visits())
        or correct("three suspects, three proofs, and new visits arrive where they belong")
    )


def _quiet_way(copy: BrokenCopy, found: Found) -> Verdict | None:
    if len(found.ordinary) < len(found.statuses):
        if copy.configured_function() == name(SEND):
            return not_yet(
                f"named, and not mended: the API answered {found.statuses}, without a receipt. Its configuration is "
                "right, but it is not deployed: the stage still serves the old snapshot"
            )
        return not_yet(f"the API answered {found.statuses}, and POST /visits is not configured to call {SEND}")
    mapping = copy.mapping(LAKE)
    if mapping.get("MaximumRetryAttempts") == -1 and not mapping.get("BisectBatchOnFunctionError"):
        return not_yet(
            "named, and not mended: the stream's mapping still tries a bad record without end, and what is behind it "
            "waits"
        )
    if missing := found.ordinary - found.lake:
        return not_yet(
            f"{len(missing)} of 4 ordinary visits are not in the lake, though {len(found.ordinary & found.table)} are "
            "in the table: does the filter let them through (every value below its type)? or is a bad record in front?"
        )
    if found.yesterday not in found.noted:
        return not_yet("the visit of yesterday is not noted; has the mapping a limit, bisecting, and a destination?")
    return None


CHECKS: dict[str, Callable[..., Verdict]] = {
    "1": three_faults,
    "2": three_quiet_faults,
    "predict": prediction(
        right="a",
        replies={
            "a": "yes. The function ends well, so Lambda deletes the message; and no error tells anybody.",
            "b": "AccessDenied is an exception: it leaves the function, and the visit comes back, to the caller, to "
            "its queue or to its stream. It is loud, and nothing is lost.",
            "c": "a timeout counts as a failure, so the message comes back after its visibility timeout. It costs "
            "time, and loses nothing.",
        },
    ),
}
