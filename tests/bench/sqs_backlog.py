"""Ten receives and deletes behind a short and a long backlog, compared: ``python -m tests.bench.sqs_backlog``."""

from __future__ import annotations

import statistics
import time
from typing import Any

from labkit import bench

BACKLOGS = (100, 1_000, 10_000, 100_000)
ROUNDS = 50


def fill(sqs: Any, url: str, count: int) -> None:
    """Let *count* messages wait."""
    for start in range(0, count, 10):
        entries = [{"Id": str(n), "MessageBody": f"visit {start + n}"} for n in range(min(10, count - start))]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def receive_and_delete(sqs: Any, url: str) -> float:
    """Receive ten messages, delete them, and return the milliseconds."""
    began = time.perf_counter()
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
    sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Print one line per backlog; the ratios are what counts."""
    with bench.labkit_target() as target:
        sqs, first = target.client("sqs"), 0.0
        for backlog in BACKLOGS:
            url = sqs.create_queue(QueueName=f"backlog-{backlog}")["QueueUrl"]
            fill(sqs, url, backlog + 10 * ROUNDS)
            median = statistics.median(receive_and_delete(sqs, url) for _ in range(ROUNDS))
            first = first or median
            print(
                f"{backlog:>7} waiting: {median:.2f} ms to receive and delete ten ({median / first:.2f}×)", flush=True
            )


if __name__ == "__main__":
    main()
