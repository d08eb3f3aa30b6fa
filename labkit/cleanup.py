"""Delete everything of a lab, in an order that works, and prove it."""

from __future__ import annotations

import time
from collections.abc import Callable

import boto3
import pandas as pd
from botocore.exceptions import ClientError

from labkit.cloud import settings
from labkit.exceptions import LabkitError
from labkit.inventory import COLUMNS, inventory

GONE = {
    "NoSuchBucket", "NoSuchEntity", "ResourceNotFoundException", "NotFoundException", "NotFound", "TrailNotFoundException",
    "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidParameter",
}  # fmt: skip
BUSY = {
    "ResourceInUseException",
    "TooManyRequestsException",
    "DeleteConflict",
    "ResourceConflictException",
    "BucketNotEmpty",
}


def cleanup(*, yes: bool = False, timeout: float = 60.0) -> pd.DataFrame:
    """Delete everything of the connected lab; running it twice is fine.

    Args:
        yes: Really delete; needed on AWS only.
        timeout: How long AWS may take to let things go, in seconds. ``DeleteRestApi`` alone is allowed once per 30 s.

    Returns:
        What was deleted, as :func:`labkit.inventory` listed it before.

    Raises:
        LabkitError: On AWS without ``yes``; or something is left after *timeout*, the message lists it.
    """
    chosen = settings()
    before = inventory()
    print(before.to_string(index=False) if len(before) else f"nothing exists of lab {chosen['lab_id']}")
    if chosen["cloud"] == "aws" and not yes and len(before):
        raise LabkitError(
            f"{len(before)} resources in your AWS account would be deleted; call cleanup(yes=True) to do it"
        )
    deadline = time.monotonic() + timeout
    left = before
    while len(left):
        for kind, delete in DELETERS.items():
            for name in left.loc[left["kind"].str.startswith(kind), "name"]:
                _tolerant(delete, name)
        left = _without_pending(inventory())
        if len(left) and time.monotonic() > deadline:
            raise LabkitError(
                f"after {timeout:g} s these are left, run cleanup() again:\n{left.to_string(index=False)}"
            )
        if len(left):
            time.sleep(0.5)
    print(f"0 resources left of lab {chosen['lab_id']}")
    return before


def _without_pending(found: pd.DataFrame) -> pd.DataFrame:
    """Leave out subscriptions that wait for their confirmation: nobody can delete those, AWS does within 48 hours."""
    return pd.DataFrame(found[found["name"] != "PendingConfirmation"], columns=COLUMNS)


def _tolerant(delete: Callable[[str], None], name: str) -> None:
    try:
        delete(name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE | BUSY:
            raise


def _rule(name: str) -> None:
    events = boto3.client("events")
    targets = [target["Id"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]
    if targets:
        events.remove_targets(Rule=name, Ids=targets)
    events.delete_rule(Name=name)


def _trail(name: str) -> None:
    boto3.client("cloudtrail").stop_logging(Name=name)
    boto3.client("cloudtrail").delete_trail(Name=name)


def _subscription(arn: str) -> None:
    if arn != "PendingConfirmation":
        boto3.client("sns").unsubscribe(SubscriptionArn=arn)


def _role(name: str) -> None:
    iam = boto3.client("iam")
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=name)


def _bucket(name: str) -> None:
    s3 = boto3.client("s3")
    s3.delete_bucket_policy(Bucket=name)  # it may forbid what follows
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        found = [
            {"Key": v["Key"], "VersionId": v["VersionId"]}
            for v in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        ]
        if found:
            s3.delete_objects(Bucket=name, Delete={"Objects": found, "Quiet": True})
    s3.delete_bucket(Bucket=name)


DELETERS: dict[str, Callable[[str], None]] = {
    "rule": _rule,
    "trail": _trail,
    "subscription": _subscription,
    "topic": lambda arn: boto3.client("sns").delete_topic(TopicArn=arn),
    "REST API": lambda api: boto3.client("apigateway").delete_rest_api(restApiId=api),
    "event source mapping": lambda uid: _delete_mapping(uid),
    "function": lambda name: _delete_function(name),
    "table": lambda name: _delete_table(name),
    "queue": lambda url: boto3.client("sqs").delete_queue(QueueUrl=url),
    "bucket": _bucket,
    "role": _role,
    "log group": lambda name: boto3.client("logs").delete_log_group(logGroupName=name),
}


def _delete_mapping(uid: str) -> None:
    boto3.client("lambda").delete_event_source_mapping(UUID=uid)


def _delete_function(name: str) -> None:
    boto3.client("lambda").delete_function(FunctionName=name)


def _delete_table(name: str) -> None:
    boto3.client("dynamodb").delete_table(TableName=name)
