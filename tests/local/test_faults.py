"""The application under faults: what was answered with 202 is in the lake or among the dead letters, once."""

from __future__ import annotations

import pytest

from tests.bench.faults.run import LEAST, under_faults
from tests.bench.faults.troublemakers import DISK_CAN_BE_FILLED

FAULTS = {
    "hangs", "raises", "exits", "exits_afterwards", "leaks", "forks", "prints", "dawdles", "function process killed",
    "client left early", "slow reader", "relay down", *(["disk full"] if DISK_CAN_BE_FILLED else []),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_visit_is_lost_or_doubled_under_faults(tmp_path):
    """Each fault happens at least twenty times among 2,000 visits; nearly all reach the lake nevertheless."""
    report = under_faults(tmp_path, visits=2000)

    assert {"lost": report.lost, "twice": report.twice, "unexplained": report.unexplained} == {
        "lost": set(), "twice": set(), "unexplained": set(),
    }, report  # fmt: skip
    assert report.tracebacks == 0, (tmp_path / "state" / "local.log").read_text()
    assert report.share >= 0.95, report
    assert report.mails > 0
    assert {kind: report.faults[kind] for kind in FAULTS if report.faults[kind] < LEAST} == {}
