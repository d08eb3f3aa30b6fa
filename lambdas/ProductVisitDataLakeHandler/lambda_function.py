"""Write product visits from the table's stream into the data lake.

Trigger:
    DynamoDB Streams, through an event source mapping filtered to INSERT, with ReportBatchItemFailures.
Input:
    ``{"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": {…typed values…}, "SequenceNumber": …}}]}``.
Output:
    ``{"batchItemFailures": [{"itemIdentifier": <SequenceNumber>}]}``: where the stream must be read again from.
    An error when the first record is the unreadable one, since then nothing of the batch is done.
Env:
    BUCKET_NAME: the data lake.
Needs:
    s3:PutObject on ``visits/*`` of the bucket; dynamodb:DescribeStream, GetRecords, GetShardIterator, ListStreams.
Repeats:
    The key of an object comes from the batch's first sequence number, so a retried batch overwrites its own objects.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

import json
import os
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import boto3

Visit = dict[str, str]

s3 = boto3.client("s3")


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    began = time.time() * 1000
    partitions: dict[str, list[tuple[str, Visit]]] = defaultdict(list)
    failures: list[dict[str, str]] = []
    for record in event["Records"]:
        sequence_number = record["dynamodb"]["SequenceNumber"]
        try:
            visit = visit_of(record["dynamodb"]["NewImage"])
            partitions[partition_of(visit)].append((sequence_number, visit))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            print(json.dumps({"SequenceNumber": sequence_number, "step": "unreadable", "error": repr(error)}))
            if record is event["Records"][0]:
                raise  # nothing is done: as an error it shows in the metrics, and Lambda may cut the batch in two
            failures = [{"itemIdentifier": sequence_number}]
            break  # a stream is read in order: everything from here on comes again
    for partition, records in partitions.items():
        write(partition, records, began)
    return {"batchItemFailures": failures}


def visit_of(image: dict[str, dict[str, str]]) -> Visit:
    """Return a stream image as a plain visit: ``{"S": "x"}`` and ``{"N": "1.5"}`` become texts."""
    return {name: next(iter(typed.values())) for name, typed in image.items()}


def partition_of(visit: Visit) -> str:
    """Return the folder of a visit's hour, in UTC: folder names are the lake's index."""
    time_of_visit = datetime.fromisoformat(visit["TimeOfVisit"]).astimezone(UTC)
    return f"visits/{time_of_visit:year=%Y/month=%m/day=%d/hour=%H}"


def write(partition: str, records: list[tuple[str, Visit]], began: float) -> None:
    """Put one object of JSON Lines, named after the first record in it."""
    key = f"{partition}/{records[0][0]}.json"
    lines = "".join(json.dumps(visit) + "\n" for _, visit in records)
    s3.put_object(Bucket=os.environ["BUCKET_NAME"], Key=key, Body=lines.encode(), ContentType="application/x-ndjson")
    for _, visit in records:
        step = {"step": "written", "began": began, "at": time.time() * 1000, "object": key}
        print(json.dumps({"ProductVisitKey": visit["ProductVisitKey"], **step}))
