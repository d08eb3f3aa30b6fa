"""The functions by themselves, as their own tests would run on any machine."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

LAMBDAS = Path(__file__).parents[2] / "lambdas"


@pytest.fixture
def load(monkeypatch):
    """``load("ProductVisitHandler")`` imports a function's module afresh."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def load(name):
        spec = importlib.util.spec_from_file_location(name, LAMBDAS / name / "lambda_function.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def event(name):
    return json.loads((LAMBDAS / name / "event.json").read_text())


@pytest.mark.parametrize("name", ["ProductVisitSendDataToQueue", "ProductVisitHandler", "ProductVisitDataLakeHandler"])
def test_each_function_says_what_it_needs_under_the_same_six_headings(load, name):
    """A reader finds trigger, rights and repeats without reading code."""
    module = load(name)
    headings = [line[:-1] for line in module.__doc__.splitlines() if line.endswith(":") and line[:1].isalpha()]

    assert headings == ["Trigger", "Input", "Output", "Env", "Needs", "Repeats"]
    assert len((LAMBDAS / name / "lambda_function.py").read_text().splitlines()) <= 95


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"PricePerUnit": "-1"}, "PricePerUnit"),
        ({"PricePerUnit": "NaN"}, "PricePerUnit"),
        ({"PricePerUnit": 3}, "PricePerUnit"),
        ({"TimeOfVisit": "2026-01-15T10:22:31"}, "TimeOfVisit"),
        ({"CustomerName": " "}, "CustomerName"),
        ({"ProductId": "x" * 201}, "ProductId"),
    ],
)
def test_a_field_that_is_not_valid_is_named(load, change, field):
    """The form shows the message beside this field."""
    module, proxy = load("ProductVisitSendDataToQueue"), event("ProductVisitSendDataToQueue")
    body = json.loads(proxy["body"]) | change

    answer = module.lambda_handler(proxy | {"body": json.dumps(body)}, None)

    assert (answer["statusCode"], json.loads(answer["body"])["field"]) == (400, field)
    assert answer["headers"]["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("body", [None, "", "[]", "{", "42"])
def test_a_body_that_is_no_visit_is_refused(load, body):
    """Whatever is posted, the function answers."""
    answer = load("ProductVisitSendDataToQueue").lambda_handler({"body": body}, None)

    assert answer["statusCode"] == 400


def test_a_visit_becomes_a_typed_item(load):
    """Prices are numbers in the table, everything else is text."""
    [record] = event("ProductVisitHandler")["Records"]

    item = load("ProductVisitHandler").item_of(record["body"])

    assert (item["PricePerUnit"], item["ProductName"]) == ({"N": "89.90"}, {"S": "Trail Shoe"})


def test_a_stream_image_lands_in_the_partition_of_its_hour_in_utc(load):
    """Folder names are the lake's index."""
    module = load("ProductVisitDataLakeHandler")
    image = event("ProductVisitDataLakeHandler")["Records"][0]["dynamodb"]["NewImage"]
    elsewhere = {**image, "TimeOfVisit": {"S": "2026-01-15T23:30:00-02:00"}}

    assert module.partition_of(module.visit_of(image)) == "visits/year=2026/month=01/day=15/hour=10"
    assert module.partition_of(module.visit_of(elsewhere)) == "visits/year=2026/month=01/day=16/hour=01"


def test_an_unreadable_first_record_is_an_error_and_a_later_one_a_place_to_read_from(load):
    """Lambda halves a batch on an error only; behind written records the sequence number is enough."""
    module = load("ProductVisitDataLakeHandler")
    [good] = event("ProductVisitDataLakeHandler")["Records"]
    image = {**good["dynamodb"]["NewImage"], "TimeOfVisit": {"S": "yesterday"}}
    bad = {**good, "dynamodb": {**good["dynamodb"], "NewImage": image, "SequenceNumber": "2"}}
    written = []
    module.write = lambda partition, records, began: written.append((partition, [number for number, _ in records]))

    with pytest.raises(ValueError, match="Invalid isoformat string: 'yesterday'"):
        module.lambda_handler({"Records": [bad, good]}, None)
    response = module.lambda_handler({"Records": [good, bad, good]}, None)

    assert response == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert written == [("visits/year=2026/month=01/day=15/hour=10", [good["dynamodb"]["SequenceNumber"]])]
