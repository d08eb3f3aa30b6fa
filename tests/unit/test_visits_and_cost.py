"""Synthetic visits and what they cost."""

from __future__ import annotations

import importlib.util
import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.cost import cost, cost_of_visits, prices
from labkit.exceptions import LabkitError
from labkit.synthetic_visits import visits

LAMBDAS = Path(__file__).parents[2] / "lambdas"
START = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def send():
    """The module of the function that accepts visits."""
    path = LAMBDAS / "ProductVisitSendDataToQueue" / "lambda_function.py"
    spec = importlib.util.spec_from_file_location("send_data_to_queue", path)
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(os.environ, {"AWS_DEFAULT_REGION": "us-east-1"}):
        spec.loader.exec_module(module)
    return module


@given(n=st.integers(0, 60), seed=st.integers(0, 99), days=st.integers(1, 40))
def test_every_visit_is_one_that_the_application_accepts(send, n, seed, days):
    """They go to the queue directly, so nobody else checks them."""
    made = visits(n, seed=seed, start=START, days=days)

    times = [datetime.fromisoformat(one["TimeOfVisit"]) for one in made]
    assert len(made) == n
    assert times == sorted(times)
    assert all(START <= moment < START + timedelta(days=days) for moment in times)
    assert [send.read_visit(json.dumps(one)) for one in made] == made


def test_the_same_call_gives_the_same_visits_and_another_seed_others():
    """Every learner sees the same picture."""
    assert visits(50, seed=3) == visits(50, seed=3) != visits(50, seed=4)


def test_few_products_are_popular_evenings_busy_and_names_belong_to_ids():
    """What notebook 08 finds must be there."""
    made = visits(5000)
    products = Counter(one["ProductId"] for one in made).most_common()
    hours = Counter(one["TimeOfVisit"][11:13] for one in made)

    assert products[0][1] > 2.5 * products[4][1]
    assert len(products) == 20
    assert hours["20"] > 5 * hours["03"]
    assert len({(one["CustomerId"], one["CustomerName"]) for one in made}) == len({one["CustomerId"] for one in made})


@pytest.mark.parametrize(
    "arguments", [{"n": -1}, {"n": 10_000_000}, {"n": 1, "days": 0}, {"n": 1, "start": "tomorrow"}]
)
def test_what_cannot_be_made_is_refused(arguments):
    """With the argument's name."""
    with pytest.raises(LabkitError, match=r"visits\("):
        visits(**arguments)


def test_a_hundred_thousand_visits_cost_about_two_dollars():
    """The worked example: one message per batch, one object per visit, a month of idle polling."""
    table = cost_of_visits(100_000).set_index("item")["USD"].round(4).to_dict()

    assert table == {
        "API Gateway REST calls": 0.70, "Lambda requests": 0.06, "Lambda duration": 0.0625, "SQS requests": 0.3792,
        "DynamoDB writes": 0.0625, "S3 puts and lists": 0.5, "CloudWatch Logs written": 0.225, "total": 1.9892,
    }  # fmt: skip


def test_batching_makes_objects_and_messages_cheaper():
    """0.50 becomes 0.005."""
    table = cost_of_visits(100_000, records_per_object=100, messages_per_batch=10).set_index("item")["USD"]

    assert table["S3 puts and lists"] == pytest.approx(0.005)
    assert table["Lambda requests"] == pytest.approx(0.0222)


@given(st.dictionaries(st.sampled_from(sorted(prices()["items"])), st.floats(0, 1e9)))
def test_the_total_is_the_sum_and_twice_as_much_costs_twice(calls):
    """A bill has no surprises."""
    once, twice = cost(calls), cost({item: 2 * quantity for item, quantity in calls.items()})

    assert once["USD"].iloc[-1] == pytest.approx(once["USD"].iloc[:-1].sum())
    assert twice["USD"].iloc[-1] == pytest.approx(2 * once["USD"].iloc[-1])


@pytest.mark.parametrize(
    ("calls", "sentence"), [({"Lambda": 1}, "no price for 'Lambda'"), ({"SQS requests": -1}, "no quantity")]
)
def test_what_has_no_price_is_refused(calls, sentence):
    """Nothing is free by mistake."""
    with pytest.raises(LabkitError, match=sentence):
        cost(calls)


def test_an_item_says_what_it_is_for():
    """Idle polling is a row of its own in the bill, at the price of every SQS request."""
    table = cost({"SQS requests: send": 1_000_000, "SQS requests: idle polling": 500_000}).set_index("item")

    assert table["USD"].round(4).to_dict() == {
        "SQS requests: send": 0.4,
        "SQS requests: idle polling": 0.2,
        "total": 0.6,
    }
    assert set(table["unit"]) == {"request of up to 64 KB", ""}


def test_every_price_says_where_it_is_from():
    """Prices change; the date says how old these are."""
    assert all(item["source"].startswith("https://") and item["seen"] for item in prices()["items"].values())
    assert prices()["dated"]
