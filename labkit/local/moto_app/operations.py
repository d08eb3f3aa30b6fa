"""Which operations moto may answer: those it has code for, without those where its answer would be a promise it breaks.

moto keeps many a setting that nothing acts on. Where a caller would wait for an effect that never comes, the operation
is refused here; its counterparts that read or delete stay moto's, since "there is none" is then true.
"""

from __future__ import annotations

import functools

from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores

from labkit.local.moto_app.imports import import_responses

MOTO_SERVICES = ("s3", "dynamodb", "dynamodbstreams", "iam", "logs", "apigateway", "cloudwatch", "kinesis")

# moto's S3 finds its operation by method and query; a query that it does not know counts as none, so that
# DeleteBucketAnalyticsConfiguration would delete the bucket. These it does have, besides those named in its class.
S3_OPERATIONS = frozenset(
    {
        "CompleteMultipartUpload", "CreateBucket", "CreateMultipartUpload", "DeleteObjects",
        "GetBucketLifecycleConfiguration", "GetBucketNotificationConfiguration", "GetBucketTagging", "ListBuckets",
        "PostObject", "PutBucketAcl", "PutBucketCors", "PutBucketEncryption", "PutBucketLifecycle",
        "PutBucketLifecycleConfiguration", "PutBucketNotification", "PutBucketNotificationConfiguration",
        "PutBucketOwnershipControls", "PutBucketPolicy", "PutBucketTagging", "PutBucketVersioning", "PutBucketWebsite",
        "PutObjectLockConfiguration", "PutPublicAccessBlock", "RestoreObject",
    }
)  # fmt: skip

_REFUSED: dict[str, dict[str, tuple[str, ...]]] = {
    "s3": {
        "no object would be copied": ("PutBucketReplication",),
        "no access log would be written": ("PutBucketLogging",),
        "no list would be written": ("PutBucketInventoryConfiguration",),
        "there is no faster way to this computer": ("PutBucketAccelerateConfiguration",),
        "AWS offers it to no new account, and most of its language would be passed over": ("SelectObjectContent",),
    },
    "dynamodb": {
        "only the table of this moment could be restored": ("RestoreTableToPointInTime", "UpdateContinuousBackups"),
        "the objects would come and go unseen by the rest of the cloud": ("ExportTableToPointInTime", "ImportTable"),
        "nobody would ask the policy": ("PutResourcePolicy",),
        "most of PartiQL would be misread; GetItem, Query, PutItem and UpdateItem do the same": (
            "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction",
        ),
    },
    "iam": {
        "nobody can log in: there is no console": (
            "CreateLoginProfile", "UpdateLoginProfile", "UpdateAccountPasswordPolicy", "CreateVirtualMFADevice",
            "EnableMFADevice",
        ),
        "nobody could log in with it": ("CreateOpenIDConnectProvider", "CreateSAMLProvider", "UpdateSAMLProvider"),
        "nothing here uses it": (
            "CreateInstanceProfile", "AddRoleToInstanceProfile", "CreateServiceLinkedRole", "UploadServerCertificate",
            "UploadSigningCertificate", "UploadSSHPublicKey",
        ),
        "the report would say nothing of what was used": ("GenerateCredentialReport",),
    },
    "logs": {
        "nothing would be delivered": (
            "PutDestination", "PutDestinationPolicy", "PutDeliveryDestination",
            "PutDeliveryDestinationPolicy", "PutDeliverySource", "CreateDelivery",
        ),
        "no metric would come of it": ("PutMetricFilter",),
        "the objects would come unseen by the rest of the cloud": ("CreateExportTask",),
        "most of the query language would be passed over; FilterLogEvents searches": ("StartQuery", "StartLiveTail"),
    },
    "apigateway": {
        "the name would lead nowhere": ("CreateDomainName", "CreateBasePathMapping", "UpdateBasePathMapping"),
        "there is no network to link": ("CreateVpcLink",),
    },
    "cloudwatch": {
        "nobody would look at the metric": (
            "PutMetricAlarm", "PutCompositeAlarm", "SetAlarmState", "EnableAlarmActions", "DisableAlarmActions",
        ),
        "there is no console to show it": ("PutDashboard",),
        "nothing would be counted": ("PutInsightRule", "EnableInsightRules", "DisableInsightRules"),
    },
    "kinesis": {
        "the records would be moved, and read again": ("SplitShard", "MergeShards", "UpdateShardCount"),
        "nothing would be sent to it": ("RegisterStreamConsumer",),
        "there is no key service": ("StartStreamEncryption",),
        "no metric would come of it": ("EnableEnhancedMonitoring",),
        "nobody would ask the policy": ("PutResourcePolicy",),
        "most of PartiQL would be misread; GetItem, Query, PutItem and UpdateItem do the same": (
            "ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction",
        ),
    },
}  # fmt: skip
REFUSED = {
    (service, operation): why
    for service, reasons in _REFUSED.items()
    for why, operations in reasons.items()
    for operation in operations
}


@functools.cache
def moto_answers(service: str, operation: str) -> bool:
    """Whether moto has code for an operation, and keeps what its answer promises."""
    if service not in MOTO_SERVICES or (service, operation) in REFUSED:
        return False
    return camelcase_to_underscores(operation) in _methods(service) or (service == "s3" and operation in S3_OPERATIONS)


@functools.cache
def _methods(service: str) -> frozenset[str]:
    """The names of the methods of moto's class for *service*: it finds an operation by them."""
    module = import_responses(service)
    classes = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, BaseResponse) and one.__module__ == module.__name__
    ]
    return frozenset(name for one in classes for name in vars(one))
