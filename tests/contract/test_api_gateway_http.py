"""HTTP_PROXY integrations: what the other server gets and what comes back.

Recorded on AWS by LocalStack's tests (``test_apigateway_http``, 2024-07); failures: AWS docs, "Gateway response types".
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.contract.test_api_gateway import Api, error_of
from tests.contract.test_api_gateway import api as api  # noqa: PLC0414  a fixture


class Echo(BaseHTTPRequestHandler):
    """Answers with what it got; the last part of the path is the status, ``/silence`` gets no answer in time."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Answer."""
        parts = urlsplit(self.path)
        if parts.path == "/silence":
            self.server.gate.wait(5)  # type: ignore[attr-defined]
        if parts.path == "/nonsense":
            self.wfile.write(b"hello\r\n\r\n")
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length") or 0)
        got = {
            "method": self.command, "path": parts.path, "query": parse_qs(parts.query, keep_blank_values=True),
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
        }  # fmt: skip
        body = json.dumps(got).encode()
        last = parts.path.rpartition("/")[2]
        self.send_response(int(last) if last.isdecimal() else 200)
        if parts.path == "/lower":
            self.send_header("content-type", "text/plain")
            self.send_header("x-amzn-trace-id", "the server's own")
        else:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_GET = do_POST = do_PUT = do_HEAD = answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server that echoes."""
    echo = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    echo.daemon_threads = True
    echo.gate = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{echo.server_address[1]}"
    echo.gate.set()  # type: ignore[attr-defined]
    echo.shutdown()
    echo.server_close()


@pytest.fixture
def http_proxy(api: Api) -> Callable[..., None]:
    """``http_proxy("/{proxy+}", uri, …)`` puts ANY with an HTTP_PROXY integration there."""

    def put(part: str, uri: str, verb: str = "ANY", **integration: Any) -> None:
        address = {"restApiId": api.id, "resourceId": api.resource(part), "httpMethod": verb}
        api.gateway.put_method(**address, authorizationType="NONE")
        api.gateway.put_integration(
            **address, **{"type": "HTTP_PROXY", "integrationHttpMethod": verb, "uri": uri, **integration}
        )

    return put


def test_the_request_goes_on_and_the_answer_comes_back(api: Api, http_proxy: Callable[..., None], server: str):
    """Method of the integration, the client's headers and body; of the answer some headers are renamed."""
    http_proxy("{path}", server + "/{p}", integrationHttpMethod="POST",
               requestParameters={"integration.request.path.p": "method.request.path.path"})  # fmt: skip
    api.deploy()

    status, body, headers = api.call("PUT", "/201", '{"a": 1}', X_Who="ada", User_Agent="me", Content_Type="text/x")
    got = json.loads(body)

    assert (status, got["method"], got["path"], got["body"]) == (201, "POST", "/201", '{"a": 1}')
    wanted = {
        "x-who": "ada", "user-agent": "me", "content-type": "text/x", "host": server[7:],
        "x-amzn-apigateway-api-id": api.id, "content-length": "8", "x-forwarded-for": "127.0.0.1",
    }  # fmt: skip
    assert {name: got["headers"][name] for name in wanted} == wanted
    assert {"x-amzn-trace-id", "x-forwarded-port", "x-forwarded-proto"} <= got["headers"].keys()
    assert {"x-amzn-remapped-content-length", "x-amzn-remapped-date", "x-amzn-requestid"} <= headers.keys()
    assert headers["content-type"] == "application/json"


def test_a_header_in_lower_case_is_the_same_header(api: Api, http_proxy: Callable[..., None], server: str):
    """Many servers write them so; a browser that gets two content types believes the last one."""
    http_proxy("x", server + "/lower")
    named = "method.response.header.content-type"
    mocked = api.preflight(api.root)
    api.gateway.put_method_response(**mocked, statusCode="201", responseParameters={named: True})
    api.gateway.delete_integration_response(**mocked, statusCode="200")
    api.gateway.put_integration_response(**mocked, statusCode="201", responseParameters={named: "'text/css'"})
    api.deploy()

    headers = [api.call("GET", "/x")[2], api.call("OPTIONS", "/")[2]]

    assert [(one["content-type"], "own" in one.get("x-amzn-trace-id", "")) for one in headers] == [
        ("text/plain", False), ("text/css", False),
    ]  # fmt: skip


def test_parameters_are_mapped_as_recorded(api: Api, http_proxy: Callable[..., None], server: str):
    """Of one name the URI's value comes first, then the client's, then the mapped one; a mapped header replaces."""
    http_proxy(
        "{pathVariable}", server + "/${stageVariables.where}?testVar={pathVar}&testQs={qsVar}", "POST",
        requestParameters={
            "integration.request.header.headerVar": "method.request.header.foobar",
            "integration.request.path.qsVar": "method.request.querystring.testVar",
            "integration.request.path.pathVar": "method.request.path.pathVariable",
            "integration.request.querystring.queryString": "method.request.querystring.testQueryString",
            "integration.request.querystring.testQs": "method.request.querystring.testQueryString",
            "integration.request.querystring.testEmptyQs": "method.request.header.emptyheader",
        },
    )  # fmt: skip
    api.deploy()
    variable = {"op": "replace", "path": "/variables/where", "value": "here"}
    api.gateway.update_stage(restApiId=api.id, stageName="prod", patchOperations=[variable])

    _, body, _ = api.call(
        "POST", "/foobar?testQueryString=foo&testVar=bar", foobar="mapped-value", headerVar="request-value"
    )
    got = json.loads(body)

    assert got["path"] == "/here"
    assert got["query"] == {
        "testVar": ["foobar", "bar"], "testQs": ["bar", "foo"], "testQueryString": ["foo"], "queryString": ["foo"],
    }  # fmt: skip
    assert (got["headers"]["headervar"], got["headers"]["foobar"]) == ("mapped-value", "mapped-value")


def test_a_greedy_path_goes_on_with_status_and_head(api: Api, http_proxy: Callable[..., None], server: str):
    """Whatever status the other server answers with."""
    http_proxy("{proxy+}", server + "/{proxy}",
               requestParameters={"integration.request.path.proxy": "method.request.path.proxy"})  # fmt: skip
    api.deploy()

    assert [api.call("GET", path)[0] for path in ("/a/b/404", "/a/500", "/a%20b/204")] == [404, 500, 204]
    assert json.loads(api.call("GET", "/a%20b/c")[1])["path"] == "/a%20b/c"


@pytest.mark.parametrize(
    ("uri", "answered"),
    [
        ("SERVER/silence", (504, {"message": "Endpoint request timed out"})),
        ("SERVER/nonsense", (504, {"message": "Network error communicating with endpoint"})),
        ("http://127.0.0.1:CLOSED/", (504, {"message": "Network error communicating with endpoint"})),
        ("http://${stageVariables.nowhere}/", (500, {"message": "Internal server error"})),
    ],
)
def test_a_server_that_cannot_answer_is_5xx(
    api: Api, http_proxy: Callable[..., None], server: str, uri: str, answered: tuple[int, Any]
):
    """The gateway responses INTEGRATION_TIMEOUT and INTEGRATION_FAILURE; a wrong address as recorded."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        uri = uri.replace("SERVER", server).replace("CLOSED", str(closed.getsockname()[1]))
        http_proxy("x", uri, "GET", timeoutInMillis=100)
        api.deploy()

        answer = api.call("GET", "/x")

    assert (answer[0], json.loads(answer[1])) == answered


def test_integrations_that_nothing_would_run_are_refused(api: Api):
    """Rather than let every request fail."""
    resource = {"restApiId": api.id, "resourceId": api.root, "httpMethod": "GET"}
    api.gateway.put_method(**resource, authorizationType="NONE")

    role = "arn:aws:iam::123456789012:role/r"
    for kind, uri in (("HTTP", "http://example.com"), ("AWS", "arn:aws:apigateway:us-east-1:dynamodb:action/PutItem")):
        code, message, status = error_of(
            lambda kind=kind, uri=uri: api.gateway.put_integration(
                **resource,
                type=kind,
                integrationHttpMethod="GET",
                uri=uri,
                credentials=role,
            )
        )
        assert (code, status, uri in message) == ("NotImplemented", 501, True)
