"""Mixed load with a clean-up each minute: ``python -m tests.bench.soak --minutes 30``.

After each clean-up, and with the clients' connections closed, memory, descriptors and processes of the local cloud are
measured: what grows from one minute to the next is a leak.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from botocore.exceptions import ClientError

from labkit.bench.deployment import FUNCTIONS, deploy, packages
from labkit.bench.targets import Target
from labkit.bench.visits import connect, post
from tests.conftest import start_local_cloud, stop_local_cloud, wait_for

SERVICES = ("s3", "sqs", "dynamodb", "lambda", "iam", "sns", "events", "cloudtrail", "apigateway", "logs", "kinesis")


@dataclass(frozen=True, slots=True)
class Sample:
    """The local cloud after a clean-up; *memory* is MiB, *processes* its children."""

    seconds: float
    visits: int
    memory: float
    descriptors: int
    processes: int

    def __str__(self) -> str:
        return (
            f"{self.seconds / 60:5.1f} min {self.visits:8} visits {self.memory:7.1f} MiB "
            f"{self.descriptors:4} descriptors {self.processes:3} processes"
        )


class Load:
    """One minute of everything: the application, its audit chain, and calls by hand."""

    def __init__(self, target: Target, zips: dict[str, bytes], token: str) -> None:
        self.target, self._zips, self._token = target, zips, token
        self.clients = {name: target.client(name) for name in SERVICES}
        self.visits = 0

    def run(self, seconds: float) -> None:
        """Build, use for *seconds* what was built, and remove all of it."""
        api, lake = deploy(self.target, self._zips)
        self._audit(lake)
        end = time.monotonic() + seconds
        jobs: list[Callable[[], None]] = [self._visits(api), self._visits(api), self._by_hand(lake), self._watch()]
        threads = [threading.Thread(target=_until, args=(end, job)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.remove_everything()

    def _audit(self, lake: str) -> None:
        """Changes of buckets become mail and a queued message; a function is invoked for each, and fails."""
        one = self.clients
        topic = one["sns"].create_topic(Name="alerts")["TopicArn"]
        one["sns"].subscribe(TopicArn=topic, Protocol="email", Endpoint="ada@example.com")
        pattern = json.dumps({"source": ["aws.s3"], "detail-type": ["AWS API Call via CloudTrail"]})
        one["events"].put_rule(Name="changes", EventPattern=pattern)
        function = one["lambda"].get_function(FunctionName=FUNCTIONS[1])["Configuration"]["FunctionArn"]
        one["events"].put_targets(Rule="changes", Targets=[{"Id": "t", "Arn": topic}, {"Id": "f", "Arn": function}])
        one["lambda"].add_permission(
            FunctionName=function,
            StatementId="events",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
        )
        statement = {
            "Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": ["s3:GetBucketAcl", "s3:PutObject"],
            "Resource": [f"arn:aws:s3:::{lake}", f"arn:aws:s3:::{lake}/*"],
        }  # fmt: skip
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        one["s3"].put_bucket_policy(Bucket=lake, Policy=policy)
        one["cloudtrail"].create_trail(Name="trail", S3BucketName=lake)
        one["cloudtrail"].start_logging(Name="trail")
        one["kinesis"].create_stream(StreamName="clicks", ShardCount=1)

    def _visits(self, api: str) -> Callable[[], None]:
        url = self.target.api_url(api)

        def job() -> None:
            connection = connect(url)
            for number in range(20):
                post(connection, url, number)
                self.visits += 1
                time.sleep(0.03)
            connection.close()

        return job

    def _by_hand(self, lake: str) -> Callable[[], None]:
        one = self.clients

        def job() -> None:
            url = one["sqs"].create_queue(QueueName="by-hand")["QueueUrl"]
            for number in range(10):
                one["s3"].put_object(Bucket=lake, Key=f"by-hand/{number}", Body=bytes(100_000))
                one["sqs"].send_message(QueueUrl=url, MessageBody="x" * 50_000)
                one["kinesis"].put_record(StreamName="clicks", Data=bytes(10_000), PartitionKey=str(number))
            for message in one["sqs"].receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                one["sqs"].delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            one["s3"].list_objects_v2(Bucket=lake)
            one["s3"].delete_objects(Bucket=lake, Delete={"Objects": [{"Key": f"by-hand/{n}"} for n in range(10)]})
            one["s3"].put_bucket_tagging(Bucket=lake, Tagging={"TagSet": [{"Key": "changed", "Value": "again"}]})
            one["lambda"].invoke(FunctionName=FUNCTIONS[2], InvocationType="Event", Payload=b'{"Records": [{}]}')
            one["lambda"].invoke(FunctionName=FUNCTIONS[0], Payload=b"{}")["Payload"].read()
            one["logs"].filter_log_events(logGroupName=f"/aws/lambda/{FUNCTIONS[0]}", limit=50)
            one["cloudtrail"].lookup_events(MaxResults=10)
            with contextlib.suppress(ClientError):
                one["dynamodb"].get_item(TableName="missing", Key={"k": {"S": "x"}})
            time.sleep(0.2)

        return job

    def _watch(self) -> Callable[[], None]:
        """Open the live map's stream, read a little and leave."""

        def job() -> None:
            address = self.target.endpoint.removeprefix("http://")
            connection = http.client.HTTPConnection(address, timeout=5)
            connection.request("GET", "/_labkit/events", headers={"X-Labkit-Token": self._token})
            connection.getresponse().read(200)
            connection.close()
            time.sleep(0.5)

        return job

    def remove_everything(self) -> None:
        """Delete all that there is."""
        one = self.clients
        for mapping in one["lambda"].list_event_source_mappings()["EventSourceMappings"]:
            one["lambda"].delete_event_source_mapping(UUID=mapping["UUID"])
        for api in one["apigateway"].get_rest_apis()["items"]:
            one["apigateway"].delete_rest_api(restApiId=api["id"])
        for function in one["lambda"].list_functions()["Functions"]:
            one["lambda"].delete_function(FunctionName=function["FunctionName"])
        for rule in one["events"].list_rules()["Rules"]:
            targets = one["events"].list_targets_by_rule(Rule=rule["Name"])["Targets"]
            one["events"].remove_targets(Rule=rule["Name"], Ids=[target["Id"] for target in targets])
            one["events"].delete_rule(Name=rule["Name"])
        for trail in one["cloudtrail"].describe_trails()["trailList"]:
            one["cloudtrail"].delete_trail(Name=trail["TrailARN"])
        for topic in one["sns"].list_topics()["Topics"]:
            one["sns"].delete_topic(TopicArn=topic["TopicArn"])
        for url in one["sqs"].list_queues().get("QueueUrls", []):
            one["sqs"].delete_queue(QueueUrl=url)
        for stream in one["kinesis"].list_streams()["StreamNames"]:
            one["kinesis"].delete_stream(StreamName=stream)
        for table in one["dynamodb"].list_tables()["TableNames"]:
            one["dynamodb"].delete_table(TableName=table)
        for bucket in one["s3"].list_buckets()["Buckets"]:
            wait_for(lambda name=bucket["Name"]: self._is_removed(name))
        for role in one["iam"].list_roles()["Roles"]:
            for name in one["iam"].list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
                one["iam"].delete_role_policy(RoleName=role["RoleName"], PolicyName=name)
            one["iam"].delete_role(RoleName=role["RoleName"])
        for group in one["logs"].describe_log_groups()["logGroups"]:
            one["logs"].delete_log_group(logGroupName=group["logGroupName"])

    def _is_removed(self, bucket: str) -> bool:
        """Empty a bucket and delete it; an invocation that was under way may have written to it in between."""
        s3 = self.clients["s3"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            if found := [{"Key": item["Key"]} for item in page.get("Contents", [])]:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": found})
        try:
            s3.delete_bucket(Bucket=bucket)
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "BucketNotEmpty":
                raise
            return False
        return True


def _until(end: float, job: Callable[[], None]) -> None:
    while time.monotonic() < end:
        job()


def soak(
    folder: Path, *, minutes: float, cycle: float, tell: Callable[[Sample], None] = lambda sample: None
) -> list[Sample]:
    """Run cycles of *cycle* seconds for *minutes*; return a sample before the first and after each.

    The first sample is taken after one short cycle, when all is imported.
    """
    process, described = start_local_cloud(folder / "state", "--time-scale", "600")
    samples: list[Sample] = []
    try:
        watched = psutil.Process(process.pid)
        target = Target(
            "labkit", watched, described["endpoint"], described["access_key"], described["secret_key"], 0.0,
            lambda api: f"{described['endpoint']}/_aws/execute-api/{api}/prod/visits",
        )  # fmt: skip
        zips, started, visits = packages("committed"), time.monotonic(), 0
        while not samples or time.monotonic() - started < minutes * 60:
            load = Load(target, zips, described["token"])
            load.run(cycle if samples else 3)
            visits += load.visits
            for client in load.clients.values():
                client.close()
            samples.append(_sample(watched, time.monotonic() - started, visits))
            tell(samples[-1])
    finally:
        stop_local_cloud(process)
    return samples


def _sample(process: psutil.Process, seconds: float, visits: int) -> Sample:
    with contextlib.suppress(TimeoutError):
        wait_for(lambda: not process.children(), timeout=10)
    time.sleep(0.5)
    descriptors = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
    children = process.children(recursive=True)
    memory = sum(one.memory_info().rss for one in [process, *children]) / 2**20
    return Sample(seconds, visits, memory, descriptors, len(children))


def main() -> int:
    """Print each sample; the exit code is 1 when memory grew by more than a tenth since the fifth minute."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--cycle", type=float, default=55, help="seconds of load before each clean-up")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="labkit-soak-") as folder:
        samples = soak(Path(folder), minutes=options.minutes, cycle=options.cycle, tell=print)
    early = next((one for one in samples if one.seconds >= 300), samples[0])
    first, last = samples[0], samples[-1]
    print(f"memory at the end : at {early.seconds / 60:.0f} min = {last.memory / early.memory:.2f}")
    print(f"descriptors {first.descriptors} → {last.descriptors}, processes {first.processes} → {last.processes}")
    return 0 if last.memory <= 1.1 * early.memory and last.descriptors <= first.descriptors + 2 else 1


if __name__ == "__main__":
    sys.exit(main())
