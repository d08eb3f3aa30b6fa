"""The copy of notebook 12 as its checks see it: visits of their own go in, and are looked for at every end."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from typing import Any

import boto3

from labkit.cloud import settings
from labkit.endpoints import invoke_url
from labkit.names import name
from labkit.synthetic_visits import visits

SEND, HANDLER, LAKE = "ProductVisitSendDataToQueue", "ProductVisitHandler", "ProductVisitDataLakeHandler"
ORDINARY = 4
# After so many looks in a row in which nothing moved it will not move any more. A busy computer looks slowly, too.
LOOKS = {"local": 6, "endpoint": 12, "aws": 60}
PATIENCE = {"local": 25.0, "endpoint": 60.0, "aws": 180.0}


def client(service: str) -> Any:
    """Return a client without the types of a single service."""
    return boto3.client(service)  # type: ignore[call-overload]


@dataclass
class Found:
    """What came of the check's own visits; *ordinary*, *free* and *yesterday* are receipts."""

    statuses: list[int]
    ordinary: set[str]
    free: str
    yesterday: str
    lake: set[str] = field(default_factory=set)
    table: set[str] = field(default_factory=set)
    dlq: set[str] = field(default_factory=set)
    noted: set[str] = field(default_factory=set)

    @property
    def places(self) -> tuple[set[str], ...]:
        """Every place, for seeing whether something still moves."""
        return self.lake, self.table, self.dlq, self.noted

    @property
    def everywhere(self) -> set[str]:
        """All receipts that were found anywhere."""
        return set().union(*self.places)

    @property
    def sound(self) -> bool:
        """Whether each visit is where it belongs."""
        return self.ordinary <= self.lake and self.free in self.dlq and self.yesterday in self.noted


class BrokenCopy:
    """Reads and visits of the copy, by the names of the connected lab.

    Raises:
        LookupError: The copy, or a part of it, is gone.
    """

    def __init__(self) -> None:
        self.queue = _url("ProductVisitsDataQueue")
        self.dlq, self.failures = _url("ProductVisitsDeadLetterQueue"), _url("ProductVisitsStreamFailures")
        self.table, self.lake = name("ProductVisits"), name("visits-datalake", bucket=True)
        apis = client("apigateway").get_rest_apis(limit=500)["items"]
        self.api = next((one["id"] for one in apis if one["name"] == name("ProductVisits")), "")
        if not self.api:
            raise LookupError("the API")

    def try_visits(self) -> Found:
        """Send four ordinary visits through the API and two odd ones to the queue, and look until nothing moves."""
        sample = visits(ORDINARY + 2, seed=uuid.uuid4().int % 10_000)
        answers = [self._post(visit) for visit in sample[:ORDINARY]]
        odd = [sample[-2] | {"PricePerUnit": "free"}, sample[-1] | {"TimeOfVisit": "yesterday"}]
        receipts = [str(uuid.uuid4()) for _ in odd]
        for visit, receipt in zip(odd, receipts, strict=True):
            body = json.dumps({**visit, "ProductVisitKey": receipt})
            client("sqs").send_message(QueueUrl=self.queue, MessageBody=body)
        accepted = {receipt for _, receipt in answers if receipt}
        free, yesterday = receipts
        found = Found([status for status, _ in answers], accepted, free, yesterday)
        self._watch(found)
        return found

    def _watch(self, found: Found) -> None:
        cloud = settings()["cloud"]
        deadline = time.monotonic() + PATIENCE[cloud]
        still = 0
        while not found.sound and time.monotonic() < deadline:
            before = found.places
            found.lake, found.table = self.in_lake(), self.in_table()
            found.dlq, found.noted = self.on_dlq(), self.noted()
            still = 0 if found.places != before or self.waiting() else still + 1
            if still == LOOKS[cloud]:
                return
            time.sleep(0.2)

    def _post(self, visit: dict[str, str]) -> tuple[int, str]:
        headers = {"Content-Type": "application/json"}
        address = f"{invoke_url(self.api, 'prod', kernel=True)}/visits"
        request = urllib.request.Request(address, json.dumps(visit).encode(), headers)  # noqa: S310  our own API
        try:
            with urllib.request.urlopen(request, timeout=35) as answer:  # noqa: S310
                body = json.loads(answer.read() or b"{}")
                return answer.status, str(body.get("ProductVisitKey", ""))
        except urllib.error.HTTPError as error:
            error.close()
            return error.code, ""

    # --- Places -------------------------------------------------------------------------------------------------------

    def in_lake(self) -> set[str]:
        """Receipts in the lake."""
        s3, found = client("s3"), set()
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=self.lake):
            for one in page.get("Contents", []):
                lines = s3.get_object(Bucket=self.lake, Key=one["Key"])["Body"].read().splitlines()
                found |= {str(json.loads(line)["ProductVisitKey"]) for line in lines}
        return found

    def in_table(self) -> set[str]:
        """Receipts in the table."""
        pages = client("dynamodb").get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        return {item["ProductVisitKey"]["S"] for page in pages for item in page["Items"]}

    def on_dlq(self) -> set[str]:
        """Receipts on the dead-letter queue."""
        bodies = (json.loads(body) for body in _look(self.dlq))
        return {str(body["ProductVisitKey"]) for body in bodies if "ProductVisitKey" in body}

    def noted(self) -> set[str]:
        """Receipts of the records that the stream's mapping gave up: it noted places, the stream has the records."""
        streams, found = client("dynamodbstreams"), set()
        for note in _look(self.failures):
            info = json.loads(note)["DDBStreamBatchInfo"]
            iterator = streams.get_shard_iterator(
                StreamArn=info["streamArn"],
                ShardId=info["shardId"],
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=info["startSequenceNumber"],
            )["ShardIterator"]
            records = streams.get_records(ShardIterator=iterator, Limit=info["batchSize"])["Records"]
            found |= {record["dynamodb"]["Keys"]["ProductVisitKey"]["S"] for record in records}
        return found

    def waiting(self) -> int:
        """How many messages the data queue has, hidden ones too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return sum(int(counts[one]) for one in names)

    # --- Settings -----------------------------------------------------------------------------------------------------

    def mapping(self, function: str) -> dict[str, Any]:
        """The settings of a function's mapping, ``{}`` when it has none."""
        found = client("lambda").list_event_source_mappings(FunctionName=name(function))["EventSourceMappings"]
        return dict(found[0]) if found else {}

    def receives(self) -> int:
        """How often the data queue lets a message be received; 0 when it has no redrive policy."""
        answer = client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=["RedrivePolicy"])
        policy = answer.get("Attributes", {}).get("RedrivePolicy", "")
        return int(json.loads(policy)["maxReceiveCount"]) if policy else 0

    def own_work(self) -> dict[str, tuple[str, str, str]]:
        """For each function its own action, where it must be allowed, and where it must not."""
        chosen = settings()
        place = f"{chosen['region']}:{chosen['account']}"
        queue, table = (
            f"arn:aws:sqs:{place}:{name('ProductVisitsDataQueue')}",
            f"arn:aws:dynamodb:{place}:table/{self.table}",
        )
        other_lake = f"arn:aws:s3:::{self.lake}-other/visits/x.json"
        return {
            SEND: ("sqs:SendMessage", queue, f"{queue}-other"),
            HANDLER: ("dynamodb:BatchWriteItem", table, f"{table}-other"),
            LAKE: ("s3:PutObject", f"arn:aws:s3:::{self.lake}/visits/x.json", other_lake),
        }

    def may(self, function: str, action: str, resource: str) -> bool:
        """Whether a function's role allows an action."""
        role = client("iam").get_role(RoleName=name(function))["Role"]["Arn"]
        answer = client("iam").simulate_principal_policy(
            PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource]
        )
        return bool(answer["EvaluationResults"][0]["EvalDecision"] == "allowed")

    def timeout(self, function: str) -> int:
        """A function's timeout in seconds."""
        return int(client("lambda").get_function_configuration(FunctionName=name(function))["Timeout"])

    def configured_function(self) -> str:
        """The function that POST /visits is configured to call, deployed or not."""
        gateway = client("apigateway")
        items = gateway.get_resources(restApiId=self.api, limit=500)["items"]
        resource = next((one["id"] for one in items if one["path"] == "/visits"), "")
        found = gateway.get_integration(restApiId=self.api, resourceId=resource, httpMethod="POST")
        return str(found.get("uri", "")).rpartition(":function:")[2].partition("/")[0]


def _url(queue: str) -> str:
    sqs = client("sqs")
    try:
        return str(sqs.get_queue_url(QueueName=name(queue))["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist:
        raise LookupError(f"the queue {queue}") from None


def _look(url: str) -> list[str]:
    """Read every message of a queue, then make all of them visible again."""
    sqs = client("sqs")
    seen: dict[str, str] = {}
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=30).get("Messages"):
        seen |= {one["ReceiptHandle"]: one["Body"] for one in messages}
    for handle in seen:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    return list(seen.values())
