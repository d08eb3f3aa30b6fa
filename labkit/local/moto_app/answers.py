"""Serialise an answer as a call's protocol wants it, and read moto's answers back, by botocore's service models."""

from __future__ import annotations

import html
import json
import re
import warnings
from collections.abc import Mapping
from typing import Any

import moto.core.utils as moto_utils
from botocore.parsers import create_parser
from moto.core.request import determine_request_protocol
from moto.core.serialize import ResponseSerializer, get_serializer_class

from labkit.local.api_call import ApiCall, AwsError, HttpRequest, HttpResponse

SECOND_MESSAGE = re.compile("<message>.*?</message>", re.DOTALL)  # the model's member beside the protocol's Message
HOST_ID = "9Gjjt1m+cjU4OPvX9O9/8RuvnG41MRb/18Oux2o5H5MY7ISNTlXN+Dz9IG62/ILVxhAGI0qyPfg="
NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def serialise(call: ApiCall, result: dict[str, Any] | AwsError) -> HttpResponse:
    """Turn the result of one of our services, or an error, into the answer that *call*'s protocol wants."""
    operation = moto_utils.get_service_model(call.service).operation_model(call.operation)
    if isinstance(result, AwsError):
        return _error(call.service, call.protocol, operation, result, call.request_id)
    answer = _serializer(call.service, call.protocol, operation, call.request_id).serialize(result)
    status = _status_member(operation, result) or int(answer["status_code"])
    return _response(status, answer["body"], answer["headers"], call.request_id)


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
    return _error(service, protocol, operation, error, request_id)


def _cbor_error(error: AwsError, request_id: str) -> HttpResponse:
    """Answer in CBOR, which newer services speak alone, and moto not at all: a map of two texts."""

    def text(value: str) -> bytes:
        data = value.encode()
        return b"\x79" + len(data).to_bytes(2, "big") + data

    body = b"\xa2" + b"".join(text(part) for part in ("__type", error.code, "message", error.message))
    headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", "x-amzn-RequestId": request_id}
    return HttpResponse(error.status, body, headers)


def _error(service: str, protocol: str, operation: Any, error: AwsError, request_id: str) -> HttpResponse:
    if service == "s3":
        return _response(error.status, _s3_error(error, request_id), {"Content-Type": "application/xml"}, request_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a code that the service's model does not list
        answer = _serializer(service, protocol, operation, request_id).serialize(error)
    body, headers = _with_exact_code(answer["body"], dict(answer["headers"]), error, protocol)
    return _response(error.status, body, headers, request_id)


def _serializer(service: str, protocol: str, operation: Any, request_id: str) -> ResponseSerializer:
    serializer: ResponseSerializer = get_serializer_class(service, protocol)(operation)
    serializer.context.request_id = request_id
    return serializer


def _response(status: int, body: str | bytes, headers: Mapping[str, Any], request_id: str) -> HttpResponse:
    texts = {name: str(value) for name, value in headers.items()}
    data = body.encode() if isinstance(body, str) else body or b""
    return HttpResponse(status, data, {**texts, "x-amzn-RequestId": request_id})


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
    members = operation.output_shape.members if operation.output_shape and result else {}
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


def parse_answer(call: ApiCall, response: HttpResponse) -> dict[str, Any]:
    """Read an answer of moto back into what boto3 would return (``ResponseMetadata`` left out)."""
    parsed = _parse(call, response, moto_utils.get_service_model(call.service).operation_model(call.operation))
    parsed.pop("ResponseMetadata", None)
    return parsed


def parse_error(call: ApiCall, response: HttpResponse) -> AwsError:
    """Read the code and the message out of an error answer of moto: they stand in every error, whatever its shape."""
    error = _parse(call, response, None).get("Error", {})
    return AwsError(error.get("Code", str(response.status)), error.get("Message", ""), response.status)


def _parse(call: ApiCall, response: HttpResponse, operation: Any) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in response.headers.items()}
    answer = {"status_code": response.status, "headers": headers, "body": response.body}
    return dict(create_parser(call.protocol).parse(answer, operation and operation.output_shape))
