"""Bad input on every border gets an error of AWS that says what is wrong, and the local cloud goes on."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def refusal(action, *arguments, **parameters):
    """The code and the message of the error that a call ends with."""
    with pytest.raises(ClientError) as refused:
        action(*arguments, **parameters)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def raw(cloud, method, path, body=b"", headers=None):
    """Send a request that no SDK would send; return the status and the body."""
    request = urllib.request.Request(cloud["endpoint"] + path, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("GET", "/", b"", {}),
        ("POST", "/", b"Action=ListQueues", {}),
        ("POST", "/", b"{", {"X-Amz-Target": "AmazonSQS.ListQueues"}),
        ("POST", "/", b"\xff\xfe", {"Authorization": "AWS4-HMAC-SHA256 nonsense"}),
        ("DELETE", "/%00/%2e%2e/", b"", {"Authorization": "Basic eDp5"}),
        ("POST", "/2015-03-31/functions", b"x" * 100_000, {}),
    ],
)
def test_a_request_that_nobody_signed_is_refused_whatever_it_holds(cloud, method, path, body, headers):
    """403 or 400, no traceback, and the next request is answered."""
    status, answer = raw(cloud, method, path, body, headers)

    assert status in (400, 403), answer
    assert b"Traceback" not in answer
    assert raw(cloud, "GET", "/_labkit/health")[0] == 200


@pytest.mark.parametrize("path", ["/_aws/execute-api/nothing/prod/visits", "/restapis/nothing/prod/_user_request_/"])
def test_an_api_that_is_not_there_is_forbidden(cloud, path):
    """On AWS its name would not resolve."""
    assert raw(cloud, "POST", path, b"{}") == (403, b'{"message":"Forbidden"}')


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"Handler": ""}, "InvalidParameterValueException"),
        ({"Runtime": "python2.7"}, "InvalidParameterValueException"),
        ({"Runtime": "cobol"}, "InvalidParameterValueException"),
        ({"Timeout": 901}, "ValidationException"),
        ({"MemorySize": 20_480}, "ValidationException"),
        ({"FunctionName": "no spaces please"}, "ValidationException"),
        ({"Role": "arn:aws:iam::123456789012:role/nobody"}, "InvalidParameterValueException"),
        ({"Code": {}}, "InvalidParameterValueException"),
    ],
)
def test_a_function_that_cannot_be_is_refused_at_create(client, unique, settings, code):
    """Nothing of it is kept, so that the name is free for the next try."""
    name = unique("Bad")
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    good = {"FunctionName": name, "Runtime": "python3.11", "Role": role, "Handler": "f.h", "Code": {"ZipFile": b"x"}}

    assert refusal(client("lambda").create_function, **{**good, **settings})[0] == code
    assert refusal(client("lambda").get_function, FunctionName=name)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize("payload", [b"{", b"\xff", b"'single'"])
def test_an_event_that_is_no_json_is_refused(client, function, payload):
    """Before anything runs."""
    arn = function("def lambda_handler(event, context):\n    return 1\n")

    code, message = refusal(client("lambda").invoke, FunctionName=arn, Payload=payload)

    assert code == "InvalidRequestContentException"
    assert message.startswith("Could not parse request body into json")


@pytest.mark.parametrize("handler", ["nodot", "lambda_function.missing", "missing.lambda_handler"])
def test_a_handler_that_is_not_there_is_the_functions_error(client, function, handler):
    """Each with the name that AWS gives it."""
    arn = function("def lambda_handler(event, context):\n    return 1\n")
    client("lambda").update_function_configuration(FunctionName=arn, Handler=handler)
    client("lambda").get_waiter("function_updated_v2").wait(FunctionName=arn, WaiterConfig={"Delay": 0.05})

    with client("lambda").invoke(FunctionName=arn)["Payload"] as payload:
        error = json.load(payload)

    names = ["Runtime.MalformedHandlerName", "Runtime.HandlerNotFound", "Runtime.ImportModuleError"]
    assert (
        error["errorType"]
        == dict(zip(["nodot", "lambda_function.missing", "missing.lambda_handler"], names, strict=True))[handler]
    )


@pytest.mark.parametrize("document", ["", "{", "[]", '{"Version": "2012-10-17"}'])
def test_a_policy_that_is_none_is_malformed(client, unique, document):
    """For a role and for its trust."""
    name = unique("Role")
    client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))

    try:
        code, _ = refusal(client("iam").put_role_policy, RoleName=name, PolicyName="p", PolicyDocument=document)
    except ParamValidationError:
        code = "MalformedPolicyDocument" if not document else ""

    assert code == "MalformedPolicyDocument"


@pytest.mark.parametrize("pattern", ["{", "[]", "{}", '{"source": "aws.s3"}', '{"source": []}', '{"a": [{"b": 1}]}'])
def test_a_pattern_that_is_none_is_refused_and_no_rule_is_kept(client, unique, pattern):
    """EventBridge checks it when the rule is put."""
    name = unique("rule")

    code, _ = refusal(client("events").put_rule, Name=name, EventPattern=pattern)

    assert code == "InvalidEventPatternException"
    assert client("events").list_rules(NamePrefix=name)["Rules"] == []


@pytest.mark.parametrize("policy", ["{", "[]", '"x"'])
def test_a_topic_policy_that_is_none_is_refused_and_the_old_one_stays(client, unique, policy):
    """set_topic_attributes replaces the whole policy, so it must not take nonsense."""
    topic = client("sns").create_topic(Name=unique("t"))["TopicArn"]
    before = client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]

    code, _ = refusal(client("sns").set_topic_attributes, TopicArn=topic, AttributeName="Policy", AttributeValue=policy)

    assert code == "InvalidParameter"
    assert client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"] == before


def test_the_query_protocol_of_older_sdks_is_understood(cloud, client, unique):
    """SQS still speaks it; the CLI's older versions and many tools do too."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    name = unique("Query")
    body = f"Action=CreateQueue&Version=2012-11-05&QueueName={name}"
    request = AWSRequest("POST", cloud["endpoint"] + "/", data=body.encode())
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    SigV4Auth(Credentials(cloud["access_key"], cloud["secret_key"]), "sqs", "us-east-1").add_auth(request)

    status, answer = raw(cloud, "POST", "/", body.encode(), dict(request.headers))

    url = client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    assert (status, f"<QueueUrl>{url}</QueueUrl>".encode() in answer) == (200, True)


def test_a_service_of_aws_that_is_not_there_is_named(cloud):
    """Never silent success."""
    athena = boto3.client(
        "athena", endpoint_url=cloud["endpoint"], region_name="us-east-1",
        aws_access_key_id=cloud["access_key"], aws_secret_access_key=cloud["secret_key"],
    )  # fmt: skip

    code, message = refusal(athena.list_work_groups)
    athena.close()

    assert (code, "athena:ListWorkGroups" in message) == ("NotImplemented", True)
