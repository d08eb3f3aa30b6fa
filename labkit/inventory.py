"""What exists of a lab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pandas as pd
from botocore.exceptions import ClientError

from labkit.cloud import settings

Found = tuple[str, str, str]
TAG = "labkit:lab-id"
COLUMNS = ["service", "kind", "name"]


def inventory() -> pd.DataFrame:
    """Return everything that exists of the connected lab.

    A resource belongs to a lab when its name ends with the LAB_ID and it carries the tag ``labkit:lab-id``. What cannot
    carry a tag (log groups, mappings, subscriptions) belongs to the lab by the name of the function or topic it hangs on.

    Returns:
        Columns ``service``, ``kind``, ``name``; no rows when nothing exists.
    """
    everything = (found for source in SOURCES for found in source())
    return pd.DataFrame(sorted(found for found in everything if tagged(found[1], found[2])), columns=COLUMNS)


def tagged(kind: str, name: str) -> bool:
    """Whether a resource carries the lab's tag, or is of a kind that can carry none."""
    read = TAGS_OF.get(kind)
    if read is None:
        return True
    try:
        return read(name).get(TAG) == settings()["lab_id"]
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchTagSet", "NoSuchEntity", "ResourceNotFoundException", "NotFound"):
            return False
        raise


def _pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _arn(service: str, resource: str) -> str:
    chosen = settings()
    return f"arn:aws:{service}:{chosen['region']}:{chosen['account']}:{resource}"


TAGS_OF: dict[str, Callable[[str], dict[str, str]]] = {
    "bucket": lambda name: _pairs(boto3.client("s3").get_bucket_tagging(Bucket=name)["TagSet"]),
    "queue": lambda url: boto3.client("sqs").list_queue_tags(QueueUrl=url).get("Tags", {}),
    "table": lambda name: _pairs(
        boto3.client("dynamodb").list_tags_of_resource(ResourceArn=_arn("dynamodb", f"table/{name}"))["Tags"]
    ),
    "function": lambda name: boto3.client("lambda").list_tags(Resource=_arn("lambda", f"function:{name}"))["Tags"],
    "REST API": lambda api: boto3.client("apigateway").get_rest_api(restApiId=api).get("tags", {}),
    "role": lambda name: _pairs(boto3.client("iam").list_role_tags(RoleName=name)["Tags"]),
    "topic": lambda arn: _pairs(boto3.client("sns").list_tags_for_resource(ResourceArn=arn)["Tags"]),
    "rule": lambda name: _pairs(
        boto3.client("events").list_tags_for_resource(ResourceARN=_arn("events", f"rule/{name}"))["Tags"]
    ),
    "trail": lambda name: _pairs(
        boto3.client("cloudtrail").list_tags(ResourceIdList=[_arn("cloudtrail", f"trail/{name}")])["ResourceTagList"][
            0
        ]["TagsList"]
    ),
}


def mine(name: str) -> bool:
    """Whether a resource's name says that it belongs to the connected lab."""
    chosen = settings()
    return name.endswith(f"-{chosen['lab_id']}") or name.endswith(f"-{chosen['lab_id']}-{chosen['account']}")


def buckets() -> Iterator[Found]:
    """Buckets of the lab."""
    for bucket in boto3.client("s3").list_buckets()["Buckets"]:
        if mine(bucket["Name"]):
            yield "S3", "bucket", bucket["Name"]


def queues() -> Iterator[Found]:
    """Queues of the lab."""
    for page in boto3.client("sqs").get_paginator("list_queues").paginate():
        for url in page.get("QueueUrls", []):
            if mine(url.rpartition("/")[2]):
                yield "SQS", "queue", url


def tables() -> Iterator[Found]:
    """Tables of the lab."""
    for page in boto3.client("dynamodb").get_paginator("list_tables").paginate():
        yield from (("DynamoDB", "table", name) for name in page["TableNames"] if mine(name))


def functions() -> Iterator[Found]:
    """Functions of the lab."""
    for page in boto3.client("lambda").get_paginator("list_functions").paginate():
        yield from (("Lambda", "function", f["FunctionName"]) for f in page["Functions"] if mine(f["FunctionName"]))


def mappings() -> Iterator[Found]:
    """Event source mappings of the lab's functions."""
    for page in boto3.client("lambda").get_paginator("list_event_source_mappings").paginate():
        for mapping in page["EventSourceMappings"]:
            if mine(mapping["FunctionArn"].rpartition(":")[2]):
                yield "Lambda", "event source mapping", mapping["UUID"]


def rest_apis() -> Iterator[Found]:
    """REST APIs of the lab."""
    for page in boto3.client("apigateway").get_paginator("get_rest_apis").paginate():
        yield from (("API Gateway", "REST API", api["id"]) for api in page["items"] if mine(api["name"]))


def roles() -> Iterator[Found]:
    """Roles of the lab."""
    for page in boto3.client("iam").get_paginator("list_roles").paginate():
        yield from (("IAM", "role", role["RoleName"]) for role in page["Roles"] if mine(role["RoleName"]))


def topics() -> Iterator[Found]:
    """Topics of the lab."""
    for page in boto3.client("sns").get_paginator("list_topics").paginate():
        yield from (("SNS", "topic", t["TopicArn"]) for t in page["Topics"] if mine(t["TopicArn"].rpartition(":")[2]))


def subscriptions() -> Iterator[Found]:
    """Subscriptions to the lab's topics."""
    for page in boto3.client("sns").get_paginator("list_subscriptions").paginate():
        for one in page["Subscriptions"]:
            if mine(one["TopicArn"].rpartition(":")[2]):
                yield "SNS", f"subscription ({one['Protocol']} {one['Endpoint']})", one["SubscriptionArn"]


def rules() -> Iterator[Found]:
    """Rules of the lab."""
    for rule in boto3.client("events").list_rules()["Rules"]:
        if mine(rule["Name"]):
            yield "EventBridge", "rule", rule["Name"]


def trails() -> Iterator[Found]:
    """Trails of the lab."""
    for trail in boto3.client("cloudtrail").describe_trails()["trailList"]:
        if mine(trail["Name"]):
            yield "CloudTrail", "trail", trail["Name"]


def log_groups() -> Iterator[Found]:
    """Log groups that Lambda made for the lab's functions; they carry no tag."""
    for page in boto3.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/lambda/"):
        yield from (
            ("CloudWatch Logs", "log group", g["logGroupName"]) for g in page["logGroups"] if mine(g["logGroupName"])
        )


SOURCES: list[Callable[[], Iterator[Any]]] = [
    buckets, queues, tables, functions, mappings, rest_apis, roles, topics, subscriptions, rules, trails, log_groups,
]  # fmt: skip
