"""Deploy the application with troubled functions, send visits while faults happen, and find every one of them again."""

from __future__ import annotations

import email
import email.policy
import html
import http.client
import io
import itertools
import json
import re
import threading
import time
import urllib.request
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from labkit.bench.deployment import FUNCTIONS, deploy_api, deploy_functions
from labkit.bench.targets import Target
from tests.bench.faults.report import Report
from tests.bench.faults.troublemakers import (
    DISK_CAN_BE_FILLED,
    Relay,
    Trouble,
    disk_full,
    kill_functions,
    leave_early,
    making,
    read_slowly,
    relay_down,
    visit_body,
)  # fmt: skip
from tests.conftest import REPOSITORY, start_local_cloud, stop_local_cloud

KINDS = ("hangs", "raises", "exits", "exits_afterwards", "leaks", "forks", "prints", "dawdles")
PLACES = ("sender", "handler", "lake")
LEAST = 20
TIMEOUT = 2


class Application:
    """The pipeline from the API to the lake, a dead-letter queue, a failure destination and a topic with a reader."""

    def __init__(self, target: Target, counts: Path) -> None:
        self.target, self.s3, self.sqs = target, target.client("s3"), target.client("sqs")
        for bucket in ("lake", "failed"):
            self.s3.create_bucket(Bucket=bucket)
        self.s3.put_object(Bucket="failed", Key="large", Body=bytes(8 * 2**20))
        signed = target.client("s3", signature_version="s3v4")
        self.large = signed.generate_presigned_url("get_object", {"Bucket": "failed", "Key": "large"})
        self.dlq = self.sqs.create_queue(QueueName="dlq")["QueueUrl"]
        redrive = {"deadLetterTargetArn": self._arn(self.dlq), "maxReceiveCount": 6}
        attributes = {"VisibilityTimeout": str(3 * TIMEOUT), "RedrivePolicy": json.dumps(redrive)}
        self.queue = self.sqs.create_queue(QueueName="visits", Attributes=attributes)["QueueUrl"]
        table = target.client("dynamodb").create_table(
            TableName="visits", KeySchema=[{"AttributeName": "ProductVisitKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "ProductVisitKey", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )["TableDescription"]  # fmt: skip
        arns = self._functions(counts)
        functions, partial = target.client("lambda"), {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
        functions.create_event_source_mapping(
            EventSourceArn=self._arn(self.queue), FunctionName=FUNCTIONS[1], BatchSize=5, **partial
        )
        functions.create_event_source_mapping(
            EventSourceArn=table["LatestStreamArn"], FunctionName=FUNCTIONS[2], StartingPosition="TRIM_HORIZON",
            BatchSize=50, BisectBatchOnFunctionError=True, MaximumRetryAttempts=10,
            DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::failed"}}, **partial,
        )  # fmt: skip
        self.url = target.api_url(deploy_api(target, arns[FUNCTIONS[0]]))

    def _arn(self, url: str) -> str:
        return self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def _functions(self, counts: Path) -> dict[str, str]:
        variables = {"QUEUE_URL": self.queue, "TABLE_NAME": "visits", "BUCKET_NAME": "lake", "COUNTS": str(counts)}
        arns = deploy_functions(self.target, {name: _troubled(name) for name in FUNCTIONS}, variables)
        functions = self.target.client("lambda")
        for name, place in zip(FUNCTIONS, PLACES, strict=True):
            functions.update_function_configuration(
                FunctionName=name, Timeout=TIMEOUT, Environment={"Variables": variables | {"PLACE": place}}
            )
            functions.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
        return arns

    def topic_with_a_reader(self, relay: Relay) -> str:
        """A topic whose subscriber has confirmed by the link in the mail."""
        sns = self.target.client("sns")
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ada@example.com")
        deadline = time.monotonic() + 10
        while not relay.mails and time.monotonic() < deadline:
            time.sleep(0.02)
        mail = email.message_from_bytes(relay.mails[0], policy=email.policy.default)
        link = re.search(r"http://[^\s<>\"]+/sns/confirm[^\s<>\"]+", mail.get_body(("plain", "html")).get_content())
        assert link, mail
        with urllib.request.urlopen(html.unescape(link[0])) as answer:
            answer.read()
        return topic

    def in_the_lake(self) -> Iterator[dict[str, str]]:
        """Every visit in the lake, read anew."""
        for key in self._keys("lake"):
            yield from map(json.loads, self.s3.get_object(Bucket="lake", Key=key)["Body"].read().splitlines())

    def in_the_failure_destination(self) -> Iterator[dict[str, str]]:
        """Every visit whose record Lambda gave up."""
        for key in self._keys("failed"):
            if key != "large":
                found = json.loads(self.s3.get_object(Bucket="failed", Key=key)["Body"].read())
                for record in found["payload"]["Records"]:
                    image = record["dynamodb"]["NewImage"]
                    yield {name: next(iter(value.values())) for name, value in image.items()}

    def _keys(self, bucket: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def take_dead_letters(self) -> Iterator[dict[str, str]]:
        """Receive and delete what lies in the dead-letter queue."""
        while messages := self.sqs.receive_message(QueueUrl=self.dlq, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                yield json.loads(message["Body"])
                self.sqs.delete_message(QueueUrl=self.dlq, ReceiptHandle=message["ReceiptHandle"])

    def waiting(self) -> int:
        """How many messages are in the queue."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        return sum(map(int, attributes.values()))


def _troubled(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.write(REPOSITORY / "lambdas" / name / "lambda_function.py", "application.py")
        archive.write(Path(__file__).with_name("troubled_function.py"), "lambda_function.py")
    return buffer.getvalue()


def categories(visits: int) -> list[str]:
    """What is to happen to each visit: each trouble in each place, and one in a hundred that cannot be read."""
    each = max(LEAST // 2, visits // 300)
    troubles = [f"fault {place} {kind} {n}" for n in range(each) for kind in KINDS for place in PLACES]
    spoiled = ["poison", "sour"] * (visits // 200)
    plain = ["Shoes"] * (visits - len(troubles) - len(spoiled))
    mixed = [*troubles, *spoiled, *plain]
    step = next(step for step in (997, 991, 983) if len(mixed) % step)  # prime to the length: every visit, mixed
    return [mixed[n * step % len(mixed)] for n in range(len(mixed))]


class Senders:
    """Clients that send visits, one after the other on a connection, and note the receipts."""

    def __init__(self, url: str) -> None:
        self._address, self.receipts, self.unheard = urlsplit(url), set[str](), set[str]()
        self._lock, self._numbers = threading.Lock(), itertools.count()

    def send(self, chosen: list[str], threads: int = 12) -> None:
        """Send one visit of each category."""
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(self._send_some, [chosen[n::threads] for n in range(threads)]))

    def left(self) -> bytes:
        """A visit whose client will not hear the answer."""
        customer = f"left-{next(self._numbers)}"
        self.unheard.add(customer)
        return visit_body(customer)

    def _send_some(self, chosen: list[str]) -> None:
        connection = http.client.HTTPConnection(self._address.hostname, self._address.port, timeout=60)
        for category in chosen:
            customer = f"C-{next(self._numbers)}"
            connection.request("POST", self._address.path, visit_body(customer, category))
            response = connection.getresponse()
            body = response.read()
            with self._lock:
                if response.status == 202:
                    self.receipts.add(json.loads(body)["ProductVisitKey"])
                else:
                    self.unheard.add(customer)
        connection.close()


def under_faults(folder: Path, visits: int) -> Report:
    """Send *visits* under faults, wait until all is quiet, and tell where each visit is."""
    relay, counts = Relay(), folder / "counts"
    counts.mkdir()
    process, described = start_local_cloud(folder / "state", "--smtp", f"127.0.0.1:{relay.port}", "--time-scale", "600")
    try:
        target = Target(
            "labkit", psutil.Process(process.pid), described["endpoint"], described["access_key"],
            described["secret_key"], 0.0, lambda api: f"{described['endpoint']}/_aws/execute-api/{api}/prod/visits",
        )  # fmt: skip
        report = _run(Application(target, counts), relay, visits, described["token"])
        assert process.poll() is None, "the local cloud has ended"
    finally:
        stop_local_cloud(process)
        relay.end()
    log = (folder / "state" / "local.log").read_text(encoding="utf-8", errors="replace")
    report.tracebacks = log.count("Traceback (most recent call last)") + log.count("labkit is broken")
    report.faults.update(name.partition("-")[0] for name in (one.name for one in counts.iterdir()))
    return report


def _run(application: Application, relay: Relay, visits: int, token: str) -> Report:
    report, started = Report(), time.monotonic()
    sns, topic = application.target.client("sns"), application.topic_with_a_reader(relay)
    senders, endpoint = Senders(application.url), application.target.endpoint
    large = urlsplit(application.large)
    troubles: dict[Trouble, float] = {
        kill_functions(application.target.process): 0.8,
        leave_early(application.url, senders.left): 0.2,
        read_slowly(endpoint, f"{large.path}?{large.query}"): 0.2,
        read_slowly(endpoint, f"/_labkit/events?labkit-token={token}"): 0.2,
        relay_down(relay, lambda: sns.publish(TopicArn=topic, Message="a bucket was changed")): 0.5,
    }
    if DISK_CAN_BE_FILLED:
        troubles[disk_full(application.target.process.pid)] = 0.5
    with making(troubles, report.faults, LEAST):
        senders.send(categories(visits))
    report.acknowledged = senders.receipts
    found: dict[str, Any] = {}
    deadline = time.monotonic() + 60 + visits / 50
    while time.monotonic() < deadline:
        dead = [*application.take_dead_letters()]
        report.dead.update(visit["ProductVisitKey"] for visit in dead)
        lake, failed = [*application.in_the_lake()], [*application.in_the_failure_destination()]
        found |= {visit["ProductVisitKey"]: visit for visit in [*dead, *lake, *failed]}
        if senders.receipts <= found.keys() and not application.waiting():
            break
        time.sleep(0.5)
    time.sleep(1)
    failed = [*application.in_the_failure_destination()]
    report.dead.update(visit["ProductVisitKey"] for visit in [*application.take_dead_letters(), *failed])
    report.lake = Counter(visit["ProductVisitKey"] for visit in application.in_the_lake())
    report.unheard = {key for key, visit in found.items() if visit["CustomerId"] in senders.unheard}
    report.mails, report.seconds = len(relay.mails) - 1, time.monotonic() - started
    return report
