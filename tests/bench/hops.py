"""Where a visit's milliseconds go, hop by hop: the local cloud's log tells when each call was answered.

``python -m tests.bench.hops``; the mean of fifty visits, one after the other, with the functions as committed.
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from labkit.bench.deployment import deploy, packages
from labkit.bench.targets import Target
from labkit.bench.visits import Lake, connect, post, warm_up
from tests.conftest import start_local_cloud, stop_local_cloud

MARKS = {
    "POST → SendMessage answered": "sqs:SendMessage",
    "→ BatchWriteItem answered": "dynamodb:BatchWriteItem",
    "→ PutObject answered": "s3:PutObject",
    "→ GetObject answered: the client has listed, and reads": "s3:GetObject",
}
LINE = re.compile(r"(\d\d):(\d\d):(\d\d\.\d{3}) 200 (\w+:\w+) ")


def hops(visits: int) -> dict[str, float]:
    """Return the mean milliseconds of each hop, and of the whole visit as the client sees it."""
    with tempfile.TemporaryDirectory(prefix="labkit-hops-", ignore_cleanup_errors=True) as folder:
        process, described = start_local_cloud(Path(folder))
        try:
            target = Target(
                "labkit", process, described["endpoint"], described["access_key"], described["secret_key"], 0.0,
                lambda api: f"{described['endpoint']}/_aws/execute-api/{api}/prod/visits",
            )  # fmt: skip
            api, bucket = deploy(target, packages("committed"))
            url, lake = target.api_url(api), Lake(target.client("s3"), bucket)
            warm_up(url, lake)
            times = [_one(url, lake, Path(folder) / "local.log") for _ in range(visits)]
        finally:
            stop_local_cloud(process)
    return {name: statistics.mean(one[name] for one in times) for name in times[0]}


def _one(url: str, lake: Lake, log: Path) -> dict[str, float]:
    before, connection = log.stat().st_size, connect(url)
    began = time.time()
    receipt = post(connection, url, 0)
    answered = time.time()
    lake.wait_for({receipt}, deadline=30, interval=0.002, whole=False)
    ended = time.time()
    connection.close()
    time.sleep(0.2)  # the log is written a moment later
    seen = {found[4]: _epoch(found, began) for found in LINE.finditer(log.read_text()[before:])}
    times, last = {"POST → 202": (answered - began) * 1000}, began
    for name, mark in MARKS.items():
        times[name], last = (seen[mark] - last) * 1000, seen[mark]
    return {**times, "POST → read in the lake": (ended - began) * 1000}


def _epoch(found: re.Match[str], near: float) -> float:
    midnight = datetime.fromtimestamp(near, UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    return midnight + int(found[1]) * 3600 + int(found[2]) * 60 + float(found[3])


def main() -> None:
    """Print a row per hop."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hops", description=__doc__)
    parser.add_argument("--visits", type=int, default=50)
    table = Table("hop", "ms")
    for name, milliseconds in hops(parser.parse_args().visits).items():
        table.add_row(name, f"{milliseconds:.1f}")
    Console(soft_wrap=True).print(table)


if __name__ == "__main__":
    main()
