"""Checks of notebook 03: the statement of a role, and what came of an invocation."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import boto3

from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_attempted, not_yet
from labkit.cloud import settings
from labkit.names import name

SEND = "sqs:SendMessage"
NOT_ASKED_FOR = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:PurgeQueue", "sqs:DeleteQueue")
RECEIPT = "3f2a8c1e-5b7d-4e0a-9c61-2d4b8f7a1e90"
REFUSAL = "PricePerUnit must be a decimal number of 0 or more, such as 89.90."
DENIAL = "An error occurred (AccessDenied) when calling the SendMessage operation"


def statement_to_send(statement: Any) -> Verdict:
    """Try the statement in IAM's policy simulator: on its own mailbox, on another, with other actions."""
    statements = _statements(statement)
    if not statements:
        return not_yet("a statement is a dict with the keys Effect, Action and Resource")
    text = json.dumps(statements)
    if "sts:AssumeRole" in text:
        return not_yet(
            "that belongs in the trust policy: it says who may wear the role; asked for is what the wearer may do"
        )
    if any("Principal" in one for one in statements):
        return not_yet(
            "a role policy names no Principal: the wearer is meant. A Principal stands where the arrow ends, "
            "as in the bucket policy of 02, or in the trust policy"
        )
    if "http://" in text or "https://" in text:
        return not_yet("the Resource is the mailbox's URL, where to send; a policy names its ARN, arn:aws:sqs:…")
    return _tried(statements)


def _statements(statement: Any) -> list[dict[str, Any]]:
    """Take a statement, several, or a whole policy."""
    if isinstance(statement, dict) and "Statement" in statement:
        statement = statement["Statement"]
    found = statement if isinstance(statement, list) else [statement]
    return found if all(isinstance(one, dict) and one for one in found) else []


def _tried(statements: list[dict[str, Any]]) -> Verdict:
    chosen = settings()
    own = f"arn:aws:sqs:{chosen['region']}:{chosen['account']}:{name('RefusedVisits')}"
    other = f"arn:aws:sqs:{chosen['region']}:{chosen['account']}:{name('ProductVisitsDataQueue')}"
    answer = boto3.client("iam").simulate_custom_policy(
        PolicyInputList=[json.dumps({"Version": "2012-10-17", "Statement": statements})],
        ActionNames=[SEND, *NOT_ASKED_FOR],
        ResourceArns=[own, other],
    )
    allowed = [
        (one["EvalActionName"], one["EvalResourceName"])
        for one in answer["EvaluationResults"]
        if one["EvalDecision"] == "allowed"
    ]
    if (SEND, other) in allowed:
        return not_yet(
            "it works, and it allows too much: the role could also send to ProductVisitsDataQueue, and to any other "
            "mailbox of the account. Name the one ARN instead of *"
        )
    if (SEND, own) not in allowed:
        return not_yet(f"the simulator denies {SEND} on {own}; compare Effect, Action and Resource with these")
    if allowed != [(SEND, own)]:
        more = next(action for action, _ in allowed if action != SEND)
        return not_yet(f"it allows sending, and {more} as well; a sender needs {SEND} only")
    return correct("the role may send to this mailbox; on another mailbox, and for any other action, it is denied")


class OneReading(io.BytesIO):
    """A payload as boto3 gives it: read once; *readings* counts."""

    readings = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on from where the last reading ended."""
        self.readings += 1
        return super().read(size)


def outcome_of_a_call(outcome: Callable[[dict[str, Any]], Any]) -> Verdict:
    """Call the learner's function with three responses and compare the pairs."""
    if not callable(outcome):
        return not_yet("outcome must be a function that takes a response: def outcome(response): …")
    cases = {
        "an accepted visit": (("ok", RECEIPT), _proxy(202, {"ProductVisitKey": RECEIPT}), False),
        "a function that raised": (
            ("function error", DENIAL),
            {"errorMessage": DENIAL, "errorType": "ClientError", "requestId": "1", "stackTrace": []},
            True,
        ),
        "a refused visit": (("refused", REFUSAL), _proxy(400, {"message": REFUSAL, "field": "PricePerUnit"}), False),
    }
    answers = {}
    for case, (_, returned, failed) in cases.items():
        answer = _try(outcome, case, returned, failed)
        if isinstance(answer, Verdict):
            return answer
        answers[case] = answer
    if all(answer is ... or answer is None for answer in answers.values()):
        return not_attempted("write the body of outcome(response), run its cell, then run this one again")
    return next(
        (wrong for case, (right, _, _) in cases.items() if (wrong := _compare(case, right, answers[case]))),
        correct("three responses with status 200, and your function tells them apart"),
    )


def _proxy(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}


def _try(outcome: Callable[[dict[str, Any]], Any], case: str, returned: Any, failed: bool) -> Any:
    payload = OneReading(json.dumps(returned).encode())
    response = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": payload}
    if failed:
        response["FunctionError"] = "Unhandled"
    try:
        answer = outcome(response)
    except Exception as error:  # a border: the learner's code may raise whatever it likes
        return _explain(error, case, payload.readings)
    if payload.readings > 1:
        return _read_twice(case)
    return answer


def _explain(error: Exception, case: str, readings: int) -> Verdict:
    if readings > 1:
        return _read_twice(case)
    if isinstance(error, KeyError) and case == "a function that raised":
        return not_yet(
            f"for {case} it looked for {error}, which only a function that succeeded returns; do not trust the status "
            "200, ask for FunctionError first"
        )
    first = (str(error).splitlines() or [""])[0]
    return not_yet(f"for {case} it raised {type(error).__name__}: {first}")


def _read_twice(case: str) -> Verdict:
    return not_yet(
        f"for {case} it read Payload more than once, and the second reading is empty; read once and keep the result"
    )


def _compare(case: str, right: tuple[str, str], answer: Any) -> Verdict | None:
    pair = tuple(answer) if isinstance(answer, list | tuple) else (answer,)
    if pair == right:
        return None
    if len(pair) != 2:
        return not_yet(f"for {case} it returned {answer!r}; return a pair such as {right!r}")
    kind, message = pair
    if kind == "ok" and right[0] == "function error":
        return not_yet("it calls a function that raised ok: the status is 200 there, too; look for FunctionError")
    if kind == "ok" and right[0] == "refused":
        return not_yet("it calls a refused visit ok: read the statusCode that the function returned, not Lambda's own")
    if isinstance(message, bytes | bytearray) or (isinstance(message, str) and message.lstrip().startswith("{")):
        return not_yet(f"for {case} the message is still JSON that nobody read: {message!r:.60}…; json.loads it")
    return not_yet(f"for {case} it returned {answer!r}; expected was {right!r}")


CHECKS: dict[str, Callable[..., Verdict]] = {
    "1": statement_to_send,
    "2": outcome_of_a_call,
    "predict": prediction(
        right="a",
        replies={
            "a": "yes: you called and you wait, so you get the error, and you still have the event.",
            "b": "look at the count after the call: SQS refused the message, so the mailbox never had it.",
            "c": "it can feel so, but nobody tries again after a call like this: the log will show one START. "
            "Lambda keeps an event only when it is handed over in another way, which has its own notebook.",
        },
    ),
}
