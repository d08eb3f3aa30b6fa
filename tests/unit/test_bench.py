"""The benchmark measures: what it says is true only as long as it runs."""

from __future__ import annotations

import pytest

from labkit import bench
from labkit.bench import pipeline


@pytest.mark.slow
def test_both_clouds_are_measured_with_the_same_visits(monkeypatch, capsys):
    """A small run; its figures mean nothing but that none is missing, and that no visit is."""
    monkeypatch.setattr(pipeline, "IDLE_SECONDS", 0.2)

    figures = bench.measure("committed", "ministack", visits=40, threads=4, samples=3)
    bench.print_figures("committed", figures)

    assert list(figures) == ["labkit", "ministack"]
    for one in figures.values():
        assert (one.lost, one.duplicated) == (0, 0)
        assert min(one.start_s, one.deploy_s, one.latency_median_ms, one.visits_per_s, one.memory_mib) > 0
        assert one.latency_median_ms <= one.latency_p95_ms
    printed = capsys.readouterr().out
    assert [title for title, _, _ in bench.ROWS if title not in printed] == [bench.ROWS[-1][0]]  # growth was not asked
