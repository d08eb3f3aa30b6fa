"""A table with a stream, a function and a queue of a check's own, gone afterwards."""

from __future__ import annotations

import contextlib
import io
import json
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import boto3
from botocore.exceptions import ClientError

from labkit.cloud import tags
from labkit.names import name
from labkit.waiting import wait_until

T = TypeVar("T")
STREAM = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
LOGS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
NOT_YET = ("cannot be assumed", "ensure the role can", "does not have permissions")  # a new role on AWS


def client(service: str) -> Any:
    """Return a client without the types of a single service: a check goes through many."""
    return boto3.client(service)  # type: ignore[call-overload]


@dataclass(frozen=True, slots=True)
class ScratchStream:
    """What a check may use; the table's key is ``ProductVisitKey``."""

    table: str
    stream_arn: str
    function: str
    queue_url: str
    queue_arn: str

    def put(self, key: str, **attributes: str) -> None:
        """Write an item; every attribute is a text."""
        item = {"ProductVisitKey": key, **attributes}
        client("dynamodb").put_item(TableName=self.table, Item={n: {"S": value} for n, value in item.items()})

    def map(self, **settings: Any) -> str:
        """Connect the function to the stream, from its oldest record, and return the mapping's id."""
        aws_lambda = client("lambda")
        arguments = {"EventSourceArn": self.stream_arn, "FunctionName": self.function}
        start = {"StartingPosition": "TRIM_HORIZON", "FunctionResponseTypes": ["ReportBatchItemFailures"]}
        answer = patiently(lambda: aws_lambda.create_event_source_mapping(**{**arguments, **start, **settings}))
        return str(answer["UUID"])

    def said(self) -> list[str]:
        """Return the words after ``seen`` of each line that the function printed."""
        pages = client("logs").get_paginator("filter_log_events")
        try:
            found = [e["message"] for page in pages.paginate(logGroupName=self._group) for e in page["events"]]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return []
        return [line.removeprefix("seen ").strip() for line in found if line.startswith("seen ")]

    def noted(self) -> list[dict[str, Any]]:
        """Return what lies on the queue, and leave it there invisible."""
        answer = client("sqs").receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    @property
    def _group(self) -> str:
        return f"/aws/lambda/{self.function}"


@contextlib.contextmanager
def scratch_stream(source: str) -> Iterator[ScratchStream]:
    """Build the things with a function whose code is *source* (with ``lambda_handler``), and remove them at the end."""
    with contextlib.ExitStack() as undo:
        yield _build(name(f"check-{uuid.uuid4().hex[:8]}"), source, undo)


def _build(base: str, source: str, undo: contextlib.ExitStack) -> ScratchStream:
    dynamodb, sqs, iam, aws_lambda = (client(service) for service in ("dynamodb", "sqs", "iam", "lambda"))
    pairs = [{"Key": key, "Value": value} for key, value in tags().items()]
    table = dynamodb.create_table(
        TableName=base, BillingMode="PAY_PER_REQUEST", Tags=pairs,
        KeySchema=[{"AttributeName": "ProductVisitKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "ProductVisitKey", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]  # fmt: skip
    undo.callback(quietly, lambda: dynamodb.delete_table(TableName=base))
    queue_url = sqs.create_queue(QueueName=base, tags=tags())["QueueUrl"]
    undo.callback(quietly, lambda: sqs.delete_queue(QueueUrl=queue_url))
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    role = iam.create_role(RoleName=base, AssumeRolePolicyDocument=trust, Tags=pairs)["Role"]["Arn"]
    undo.callback(quietly, lambda: iam.delete_role(RoleName=base))
    statements = [
        {"Effect": "Allow", "Action": STREAM, "Resource": f"{table['TableArn']}/stream/*"},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue_arn},
        {"Effect": "Allow", "Action": LOGS, "Resource": f"arn:aws:logs:*:*:log-group:/aws/lambda/{base}:*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=base, PolicyName="scratch", PolicyDocument=policy)
    undo.callback(quietly, lambda: iam.delete_role_policy(RoleName=base, PolicyName="scratch"))
    undo.callback(quietly, lambda: client("logs").delete_log_group(logGroupName=f"/aws/lambda/{base}"))
    patiently(
        lambda: aws_lambda.create_function(
            FunctionName=base, Runtime="python3.13", Role=role, Handler="lambda_function.lambda_handler",
            Code={"ZipFile": zipped(source)}, Timeout=10, Tags=tags(),
        )
    )  # fmt: skip
    undo.callback(quietly, lambda: aws_lambda.delete_function(FunctionName=base))
    undo.callback(_unmap, base)
    aws_lambda.get_waiter("function_active_v2").wait(FunctionName=base, WaiterConfig={"Delay": 1})
    dynamodb.get_waiter("table_exists").wait(TableName=base, WaiterConfig={"Delay": 2})
    return ScratchStream(base, table["LatestStreamArn"], base, queue_url, queue_arn)


def _unmap(function: str) -> None:
    aws_lambda = client("lambda")

    def mappings() -> list[dict[str, Any]]:
        return list(aws_lambda.list_event_source_mappings(FunctionName=function)["EventSourceMappings"])

    for mapping in mappings():
        quietly(lambda uid=mapping["UUID"]: aws_lambda.delete_event_source_mapping(UUID=uid))  # type: ignore[misc]
    wait_until(lambda: not mappings(), what="the end of the check's mapping", timeout=120, interval=0.05)


def zipped(source: str) -> bytes:
    """Return a deployment package with one file, ``lambda_function.py``."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as package:
        package.writestr("lambda_function.py", source)
    return memory.getvalue()


def patiently(call: Callable[[], T]) -> T:
    """Make a call again while AWS says that a new role does not work yet."""

    def attempt() -> list[T]:
        try:
            return [call()]
        except ClientError as error:
            if not any(words in str(error) for words in NOT_YET):
                raise
            return []

    return wait_until(attempt, what="the role of the check to work", timeout=60, interval=2)[0]


def quietly(call: Callable[[], object]) -> None:
    """Make a call of the removal; what has gone already is fine, and what fails is found by cleanup()."""
    with contextlib.suppress(ClientError):
        call()
