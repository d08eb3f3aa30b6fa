"""Accept one product visit and put it on the queue.

Trigger:
    API Gateway, ``POST /visits``, Lambda proxy integration: a synchronous invocation, somebody waits for the answer.
Input:
    A proxy event whose ``body`` is JSON with the seven fields of a visit, all strings.
Output:
    202 ``{"ProductVisitKey": …}``, the receipt; 400 ``{"message": …, "field": …}`` for a visit that is not one.
Env:
    QUEUE_URL: where visits wait.
Needs:
    sqs:SendMessage on that queue.
Repeats:
    A second POST is a second visit with a receipt of its own. From here on the receipt identifies the visit.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

import json
import os
import time
import uuid
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import boto3

FIELDS = ("ProductId", "ProductName", "Category", "PricePerUnit", "CustomerId", "CustomerName", "TimeOfVisit")
LONGEST = 200

sqs = boto3.client("sqs")


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    began = time.time() * 1000
    try:
        visit = read_visit(event.get("body"))
    except ValueError as error:
        message, field = error.args
        return answer(400, {"message": message, "field": field})
    visit["ProductVisitKey"] = str(uuid.uuid4())
    sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=json.dumps(visit))
    log_step(visit, "queued", began)
    return answer(202, {"ProductVisitKey": visit["ProductVisitKey"]})


def read_visit(body: str | None) -> dict[str, str]:
    """Return the seven fields of a visit; raise ValueError(message, field) for anything else."""
    try:
        visit = json.loads(body or "")
    except ValueError:
        raise ValueError("The body is not JSON.", None) from None
    if not isinstance(visit, dict):
        raise ValueError("The body is not a JSON object.", None)
    for field in FIELDS:
        value = visit.get(field)
        if not isinstance(value, str) or not 0 < len(value.strip()) <= LONGEST:
            raise ValueError(f"{field} must be a text of 1 to {LONGEST} characters.", field)
    try:
        price_is_good = Decimal(visit["PricePerUnit"]).is_finite() and 0 <= Decimal(visit["PricePerUnit"]) < 10**9
    except InvalidOperation:
        price_is_good = False
    if not price_is_good:
        raise ValueError("PricePerUnit must be a decimal number of 0 or more, such as 89.90.", "PricePerUnit")
    if not is_utc(visit["TimeOfVisit"]):
        raise ValueError("TimeOfVisit must be a time in UTC, such as 2026-01-15T10:22:31Z.", "TimeOfVisit")
    return {field: visit[field].strip() for field in FIELDS}


def is_utc(text: str) -> bool:
    try:
        return datetime.fromisoformat(text.strip()).utcoffset() == timedelta(0)
    except ValueError:
        return False


def log_step(visit: dict[str, str], step: str, began: float) -> None:
    """Write the line by which this visit can be followed through the logs."""
    line = {"ProductVisitKey": visit["ProductVisitKey"], "step": step, "began": began, "at": time.time() * 1000}
    print(json.dumps(line))


def answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}
    return {"statusCode": status, "headers": headers, "body": json.dumps(body)}
