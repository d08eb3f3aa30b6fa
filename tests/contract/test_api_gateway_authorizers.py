"""Lambda authorizers. AWS docs: "Use API Gateway Lambda authorizers" and its pages about input and output.

The bodies of 401 and 403 are those of AWS Chalice's local mode, which AWS ships.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.contract.test_api_gateway import Api, error_of, function_arn, make_function  # noqa: F401  a fixture
from tests.contract.test_api_gateway import api as api  # noqa: PLC0414  a fixture

GUARD = """
    import json, time

    def lambda_handler(event, context):
        if event.get("type") not in ("TOKEN", "REQUEST"):
            return {"statusCode": 200, "body": json.dumps(event["requestContext"].get("authorizer"))}
        word = event.get("authorizationToken") or event["queryStringParameters"]["who"]
        if word == "nobody":
            raise Exception("Unauthorized")
        if word == "boom":
            raise ValueError("boom")
        effect = {"denied": "Deny", "other": "Allow"}.get(word, "Allow")
        resource = "arn:aws:execute-api:*:*:*/other" if word == "other" else event["methodArn"]
        statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}
        answer = {
            "principalId": word,
            "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
            "context": {"asked": str(time.time_ns()), "vip": True, "visits": 7, "seen": json.dumps(sorted(event))},
            "usageIdentifierKey": "a-key-that-nobody-sends",
        }
        if word == "nested":
            answer["context"]["list"] = []
        if word == "wildcard":
            statement["Resource"] = "*"
        return {"malformed": {"principalId": word}}.get(word, answer)
"""


@pytest.fixture(scope="module")
def guard(client: Callable[..., Any]) -> Iterator[str]:
    """A function that authorizes, and that tells behind a method what it got from the authorizer."""
    yield from make_function(client, GUARD)


def uri_of(function: str) -> str:
    return f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"


def guarded(api: Api, function: str, kind: str = "TOKEN", **authorizer: Any) -> str:
    """Put an authorizer before GET /visits/{id} and deploy; return the authorizer's id."""
    source = "method.request.header.Authorization" if kind == "TOKEN" else "method.request.querystring.who"
    made = api.gateway.create_authorizer(
        restApiId=api.id, name="guard", type=kind, authorizerUri=uri_of(function),
        **{"identitySource": source, **authorizer},
    )  # fmt: skip
    method = {"authorizationType": "CUSTOM", "authorizerId": made["id"]}
    api.proxy(api.resource("{id}", api.resource("visits")), "GET", function, **method)
    api.deploy()
    return str(made["id"])


def test_a_token_authorizer_lets_in_by_its_policy(api: Api, guard: str):
    """Its principal and context reach the function behind the method, as text."""
    guarded(api, guard, identityValidationExpression="[a-z]+")

    status, body, _ = api.call("GET", "/visits/7", Authorization="ada")
    seen = json.loads(body)

    assert status == 200
    assert (seen["principalId"], seen["vip"], seen["visits"]) == ("ada", "true", "7")
    assert json.loads(seen["seen"]) == ["authorizationToken", "methodArn", "type"]
    assert isinstance(seen["integrationLatency"], int)


@pytest.mark.parametrize(
    ("token", "status", "body", "error"),
    [
        (None, 401, {"message": "Unauthorized"}, "UnauthorizedException"),
        ("NOT-LIKE-THE-EXPRESSION", 401, {"message": "Unauthorized"}, "UnauthorizedException"),
        ("nobody", 401, {"message": "Unauthorized"}, "UnauthorizedException"),
        ("other", 403, {"Message": "User is not authorized to access this resource"}, "AccessDeniedException"),
        (
            "denied", 403, {"Message": "User is not authorized to access this resource with an explicit deny"},
            "AccessDeniedException",
        ),
        ("malformed", 500, {"message": None}, "AuthorizerConfigurationException"),
        ("nested", 500, {"message": None}, "AuthorizerConfigurationException"),
    ],
)  # fmt: skip
def test_everybody_else_stays_outside(guarded_api: Api, token: str | None, status: int, body: Any, error: str):
    """Without a token that looks right, the function is not even asked."""
    answer = guarded_api.call("GET", "/visits/7", **({"Authorization": token} if token else {}))

    assert (answer[0], json.loads(answer[1]), answer[2]["x-amzn-errortype"]) == (status, body, error)


def test_a_function_that_raises_is_500(guarded_api: Api):
    """The gateway response AUTHORIZER_FAILURE."""
    assert guarded_api.call("GET", "/visits/7", Authorization="boom")[0] == 500


@pytest.fixture(scope="module")
def guarded_api(client: Callable[..., Any], cloud: dict[str, Any], guard: str) -> Iterator[Api]:
    """An API whose GET /visits/{id} asks a TOKEN authorizer."""
    made = Api(client, cloud, "Guarded")
    guarded(made, guard, identityValidationExpression="[a-z]+")
    yield made
    made.gateway.delete_rest_api(restApiId=made.id)


def test_a_result_is_kept_for_the_token_and_for_every_path(api: Api, guard: str):
    """So a policy that names one method keeps its token from all the others, which surprises many."""
    guarded(api, guard)

    def asked(path: str, token: str) -> Any:
        status, body, _ = api.call("GET", path, Authorization=token)
        return json.loads(body)["asked"] if status == 200 else status

    assert asked("/visits/7", "ada") == asked("/visits/7", "ada")
    assert asked("/visits/8", "ada") == 403
    before = asked("/visits/7", "wildcard")
    assert asked("/visits/8", "wildcard") == before
    api.gateway.flush_stage_authorizers_cache(restApiId=api.id, stageName="prod")
    assert asked("/visits/8", "wildcard") != before


def test_a_request_authorizer_sees_the_request_and_may_name_the_key(
    api: Api,
    guard: str,
    unique: Callable[[str], str],
):
    """All but the body; with apiKeySource AUTHORIZER the key comes from its answer. TTL 0 keeps nothing."""
    source = [{"op": "replace", "path": "/apiKeySource", "value": "AUTHORIZER"}]
    api.gateway.update_rest_api(restApiId=api.id, patchOperations=source)
    guarded(api, guard, "REQUEST", authorizerResultTtlInSeconds=0)
    keyed = {"restApiId": api.id, "httpMethod": "GET", "resourceId": api.resource("keyed")}
    authorizer = api.gateway.get_authorizers(restApiId=api.id)["items"][0]["id"]
    api.proxy(
        keyed["resourceId"], "GET", guard, authorizationType="CUSTOM", authorizerId=authorizer, apiKeyRequired=True
    )
    api.deploy()

    first, second = (json.loads(api.call("GET", "/visits/7?who=ada")[1]) for _ in range(2))
    without = api.call("GET", "/visits/7")[0]
    stranger = api.call("GET", "/keyed?who=ada", x_api_key="a-key-that-nobody-sends")[0]
    plan = api.gateway.create_usage_plan(name=unique("p"), apiStages=[{"apiId": api.id, "stage": "prod"}])["id"]
    key = api.gateway.create_api_key(name=unique("k"), value="a-key-that-nobody-sends", enabled=True)["id"]
    api.gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    known = api.call("GET", "/keyed?who=ada")[0]
    api.gateway.delete_api_key(apiKey=key)

    assert first["asked"] != second["asked"]
    assert "body" not in json.loads(first["seen"])
    assert {"headers", "methodArn", "path", "requestContext", "stageVariables"} <= set(json.loads(first["seen"]))
    assert (without, stranger, known) == (401, 403, 200)


def test_the_authorizer_function_must_let_api_gateway_in(api: Api, client: Callable[..., Any]):
    """The source of the permission is the authorizer, not the method."""
    made = make_function(client, GUARD, permitted=False)
    function = next(made)
    authorizer = guarded(api, function)
    name = function.rpartition(":")[2]

    before = api.call("GET", "/visits/7", Authorization="ada")[0]
    for number, arrow in enumerate((f"authorizers/{authorizer}", "*/GET/visits/{id}")):
        client("lambda").add_permission(
            FunctionName=name, StatementId=f"s{number}", Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:123456789012:{api.id}/{arrow}",
        )  # fmt: skip
    after = api.call("GET", "/visits/7", Authorization="ada")[0]
    next(made, None)

    assert (before, after) == (500, 200)


def test_an_authorizer_is_checked_when_it_is_made_and_used(api: Api, guard: str):
    """What could not work is refused at once; a method with an unknown authorizer as LocalStack's tests recorded."""
    gateway, one = api.gateway, {"restApiId": api.id, "name": "guard", "type": "TOKEN"}
    source = {"identitySource": "method.request.header.Authorization"}
    resource = api.resource("x")
    method = {"restApiId": api.id, "resourceId": resource, "httpMethod": "GET", "authorizationType": "CUSTOM"}

    def create(**arguments: Any) -> tuple[str, int]:
        code, _, status = error_of(lambda: gateway.create_authorizer(**{**one, **source, **arguments}))
        return code, status

    assert create(authorizerUri="arn:aws:lambda:us-east-1:123456789012:function:f") == ("BadRequestException", 400)
    assert create(authorizerUri=uri_of(guard), identitySource="Authorization") == ("BadRequestException", 400)
    assert create(authorizerUri=uri_of(guard), authorizerResultTtlInSeconds=3601) == ("BadRequestException", 400)
    assert create(type="COGNITO_USER_POOLS", providerARNs=["arn"]) == ("NotImplemented", 501)
    assert error_of(lambda: gateway.put_method(**method, authorizerId="abc123")) == (
        "BadRequestException",
        "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a "
        "valid authorizer.",
        400,
    )
    made = gateway.create_authorizer(**one, **source, authorizerUri=uri_of(guard), identityValidationExpression="a+")
    found = gateway.get_authorizer(restApiId=api.id, authorizerId=made["id"])
    assert (found["identityValidationExpression"], found["authorizerResultTtlInSeconds"]) == ("a+", 300)
    assert create(authorizerUri=uri_of(guard)) == ("BadRequestException", 400)
    gateway.put_method(**method, authorizerId=made["id"])
    delete = lambda: gateway.delete_authorizer(restApiId=api.id, authorizerId=made["id"])  # noqa: E731
    assert error_of(delete)[0] == "ConflictException"
    gateway.delete_method(restApiId=api.id, resourceId=resource, httpMethod="GET")
    delete()
    assert error_of(delete)[0] == "NotFoundException"


def signed(
    cloud: dict[str, Any], path: str, keys: dict[str, str], service: str = "execute-api"
) -> tuple[int, dict[str, Any], str]:
    """Send a GET that *keys* signed; return status, body and ``x-amzn-ErrorType``."""
    url = f"{cloud['endpoint']}/_aws/execute-api/{path}"
    request = AWSRequest("GET", url)
    credentials = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys.get("SessionToken"))
    SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=dict(request.headers)), timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, json.loads(answer.read()), answer.headers["x-amzn-ErrorType"] or ""


def test_a_method_with_iam_wants_a_signature_and_a_policy(
    api: Api,
    client: Callable[..., Any],
    cloud: dict[str, Any],
    unique: Callable[[str], str],
    function_arn: str,  # noqa: F811
):
    """AWS docs: "Control access to a REST API with IAM permissions"; the caller is in the event's identity."""
    api.proxy(api.resource("echo"), "GET", function_arn, authorizationType="AWS_IAM")
    api.deploy()
    iam, name, path = client("iam"), unique("Caller"), f"{api.id}/prod/echo"
    anybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [anybody]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    keys = client("sts").assume_role(RoleArn=role, RoleSessionName="ada")["Credentials"]
    root = {"AccessKeyId": cloud["access_key"], "SecretAccessKey": cloud["secret_key"]}

    unsigned = api.call("GET", "/echo")
    refused = signed(cloud, path, keys)
    wrong = [
        signed(cloud, path, {**root, "SecretAccessKey": "x"}), signed(cloud, path, {**root, "AccessKeyId": "AKIAX"}),
        signed(cloud, path, root, service="lambda"),
    ]  # fmt: skip
    resource = f"arn:aws:execute-api:us-east-1:*:{api.id}/prod/GET/echo"
    invoke = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [invoke]})
    iam.put_role_policy(RoleName=name, PolicyName="invoke", PolicyDocument=policy)
    allowed = signed(cloud, path, keys)
    identity = allowed[1]["requestContext"]["identity"]

    assert (unsigned[0], json.loads(unsigned[1])) == (403, {"message": "Missing Authentication Token"})
    user = f"arn:aws:sts::123456789012:assumed-role/{name}/ada"
    told = f"User: {user} is not authorized to perform: execute-api:Invoke on resource: "
    told += f"arn:aws:execute-api:us-east-1:********9012:{api.id}/prod/GET/echo"
    assert refused == (403, {"Message": told}, "AccessDeniedException")
    assert [(status, error) for status, _, error in wrong] == [
        (403, "InvalidSignatureException"), (403, "UnrecognizedClientException"), (403, "InvalidSignatureException"),
    ]  # fmt: skip
    assert (allowed[0], identity["userArn"], identity["accessKey"]) == (200, user, keys["AccessKeyId"])
    assert signed(cloud, path, root)[0] == 200


def api_policy(*statements: dict[str, Any]) -> dict[str, str]:
    """The patch operation that sets an API's policy."""
    whole = [{"Principal": "*", "Action": "execute-api:Invoke", **one} for one in statements]
    document = json.dumps({"Version": "2012-10-17", "Statement": whole})
    return {"op": "replace", "path": "/policy", "value": document}


def test_the_policy_of_an_api_says_who_may_call_it(
    api: Api,
    cloud: dict[str, Any],
    guard: str,
    function_arn: str,  # noqa: F811
):
    """AWS docs: "How API Gateway resource policies affect authorization workflow", its table A; after a deployment."""
    root = {"AccessKeyId": cloud["access_key"], "SecretAccessKey": cloud["secret_key"]}
    api.proxy(api.resource("echo"), "GET", function_arn)
    api.proxy(api.resource("fails"), "GET", function_arn, authorizationType="AWS_IAM")
    guarded(api, guard)

    def answers(*statements: dict[str, Any]) -> list[int]:
        policy = api_policy(*statements)
        api.gateway.update_rest_api(restApiId=api.id, patchOperations=[policy])
        api.deploy()
        return [
            api.call("GET", "/echo")[0],
            api.call("GET", "/visits/1", Authorization="ada")[0],
            api.call("GET", "/visits/1", Authorization="other")[0],
            signed(cloud, f"{api.id}/prod/fails", root)[0],
        ]

    everything = {"Effect": "Allow", "Resource": "execute-api:/*"}
    here = {"IpAddress": {"aws:SourceIp": ["127.0.0.0/8"]}}
    elsewhere = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    assert answers({**everything, "Condition": here}) == [200, 200, 200, 502]
    assert answers({**everything, "Condition": elsewhere}) == [403, 200, 403, 502]
    assert answers({**everything, "Resource": "execute-api:/prod/GET/echo"}) == [200, 200, 403, 502]
    assert answers(everything, {**everything, "Effect": "Deny", "Condition": here}) == [403, 403, 403, 403]
    status, body, headers = api.call("GET", "/echo")
    assert json.loads(body) == {
        "Message": "User: anonymous is not authorized to perform: execute-api:Invoke on resource: "
        f"arn:aws:execute-api:us-east-1:********9012:{api.id}/prod/GET/echo with an explicit deny"
    }
    assert (status, headers["x-amzn-errortype"]) == (403, "AccessDeniedException")


def test_what_is_no_policy_is_refused(api: Api):
    """Neither when an API is made nor later."""
    told = "Invalid policy document. Please check the policy syntax and ensure that Principals are valid."
    for text in ("{", "[]", '{"Statement": [{"Effect": "Allow"}]}'):
        patch = [{"op": "replace", "path": "/policy", "value": text}]
        update = lambda patch=patch: api.gateway.update_rest_api(restApiId=api.id, patchOperations=patch)  # noqa: E731
        create = lambda text=text: api.gateway.create_rest_api(name="x", policy=text)  # noqa: E731
        assert error_of(update) == error_of(create) == ("BadRequestException", told, 400)
