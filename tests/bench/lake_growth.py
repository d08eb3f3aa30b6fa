"""Whether a lake of 50,000 objects is listed and read in linear time: ``python -m tests.bench.lake_growth``.

The objects are put where the local cloud keeps them; listing and reading is boto3's, over HTTP, as a notebook does it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.in_process import InProcessCloud, in_process

BODY = b'{"ProductVisitKey": "0a1b2c3d", "ProductName": "Trail Shoe", "PricePerUnit": "89.90"}\n' * 4
READ = 500
HOURS = 24 * 30


def fill(cloud: InProcessCloud, bucket: str, count: int) -> None:
    """Put *count* objects into the folders of a month's hours."""
    from moto import backends

    def put() -> None:
        s3: Any = backends.get_backend("s3")["123456789012"]["aws"]
        for number in range(count):
            day, hour = divmod(number % HOURS, 24)
            s3.put_object(bucket, f"visits/year=2026/month=01/day={day + 1:02}/hour={hour:02}/{number:021}.json", BODY)

    cloud.run(lambda parts: parts.moto.run(put))


def measure(cloud: InProcessCloud, count: int) -> tuple[float, float, float]:
    """Return the milliseconds of a processor per object listed, in the whole lake and in a day of it, and read.

    Client and local cloud are one process here, so that its processor time is all that an object costs.
    """
    s3, bucket = cloud.client("s3"), f"lake-{count}"
    s3.create_bucket(Bucket=bucket)
    fill(cloud, bucket, count)

    def listed(prefix: str) -> tuple[list[str], float]:
        started = time.process_time()
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page["Contents"]]
        return keys, (time.process_time() - started) * 1000 / len(keys)

    keys, whole = listed("visits/")
    assert len(keys) == count
    _, day = listed("visits/year=2026/month=01/day=07/")
    started = time.process_time()
    for key in keys[:: count // READ]:
        s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    reading = (time.process_time() - started) * 1000 / len(keys[:: count // READ])
    s3.close()
    return whole, day, reading


def main() -> None:
    """Print a row for a tenth of the objects, and one for all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lake_growth", description=__doc__)
    parser.add_argument("--objects", type=int, default=50_000)
    objects = parser.parse_args().objects
    table = Table("objects", "listed, ms each", "one day listed, ms each", "read, ms each")
    with tempfile.TemporaryDirectory(prefix="labkit-growth-") as folder, in_process(Path(folder)) as cloud:
        for count in (objects // 10, objects):
            table.add_row(f"{count:,}", *(f"{figure:.3f}" for figure in measure(cloud, count)))
    Console(soft_wrap=True).print(table)


if __name__ == "__main__":
    main()
