"""Queues, roles and functions of a check's own: made for one answer, and removed whatever happens."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.exceptions import ClientError

from labkit.cloud import settings, tags
from labkit.names import name
from labkit.waiting import wait_until

NOT_YET_WORKING = ("cannot be assumed", "does not have permissions")


@contextmanager
def queues(*bases: str, **attributes: str) -> Iterator[list[str]]:
    """Yield the URLs of new, empty queues with these *attributes*, and delete them afterwards."""
    sqs: Any = boto3.client("sqs")
    mark, urls = uuid.uuid4().hex[:6], []
    try:
        for base in bases:
            queue = name(f"Check-{base}-{mark}")
            urls.append(sqs.create_queue(QueueName=queue, Attributes=attributes, tags=tags())["QueueUrl"])
        yield urls
    finally:
        for url in urls:
            sqs.delete_queue(QueueUrl=url)


@contextmanager
def function(source: str, statements: list[dict[str, Any]], *, timeout: int = 3) -> Iterator[str]:
    """Yield the name of a function of this *source*, whose role may do what *statements* say and write its logs.

    Args:
        source: The text of its ``lambda_function.py``.
        statements: Statements of the role's policy.
        timeout: The function's timeout, in seconds.
    """
    iam, aws_lambda, chosen = boto3.client("iam"), boto3.client("lambda"), settings()
    made = name(f"Check-{uuid.uuid4().hex[:6]}")
    group = f"arn:aws:logs:{chosen['region']}:{chosen['account']}:log-group:/aws/lambda/{made}:*"
    log = {"Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": group}
    role = iam.create_role(
        RoleName=made,
        AssumeRolePolicyDocument=_policy(
            [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
        ),
        Tags=[{"Key": key, "Value": value} for key, value in tags().items()],
    )["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=made, PolicyName="check", PolicyDocument=_policy([*statements, {"Effect": "Allow", **log}])
    )
    try:
        once_the_role_works(
            aws_lambda.create_function,
            FunctionName=made,
            Runtime="python3.13",
            Role=role,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": _package(source)},
            Timeout=timeout,
            Tags=tags(),
        )
        aws_lambda.get_waiter("function_active_v2").wait(FunctionName=made, WaiterConfig={"Delay": 1})
        yield made
    finally:
        _remove(made)


@contextmanager
def mapping(queue_arn: str, function_name: str, **options: Any) -> Iterator[str]:
    """Yield the UUID of an Enabled event source mapping from a queue to a function, and delete it afterwards."""
    aws_lambda = boto3.client("lambda")
    made = once_the_role_works(
        aws_lambda.create_event_source_mapping, EventSourceArn=queue_arn, FunctionName=function_name, **options
    )["UUID"]
    try:
        wait_until(
            lambda: aws_lambda.get_event_source_mapping(UUID=made)["State"] == "Enabled",
            what="the check's mapping to be Enabled",
            timeout=120,
            interval=0.05,
        )
        yield made
    finally:
        aws_lambda.delete_event_source_mapping(UUID=made)


def once_the_role_works(create: Any, **arguments: Any) -> dict[str, Any]:
    """Call *create*; on AWS a role made just now works only after some seconds, so try again on exactly that answer."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return dict(create(**arguments))
        except ClientError as error:
            told = error.response["Error"]["Message"]
            if time.monotonic() > deadline or not any(text in told for text in NOT_YET_WORKING):
                raise
            time.sleep(2)


def arn_of(queue_url: str) -> str:
    """Return the ARN of a queue."""
    attributes = boto3.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return str(attributes["Attributes"]["QueueArn"])


def depth(queue_url: str) -> int:
    """Return how many messages a queue holds, hidden ones too."""
    counts = boto3.client("sqs").get_queue_attributes(
        QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )
    return sum(int(count) for count in counts["Attributes"].values())


def log_lines(function_name: str) -> list[str]:
    """Return what a function wrote to its log, ``[]`` when there is none yet."""
    logs = boto3.client("logs")
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function_name}")
        return [event["message"].rstrip() for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _package(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("lambda_function.py", source)
    return buffer.getvalue()


def _remove(made: str) -> None:
    iam: Any = boto3.client("iam")
    steps: list[tuple[Any, dict[str, str]]] = [
        (boto3.client("lambda").delete_function, {"FunctionName": made}),
        (boto3.client("logs").delete_log_group, {"logGroupName": f"/aws/lambda/{made}"}),
        (iam.delete_role_policy, {"RoleName": made, "PolicyName": "check"}),
        (iam.delete_role, {"RoleName": made}),
    ]
    for remove, arguments in steps:
        try:
            remove(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("ResourceNotFoundException", "NoSuchEntity"):
                raise
