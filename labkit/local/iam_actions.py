"""Which IAM action an API operation needs, and on which resource.

https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from labkit.local.api_call import ACCOUNT_ID, ApiCall

ACTION_NAMES = {
    ("s3", "HeadObject"): "GetObject",
    ("s3", "ListObjects"): "ListBucket",
    ("s3", "ListObjectsV2"): "ListBucket",
    ("s3", "HeadBucket"): "ListBucket",
    ("s3", "ListObjectVersions"): "ListBucketVersions",
    ("s3", "DeleteObjects"): "DeleteObject",
    ("s3", "CopyObject"): "PutObject",
    ("s3", "CreateMultipartUpload"): "PutObject",
    ("s3", "UploadPart"): "PutObject",
    ("s3", "UploadPartCopy"): "PutObject",
    ("s3", "ListParts"): "ListMultipartUploadParts",
    ("s3", "ListMultipartUploads"): "ListBucketMultipartUploads",
    ("s3", "CompleteMultipartUpload"): "PutObject",
    ("s3", "ListBuckets"): "ListAllMyBuckets",
    ("s3", "GetPublicAccessBlock"): "GetBucketPublicAccessBlock",
    ("s3", "PutPublicAccessBlock"): "PutBucketPublicAccessBlock",
    ("s3", "DeletePublicAccessBlock"): "PutBucketPublicAccessBlock",
    ("s3", "DeleteBucketCors"): "PutBucketCORS",
    ("s3", "DeleteBucketTagging"): "PutBucketTagging",
    ("s3", "GetBucketEncryption"): "GetEncryptionConfiguration",
    ("s3", "PutBucketEncryption"): "PutEncryptionConfiguration",
    ("s3", "DeleteBucketEncryption"): "PutEncryptionConfiguration",
    ("s3", "GetBucketLifecycleConfiguration"): "GetLifecycleConfiguration",
    ("s3", "PutBucketLifecycleConfiguration"): "PutLifecycleConfiguration",
    ("s3", "DeleteBucketLifecycle"): "PutLifecycleConfiguration",
    ("s3", "GetBucketReplication"): "GetReplicationConfiguration",
    ("s3", "PutBucketReplication"): "PutReplicationConfiguration",
    ("s3", "DeleteBucketReplication"): "PutReplicationConfiguration",
    ("s3", "GetBucketNotificationConfiguration"): "GetBucketNotification",
    ("s3", "PutBucketNotificationConfiguration"): "PutBucketNotification",
    ("sqs", "SendMessageBatch"): "SendMessage",
    ("sqs", "DeleteMessageBatch"): "DeleteMessage",
    ("sqs", "ChangeMessageVisibilityBatch"): "ChangeMessageVisibility",
    ("sns", "PublishBatch"): "Publish",
    ("lambda", "Invoke"): "InvokeFunction",
}
# What is another action when it is done to one version of an object: s3:GetObjectVersion.
OF_VERSIONS = {
    "GetObject", "DeleteObject", "GetObjectAcl", "PutObjectAcl", "GetObjectTagging", "PutObjectTagging",
    "DeleteObjectTagging", "GetObjectAttributes",
}  # fmt: skip
PREFIXES = {"dynamodbstreams": "dynamodb", "cloudwatch": "cloudwatch"}


def action_of(call: ApiCall) -> str:
    """Return the IAM action of a call, such as ``"s3:ListBucket"``."""
    if call.service == "apigateway":  # its actions are HTTP methods, its resources are paths
        return f"apigateway:{call.http.method}"
    name = ACTION_NAMES.get((call.service, call.operation), call.operation)
    if call.service == "s3" and call.params.get("VersionId") and name in OF_VERSIONS:
        name = name.replace("Object", "ObjectVersion")
    return f"{PREFIXES.get(call.service, call.service)}:{name}"


def needs_of(call: ApiCall) -> list[tuple[str, str]]:
    """Return every action that a call needs, each with the ARN it is needed on."""
    action = action_of(call)
    needs = [(action, resource) for resource in resources_of(call)]
    if call.service == "s3" and (source := call.http.headers.get("x-amz-copy-source")):
        copied, _, version = source.lstrip("/").partition("?versionId=")
        needs.append(("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{unquote(copied)}"))
    if call.operation == "StartMessageMoveTask":
        needs += [(f"sqs:{name}", resource) for name in MOVES for _, resource in needs[:1]]
        if destination := call.params.get("DestinationArn"):
            needs.append(("sqs:SendMessage", str(destination)))
    passed = call.params.get(PASSED_ROLES.get((call.service, call.operation), ""))
    return [*needs, ("iam:PassRole", str(passed))] if passed else needs


# What a message move task does to the dead-letter queue by the permissions of whoever starts it.
MOVES = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
# Where a call hands a role to a service: the parameter that names it.
PASSED_ROLES = {
    ("lambda", "CreateFunction"): "Role",
    ("lambda", "UpdateFunctionConfiguration"): "Role",
    ("apigateway", "PutIntegration"): "credentials",
}


def resources_of(call: ApiCall) -> list[str]:
    """Return the ARNs a call acts on; ``["*"]`` where an operation has no resource of its own."""
    if call.service == "apigateway":
        return [f"arn:aws:apigateway:{call.region}::{call.http.path}"]
    if call.service == "events":
        return _events(call.operation, call.params, f"{call.region}:{ACCOUNT_ID}")
    found = RESOURCES.get(call.service)
    arns = found(call.params, f"{call.region}:{ACCOUNT_ID}") if found else []
    return [arn for arn in arns if arn] or ["*"]


def _s3(params: dict[str, Any], _: str) -> list[str]:
    bucket = params.get("Bucket")
    if not bucket:
        return []
    arn = f"arn:aws:s3:::{bucket}"
    if isinstance(params.get("Delete"), dict):
        return [f"{arn}/{item['Key']}" for item in params["Delete"].get("Objects", [])]
    return [f"{arn}/{params['Key']}" if params.get("Key") else arn]


def _sqs(params: dict[str, Any], place: str) -> list[str]:
    if params.get("SourceArn"):
        return [params["SourceArn"]]
    name = params.get("QueueName") or str(params.get("QueueUrl") or "").rstrip("/").rpartition("/")[2]
    return [f"arn:aws:sqs:{place}:{name}"] if name else []


def _dynamodb(params: dict[str, Any], place: str) -> list[str]:
    if arn := params.get("StreamArn") or params.get("ResourceArn"):
        return [arn]
    names = [params.get("TableName")]
    if isinstance(params.get("RequestItems"), dict):
        names = list(params["RequestItems"])
    for item in params.get("TransactItems") or []:
        names += [part.get("TableName") for part in item.values()]
    suffix = f"/index/{params['IndexName']}" if params.get("IndexName") else ""
    return [n if str(n).startswith("arn:") else f"arn:aws:dynamodb:{place}:table/{n}{suffix}" for n in names if n]


def _sns(params: dict[str, Any], place: str) -> list[str]:
    arn = params.get("TopicArn") or params.get("TargetArn") or params.get("ResourceArn")
    return [arn or (f"arn:aws:sns:{place}:{params['Name']}" if params.get("Name") else "")]


def _lambda(params: dict[str, Any], place: str) -> list[str]:
    layer, name = params.get("LayerName"), str(params.get("FunctionName") or "")
    if layer:
        version = f":{params['VersionNumber']}" if params.get("VersionNumber") else ""
        return [(layer if layer.startswith("arn:") else f"arn:aws:lambda:{place}:layer:{layer}") + version]
    if not name:
        return [params.get("Resource") or ""]
    arn = name if name.startswith("arn:") else f"arn:aws:lambda:{place}:function:{name.rpartition('function:')[2]}"
    qualifier = params.get("Qualifier")
    return [f"{arn}:{qualifier}" if qualifier and arn.count(":") == 6 else arn]


def _logs(params: dict[str, Any], place: str) -> list[str]:
    group, stream = params.get("logGroupName"), params.get("logStreamName")
    return [f"arn:aws:logs:{place}:log-group:{group}:log-stream:{stream or ''}"] if group else []


def _events(operation: str, params: dict[str, Any], place: str) -> list[str]:
    if params.get("ResourceARN"):
        return [params["ResourceARN"]]
    if operation in ("ListEventBuses", "TestEventPattern"):
        return ["*"]
    entries = params.get("Entries") or [{}]
    if "EventBus" in operation:
        entries = [{"EventBusName": params.get("Name")}]
    elif operation != "PutEvents":
        entries = [params]
    names = {str(entry.get("EventBusName") or "default").rpartition("event-bus/")[2] for entry in entries}
    rule = None if "EventBus" in operation else params.get("Rule") or params.get("Name")
    if not rule:
        return [f"arn:aws:events:{place}:event-bus/{name}" for name in sorted(names)]
    [bus] = names
    return [f"arn:aws:events:{place}:rule/{rule if bus == 'default' else f'{bus}/{rule}'}"]


def _cloudtrail(params: dict[str, Any], place: str) -> list[str]:
    name = params.get("Name") or params.get("TrailName") or params.get("ResourceId")
    return [name if str(name).startswith("arn:") else f"arn:aws:cloudtrail:{place}:trail/{name}"] if name else []


def _kinesis(params: dict[str, Any], place: str) -> list[str]:
    name = params.get("StreamName")
    return [params.get("StreamARN") or (f"arn:aws:kinesis:{place}:stream/{name}" if name else "")]


def _iam(params: dict[str, Any], _: str) -> list[str]:
    names = {"role": "RoleName", "user": "UserName", "group": "GroupName", "policy": "PolicyName"}
    place = f"arn:aws:iam::{ACCOUNT_ID}"
    found = [f"{place}:{kind}/{params[name]}" for kind, name in names.items() if params.get(name)]
    return found[:1] or [str(params.get("PolicyArn") or "")]


RESOURCES = {
    "iam": _iam,
    "kinesis": _kinesis,
    "s3": _s3,
    "sqs": _sqs,
    "dynamodb": _dynamodb,
    "dynamodbstreams": _dynamodb,
    "sns": _sns,
    "lambda": _lambda,
    "logs": _logs,
    "cloudtrail": _cloudtrail,
}
