"""The table of operations in docs/local-cloud.md is what the front door does."""

from __future__ import annotations

import asyncio

from tests.docs.coverage_table import PAGE, coverage, with_table


def test_the_table_says_what_the_front_door_does():
    """A table by hand would be wrong after the next change."""
    page = PAGE.read_text(encoding="utf-8")

    assert page == with_table(page), "the table is stale; make it anew: python -m tests.docs.coverage_table"


def test_the_table_asks_the_code():
    """One operation of each kind, so that a script that says "ours" of everything is noticed."""
    found = asyncio.run(coverage())

    assert "SendMessage" in found["sqs"]["ours"]
    assert "HeadBucket" in found["s3"]["moto"]
    assert "PutBucketReplication" in found["s3"]["refused"]
    assert "DeleteBucketAnalyticsConfiguration" in found["s3"]["refused"]
    assert "CreateEventBus" in found["events"]["refused"] or "CreateEventBus" in found["events"]["ours"]
