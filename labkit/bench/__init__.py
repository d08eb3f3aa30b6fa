"""Measure the local cloud, and a peer beside it in the same run: start, deployment, latency, throughput, memory.

The same zips, byte for byte, run on both. Absolute figures depend on the machine: read the ratios.
"""

from __future__ import annotations

from contextlib import ExitStack

from rich.console import Console
from rich.table import Table

from labkit.bench.deployment import packages
from labkit.bench.pipeline import Figures, deployed
from labkit.bench.targets import PEERS, labkit_target

__all__ = ["PEERS", "Figures", "measure", "print_figures"]


def measure(
    variant: str, peer: str | None, *, visits: int = 1000, threads: int = 16, samples: int = 50, growth: bool = False
) -> dict[str, Figures]:
    """Measure labkit, and *peer* if given, with the same functions.

    Both run at the same time, and one is idle while the other is measured: single visits go to them in turn, so that
    what else the computer does meets both.

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
    with ExitStack() as running:
        pipelines = []
        for start in (labkit_target, *([PEERS[peer]] if peer else [])):
            pipelines.append(deployed(running.enter_context(start()), zips))
        rounds = [[pipeline.one_visit() for pipeline in pipelines] for _ in range(samples)]
        for place, pipeline in enumerate(pipelines if rounds else []):
            pipeline.take_latency(milliseconds[place] for milliseconds in rounds)
        for pipeline in pipelines:
            pipeline.measure_idle()
        for pipeline in pipelines:
            pipeline.measure_throughput(visits, threads)
        if growth:
            pipelines[0].measure_growth(visits, threads)
        return {pipeline.target.name: pipeline.figures for pipeline in pipelines}


ROWS = [
    ("process start → healthy, s", "start_s", "{:.2f}"),
    ("deploy the whole pipeline, s", "deploy_s", "{:.2f}"),
    ("one visit, POST → lake, median ms", "latency_median_ms", "{:.1f}"),
    ("one visit, POST → lake, p95 ms", "latency_p95_ms", "{:.1f}"),
    ("throughput, visits/s", "visits_per_s", "{:.1f}"),
    ("lost", "lost", "{:d}"),
    ("duplicated", "duplicated", "{:d}"),
    ("memory with children, MiB", "memory_mib", "{:.0f}"),
    ("idle, % of a processor", "idle_cpu_percent", "{:.1f}"),
    ("cost of a visit, 10 × as many : throughput run", "growth", "{:.2f}×"),
]


def print_figures(variant: str, figures: dict[str, Figures]) -> None:
    """Print one table: a column per cloud, and the ratio labkit : peer."""
    names = list(figures)
    table = Table("figure", *names, *(["ratio"] if len(names) > 1 else []), title=f"functions: {variant}")
    for title, attribute, form in ROWS:
        values = [getattr(figures[name], attribute) for name in names]
        ratio = [f"{values[0] / values[1]:.2f}×"] if len(values) > 1 and values[1] else [""] * (len(values) > 1)
        if any(values) or attribute != "growth":
            table.add_row(title, *(form.format(value) for value in values), *ratio)
    Console(soft_wrap=True).print(table)
