"""Delete everything of a lab, in an order that works, and prove it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import boto3
import pandas as pd
from botocore.exceptions import ClientError

from labkit import progress_file
from labkit.cloud import settings
from labkit.exceptions import LabkitError
from labkit.inventory import CREATED_AT, PARENTS, TAG, Client, Resource, as_table, everything, resources, tags_of

GONE = {
    "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchEntity", "ResourceNotFoundException", "NotFoundException", "NotFound",
    "TrailNotFoundException", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidParameter",
}  # fmt: skip
BUSY = {
    "ResourceInUseException",
    "TooManyRequestsException",
    "DeleteConflict",
    "ResourceConflictException",
    "BucketNotEmpty",
    "BadRequestException",  # an API whose stage still has a usage plan
    "ValidationException",  # an event bus with rules
}
PENDING = "PendingConfirmation"
# DeleteRestApi alone is allowed once per 30 s on AWS, and a mapping takes a minute to go.
PATIENCE = {"local": 60.0, "endpoint": 60.0, "aws": 600.0}
PAUSE = {"local": 0.1, "endpoint": 0.5, "aws": 5.0}


def cleanup(*, yes: bool = False, lab_id: str | None = None, timeout: float | None = None) -> pd.DataFrame:
    """Delete everything of a lab, and prove that nothing is left; running it twice is fine.

    What has the lab's name but not its tag is named and left alone: somebody else may have made it.

    Args:
        yes: Really delete; needed on AWS only.
        lab_id: Another lab than the connected one, such as ``"lab-tour"``.
        timeout: How long the cloud may take to let things go, in seconds; 60, on AWS 600.

    Returns:
        What was deleted, as :func:`labkit.inventory` listed it before.

    Raises:
        LabkitError: On AWS without ``yes``; or something is left after *timeout*, the message lists it.
    """
    chosen = settings()
    lab = lab_id or chosen["lab_id"]
    client: Client = functools.cache(boto3.client)  # a look at all services with new clients takes a second
    before, strangers = resources(lab, client)
    _print(lab, before, strangers)
    if chosen["cloud"] == "aws" and not yes and before:
        raise LabkitError(
            f"{len(before)} resources in your AWS account would be deleted; call cleanup(yes=True) to do it"
        )
    patience = PATIENCE[chosen["cloud"]] if timeout is None else timeout
    deadline = time.monotonic() + patience
    later = _delete_all(lab, before, client, deadline=deadline, pause=PAUSE[chosen["cloud"]]) if before else []
    for one in later:
        print(f"AWS itself removes within 48 hours: the unconfirmed {one.kind} {one.name} of {one.parent}")
    # What is built from now on is new, not as old as what has just gone: the janitor goes by that age.
    progress_file.change(lambda kept: kept["labs"].pop(f"{chosen['cloud']}/{lab}", None))
    print(f"0 resources left of lab {lab}")
    return as_table(before)


def _print(lab: str, found: list[Resource], strangers: list[Resource]) -> None:
    if found:
        print(f"lab {lab}: {len(found)} to delete, in this order")
    for number, one in enumerate(in_order(found), 1):
        print(f"{number:3} {one.kind:<21} {one.name}")
    if not found:
        print(f"nothing exists of lab {lab}")
    for one in strangers:
        print(f"left alone: {one.kind} {one.name} has the lab's name but not the tag {TAG}={lab}")


def in_order(found: list[Resource]) -> list[Resource]:
    """Return *found* in an order that AWS accepts: what sends before what receives, contents before containers."""
    kinds = list(DELETERS)
    return sorted(found, key=lambda one: (kinds.index(one.kind), one))


def _delete_all(lab: str, before: list[Resource], client: Client, *, deadline: float, pause: float) -> list[Resource]:
    """Delete until a look finds nothing; return the unconfirmed subscriptions, which nobody can delete."""
    # A stage's log group is found through its API only, so it must be remembered while the API still stands.
    groups = {one for one in before if one.kind == "log group"}
    left = before
    while True:
        for one in in_order(list({*left, *groups})):
            if one.id != PENDING:
                _tolerant(DELETERS[one.kind], client, one)
        found = resources(lab, client)[0]
        later, left = [one for one in found if one.id == PENDING], [one for one in found if one.id != PENDING]
        if not left:
            return later
        if time.monotonic() > deadline:
            table = as_table(left).to_string(index=False)
            raise LabkitError(
                f"these of lab {lab} are still there; run cleanup() again in a minute:\n{table}\n"
                "see docs/troubleshooting.md#still-there"
            )
        time.sleep(pause)


def _tolerant(delete: Callable[[Client, Resource], object], client: Client, one: Resource) -> None:
    try:
        delete(client, one)
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE | BUSY:
            raise


def old_labs(older_than: timedelta) -> list[str]:
    """Return the labs whose youngest resource is older than *older_than*, by the tag ``labkit:created-at``.

    A lab without any such tag has no known age and is not among them.
    """
    client: Client = functools.cache(boto3.client)
    youngest: dict[str, datetime] = {}
    for one in everything(client):
        tags = {} if one.kind in PARENTS else tags_of(client, one)
        if TAG in tags and (made := _moment(tags.get(CREATED_AT, ""))):
            youngest[tags[TAG]] = max(made, youngest.get(tags[TAG], made))
    limit = datetime.now(UTC) - older_than
    return sorted(lab for lab, made in youngest.items() if made < limit)


def _moment(text: str) -> datetime | None:
    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        return None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def _target(client: Client, one: Resource) -> None:
    bus, _, rule = one.parent.rpartition("/")
    client("events").remove_targets(Rule=rule, EventBusName=bus or "default", Ids=[one.id])


def _rule(client: Client, one: Resource) -> None:
    bus, _, rule = one.id.rpartition("/")
    client("events").delete_rule(Name=rule, EventBusName=bus or "default")


def _trail(client: Client, one: Resource) -> None:
    client("cloudtrail").stop_logging(Name=one.id)
    client("cloudtrail").delete_trail(Name=one.id)


def _usage_plan(client: Client, one: Resource) -> None:
    gateway = client("apigateway")
    for key in gateway.get_usage_plan_keys(usagePlanId=one.id, limit=500)["items"]:
        gateway.delete_usage_plan_key(usagePlanId=one.id, keyId=key["id"])
    for stage in gateway.get_usage_plan(usagePlanId=one.id).get("apiStages", []):
        remove = {"op": "remove", "path": "/apiStages", "value": f"{stage['apiId']}:{stage['stage']}"}
        gateway.update_usage_plan(usagePlanId=one.id, patchOperations=[remove])
    gateway.delete_usage_plan(usagePlanId=one.id)


def _role(client: Client, one: Resource) -> None:
    _take_role_off_account(client, one.id)
    iam = client("iam")
    for policy in iam.list_role_policies(RoleName=one.id)["PolicyNames"]:
        iam.delete_role_policy(RoleName=one.id, PolicyName=policy)
    for policy in iam.list_attached_role_policies(RoleName=one.id)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=one.id, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=one.id)


def _take_role_off_account(client: Client, role: str) -> None:
    """Leave the account without a role for API Gateway's logs, where it has the one that goes; any other one stays."""
    gateway = client("apigateway")
    if str(gateway.get_account().get("cloudwatchRoleArn") or "").endswith(f":role/{role}"):
        gateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn"}])


def _bucket(client: Client, one: Resource) -> None:
    s3 = client("s3")
    s3.delete_bucket_policy(Bucket=one.id)  # it may forbid what follows
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=one.id):
        found = [
            {"Key": v["Key"], "VersionId": v["VersionId"]}
            for v in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        ]
        if found:
            s3.delete_objects(Bucket=one.id, Delete={"Objects": found, "Quiet": True})
    s3.delete_bucket(Bucket=one.id)


# The order is that of deletion.
DELETERS: dict[str, Callable[[Client, Resource], object]] = {
    "target": _target,
    "rule": _rule,
    "event bus": lambda client, one: client("events").delete_event_bus(Name=one.id),
    "trail": _trail,
    "subscription": lambda client, one: client("sns").unsubscribe(SubscriptionArn=one.id),
    "topic": lambda client, one: client("sns").delete_topic(TopicArn=one.id),
    "usage plan": _usage_plan,
    "API key": lambda client, one: client("apigateway").delete_api_key(apiKey=one.id),
    "REST API": lambda client, one: client("apigateway").delete_rest_api(restApiId=one.id),
    "event source mapping": lambda client, one: client("lambda").delete_event_source_mapping(UUID=one.id),
    "function": lambda client, one: client("lambda").delete_function(FunctionName=one.id),
    "table": lambda client, one: client("dynamodb").delete_table(TableName=one.id),
    "data stream": lambda client, one: client("kinesis").delete_stream(StreamName=one.id, EnforceConsumerDeletion=True),
    "queue": lambda client, one: client("sqs").delete_queue(QueueUrl=one.id),
    "bucket": _bucket,
    "role": _role,
    "log group": lambda client, one: client("logs").delete_log_group(logGroupName=one.id),
}
