"""The figures of one cloud: what is measured of the application there."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from labkit.bench.deployment import deploy
from labkit.bench.targets import Target
from labkit.bench.visits import Lake, one_visit, send_many, warm_up

IDLE_SECONDS = 5


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


@dataclass(slots=True)
class Pipeline:
    """The deployed application under measurement."""

    target: Target
    url: str
    lake: Lake
    figures: Figures

    def one_visit(self) -> float:
        """Send one visit, and return the milliseconds until it is in the lake."""
        return one_visit(self.url, self.lake)

    def take_latency(self, milliseconds: Iterable[float]) -> None:
        """Take the median and the 95th percentile of what single visits needed."""
        ordered = sorted(milliseconds)
        self.figures.latency_median_ms = statistics.median(ordered)
        self.figures.latency_p95_ms = ordered[max(0, int(len(ordered) * 0.95) - 1)]

    def measure_idle(self) -> None:
        """Take the processor time of the cloud and its functions while nobody calls."""
        time.sleep(1)
        before = _processor_seconds(self.target.process)
        time.sleep(IDLE_SECONDS)
        self.figures.idle_cpu_percent = (_processor_seconds(self.target.process) - before) / IDLE_SECONDS * 100

    def measure_throughput(self, visits: int, threads: int) -> None:
        """Send many visits at once, and look at the memory afterwards."""
        self.figures.visits_per_s = 1 / self.send(visits, threads)
        self.figures.memory_mib = _memory(self.target.process)

    def measure_growth(self, visits: int, threads: int) -> None:
        """Compare the cost of a visit among ten times as many with that of the throughput run."""
        self.figures.growth = self.send(10 * visits, threads) * self.figures.visits_per_s

    def send(self, visits: int, threads: int) -> float:
        """Send *visits*, wait until all are in the lake, and return the seconds of one; count what is lost or twice."""
        started = time.perf_counter()
        sent = send_many(self.url, visits, threads)
        self.lake.wait_for(sent, deadline=max(60.0, visits / 5))
        seconds = time.perf_counter() - started
        self.figures.lost += len(sent - set(self.lake.keys))
        self.figures.duplicated += sum(count - 1 for key, count in self.lake.keys.items() if key in sent)
        return seconds / visits


def deployed(target: Target, zips: dict[str, bytes]) -> Pipeline:
    """Deploy the application on *target*, and warm it up."""
    figures = Figures(start_s=target.start_seconds)
    started = time.perf_counter()
    api, bucket = deploy(target, zips)
    figures.deploy_s = time.perf_counter() - started
    pipeline = Pipeline(target, target.api_url(api), Lake(target.client("s3"), bucket), figures)
    warm_up(pipeline.url, pipeline.lake)
    return pipeline


def _processor_seconds(process: psutil.Process) -> float:
    return float(sum(sum(one.cpu_times()[:2]) for one in [process, *process.children(recursive=True)]))


def _memory(process: psutil.Process) -> float:
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return float(total) / 2**20
