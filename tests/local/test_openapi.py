"""OpenAPI documents are bytes from outside: each becomes an API or an error of AWS's, and soon."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.local.api_call import AwsError
from labkit.local.api_gateway.openapi_definition import read_definition
from labkit.local.api_gateway.openapi_document import Document, read_document
from tests.contract.test_api_gateway_import import swagger

DOCUMENT = swagger("arn:aws:lambda:us-east-1:123456789012:function:any")
DOCUMENT["paths"]["/visits/{id}"]["get"] |= {
    "requestBody": {"content": {"a/b": {"schema": {"type": "string"}}}},
    "responses": {"200": {"headers": {"A": {}}, "schema": {"$ref": "#/definitions/Visit"}}},
    "security": [{"asked": []}, {"api_key": []}],
    "x-amazon-apigateway-auth": {"type": "NONE"},
}
DOCUMENT["servers"] = [{"url": "https://a/{b}", "variables": {"b": {"default": "c"}}}]
DOCUMENT["securityDefinitions"]["asked"] = {
    "in": "header", "name": "Authorization", "type": "apiKey",
    "x-amazon-apigateway-authorizer": {"type": "token", "authorizerUri": "arn", "providerARNs": []},
}  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just({"$ref": "#/info"})
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(inner, (*path, key))
    return found


def read(body: bytes, base_path: str = "prepend") -> dict[str, Any] | None:
    """The API of a document, or ``None`` where AWS would refuse."""
    try:
        document = Document(read_document(body))
        return read_definition(document, document.base_path(base_path))
    except AwsError as error:
        if error.code != "BadRequestException":
            raise
        return None


def spoiled(place: tuple[Any, ...], value: Any) -> bytes:
    """The document with *value* at *place*."""
    document = copy.deepcopy(DOCUMENT)
    holder: Any = document
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize("value", [7, True, "x", [7], {"x": 7}], ids=str)
def test_a_document_with_a_wrong_type_anywhere_is_an_api_or_refused(value: Any):
    """A slip in a document must not look like a bug of the cloud."""
    for place in places(DOCUMENT):
        definition = read(spoiled(place, value))
        assert definition is None or json.dumps(definition)


@settings(max_examples=100, deadline=None)
@given(place=st.sampled_from(places(DOCUMENT)), value=VALUES)
def test_a_document_with_anything_anywhere_is_an_api_or_refused(place: tuple[Any, ...], value: Any):
    """The same with what nobody thinks of."""
    definition = read(spoiled(place, value))

    assert definition is None or json.dumps(definition)


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=60) | st.text(alphabet="swagger: '2.0'{}[]&*!-|>?\n\"", max_size=60).map(str.encode))
def test_any_bytes_are_a_document_or_refused(body: bytes):
    """Neither a parser's exception nor a tag of YAML's gets through."""
    assert read(body) is None


@pytest.mark.parametrize(
    "body",
    [
        b"swagger: '2.0'\nbomb:\n  a0: &a0 [x]\n" + b"".join(
            b"  a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 12)
        ),
        b"swagger: '2.0'\nx: " + b"[" * 1500,
        b'{"swagger": "2.0", "x": ' + b"[" * 100_000,
        b'{"swagger": "2.0", "info": ' + b'{"a":' * 200 + b"1" + b"}" * 201,
        b" " * (6 * 1024 * 1024 + 1),
        b"swagger: !!python/object/apply:os.getpid []",
    ],
    ids=["aliases", "deep yaml", "deep json", "nested", "large", "tag"],
)  # fmt: skip
def test_a_document_that_would_never_end_is_refused_at_once(body: bytes):
    """Aliases that stand for a thousand million values, nesting without an end, tags that call Python."""
    assert read(body) is None


def test_the_document_that_is_spoiled_is_good_before():
    """Else the test above would test nothing."""
    definition = read(json.dumps(DOCUMENT).encode())

    assert definition is not None
    assert [one["authorizationType"] for one in definition["methods"]] == ["NONE", "NONE", "NONE"]
    assert definition["authorizers"]["asked"]["identitySource"] == "method.request.header.Authorization"


def test_references_in_a_circle_are_refused():
    """Only models may refer to one another without an end."""
    circle = {"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}, "paths": {"/x": {"get": {"$ref": "#/a"}}}}

    assert read(json.dumps({**DOCUMENT, **circle}).encode()) is None
