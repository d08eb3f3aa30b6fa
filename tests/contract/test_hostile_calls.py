"""Bodies that no client of AWS would send, signed well: an error of AWS, at once, and never that labkit is broken."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FUZZ = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
JSON_TARGETS = ["AmazonSQS.SendMessage", "DynamoDB_20120810.PutItem", "Logs_20140328.PutLogEvents",
                "AWSEvents.PutEvents", "Kinesis_20131202.PutRecord"]  # fmt: skip
SIGNED_AS = {"AmazonSQS": "sqs", "DynamoDB_20120810": "dynamodb", "Logs_20140328": "logs", "AWSEvents": "events",
             "Kinesis_20131202": "kinesis"}  # fmt: skip


def signed(cloud, service, body, headers, path="/"):
    """Send a request with a good signature, PUT to a path or POST; return the status and the body of the answer."""
    method = "POST" if path == "/" else "PUT"
    request = AWSRequest(method, cloud["endpoint"] + path, data=body, headers=headers)
    SigV4Auth(Credentials(cloud["access_key"], cloud["secret_key"]), service, "us-east-1").add_auth(request)
    asked = urllib.request.Request(cloud["endpoint"] + path, data=body, method=method, headers=dict(request.headers))
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
BODIES = (
    st.binary(max_size=60)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.sampled_from([b"[" * 100_000, b'{"a":' * 50_000, b'{"QueueUrl": "\\ud800"}', b"1" * 5000, b'{"a": 1e999}'])
)


@FUZZ
@given(st.sampled_from(JSON_TARGETS), BODIES)
def test_a_json_body_that_is_no_call_gets_an_error_of_aws(cloud, target, body):
    """The service says what is wrong; the local cloud does not say that it is broken itself."""
    headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}

    code, answer = signed(cloud, SIGNED_AS[target.partition(".")[0]], body, headers)

    assert 400 <= code < 500, (target, body[:200], answer)
    assert b"Traceback" not in answer


@FUZZ
@given(st.sampled_from(["sns", "iam", "sts", "cloudwatch", "sqs"]), st.text(max_size=60) | st.binary(max_size=60))
def test_a_form_that_is_no_call_gets_an_error_of_aws(cloud, service, body):
    """The query protocol: names with dots and numbers, percent signs, anything."""
    data = body if isinstance(body, bytes) else f"Action=List{body}&Version=2010-03-31&{body}.member.{body}=1".encode()
    signing = {"cloudwatch": "monitoring"}.get(service, service)

    code, answer = signed(cloud, signing, data, {"Content-Type": "application/x-www-form-urlencoded"})

    assert 400 <= code < 500, (service, data, answer)
    assert b"Traceback" not in answer


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">%s]><Tagging><TagSet><Tag><Key>&z9;</Key>
<Value>v</Value></Tag></TagSet></Tagging>""" % b"".join(
    b'<!ENTITY z%d "%s">' % (n, b"&z%d;" % (n - 1) * 10 if n else b"&a;" * 10) for n in range(10)
)
SETTINGS = ["tagging", "cors", "policy", "website", "versioning", "publicAccessBlock", "notification"]
XML = (
    st.binary(max_size=80)
    | st.text(max_size=40).map(lambda text: f"<Tagging><TagSet>{text}</TagSet></Tagging>".encode())
    | st.sampled_from([b"<a>" * 50_000, BOMB, b"<Tagging/>", b"", b"<?xml version='1.0' encoding='utf-7'?><Tagging/>"])
)


@FUZZ
@given(
    st.sampled_from(["tagging", "cors", "policy", "website", "versioning", "publicAccessBlock", "notification"]), XML
)
def test_xml_that_is_no_setting_gets_an_error_of_s3(cloud, hostile_bucket, what, body):
    """Entities that grow to gigabytes among it; at once."""
    started = time.monotonic()
    code, answer = signed(cloud, "s3", body, {"Content-Type": "application/xml"}, f"/{hostile_bucket}?{what}")

    assert code < 500, (what, body[:200], answer)
    assert time.monotonic() - started < 3
    assert b"Traceback" not in answer


@pytest.fixture(scope="module")
def hostile_bucket(cloud):
    """A bucket with one object, for settings that are none."""
    s3 = boto3.client(
        "s3", endpoint_url=cloud["endpoint"], region_name="us-east-1", aws_access_key_id=cloud["access_key"],
        aws_secret_access_key=cloud["secret_key"],
    )  # fmt: skip
    name = f"hostile-{time.time_ns()}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"")
    s3.close()
    return name


LOOKING_AROUND = """
import os, urllib.request, urllib.error, boto3
def lambda_handler(event, context):
    found = {"variables": dict(os.environ), "cwd": os.getcwd(), "home": os.path.expanduser("~")}
    try:
        urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_labkit/logs").read()
        found["logs"] = "read"
    except urllib.error.HTTPError as error:
        found["logs"] = error.code
    try:
        boto3.client("lambda").get_function(FunctionName=event["other"])
        found["other"] = "read"
    except Exception as error:
        found["other"] = error.response["Error"]["Code"]
    return found
"""


def test_a_function_is_handed_nothing_of_another_nor_of_the_administrator(cloud, client, function):
    """No sandbox, but labkit itself gives it its own variables, its own keys and its own folder alone."""
    other = function("def lambda_handler(e, c): pass", Environment={"Variables": {"SECRET": "of the other function"}})
    curious = function(LOOKING_AROUND)

    with client("lambda").invoke(FunctionName=curious, Payload=json.dumps({"other": other}))["Payload"] as payload:
        found = json.load(payload)

    everything = json.dumps(found)
    assert cloud["secret_key"] not in everything
    assert cloud["access_key"] not in everything
    assert cloud["token"] not in everything
    assert "of the other function" not in everything
    assert [name for name, value in found["variables"].items() if cloud["state_dir"] in value] == ["LAMBDA_TASK_ROOT"]
    assert (found["logs"], found["other"]) == (403, "AccessDeniedException")
    assert found["cwd"] == found["variables"]["LAMBDA_TASK_ROOT"]


@pytest.mark.parametrize("key", ["text", 5, [], {}, None, {"L": [{}]}], ids=str)
def test_a_key_that_is_no_value_of_dynamodb_is_refused(cloud, client, unique, key):
    """What changed is written down after a refused call, too: nonsense must not keep that from happening."""
    name, dynamodb = unique("Hostile"), client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "Key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    headers = {"X-Amz-Target": "DynamoDB_20120810.PutItem", "Content-Type": "application/x-amz-json-1.0"}

    code, answer = signed(cloud, "dynamodb", json.dumps({"TableName": name, "Item": {"Key": key}}).encode(), headers)

    assert 400 <= code < 500, answer


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("dynamodb", "create_table", {"TableName": "no-keys"}, "ValidationException"),
        ("dynamodb", "transact_write_items", {"TransactItems": [{}]}, "ValidationException"),
        ("dynamodbstreams", "get_records", {"ShardIterator": "old"}, "ExpiredIteratorException"),
        ("logs", "describe_destinations", {"nextToken": "x"}, "InvalidParameterException"),
        ("kinesis", "create_stream", {"StreamName": "no-shards"}, "InvalidArgumentException"),
        ("kinesis", "get_records", {"ShardIterator": "old"}, "InvalidArgumentException"),
        ("kinesis", "list_stream_consumers", {"StreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/none"},
         "ResourceNotFoundException"),
        ("dynamodb", "describe_export", {"ExportArn": "arn:aws:dynamodb:us-east-1:123456789012:table/t/export/0123"},
         "ExportNotFoundException"),
        ("iam", "list_roles", {"Marker": "x"}, "ValidationError"),
        ("cloudwatch", "get_metric_data", {"StartTime": 0, "EndTime": 60, "MetricDataQueries": [
            {"Id": id_, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
            for id_, metric in (("a", {"Namespace": "AWS/SQS"}), ("b", {"MetricName": "x"}))
        ]}, "ValidationError"),
        ("logs", "get_query_results", {"queryId": "x"}, "ResourceNotFoundException"),
        ("s3", "copy_object", {"Key": "k", "CopySource": "key-without-a-bucket"}, "InvalidArgument"),
        ("s3", "list_objects_v2", {"FetchOwner": True, "ContinuationToken": "x"}, "InvalidArgument"),
        ("s3", "delete_object_tagging", {"Key": "none"}, "NoSuchKey"),
        ("s3", "put_bucket_acl", {"GrantRead": "everybody"}, "InvalidArgument"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_common_mistake_is_the_callers_and_never_a_bug_of_labkit(
    client, hostile_bucket, *, service, operation, parameters, code
):
    """What the model of a service allows and the service does not: codes by the API references."""
    bucket = {"Bucket": hostile_bucket} if service == "s3" else {}

    with pytest.raises(ClientError) as refused:
        getattr(client(service), operation)(**bucket, **parameters)

    assert refused.value.response["Error"]["Code"] == code
