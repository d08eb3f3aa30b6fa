"""TestInvokeMethod, as LocalStack's tests recorded it on AWS (``test_invoke_test_method``, 2025-09)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.test_api_gateway import Api, error_of
from tests.contract.test_api_gateway import api as api  # noqa: PLC0414  fixtures
from tests.contract.test_api_gateway import function_arn as function_arn  # noqa: PLC0414


def lines(log: str) -> list[str]:
    """The lines of an execution log without their dates and ids."""
    first, *rest = log.split("\n")
    assert first.startswith("Execution log for request ")
    request_id = first.rpartition(" ")[2]
    return [line.partition(" : ")[2].replace(request_id, "ID") for line in rest]


@pytest.fixture
def pets(api: Api) -> dict[str, str]:
    """GET /pets/{petId}, answered by MOCK with its own parameter; not deployed."""
    resource = api.resource("{petId}", api.resource("pets"))
    address = {"restApiId": api.id, "resourceId": resource, "httpMethod": "GET"}
    api.gateway.put_method(**address, authorizationType="NONE", apiKeyRequired=True)
    api.gateway.put_integration(**address, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    api.gateway.put_method_response(**address, statusCode="200")
    template = json.dumps({"petId": "$input.params('petId')"})
    api.gateway.put_integration_response(**address, statusCode="200", responseTemplates={"application/json": template})
    return address


@pytest.mark.parametrize(
    ("path", "pet", "shown"),
    [
        ("/pets/123?foo=bar", "123", ("/pets/123", "{petId=123}", "{foo=bar}")),
        (None, "{petId}", ("/pets/{petId}", "{petId={petId}}", "{}")),
        ("/random/test", "", ("/random/test", "{}", "{}")),
    ],
)
def test_a_method_is_tried_out_before_it_is_deployed(
    api: Api, pets: dict[str, str], path: str | None, pet: str, shown: tuple[str, str, str]
):
    """No stage, no key: the answer and the log of what happened."""
    answer = api.gateway.test_invoke_method(**pets, **({"pathWithQueryString": path} if path else {}))

    body = json.dumps({"petId": pet})
    assert (answer["status"], answer["body"], answer["headers"]) == (200, body, {"Content-Type": "application/json"})
    assert answer["multiValueHeaders"] == {"Content-Type": ["application/json"]}
    assert lines(answer["log"]) == [
        "Starting execution for request: ID",
        f"HTTP Method: GET, Resource Path: {shown[0]}",
        f"Method request path: {shown[1]}",
        f"Method request query string: {shown[2]}",
        "Method request headers: {}",
        "Method request body before transformations: ",
        f"Method response body after transformations: {body}",
        "Method response headers: {Content-Type=application/json}",
        "Successfully completed execution",
        "Method completed with status: 200",
        "",
    ]


def test_a_failure_is_answered_and_the_log_says_why(api: Api):
    """The call itself succeeds: what failed is the method."""
    address = api.proxy(api.root, "GET", "arn:aws:lambda:us-east-1:123456789012:function:nobody")

    answer = api.gateway.test_invoke_method(**address)

    assert (answer["status"], json.loads(answer["body"])) == (500, {"message": "Internal server error"})
    assert answer["headers"] == {"x-amzn-ErrorType": "InternalServerErrorException"}
    assert [line for line in lines(answer["log"]) if line.startswith("Execution failed due to configuration error")]
    assert lines(answer["log"])[-2:] == ["Method completed with status: 500", ""]


def test_a_function_sees_the_test_stage(api: Api, function_arn: str):
    """Headers, body and stage variables are those of the call."""
    address = api.proxy(api.resource("echo"), "POST", function_arn)

    answer = api.gateway.test_invoke_method(
        **address, headers={"X-Who": "ada"}, body='{"a": 1}', stageVariables={"colour": "red"}
    )
    event: dict[str, Any] = json.loads(answer["body"])

    assert (event["headers"]["X-Who"], event["body"], event["stageVariables"]) == ("ada", '{"a": 1}', {"colour": "red"})
    assert (event["requestContext"]["stage"], event["requestContext"]["path"]) == (
        "test-invoke-stage",
        "/test-invoke-stage/echo",
    )


def test_what_is_not_there_cannot_be_tried_out(api: Api, pets: dict[str, str]):
    """The words as recorded; also for an API that does not exist."""

    def refused(**arguments: str) -> tuple[str, str, int]:
        return error_of(lambda: api.gateway.test_invoke_method(**{**pets, **arguments}))

    resource = ("NotFoundException", "Invalid Resource identifier specified", 404)
    assert refused(httpMethod="PUT") == ("NotFoundException", "Invalid Method identifier specified", 404)
    assert refused(resourceId="nope") == resource
    assert refused(restApiId="nope") == resource
