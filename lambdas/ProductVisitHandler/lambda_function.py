"""Store a batch of product visits from the queue in the table.

Trigger:
    SQS, through an event source mapping with ReportBatchItemFailures: Lambda polls the queue and invokes with a batch.
Input:
    ``{"Records": [{"messageId": …, "body": <a visit as JSON>, …}]}``.
Output:
    ``{"batchItemFailures": [{"itemIdentifier": <messageId>}]}``: the messages that must come back; all others are done.
Env:
    TABLE_NAME: the table ``ProductVisits``, partition key ``ProductVisitKey``.
Needs:
    dynamodb:BatchWriteItem on the table; sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes on the queue.
Repeats:
    The receipt is the key: storing a visit again writes the same item, and an unchanged item makes no stream record.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import json
import os
import time
from decimal import Decimal
from typing import Any

import boto3

LARGEST_BATCH_WRITE = 25

dynamodb = boto3.client("dynamodb")


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    began = time.time() * 1000
    items: dict[str, dict[str, Any]] = {}
    failures: list[dict[str, str]] = []
    for record in event["Records"]:
        try:
            item = item_of(record["body"])
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
            print(json.dumps({"messageId": record["messageId"], "step": "unreadable", "error": repr(error)}))
            failures.append({"itemIdentifier": record["messageId"]})
            continue
        items[item["ProductVisitKey"]["S"]] = item
    store(list(items.values()))
    for key in items:
        print(json.dumps({"ProductVisitKey": key, "step": "stored", "began": began, "at": time.time() * 1000}))
    return {"batchItemFailures": failures}


def item_of(body: str) -> dict[str, Any]:
    """Return a visit as a DynamoDB item: every value typed, the price as a number."""
    visit = json.loads(body)
    item = {name: {"S": value.strip()} for name, value in visit.items()}
    price = Decimal(visit["PricePerUnit"])
    if not (price.is_finite() and visit["ProductVisitKey"].strip() and visit["TimeOfVisit"].strip()):
        raise ValueError("the price is no number, or the key or the time is empty")
    return {**item, "PricePerUnit": {"N": f"{price:f}"}}


def store(items: list[dict[str, Any]]) -> None:
    """Write all *items*, and again those that DynamoDB hands back because it is busy."""
    table = os.environ["TABLE_NAME"]
    waiting: list[Any] = [{"PutRequest": {"Item": item}} for item in items]
    while waiting:
        batch, waiting = waiting[:LARGEST_BATCH_WRITE], waiting[LARGEST_BATCH_WRITE:]
        answer = dynamodb.batch_write_item(RequestItems={table: batch})
        waiting += answer.get("UnprocessedItems", {}).get(table, [])
