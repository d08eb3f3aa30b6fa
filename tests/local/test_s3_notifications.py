"""Notification configurations: whatever comes from outside gets an answer, and no event reaches two entries."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.local.api_call import AwsError
from labkit.local.s3.notifications.configuration import EVENTS, concerns, entries_of, read_configuration
from labkit.local.s3.notifications.event_records import Change, event_record, eventbridge_event

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"
NAMES = st.text(alphabet="ab/.", max_size=3)
RULES = st.lists(st.fixed_dictionaries({"Name": st.sampled_from(["prefix", "Suffix"]), "Value": NAMES}), max_size=2)
ENTRY = st.fixed_dictionaries(
    {"QueueArn": st.just(QUEUE), "Events": st.lists(st.sampled_from(sorted(EVENTS)), min_size=1, max_size=2)},
    optional={"Filter": RULES.map(lambda rules: {"Key": {"FilterRules": rules}}), "Id": NAMES},
)
ANYTHING = st.none() | st.text(max_size=8) | st.just(QUEUE)
BROKEN = st.fixed_dictionaries(
    {},
    optional={
        "QueueArn": ANYTHING,
        "Events": st.lists(st.text(max_size=8), max_size=2),
        "Id": ANYTHING,
        "Filter": st.none() | st.just({}) | st.just({"Key": None}) | st.just({"Key": {"FilterRules": [{}]}}),
    },
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ENTRY | BROKEN, max_size=3), st.text(alphabet="ab/.", max_size=6))
def test_a_configuration_is_refused_or_tells_of_each_event_once(entries, key):
    """So that S3's rule against overlaps is what keeps an object from two destinations."""
    try:
        kept = read_configuration({"QueueConfigurations": entries}, "us-east-1")
    except AwsError:
        return
    for event in EVENTS:
        if not event.endswith("*"):
            assert sum(concerns(entry, event, key) for _, entry in entries_of(kept)) <= 1
    assert read_configuration(kept, "us-east-1") == kept


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, max_size=20), st.integers(-1, 5))
def test_every_key_can_be_told(key, size):
    """In both shapes; consumers decode the first with ``unquote_plus``."""
    change = Change(
        event="ObjectCreated:Put", bucket="b", region="us-east-1", key=key, size=size, etag="e", version_id="",
        sequencer="1", time=0.0, request_id="r", source_ip="", principal="p", requester="1", reason="PutObject",
    )  # fmt: skip
    [record] = event_record(change, "id")["Records"]

    assert record["s3"]["object"]["key"].isascii()
    assert eventbridge_event(change)["detail"]["object"]["key"] == key
