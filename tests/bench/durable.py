"""What durability costs: ``python -m tests.bench.durable [--visits 500] [--rounds 4]``.

Two local clouds, one that keeps everything and one that keeps nothing (``--no-state``), get the application and
the same visits in turn, round by round. Then the first is killed (kill -9) and started again: how long does that take,
and is everything there?
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from labkit.bench.deployment import deploy, packages
from labkit.bench.pipeline import Figures, Pipeline
from labkit.bench.targets import Target
from labkit.bench.visits import Lake, warm_up
from tests.conftest import start_local_cloud, stop_local_cloud


def started(folder: Path, name: str, *options: str) -> tuple[Pipeline, str]:
    """Start a local cloud and deploy the application on it."""
    before = time.perf_counter()
    process, described = start_local_cloud(folder / name, *options)
    endpoint = described["endpoint"]
    target = Target(
        name, psutil.Process(process.pid), endpoint, described["access_key"], described["secret_key"],
        time.perf_counter() - before, lambda api: f"{endpoint}/_aws/execute-api/{api}/prod/visits",
    )  # fmt: skip
    processes.append(process)
    api, bucket = deploy(target, packages("committed"))
    lake = Lake(target.client("s3"), bucket)
    pipeline = Pipeline(target, target.api_url(api), lake, Figures(start_s=target.start_seconds))
    warm_up(pipeline.url, lake)
    return pipeline, bucket


processes: list[subprocess.Popen[bytes]] = []


def cpu_ms(target: Target) -> float:
    """Return the milliseconds of a processor that a local cloud has used, without those of the functions."""
    return sum(target.process.cpu_times()[:2]) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What durability costs.")
    parser.add_argument("--visits", type=int, default=500, help="in each round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="for each of the two (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="labkit-durable-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        pipelines = {"kept": started(folder, "kept"), "not kept": started(folder, "not kept", "--no-state")}
        rates: dict[str, list[float]] = {"kept": [], "not kept": []}
        costs: dict[str, list[float]] = {"kept": [], "not kept": []}
        for number in range(options.rounds):
            for which in ["kept", "not kept"] if number % 2 else ["not kept", "kept"]:
                pipeline, _ = pipelines[which]
                before = cpu_ms(pipeline.target)
                rates[which].append(1 / pipeline.send(options.visits, 16))
                costs[which].append((cpu_ms(pipeline.target) - before) / options.visits)
        kept, bucket = pipelines["kept"]
        there = set(kept.lake.keys)
        journal = (folder / "kept" / "state.journal").stat().st_size / 2**20
        for process in processes:
            process.kill()
            process.wait()
        (folder / "kept" / "local.json").unlink()
        before = time.perf_counter()
        again, described = start_local_cloud(folder / "kept")
        restart = time.perf_counter() - before
        target = Target(
            "again", psutil.Process(again.pid), described["endpoint"], described["access_key"],
            described["secret_key"], restart, str,
        )  # fmt: skip
        lake = Lake(target.client("s3"), bucket)
        lake.wait_for(there, deadline=30)
        missing = there - lake.keys.keys()
        before = time.perf_counter()
        stop_local_cloud(again)
        end = time.perf_counter() - before
        before = time.perf_counter()
        again, _ = start_local_cloud(folder / "kept")
        compacted = time.perf_counter() - before
        stop_local_cloud(again)
    table = Table("", *(f"round {n + 1}" for n in range(options.rounds)), "median", title="visits/s")
    medians = {}
    for which, found in rates.items():
        medians[which] = statistics.median(found)
        table.add_row(which, *(f"{rate:.0f}" for rate in found), f"{medians[which]:.0f}")
    console = Console()
    console.print(table)
    console.print(f"kept : not kept = {medians['kept'] / medians['not kept']:.2f}")
    for which, cost in costs.items():
        console.print(f"{which}: {statistics.median(cost):.2f} ms of a processor for a visit in the local cloud itself")
    console.print(
        f"{len(there)} visits, a journal of {journal:.1f} MiB; after kill -9 ready in {restart:.1f} s with all but "
        f"{len(missing)} of them, ended in {end:.1f} s, ready again in {compacted:.1f} s"
    )


if __name__ == "__main__":
    main()
