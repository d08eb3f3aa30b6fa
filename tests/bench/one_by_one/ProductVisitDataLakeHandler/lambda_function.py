"""Write visits with one PutObject each: the slow variant that benchmarks compare."""

import json
import os

import boto3

s3 = boto3.client("s3")


def lambda_handler(event, context):
    for record in event["Records"]:
        visit = {name: next(iter(typed.values())) for name, typed in record["dynamodb"]["NewImage"].items()}
        key = f"visits/{record['dynamodb']['SequenceNumber']}.json"
        s3.put_object(Bucket=os.environ["BUCKET_NAME"], Key=key, Body=(json.dumps(visit) + "\n").encode())
    return {"batchItemFailures": []}
