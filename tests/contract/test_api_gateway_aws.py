"""AWS integrations without a proxy, with Lambda and with SQS.

Recorded on AWS by LocalStack's tests (``test_apigateway_lambda``, 2023-05 to 2025-05, ``test_apigateway_sqs``,
``test_input_body_formatting``, 2025-03).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.test_api_gateway import Api, make_function
from tests.contract.test_api_gateway import api as api  # noqa: PLC0414  a fixture

ROLE_OF_API = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
ECHO = """
    def lambda_handler(event, context):
        if event.get("statusCode") == "400":
            raise Exception("Error: Raising four hundred from within the Lambda function")
        if event.get("statusCode") == "500":
            raise Exception("Error: Raising five hundred from within the Lambda function")
        return event
"""


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture(scope="module")
def echo(client: Callable[..., Any]) -> Iterator[str]:
    """The invocations URI of a function that returns its event, or raises."""
    for arn in make_function(client, ECHO):
        yield f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"


@pytest.fixture
def aws(api: Api) -> Callable[..., None]:
    """``aws("x", uri, {"200": {…}}, …)`` puts POST with an AWS integration and its responses there."""

    def put(part: str, uri: str, responses: dict[str, dict[str, Any]], **integration: Any) -> None:
        address = {"restApiId": api.id, "resourceId": api.resource(part), "httpMethod": "POST"}
        api.gateway.put_method(**address, authorizationType="NONE")
        api.gateway.put_integration(**address, type="AWS", integrationHttpMethod="POST", uri=uri, **integration)
        for status, response in responses.items():
            api.gateway.put_method_response(**address, statusCode=status)
            api.gateway.put_integration_response(**address, statusCode=status, **response)

    return put


def test_without_templates_the_body_is_the_event_and_the_result_the_answer(
    api: Api, aws: Callable[..., None], echo: str
):
    """Nothing of the request but its body; an empty one is an empty object."""
    aws("x", echo, {"200": {}})
    api.deploy()

    assert api.call("POST", "/x", '{"message": "hello world"}')[:2] == (200, '{"message": "hello world"}')
    assert api.call("POST", "/x")[:2] == (200, "{}")


def test_an_error_is_matched_by_its_message(api: Api, aws: Callable[..., None], echo: str):
    """Not by a status: a pattern for 200 finds nothing, and success takes the response without a pattern."""
    patterns = {"200": "", "405": ".*four hundred.*", "502": ".+", "504": "200"}
    aws(
        "{statusCode}", echo, {status: {"selectionPattern": pattern} for status, pattern in patterns.items()},
        requestTemplates={"application/json": '{"statusCode": "$input.params(\'statusCode\')"}'},
    )  # fmt: skip
    api.deploy()

    answers = [api.call("POST", f"/{status}") for status in ("200", "400", "500")]

    assert [answer[0] for answer in answers] == [200, 405, 502]
    assert json.loads(answers[0][1]) == {"statusCode": "200"}
    assert json.loads(answers[1][1])["errorMessage"].startswith("Error: Raising four hundred")


def test_templates_take_values_and_functions(api: Api, aws: Callable[..., None], echo: str):
    """Of the request on the way there, of the result on the way back; more of the language is refused."""
    template = (
        '{"whole": $input.json(\'$\'), "name": "$input.path(\'$.who[0].name\')", "stage": "$context.stage", '
        '"form": "Body=$util.urlEncode($input.body)", "code": "$util.base64Encode($input.params(\'q\'))"}'
    )
    aws(
        "x", echo, {"200": {"responseTemplates": {"application/json": "$input.path('$.name') $input.json('$.form')"}}},
        requestTemplates={"application/json": template},
    )  # fmt: skip
    aws("loop", echo, {"200": {}}, requestTemplates={"application/json": "#foreach($i in [1])$i#end"})
    api.deploy()

    body = json.dumps({"who": [{"name": "ada"}], "some": "value"})
    assert api.call("POST", "/x?q=hi", body)[:2] == (
        200,
        'ada "Body=%7B%22who%22%3A+%5B%7B%22name%22%3A+%22ada%22%7D%5D%2C+%22some%22%3A+%22value%22%7D"',
    )
    assert api.call("POST", "/loop", "{}")[:2] == (500, '{"message":"Internal server error"}')


def test_a_request_becomes_a_message_without_a_function(
    api: Api, aws: Callable[..., None], client: Callable[..., Any], unique: Callable[[str], str]
):
    """By a role that may send it; the answer of SQS chooses and fills the answer to the client."""
    iam, sqs, name = client("iam"), client("sqs"), unique("Direct")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(ROLE_OF_API))["Role"]["Arn"]
    aws(
        "sqs", f"arn:aws:apigateway:us-east-1:sqs:path/123456789012/{name}",
        {
            "200": {"responseTemplates": {
                "application/json": "$input.path('$.SendMessageResponse.SendMessageResult.MessageId')"}},
            "502": {"selectionPattern": "4\\d\\d", "responseTemplates": {
                "application/json": "$input.path('$.Error.Code')"}},
        },
        credentials=role, passthroughBehavior="NEVER",
        requestParameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        requestTemplates={"application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
                          "&MessageAttribute.1.Name=who&MessageAttribute.1.Value.DataType=String"
                          "&MessageAttribute.1.Value.StringValue=$input.params('X-Who')"},
    )  # fmt: skip
    api.deploy()

    refused = api.call("POST", "/sqs", "{}")[:2]
    send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": f"arn:aws:sqs:us-east-1:123456789012:{name}"}
    iam.put_role_policy(RoleName=name, PolicyName="send", PolicyDocument=policy(send))
    sent = api.call("POST", "/sqs", '{"foo": "bar & 1"}', X_Who="ada")
    unmapped = api.call("POST", "/sqs", "x", Content_Type="text/plain")[0]
    [message] = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"])["Messages"]
    sqs.delete_queue(QueueUrl=queue)

    assert refused == (502, "AccessDenied")
    assert (sent[0], sent[1]) == (200, message["MessageId"])
    assert message["Body"] == '{"foo": "bar & 1"}'
    assert message["MessageAttributes"] == {"who": {"DataType": "String", "StringValue": "ada"}}
    assert unmapped == 415
