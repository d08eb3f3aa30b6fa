"""What is removed is gone, in memory too: nothing grows from hour to hour."""

from __future__ import annotations

import gc

import pytest

from labkit.local.cloudwatch.metrics import MINUTES_KEPT, MOST_VALUES, Metrics
from tests.bench.soak import soak
from tests.in_process import in_process

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_after_a_minute_of_mixed_load_and_clean_ups_nothing_has_grown(tmp_path):
    """The half hour of ``python -m tests.bench.soak`` in small: a leak of a few KiB per visit shows."""
    samples = soak(tmp_path, minutes=0.8, cycle=6)

    first, middle, last = samples[0], samples[len(samples) // 2], samples[-1]
    assert last.visits - middle.visits > 100, samples
    assert last.memory <= 1.1 * middle.memory, samples
    assert last.descriptors <= first.descriptors + 2, samples
    assert last.processes == 0, samples


def test_deleted_objects_and_items_leave_the_memory(tmp_path):
    """Moto notes every object of its models for its dashboard, for ever unless it is told."""
    with in_process(tmp_path) as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="short-lived")
        for _ in range(400):
            s3.put_object(Bucket="short-lived", Key="k", Body=b"x")
            s3.delete_object(Bucket="short-lived", Key="k")
        s3.close()

        gc.collect()
        kept = sum(type(one).__name__ == "FakeKey" for one in gc.get_objects())

    assert kept < 350


def test_a_minute_of_many_durations_takes_no_more_room_than_one_of_some():
    """Thousands of invocations a minute all last differently."""
    metrics = Metrics(now=lambda: 0.0)

    for number in range(50_000):
        metrics.add(FUNCTION, "Duration", round(1 + number / 77, 2))

    measured = metrics.snapshot()["measured"]
    assert len(measured) < 2 * MOST_VALUES
    assert sum(times for *_, times in measured) == 50_000
    assert metrics.total(FUNCTION, "Duration") == pytest.approx(sum(1 + n / 77 for n in range(50_000)), rel=0.01)


def test_measurements_that_nobody_keeps_take_no_room():
    """Without durability nothing asks for what is new."""
    noted: list[int] = []
    metrics = Metrics(now=lambda: 0.0, note=lambda measured: noted.append(len(measured)))

    for _ in range(25_000):
        metrics.add(FUNCTION, "Invocations")
    metrics.settings()

    assert noted == [10_000, 10_000, 5_000]


def test_the_metrics_of_what_is_gone_for_a_day_are_forgotten():
    """Names are new with each lab."""
    minutes = [0]
    metrics = Metrics(now=lambda: minutes[0] * 60.0)
    metrics.add(FUNCTION, "Invocations")
    minutes[0] = MINUTES_KEPT + 1
    metrics.add(f"{FUNCTION}-new", "Invocations")

    metrics._forget()

    assert [resource for resource, *_ in metrics.snapshot()["measured"]] == [f"{FUNCTION}-new"]
