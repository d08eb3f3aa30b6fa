"""HTTP_PROXY integrations: the request goes on to another server, whose answer comes back.

https://docs.aws.amazon.com/apigateway/latest/developerguide/setup-http-integrations.html
"""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from labkit.local.api_call import HttpResponse
from labkit.local.api_gateway.gateway_error import GatewayError, configuration_error, integration_timeout
from labkit.local.api_gateway.headers import HEADER_NAME, REMAPPED, headers_of, returned
from labkit.local.api_gateway.http_client import UnreadableAnswer, exchange
from labkit.local.api_gateway.lambda_integration import milliseconds_of
from labkit.local.api_gateway.mapping_template import substitute, value_of
from labkit.local.api_gateway.method_request import MethodRequest


async def answer_http_proxy(request: MethodRequest, integration: dict[str, Any]) -> HttpResponse:
    """Hand *request* on and return what came back.

    Raises:
        GatewayError: 504 after the integration's timeout or when the server cannot be reached, 500 for a wrong address.
    """
    mapped = _mapped(request, integration)
    address = _address(request, integration, mapped)
    target = address.path or "/"
    if query := _query(request, address.query, mapped):
        target += f"?{urlencode(query)}"
    method = integration.get("httpMethod") or "ANY"
    method = request.http.method if method == "ANY" else method
    request.log.append(f"Sending request to {address.scheme}://{address.netloc}{target}")
    milliseconds = milliseconds_of(integration)
    try:
        async with asyncio.timeout(milliseconds / 1000):
            status, headers, body = await exchange(
                address, method, target, _headers(request, address, mapped), request.http.body
            )
    except TimeoutError:
        raise integration_timeout(f"no answer within {milliseconds} ms") from None
    except (OSError, UnreadableAnswer, ValueError) as error:
        raise GatewayError(
            "INTEGRATION_FAILURE", "Network error communicating with endpoint", "InternalServerErrorException",
            reason=f"Execution failed due to a network error communicating with endpoint: {error}",
        ) from error  # fmt: skip
    return _response(request, status, headers, body)


def _mapped(request: MethodRequest, integration: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Evaluate the integration's request parameters: (place, name) → value, those without a value left out."""
    values = {}
    for name, expression in (integration.get("requestParameters") or {}).items():
        kind, _, parameter = name.removeprefix("integration.request.").partition(".")
        value = value_of(str(expression), request)
        if value is not None:
            values[kind, parameter] = value
    return values


def _address(request: MethodRequest, integration: dict[str, Any], mapped: dict[tuple[str, str], str]) -> SplitResult:
    """Fill stage variables and ``{parameters}`` into the URI."""
    uri = substitute(integration.get("uri") or "", request)
    for (kind, name), value in mapped.items():
        if kind == "path":
            uri = uri.replace(f"{{{name}}}", quote(unquote(value), safe="/"))
    try:
        address = urlsplit(uri)
        usable = address.scheme in ("http", "https") and address.hostname and (address.port or 1)
    except ValueError:
        usable = False
    if not usable or not uri.isascii() or re.search(r"[\s{}]", uri):
        raise configuration_error(f"Invalid endpoint address: {uri}")
    return address


def _query(request: MethodRequest, own: str, mapped: dict[tuple[str, str], str]) -> list[tuple[str, str]]:
    """The URI's parameters, then the client's, then the mapped ones; of one name all, as AWS sends them."""
    added = [(name, value) for (kind, name), value in mapped.items() if kind == "querystring"]
    return [*parse_qsl(own, keep_blank_values=True), *request.query, *added]


def _headers(request: MethodRequest, address: SplitResult, mapped: dict[tuple[str, str], str]) -> list[tuple[str, str]]:
    own = {name: value for (kind, name), value in mapped.items() if kind == "header" and HEADER_NAME.fullmatch(name)}
    replaced = {"host", *(name.lower() for name in own)}
    kept = [(name, value) for name, value in headers_of(request) if name.lower() not in replaced]
    first = [("Host", address.netloc.rpartition("@")[2]), ("x-amzn-apigateway-api-id", request.api_id)]
    body = [("Content-Length", str(len(request.http.body)))] if request.http.body else []
    return [*first, *kept, *own.items(), *body]


def _response(request: MethodRequest, status: int, headers: list[tuple[str, str]], body: bytes) -> HttpResponse:
    kept = [(name, value) for name, value in headers if name.lower() not in ("transfer-encoding", "x-amzn-trace-id")]
    if not any(name.lower() == "content-type" for name, _ in kept):
        kept.append(("Content-Type", "application/json"))
    first, more = returned(kept, REMAPPED | {"x-amzn-requestid"})
    first["X-Amzn-Trace-Id"] = request.trace_id
    return HttpResponse(status, b"" if status in (204, 304) else body, first, more)
