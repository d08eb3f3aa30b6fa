"""The table of the inventory."""

from __future__ import annotations

from labkit.inventory import Resource, as_table


def test_each_resource_says_how_it_was_found():
    """By its tag, or by what it hangs on: a log group by its function or by its REST API."""
    found = [
        Resource("SQS", "queue", "Data-lab", "url"),
        Resource("CloudWatch Logs", "log group", "/aws/lambda/Handler-lab", "id", "Handler-lab"),
        Resource("CloudWatch Logs", "log group", "API-Gateway-Execution-Logs_abc/prod", "id", "Visits-lab"),
    ]

    table = as_table(found)

    assert dict(zip(table["name"], table["found by"], strict=True)) == {
        "Data-lab": "tag",
        "/aws/lambda/Handler-lab": "its function",
        "API-Gateway-Execution-Logs_abc/prod": "its REST API",
    }
