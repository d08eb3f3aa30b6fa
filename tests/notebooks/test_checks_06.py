"""The checks of notebook 06: what they say to the untouched stub, to right answers and to the usual mistakes."""

from __future__ import annotations

import linecache

import pytest

TYPES = 'function_response_types = ["ReportBatchItemFailures"]\n'
NAMES = """
def process(records):
    failures = []
    for record in records:
        try:
            store(record["body"])
        except ValueError:
            failures.append({"itemIdentifier": IDENTIFIER})
    return {"batchItemFailures": failures}
"""
PUT = 'dynamodb.put_item(TableName=table_name, Item=item, ConditionExpression="attribute_not_exists(ProductVisitKey)")'


def process(identifier='record["messageId"]', types=TYPES):
    return NAMES.replace("IDENTIFIER", identifier) + types


def store_once(body):
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    return f"def store_once(dynamodb, table_name, item):\n{lines}\n"


def answer(course, exercise, source):
    """Answer as a cell does: Jupyter keeps a cell's text where ``inspect.getsource`` finds it."""
    linecache.cache[f"<answer to {exercise}>"] = (len(source), None, source.splitlines(keepends=True), "cell")
    return course.answer(exercise, source)


@pytest.mark.parametrize("exercise", ["06.1", "06.2"])
def test_the_stub_counts_as_not_attempted(course, exercise):
    assert answer(course, exercise, course.stub(exercise)).outcome == "not attempted"


def test_half_an_answer_counts_as_not_attempted(course):
    assert answer(course, "06.1", process(types="function_response_types = ...\n")).outcome == "not attempted"
    assert answer(course, "06.1", f"def process(records):\n    ...\n\n\n{TYPES}").outcome == "not attempted"


@pytest.mark.parametrize("exercise", ["06.1", "06.2"])
def test_the_solution_is_correct(course, exercise):
    verdict = answer(course, exercise, course.solution(exercise))

    assert verdict.outcome == "correct", verdict


RAISES = f"def process(records):\n    for record in records:\n        store(record['body'])\n\n\n{TYPES}"
SWALLOWS = process().replace('failures.append({"itemIdentifier": record["messageId"]})', "pass")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (RAISES, "10 came back instead of 1: an exception left process (ValueError"),
        (process('json.loads(record["body"])["ProductVisitKey"]'), "not the visit's ProductVisitKey"),
        (process('record["MessageId"]'), "with a small m"),
        (process(types="function_response_types = []\n"), "Lambda ignores what process returns"),
        (SWALLOWS, "process named no failure"),
        (process().replace("batchItemFailures", "failures"), "Lambda cannot read the answer"),
        (
            process().replace('store(record["body"])', 'float(json.loads(record["body"])["PricePerUnit"])'),
            "only 0 of 9",
        ),
        (process(types='function_response_types = "ReportBatchItemFailures"\n'), "a list of one string"),
    ],
    ids=["raises", "visit key", "MessageId", "no option", "swallows", "wrong key", "stores nothing", "no list"],
)
def test_a_usual_mistake_with_a_batch_is_named(course, source, message):
    verdict = answer(course, "06.1", source)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_another_process_is_correct(course):
    """With a helper of its own inside, and any exception taken for a failure."""
    source = f"""
def process(records):
    def failed(record):
        try:
            return store(record["body"])
        except Exception:
            return {{"itemIdentifier": record["messageId"]}}

    return {{"batchItemFailures": [one for one in map(failed, records) if one]}}


{TYPES}"""
    verdict = answer(course, "06.1", source)

    assert verdict.outcome == "correct", verdict


GET_THEN_PUT = """
found = dynamodb.get_item(TableName=table_name, Key={"ProductVisitKey": item["ProductVisitKey"]})
if "Item" in found:
    return 1
dynamodb.put_item(TableName=table_name, Item=item)
return 0
"""
NEW_KEY = """
import uuid
dynamodb.put_item(TableName=table_name, Item={**item, "ProductVisitKey": {"S": str(uuid.uuid4())}})
return 0
"""
SWAPPED = f"""
try:
    {PUT}
except ClientError:
    return 0
return 1
"""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (GET_THEN_PUT, "between your look and your write"),
        (NEW_KEY, "a new UUID makes each delivery a new visit"),
        (f"{PUT}\nreturn 0", "raised ConditionalCheckFailedException"),
        ("dynamodb.put_item(TableName=table_name, Item=item)\nreturn 0", "replaced the first item"),
        (SWAPPED, "returned [1, 0]"),
        ("return len(item) - 3", "the table is empty"),
    ],
    ids=["get then put", "new UUID", "lets it fail", "no condition", "swapped", "stores nothing"],
)
def test_a_usual_mistake_with_a_repeat_is_named(course, source, message):
    verdict = answer(course, "06.2", store_once(source))

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_another_way_to_store_once_is_correct(course):
    """A transaction with the same condition."""
    source = store_once("""
put = {"TableName": table_name, "Item": item, "ConditionExpression": "attribute_not_exists(ProductVisitKey)"}
try:
    dynamodb.transact_write_items(TransactItems=[{"Put": put}])
except dynamodb.exceptions.TransactionCanceledException:
    return 1
return 0
""")
    verdict = answer(course, "06.2", source)

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(("option", "outcome"), [("a", "not yet"), ("b", "not yet"), ("c", "correct")])
def test_every_option_of_the_prediction_gets_its_reply(course, option, outcome):
    verdict = course.check("06.predict", option)

    assert (verdict.outcome, len(verdict.message) > 40) == (outcome, True)
