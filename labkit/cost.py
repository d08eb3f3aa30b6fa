"""What calls cost on AWS, from counts and a dated price table (``prices.json``, list prices, no free tier)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import pandas as pd

from labkit.exceptions import LabkitError

COLUMNS = ["item", "quantity", "unit", "USD per unit", "USD"]
HOURS_PER_MONTH = 720
LONG_POLLS_PER_HOUR = 180  # one every 20 s


@functools.cache
def prices() -> dict[str, Any]:
    """Return the price table: ``{"dated", "region", "currency", "note", "items": {name: {"unit", "usd", …}}}``."""
    return dict(json.loads(resources.files("labkit").joinpath("prices.json").read_text(encoding="utf-8")))


def cost(calls: Mapping[str, float]) -> pd.DataFrame:
    """Return what *calls* cost on AWS at list price, without any free tier; one row per item and a total.

    Args:
        calls: Quantity per item of the price table, such as ``{"Lambda requests": 3_000_000}``. Behind a colon an item
            may say what it is for, so that it can stand in several rows: ``"SQS requests: idle polling"``.

    Returns:
        Columns ``item``, ``quantity``, ``unit``, ``USD per unit`` and ``USD``; the last row is the total. Where the
        prices are from and of when stands in ``labkit/prices.json``.

    Raises:
        LabkitError: An item is not in the table, or a quantity is negative.
    """
    items = prices()["items"]
    rows: list[list[Any]] = []
    for row, quantity in calls.items():
        item = row.partition(":")[0]
        if item not in items:
            raise LabkitError(f"there is no price for {item!r}; there are: {', '.join(items)}")
        if not quantity >= 0:
            raise LabkitError(f"{row}: {quantity!r} is no quantity; give a number, 0 or more")
        price = items[item]["usd"]
        rows.append([row, float(quantity), items[item]["unit"], price, quantity * price])
    rows.append(["total", float("nan"), "", float("nan"), sum(row[-1] for row in rows)])
    return pd.DataFrame(rows, columns=COLUMNS)


def cost_of_visits(
    visits: float,
    *,
    milliseconds: float = 100.0,
    megabytes: int = 128,
    messages_per_batch: float = 1.0,
    records_per_object: float = 1.0,
    preflight: bool = True,
    init_milliseconds: float = 0.0,
    cold_starts: float = 0.0,
    pollers: int = 5,
    hours: float = HOURS_PER_MONTH,
    kilobytes_of_logs: float = 4.5,
) -> pd.DataFrame:
    """Return what *visits* through the application cost on AWS, in *hours* of operation.

    Args:
        visits: How many visits in that time.
        milliseconds: Billed duration of each of the three functions.
        megabytes: Memory of each function.
        messages_per_batch: Messages that one invocation of ProductVisitHandler receives on average.
        records_per_object: Visits in one object of the data lake on average.
        preflight: Whether the browser asks OPTIONS before each POST.
        init_milliseconds: Duration of one cold start, billed too.
        cold_starts: How many there are.
        pollers: Pollers of the SQS mapping; each asks every 20 s while the queue is empty.
        hours: For how long the application stands.
        kilobytes_of_logs: Log lines per visit, all functions together.

    Returns:
        As :func:`cost`.
    """
    for name, value in (("messages_per_batch", messages_per_batch), ("records_per_object", records_per_object)):
        if value < 1:
            raise LabkitError(f"{name} is {value!r}; a batch holds at least one")
    batches = visits / messages_per_batch
    invocations = visits + batches + visits / records_per_object
    seconds = invocations * milliseconds / 1000 + cold_starts * init_milliseconds / 1000
    return cost(
        {
            "API Gateway REST calls": visits * (2 if preflight else 1),
            "Lambda requests": invocations,
            "Lambda duration": seconds * megabytes / 1024,
            "SQS requests": visits + 2 * batches + pollers * LONG_POLLS_PER_HOUR * hours,
            "DynamoDB writes": visits,
            "S3 puts and lists": visits / records_per_object,
            "CloudWatch Logs written": visits * kilobytes_of_logs / 1e6,
        }
    )
