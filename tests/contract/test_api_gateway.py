"""API Gateway REST APIs through boto3 and plain HTTP."""

from __future__ import annotations

import http.client
import io
import json
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
ANSWERS = """
    import json, time

    def lambda_handler(event, context):
        if event["httpMethod"] == "PUT":
            time.sleep(float(event["body"]))
        if event["resource"] == "/echo":
            return {"statusCode": 200, "body": json.dumps(event)}
        if event["resource"] == "/fails":
            raise ValueError("no")
        return json.loads(event["body"] or "null")
"""


def make_function(client: Callable[..., Any], source: str, *, permitted: bool = True) -> Iterator[str]:
    """Make a function that API Gateway may invoke, unless told otherwise; yield its ARN once, then delete it."""
    name = f"Answers-{time.time_ns()}"
    client("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            }
        ),
    )
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("lambda_function.py", textwrap.dedent(source))
    functions = client("lambda")
    arn = functions.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=f"arn:aws:iam::{ACCOUNT}:role/{name}",
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": package.getvalue()},
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    if permitted:
        functions.add_permission(
            FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
        )
    yield arn
    functions.delete_function(FunctionName=name)


@pytest.fixture(scope="module")
def function_arn(client: Callable[..., Any]) -> Iterator[str]:
    """A function that echoes its event at /echo, raises at /fails, and elsewhere returns what it is sent."""
    yield from make_function(client, ANSWERS)


class Api:
    """A REST API under test, made here or given by its id: built with boto3, called by HTTP."""

    def __init__(self, client: Callable[..., Any], cloud: dict[str, Any], name: str, api_id: str = "") -> None:
        self.gateway = client("apigateway")
        self.id = api_id or self.gateway.create_rest_api(name=name)["id"]
        self.root = self.gateway.get_resources(restApiId=self.id)["items"][0]["id"]
        self._endpoint = urlsplit(cloud["endpoint"])

    def resource(self, part: str, parent: str | None = None) -> str:
        """Create a resource and return its id."""
        return str(self.gateway.create_resource(restApiId=self.id, parentId=parent or self.root, pathPart=part)["id"])

    def proxy(self, resource: str, verb: str, function_arn: str, **method: Any) -> dict[str, str]:
        """Create a method with a Lambda proxy integration; return its address in the API."""
        address = {"restApiId": self.id, "resourceId": resource, "httpMethod": verb}
        self.gateway.put_method(**address, **{"authorizationType": "NONE", **method})
        self.gateway.put_integration(
            **address, type="AWS_PROXY", integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations",
        )  # fmt: skip
        return address

    def preflight(self, resource: str) -> dict[str, str]:
        """Answer OPTIONS with a MOCK integration, as for CORS."""
        address = {"restApiId": self.id, "resourceId": resource, "httpMethod": "OPTIONS"}
        origin = "method.response.header.Access-Control-Allow-Origin"
        self.gateway.put_method(**address, authorizationType="NONE")
        self.gateway.put_integration(
            **address, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
        )
        self.gateway.put_method_response(**address, statusCode="200", responseParameters={origin: True})
        self.gateway.put_integration_response(**address, statusCode="200", responseParameters={origin: "'*'"})
        return address

    def deploy(self, stage: str = "prod") -> str:
        """Deploy to a stage and return the deployment's id."""
        return str(self.gateway.create_deployment(restApiId=self.id, stageName=stage)["id"])

    def call(
        self, verb: str, path: str, body: str | bytes | None = None, stage: str = "prod", **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        """Send a request; return status, body and headers (names in lower case)."""
        connection = http.client.HTTPConnection(self._endpoint.hostname or "", self._endpoint.port, timeout=30)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(verb, f"/_aws/execute-api/{self.id}/{stage}{path}", body, names)
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, text, {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()


@pytest.fixture
def api(client: Callable[..., Any], cloud: dict[str, Any], unique: Callable[[str], str]) -> Iterator[Api]:
    """An empty REST API."""
    made = Api(client, cloud, unique("Visits"))
    yield made
    made.gateway.delete_rest_api(restApiId=made.id)


def error_of(call: Callable[[], Any]) -> tuple[str, str, int]:
    """Code, message and status of the error that *call* ends with."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return (
        response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"],
    )  # fmt: skip


def test_a_request_becomes_an_event_of_format_1_0(api: Api, function_arn: str):
    """The event is all that a function knows of the request."""
    echo = api.resource("echo")
    api.proxy(echo, "POST", function_arn)
    deployment = api.deploy()

    status, text, headers = api.call(
        "POST", "/echo?a=1&a=2&b=", '{"x": 1}', Content_Type="application/json", User_Agent="test"
    )

    event = json.loads(text)
    context = event.pop("requestContext")
    event.pop("headers")
    event.pop("multiValueHeaders")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert event == {
        "resource": "/echo",
        "path": "/echo",
        "httpMethod": "POST",
        "queryStringParameters": {"a": "2", "b": ""},
        "multiValueQueryStringParameters": {"a": ["1", "2"], "b": [""]},
        "pathParameters": None,
        "stageVariables": None,
        "body": '{"x": 1}',
        "isBase64Encoded": False,
    }
    assert context["deploymentId"] == deployment
    assert (context["path"], context["resourceId"], context["requestId"]) == (
        "/prod/echo", echo, headers["x-amzn-requestid"],
    )  # fmt: skip
    assert set(headers) >= {"x-amzn-requestid", "x-amz-apigw-id", "x-amzn-trace-id", "date", "content-length"}


def test_header_names_keep_the_clients_spelling(api: Api, function_arn: str):
    """A function that looks for Content-Type finds it here if it would find it on AWS, and only then."""
    api.proxy(api.resource("echo"), "POST", function_arn)
    api.deploy()

    _, text, _ = api.call(
        "POST", "/echo", "{}", Content_Type="application/json", origin="http://localhost", x_API_key="k"
    )

    event = json.loads(text)
    assert {name for name in event["headers"] if not name.startswith("X-")} == {
        "Host", "Accept-Encoding", "Content-Type", "origin", "x-API-key",
    }  # fmt: skip
    assert event["multiValueHeaders"]["Content-Type"] == ["application/json"]


@pytest.mark.parametrize(
    ("returned", "status", "body"),
    [
        ({"statusCode": 200}, 200, ""),
        ({"headers": {"x": "y"}}, 200, ""),
        ({"statusCode": "201", "body": "made"}, 201, "made"),
        ({"statusCode": 204, "body": "dropped"}, 204, ""),
        ({"statusCode": "test"}, 502, '{"message":"Internal server error"}'),
        ({"statusCode": 200, "wrongValue": 1}, 502, '{"message":"Internal server error"}'),
        ({"statusCode": 200, "body": {"a": 1}}, 502, '{"message":"Internal server error"}'),
        ("a string", 502, '{"message":"Internal server error"}'),
        (None, 502, '{"message":"Internal server error"}'),
    ],
)
def test_the_return_value_becomes_the_answer(api: Api, function_arn: str, returned: Any, status: int, body: str):
    """A wrong shape is 502, and the client never learns what was wrong."""
    api.proxy(api.resource("x"), "POST", function_arn)
    api.deploy()

    assert api.call("POST", "/x", json.dumps(returned))[:2] == (status, body)


def test_a_function_that_raises_is_502(api: Api, function_arn: str):
    """The caller gets no detail of the failure; the function's log has it."""
    api.proxy(api.resource("fails"), "GET", function_arn)
    api.deploy()

    status, body, headers = api.call("GET", "/fails")

    assert (status, body, headers["x-amzn-errortype"]) == (
        502, '{"message":"Internal server error"}', "InternalServerErrorException",
    )  # fmt: skip


def test_a_slow_function_is_504_after_the_integrations_timeout(api: Api, function_arn: str):
    """A synchronous caller waits so long and no longer."""
    address = api.proxy(api.resource("slow"), "PUT", function_arn)
    api.gateway.update_integration(
        **address, patchOperations=[{"op": "replace", "path": "/timeoutInMillis", "value": "200"}]
    )
    api.deploy()

    assert api.call("PUT", "/slow", "1.5")[:2] == (504, '{"message":"Endpoint request timed out"}')


def test_without_permission_on_the_function_it_is_500(api: Api, client: Callable[..., Any], function_arn: str):
    """Whoever may call the API, the function itself must let API Gateway in, for this very method."""
    functions = client("lambda")
    functions.remove_permission(FunctionName=function_arn, StatementId="api")
    resource = api.resource("echo")
    api.proxy(resource, "GET", function_arn)
    api.proxy(resource, "POST", function_arn)
    api.deploy()
    source = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api.id}/*/POST/echo"
    functions.add_permission(
        FunctionName=function_arn, StatementId="post-only", Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com", SourceArn=source,
    )  # fmt: skip

    try:
        assert api.call("GET", "/echo")[:2] == (500, '{"message":"Internal server error"}')
        assert api.call("POST", "/echo", "{}")[0] == 200
    finally:
        functions.remove_permission(FunctionName=function_arn, StatementId="post-only")
        functions.add_permission(
            FunctionName=function_arn, StatementId="api", Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )  # fmt: skip


def test_a_preflight_is_answered_by_mock_and_cors_comes_from_nowhere_else(api: Api, function_arn: str):
    """CORS is the learner's subject: only the headers they set are sent."""
    resource = api.resource("visits")
    api.preflight(resource)
    api.proxy(resource, "POST", function_arn)
    api.deploy()

    status, body, headers = api.call(
        "OPTIONS", "/visits", Origin="http://localhost", Access_Control_Request_Method="POST"
    )
    _, _, of_post = api.call("POST", "/visits", '{"statusCode": 200}', Origin="http://localhost")

    assert (status, body, headers["access-control-allow-origin"]) == (200, "", "*")
    assert [name for name in of_post if name.startswith("access-control")] == []


def test_a_change_is_invisible_until_it_is_deployed(api: Api, function_arn: str):
    """«I changed it and nothing happened» means: not deployed."""
    api.proxy(api.resource("one"), "POST", function_arn)
    first = api.deploy()
    api.proxy(api.resource("two"), "POST", function_arn)

    before = api.call("POST", "/two", '{"statusCode": 200}')[0]
    second = api.deploy()
    after = api.call("POST", "/two", '{"statusCode": 200}')[0]
    api.gateway.update_stage(
        restApiId=api.id, stageName="prod", patchOperations=[{"op": "replace", "path": "/deploymentId", "value": first}]
    )
    rolled_back = api.call("POST", "/two", '{"statusCode": 200}')[0]

    assert (before, after, rolled_back) == (403, 200, 403)
    assert first != second


def test_an_unknown_path_and_an_unknown_method_are_403(api: Api, function_arn: str):
    """API Gateway says «Missing Authentication Token» for what does not exist."""
    api.proxy(api.resource("visits"), "POST", function_arn)
    api.deploy()

    answers = [api.call("POST", "/nowhere"), api.call("GET", "/visits"), api.call("POST", "/visits", stage="nowhere")]

    assert [(status, body) for status, body, _ in answers] == [
        (403, '{"message":"Missing Authentication Token"}'),
        (403, '{"message":"Missing Authentication Token"}'),
        (403, '{"message":"Forbidden"}'),
    ]


def test_a_body_that_does_not_fit_the_model_is_400_and_never_reaches_the_function(api: Api, function_arn: str):
    """A model spares the function its validation; it does not say which field is wrong."""
    gateway = api.gateway
    schema = {"type": "object", "required": ["ProductId"], "properties": {"ProductId": {"type": "string"}}}
    gateway.create_model(restApiId=api.id, name="Visit", contentType="application/json", schema=json.dumps(schema))
    validator = gateway.create_request_validator(
        restApiId=api.id, name="all", validateRequestBody=True, validateRequestParameters=True
    )["id"]
    api.proxy(
        api.resource("echo"), "POST", function_arn, requestModels={"application/json": "Visit"},
        requestValidatorId=validator, requestParameters={"method.request.querystring.shop": True},
    )  # fmt: skip
    api.deploy()

    answers = [
        api.call("POST", "/echo?shop=1", '{"ProductId": "a"}', Content_Type="application/json")[:1],
        api.call("POST", "/echo?shop=1", '{"ProductId": 1}', Content_Type="application/json")[:2],
        api.call("POST", "/echo?shop=1", "{", Content_Type="application/json; charset=utf-8")[:2],
        api.call("POST", "/echo?shop=1", '{"ProductId": 1}', Content_Type="text/plain")[:1],
        api.call("POST", "/echo", '{"ProductId": "a"}', Content_Type="application/json")[:2],
    ]

    assert answers == [
        (200,),
        (400, '{"message":"Invalid request body"}'),
        (400, '{"message":"Invalid request body"}'),
        (200,),
        (400, '{"message":"Missing required request parameters: [shop]"}'),
    ]


def test_keys_plans_throttles_and_quotas(api: Api, function_arn: str, unique: Callable[[str], str]):
    """A key opens nothing by itself: it must be enabled, on a plan, and the plan must list this stage."""
    gateway = api.gateway
    address = api.proxy(api.resource("x"), "POST", function_arn)
    gateway.update_method(**address, patchOperations=[{"op": "replace", "path": "/apiKeyRequired", "value": "true"}])
    api.deploy()
    key = gateway.create_api_key(name=unique("key"), enabled=True)
    disabled = gateway.create_api_key(name=unique("key"))
    stage = f"{api.id}:prod"
    plan = gateway.create_usage_plan(name=unique("plan"), quota={"limit": 3, "period": "DAY"})["id"]
    for one in (key, disabled):
        gateway.create_usage_plan_key(usagePlanId=plan, keyId=one["id"], keyType="API_KEY")

    def call(value: str) -> tuple[int, str]:
        return api.call("POST", "/x", '{"statusCode": 200}', x_api_key=value)[:2]

    def patch(op: str, path: str, value: str) -> None:
        gateway.update_usage_plan(usagePlanId=plan, patchOperations=[{"op": op, "path": path, "value": value}])

    forbidden = (403, '{"message":"Forbidden"}')
    assert [call(key["value"]), call("wrong"), api.call("POST", "/x", "{}")[:2]] == [forbidden] * 3
    patch("add", "/apiStages", stage)
    assert [call(key["value"]), call(disabled["value"])] == [(200, ""), forbidden]
    patch("replace", "/throttle/rateLimit", "0.001")
    patch("replace", "/throttle/burstLimit", "1")
    assert [call(key["value"]), call(key["value"])] == [(200, ""), (429, '{"message":"Too Many Requests"}')]
    gateway.update_usage_plan(usagePlanId=plan, patchOperations=[{"op": "remove", "path": "/throttle"}])
    assert [call(key["value"]), call(key["value"])] == [(200, ""), (429, '{"message":"Limit Exceeded"}')]
    today = time.strftime("%Y-%m-%d", time.gmtime())
    usage = gateway.get_usage(usagePlanId=plan, keyId=key["id"], startDate=today, endDate=today)
    assert usage["items"] == {key["id"]: [[3, 0]]}

    assert error_of(lambda: gateway.delete_usage_plan(usagePlanId=plan)) == (
        "BadRequestException",
        f"Cannot delete Usage Plan {plan} because there are API Stages associated with it, including {stage}",
        400,
    )
    patch("remove", "/apiStages", stage)
    gateway.delete_usage_plan(usagePlanId=plan)
    gateway.delete_api_key(apiKey=key["id"])
    gateway.delete_api_key(apiKey=disabled["id"])


def test_gateway_responses_give_errors_the_headers_a_page_needs(api: Api, function_arn: str):
    """Without CORS headers on its errors, a page cannot even read that it was refused."""
    api.proxy(api.resource("x"), "POST", function_arn)
    api.gateway.put_gateway_response(
        restApiId=api.id, responseType="DEFAULT_4XX",
        responseParameters={"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"},
        responseTemplates={"application/json": '{"why": $context.error.messageString, "stage": "$context.stage"}'},
    )  # fmt: skip
    before = api.deploy() and api.call("GET", "/x")
    api.gateway.put_gateway_response(restApiId=api.id, responseType="MISSING_AUTHENTICATION_TOKEN", statusCode="404")
    api.deploy()

    status, body, headers = before
    assert (status, json.loads(body), headers["access-control-allow-origin"]) == (
        403, {"why": "Missing Authentication Token", "stage": "prod"}, "*",
    )  # fmt: skip
    assert api.call("GET", "/x")[:2] == (404, '{"message":"Missing Authentication Token"}')
    listed = api.gateway.get_gateway_responses(restApiId=api.id)["items"]
    assert len(listed) == 21
    assert [one["responseType"] for one in listed if not one["defaultResponse"]] == [
        "DEFAULT_4XX", "MISSING_AUTHENTICATION_TOKEN",
    ]  # fmt: skip


def test_stage_variables_and_stage_throttles_act_without_a_deployment(api: Api, function_arn: str):
    """Settings of the stage are not part of what is deployed, and a new deployment keeps them."""
    api.proxy(api.resource("echo"), "GET", function_arn)
    api.deploy()
    operations = [
        {"op": "replace", "path": "/variables/colour", "value": "green"},
        {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "0.001"},
        {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "1"},
    ]
    api.gateway.update_stage(restApiId=api.id, stageName="prod", patchOperations=operations)
    api.deploy()

    first, second = api.call("GET", "/echo"), api.call("GET", "/echo")

    assert json.loads(first[1])["stageVariables"] == {"colour": "green"}
    assert second[:2] == (429, '{"message":"Too Many Requests"}')


def test_more_than_10_mb_is_413(api: Api, function_arn: str):
    """API Gateway's limit, below Lambda's own."""
    api.proxy(api.resource("x"), "POST", function_arn)
    api.deploy()

    assert api.call("POST", "/x", b"x" * (10 * 1024 * 1024 + 1))[0] == 413


@pytest.fixture
def logs_role(api: Api, client: Callable[..., Any], unique: Callable[[str], str]) -> Iterator[str]:
    """A role that API Gateway may wear to write logs; the account has none before and afterwards."""
    set_logs_role(api, "")
    name = unique("ApiGatewayLogs")
    wear = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [wear]})
    yield client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    set_logs_role(api, "")


def set_logs_role(api: Api, arn: str) -> dict[str, Any]:
    return api.gateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": arn}])


def let_write_logs(client: Callable[..., Any], role_arn: str) -> None:
    write = {"Effect": "Allow", "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**write, "Resource": "*"}]})
    client("iam").put_role_policy(RoleName=role_arn.rpartition("/")[2], PolicyName="write-logs", PolicyDocument=policy)


def test_a_stage_logs_only_where_the_account_has_a_role_for_it(api: Api, client: Callable[..., Any], logs_role: str):
    """The role is the account's, one per region: it must trust API Gateway and may write logs."""
    api.preflight(api.resource("x"))
    api.deploy()
    stage = {"restApiId": api.id, "stageName": "prod"}
    wanted = [{"op": "replace", "path": "/*/*/logging/loglevel", "value": "INFO"}]
    refused = "The role ARN does not have required permissions configured. Please grant trust permission for API "
    refused += "Gateway and add the required role policy."

    without = error_of(lambda: api.gateway.update_stage(**stage, patchOperations=wanted))
    malformed = error_of(lambda: set_logs_role(api, "ApiGatewayLogs"))
    powerless = error_of(lambda: set_logs_role(api, logs_role))
    let_write_logs(client, logs_role)
    account = set_logs_role(api, logs_role)
    answer = api.gateway.update_stage(**stage, patchOperations=wanted)

    text = "CloudWatch Logs role ARN must be set in account settings to enable logging"
    assert without == ("BadRequestException", text, 400)
    assert malformed == ("BadRequestException", "The role ARN is not well formed", 400)
    assert powerless == ("BadRequestException", refused, 400)
    assert account["cloudwatchRoleArn"] == api.gateway.get_account()["cloudwatchRoleArn"] == logs_role
    assert answer["methodSettings"]["*/*"]["loggingLevel"] == "INFO"
    gone = api.gateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn"}])
    assert "cloudwatchRoleArn" not in gone
    assert "cloudwatchRoleArn" not in api.gateway.get_account()


def test_execution_logs_tell_why_where_the_stage_asks_for_them(
    api: Api, client: Callable[..., Any], function_arn: str, logs_role: str, eventually: Callable[..., Any]
):
    """The client sees «Internal server error»; the log says what is wrong."""
    address = api.proxy(api.resource("x"), "POST", function_arn)
    api.gateway.update_integration(
        **address, patchOperations=[{"op": "replace", "path": "/httpMethod", "value": "GET"}]
    )
    api.deploy()
    let_write_logs(client, logs_role)
    set_logs_role(api, logs_role)
    api.gateway.update_stage(
        restApiId=api.id, stageName="prod",
        patchOperations=[{"op": "replace", "path": "/*/*/logging/loglevel", "value": "ERROR"}],
    )  # fmt: skip

    status = api.call("POST", "/x", "{}")[0]

    def messages() -> list[str]:
        try:
            found = client("logs").filter_log_events(logGroupName=f"API-Gateway-Execution-Logs_{api.id}/prod")
        except ClientError:
            return []
        return [event["message"] for event in found["events"]]

    assert status == 500
    assert "httpMethod is GET; Lambda is invoked by POST" in eventually(messages)[0]


def test_what_is_there_already_is_a_conflict(api: Api, function_arn: str):
    """A second create must not make a silent duplicate, nor overwrite."""
    gateway = api.gateway
    resource = api.resource("visits")
    address = api.proxy(resource, "POST", function_arn)
    gateway.put_method_response(**address, statusCode="200")
    model: dict[str, str] = {"restApiId": api.id, "contentType": "application/json", "name": "Visit", "schema": "{}"}
    gateway.create_model(**model)

    assert [
        error_of(lambda: api.resource("visits")),
        error_of(lambda: gateway.put_method(**address, authorizationType="NONE")),
        error_of(lambda: gateway.put_method_response(**address, statusCode="200")),
        error_of(lambda: gateway.create_model(**model)),
    ] == [
        ("ConflictException", "Another resource with the same parent already has this name: visits", 409),
        ("ConflictException", "Method already exists for this resource", 409),
        ("ConflictException", "Response already exists for this resource", 409),
        ("ConflictException", "Model name already exists for this REST API", 409),
    ]


def test_what_is_not_there_is_named(api: Api, function_arn: str):
    """Wrong ids are the commonest mistake with API Gateway."""
    gateway = api.gateway
    resource = api.resource("visits")
    address = {"restApiId": api.id, "resourceId": resource, "httpMethod": "OPTIONS"}
    gateway.put_method(**address, authorizationType="NONE")
    header = "method.response.header.Access-Control-Allow-Origin"

    assert [
        error_of(lambda: gateway.get_rest_api(restApiId="nosuchapi0")),
        error_of(lambda: gateway.delete_rest_api(restApiId="nosuchapi0")),
        error_of(lambda: gateway.put_method(**{**address, "resourceId": "nope"}, authorizationType="NONE")),
        error_of(lambda: gateway.create_deployment(restApiId=api.id)),
        error_of(lambda: gateway.put_integration_response(**address, statusCode="200")),
    ] == [
        ("NotFoundException", f"Invalid API identifier specified {ACCOUNT}:nosuchapi0", 404),
        ("NotFoundException", f"Invalid API identifier specified {ACCOUNT}:nosuchapi0", 404),
        ("NotFoundException", "Invalid Resource identifier specified", 404),
        ("BadRequestException", "No integration defined for method", 400),
        ("NotFoundException", "Invalid Response status code specified", 404),
    ]
    gateway.put_integration(**address, type="MOCK")
    gateway.put_method_response(**address, statusCode="200")
    assert error_of(
        lambda: gateway.put_integration_response(**address, statusCode="200", responseParameters={header: "'*'"})
    ) == (
        "BadRequestException",
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : "
        f"[Invalid mapping expression parameter specified: {header}]",
        400,
    )


def test_the_order_of_deletion_matters(api: Api, function_arn: str):
    """A deployment that a stage serves stays; a resource takes its children along."""
    gateway = api.gateway
    parent = api.resource("a")
    api.proxy(api.resource("b", parent), "GET", function_arn)
    deployment = api.deploy()

    refused = error_of(lambda: gateway.delete_deployment(restApiId=api.id, deploymentId=deployment))
    gateway.delete_stage(restApiId=api.id, stageName="prod")
    gateway.delete_deployment(restApiId=api.id, deploymentId=deployment)
    gateway.delete_resource(restApiId=api.id, resourceId=parent)

    assert refused == (
        "BadRequestException", "Active stages pointing to this deployment must be moved or deleted", 400,
    )  # fmt: skip
    assert gateway.get_deployments(restApiId=api.id)["items"] == []
    assert [one["path"] for one in gateway.get_resources(restApiId=api.id)["items"]] == ["/"]


def test_an_answer_without_content_leaves_the_connection_open(api: Api):
    """A client that reuses its connection after a 204 must not find it closed."""
    arn = f"arn:aws:apigateway:us-east-1::/restapis/{api.id}"

    for number in range(30):
        api.gateway.tag_resource(resourceArn=arn, tags={"number": str(number)})

    assert api.gateway.get_tags(resourceArn=arn)["tags"] == {"number": "29"}


def test_apis_keys_and_plans_carry_tags(api: Api, client: Callable[..., Any], unique: Callable[[str], str]):
    """The clean-up finds by tag what AWS made up an id for."""
    gateway = client("apigateway")
    key = gateway.create_api_key(name=unique("key"), tags={"made": "by-create"})["id"]
    plan = gateway.create_usage_plan(name=unique("plan"))["id"]
    arns = [
        f"arn:aws:apigateway:us-east-1::/{path}"
        for path in (f"restapis/{api.id}", f"apikeys/{key}", f"usageplans/{plan}")
    ]

    for arn in arns:
        gateway.tag_resource(resourceArn=arn, tags={"lab": "1", "other": "2"})
        gateway.untag_resource(resourceArn=arn, tagKeys=["other"])

    assert [gateway.get_tags(resourceArn=arn)["tags"] for arn in arns] == [
        {"lab": "1"}, {"made": "by-create", "lab": "1"}, {"lab": "1"},
    ]  # fmt: skip
    assert gateway.get_rest_api(restApiId=api.id)["tags"] == {"lab": "1"}
    gateway.delete_usage_plan(usagePlanId=plan)
    gateway.delete_api_key(apiKey=key)


def test_what_the_local_cloud_does_not_do_it_refuses(api: Api, client: Callable[..., Any]):
    """Never silent success: a method that seems protected must not be open."""
    gateway = client("apigateway")

    assert [
        error_of(
            lambda: gateway.put_method(
                restApiId=api.id, resourceId=api.root, httpMethod="GET", authorizationType="COGNITO_USER_POOLS"
            )
        )[::2],
        error_of(lambda: gateway.create_authorizer(restApiId=api.id, name="a", type="COGNITO_USER_POOLS"))[::2],
        error_of(lambda: gateway.create_deployment(restApiId=api.id, canarySettings={"percentTraffic": 10}))[::2],
        error_of(lambda: gateway.get_export(restApiId=api.id, stageName="prod", exportType="oas30"))[::2],
    ] == [("NotImplemented", 501)] * 4
