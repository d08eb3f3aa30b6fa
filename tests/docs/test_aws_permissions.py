"""docs/aws-permissions.json allows what the course calls, on the learner's own things, and fits into IAM."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from labkit.local.policy import evaluate
from tests.docs import boto3_calls

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "aws-permissions.json").read_text(encoding="utf-8")
ADA = json.loads(TEXT.replace("${aws:PrincipalTag/lab-id}", "ada"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
# The benchmark, in a folder of its own, never runs on AWS.
MODULES = [*ROOT.glob("labkit/*.py"), *ROOT.glob("labkit/checks/*.py"), *ROOT.glob("notebooks/*/*.py")]


def allowed() -> set[str]:
    """Return all actions of the policy."""
    listed = [statement["Action"] for statement in ADA["Statement"]]
    return {action for one in listed for action in (one if isinstance(one, list) else [one])}


def sources(path: Path) -> tuple[list[str], dict[str, str]]:
    """Return a notebook's code and its solutions, and which variable is a client of which service."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    kinds = {
        kind: "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == kind)
        for kind in ("code", "markdown")
    }
    known = boto3_calls.client_names(ast.parse(kinds["code"]))
    return [kinds["code"], *boto3_calls.fences(kinds["markdown"])], known


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_notebook_and_its_solutions_call_is_allowed(path):
    """Nobody wants to meet AccessDenied in the middle of a class."""
    texts, known = sources(path)
    found = [boto3_calls.operations(text, known) for text in texts]
    needed = boto3_calls.actions(pair for pairs, _ in found for pair in pairs)

    assert needed, "no call was found: is the derivation broken?"
    assert sorted(set().union(*(unclear for _, unclear in found))) == [], "say which client calls these"
    assert sorted(needed - allowed()) == []


def test_what_labkit_itself_calls_is_allowed():
    """Inventory, clean-up, checks and the map."""
    found = [boto3_calls.operations(path.read_text(encoding="utf-8")) for path in MODULES]
    needed = boto3_calls.actions(pair for pairs, _ in found for pair in pairs)

    assert {"s3:ListAllMyBuckets", "iam:DeleteRolePolicy", "kinesis:DeleteStream", "sqs:ListQueueTags"} <= needed
    assert sorted(set().union(*(unclear for _, unclear in found))) == []
    assert sorted(needed - allowed()) == []


def test_calls_are_found_however_they_are_written():
    """The derivation is only worth what it sees."""
    source = """
s3, sqs = boto3.client("s3"), boto3.client("sqs")
dynamodb, aws_lambda = (boto3.client(name) for name in ("dynamodb", "lambda"))
attempt(s3.delete_bucket, Bucket=bucket)
boto3.client("sns").publish(TopicArn=topic)
aws_lambda.invoke(FunctionName=name)
dynamodb.get_waiter("table_exists").wait(TableName=table)
sqs.get_paginator("list_queues").paginate()
"""
    found, unclear = boto3_calls.operations(source)

    assert unclear == set()
    assert boto3_calls.actions(found) == {
        "s3:DeleteBucket", "sns:Publish", "lambda:InvokeFunction", "dynamodb:DescribeTable", "sqs:ListQueues",
    }  # fmt: skip


PLACE = "eu-west-1:123456789012"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("sqs:CreateQueue", f"arn:aws:sqs:{PLACE}:ProductVisitsDataQueue-ada"),
        ("sqs:DeleteQueue", f"arn:aws:sqs:{PLACE}:ProductVisitsDataQueue-ada-tour"),
        ("s3:PutObject", "arn:aws:s3:::visits-form-ada-123456789012/index.html"),
        ("s3:DeleteBucket", "arn:aws:s3:::visits-datalake-ada-broken-123456789012"),
        ("dynamodb:GetRecords", f"arn:aws:dynamodb:{PLACE}:table/ProductVisits-ada/stream/2026-11-24T08:00:00.000"),
        ("lambda:InvokeFunction", f"arn:aws:lambda:{PLACE}:function:ProductVisitHandler-ada"),
        ("iam:PutRolePolicy", "arn:aws:iam::123456789012:role/ProductVisitHandler-ada"),
        ("sns:Publish", f"arn:aws:sns:{PLACE}:S3DataLakeAlerts-ada"),
        ("events:PutTargets", f"arn:aws:events:{PLACE}:rule/S3BucketChanges-ada"),
        ("events:PutRule", f"arn:aws:events:{PLACE}:rule/Shop-ada/Big-ada"),
        ("events:DeleteEventBus", f"arn:aws:events:{PLACE}:event-bus/Shop-ada"),
        ("cloudtrail:StartLogging", f"arn:aws:cloudtrail:{PLACE}:trail/visits-trail-ada"),
        ("logs:FilterLogEvents", f"arn:aws:logs:{PLACE}:log-group:/aws/lambda/ProductVisitHandler-ada:*"),
    ],
)
def test_it_allows_ones_own_things_and_not_a_neighbours(action, resource):
    """Thirty people in one account."""
    assert evaluate([ADA], action, resource) == "allow"
    assert evaluate([ADA], action, resource.replace("-ada", "-bob")) == "implicit-deny"


def test_roles_can_be_handed_to_the_two_services_of_the_course_only():
    """PassRole without a condition hands any role to anything."""
    role = "arn:aws:iam::123456789012:role/ProductVisitHandler-ada"

    def passed_to(service):
        return evaluate([ADA], "iam:PassRole", role, {"iam:PassedToService": service})

    assert [passed_to(f"{one}.amazonaws.com") for one in ("lambda", "apigateway", "ec2")] == [
        "allow", "allow", "implicit-deny",
    ]  # fmt: skip


def test_it_fits_into_one_managed_policy():
    """IAM counts 6,144 characters, without white space."""
    assert len(re.sub(r"\s", "", TEXT)) <= 6144
