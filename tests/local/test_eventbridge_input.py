"""Whatever an application sends to EventBridge, or asks a transformer to make of it, ends in an answer of AWS."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.local.api_call import AwsError
from labkit.local.eventbridge.input_transformer import check_input, target_input
from labkit.local.eventbridge.put_events import check_size, event_of

RULE = "arn:aws:events:us-east-1:123456789012:rule/r"
WORDS = st.sampled_from(["a", "b", "<a>", '"', "{", "}", "\\", "$", "$.detail", "$.detail[0]", "\n", "é", ""])
TEMPLATES = st.lists(WORDS, max_size=7).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=5,
)
TRANSFORMERS = st.fixed_dictionaries(
    {"InputTemplate": TEMPLATES}, optional={"InputPathsMap": st.dictionaries(st.sampled_from("ab"), WORDS, max_size=2)}
)
TARGETS = st.fixed_dictionaries({}, optional={"Input": TEMPLATES, "InputPath": WORDS, "InputTransformer": TRANSFORMERS})


@settings(max_examples=150, deadline=None)
@given(TARGETS, JSON)
def test_a_target_is_refused_or_gets_a_text(target, detail):
    """And what a JSON template becomes is JSON."""
    try:
        check_input(target)
        text = target_input(target, {"id": "1", "detail": detail}, RULE)
    except AwsError:
        return
    if target.get("InputTransformer", {}).get("InputTemplate", "").startswith("{"):
        json.loads(text)


ENTRIES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("Source", "DetailType"), WORDS) | {"Detail": WORDS | JSON.map(json.dumps)}
)


@settings(max_examples=100, deadline=None)
@given(ENTRIES)
def test_an_entry_is_an_event_or_fails(entry):
    """With a code of API_PutEventsResultEntry."""
    check_size([entry])
    try:
        outcome = type(event_of(entry, "us-east-1", 0.0)["detail"])
    except AwsError as error:
        outcome = error.code

    assert outcome in {dict, "InvalidArgument", "MalformedDetail", "NotAuthorizedForSourceException"}
