"""What comes from outside into a deployed API: requests of any form, templates of any text. Each gets an answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.local.api_call import Headers, HttpRequest, HttpResponse
from tests.local.test_api_gateway import World, an_api, lambda_method, mock_method

LATIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=20)
URL = st.text(alphabet="/%?&=+;{}.~ab2Fé\\\"' ", max_size=20)
NAMES = st.sampled_from(
    ["Accept", "Content-Type", "Host", "X-Amzn-Trace-Id", "X-Api-Key", "X-Forwarded-For", "Connection", "x", "X"]
)
HEADERS = st.lists(
    st.tuples(NAMES, LATIN | st.sampled_from(["image/png", "application/json", "*/*", ";,;"])), max_size=4
)
PIECES = st.sampled_from(
    ["$context.requestId", "$context.path", "${stageVariables.a}", "$input.params('q')", "$input.body", "$context",
     "$input", "{", "}",
     '"', "$", "#set($a=1)", "$util.base64Encode(1)", "$context.identity.sourceIp.x", "é", "\n",
     '{"statusCode": 200}']
)  # fmt: skip
TEMPLATES = st.lists(PIECES, max_size=5).map("".join)
MAPPINGS = st.sampled_from(["method.request.querystring.q", "context.path", "'fixed'", "'a\nb'", "nonsense", "'"])
VERBS = st.sampled_from(["GET", "POST", "OPTIONS", "HEAD", "TRACE", "é"])


def ask(world: World, request: HttpRequest) -> HttpResponse:
    answer = asyncio.run(world.gateway().handle(request, "a1", "prod", request.path))
    assert 200 <= answer.status <= 599
    assert all("\n" not in value and "\r" not in value for value in answer.headers.values())
    return answer


@settings(max_examples=60, deadline=None)
@given(verb=VERBS, path=URL, query=URL, headers=HEADERS, body=st.binary(max_size=20))
def test_whatever_request_comes_becomes_an_event_or_an_error(
    verb: str, path: str, query: str, headers: list[tuple[str, str]], body: bytes
):
    """The event is JSON that a function can read; an error says what every client understands."""
    model = {"M": '{"type": "object", "properties": {"a": {"type": "integer"}}}'}
    method = lambda_method(
        "ANY", requestModels={"application/json": "M"}, requestValidatorId="v",
        requestParameters={"method.request.querystring.q": False, "method.request.header.x": False},
    )  # fmt: skip
    validators = {"v": {"validateRequestBody": True, "validateRequestParameters": True}}
    api = an_api(
        "/{proxy+}", "/", method=method, models=model, requestValidators=validators, binaryMediaTypes=["image/*"]
    )
    world = World(api)

    answer = ask(world, HttpRequest(verb, f"/{path}", query, Headers(headers), body))

    if answer.status != 200:
        assert "message" in json.loads(answer.body)
    for event in world.events:
        assert event["isBase64Encoded"] in (True, False)


@settings(max_examples=60, deadline=None)
@given(request=TEMPLATES, response=TEMPLATES, header=MAPPINGS, query=URL | st.just("q=a%0D%0AX-Evil:%201"))
def test_whatever_a_template_says_is_an_answer_or_an_error(request: str, response: str, header: str, query: str):
    """A program in a template is refused in the execution log, and the client gets 500; no header ends too early."""
    answers: dict[str, Any] = {
        "200": {
            "statusCode": "200",
            "responseTemplates": {"application/json": response},
            "responseParameters": {"method.response.header.X-From": header},
        }
    }
    method = mock_method(answers, requestTemplates={"application/json": request})
    parameters = {"gatewayresponse.header.X-Said": header}
    own = {"statusCode": "500", "responseTemplates": {"text/html": response}, "responseParameters": parameters}
    api = an_api("/x", method=method, gatewayResponses={"DEFAULT_5XX": own, "DEFAULT_4XX": {"responseTemplates": {}}})

    ask(World(api), HttpRequest("POST", "/x", query, Headers([])))
