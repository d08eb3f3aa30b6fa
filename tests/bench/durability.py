"""What durability would cost: ``python -m tests.bench.durability [--count 1000]``.

Fills a local cloud, then measures each feature's snapshot, moto's backends in pickle, and a journal of every write
against a snapshot every two seconds; restores all of it and compares. The figures stand in
docs/decisions/0004-durability.md.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import io
import json
import os
import pickle
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.contract.test_pipeline import TRUST, zipped
from tests.in_process import InProcessCloud, in_process

MOTO_BACKENDS = ("s3", "dynamodb", "iam", "apigateway", "logs", "kinesis")
HANDLER = "def lambda_handler(event, context):\n    print(event)\n"
BODY = json.dumps({"ProductId": "P-1", "ProductName": "Trail Shoe", "CustomerName": "Ada", "Text": "x" * 150})


def fill(cloud: InProcessCloud, count: int) -> None:
    """Make *count* messages, items with a stream, objects, records and log events, and ten of what is built once."""
    sqs, s3, table, iam = cloud.client("sqs"), cloud.client("s3"), cloud.client("dynamodb"), cloud.client("iam")
    functions, gateway, logs = cloud.client("lambda"), cloud.client("apigateway"), cloud.client("logs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    for start in range(0, count, 10):
        entries = [{"Id": str(n), "MessageBody": BODY} for n in range(start, min(start + 10, count))]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    table.create_table(
        TableName="t", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )  # fmt: skip
    cloud.client("kinesis").create_stream(StreamName="stream", ShardCount=2)
    for start in range(0, count, 500):
        records = [{"Data": BODY.encode(), "PartitionKey": str(n)} for n in range(start, min(start + 500, count))]
        cloud.client("kinesis").put_records(StreamName="stream", Records=records)
    s3.create_bucket(Bucket="lake")
    for number in range(count):
        item = {"k": {"S": str(number)}, "body": {"S": BODY}, "price": {"N": "89.90"}}
        table.put_item(TableName="t", Item=item)
        s3.put_object(Bucket="lake", Key=f"visits/{number}.json", Body=BODY.encode())
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    now = int(time.time() * 1000)
    for start in range(0, count, 100):
        events = [{"timestamp": now, "message": BODY} for _ in range(min(100, count - start))]
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=events)
    for number in range(10):
        role = iam.create_role(RoleName=f"r{number}", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        functions.create_function(
            FunctionName=f"f{number}", Runtime="python3.11", Role=role, Handler="lambda_function.lambda_handler",
            Code={"ZipFile": zipped(HANDLER)},
        )  # fmt: skip
        cloud.client("sns").create_topic(Name=f"topic{number}")
        cloud.client("events").put_rule(Name=f"rule{number}", EventPattern='{"source": ["shop"]}')
        api = gateway.create_rest_api(name=f"api{number}")["id"]
        root = gateway.get_resources(restApiId=api)["items"][0]["id"]
        gateway.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
        gateway.put_integration(restApiId=api, resourceId=root, httpMethod="GET", type="MOCK")
        gateway.create_deployment(restApiId=api, stageName="v1")
        functions.get_waiter("function_active_v2").wait(FunctionName=f"f{number}", WaiterConfig={"Delay": 0.05})


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return what *function* returns, and the milliseconds it took."""
    started = time.perf_counter()
    result = function()
    return result, (time.perf_counter() - started) * 1000


def to_json(state: Any) -> bytes:
    """Plain data as JSON; bytes as base64."""
    return json.dumps(state, default=lambda value: {"base64": base64.b64encode(value).decode()}).encode()


def features(cloud: InProcessCloud) -> tuple[Table, dict[str, bytes]]:
    """Measure each feature's snapshot. The event loop stands still for the whole of each row."""
    table = titled("Ours: the event loop is held for", "feature", "snapshot ms", "pickle ms", "KiB", "JSON ms", "KiB")
    kept: dict[str, bytes] = {}

    def measure(parts: Any) -> None:
        for name, feature in parts.features.items():
            state, taking = timed(feature.snapshot)
            data, pickling = timed(lambda state=state: pickle.dumps(state, 5))  # type: ignore[misc]
            text, encoding = timed(lambda state=state: to_json(state))  # type: ignore[misc]
            kept[name] = data
            table.add_row(name, *(f"{n:.1f}" for n in (taking, pickling, len(data) / 1024, encoding, len(text) / 1024)))

    cloud.run(measure)
    return table, kept


def moto_backends(cloud: InProcessCloud) -> tuple[Table, dict[str, bytes]]:
    """Pickle moto's backends where moto runs."""
    table = titled("moto's: everything stands still for", "backend", "pickle ms", "KiB", "unpickle ms", "result")
    kept: dict[str, bytes] = {}

    def pickled(name: str) -> tuple[bytes, float]:
        from moto import backends

        return timed(lambda: pickle.dumps(backends.get_backend(name), 5))

    for name in MOTO_BACKENDS:
        try:
            data, milliseconds = cloud.run(lambda parts, name=name: parts.moto.run(pickled, name))  # type: ignore[misc]
        except Exception as error:  # what does not pickle raises whatever it likes, and that is the finding
            table.add_row(name, "-", "-", "-", f"{type(error).__name__}: {error}"[:70])
            continue
        _, loading = timed(lambda data=data: pickle.loads(data))  # type: ignore[misc]  # noqa: S301  our own bytes
        kept[name] = data
        table.add_row(name, f"{milliseconds:.1f}", f"{len(data) / 1024:.0f}", f"{loading:.1f}", "pickles")
    return table, kept


def single_writes(cloud: InProcessCloud) -> Table:
    """Pickle what a single write left in moto: the record that a journal of effects would append."""
    table = titled("One write of moto's as a journal record", "write", "pickle µs", "bytes", "unpickle µs", "")

    def look() -> list[tuple[str, float, int, float]]:
        from moto import backends

        keys = list(backends.get_backend("s3")["123456789012"]["aws"].buckets["lake"].keys.values())
        found = backends.get_backend("dynamodb")["123456789012"]["us-east-1"].tables["t"]
        items = [*zip(found.all_items(), found.stream_shard.items, strict=True)]
        rows = []
        for name, written in (("PutObject: the object", keys), ("PutItem: item and stream record", items)):
            data, pickling = timed(lambda written=written: [pickle.dumps(one, 5) for one in written])  # type: ignore[misc]
            _, loading = timed(lambda data=data: [pickle.loads(one) for one in data])  # type: ignore[misc]  # noqa: S301
            count = len(data)
            rows.append((name, pickling / count * 1000, sum(map(len, data)) // count, loading / count * 1000))
        return rows

    for name, pickling, size, loading in cloud.run(lambda parts: parts.moto.run(look)):
        table.add_row(name, f"{pickling:.0f}", str(size), f"{loading:.0f}", "")
    return table


def object_values(cloud: InProcessCloud) -> str:
    """Say how moto's S3 keeps and pickles a value that has gone from memory to a temporary file."""

    def look() -> str:
        from moto import backends

        account = backends.get_backend("s3")["123456789012"]["aws"]
        key = account.get_object("lake", "large")
        rolled = getattr(key._value_buffer, "_rolled", "?")
        data, milliseconds = timed(lambda: pickle.dumps(key, 5))
        same = pickle.loads(data).value == key.value  # noqa: S301  our own bytes
        return (
            f"one object of 32 MiB: {type(key._value_buffer).__name__}, on disk: {rolled}; pickled whole into"
            f" {len(data) / 2**20:.0f} MiB in {milliseconds:.0f} ms, comes back equal: {same}"
        )

    cloud.client("s3").put_object(Bucket="lake", Key="large", Body=bytes(32 * 2**20))
    said = str(cloud.run(lambda parts: parts.moto.run(look)))
    cloud.client("s3").delete_object(Bucket="lake", Key="large")
    return said


def journal(folder: Path) -> Table:
    """Append records of 600 bytes: the cost for each call, with and without waiting for the disk."""
    table = titled("A journal of acknowledged writes", "way", "µs per write", "what a kill -9 of the process loses")
    record = json.dumps({"service": "sqs", "operation": "SendMessage", "params": {"body": BODY, "pad": "y" * 250}})

    def each(write: Callable[[io.FileIO, bytes], Any], count: int) -> float:
        with (folder / "journal").open("ab", buffering=0) as file:
            started = time.perf_counter()
            for _ in range(count):
                write(file, json.dumps({"r": record}).encode())
            return (time.perf_counter() - started) / count * 1e6

    def synced(file: io.FileIO, data: bytes) -> None:
        file.write(data)
        os.fsync(file.fileno())

    def ten(file: io.FileIO, data: bytes) -> None:
        nonlocal calls
        file.write(data)
        calls += 1
        if calls % 10 == 0:
            os.fsync(file.fileno())

    calls = 0
    rows = [
        ("encode only (JSON)", each(lambda file, data: None, 5000), "everything"),
        ("write, no fsync", each(lambda file, data: file.write(data), 5000), "nothing (a power cut: up to 30 s)"),
        ("write, fsync for ten calls at once", each(ten, 500), "nothing, with the answers held back until then"),
        ("write and fsync each", each(synced, 200), "nothing"),
    ]
    for way, cost, loses in rows:
        table.add_row(way, f"{cost:.0f}", loses)
    return table


def compare(ours: dict[str, bytes], moto: dict[str, bytes], folder: Path) -> Table:
    """Restore into a second local cloud and compare."""
    table = titled("Restored", "what", "ms", "equal")
    with in_process(folder, max_environments=0) as other:
        for name, data in ours.items():

            def restore(parts: Any, name: str = name, data: bytes = data) -> tuple[bool, float]:
                state = pickle.loads(data)  # noqa: S301  our own bytes
                _, milliseconds = timed(lambda: parts.features[name].restore(state))
                return parts.features[name].snapshot() == state, milliseconds

            equal, milliseconds = other.run(restore)
            table.add_row(name, f"{milliseconds:.1f}", "yes" if equal else "NO")
    for name, data in moto.items():
        again, milliseconds = timed(lambda data=data: pickle.loads(data))  # type: ignore[misc]  # noqa: S301
        table.add_row(f"moto {name}", f"{milliseconds:.1f}", moto_equal(name, again))
    return table


def moto_equal(name: str, backend: Any) -> str:
    """Compare what moto restored with what it holds, by content."""
    from moto import backends

    def content(one: Any) -> Any:
        account = one["123456789012"]
        if name == "s3":
            return {k: v.value for k, v in account["aws"].buckets["lake"].keys.items()}
        if name == "dynamodb":
            table = account["us-east-1"].tables["t"]
            return [[item.to_json() for item in table.all_items()], [r.to_json() for r in table.stream_shard.items]]
        if name == "iam":
            return [role.arn for role in account["aws"].roles.values()]
        if name == "apigateway":
            return [sorted(api.resources) for api in account["us-east-1"].apis.values()]
        if name == "kinesis":
            shards = account["us-east-1"].streams["stream"].shards.values()
            return [record.to_json() for shard in shards for record in shard.records.values()]
        return [event.to_filter_dict() for event in account["us-east-1"].groups["g"].streams["s"].events]

    try:
        return "yes" if content(backend) == content(backends.get_backend(name)) else "NO"
    except Exception as error:  # a half restored object raises whatever it likes
        return f"NO: {type(error).__name__}: {error}"[:60]


def titled(title: str, *columns: str) -> Table:
    """Return an empty table."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number in (0, len(columns) - 1) else "right")
    return table


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What durability would cost.")
    parser.add_argument("--count", type=int, default=1000, help="messages, items and objects (default: %(default)s)")
    count = parser.parse_args().count
    console = Console()
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stderr(io.StringIO()):
        folder = Path(name)
        with in_process(folder / "filled", max_environments=0) as cloud:
            fill(cloud, count)
            console.print(f"{count} messages, items with their stream, objects, log events; 10 of everything else\n")
            table, ours = features(cloud)
            console.print(table)
            table, moto = moto_backends(cloud)
            console.print(table)
            console.print(single_writes(cloud))
            console.print(object_values(cloud) + "\n")
        console.print(journal(folder))
        console.print(compare(ours, moto, folder / "other"))


if __name__ == "__main__":
    main()
