"""API Gateway's execution without a network: routing, mapping, answers, limits."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labkit.local.api_call import ApiCall, AwsError, Caller, Headers, HttpRequest, HttpResponse
from labkit.local.api_gateway.control_plane import ControlPlane
from labkit.local.api_gateway.gateway_error import GatewayError
from labkit.local.api_gateway.method_request import MethodRequest
from labkit.local.api_gateway.proxy_response import read_proxy_response
from labkit.local.api_gateway.resource_paths import route
from labkit.local.api_gateway.routes import ApiGateway
from labkit.local.api_gateway.usage_plans import UsagePlans
from labkit.local.api_gateway.validation import InvalidModelError, compile_model

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"


@dataclass
class Invoked:
    """What the fake function returned."""

    payload: bytes = b'{"statusCode": 200}'
    function_error: str | None = None
    request_id: str = "r"


@dataclass
class World:
    """Everything around an API: moto's state, the function, its policy, the time."""

    api: dict[str, Any]
    stage: dict[str, Any] = field(default_factory=lambda: {"stageName": "prod", "deploymentId": "d1", "variables": {}})
    plans: list[dict[str, Any]] = field(default_factory=list)
    invoked: Invoked = field(default_factory=Invoked)
    events: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    permitted: bool = True
    trusted: bool = True
    refusal: AwsError | None = None
    meanwhile: Callable[[], None] = lambda: None
    now: float = 1_768_472_551.0
    reads: int = 0

    def gateway(self) -> ApiGateway:
        """API Gateway in this world, with the API deployed."""

        async def live(api_id: str) -> dict[str, Any] | None:
            self.reads += 1
            found = {"prod": self.stage}
            return {
                "region": "us-east-1",
                "stages": found,
                "usagePlans": self.plans,
                "disableExecuteApiEndpoint": False,
            }

        async def invoke(function_arn: str, payload: bytes) -> Invoked:
            if self.refusal:
                raise self.refusal
            self.events.append(json.loads(payload))
            self.meanwhile()
            return self.invoked

        def permits(function_arn: str, *, principal: str, source_arn: str) -> bool:
            self.asked.append(source_arn)
            return self.permitted

        async def role_can(role_arn: str, action: str, resource: str) -> bool:
            self.asked.append(f"{role_arn} {action} {resource}")
            return True

        async def trusts(role_arn: str, principal: str) -> bool:
            return self.trusted

        def identify(request: HttpRequest, service: str) -> tuple[Caller, str, str]:
            raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)

        async def send_to_queue(queue_arn: str, body: str, **options: Any) -> str:
            return "m1"

        async def put_log_events(region: str, group: str, stream: str, events: list[tuple[int, str]]) -> None:
            pass

        gateway = ApiGateway(
            live=live, invoke=invoke, permits=permits, role_can=role_can, trusts=trusts,
            identify=identify, caller_can=role_can, send_to_queue=send_to_queue,
            put_log_events=put_log_events, emit=lambda *_, **__: None, now=lambda: self.now,
        )  # fmt: skip
        gateway.deployed("a1", "d1", self.api)
        return gateway


def lambda_method(verb: str = "POST", **method: Any) -> dict[str, Any]:
    integration = {"type": "AWS_PROXY", "httpMethod": "POST", "uri": URI, **method.pop("integration", {})}
    return {"httpMethod": verb, "authorizationType": "NONE", "methodIntegration": integration, **method}


def mock_method(responses: dict[str, Any] | None = None, **integration: Any) -> dict[str, Any]:
    declared = {"statusCode": "200", "responseParameters": {"method.response.header.X-From": True}}
    answers = {"200": {"statusCode": "200"}} if responses is None else responses
    return {
        "httpMethod": "POST",
        "authorizationType": "NONE",
        "methodResponses": {"200": declared, "404": {"statusCode": "404"}},
        "methodIntegration": {"type": "MOCK", "integrationResponses": answers, **integration},
    }


def an_api(*paths: str, method: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    found = method or lambda_method()
    resources = [
        {"id": path, "path": path, "resourceMethods": {found["httpMethod"]: found}} for path in paths or ["/x"]
    ]
    empty: dict[str, Any] = {"binaryMediaTypes": [], "models": {}, "requestValidators": {}, "gatewayResponses": {}}
    return {"resources": resources, **empty, **parts}


def call(
    world: World, verb: str = "POST", path: str = "/x", body: bytes = b"", query: str = "", **headers: str
) -> HttpResponse:
    return send(world.gateway(), verb, path, body, query, **headers)


def send(
    gateway: ApiGateway, verb: str = "POST", path: str = "/x", body: bytes = b"", query: str = "", **headers: str
) -> HttpResponse:
    names = [(name.replace("_", "-"), value) for name, value in headers.items()]
    request = HttpRequest(verb, f"/_aws/execute-api/a1/prod{path}", query, Headers(names), body)
    return asyncio.run(gateway.handle(request, "a1", "prod", path))


def routed(api: dict[str, Any], path: str, verb: str = "POST") -> tuple[str, dict[str, str]] | None:
    request = MethodRequest(
        http=HttpRequest(verb, path, "", Headers([])), api=api, api_id="a1", region="us-east-1",
        stage={"stageName": "prod"}, path=path, received=0.0,
    )  # fmt: skip
    try:
        route(request)
    except GatewayError:
        return None
    return request.resource["path"], request.path_parameters


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/visits", ("/visits", {})),
        ("/visits/", ("/visits", {})),
        ("/visits/17", ("/visits/{id}", {"id": "17"})),
        ("/visits/a%2Fb", ("/visits/{id}", {"id": "a%2Fb"})),
        ("/visits/latest", ("/visits/latest", {})),
        ("/visits/17/lines", ("/{proxy+}", {"proxy": "visits/17/lines"})),
        ("/a//b", ("/{proxy+}", {"proxy": "a//b"})),
        ("/", None),
    ],
)
def test_the_most_specific_resource_answers(path: str, found: tuple[str, dict[str, str]] | None):
    """A word beats a parameter, a parameter beats the greedy one; parameters stay encoded, as on AWS."""
    api = an_api("/{proxy+}", "/visits", "/visits/{id}", "/visits/latest")

    assert routed(api, path) == found


def test_any_answers_every_method_that_has_none_of_its_own():
    """ANY stands for seven methods, and for no invented one."""
    api = an_api("/x", method=lambda_method("ANY"))

    assert [bool(routed(api, "/x", verb)) for verb in ("GET", "HEAD", "OPTIONS", "PATCH", "BREW")] == [True] * 4 + [
        False
    ]


def test_the_function_is_asked_for_by_the_method_and_the_resource():
    """The source ARN is what AddPermission's condition is compared with: the resource's path, not the request's."""
    world = World(an_api("/visits/{id}", method=lambda_method("ANY")))

    call(world, "GET", "/visits/17")

    assert world.asked == ["arn:aws:execute-api:us-east-1:123456789012:a1/prod/GET/visits/{id}"]


@pytest.mark.parametrize(("trusted", "status"), [(True, 200), (False, 500)])
def test_an_integration_with_a_role_asks_the_role_instead(trusted: bool, status: int):
    """credentials= on the integration replaces the function's resource policy."""
    role = "arn:aws:iam::123456789012:role/r"
    world = World(an_api(method=lambda_method(integration={"credentials": role})), permitted=False, trusted=trusted)

    response = call(world)

    assert response.status == status
    assert world.asked == ([f"{role} lambda:InvokeFunction {FUNCTION}"] if trusted else [])


def test_a_stage_variable_chooses_the_function():
    """One deployment serves two stages with two functions."""
    uri = URI.replace(":f/", ":${stageVariables.fn}/")
    stage = {"stageName": "prod", "deploymentId": "d1", "variables": {"fn": "g"}}
    role = "arn:aws:iam::123456789012:role/r"
    world = World(an_api(method=lambda_method(integration={"uri": uri, "credentials": role})), stage=stage)

    call(world)

    assert world.asked == [f"{role} lambda:InvokeFunction {FUNCTION[:-1]}g"]


def test_headers_query_and_body_reach_the_function_unchanged():
    """What API Gateway adds and takes away is all that differs from what the client sent."""
    world = World(an_api())

    call(world, body=b"\xc3\xa4", query="a=1&a=%2B+x&b", Host="127.0.0.1:4566", X_One="1", Connection="close")

    event = world.events[0]
    trace = event["headers"].pop("X-Amzn-Trace-Id")
    assert event["headers"] == {
        "Host": "127.0.0.1:4566",
        "X-One": "1",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Port": "4566",
        "X-Forwarded-Proto": "http",
    }
    assert trace.startswith("Root=1-6968bfe7-")
    assert event["queryStringParameters"] == {"a": "+ x", "b": ""}
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "+ x"], "b": [""]}
    assert (event["body"], event["isBase64Encoded"]) == ("ä", False)
    assert event["requestContext"]["requestTime"] == "15/Jan/2026:10:22:31 +0000"
    assert event["requestContext"]["requestTimeEpoch"] == 1768472551000
    assert sorted(event["requestContext"]["identity"]) == [
        "accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType",
        "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "sourceIp", "user", "userAgent", "userArn",
    ]  # fmt: skip


def test_binary_bodies_go_both_ways_as_base64_where_the_api_says_so():
    """Without a binary media type the base64 text itself is what the client gets."""
    picture = base64.b64encode(b"\x89PNG").decode()
    invoked = Invoked(json.dumps({"body": picture, "isBase64Encoded": True}).encode())
    world = World(an_api(binaryMediaTypes=["image/png"]), invoked=invoked)

    binary = call(world, body=b"\x89PNG", Content_Type="image/png", Accept="image/png")
    text = call(world, body=b"x", Content_Type="text/plain", Accept="text/html")

    assert (world.events[0]["body"], world.events[0]["isBase64Encoded"]) == (picture, True)
    assert (world.events[1]["body"], world.events[1]["isBase64Encoded"]) == ("x", False)
    assert (binary.body, text.body) == (b"\x89PNG", picture.encode())


def test_headers_of_both_maps_are_merged_as_recorded_from_aws():
    """The multi values come first, spelled as in multiValueHeaders."""
    answer = {"headers": {"X-a": "solo", "flag": True}, "multiValueHeaders": {"x-A": ["one", "two"]}}

    response = read_proxy_response(json.dumps(answer).encode(), decode_base64=False)

    assert response.headers == {"x-A": "one", "flag": "true", "Content-Type": "application/json"}
    assert response.more_headers == [("x-A", "two"), ("x-A", "solo")]


def test_a_function_cannot_break_the_http_answer():
    """A wrong Content-Length would garble the connection, a line break in a value would forge headers."""
    renamed = read_proxy_response(b'{"headers": {"Content-Length": "3", "Date": "x"}}', decode_base64=False)

    assert renamed.headers == {
        "x-amzn-Remapped-Content-Length": "3", "x-amzn-Remapped-Date": "x", "Content-Type": "application/json",
    }  # fmt: skip
    for name, value in [("a", "b\r\nSet-Cookie: c=d"), ("a b", "c"), ("", "c")]:
        with pytest.raises(GatewayError) as caught:
            read_proxy_response(json.dumps({"headers": {name: value}}).encode(), decode_base64=False)
        assert caught.value.status == 502


members = st.sampled_from(["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"]) | st.text()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(members, inner),
    max_leaves=12,
)


def status_for(payload: bytes) -> int:
    try:
        return read_proxy_response(payload, decode_base64=True).status
    except GatewayError as error:
        return error.status


@given(json_values)
@example({"statusCode": float("inf")})
@example({"statusCode": True})
@example({"headers": {"a": None}, "multiValueHeaders": {"b": [None, 1, True]}})
def test_whatever_a_function_returns_is_an_answer_or_502(value: Any):
    """No return value may end in a traceback."""
    assert 200 <= status_for(json.dumps(value).encode()) <= 599


STATEMENTS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny", 7]), "Action": st.sampled_from(["*", "execute-api:Invoke", None])},
    optional={"Resource": st.sampled_from(["*", [], "["]), "Condition": st.sampled_from([{}, [], {"StringEquals": 7}])},
)
POLICIES = st.fixed_dictionaries({"Statement": st.lists(STATEMENTS | st.text(), max_size=2) | STATEMENTS | st.none()})


@given(
    st.fixed_dictionaries(
        {"principalId": st.text(max_size=3) | st.integers(), "policyDocument": POLICIES | st.text(max_size=3)},
        optional={"context": json_values, "usageIdentifierKey": json_values},
    )
    | json_values
)
def test_whatever_an_authorizer_returns_lets_in_or_keeps_out(value: Any):
    """A policy that nobody can read opens nothing, and is no bug of the cloud."""
    guarded = lambda_method("POST", authorizationType="CUSTOM", authorizerId="z1")
    guard = {"id": "z1", "type": "REQUEST", "authorizerUri": URI, "identitySource": ""}
    world = World(an_api("/x", method=guarded, authorizers={"z1": guard}), invoked=Invoked(json.dumps(value).encode()))

    assert call(world).status in (200, 403, 500, 502)


@given(st.binary())
def test_whatever_bytes_a_function_returns_are_an_answer_or_502(payload: bytes):
    """Neither may bytes that are no JSON."""
    assert 200 <= status_for(payload) <= 599


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (AwsError("TooManyRequestsException", "Rate Exceeded.", 429), 500),
        (AwsError("ResourceNotFoundException", "Function not found", 404), 500),
    ],
)
def test_a_function_that_cannot_be_invoked_is_500(refusal: AwsError, status: int):
    """The error of Lambda's API is not the client's business."""
    assert call(World(an_api(), refusal=refusal)).status == status


@pytest.mark.parametrize("template", ['{"statusCode": 200}', "{statusCode: 200}", "{'statusCode': 200, }"])
def test_mock_reads_its_status_from_json_and_from_what_looks_like_it(template: str):
    """API Gateway itself takes {statusCode: 200}, which frameworks write."""
    world = World(an_api(method=mock_method(requestTemplates={"application/json": template})))

    assert call(world).status == 200


@pytest.mark.parametrize(
    ("behaviour", "content_type", "status"),
    [
        ("WHEN_NO_MATCH", "text/plain", 200),
        ("WHEN_NO_TEMPLATES", "text/plain", 415),
        ("NEVER", "text/plain", 415),
        ("NEVER", "application/json; charset=utf-8", 200),
    ],
)
def test_passthrough_behaviour_decides_about_a_body_without_a_template(behaviour: str, content_type: str, status: int):
    """NEVER is how an API refuses other content types."""
    method = mock_method(requestTemplates={"application/json": '{"statusCode": 200}'}, passthroughBehavior=behaviour)

    assert call(World(an_api(method=method)), body=b'{"statusCode": 200}', Content_Type=content_type).status == status


def test_mock_answers_by_selection_pattern_with_headers_and_a_body():
    """The status of the template selects the integration response; it fills the method response."""
    responses = {
        "404": {"statusCode": "404", "selectionPattern": "4\\d{2}", "responseTemplates": {"application/json": "gone"}},
        "200": {
            "statusCode": "200",
            "responseParameters": {
                "method.response.header.X-From": "method.request.header.X-Who",
                "method.response.header.X-Undeclared": "'no'",
            },
            "responseTemplates": {"application/json": "$context.stage $input.params('who') $input.body"},
        },
    }
    template = {"application/json": "{\"statusCode\": $input.params('status')}"}
    world = World(an_api(method=mock_method(responses, requestTemplates=template)))

    gone = call(world, query="status=404")
    found = call(world, query="status=200&who=me", body=b"#if $context.stage", X_Who="them")

    assert (gone.status, gone.body) == (404, b"gone")
    assert (found.status, found.body, found.headers["X-From"]) == (200, b"prod me {}", "them")
    assert "X-Undeclared" not in found.headers


@pytest.mark.parametrize(
    "method",
    [
        mock_method(requestTemplates={"application/json": "{}"}),
        mock_method({}, requestTemplates={"application/json": '{"statusCode": 200}'}),
        mock_method(requestTemplates={"application/json": '#set($a = 1){"statusCode": 200}'}),
        {**mock_method(requestTemplates={"application/json": '{"statusCode": 200}'}), "methodResponses": {}},
        {**lambda_method(), "methodIntegration": {"type": "HTTP", "uri": "http://example.com"}},
        {**lambda_method(), "methodIntegration": None},
        lambda_method(integration={"httpMethod": "GET"}),
        {**lambda_method(), "authorizationType": "COGNITO_USER_POOLS"},
    ],
)
def test_what_is_set_up_wrongly_or_not_supported_is_500(method: dict[str, Any]):
    """Never silent success; the execution log has the reason."""
    response = call(World(an_api(method=method)))

    assert (response.status, response.body) == (500, b'{"message":"Internal server error"}')
    assert response.headers["x-amzn-ErrorType"] == "InternalServerErrorException"


def test_a_gateway_response_maps_what_the_request_carries():
    """Parameters come from the request, the context or a constant; a specific type wins over DEFAULT_4XX."""
    own = {
        "statusCode": "418",
        "responseParameters": {
            "gatewayresponse.header.X-Const": "'c'",
            "gatewayresponse.header.X-Origin": "method.request.header.Origin",
            "gatewayresponse.header.X-Query": "method.request.querystring.q",
            "gatewayresponse.header.X-Absent": "method.request.header.Nope",
        },
        "responseTemplates": {"text/plain": "$context.error.responseType at $context.path for $stageVariables.who"},
    }
    stage = {"stageName": "prod", "deploymentId": "d1", "variables": {"who": "us"}}
    answers = {"MISSING_AUTHENTICATION_TOKEN": own, "DEFAULT_4XX": {"statusCode": "400"}}
    world = World(an_api(gatewayResponses=answers), stage=stage)

    response = call(world, path="/nope", query="q=1", Origin="http://o")

    assert (response.status, response.body) == (418, b"MISSING_AUTHENTICATION_TOKEN at /prod/nope for us")
    names = {name: value for name, value in response.headers.items() if name.startswith("X-")}
    assert names == {"X-Const": "c", "X-Origin": "http://o", "X-Query": "1"}


def test_models_are_draft_4_and_may_refer_to_one_another():
    """In draft 4 exclusiveMinimum is a boolean; a reference names a model of the same API."""
    reference = "https://apigateway.amazonaws.com/restapis/a1/models/Price"
    models = {
        "Price": json.dumps({"type": "number", "minimum": 0, "exclusiveMinimum": True}),
        "Visit": json.dumps({"type": "object", "properties": {"price": {"$ref": reference}}}),
    }
    check = compile_model("Visit", models)

    check({"price": 1})
    with pytest.raises(ValueError, match="price"):
        check({"price": 0})


@pytest.mark.parametrize(
    "schema",
    ["{", "[]", '{"type": "nope"}', '{"properties": 1}', '{"$ref": "http://127.0.0.1:9/x"}', '{"pattern": "("}'],
)
def test_a_model_that_cannot_validate_is_refused(schema: str):
    """And nothing is fetched from anywhere to find out."""
    with pytest.raises(InvalidModelError):
        compile_model("M", {"M": schema})


def test_a_body_nested_too_deeply_is_400():
    """A hostile body must not end in a traceback."""
    method = lambda_method(requestValidatorId="v", requestModels={"application/json": "M"})
    validators = {"v": {"validateRequestBody": True}}
    world = World(an_api(method=method, models={"M": '{"type": "object"}'}, requestValidators=validators))

    assert call(world, body=b"[" * 100_000).status == 400


def keyed_world(**plan: Any) -> World:
    key = {"id": "k1", "value": "v" * 20, "enabled": True}
    stages = [{"apiId": "a1", "stage": "prod", **plan.pop("stage", {})}]
    return World(
        an_api(method=lambda_method(apiKeyRequired=True)),
        plans=[{"id": "p1", "apiStages": stages, "keys": [key], **plan}],
    )


def test_the_key_of_a_request_is_in_the_events_identity():
    """So that a function can tell its customers apart."""
    world = keyed_world()

    call(world, X_Api_Key="v" * 20)

    identity = world.events[0]["requestContext"]["identity"]
    assert (identity["apiKey"], identity["apiKeyId"]) == ("v" * 20, "k1")


def test_a_throttle_lets_a_burst_through_and_then_its_rate():
    """A token bucket: two at once, then one every half second."""
    world = keyed_world(throttle={"rateLimit": 2.0, "burstLimit": 2})
    gateway = world.gateway()

    def call_again(after: float) -> int:
        world.now += after
        return send(gateway, X_Api_Key="v" * 20).status

    assert [call_again(after) for after in (0, 0, 0, 0.5, 0.1, 10, 0, 0)] == [200, 200, 429, 200, 429, 200, 200, 429]


def test_a_method_may_have_a_throttle_of_its_own_in_the_plan():
    """apiStages[].throttle names path and method."""
    world = keyed_world(stage={"throttle": {"/x/POST": {"rateLimit": 1.0, "burstLimit": 1}}})
    gateway = world.gateway()

    assert [send(gateway, X_Api_Key="v" * 20).status for _ in range(2)] == [200, 429]


def test_a_quota_is_counted_per_period_and_survives_a_restart():
    """The offset shortens the first period only."""
    world = keyed_world(quota={"limit": 2, "offset": 1, "period": "MONTH"})
    gateway = world.gateway()
    first = [send(gateway, X_Api_Key="v" * 20).status for _ in range(2)]
    restarted = world.gateway()
    restarted.restore(gateway.snapshot())
    still = send(restarted, X_Api_Key="v" * 20).status
    world.now += 31 * 86_400

    assert first + [still] + [send(restarted, X_Api_Key="v" * 20).status for _ in range(3)] == [
        200,
        429,
        429,
        200,
        200,
        429,
    ]


def changed(operation: str, **params: Any) -> ApiCall:
    http = HttpRequest("POST", "/", "", Headers([]))
    return ApiCall("apigateway", operation, params, "us-east-1", Caller("administrator", "arn"), "r", http)


def test_stages_and_plans_are_read_once_until_something_changes():
    """A request costs no call to moto."""
    world = World(an_api())
    gateway = world.gateway()

    for call_of in (None, changed("GetStage"), changed("UpdateStage")):
        if call_of:
            gateway.observe(call_of, None, None)
        send(gateway)
        send(gateway)

    assert world.reads == 2


def test_a_deleted_api_takes_its_deployments_along():
    """An id that AWS would never answer again."""
    gateway = World(an_api()).gateway()

    gateway.observe(changed("DeleteRestApi", restApiId="a1"), None, AwsError("TooManyRequestsException", "", 429))
    refused = send(gateway).status
    gateway.observe(changed("DeleteRestApi", restApiId="a1"), None, None)

    assert (refused, send(gateway).status, gateway.snapshot()["deployments"]) == (200, 403, [])


def test_of_two_callers_one_makes_a_resource():
    """The second is checked when the first is done, however long moto is busy between a check and its call."""
    root = {"id": "root", "parentId": None, "pathPart": "", "path": "/", "resourceMethods": {}}
    setup: dict[str, Any] = {"resources": [root]}

    async def setup_of(api_id: str, region: str) -> dict[str, Any]:
        await asyncio.sleep(0)
        return copy.deepcopy(setup)

    async def forward(made: ApiCall) -> HttpResponse:
        await asyncio.sleep(0)
        setup["resources"].append({**root, "id": "made", "parentId": "root", "pathPart": made.params["pathPart"]})
        return HttpResponse(201, b"{}")

    async def two_callers() -> list[Any]:
        control_plane: Any = ControlPlane(
            reads=SimpleNamespace(setup=setup_of), changes=SimpleNamespace(import_api=None, put_api=None),
            deployed=None, usage=None, test_invoke_method=None, serialise=None, trusts=None, role_can=None, now=None,
        )  # fmt: skip
        asked = changed("CreateResource", restApiId="a1", parentId="root", pathPart="pets")
        correct = control_plane.corrections["CreateResource"]
        return await asyncio.gather(correct(asked, forward), correct(asked, forward), return_exceptions=True)

    made, refused = asyncio.run(two_callers())

    assert (made.status, refused.code) == (201, "ConflictException")


def test_the_offset_of_a_quota_is_gone_in_its_first_period_only():
    """GetUsage tells what the next request will find."""
    today = date(2026, 1, 2)
    plan = {"id": "p", "quota": {"limit": 5, "offset": 2, "period": "DAY"}}
    plans = UsagePlans(now=lambda: 0)

    first = plans.usage(plan, "k", today, today)
    plans.restore([{"plan": "p", "key": "k", "days": {"2026-01-01": 1}}])

    assert [first, plans.usage(plan, "k", date(2026, 1, 1), today)] == [[[0, 3]], [[1, 2], [0, 5]]]


def test_what_a_deleted_key_used_is_not_kept_for_ever():
    """Nobody could ask for it any more."""
    gateway = World(an_api("/x")).gateway()
    used = [{"plan": plan, "key": key, "days": {"2026-01-01": 1}} for plan, key in (("p", "k"), ("p", "l"), ("q", "k"))]
    gateway.usage_plans.restore(used)

    gateway.observe(changed("DeleteApiKey", apiKey="k"), None, None)
    left = gateway.usage_plans.snapshot()
    gateway.observe(changed("DeleteUsagePlan", usagePlanId="p"), None, None)

    assert (left, gateway.usage_plans.snapshot()) == ([used[1]], [])


def test_an_authorizers_answer_to_a_question_of_before_the_flush_is_not_remembered():
    """Else who was shut out meanwhile would come in for an hour."""
    guarded = mock_method(requestTemplates={"application/json": '{"statusCode": 200}'})
    guarded |= {"authorizationType": "CUSTOM", "authorizerId": "z1"}
    guard = {"id": "z1", "type": "TOKEN", "authorizerUri": URI, "identitySource": "method.request.header.Authorization"}
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    answer = {"principalId": "ada", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
    world = World(an_api("/x", method=guarded, authorizers={"z1": guard}), invoked=Invoked(json.dumps(answer).encode()))
    gateway = world.gateway()
    flush = changed("FlushStageAuthorizersCache", restApiId="a1", stageName="prod")
    world.meanwhile = lambda: gateway.observe(flush, None, None) if len(world.events) == 1 else None

    statuses = [send(gateway, Authorization="t").status for _ in range(3)]

    assert (statuses, len(world.events)) == ([200, 200, 200], 2)
