"""Recognise a call from botocore's service models, and serialise its answer. Nothing here touches moto's state."""

from __future__ import annotations

import functools
import html
import json
import re
import warnings
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

import moto.core.utils as moto_utils
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from botocore.parsers import create_parser
from botocore.validate import ParamValidator
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol, normalize_request
from moto.core.routing import get_service_router
from moto.core.serialize import ResponseSerializer, get_serializer_class
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.exceptions import NotFound

from labkit.local.api_call import ApiCall, AwsError, Caller, HttpRequest, HttpResponse
from labkit.local.moto_app.json_types import check_types
from labkit.local.moto_app.sqs_query import as_form
from labkit.local.moto_app.xml_document import fits_model

SECOND_MESSAGE = re.compile("<message>.*?</message>", re.DOTALL)  # the model's member beside the protocol's Message
CHECKED = {"sqs", "events", "cloudtrail"}  # JSON services of ours: their features trust the types of the model

HOST_ID = "9Gjjt1m+cjU4OPvX9O9/8RuvnG41MRb/18Oux2o5H5MY7ISNTlXN+Dz9IG62/ILVxhAGI0qyPfg="
NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def recognise(http: HttpRequest, service: str, *, region: str, caller: Caller, request_id: str) -> ApiCall:
    """Find out which operation of *service* a request is, and with which parameters.

    Raises:
        AwsError: ``UnknownOperationException`` when the service has no such operation, ``SerializationException``
            when the body cannot be read.
    """
    if service_call := _recognise_json(http, service, region, caller, request_id):
        return service_call
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
    parser = PROTOCOL_PARSERS[protocol](operation)
    try:
        params = parser.parse(
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


MALFORMED_XML = "The XML you provided was not well-formed or did not validate against our published schema"
OBJECT_CALLS = {"GET": "GetObject", "PUT": "PutObject", "HEAD": "HeadObject", "DELETE": "DeleteObject"}
LISTING = {
    "prefix": "Prefix", "delimiter": "Delimiter", "max-keys": "MaxKeys", "encoding-type": "EncodingType",
    "continuation-token": "ContinuationToken", "start-after": "StartAfter",
}  # fmt: skip


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


def _recognise_json(http: HttpRequest, service: str, region: str, caller: Caller, request_id: str) -> ApiCall | None:
    target = http.headers.get("x-amz-target")
    if not target:
        return None
    model = moto_utils.get_service_model(service)
    operation_name = target.rpartition(".")[2]
    if operation_name not in model.operation_names:
        raise AwsError("UnknownOperationException", f"{service} has no operation {operation_name!r}.", 400)
    try:
        body = json.loads(http.body or b"{}")
        if not isinstance(body, dict):
            raise ValueError("the body is no JSON object")
        params = body
        if service in CHECKED and (shape := model.operation_model(operation_name).input_shape):
            check_types(shape, body, "the body")
        if _has_blob_or_timestamp(service, operation_name):
            parser = PROTOCOL_PARSERS["json"](model.operation_model(operation_name))
            params = parser.parse(
                {
                    "method": http.method,
                    "values": MultiDict(),
                    "headers": Headers(),
                    "body": http.body,
                    "url_path": http.path,
                    "url_params": {},
                }
            )
    except Exception as error:  # json and the parser raise whatever they trip over
        raise _unreadable(service, operation_name, error) from error
    return ApiCall(service, operation_name, params, region, caller, request_id, http, "json")


def unfit(call: ApiCall, broken: Exception) -> AwsError | None:
    """Return the error for parameters that do not fit the service's model, where somebody tripped over them.

    moto looks for members that must be there; AWS refuses the call before anybody looks. ``None``: they do fit.
    """
    shape = moto_utils.get_service_model(call.service).operation_model(call.operation).input_shape
    report = ParamValidator().validate(call.params, shape) if shape else None
    wrong = isinstance(broken, RecursionError | UnicodeError) or (report and report.has_errors())
    if call.service == "s3":
        return AwsError("MalformedXML", MALFORMED_XML, 400) if wrong or _is_malformed(call, shape) else None
    if not wrong:
        return None
    text = report.generate_report() if report and report.has_errors() else f"The request cannot be read: {broken}"
    return AwsError("ValidationError" if call.protocol == "query" else "ValidationException", text, 400)


def _is_malformed(call: ApiCall, shape: Any) -> bool:
    """Whether the body of a setting of S3 is another document than the model says."""
    payload = shape.members.get(shape.serialization.get("payload", "")) if shape else None
    return payload is not None and payload.type_name == "structure" and not fits_model(call.http.body, payload)


def _unreadable(service: str, operation: str, error: Exception) -> AwsError:
    if service == "s3":
        return AwsError("MalformedXML", MALFORMED_XML, 400)
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


def serialise(call: ApiCall, result: dict[str, Any] | AwsError) -> HttpResponse:
    """Turn the result of one of our services, or an error, into the answer that *call*'s protocol wants."""
    model = moto_utils.get_service_model(call.service)
    operation = model.operation_model(call.operation)
    return _serialise(call.service, call.protocol, operation, result, call.request_id)


def serialise_error(service: str, http: HttpRequest, error: AwsError, request_id: str) -> HttpResponse:
    """Answer a request with *error* before its operation is known."""
    if http.headers.get("smithy-protocol") == "rpc-v2-cbor":
        return _cbor_error(error, request_id)
    model = moto_utils.get_service_model(service)
    try:
        protocol = determine_request_protocol(model, http.headers.get("content-type"))
    except NotImplementedError:
        protocol = str(model.protocol)
    if service == "sqs" and not http.headers.get("x-amz-target"):
        protocol = "query"
    operation = model.operation_model(model.operation_names[0])
    return _serialise(service, protocol, operation, error, request_id)


def _cbor_error(error: AwsError, request_id: str) -> HttpResponse:
    """Answer in CBOR, which newer services speak alone, and moto not at all: a map of two texts."""

    def text(value: str) -> bytes:
        data = value.encode()
        return b"\x79" + len(data).to_bytes(2, "big") + data

    body = b"\xa2" + b"".join(text(part) for part in ("__type", error.code, "message", error.message))
    headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", "x-amzn-RequestId": request_id}
    return HttpResponse(error.status, body, headers)


def _serialise(
    service: str, protocol: str, operation: Any, result: dict[str, Any] | AwsError, request_id: str
) -> HttpResponse:
    serializer: ResponseSerializer = get_serializer_class(service, protocol)(operation)
    serializer.context.request_id = request_id
    if isinstance(result, AwsError):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a code that the service's model does not list
            answer = serializer.serialize(result)
    else:
        answer = serializer.serialize(result)
    body = answer["body"]
    headers = {name: str(value) for name, value in answer["headers"].items()}
    status = int(answer["status_code"])
    if isinstance(result, AwsError):
        status = result.status
        if service == "s3":
            body = _s3_error(result, request_id)
        body, headers = _with_exact_code(body, headers, result, protocol)
    elif result:
        status = _status_member(operation, result) or status
    headers["x-amzn-RequestId"] = request_id
    return HttpResponse(status, body.encode() if isinstance(body, str) else body or b"", headers)


def _s3_error(error: AwsError, request_id: str) -> str:
    """Write an error with all its members: the model knows few of those that S3 sends.

    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    members = {name: value for name, value in vars(error).items() if name not in ("code", "message", "status")}
    facts = {"Code": error.code, "Message": error.message, **members, "RequestId": request_id, "HostId": HOST_ID}
    elements = "".join(f"<{name}>{_xml_text(value)}</{name}>" for name, value in facts.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{elements}</Error>'


def _xml_text(value: Any) -> str:
    return html.escape(NOT_IN_XML.sub("\ufffd", str(value)), quote=False)


def _status_member(operation: Any, result: dict[str, Any]) -> int | None:
    """Return the HTTP status where the model makes it a member of the answer, as Invoke does."""
    members = operation.output_shape.members if operation.output_shape else {}
    return next(
        (
            result[name]
            for name, shape in members.items()
            if shape.serialization.get("location") == "statusCode" and name in result
        ),
        None,
    )


def _with_exact_code(
    body: str | bytes, headers: dict[str, str], error: AwsError, protocol: str
) -> tuple[str | bytes, dict[str, str]]:
    """Keep the code and message of *error* where the model does not know them."""
    if protocol == "rest-xml":
        return _with_members(body, error), headers
    if protocol == "query":
        text = body if isinstance(body, str) else body.decode()
        return NOT_IN_XML.sub("\ufffd", SECOND_MESSAGE.sub("", text)), headers
    if protocol not in ("json", "rest-json"):
        return body, headers
    fields = json.loads(body)
    shape_name = fields.get("__type", error.code).rpartition("#")[2]
    if shape_name in ("", "Exception", "AwsError"):
        fields["__type"] = shape_name = error.code
    if error.message:
        fields.pop("Message", None)
        fields["message"] = error.message
    if protocol == "rest-json":
        headers["X-Amzn-Errortype"] = shape_name
    return json.dumps(fields), headers


def _with_members(body: str | bytes, error: AwsError) -> str:
    """Add what S3 tells beside code and message (``BucketName``, ``ArgumentName``): it stands in no model."""
    text = body if isinstance(body, str) else body.decode()
    more = {name: value for name, value in vars(error).items() if name[:1].isupper() and f"<{name}>" not in text}
    added = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in more.items())
    return text.replace("</Error>", f"{added}</Error>", 1)


def parse_answer(call: ApiCall, response: HttpResponse) -> dict[str, Any]:
    """Read an answer of moto back into what boto3 would return (``ResponseMetadata`` left out)."""
    operation = moto_utils.get_service_model(call.service).operation_model(call.operation)
    headers = {name.lower(): value for name, value in response.headers.items()}
    parsed = create_parser(call.protocol).parse(
        {"status_code": response.status, "headers": headers, "body": response.body}, operation.output_shape
    )
    parsed.pop("ResponseMetadata", None)
    return dict(parsed)


def moto_request(http: HttpRequest, base_url: str) -> Request:
    """Return the request as moto's backends take it, addressed to *base_url*."""
    headers = HTTPHeaders()
    for name, value in http.headers.items:
        if name.lower() not in ("host", "transfer-encoding", "expect", "connection"):
            headers[name] = value
    url = base_url + http.path + (f"?{http.query}" if http.query else "")
    return normalize_request(AWSPreparedRequest(http.method, url, headers, http.body, stream_output=False))


def parse_error(call: ApiCall, response: HttpResponse) -> AwsError:
    """Read the code and the message out of an error answer of moto."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    no_shape: Any = None  # the code and the message stand in every error, whatever its shape
    parsed = create_parser(call.protocol).parse(
        {"status_code": response.status, "headers": headers, "body": response.body}, no_shape
    )
    error = parsed.get("Error", {})
    return AwsError(error.get("Code", str(response.status)), error.get("Message", ""), response.status)
