"""``python -m tests.bench.faults [--visits 10000]``: run the application under faults and print what became of it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench.faults.run import under_faults


def main() -> int:
    """Print the report; the exit code is 1 when a visit was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.faults", description=__doc__)
    parser.add_argument("--visits", type=int, default=10_000)
    visits = parser.parse_args().visits
    with tempfile.TemporaryDirectory(prefix="labkit-faults-") as folder:
        report = under_faults(Path(folder), visits)
    print(report)
    return 0 if report.keeps_the_promise else 1


if __name__ == "__main__":
    sys.exit(main())
