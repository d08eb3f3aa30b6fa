"""Store visits with one PutItem each: the slow variant that benchmarks compare."""

import json
import os

import boto3

dynamodb = boto3.client("dynamodb")


def lambda_handler(event, context):
    for record in event["Records"]:
        visit = json.loads(record["body"])
        item = {name: {"S": value} for name, value in visit.items()}
        dynamodb.put_item(TableName=os.environ["TABLE_NAME"], Item=item)
    return {"batchItemFailures": []}
