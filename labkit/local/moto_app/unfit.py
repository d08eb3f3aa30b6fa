"""What AWS answers to a call that moto, or a feature of ours, tripped over, where the call's parameters were no good.

Here moto looks for members that must be there, and fails; AWS refuses the call before anybody looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import moto.core.utils as moto_utils
from botocore.validate import ParamValidator

from labkit.local.api_call import ApiCall, AwsError, malformed_xml
from labkit.local.moto_app.xml_document import fits_model


@dataclass(frozen=True, slots=True)
class Trip:
    """With what moto trips over operations though the model allows the call, and the error that AWS has for it."""

    service: str
    operations: tuple[str, ...]
    over: type[Exception]
    code: str
    message: str
    status: int = 400


TRIPS = (
    Trip("dynamodb", ("DescribeExport",), KeyError, "ExportNotFoundException", "There is no such export."),
    Trip("dynamodb", ("DescribeImport",), KeyError, "ImportNotFoundException", "There is no such import."),
    Trip("dynamodb", ("TransactWriteItems",), IndexError,
         "ValidationException", "TransactItems can only contain one of Check, Put, Update or Delete"),
    Trip("dynamodbstreams", ("GetRecords",), KeyError, "ExpiredIteratorException",
         "The shard iterator has expired and can no longer be used to retrieve stream records."),
    Trip("iam",
         ("ListAttachedGroupPolicies", "ListAttachedRolePolicies", "ListAttachedUserPolicies", "ListPolicies",
          "ListRoles", "ListRoleTags", "ListVirtualMFADevices"),
         ValueError, "ValidationError", "Invalid Marker: it is not one of this operation."),
    Trip("kinesis", ("CreateStream",), TypeError,
         "InvalidArgumentException", "ShardCount must be given for a stream whose mode is PROVISIONED."),
    Trip("kinesis", ("GetRecords",), ValueError, "InvalidArgumentException", "Invalid ShardIterator."),
    Trip("kinesis",
         ("DeregisterStreamConsumer", "DescribeStreamConsumer", "ListStreamConsumers", "UpdateStreamMode"),
         AttributeError, "ResourceNotFoundException", "There is no such stream."),
    Trip("logs", ("DescribeDestinations",), ValueError,
         "InvalidParameterException", "The specified nextToken is invalid."),
    Trip("logs", ("GetQueryResults",), KeyError, "ResourceNotFoundException", "There is no such query."),
    Trip("s3", ("DeleteObjectTagging",), AttributeError, "NoSuchKey", "The specified key does not exist.", 404),
    Trip("s3", ("ListObjectsV2",), TypeError, "InvalidArgument", "The continuation token provided is incorrect"),
    Trip("s3", ("PutBucketAcl", "PutObjectAcl", "CreateMultipartUpload"), AttributeError,
         "InvalidArgument", "Argument format not recognized"),
)  # fmt: skip


def unfit(call: ApiCall, broken: Exception) -> AwsError | None:
    """Return the error for a call that somebody tripped over, or ``None``: then it was not the call's fault."""
    shape = moto_utils.get_service_model(call.service).operation_model(call.operation).input_shape
    report = ParamValidator().validate(call.params, shape) if shape else None
    wrong = isinstance(broken, RecursionError | UnicodeError) or (report and report.has_errors())
    if wrong and call.service == "s3":
        return malformed_xml()
    if wrong:
        text = report.generate_report() if report and report.has_errors() else f"The request cannot be read: {broken}"
        return AwsError("ValidationError" if call.protocol == "query" else "ValidationException", text, 400)
    if shape and _holds_empty_value(shape, call.params):
        text = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
        return AwsError("ValidationException", text)
    name = str(broken.args[0]) if isinstance(broken, KeyError) and broken.args else ""
    if shape and name in shape.members and name not in call.params:
        text = f"Value null at '{name[0].lower()}{name[1:]}' failed to satisfy constraint: Member must not be null"
        return AwsError("ValidationException", f"1 validation error detected: {text}")
    for trip in TRIPS:
        if call.service == trip.service and call.operation in trip.operations and isinstance(broken, trip.over):
            return AwsError(trip.code, trip.message, trip.status)
    return malformed_xml() if call.service == "s3" and _is_malformed(call, shape) else None


def _holds_empty_value(shape: Any, value: Any) -> bool:
    """Whether an attribute of DynamoDB stands somewhere as ``{}``, which the model allows and the service does not."""
    if shape.type_name == "structure":
        empty = shape.name == "AttributeValue" and not value
        return empty or any(_holds_empty_value(shape.members[name], one) for name, one in value.items())
    if shape.type_name == "list":
        return any(_holds_empty_value(shape.member, one) for one in value)
    return shape.type_name == "map" and any(_holds_empty_value(shape.value, one) for one in value.values())


def _is_malformed(call: ApiCall, shape: Any) -> bool:
    """Whether the body of a setting of S3 is another document than the model says."""
    payload = shape.members.get(shape.serialization.get("payload", "")) if shape else None
    return payload is not None and payload.type_name == "structure" and not fits_model(call.http.body, payload)
