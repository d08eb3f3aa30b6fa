"""Measure the local cloud, and a peer beside it in the same run: start, deployment, latency, throughput, memory.

The same zips, byte for byte, run on both. Absolute figures depend on the machine: read the ratios.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import psutil
from botocore.config import Config
from rich.console import Console
from rich.table import Table

from labkit.deployment_package import deployment_package
from labkit.exceptions import LabkitError

FUNCTIONS = ("ProductVisitSendDataToQueue", "ProductVisitHandler", "ProductVisitDataLakeHandler")
LISTING_INTERVAL = 0.25
IDLE_SECONDS = 5
ROLE_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@dataclass(frozen=True, slots=True)
class Target:
    """A cloud under measurement: *process* runs it, *api_url* gives the address of an API's resource."""

    name: str
    process: psutil.Process
    endpoint: str
    access_key: str
    secret_key: str
    start_seconds: float
    api_url: Callable[[str], str]

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client that talks to this cloud and to nothing else; *options* are botocore's for its Config."""
        make: Callable[..., Any] = boto3.client  # its stubs know no service by variable
        return make(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(max_pool_connections=32, proxies={}, **options),
        )


@dataclass(slots=True)
class Figures:
    """What was measured; seconds, milliseconds, visits per second, percent and MiB as the names say.

    *growth* is the cost of a visit among ten times as many, divided by that of the throughput run; 0 if not measured.
    """

    start_s: float
    deploy_s: float = 0.0
    latency_median_ms: float = 0.0
    latency_p95_ms: float = 0.0
    visits_per_s: float = 0.0
    lost: int = 0
    duplicated: int = 0
    memory_mib: float = 0.0
    idle_cpu_percent: float = 0.0
    growth: float = 0.0


def measure(
    variant: str, peer: str | None, *, visits: int = 1000, threads: int = 16, samples: int = 50, growth: bool = False
) -> dict[str, Figures]:
    """Measure labkit, and *peer* if given, one after the other with the same functions.

    Args:
        variant: ``"committed"`` for ``lambdas/``, ``"one-by-one"`` for one PutItem and one PutObject per record.
        peer: ``"ministack"`` or ``None``.
        visits: How many visits the throughput run sends.
        threads: How many clients send them.
        samples: How many single visits the latency is taken from.
        growth: Send ten times as many visits afterwards, to labkit, and compare the cost of one.

    Returns:
        Figures by name of the cloud.
    """
    zips = packages(variant)
    figures = {}
    for start in (labkit_target, *([PEERS[peer]] if peer else [])):
        with start() as target:
            pipeline = measure_target(target, zips, visits, threads, samples)
            if growth and target.name == "labkit":
                pipeline.measure_growth(visits, threads)
            figures[target.name] = pipeline.figures
    return figures


def packages(variant: str) -> dict[str, bytes]:
    """Return the zip of each function."""
    root = Path(__file__).parent.parent
    folders = {name: root / "lambdas" / name for name in FUNCTIONS}
    if variant == "one-by-one":
        for name in FUNCTIONS[1:]:
            folders[name] = root / "tests" / "bench" / "one_by_one" / name
    missing = [str(folder) for folder in folders.values() if not folder.is_dir()]
    if missing:
        raise LabkitError(f"the benchmark needs a checkout of the repository: {missing[0]} is not there")
    return {name: deployment_package(folder) for name, folder in folders.items()}


@contextmanager
def labkit_target() -> Iterator[Target]:
    """A fresh local cloud of labkit."""
    with tempfile.TemporaryDirectory(prefix="labkit-bench-", ignore_cleanup_errors=True) as folder:
        port = _free_port()
        keys = ("AKIABENCH00000000000", uuid.uuid4().hex)
        command = [sys.executable, "-m", "labkit.local", "--port", str(port), "--state-dir", folder]
        command += ["--access-key", keys[0], "--secret-key", keys[1]]
        endpoint = f"http://127.0.0.1:{port}"
        with _process(command, f"{endpoint}/_labkit/health", {}, folder) as (process, seconds):
            yield Target(
                "labkit",
                process,
                endpoint,
                *keys,
                seconds,
                lambda api: f"{endpoint}/_aws/execute-api/{api}/prod/visits",
            )


@contextmanager
def ministack_target() -> Iterator[Target]:
    """A fresh MiniStack (https://pypi.org/project/ministack), a development dependency."""
    with tempfile.TemporaryDirectory(prefix="labkit-bench-peer-", ignore_cleanup_errors=True) as folder:
        port = _free_port()
        endpoint = f"http://127.0.0.1:{port}"
        settings = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1"}
        settings |= {"LOG_LEVEL": "ERROR", "TMPDIR": folder, "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
        with _process([sys.executable, "-m", "ministack"], f"{endpoint}/_ministack/health", settings, folder) as (
            process,
            seconds,
        ):
            yield Target(
                "ministack", process, endpoint, "test", "test", seconds,
                lambda api: f"{endpoint}/restapis/{api}/prod/_user_request_/visits",
            )  # fmt: skip


PEERS = {"ministack": ministack_target}


@contextmanager
def _process(
    command: list[str], health: str, settings: dict[str, str], folder: str
) -> Iterator[tuple[psutil.Process, float]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABKIT_"))}
    started = time.perf_counter()
    with (Path(folder) / "bench.log").open("wb") as log:
        process = psutil.Popen(command, env=environment | settings, stdout=log, stderr=subprocess.STDOUT)
    try:
        while not _healthy(health):
            if process.poll() is not None or time.perf_counter() - started > 30:
                raise LabkitError(f"{' '.join(command[:3])} did not start: {(Path(folder) / 'bench.log').read_text()}")
            time.sleep(0.005)
        yield process, time.perf_counter() - started
    finally:
        children = process.children(recursive=True) if process.is_running() else []
        process.terminate()
        for one in [process, *children]:
            try:
                one.wait(3)
            except psutil.TimeoutExpired:
                one.kill()


def _healthy(url: str) -> bool:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=2)
    try:
        connection.request("GET", address.path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Pipeline:
    """The deployed application under measurement."""

    target: Target
    url: str
    lake: Lake
    figures: Figures

    def send(self, visits: int, threads: int) -> float:
        """Send *visits*, wait until all are in the lake, and return the seconds of one; count what is lost or twice."""
        started = time.perf_counter()
        sent = _send_many(self.url, visits, threads)
        self.lake.wait_for(sent, deadline=max(60.0, visits / 5))
        seconds = time.perf_counter() - started
        self.figures.lost += len(sent - set(self.lake.keys))
        self.figures.duplicated += sum(count - 1 for key, count in self.lake.keys.items() if key in sent)
        return seconds / visits

    def measure_growth(self, visits: int, threads: int) -> None:
        """Compare the cost of a visit among ten times as many with that of the throughput run."""
        self.figures.growth = self.send(10 * visits, threads) * self.figures.visits_per_s


def measure_target(target: Target, zips: dict[str, bytes], visits: int, threads: int, samples: int) -> Pipeline:
    """Deploy the pipeline on *target* and measure it."""
    figures = Figures(start_s=target.start_seconds)
    started = time.perf_counter()
    api, bucket = deploy(target, zips)
    figures.deploy_s = time.perf_counter() - started
    pipeline = Pipeline(target, target.api_url(api), Lake(target.client("s3"), bucket), figures)
    _warm_up(pipeline.url, pipeline.lake)
    latencies = sorted(_one_visit(pipeline.url, pipeline.lake) for _ in range(samples))
    figures.latency_median_ms = statistics.median(latencies)
    figures.latency_p95_ms = latencies[int(len(latencies) * 0.95) - 1]
    figures.idle_cpu_percent = _idle_cpu(target.process)
    figures.visits_per_s = 1 / pipeline.send(visits, threads)
    figures.memory_mib = _memory(target.process)
    return pipeline


def _idle_cpu(process: psutil.Process) -> float:
    """Return the processor time of *process* and its children in per cent of one processor, while nobody calls."""
    time.sleep(1)

    def used() -> float:
        return sum(sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)])

    before = used()
    time.sleep(IDLE_SECONDS)
    return (used() - before) / IDLE_SECONDS * 100


def deploy(target: Target, zips: dict[str, bytes]) -> tuple[str, str]:
    """Build the pipeline, from the API to the lake, with boto3; return the API's id and the lake's bucket."""
    bucket = f"lake-{uuid.uuid4().hex[:12]}"
    target.client("s3").create_bucket(Bucket=bucket)
    sqs = target.client("sqs")
    queue_url = sqs.create_queue(QueueName="ProductVisitsDataQueue", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    table = target.client("dynamodb").create_table(
        TableName="ProductVisits",
        KeySchema=[{"AttributeName": "ProductVisitKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "ProductVisitKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    variables = {"QUEUE_URL": queue_url, "TABLE_NAME": "ProductVisits", "BUCKET_NAME": bucket}
    arns = _deploy_functions(target, zips, variables)
    lambda_client = target.client("lambda")
    lambda_client.create_event_source_mapping(
        EventSourceArn=queue_arn, FunctionName=FUNCTIONS[1], BatchSize=10,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )  # fmt: skip
    lambda_client.create_event_source_mapping(
        EventSourceArn=table["LatestStreamArn"], FunctionName=FUNCTIONS[2], StartingPosition="TRIM_HORIZON",
        BatchSize=100, FunctionResponseTypes=["ReportBatchItemFailures"],
    )  # fmt: skip
    return _deploy_api(target, arns[FUNCTIONS[0]]), bucket


def _deploy_functions(target: Target, zips: dict[str, bytes], variables: dict[str, str]) -> dict[str, str]:
    iam, lambda_client = target.client("iam"), target.client("lambda")
    role = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(ROLE_TRUST))["Role"]["Arn"]
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["sqs:*", "dynamodb:*", "s3:*", "logs:*"], "Resource": "*"}],
    }
    iam.put_role_policy(RoleName="bench", PolicyName="bench", PolicyDocument=json.dumps(everything))
    arns = {}
    for name, code in zips.items():
        arns[name] = lambda_client.create_function(
            FunctionName=name, Runtime=f"python3.{sys.version_info.minor}", Role=role, Timeout=10, MemorySize=256,
            Handler="lambda_function.lambda_handler", Code={"ZipFile": code}, Environment={"Variables": variables},
        )["FunctionArn"]  # fmt: skip
    for name in zips:
        lambda_client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
    return arns


def _deploy_api(target: Target, function_arn: str) -> str:
    gateway = target.client("apigateway")
    api = gateway.create_rest_api(name="ProductVisits")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="visits")["id"]
    method = {"restApiId": api, "resourceId": resource, "httpMethod": "POST"}
    gateway.put_method(**method, authorizationType="NONE")
    gateway.put_integration(
        **method, type="AWS_PROXY", integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations",
    )  # fmt: skip
    target.client("lambda").add_permission(
        FunctionName=FUNCTIONS[0], StatementId="api", Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )  # fmt: skip
    gateway.create_deployment(restApiId=api, stageName="prod")
    return str(api)


class Lake:
    """The data lake as the benchmark reads it: listed, and each new object read once."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket
        self._seen: set[str] = set()
        self.keys: Counter[str] = Counter()

    def read_new(self) -> None:
        """List the whole lake and count the receipts in objects that were not there before."""
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
            for item in page.get("Contents", []):
                if item["Key"] not in self._seen:
                    self._seen.add(item["Key"])
                    lines = self._s3.get_object(Bucket=self._bucket, Key=item["Key"])["Body"].read().splitlines()
                    self.keys.update(json.loads(line)["ProductVisitKey"] for line in lines)

    def wait_for(self, receipts: set[str], *, deadline: float, interval: float = LISTING_INTERVAL) -> None:
        """Read the lake every *interval* seconds until all *receipts* are in it, or *deadline* seconds are over."""
        end = time.monotonic() + deadline
        while True:
            self.read_new()
            if receipts <= self.keys.keys() or time.monotonic() > end:
                return
            time.sleep(interval)


def _visit(number: int) -> bytes:
    return json.dumps(
        {
            "ProductId": f"P-{number % 50}",
            "ProductName": "Trail Shoe",
            "Category": "Shoes",
            "PricePerUnit": "89.90",
            "CustomerId": f"C-{number % 200}",
            "CustomerName": "Ada Okafor",
            "TimeOfVisit": "2026-01-15T10:22:31Z",
        }
    ).encode()


def _connection(url: str) -> http.client.HTTPConnection:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _post(connection: http.client.HTTPConnection, url: str, number: int) -> str:
    connection.request("POST", urlsplit(url).path, _visit(number), {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = response.read()
    if response.status != 202:
        raise LabkitError(f"the API answered {response.status}: {body[:300]!r}")
    return str(json.loads(body)["ProductVisitKey"])


def _warm_up(url: str, lake: Lake) -> None:
    """Send a few visits, until every function has an environment; the first may meet an API that is not ready."""
    end = time.monotonic() + 30
    while True:
        try:
            for _ in range(3):
                _one_visit(url, lake)
            return
        except (LabkitError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _one_visit(url: str, lake: Lake) -> float:
    connection = _connection(url)
    started = time.perf_counter()
    receipt = _post(connection, url, 0)
    lake.wait_for({receipt}, deadline=30, interval=0.002)
    connection.close()
    if receipt not in lake.keys:
        raise LabkitError(f"visit {receipt} did not reach the lake within 30 s")
    return (time.perf_counter() - started) * 1000


def _send_many(url: str, visits: int, threads: int) -> set[str]:
    def send(numbers: range) -> list[str]:
        connection = _connection(url)
        receipts = [_post(connection, url, number) for number in numbers]
        connection.close()
        return receipts

    with ThreadPoolExecutor(threads) as pool:
        return {
            receipt for part in pool.map(send, [range(n, visits, threads) for n in range(threads)]) for receipt in part
        }


def _memory(process: psutil.Process) -> float:
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return float(total) / 2**20


ROWS = [
    ("process start → healthy, s", "start_s", "{:.2f}", False),
    ("deploy the whole pipeline, s", "deploy_s", "{:.2f}", False),
    ("one visit, POST → lake, median ms", "latency_median_ms", "{:.1f}", False),
    ("one visit, POST → lake, p95 ms", "latency_p95_ms", "{:.1f}", False),
    ("throughput, visits/s", "visits_per_s", "{:.1f}", True),
    ("lost", "lost", "{:d}", False),
    ("duplicated", "duplicated", "{:d}", False),
    ("memory with children, MiB", "memory_mib", "{:.0f}", False),
    ("idle, % of a processor", "idle_cpu_percent", "{:.1f}", False),
    ("cost of a visit, 10 × as many : throughput run", "growth", "{:.2f}×", False),
]


def print_figures(variant: str, figures: dict[str, Figures]) -> None:
    """Print one table: a column per cloud, and the ratio labkit : peer."""
    names = list(figures)
    table = Table("figure", *names, *(["ratio"] if len(names) > 1 else []), title=f"functions: {variant}")
    for title, attribute, form, _ in ROWS:
        values = [getattr(figures[name], attribute) for name in names]
        ratio = [f"{values[0] / values[1]:.2f}×"] if len(values) > 1 and values[1] else [""] * (len(values) > 1)
        table.add_row(title, *(form.format(value) for value in values), *ratio)
    Console(soft_wrap=True).print(table)
