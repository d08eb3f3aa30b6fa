"""docs/troubleshooting.md quotes errors word for word, and labkit's errors lead to it."""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ParamValidationError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
OURS = PAGE.partition("## What labkit says")[2].partition("\n## ")[0]
SOURCES = [path for path in (ROOT / "labkit").rglob("*.py") if "local" not in path.relative_to(ROOT / "labkit").parts]


def texts(path: Path) -> list[str]:
    """Return the strings of a module; what is put into one is ``…``."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
            found.append("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


def headings(text: str) -> list[str]:
    """Return the quoted errors of the headings."""
    return re.findall(r"^### `([^`]+)`", text, re.MULTILINE)


def test_every_anchor_that_labkit_names_is_on_the_page():
    """An error that leads nowhere wastes the minute in which somebody is stuck."""
    there = set(re.findall(r'<a id="([^"]+)"></a>', PAGE))
    named = {name for path in SOURCES for name in re.findall(r"troubleshooting\.md#([\w-]+)", path.read_text("utf-8"))}

    assert len(named) >= 10
    assert named - there == set()


def test_each_anchor_stands_once_and_before_a_heading():
    """The anchor is what a message names, the heading what a person searches."""
    found = re.findall(r'<a id="([^"]+)"></a>\n(### )?', PAGE)

    assert [name for name, heading in found if not heading] == []
    assert len({name for name, _ in found}) == len(found)
    assert len(found) == len(re.findall(r"^### ", PAGE, re.MULTILINE))


@pytest.mark.parametrize("quoted", headings(OURS))
def test_labkit_really_says_what_the_page_quotes(quoted):
    """People search for the exact words."""
    said = [text for path in SOURCES for text in texts(path)]
    pieces = [piece.strip(" ;") for piece in quoted.split("…") if len(piece.strip(" ;.:()")) > 2]

    assert pieces
    missing = [piece for piece in pieces if not any(piece in text for text in said)]
    assert missing == []


def test_the_cases_of_require_are_quoted_word_for_word():
    """The page's table explains the second half of the message."""
    said = "\n".join(texts(ROOT / "labkit" / "require.py"))

    for words in re.findall(r"^\| `([^`]+)` \|", OURS, re.MULTILINE):
        assert all(part.strip() in said for part in words.split("…") if part.strip(" ,"))


def quoted_by(error: str) -> list[str]:
    """Return the headings of the page that quote an error."""
    fits = [(re.escape(one).replace("…", ".*?"), one) for one in headings(PAGE)]
    return [one for pattern, one in fits if re.search(pattern, error, re.DOTALL)]


@pytest.fixture
def refusals(client, unique):
    """Each mistake of the page, made on the cloud: its name, and what the cloud said."""
    s3, sqs, iam, aws_lambda = (client(name) for name in ("s3", "sqs", "iam", "lambda"))
    dynamodb, cloudtrail, events = client("dynamodb"), client("cloudtrail"), client("events")
    bucket, role, function, table = unique("bucket"), unique("Role"), unique("Function"), unique("Table")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role_arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    other = iam.create_role(RoleName=unique("Other"), AssumeRolePolicyDocument=document.replace("lambda", "ec2"))
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("code.py", "def handler(event, context): pass")
    shape = {"Code": {"ZipFile": package.getvalue()}, "Handler": "code.handler", "Runtime": "python3.13", "Timeout": 40}
    queue = unique("Queue")
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    mapping = {"EventSourceArn": arn, "FunctionName": function}
    may_fetch = {"Effect": "Allow", "Action": "sqs:*", "Resource": arn}
    key = {"KeySchema": [{"AttributeName": "Id", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}
    key |= {"AttributeDefinitions": [{"AttributeName": "Id", "AttributeType": "S"}], "TableName": table}
    permission = {"FunctionName": function, "StatementId": "one", "Principal": "events.amazonaws.com"}
    permission |= {"Action": "lambda:InvokeFunction"}
    rule = unique("Rule")

    said: dict[str, str] = {}

    def attempt(name, call, **arguments):
        try:
            call(**arguments)
        except (ClientError, ParamValidationError) as error:
            said[name] = str(error)

    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="one", Body=b"1")
    attempt("bucket not empty", s3.delete_bucket, Bucket=bucket)
    attempt("trail without policy", cloudtrail.create_trail, Name=unique("trail"), S3BucketName=bucket)
    attempt("no constraint", client("s3", region_name="eu-west-1").create_bucket, Bucket=unique("b"))
    attempt("wrong trust", aws_lambda.create_function, FunctionName=function, Role=other["Role"]["Arn"], **shape)
    aws_lambda.create_function(FunctionName=function, Role=role_arn, **shape)
    attempt("pending", aws_lambda.invoke, FunctionName=function)
    attempt("again", aws_lambda.create_function, FunctionName=function, Role=role_arn, **shape)
    attempt("no right", aws_lambda.create_event_source_mapping, **mapping)
    statement = json.dumps({"Version": "2012-10-17", "Statement": [may_fetch]})
    iam.put_role_policy(RoleName=role, PolicyName="fetch", PolicyDocument=statement)
    attempt("visibility", aws_lambda.create_event_source_mapping, **mapping)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
    uuid = aws_lambda.create_event_source_mapping(**mapping)["UUID"]
    attempt("mapping again", aws_lambda.create_event_source_mapping, **mapping)
    aws_lambda.add_permission(**permission)
    attempt("permission again", aws_lambda.add_permission, **permission)
    attempt("reserved", aws_lambda.put_function_concurrency, FunctionName=function, ReservedConcurrentExecutions=950)
    attempt("role with policy", iam.delete_role, RoleName=role)
    attempt("other attributes", sqs.create_queue, QueueName=queue, Attributes={"DelaySeconds": "7"})
    attempt("no queue", sqs.get_queue_url, QueueName=unique("None"))
    attempt("no string", sqs.create_queue, QueueName=queue, Attributes={"RedrivePolicy": {"maxReceiveCount": 3}})
    nowhere = json.dumps({"deadLetterTargetArn": f"{arn}-none", "maxReceiveCount": 3})
    attempt("no target", sqs.create_queue, QueueName=unique("Q"), Attributes={"RedrivePolicy": nowhere})
    dynamodb.create_table(**key)
    attempt("table again", dynamodb.create_table, **key)
    events.put_rule(Name=rule, EventPattern='{"source": ["mine"]}')
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": arn}])
    attempt("rule with target", events.delete_rule, Name=rule)
    attempt("not implemented", client("ses").list_identities)
    attempt("wrong key", client("sts", aws_access_key_id="AKIAWRONG").get_caller_identity)
    aws_lambda.delete_event_source_mapping(UUID=uuid)
    sqs.delete_queue(QueueUrl=url)
    attempt("too soon", sqs.create_queue, QueueName=f"{queue}")
    return said


def test_the_local_cloud_says_what_the_page_quotes(refusals, request):
    """Each mistake that the page explains, made for real."""
    expected = {
        "bucket not empty", "trail without policy", "no constraint", "wrong trust", "pending", "again", "no right",
        "visibility", "mapping again", "permission again", "reserved", "role with policy", "other attributes",
        "no queue", "no string", "no target", "table again", "rule with target", "not implemented", "wrong key",
        "too soon",
    }  # fmt: skip

    assert set(refusals) == expected
    assert {name: said for name, said in refusals.items() if not quoted_by(said)} == {}
