"""The record that CloudTrail makes of an API call, and which calls it makes one of.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError, is_read
from labkit.local.clock import iso
from labkit.local.iam_actions import resources_of

# Data events are off by default, and these calls are data events (or, for logs, recorded nowhere).
DATA_EVENTS = {
    "s3": {
        "PutObject", "GetObject", "HeadObject", "DeleteObject", "DeleteObjects", "CopyObject", "ListObjects",
        "ListObjectsV2", "ListObjectVersions", "CreateMultipartUpload", "UploadPart", "UploadPartCopy",
        "CompleteMultipartUpload", "AbortMultipartUpload", "ListParts", "ListMultipartUploads", "PutObjectTagging",
        "GetObjectTagging", "DeleteObjectTagging", "PutObjectAcl", "GetObjectAcl", "GetObjectAttributes",
        "RestoreObject", "SelectObjectContent", "HeadBucket",
        "DeleteObjectAnnotation", "GetObjectAnnotation", "GetObjectLegalHold", "GetObjectRetention",
        "GetObjectTorrent", "ListObjectAnnotations", "PutObjectAnnotation", "PutObjectLegalHold",
        "PutObjectRetention", "RenameObject", "UpdateObjectEncryption",
    },
    "dynamodb": {
        "PutItem", "GetItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "BatchGetItem", "Query", "Scan",
        "TransactWriteItems", "TransactGetItems", "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction",
    },
    "dynamodbstreams": {"GetRecords", "GetShardIterator"},
    "sqs": {
        "SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch",
        "ChangeMessageVisibility", "ChangeMessageVisibilityBatch",
    },
    "sns": {"Publish", "PublishBatch"},
    "lambda": {"Invoke"},
    "logs": {"PutLogEvents", "GetLogEvents", "FilterLogEvents"},
    "cloudwatch": {"PutMetricData", "GetMetricData", "GetMetricStatistics"},
    "kinesis": {"PutRecord", "PutRecords", "GetRecords", "GetShardIterator"},
    "events": {"PutEvents"},
}  # fmt: skip

# CloudTrail's name of an operation, where it is not the API's.
EVENT_NAMES = {
    ("s3", "PutPublicAccessBlock"): "PutBucketPublicAccessBlock",
    ("s3", "DeletePublicAccessBlock"): "DeleteBucketPublicAccessBlock",
    ("s3", "GetPublicAccessBlock"): "GetBucketPublicAccessBlock",
    ("s3", "PutBucketLifecycleConfiguration"): "PutBucketLifecycle",
    ("s3", "GetBucketLifecycleConfiguration"): "GetBucketLifecycle",
    ("s3", "PutBucketNotificationConfiguration"): "PutBucketNotification",
    ("s3", "GetBucketNotificationConfiguration"): "GetBucketNotification",
    ("s3", "ListObjectsV2"): "ListObjects",
    ("lambda", "CreateFunction"): "CreateFunction20150331",
    ("lambda", "DeleteFunction"): "DeleteFunction20150331",
    ("lambda", "ListFunctions"): "ListFunctions20150331",
    ("lambda", "GetFunction"): "GetFunction20150331v2",
    ("lambda", "AddPermission"): "AddPermission20150331v2",
    ("lambda", "CreateEventSourceMapping"): "CreateEventSourceMapping20150331",
    ("lambda", "DeleteEventSourceMapping"): "DeleteEventSourceMapping20150331",
}
SOURCES = {"cloudwatch": "monitoring", "dynamodbstreams": "dynamodb"}
LEFT_OUT = {
    "ZipFile", "Environment", "Code", "MessageBody", "Message", "Payload", "SecretAccessKey", "Password", "Body",
    "NewPassword", "OldPassword",
}  # fmt: skip
# Maps whose keys are the caller's own words, which stay as they are.
MAPS = {
    "Attributes", "attributes", "Tags", "tags", "Variables", "variables", "InputPathsMap", "MessageAttributes",
    "ExpressionAttributeNames", "ExpressionAttributeValues", "RequestItems", "Metadata", "requestParameters",
    "responseParameters", "requestTemplates", "responseTemplates", "requestModels", "responseModels",
}  # fmt: skip
XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"


def is_management_event(call: ApiCall) -> bool:
    """Whether a call is recorded without data events being switched on."""
    return call.operation not in DATA_EVENTS.get(call.service, ())


def record_of(call: ApiCall, response: dict[str, Any] | None, error: AwsError | None, now: float) -> dict[str, Any]:
    """Return the record. ``tlsDetails`` is absent: the local cloud speaks HTTP."""
    name = EVENT_NAMES.get((call.service, call.operation), call.operation)
    read_only = is_read(call.operation) or call.operation.startswith("AssumeRole")
    management = is_management_event(call)
    agent = call.http.headers.get("user-agent")
    record: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": _identity(call),
        "eventTime": iso(now),
        "eventSource": f"{SOURCES.get(call.service, call.service)}.amazonaws.com",
        "eventName": name,
        "awsRegion": call.region,
        "sourceIPAddress": call.http.source_ip,
        "userAgent": f"[{agent}]" if call.service == "s3" else agent,
        "requestParameters": _parameters(call),
        "responseElements": None if read_only or call.service == "s3" else _lower_camel(_plain(response or {})) or None,
        "requestID": call.request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": read_only,
        "resources": _resources(call),
        "eventType": "AwsApiCall",
        "managementEvent": management,
        "recipientAccountId": ACCOUNT_ID,
        "eventCategory": "Management" if management else "Data",
    }
    if more := _additional_data(call):
        record["additionalEventData"] = more
    if error is not None:
        record |= {"errorCode": error.code, "errorMessage": error.message, "responseElements": None}
    return record


def _identity(call: ApiCall) -> dict[str, Any]:
    caller = call.caller
    if caller.kind == "anonymous":
        return {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}
    identity = {
        "principalId": caller.principal_id,
        "arn": caller.arn,
        "accountId": ACCOUNT_ID,
        "accessKeyId": caller.access_key_id,
    }
    began = caller.session_began and iso(caller.session_began)
    attributes = {"creationDate": began, "mfaAuthenticated": "false"}
    if caller.kind != "assumed-role":
        user = {"type": "IAMUser", **identity, "userName": caller.arn.rpartition("/")[2]}
        return {**user, "sessionContext": {"attributes": attributes}} if began else user
    issuer = {
        "type": "Role",
        "principalId": caller.principal_id,
        "arn": caller.role_arn,
        "accountId": ACCOUNT_ID,
        "userName": caller.role_arn.rpartition("/")[2],
    }
    return {
        "type": "AssumedRole",
        **identity,
        "principalId": f"{caller.principal_id}:{caller.session_name}",
        "sessionContext": {"sessionIssuer": issuer, "attributes": attributes},
    }


def _parameters(call: ApiCall) -> dict[str, Any] | None:
    if call.service == "s3":
        return _s3_parameters(call)
    parameters: dict[str, Any] = _lower_camel(_plain(call.params))
    if call.service == "lambda" and call.operation == "Invoke":
        parameters["functionName"] = _function_arn(call)
    return parameters or None


def _s3_parameters(call: ApiCall) -> dict[str, Any]:
    host = {"Host": call.http.headers.get("host")}
    if not call.params.get("Bucket"):
        return host
    asked = dict(parse_qsl(call.http.query, keep_blank_values=True))  # "policy": "" of "?policy"
    asked = {name: value for name, value in asked.items() if name != "x-id" and not name.startswith("X-Amz-")}
    parameters: dict[str, Any] = {"bucketName": call.params["Bucket"], **host, **asked}
    for name, value in _plain(call.params).items():
        if name == "Policy":
            parameters["bucketPolicy"] = _json_or_text(value)
        elif name == "Key":
            parameters["key"] = value
        elif isinstance(value, dict) and name not in MAPS:
            parameters[name] = {"xmlns": XMLNS, **value}
    return parameters


def _additional_data(call: ApiCall) -> dict[str, Any]:
    if call.service == "s3" and call.caller.kind != "anonymous":
        in_query = "X-Amz-Signature=" in call.http.query
        return {
            "SignatureVersion": "SigV4",
            "bytesTransferredIn": len(call.http.body),
            "AuthenticationMethod": "QueryString" if in_query else "AuthHeader",
        }
    if call.service == "lambda" and call.operation == "Invoke":
        return {"functionVersion": f"{_function_arn(call)}:{call.params.get('Qualifier') or '$LATEST'}"}
    return {}


def _json_or_text(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return text


def _resources(call: ApiCall) -> list[dict[str, str]]:
    if call.service == "lambda" and call.operation == "Invoke":
        return [{"accountId": ACCOUNT_ID, "type": "AWS::Lambda::Function", "ARN": _function_arn(call)}]
    bucket = call.params.get("Bucket") if call.service == "s3" else None
    if not bucket or call.operation == "CreateBucket":
        return []
    whole = {"accountId": ACCOUNT_ID, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"}
    if is_management_event(call):
        return [whole]
    key = call.params.get("Key") or call.params.get("Prefix") or ""
    return [{"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/{key}"}, whole]


def _function_arn(call: ApiCall) -> str:
    """Return the ARN of the function that is invoked, without version or alias."""
    return ":".join(resources_of(call)[0].split(":")[:7])


def _plain(value: Any) -> Any:
    """Make a value that JSON can hold, without what CloudTrail never records."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if key not in LEFT_OUT}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return base64.b64encode(value[:1024]).decode()
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


def _lower_camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_lower_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key[:1].lower() + key[1:]: one if key in MAPS and isinstance(one, dict) else _lower_camel(one)
        for key, one in value.items()
    }
