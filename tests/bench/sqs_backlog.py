"""Ten receives and deletes behind a short and a long backlog, compared: ``python -m tests.bench.sqs_backlog``."""

from __future__ import annotations

import statistics
import time
from typing import Any

from labkit.bench.targets import labkit_target

BACKLOGS = (100, 1_000, 10_000, 100_000)
ROUNDS = 100
KINDS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("standard", "", {}),
    ("FIFO", ".fifo", {"FifoQueue": "true", "ContentBasedDeduplication": "true"}),
)


def fill(sqs: Any, url: str, count: int) -> None:
    """Let *count* messages wait; on a FIFO queue in a hundred groups."""
    for start in range(0, count, 10):
        entries: list[dict[str, Any]] = [
            {"Id": str(n), "MessageBody": f"visit {start + n}"} for n in range(min(10, count - start))
        ]
        if url.endswith(".fifo"):
            entries = [entry | {"MessageGroupId": f"customer-{start // 10 % 100}"} for entry in entries]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)


def receive_and_delete(sqs: Any, url: str) -> float:
    """Receive ten messages, delete them, and return the milliseconds."""
    began = time.perf_counter()
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
    sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Print one line per backlog and kind of queue; the ratios are what counts, so the queues take turns."""
    with labkit_target() as target:
        sqs = target.client("sqs")
        for kind, suffix, attributes in KINDS:
            times: dict[int, list[float]] = {backlog: [] for backlog in BACKLOGS}
            urls = {
                backlog: sqs.create_queue(QueueName=f"backlog-{backlog}{suffix}", Attributes=attributes)["QueueUrl"]
                for backlog in BACKLOGS
            }
            for backlog, url in urls.items():
                fill(sqs, url, backlog + 10 * ROUNDS)
            for _ in range(ROUNDS):
                for backlog, url in urls.items():
                    times[backlog].append(receive_and_delete(sqs, url))
            first = statistics.median(times[BACKLOGS[0]])
            for backlog, milliseconds in times.items():
                median = statistics.median(milliseconds)
                print(
                    f"{kind}, {backlog:>7} waiting: {median:.2f} ms to receive and delete ten ({median / first:.2f}×)",
                    flush=True,
                )


if __name__ == "__main__":
    main()
