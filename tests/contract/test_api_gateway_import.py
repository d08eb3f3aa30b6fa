"""REST APIs made of OpenAPI documents, as deployment frameworks make them.

What the answers hold was recorded from AWS by LocalStack's tests (``apigateway/test_apigateway_import``, 2025-07); the
rest is AWS's documentation: "Import a REST API into API Gateway", "OpenAPI extensions for API Gateway".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.test_api_gateway import Api, error_of, function_arn  # noqa: F401  a fixture

ORIGIN = "Access-Control-Allow-Origin"


def integration_of(function: str) -> dict[str, Any]:
    """A Lambda proxy integration as frameworks write it."""
    return {
        "type": "aws_proxy", "httpMethod": "POST", "passthroughBehavior": "when_no_match",
        "uri": f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations",
    }  # fmt: skip


def swagger(function: str, **members: Any) -> dict[str, Any]:
    """An API in OpenAPI 2: ``GET /visits/{id}``, ``POST /visits`` with a model and a preflight."""
    preflight = {
        "responses": {"200": {"description": "", "headers": {ORIGIN: {"type": "string"}}}},
        "x-amazon-apigateway-integration": {
            "type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'},
            "responses": {"default": {"statusCode": 200, "responseParameters": {
                f"method.response.header.{ORIGIN}": "'*'"}}},
        },
    }  # fmt: skip
    return {
        "swagger": "2.0",
        "info": {"title": "Visits", "version": "1.0", "description": "Product visits"},
        "basePath": "/shop/v1",
        "x-amazon-apigateway-request-validators": {
            "all": {"validateRequestBody": True, "validateRequestParameters": True}
        },
        "x-amazon-apigateway-gateway-responses": {
            "DEFAULT_4XX": {"responseParameters": {f"gatewayresponse.header.{ORIGIN}": "'*'"}}
        },
        "definitions": {
            "Visit": {"type": "object", "required": ["ProductId"], "properties": {
                "ProductId": {"type": "string"}, "Seen": {"$ref": "#/definitions/Seen"}}},
            "Seen": {"type": "array", "items": {"$ref": "#/definitions/Visit"}},
        },
        "securityDefinitions": {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}},
        "paths": {
            "/visits": {
                "post": {
                    "operationId": "PostVisit",
                    "x-amazon-apigateway-request-validator": "all",
                    "parameters": [
                        {"in": "body", "name": "Visit", "schema": {"$ref": "#/definitions/Visit"}},
                        {"in": "header", "name": "X-Shop", "required": True, "type": "string"},
                    ],
                    "x-amazon-apigateway-integration": integration_of(function),
                },
                "options": preflight,
            },
            "/visits/{id}": {"get": {"x-amazon-apigateway-integration": integration_of(function)}},
        },
        **members,
    }  # fmt: skip


@pytest.fixture
def imported(client: Callable[..., Any], cloud: dict[str, Any]) -> Iterator[Callable[..., Any]]:
    """``imported(document, **parameters)`` imports and returns the API under test."""
    made = []

    def import_document(document: dict[str, Any] | str, **arguments: Any) -> Any:
        body = document if isinstance(document, str) else json.dumps(document)
        answer = client("apigateway").import_rest_api(body=body, **arguments)
        made.append(answer["id"])
        api = Api(client, cloud, answer["name"], answer["id"])
        api.answer = answer
        return api

    yield import_document
    for api_id in made:
        client("apigateway").delete_rest_api(restApiId=api_id)


def paths(api: Any) -> dict[str, list[str]]:
    """Path → methods."""
    resources = api.gateway.get_resources(restApiId=api.id)["items"]
    return {one["path"]: sorted(one.get("resourceMethods", {})) for one in resources}


def method(api: Any, path: str, verb: str) -> dict[str, Any]:
    """A method as GetMethod answers."""
    resources = api.gateway.get_resources(restApiId=api.id)["items"]
    resource = next(one["id"] for one in resources if one["path"] == path)
    answer: dict[str, Any] = api.gateway.get_method(restApiId=api.id, resourceId=resource, httpMethod=verb)
    return {**answer, "resource": resource}


def test_an_imported_api_is_described_and_runs(imported: Callable[..., Any], function_arn: str):  # noqa: F811
    """The document says all: methods, models, validators, gateway responses; a deployment then serves it."""
    api = imported(swagger(function_arn), failOnWarnings=True)

    post, preflight = method(api, "/visits", "POST"), method(api, "/visits", "OPTIONS")
    models = {one["name"]: json.loads(one["schema"]) for one in api.gateway.get_models(restApiId=api.id)["items"]}
    validator = api.gateway.get_request_validators(restApiId=api.id)["items"][0]
    assert (api.answer["name"], api.answer["description"], api.answer["version"]) == ("Visits", "Product visits", "1.0")
    assert "binaryMediaTypes" not in api.answer
    assert paths(api) == {"/": [], "/visits": ["OPTIONS", "POST"], "/visits/{id}": ["GET"]}
    assert post["operationName"] == "PostVisit"
    assert post["requestModels"] == {"application/json": "Visit"}
    assert post["requestParameters"] == {"method.request.header.X-Shop": True}
    assert post["requestValidatorId"] == validator["id"]
    assert method(api, "/visits/{id}", "GET")["requestParameters"] == {"method.request.path.id": True}
    assert preflight["methodResponses"]["200"]["responseParameters"] == {f"method.response.header.{ORIGIN}": False}
    assert post["methodIntegration"] == {
        "type": "AWS_PROXY", "httpMethod": "POST", "uri": integration_of(function_arn)["uri"],
        "passthroughBehavior": "WHEN_NO_MATCH", "timeoutInMillis": 29000, "cacheNamespace": post["resource"],
        "cacheKeyParameters": [],
    }  # fmt: skip
    assert models["Seen"]["items"] == {"$ref": f"https://apigateway.amazonaws.com/restapis/{api.id}/models/Visit"}

    api.deploy()
    good, bad = '{"ProductId": "P1", "Seen": [{"ProductId": "P2"}]}', '{"ProductId": "P1", "Seen": [{}]}'
    assert api.call("OPTIONS", "/visits")[2]["access-control-allow-origin"] == "*"
    assert api.call("GET", "/visits/7", "{}")[0] == 200
    assert api.call("POST", "/visits", bad, X_Shop="1")[:2] == (400, '{"message":"Invalid request body"}')
    status, body, headers = api.call("POST", "/visits", good)
    assert (status, json.loads(body)["message"]) == (400, "Missing required request parameters: [X-Shop]")
    assert headers["access-control-allow-origin"] == "*"
    assert api.call("POST", "/visits", good, X_Shop="1")[0] == 502  # it reached the function, which gave it back


def test_openapi_3_in_yaml_with_a_greedy_path_a_key_and_binary_types(
    imported: Callable[..., Any],
    function_arn: str,  # noqa: F811
):
    """The other version and the other notation."""
    api = imported(
        f"""
openapi: 3.0.1
info: {{title: Everything, version: 1}}
x-amazon-apigateway-binary-media-types: [image/png]
components:
  securitySchemes:
    key: {{type: apiKey, name: x-api-key, in: header}}
  parameters:
    page: {{in: query, name: page}}
  requestBodies:
    any: {{content: {{application/json: {{schema: {{type: object}}}}}}}}
security: [{{key: []}}]
paths:
  /{{proxy+}}:
    parameters: [{{$ref: '#/components/parameters/page'}}]
    x-amazon-apigateway-any-method:
      requestBody: {{$ref: '#/components/requestBodies/any'}}
      responses: {{200: {{description: fine, content: {{application/json: {{schema: {{type: object}}}}}}}}}}
      x-amazon-apigateway-integration:
        type: AWS_PROXY
        httpMethod: POST
        uri: {integration_of(function_arn)["uri"]}
""",
        failOnWarnings=True,
    )

    found = method(api, "/{proxy+}", "ANY")

    assert api.answer["version"] == "1"
    assert api.answer["binaryMediaTypes"] == ["image/png"]
    assert found["apiKeyRequired"] is True
    assert found["requestParameters"] == {
        "method.request.path.proxy": True,
        "method.request.querystring.page": False,
    }
    [name] = found["requestModels"].values()
    assert found["methodResponses"]["200"]["responseModels"] == {"application/json": name}
    api.deploy()
    assert api.call("GET", "/a/b")[:2] == (403, '{"message":"Forbidden"}')


@pytest.mark.parametrize(
    ("mode", "expected"), [("ignore", "/visits"), ("prepend", "/shop/v1/visits"), ("split", "/v1/visits")]
)
def test_the_base_path_is_left_out_put_before_or_split(imported: Callable[..., Any], mode: str, expected: str):
    """AWS docs: "Set the OpenAPI basePath property"; recorded for swagger and for servers of OpenAPI 3."""
    written = swagger("arn:aws:lambda:us-east-1:123456789012:function:any")
    server = {"url": "https://{host}/shop/{version}/", "variables": {"host": {"default": "example.com"}}}
    server["variables"]["version"] = {"default": "v1"}
    for document in (written, {**written, "swagger": None, "openapi": "3.0.1", "servers": [server]}):
        assert expected in paths(imported(document, parameters={"basepath": mode}))


def test_put_merges_or_overwrites(imported: Callable[..., Any], function_arn: str):  # noqa: F811
    """AWS docs: "Import an OpenAPI file to update an existing API definition"; binary types and root as recorded."""
    api = imported(swagger(function_arn, **{"x-amazon-apigateway-binary-media-types": ["image/heif"]}))
    api.gateway.put_gateway_response(restApiId=api.id, responseType="THROTTLED", statusCode="420")
    api.deploy()
    change = {
        "openapi": "3.0.1",
        "info": {"title": "Visits 2", "version": "2"},
        "x-amazon-apigateway-binary-media-types": ["image/png"],
        "paths": {"/visits": {"get": {"x-amazon-apigateway-integration": integration_of(function_arn)}}},
    }
    before = api.answer["rootResourceId"]

    merged = api.gateway.put_rest_api(restApiId=api.id, body=json.dumps(change))
    assert (merged["name"], merged["binaryMediaTypes"]) == ("Visits 2", ["image/heif", "image/png"])
    assert paths(api)["/visits"] == ["GET", "OPTIONS", "POST"]
    assert api.call("GET", "/visits")[0] == 403  # not deployed yet

    over = api.gateway.put_rest_api(restApiId=api.id, mode="overwrite", body=json.dumps(change))
    assert (over["binaryMediaTypes"], over["rootResourceId"]) == (["image/png"], before)
    assert paths(api) == {"/": [], "/visits": ["GET"]}
    assert api.gateway.get_gateway_response(restApiId=api.id, responseType="THROTTLED")["statusCode"] == "429"
    assert api.call("GET", "/visits/7", "{}")[0] == 200  # the stage still serves the deployment of before

    api.deploy()
    assert [api.call("GET", path, "{}")[0] for path in ("/visits", "/visits/7")] == [200, 403]


@pytest.mark.parametrize("body", ["{'key:value}", "a: [", "[]", "{}", "swagger: '1.2'", "a: &a [*a]", "\0"])
def test_what_is_no_document_is_refused_as_recorded(client: Callable[..., Any], body: str):
    """Recorded for broken YAML and JSON, also where the API of PutRestApi does not exist."""
    gateway = client("apigateway")
    expected = ("BadRequestException", "Invalid OpenAPI input.", 400)

    assert error_of(lambda: gateway.import_rest_api(body=body)) == expected
    assert error_of(lambda: gateway.put_rest_api(restApiId="nope", body=body)) == expected


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"info": {}}, "info.title"),
        ({"paths": {"visits": {}}}, "a path begins with /"),
        ({"paths": {"/{a}": {}, "/{b}": {}}}, "only one is allowed"),
        ({"paths": {"/a": {"get": {"parameters": [{"$ref": "#/nope"}]}}}}, "Unable to resolve the reference '#/nope'"),
        ({"definitions": {"A-B": {"type": "object"}}}, "Model name must be alphanumeric: A-B"),
        ({"definitions": {"A": {"type": 7}}}, "Unable to create model for 'A'"),
        ({"x-amazon-apigateway-gateway-responses": {"NOPE": {}}}, "Invalid response type"),
        (
            {"paths": {"/a": {"get": {"x-amazon-apigateway-integration": {"type": "aws_proxy", "uri": "nope"}}}}},
            "Unable to put integration on 'GET' for resource at path '/a'",
        ),
    ],
)
def test_what_cannot_become_an_api_is_named_and_nothing_stays(
    imported: Callable[..., Any], members: dict[str, Any], said: str
):
    """The API is as it was, or is not there."""
    document = swagger("arn:aws:lambda:us-east-1:123456789012:function:any")
    api = imported(document)
    before, apis = paths(api), len(api.gateway.get_rest_apis(limit=500)["items"])
    broken = json.dumps({**document, **members})

    for put in (
        lambda: api.gateway.put_rest_api(restApiId=api.id, mode="overwrite", body=broken),
        lambda: api.gateway.import_rest_api(body=broken),
    ):
        code, message, status = error_of(put)
        assert (code, status) == ("BadRequestException", 400)
        assert said in message
    assert paths(api) == before
    assert len(api.gateway.get_rest_apis(limit=500)["items"]) == apis


def test_warnings_stop_an_import_only_if_asked(imported: Callable[..., Any]):
    """AWS docs: failonwarnings of ImportRestApi, "whether to rollback the API creation"."""
    document = {
        "openapi": "3.0.1",
        "info": {"title": "Odd"},
        "paths": {"/": {"trace": {}, "get": {"parameters": [{"in": "cookie", "name": "c"}]}}},
    }

    api = imported(document)

    assert len(api.answer["warnings"]) == 2
    code, message, _ = error_of(lambda: api.gateway.import_rest_api(body=json.dumps(document), failOnWarnings=True))
    assert (code, message.count("\n\t")) == ("BadRequestException", 2)


def test_put_on_an_api_that_is_not_there(client: Callable[..., Any]):
    """As for every other operation."""
    body = json.dumps(swagger("arn:aws:lambda:us-east-1:123456789012:function:any"))

    code, message, status = error_of(lambda: client("apigateway").put_rest_api(restApiId="nope", body=body))

    assert (code, message, status) == ("NotFoundException", "Invalid API identifier specified 123456789012:nope", 404)
