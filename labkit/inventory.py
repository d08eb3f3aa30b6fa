"""What exists of a lab: found by its tag, and what can carry no tag by the name of what it hangs on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pandas as pd
from botocore.exceptions import ClientError

from labkit.cloud import settings

TAG, CREATED_AT = "labkit:lab-id", "labkit:created-at"
COLUMNS = ["service", "kind", "name", "found by"]
NO_TAGS = {"NoSuchTagSet", "NoSuchEntity", "ResourceNotFoundException", "NotFound", "NotFoundException"}
EXECUTION_LOGS = "API-Gateway-Execution-Logs_"
Client = Callable[[str], Any]


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """One thing in the account.

    *id* is what AWS's delete call wants; *parent* names what a thing without a tag hangs on.
    """

    service: str
    kind: str
    name: str
    id: str
    parent: str = ""

    @property
    def last_name(self) -> str:
        """The name that says to which lab it belongs."""
        return self.parent or self.name


def inventory(*, lab_id: str | None = None) -> pd.DataFrame:
    """Return everything that exists of a lab.

    A resource belongs to a lab when its name ends with the LAB_ID and it carries the tag ``labkit:lab-id``. What cannot
    carry a tag (mappings, subscriptions, targets), or what Lambda makes without one (log groups), belongs to the lab by
    the name of the function, topic or rule that it hangs on.

    Args:
        lab_id: Another lab than the connected one, such as ``"lab-tour"``.

    Returns:
        Columns ``service``, ``kind``, ``name``, ``found by``; no rows when nothing exists.
    """
    return as_table(resources(lab_id or settings()["lab_id"])[0])


def as_table(found: list[Resource]) -> pd.DataFrame:
    """Return *found* as the table that :func:`inventory` promises."""
    rows = [(one.service, one.kind, one.name, _found_by(one)) for one in sorted(found)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _found_by(resource: Resource) -> str:
    if resource.name.startswith(EXECUTION_LOGS):
        return "its REST API"
    return f"its {PARENTS[resource.kind]}" if resource.kind in PARENTS else "tag"


def resources(lab_id: str, client: Client | None = None) -> tuple[list[Resource], list[Resource]]:
    """Return what belongs to a lab, and what has its name but not its tag."""
    client = client or functools.cache(boto3.client)
    named = [one for one in everything(client) if belongs(one.last_name, lab_id)]
    parents = [one for one in named if one.kind not in PARENTS]
    mine = [one for one in parents if tags_of(client, one).get(TAG) == lab_id]
    strangers = {(one.kind, one.name) for one in parents if one not in mine}
    # A child whose parent has gone already is ours by its name; one of a stranger is the stranger's.
    mine += [one for one in named if one.kind in PARENTS and (PARENTS[one.kind], one.parent) not in strangers]
    apis = {one.id for one in mine if one.kind == "REST API"}
    mine += [group for group in execution_log_groups(client) if group.parent in apis]
    return mine, [one for one in named if one not in mine]


def belongs(name: str, lab_id: str) -> bool:
    """Whether a resource's name says that it belongs to a lab."""
    return name.endswith((f"-{lab_id}", f"-{lab_id}-{settings()['account']}"))


def everything(client: Client) -> Iterator[Resource]:
    """Yield everything in the account of the kinds that a notebook makes, of whatever lab."""
    for source in SOURCES:
        yield from source(client)


def tags_of(client: Client, resource: Resource) -> dict[str, str]:
    """Return the tags of a resource; none when it has gone meanwhile."""
    try:
        return dict(TAGS_OF[resource.kind](client, resource))
    except ClientError as error:
        if error.response["Error"]["Code"] in NO_TAGS:
            return {}
        raise


def _pairs(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _arn(service: str, resource: str) -> str:
    chosen = settings()
    return f"arn:aws:{service}:{chosen['region']}:{chosen['account']}:{resource}"


def buckets(client: Client) -> Iterator[Resource]:
    """Buckets."""
    for bucket in client("s3").list_buckets()["Buckets"]:
        yield Resource("S3", "bucket", bucket["Name"], bucket["Name"])


def queues(client: Client) -> Iterator[Resource]:
    """Queues."""
    for page in client("sqs").get_paginator("list_queues").paginate():
        for url in page.get("QueueUrls", []):
            yield Resource("SQS", "queue", url.rpartition("/")[2], url)


def tables(client: Client) -> Iterator[Resource]:
    """Tables."""
    for page in client("dynamodb").get_paginator("list_tables").paginate():
        yield from (Resource("DynamoDB", "table", name, name) for name in page["TableNames"])


def data_streams(client: Client) -> Iterator[Resource]:
    """Kinesis streams."""
    for page in client("kinesis").get_paginator("list_streams").paginate():
        yield from (Resource("Kinesis", "data stream", name, name) for name in page["StreamNames"])


def functions(client: Client) -> Iterator[Resource]:
    """Functions."""
    for page in client("lambda").get_paginator("list_functions").paginate():
        for one in page["Functions"]:
            yield Resource("Lambda", "function", one["FunctionName"], one["FunctionName"])


def mappings(client: Client) -> Iterator[Resource]:
    """Event source mappings; one outlives its function and its source."""
    for page in client("lambda").get_paginator("list_event_source_mappings").paginate():
        for one in page["EventSourceMappings"]:
            function = one["FunctionArn"].split(":function:")[-1].split(":")[0]
            source = one["EventSourceArn"].split(":", 5)[-1].removeprefix("table/").removeprefix("stream/")
            name = f"{source.split('/')[0]} → {function}"
            yield Resource("Lambda", "event source mapping", name, one["UUID"], function)


def rest_apis(client: Client) -> Iterator[Resource]:
    """REST APIs."""
    for page in client("apigateway").get_paginator("get_rest_apis").paginate():
        yield from (Resource("API Gateway", "REST API", api["name"], api["id"]) for api in page["items"])


def usage_plans(client: Client) -> Iterator[Resource]:
    """Usage plans."""
    for page in client("apigateway").get_paginator("get_usage_plans").paginate():
        yield from (Resource("API Gateway", "usage plan", plan["name"], plan["id"]) for plan in page["items"])


def api_keys(client: Client) -> Iterator[Resource]:
    """API keys."""
    for page in client("apigateway").get_paginator("get_api_keys").paginate():
        yield from (Resource("API Gateway", "API key", key.get("name", ""), key["id"]) for key in page["items"])


def roles(client: Client) -> Iterator[Resource]:
    """Roles."""
    for page in client("iam").get_paginator("list_roles").paginate():
        yield from (Resource("IAM", "role", role["RoleName"], role["RoleName"]) for role in page["Roles"])


def topics(client: Client) -> Iterator[Resource]:
    """Topics."""
    for page in client("sns").get_paginator("list_topics").paginate():
        for topic in page["Topics"]:
            yield Resource("SNS", "topic", topic["TopicArn"].rpartition(":")[2], topic["TopicArn"])


def subscriptions(client: Client) -> Iterator[Resource]:
    """Subscriptions; one that waits for its confirmation has the word PendingConfirmation in place of an ARN."""
    for page in client("sns").get_paginator("list_subscriptions").paginate():
        for one in page["Subscriptions"]:
            name, topic = f"{one['Protocol']} to {one['Endpoint']}", one["TopicArn"].rpartition(":")[2]
            yield Resource("SNS", "subscription", name, one["SubscriptionArn"], topic)


def event_buses(client: Client) -> Iterator[Resource]:
    """Event buses that somebody made, and the rules of all buses with their targets.

    A rule's name is unique on its bus only: other buses than the default one stand before it, as in its ARN.
    """
    asked: dict[str, str] | None = {}
    while asked is not None:
        page = client("events").list_event_buses(**asked)
        for bus in page["EventBuses"]:
            if bus["Name"] != "default":
                yield Resource("EventBridge", "event bus", bus["Name"], bus["Name"])
            yield from rules(client, bus["Name"])
        asked = {"NextToken": page["NextToken"]} if "NextToken" in page else None


def rules(client: Client, bus: str) -> Iterator[Resource]:
    """Rules of a bus, and their targets."""
    events = client("events")
    for page in events.get_paginator("list_rules").paginate(EventBusName=bus):
        for rule in page["Rules"]:
            rule_id = rule["Name"] if bus == "default" else f"{bus}/{rule['Name']}"
            yield Resource("EventBridge", "rule", rule_id, rule_id)
            for target in events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)["Targets"]:
                name = f"{rule_id} → {target['Arn'].rpartition(':')[2]}"
                yield Resource("EventBridge", "target", name, target["Id"], rule_id)


def trails(client: Client) -> Iterator[Resource]:
    """Trails."""
    for trail in client("cloudtrail").describe_trails(includeShadowTrails=False)["trailList"]:
        yield Resource("CloudTrail", "trail", trail["Name"], trail["Name"])


def log_groups(client: Client) -> Iterator[Resource]:
    """Log groups that Lambda made for functions; they carry no tag and outlive the function."""
    for page in client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/lambda/"):
        for group in page["logGroups"]:
            name = group["logGroupName"]
            yield Resource("CloudWatch Logs", "log group", name, name, name.rpartition("/")[2])


def execution_log_groups(client: Client) -> Iterator[Resource]:
    """Log groups that API Gateway made for stages; they are named after the API's id."""
    for page in client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=EXECUTION_LOGS):
        for group in page["logGroups"]:
            name = group["logGroupName"]
            api = name.removeprefix(EXECUTION_LOGS).partition("/")[0]
            yield Resource("CloudWatch Logs", "log group", name, name, api)


SOURCES: list[Callable[[Client], Iterator[Resource]]] = [
    buckets, queues, tables, data_streams, functions, mappings, rest_apis, usage_plans, api_keys, roles, topics,
    subscriptions, event_buses, trails, log_groups,
]  # fmt: skip

# What carries no tag of its own, and what its name hangs on.
PARENTS = {
    "event source mapping": "function",
    "subscription": "topic",
    "target": "rule",
    "log group": "function",
}

TAGS_OF: dict[str, Callable[[Client, Resource], dict[str, str]]] = {
    "bucket": lambda client, one: _pairs(client("s3").get_bucket_tagging(Bucket=one.id)["TagSet"]),
    "queue": lambda client, one: client("sqs").list_queue_tags(QueueUrl=one.id).get("Tags", {}),
    "table": lambda client, one: _pairs(
        client("dynamodb").list_tags_of_resource(ResourceArn=_arn("dynamodb", f"table/{one.id}"))["Tags"]
    ),
    "data stream": lambda client, one: _pairs(client("kinesis").list_tags_for_stream(StreamName=one.id)["Tags"]),
    "function": lambda client, one: client("lambda").list_tags(Resource=_arn("lambda", f"function:{one.id}"))["Tags"],
    "REST API": lambda client, one: client("apigateway").get_rest_api(restApiId=one.id).get("tags", {}),
    "usage plan": lambda client, one: client("apigateway").get_usage_plan(usagePlanId=one.id).get("tags", {}),
    "API key": lambda client, one: client("apigateway").get_api_key(apiKey=one.id).get("tags", {}),
    "role": lambda client, one: _pairs(client("iam").list_role_tags(RoleName=one.id)["Tags"]),
    "topic": lambda client, one: _pairs(client("sns").list_tags_for_resource(ResourceArn=one.id)["Tags"]),
    "event bus": lambda client, one: _pairs(
        client("events").list_tags_for_resource(ResourceARN=_arn("events", f"event-bus/{one.id}"))["Tags"]
    ),
    "rule": lambda client, one: _pairs(
        client("events").list_tags_for_resource(ResourceARN=_arn("events", f"rule/{one.id}"))["Tags"]
    ),
    "trail": lambda client, one: _pairs(
        client("cloudtrail").list_tags(ResourceIdList=[_arn("cloudtrail", f"trail/{one.id}")])["ResourceTagList"][0][
            "TagsList"
        ]
    ),
}
