"""Notebook 06: one bad message comes back and nine do not; a second delivery does no harm."""

from __future__ import annotations

import inspect
import json
import textwrap
import uuid
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError, ParamValidationError

from labkit.checks import scratch
from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_attempted, not_yet
from labkit.cloud import tags
from labkit.names import name
from labkit.synthetic_visits import visits
from labkit.waiting import wait_until

MESSAGES = 10
BAD = 6
HIDDEN_FOR = 2
AROUND_PROCESS = '''
import json


def store(body):
    """Note a visit that can be stored, and raise ValueError for another."""
    visit = json.loads(body)
    float(visit["PricePerUnit"])
    print(json.dumps({"stored": visit["ProductVisitKey"]}))


def lambda_handler(event, context):
    answer = process(event["Records"])
    print(json.dumps({"answer": answer}))
    return answer
'''


def process(answer: Callable[[list[dict[str, Any]]], Any], response_types: Any) -> Verdict:
    """Let Lambda call the answer through a real mapping, with ten visits of which one is bad."""
    if not callable(answer):
        return not_yet("process must be a function of the records; keep its first line as it was")
    if not answer.__code__.co_names:
        return not_attempted("the body of process is still ...; write its lines, then run this again")
    try:
        source = textwrap.dedent(inspect.getsource(answer))
    except OSError:
        return not_yet("the text of process is not to be found; run the cell in which you wrote it, then this one")
    with scratch.queues("Visits", "DeadLetters", VisibilityTimeout=str(HIDDEN_FOR)) as (queue, dlq):
        redrive = {"deadLetterTargetArn": scratch.arn_of(dlq), "maxReceiveCount": 1}
        boto3.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": json.dumps(redrive)})
        return _through_lambda(source, response_types, queue, dlq)


def _through_lambda(source: str, response_types: Any, queue: str, dlq: str) -> Verdict:
    fetch = {
        "Effect": "Allow",
        "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        "Resource": scratch.arn_of(queue),
    }
    sent = _send_ten(queue)
    with scratch.function(f"{AROUND_PROCESS}\n\n{source}", [fetch], timeout=HIDDEN_FOR) as function:
        try:
            with scratch.mapping(scratch.arn_of(queue), function, FunctionResponseTypes=response_types):
                wait_until(lambda: scratch.depth(queue) == 0, what="the check's queue to be empty", timeout=90)
        except (ParamValidationError, ClientError) as error:
            told = str(error).splitlines()[-1]
            return not_yet(f"AWS takes no such FunctionResponseTypes; it wants a list of one string. It said: {told}")
        lines = _notes(function)
    came_back = [sent[message] for message in _ids_on(dlq)]
    return _judge(lines, came_back, sent, response_types)


def _send_ten(queue: str) -> dict[str, int]:
    """Put ten visits on the queue, the seventh bad, and return message id → number."""
    bodies = [{**visit, "ProductVisitKey": str(uuid.uuid4())} for visit in visits(MESSAGES)]
    bodies[BAD]["PricePerUnit"] = "cheap"
    answer = boto3.client("sqs").send_message_batch(
        QueueUrl=queue, Entries=[{"Id": str(n), "MessageBody": json.dumps(body)} for n, body in enumerate(bodies)]
    )
    return {entry["MessageId"]: int(entry["Id"]) for entry in answer["Successful"]}


def _notes(function: str) -> dict[str, Any]:
    """Read what the function noted: which visits were stored, its last answer, its last error."""
    found: dict[str, Any] = {"stored": set(), "answer": None, "error": ""}

    def reported() -> list[str]:
        lines = scratch.log_lines(function)
        return lines if any(line.startswith("REPORT") for line in lines) else []

    for line in wait_until(reported, what="the log of the check's function", timeout=60, interval=0.2):
        if line.startswith("[ERROR]"):
            found["error"] = line.removeprefix("[ERROR]").strip().splitlines()[0]
        elif line.startswith('{"stored"'):
            found["stored"].add(json.loads(line)["stored"])
        elif line.startswith('{"answer"'):
            found["answer"] = json.loads(line)["answer"]
    return found


def _ids_on(queue: str) -> list[str]:
    sqs, found = boto3.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
        for message in messages:
            found.append(message["MessageId"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        if len(found) >= MESSAGES:
            break
    return found


def _judge(notes: dict[str, Any], came_back: list[int], sent: dict[str, int], response_types: Any) -> Verdict:
    partial = "ReportBatchItemFailures" in (response_types or [])
    if not came_back:
        if not partial:
            return not_yet(
                "none came back, and the bad visit is lost: without ReportBatchItemFailures in the mapping's "
                "FunctionResponseTypes Lambda ignores what process returns and deletes the whole batch"
            )
        return not_yet(
            "none came back, and the bad visit is lost: process named no failure, so Lambda deleted all ten; "
            'return {"batchItemFailures": [...]} with one entry for each record that failed'
        )
    if came_back == [BAD]:
        if len(notes["stored"]) < MESSAGES - 1:
            return not_yet(
                f"one came back, as it should, but only {len(notes['stored'])} of {MESSAGES - 1} good visits were "
                "stored; call store(record['body']) for every record"
            )
        return correct("nine visits were stored, and the bad one alone came back and went to the dead-letter queue")
    return _whole_batch(notes, len(came_back), sent)


def _whole_batch(notes: dict[str, Any], came_back: int, sent: dict[str, int]) -> Verdict:
    start = f"{came_back} came back instead of 1"
    if "KeyError: 'MessageId'" in notes["error"]:
        return not_yet(f"{start}: process raised KeyError: 'MessageId'; in the event it is messageId, with a small m")
    if notes["error"]:
        return not_yet(
            f"{start}: an exception left process ({notes['error']}), and then the whole batch counts as failed; "
            "catch it for each record, note the failure and go on"
        )
    named = notes["answer"]
    entries = named.get("batchItemFailures") if isinstance(named, dict) else None
    if not isinstance(entries, list) or not all(isinstance(e, dict) and "itemIdentifier" in e for e in entries):
        return not_yet(
            f"{start}: Lambda cannot read the answer {json.dumps(named)[:120]}; it wants "
            '{"batchItemFailures": [{"itemIdentifier": <messageId>}]}'
        )
    unknown = [entry["itemIdentifier"] for entry in entries if entry["itemIdentifier"] not in sent]
    if unknown:
        return not_yet(
            f"{start}: itemIdentifier {unknown[0]!r} is the id of no message in the batch, and then the whole batch "
            'counts as failed; it must be record["messageId"], not the visit\'s ProductVisitKey'
        )
    return not_yet(f"{start}: process named {len(entries)} failures, and only one visit is bad")


def store_once(answer: Callable[[Any, str, dict[str, Any]], int]) -> Verdict:
    """Let the answer store a visit, store it again, and store one that another worker stores in the same moment."""
    if not callable(answer):
        return not_yet("store_once must be a function of a client, a table name and an item; keep its first line")
    if not answer.__code__.co_names:
        return not_attempted("the body of store_once is still ...; write its lines, then run this again")
    dynamodb: Any = boto3.client("dynamodb")
    table = name(f"Check-{uuid.uuid4().hex[:6]}")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "ProductVisitKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "ProductVisitKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": key, "Value": value} for key, value in tags().items()],
    )
    try:
        dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        return _one_after_another(answer, dynamodb, table) or _at_the_same_moment(answer, dynamodb, table)
    finally:
        dynamodb.delete_table(TableName=table)


def _item(worker: str) -> dict[str, Any]:
    return {"ProductVisitKey": {"S": "visit-1"}, "ProductName": {"S": "Trail Shoe"}, "StoredBy": {"S": worker}}


def _items(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    return list(dynamodb.scan(TableName=table, ConsistentRead=True)["Items"])


def _one_after_another(answer: Callable[..., Any], dynamodb: Any, table: str) -> Verdict | None:
    returned = []
    for worker in ("first", "second"):
        try:
            returned.append(answer(dynamodb, table, _item(worker)))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return not_yet(
                    "the second delivery raised ConditionalCheckFailedException, so its message would fail and come "
                    "again for ever; here that is an answer, not a failure: catch this Code and return 1"
                )
            raise
    items = _items(dynamodb, table)
    if not items:
        return not_yet("store_once ran, and the table is empty: put the item into the table whose name you are given")
    if len(items) > 1 or items[0]["ProductVisitKey"] != {"S": "visit-1"}:
        return not_yet(
            f"one visit was delivered twice, and the table has {len(items)} items with keys that are not its own; "
            "a new UUID makes each delivery a new visit: the key must be the ProductVisitKey of the item"
        )
    if items[0] != _item("first"):
        return not_yet("the second delivery replaced the first item; let the condition attribute_not_exists decide")
    if returned != [0, 1]:
        return not_yet(f"the table is right, but the two calls returned {returned}; 0 for a new visit, 1 for a repeat")
    return None


def _at_the_same_moment(answer: Callable[..., Any], dynamodb: Any, table: str) -> Verdict:
    """Store the same visit from another worker in the moment before the answer's write leaves."""
    dynamodb.delete_item(TableName=table, Key={"ProductVisitKey": {"S": "visit-1"}})
    rival: Any = boto3.client("dynamodb")
    watched: Any = boto3.client("dynamodb")

    def rival_first(**_: Any) -> None:
        rival.put_item(TableName=table, Item=_item("rival"))

    for operation in ("PutItem", "UpdateItem", "TransactWriteItems", "BatchWriteItem"):
        watched.meta.events.register(f"before-call.dynamodb.{operation}", rival_first)
    returned = answer(watched, table, _item("late"))
    if _items(dynamodb, table) != [_item("rival")]:
        return not_yet(
            "another worker stored the same visit between your look and your write, and you replaced its item; "
            "look and write in one step: put_item with ConditionExpression"
        )
    if returned != 1:
        return not_yet(f"another worker was first, nothing was replaced, but store_once returned {returned!r}, not 1")
    return correct("stored once, counted once, also when another worker stores the visit in the same moment")


CHECKS: dict[str, Callable[..., Verdict]] = {
    "1": process,
    "2": store_once,
    "predict": prediction(
        right="c",
        replies={
            "a": "no: the person got 202 long ago and has gone. Nobody is there who could send again; the queue is",
            "b": "no: Lambda keeps nothing of a batch. It deletes all ten or none, unless the function names failures",
            "c": "yes: nothing was deleted, so all ten are hidden on the queue and come back, the six good ones too",
        },
    ),
}
