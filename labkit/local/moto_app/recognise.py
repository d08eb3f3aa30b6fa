"""Which operation of which service a request is, and with which parameters, by botocore's service models."""

from __future__ import annotations

import functools
import json
from typing import Any
from urllib.parse import parse_qsl, unquote

import moto.core.utils as moto_utils
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol, normalize_request
from moto.core.routing import get_service_router
from werkzeug.exceptions import NotFound

from labkit.local.api_call import ApiCall, AwsError, Caller, HttpRequest, malformed_xml
from labkit.local.moto_app.json_types import check_types
from labkit.local.moto_app.sqs_query import as_form

CHECKED = {"sqs", "events", "cloudtrail"}  # JSON services of ours: their features trust the types of the model
OBJECT_CALLS = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
LISTING = {
    "prefix": "Prefix", "delimiter": "Delimiter", "max-keys": "MaxKeys", "encoding-type": "EncodingType",
    "continuation-token": "ContinuationToken", "start-after": "StartAfter",
}  # fmt: skip


def recognise(http: HttpRequest, service: str, *, region: str, caller: Caller, request_id: str) -> ApiCall:
    """Find out which operation of *service* a request is, and with which parameters.

    Raises:
        AwsError: ``UnknownOperationException`` when the service has no such operation, ``SerializationException``
            when the body cannot be read.
    """
    if target := http.headers.get("x-amz-target"):
        operation_name, params = _json_call(http, service, target)
        return ApiCall(service, operation_name, params, region, caller, request_id, http, "json")
    if service == "s3" and (plain := _plain_object_call(http)):
        operation_name, params = plain
        return ApiCall(service, operation_name, params, region, caller, request_id, http, "rest-xml")
    if service == "sqs":
        http = as_form(http, moto_utils.get_service_model(service).operation_names)
    request = http.moto_request = moto_request(http, f"https://{service}.{region}.amazonaws.com")
    try:
        operation, labels = get_service_router(service).match(request)
    except (NotFound, NotImplementedError) as error:
        raise AwsError(
            "UnknownOperationException", f"No operation of {service} answers {http.method} {http.path}.", 404
        ) from error
    model = moto_utils.get_service_model(service)
    protocol = determine_request_protocol(model, http.headers.get("content-type"))
    try:
        params = PROTOCOL_PARSERS[protocol](operation).parse(
            {
                "method": http.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data if protocol != "query" else b"",
                "url_path": request.path,
                "url_params": labels,
            }
        )
    except Exception as error:  # the parsers raise whatever they trip over
        raise _unreadable(service, operation.name, error) from error
    return ApiCall(service, operation.name, params, region, caller, request_id, http, protocol)


def _plain_object_call(http: HttpRequest) -> tuple[str, dict[str, Any]] | None:
    """Recognise the commonest calls of S3, an object by its path or a listing, without the general router.

    Their parameters are those that are in the path and the query; who needs a header reads it from the request.
    """
    bucket, _, key = http.path[1:].partition("/")
    if http.host not in ("127.0.0.1", "localhost") or not bucket:
        return None
    if key:
        if http.query or "x-amz-copy-source" in http.headers or http.method not in OBJECT_CALLS:
            return None
        return OBJECT_CALLS[http.method], {"Bucket": unquote(bucket), "Key": unquote(key)}
    if http.method != "GET" or "list-type=2" not in http.query:
        return None
    query = dict(parse_qsl(http.query, keep_blank_values=True))
    if query.pop("list-type", "") != "2" or not query.keys() <= LISTING.keys():
        return None
    if not query.get("max-keys", "0").isdecimal():
        return None
    params: dict[str, Any] = {LISTING[name]: value for name, value in query.items()}
    return "ListObjectsV2", {"Bucket": unquote(bucket), **params}


def _json_call(http: HttpRequest, service: str, target: str) -> tuple[str, dict[str, Any]]:
    model = moto_utils.get_service_model(service)
    operation_name = target.rpartition(".")[2]
    if operation_name not in model.operation_names:
        raise AwsError("UnknownOperationException", f"{service} has no operation {operation_name!r}.", 400)
    try:
        params = json.loads(http.body or b"{}")
        if not isinstance(params, dict):
            raise ValueError("the body is no JSON object")
        if service in CHECKED and (shape := model.operation_model(operation_name).input_shape):
            check_types(shape, params, "the body")
        if _has_blob_or_timestamp(service, operation_name):
            request: Any = {"body": http.body}  # the parser of JSON reads nothing else
            params = PROTOCOL_PARSERS["json"](model.operation_model(operation_name)).parse(request)
    except Exception as error:  # json and the parser raise whatever they trip over
        raise _unreadable(service, operation_name, error) from error
    return operation_name, params


def _unreadable(service: str, operation: str, error: Exception) -> AwsError:
    if service == "s3":
        return malformed_xml()
    return AwsError("SerializationException", f"The request to {service}:{operation} cannot be read: {error}", 400)


@functools.cache
def _has_blob_or_timestamp(service: str, operation_name: str) -> bool:
    """Whether an operation's input holds a type that JSON does not have, so that it must be converted."""
    if service == "dynamodb":  # only moto reads its parameters, and from the body
        return False
    seen: set[str] = set()

    def visit(shape: Any) -> bool:
        if shape is None or shape.name in seen:
            return False
        seen.add(shape.name)
        if shape.type_name in ("blob", "timestamp"):
            return True
        if shape.type_name == "structure":
            return any(visit(member) for member in shape.members.values())
        if shape.type_name == "list":
            return visit(shape.member)
        return shape.type_name == "map" and visit(shape.value)

    return visit(moto_utils.get_service_model(service).operation_model(operation_name).input_shape)


def moto_request(http: HttpRequest, base_url: str) -> Request:
    """Return the request as moto's backends take it, addressed to *base_url*."""
    headers = HTTPHeaders()
    for name, value in http.headers.items:
        if name.lower() not in ("host", "transfer-encoding", "expect", "connection"):
            headers[name] = value
    url = base_url + http.path + (f"?{http.query}" if http.query else "")
    return normalize_request(AWSPreparedRequest(http.method, url, headers, http.body, stream_output=False))
