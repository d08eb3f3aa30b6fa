"""Notebook 08's checks: a market day with a copy and a late upload, and a lake whose objects are counted."""

from __future__ import annotations

import boto3
import pytest

import labkit

# What awswrangler and pyarrow still use, and pandas 3 is about to drop.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{warning}:pandas.errors.Pandas4Warning")
    for warning in (
        "The copy keyword is deprecated",
        "The inplace keyword in DataFrame",
        "Series.values returning an ndarray",
    )
]

MARKET = """
market = wr.s3.read_json(practice, **as_it_is){unique}
moments = pd.to_datetime(market["TimeOfVisit"], utc=True, format="ISO8601"){zone}
counts = moments.groupby(moments.dt.hour).size()
busiest_hour, visits_in_it = int(counts.idxmax()), int(counts.max())
{change}
"""
UNIQUE = '.drop_duplicates("ProductVisitKey")'
UPLOADED = """
uploads = [one["LastModified"].hour for one in s3.list_objects_v2(Bucket=lake, Prefix="practice/")["Contents"]
           for line in s3.get_object(Bucket=lake, Key=one["Key"])["Body"].read().splitlines()]
busiest_hour, visits_in_it = max(uploads, key=uploads.count), max(map(uploads.count, uploads))
"""
READ = """
def read_day(lake_path, day, session):
    {body}
"""


def market(change="", unique=UNIQUE, zone=""):
    return MARKET.format(change=change, unique=unique, zone=zone)


def read(*body):
    return READ.format(body="\n    ".join(body))


def folder(path, answer="table, len(paths)"):
    """A ``read_day`` that lists *path* and reads what it finds."""
    return read(
        f"paths = wr.s3.list_objects(f'{path}', boto3_session=session)",
        "table = wr.s3.read_json(paths, boto3_session=session, **as_it_is)",
        f"return {answer}",
    )


@pytest.fixture(scope="module")
def opened(course):
    """The notebook, run up to its last exercise."""
    course.run("08.2")
    return course


@pytest.mark.parametrize("exercise", ["08.1", "08.2"])
def test_the_stub_counts_as_not_attempted(opened, exercise):
    """A learner who runs all cells is not told off."""
    assert opened.answer(exercise, opened.stub(exercise)).outcome == "not attempted"


@pytest.mark.parametrize("exercise", ["08.1", "08.2"])
def test_the_solution_is_correct(opened, exercise):
    """Solutions do not drift from their checks."""
    verdict = opened.answer(exercise, opened.solution(exercise))

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("08.1", market("busiest_hour, visits_in_it = counts.idxmax(), counts.max()")),
        ("08.1", market(unique='.groupby("ProductVisitKey", as_index=False).first()')),
        ("08.2", folder("{lake_path}year=2026/month=01/day=01/")),
        ("08.2", read(
            "bucket, _, start = lake_path.removeprefix('s3://').partition('/')",
            "client = session.client('s3')",
            "prefix = f'{start}{day:year=%Y/month=%m/day=%d}/'",
            "keys = [one['Key'] for one in client.list_objects_v2(Bucket=bucket, Prefix=prefix)['Contents']]",
            "bodies = [client.get_object(Bucket=bucket, Key=key)['Body'].read() for key in keys]",
            "lines = [json.loads(line) for body in bodies for line in body.splitlines()]",
            "return pd.DataFrame(lines), len(keys)",
        )),
        ("08.2", read(
            "fits = lambda p: p['day'] == f'{day:%d}' and p['month'] == f'{day:%m}'",
            "options = {'dataset': True, 'boto3_session': session, 'partition_filter': fits}",
            "return wr.s3.read_json(lake_path, lines=True, **options), 3",
        )),
    ],
)  # fmt: skip
def test_another_right_answer_is_correct(opened, exercise, answer):
    """What counts is what is found, and what was opened for it."""
    verdict = opened.answer(exercise, answer)

    assert verdict.outcome == "correct", verdict


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (market(unique=""), "some visits are in two objects"),
        (market(UPLOADED), "when the objects were uploaded"),
        (market(zone='.dt.tz_convert("Asia/Tokyo")'), "is that hour in another time zone?"),
        (market('busiest_hour, visits_in_it = f"{busiest_hour:02d}", visits_in_it'), "numbers are asked for"),
        (market("visits_in_it = visits_in_it - 3"), "the late upload belongs to it, too"),
        (market("busiest_hour = 24"), "no hour of a day"),
        (market("busiest_hour, visits_in_it = (busiest_hour + 5) % 24, 1"), "is not the busiest hour"),
        (market("visits_in_it = 7.5"), "two whole numbers"),
        (market("busiest_hour = True"), "two whole numbers"),
    ],
)
def test_a_wrong_hour_is_told_by_the_mistake_that_makes_it(opened, answer, message):
    """The check makes the usual mistakes itself, and compares."""
    verdict = opened.answer("08.1", answer)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (read(
            "table = wr.s3.read_json(lake_path, boto3_session=session, **as_it_is)",
            "table = table[table['TimeOfVisit'].str.startswith(f'{day}')]",
            "return table, 3",
        ), "you read the whole lake and filtered afterwards"),
        (folder("{lake_path}year=2026/month=1/day=1/"), "two digits: day=01"),
        (folder("{lake_path}year=2026/month=01/day=1"), "which is another day"),
        (folder("{lake_path}{day:year=%Y/month=%m/day=%d}"), "End the prefix with a slash"),
        (read(
            "path = f'{lake_path}{day:year=%Y/month=%m/day=%d}'",
            "return wr.s3.read_json(path, lines=True, dataset=True, boto3_session=session), 3",
        ), "End the prefix with a slash"),
        (folder("{lake_path}{day:year=%Y/month=%m/day=%d}/").replace("boto3_session=session", "boto3_session=None"),
         "nothing was read through the session"),
        (folder("{lake_path}{day:year=%Y/month=%m/day=%d}/", "table, len(table)"), "counted were 3"),
        (folder("{lake_path}{day:year=%Y/month=%m/day=%d}/", "table.head(2), len(paths)"), "the table has 2 visits"),
        (folder("{lake_path}{day:year=%Y/month=%m/day=%d}/", "table"), "returns two things"),
        (read("raise KeyError('day')"), "read_day raised KeyError"),
        ("read_day = 3", "should be a function"),
    ],
)  # fmt: skip
def test_a_reader_that_opens_too_much_or_too_little_is_told(opened, answer, message):
    """The objects that were opened are counted, on a lake with traps."""
    verdict = opened.answer("08.2", answer)

    assert (verdict.outcome, message in verdict.message) == ("not yet", True), verdict


def test_the_check_leaves_no_bucket_behind(opened):
    """Also after an answer that raises."""
    opened.answer("08.2", read("raise KeyError('day')"))

    names = [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]
    assert not [one for one in names if "visits-check" in one and opened.lab["lab_id"] in one]


def test_without_the_market_day_the_check_says_which_cell_to_run(opened):
    """A learner comes back the next day, and begins with an empty local cloud."""
    labkit.connect(lab_id="t-elsewhere")
    try:
        verdict = opened.check("08.1", 8, 3)
    finally:
        labkit.connect(lab_id=opened.lab["lab_id"])

    assert "run the cell under Exercise" in verdict.message


@pytest.mark.parametrize(
    ("option", "outcome"), [("a", "not yet"), ("b", "not yet"), ("c", "correct"), ("d", "not yet")]
)
def test_every_option_of_the_prediction_gets_its_reply(opened, option, outcome):
    """A wrong guess is answered too."""
    assert opened.check("08.predict", option).outcome == outcome
