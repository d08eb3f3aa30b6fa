"""The filter patterns of CloudWatch Logs.

Truth: CloudWatch Logs user guide, "Filter pattern syntax", whose examples these are.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.local.api_call import AwsError
from labkit.local.cloudwatch.log_filter_pattern import compile_filter_pattern

EVENT = json.dumps(
    {
        "eventType": "UpdateTrail",
        "sourceIPAddress": "111.111.111.111",
        "arrayKey": ["value", "another value"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
        "SomeObject": None,
        "ThisFlag": True,
        "latency": 75,
        "errorCode": "AccessDenied",
    }
)


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR 400] BAD REQUEST", True),
        ("ERROR", "[error 400]", False),
        ("ERROR ARGUMENTS", "ERROR 419 MISSING ARGUMENTS", True),
        ("ERROR ARGUMENTS", "ERROR 400", False),
        ("?ERROR ?ARGUMENTS", "UNAUTHORIZED ARGUMENTS", True),
        ("?ERROR ?ARGUMENTS", "fine", False),
        ("ERROR -ARGUMENTS", "ERROR 400", True),
        ("ERROR -ARGUMENTS", "ERROR 419 MISSING ARGUMENTS", False),
        ('"INTERNAL SERVER ERROR"', "500 INTERNAL SERVER ERROR", True),
        ('{ $.eventType = "UpdateTrail" }', EVENT, True),
        ("{ $.eventType = UpdateTrail }", "eventType = UpdateTrail", False),
        ("{ $.sourceIPAddress != 123.123.* }", EVENT, True),
        ("{ $.sourceIPAddress = 111.* }", EVENT, True),
        ("{ $.sourceIPAddress = 1*1 }", '{"sourceIPAddress": "1"}', False),
        ("{ $.sourceIPAddress = *.111.*1 }", EVENT, True),
        ('{ $.arrayKey[0] = "value" }', EVENT, True),
        ("{ $.objectList[1].id = 2 }", EVENT, True),
        ("{ $.SomeObject IS NULL }", EVENT, True),
        ("{ $.SomeOtherObject NOT EXISTS }", EVENT, True),
        ("{ $.ThisFlag IS TRUE }", EVENT, True),
        ("{ $.ThisFlag IS FALSE }", EVENT, False),
        ("{ $.latency >= 75 && $.latency < 80.5 }", EVENT, True),
        ("{ $.latency > 75 }", EVENT, False),
        ("{ ($.latency > 75) || ($.errorCode = AccessDenied && $.ThisFlag IS TRUE) }", EVENT, True),
        ("{ $.missing = 1 }", EVENT, False),
    ],
)
def test_a_pattern_matches_as_the_guide_says(pattern, message, expected):
    """Terms on text, expressions on JSON."""
    assert compile_filter_pattern(pattern)(message) is expected


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("{ $.a = }", "InvalidParameterException"),
        ("{ $.a = 1", "InvalidParameterException"),
        ("{ a = 1 }", "InvalidParameterException"),
        ("{ $.a < x }", "InvalidParameterException"),
        ('"unclosed', "InvalidParameterException"),
        ("[ip, user, status = 4*]", "NotImplemented"),
        ("%ERROR.*%", "NotImplemented"),
    ],
)
def test_a_pattern_that_is_none_or_only_aws_knows_is_refused(pattern, code):
    """Never taken and then not matched."""
    with pytest.raises(AwsError) as refused:
        compile_filter_pattern(pattern)

    assert refused.value.code == code


PIECES = st.sampled_from(
    ["{", "}", "$.a", "$.a[0]", "=", "!=", "<", "&&", "||", "(", ")", "IS", "NULL", "1", "x*", '"t"']
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=9).map(" ".join) | st.text(max_size=12), st.text(max_size=12) | st.just('{"a": 1}'))
def test_every_pattern_is_refused_or_decides_about_every_message(pattern, message):
    """Never a failure of ours."""
    try:
        test = compile_filter_pattern(pattern)
    except AwsError:
        return
    assert test(message) in (True, False)


def test_a_pattern_of_many_asterisks_takes_a_long_message_in_its_stride():
    """Whoever may put a filter must not be able to stop the local cloud by a log line."""
    matches = compile_filter_pattern('{ $.a = "' + "*a" * 40 + '*b" }')

    assert not matches(json.dumps({"a": "a" * 100_000}))
    assert matches(json.dumps({"a": "a" * 100_000 + "b"}))
