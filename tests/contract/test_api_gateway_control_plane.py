"""What API Gateway's own operations answer and refuse, as LocalStack's tests recorded it on AWS.

``test_apigateway_api`` and ``test_apigateway_common``, 2023-09 to 2025-09.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.test_api_gateway import Api, error_of
from tests.contract.test_api_gateway import api as api  # noqa: PLC0414  a fixture

BAD, MISSING, INVALID = "BadRequestException", "NotFoundException", "ValidationException"


def body(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what every answer has."""
    return {name: value for name, value in answer.items() if name not in ("ResponseMetadata", "createdDate")}


def test_a_new_api_has_defaults_and_nothing_empty(api: Api):
    """No version, no binary media types; an API without tags shows none when it is made, and empty ones later."""
    made = api.gateway.create_rest_api(name="x")
    found = api.gateway.get_rest_api(restApiId=made["id"])
    api.gateway.delete_rest_api(restApiId=made["id"])

    shown = {
        "id": made["id"], "name": "x", "apiKeySource": "HEADER", "disableExecuteApiEndpoint": False,
        "endpointConfiguration": {"types": ["EDGE"], "ipAddressType": "ipv4"},
        "rootResourceId": made["rootResourceId"],
    }  # fmt: skip
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert body(made) == shown
    assert body(found) == {**shown, "tags": {}}


def test_methods_and_integrations_are_shown_with_their_defaults(api: Api):
    """GetResources names the methods only; ``embed`` shows them."""
    resource = api.resource("pets")
    address = {"restApiId": api.id, "resourceId": resource, "httpMethod": "POST"}
    gateway = api.gateway
    method = gateway.put_method(**address, authorizationType="NONE")
    templates = {"application/json": '{"statusCode": 200}'}
    gateway.put_integration(**address, type="MOCK", requestTemplates=templates)
    gateway.put_method_response(**address, statusCode="200")
    put = gateway.put_integration_response(**address, statusCode="200", selectionPattern="")

    integration = {
        "type": "MOCK", "requestTemplates": templates, "passthroughBehavior": "WHEN_NO_MATCH",
        "timeoutInMillis": 29000, "cacheNamespace": resource, "cacheKeyParameters": [],
        "integrationResponses": {"200": {"statusCode": "200"}},
    }  # fmt: skip
    whole = {
        "httpMethod": "POST", "authorizationType": "NONE", "apiKeyRequired": False,
        "methodResponses": {"200": {"statusCode": "200"}}, "methodIntegration": integration,
    }  # fmt: skip
    found = {"id": resource, "parentId": api.root, "pathPart": "pets", "path": "/pets"}
    embedded = gateway.get_resources(restApiId=api.id, embed=["methods"])["items"]
    assert body(method) == {"httpMethod": "POST", "authorizationType": "NONE", "apiKeyRequired": False}
    assert body(put) == {"statusCode": "200", "selectionPattern": ""}
    assert body(gateway.get_integration(**address)) == integration
    assert body(gateway.get_method(**address)) == whole
    assert gateway.get_resources(restApiId=api.id)["items"] == [
        {"id": api.root, "path": "/"}, {**found, "resourceMethods": {"POST": {}}}
    ]  # fmt: skip
    assert [one for one in embedded if one["id"] == resource] == [{**found, "resourceMethods": {"POST": whole}}]


def test_a_stage_without_a_cache_says_so(api: Api):
    """Neither description nor variables where there are none."""
    api.preflight(api.root)
    deployment = api.deploy()

    assert body(api.gateway.get_stage(restApiId=api.id, stageName="prod")) == {
        "stageName": "prod", "deploymentId": deployment, "cacheClusterEnabled": False, "methodSettings": {},
        "cacheClusterStatus": "NOT_AVAILABLE", "tracingEnabled": False,
    }  # fmt: skip


def test_an_api_is_changed_by_patches(api: Api):
    """Media types stand in paths; a private API has addresses of both kinds."""

    def patched(*operations: tuple[str, str, str | None]) -> dict[str, Any]:
        answer = api.gateway.update_rest_api(
            restApiId=api.id,
            patchOperations=[
                {"op": op, "path": path, **({} if value is None else {"value": value})}
                for op, path, value in operations
            ],
        )
        return body(answer)

    types = "/binaryMediaTypes"
    assert patched(("add", f"{types}/image~1png", None), ("add", f"{types}/image~1jpeg", None))["binaryMediaTypes"] == [
        "image/png",
        "image/jpeg",
    ]
    assert patched(("replace", f"{types}/image~1png", "image/gif"))["binaryMediaTypes"] == ["image/jpeg", "image/gif"]
    assert patched(("replace", "/minimumCompressionSize", "0"))["minimumCompressionSize"] == 0
    assert "minimumCompressionSize" not in patched(("replace", "/minimumCompressionSize", ""))
    assert patched(("replace", "/disableExecuteApiEndpoint", "true"))["disableExecuteApiEndpoint"] is True
    assert patched(("replace", "/disableExecuteApiEndpoint", "false"))["disableExecuteApiEndpoint"] is False
    private = {"types": ["PRIVATE"], "ipAddressType": "dualstack"}
    assert patched(("replace", "/endpointConfiguration/types/0", "PRIVATE"))["endpointConfiguration"] == private


@pytest.mark.parametrize(
    ("operation", "code", "message"),
    [
        (("add", "/binaryMediaTypes", "image/gif"), BAD, "Invalid patch path /binaryMediaTypes"),
        (("add", "/minimumCompressionSize", "1"), BAD, "Invalid patch operation specified. Must be one of: [replace]"),
        (
            ("replace", "/minimumCompressionSize", "-1"), BAD,
            "Invalid minimum compression size, must be between 0 and 10485760",
        ),
        (
            ("replace", "/endpointConfiguration/types/0", "wrong"), BAD,
            "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE",
        ),
        (
            ("replace", "/endpointConfiguration/ipAddressType", "wrong"), BAD,
            "ipAddressType must be either ipv4 or dualstack.",
        ),
    ],
)  # fmt: skip
def test_patches_that_an_api_does_not_take(api: Api, operation: tuple[str, str, str], code: str, message: str):
    """Nothing is taken in silence."""
    patch = dict(zip(("op", "path", "value"), operation, strict=True))

    assert error_of(lambda: api.gateway.update_rest_api(restApiId=api.id, patchOperations=[patch])) == (
        code,
        message,
        400,
    )


def test_what_api_gateway_refuses_in_its_own_words(api: Api):
    """The slips of a first API."""
    gateway = api.gateway
    root = {"restApiId": api.id, "resourceId": api.root, "httpMethod": "GET"}
    lambdas = "arn:aws:apigateway:us-east-1:lambda:path"
    function = "arn:aws:lambda:us-east-1:123456789012:function:f"
    api.preflight(api.resource("x"))
    api.deploy()

    def put_method(*parameters: str) -> Callable[[], Any]:
        given = dict.fromkeys(parameters, True)
        return lambda: gateway.put_method(**root, authorizationType="NONE", requestParameters=given)

    def put_integration(**arguments: Any) -> Callable[[], Any]:
        return lambda: gateway.put_integration(
            **root, **{"type": "AWS_PROXY", "integrationHttpMethod": "POST"} | arguments
        )

    calls: list[tuple[Callable[[], Any], str, str]] = [
        (lambda: gateway.create_rest_api(name="x", description=""), BAD, "Description cannot be an empty string"),
        (
            lambda: gateway.create_rest_api(name="x", endpointConfiguration={"types": ["EDGE", "REGIONAL"]}),
            BAD, "Cannot create an api with multiple Endpoint Types.",
        ),
        (
            lambda: gateway.create_rest_api(name="x", endpointConfiguration={"types": ["wrong"]}),
            INVALID,
            "1 validation error detected: Value '[wrong]' at 'createRestApiInput.endpointConfiguration.types' failed "
            "to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [PRIVATE, "
            "EDGE, REGIONAL]]",
        ),
        (
            put_method("method.request.querystring.optional", "method.request.header.optional"),
            BAD, "Parameter names must be unique across querystring, header and path",
        ),
        (
            put_method("true"),
            BAD,
            "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping "
            "expression specified: true]",
        ),
        (lambda: gateway.create_model(restApiId=api.id, name="", contentType="a/b", schema="{}"), BAD,
         "Model name must be non-empty"),
        (lambda: gateway.create_model(restApiId=api.id, name="M", contentType="a/b", schema=""), BAD,
         "Model schema must have at least 1 property or array items defined"),
        (lambda: gateway.create_model(restApiId=api.id, name="a b", contentType="a/b", schema="{}"), BAD,
         "Model name must be alphanumeric: a b"),
        (lambda: gateway.create_deployment(restApiId=api.id, stageName="a b"), BAD,
         "Stage name only allows a-zA-Z0-9_"),
        (lambda: gateway.get_model(restApiId=api.id, modelName="nope"), MISSING, "Invalid model name specified: nope"),
        (lambda: gateway.delete_model(restApiId=api.id, modelName="no"), MISSING, "Invalid model name specified: no"),
        (lambda: gateway.get_integration(**root | {"restApiId": "nope"}), MISSING,
         "Invalid Resource identifier specified"),
        (lambda: gateway.create_resource(restApiId=api.id, parentId=api.root, pathPart="{a"), BAD,
         "Resource's path part only allow a-zA-Z0-9._- and curly braces at the beginning and the end and an optional "
         "plus sign before the closing brace."),
    ]  # fmt: skip
    for call, code, message in calls:
        assert error_of(call)[:2] == (code, message)

    gateway.put_method(**root, authorizationType="NONE")
    only = "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
    no_arn = (BAD, "Invalid ARN specified in the request")
    assert [error_of(put_integration(type=kind))[:2] for kind in ("AWS_PROXY", "AWS")] == [no_arn] * 2
    assert error_of(put_integration(uri=function))[:2] == (BAD, "AWS ARN for integration must contain path or action")
    assert error_of(put_integration(uri=f"{lambdas}/random/value/{function}/invocations"))[:2] == (BAD, only)
    assert error_of(put_integration(type="HTTPS_PROXY", uri="http://x"))[:2] == (
        INVALID,
        "1 validation error detected: Value 'HTTPS_PROXY' at 'putIntegrationInput.type' failed to satisfy constraint: "
        "Member must satisfy enum value set: [HTTP, MOCK, AWS_PROXY, HTTP_PROXY, AWS]",
    )
    wrong = {"statusCode": "wrong"}
    for put in (
        lambda: gateway.put_integration_response(**root, **wrong),
        lambda: gateway.put_method_response(**root, **wrong),
        lambda: gateway.put_gateway_response(restApiId=api.id, responseType="DEFAULT_4XX", **wrong),
    ):
        assert error_of(put)[:2] == (
            INVALID,
            "1 validation error detected: Value 'wrong' at 'statusCode' failed to satisfy constraint: Member must "
            r"satisfy regular expression pattern: [1-5]\d\d",
        )
    patch = [{"op": "replace", "path": "/tags/tag1", "value": "value1"}]
    code, message, _ = error_of(lambda: gateway.update_stage(restApiId=api.id, stageName="prod", patchOperations=patch))
    assert (code, message[:61]) == (BAD, "Invalid method setting path: /tags/tag1. Must be one of: [/de")
    assert message.endswith(", /variables/{variable_name}, /tracingEnabled]")


def test_updates_that_api_gateway_does_not_take(api: Api):
    """A slip is never labkit's failure, and never taken in silence (sentences: LocalStack's validators and stages)."""
    gateway, where = api.gateway, {"restApiId": api.id}
    address = api.preflight(api.resource("x"))
    api.deploy()
    validator = gateway.create_request_validator(**where, name="v")["id"]
    key = gateway.create_api_key(name="k")["id"]

    def refused(update: Callable[..., Any], op: str, path: str, value: str | None = None, **named: str) -> str:
        patch = {"op": op, "path": path} | ({} if value is None else {"value": value})
        code, message, _ = error_of(lambda: update(**named, patchOperations=[patch]))
        assert code == BAD
        return str(message)

    stage = {**where, "stageName": "prod"}
    unsupported = "Invalid patch path  '{}' specified for op '{}'. Please choose supported operations".format
    unknown = "Invalid patch path  '/nope' specified for op 'replace'. Must be one of: [{}]".format
    rate, timeout = "/*/*/throttling/rateLimit", "/timeoutInMillis"
    try:
        assert [
            refused(gateway.update_stage, "replace", rate, "fast", **stage),
            refused(gateway.update_stage, "replace", "/description", **stage),
            refused(gateway.update_stage, "add", "/variables/a", "1", **stage),
            refused(gateway.update_stage, "remove", rate, **stage),
            refused(gateway.update_stage, "remove", "/~1x/POST", **stage),
            refused(gateway.update_request_validator, "replace", "/nope", "x", **where, requestValidatorId=validator),
            refused(gateway.update_request_validator, "add", "/name", "x", **where, requestValidatorId=validator),
            refused(gateway.update_api_key, "replace", "/nope", "x", apiKey=key),
            refused(gateway.update_integration, "replace", timeout, "long", **address),
            refused(gateway.update_integration, "replace", timeout, "5", **address),
        ] == [
            f"Invalid value 'fast' for {rate}",
            "Invalid patch value  'null' specified for op 'replace'. Must be a string",
            unsupported("/variables/a", "add"),
            unsupported(rate, "remove"),
            "Cannot remove method setting ~1x/POST because there is no method setting for this method",
            unknown("/name, /validateRequestParameters, /validateRequestBody"),
            unsupported("/name", "add"),
            unknown("/customerId, /description, /enabled, /name"),
            *["Timeout should be between 50 ms and 29000 ms"] * 2,
        ]
    finally:
        gateway.delete_api_key(apiKey=key)


def test_the_settings_of_a_method_come_off_a_stage(api: Api):
    """Those of all methods count again."""
    api.preflight(api.resource("x"))
    api.deploy()

    def patched(op: str, path: str, **value: str) -> dict[str, Any]:
        patch = {"op": op, "path": path, **value}
        stage = api.gateway.update_stage(restApiId=api.id, stageName="prod", patchOperations=[patch])
        return dict(stage["methodSettings"])

    patched("replace", "/variables/GET", value="a-variable-may-have-any-name")
    assert patched("remove", "/variables/GET") == {}
    set_for_both = [patched("replace", f"/{name}/throttling/burstLimit", value="7") for name in ("~1x/OPTIONS", "*/*")]

    assert sorted(set_for_both[-1]) == ["*/*", "~1x/OPTIONS"]
    assert list(patched("remove", "/~1x/OPTIONS")) == ["*/*"]
    assert list(api.gateway.get_stage(restApiId=api.id, stageName="prod")["methodSettings"]) == ["*/*"]


@pytest.mark.parametrize("operation", ["get", "delete"])
@pytest.mark.parametrize("kind", ["method_response", "integration_response"])
def test_a_response_that_is_not_there_is_not_found(api: Api, operation: str, kind: str):
    """Nor where the method has none at all."""
    address = {"restApiId": api.id, "resourceId": api.root, "httpMethod": "GET"}
    api.gateway.put_method(**address, authorizationType="NONE")
    api.gateway.put_integration(**address, type="MOCK")
    call = getattr(api.gateway, f"{operation}_{kind}")

    assert error_of(lambda: call(**address, statusCode="200")) == (
        MISSING,
        "Invalid Response status code specified",
        404,
    )


def test_what_the_local_cloud_cannot_do_it_does_not_promise(api: Api):
    """An API that only looks cloned, or linked to a network, would mislead."""
    address = {"restApiId": api.id, "resourceId": api.root, "httpMethod": "GET"}
    api.gateway.put_method(**address, authorizationType="NONE")
    linked = {"type": "HTTP_PROXY", "integrationHttpMethod": "GET", "uri": "http://x", "connectionType": "VPC_LINK"}

    refused = [
        error_of(lambda: api.gateway.create_rest_api(name="x", cloneFrom=api.id)),
        error_of(lambda: api.gateway.put_integration(**address, **linked, connectionId="x")),
    ]

    assert [(code, status) for code, _, status in refused] == [("NotImplemented", 501)] * 2


def test_a_patch_of_a_stage_that_fails_changes_nothing(api: Api):
    """Also where only its last operation cannot be."""
    api.preflight(api.root)
    api.deploy()
    stage = {"restApiId": api.id, "stageName": "prod"}
    patch = [
        {"op": "replace", "path": "/description", "value": "changed"}, {"op": "remove", "path": "/~1x/POST"},
    ]  # fmt: skip

    assert error_of(lambda: api.gateway.update_stage(**stage, patchOperations=patch))[0] == BAD
    assert "description" not in api.gateway.get_stage(**stage)


def test_stages_are_listed_by_the_deployment_that_they_serve(api: Api):
    """All of them where nobody asks for one (``test_get_stages_filters_by_deployment_id``)."""
    api.preflight(api.root)
    deployed = {stage: api.deploy(stage) for stage in ("one", "two")}

    def stages(**query: str) -> list[str]:
        return [stage["stageName"] for stage in api.gateway.get_stages(restApiId=api.id, **query)["item"]]

    assert stages() == ["one", "two"]
    assert [stages(deploymentId=deployment) for deployment in deployed.values()] == [["one"], ["two"]]


def test_an_integration_is_not_changed_to_what_no_request_could_use(api: Api):
    """The same as where it is put."""
    address = {"restApiId": api.id, "resourceId": api.root, "httpMethod": "GET"}
    service = "arn:aws:apigateway:us-east-1:{}"
    api.gateway.put_method(**address, authorizationType="NONE")
    uri = service.format(
        "lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f/invocations"
    )

    def patched(kind: str, value: str) -> tuple[str, str, int]:
        api.gateway.put_integration(**address, type=kind, integrationHttpMethod="POST", uri=uri)
        patch = [{"op": "replace", "path": "/uri", "value": value}]
        return error_of(lambda: api.gateway.update_integration(**address, patchOperations=patch))

    assert patched("AWS", service.format("dynamodb:action/PutItem"))[::2] == ("NotImplemented", 501)
    assert patched("AWS_PROXY", service.format("lambda:path/random/invocations"))[1] == (
        "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."
    )
    assert patched("AWS_PROXY", "")[1] == "Invalid ARN specified in the request"
    assert api.gateway.get_integration(**address)["uri"] == uri


def test_what_an_authorizer_has_is_replaced_and_not_removed(api: Api):
    """It is no bug of labkit (the sentence: LocalStack's validators)."""
    uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/f/invocations"
    authorizer = api.gateway.create_authorizer(
        restApiId=api.id, name="a", type="TOKEN", authorizerUri=uri,
        identitySource="method.request.header.Authorization",
    )  # fmt: skip
    named = {"restApiId": api.id, "authorizerId": authorizer["id"]}
    path = "/identityValidationExpression"
    patch = [{"op": "remove", "path": path}]

    assert error_of(lambda: api.gateway.update_authorizer(**named, patchOperations=patch)) == (
        BAD, f"Invalid patch path  '{path}' specified for op 'remove'. Please choose supported operations", 400,
    )  # fmt: skip


def test_what_carries_no_tags_is_not_taken_for_the_api(api: Api):
    """An ARN below an API names its stages, and nothing else that has tags."""
    arn = f"arn:aws:apigateway:us-east-1::/restapis/{api.id}"

    assert error_of(lambda: api.gateway.tag_resource(resourceArn=f"{arn}/resources", tags={"a": "b"}))[0] == BAD
    assert api.gateway.get_tags(resourceArn=arn)["tags"] == {}


def test_a_throttle_of_minus_1_is_none(api: Api):
    """It is how Terraform's ``aws_api_gateway_method_settings`` switches a throttle off."""
    api.preflight(api.root)
    api.deploy()
    limits = {"rateLimit": "0", "burstLimit": "0"}

    def called(**limits: str) -> int:
        patch = [{"op": "replace", "path": f"/*/*/throttling/{name}", "value": value} for name, value in limits.items()]
        api.gateway.update_stage(restApiId=api.id, stageName="prod", patchOperations=patch)
        return api.call("OPTIONS", "/")[0]

    assert [called(**limits), called(**{**limits, "rateLimit": "-1"}), called(**limits)] == [429, 200, 429]
