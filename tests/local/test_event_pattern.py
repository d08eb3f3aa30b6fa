"""The event pattern language: each operator, and that nothing outside breaks it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.local.event_pattern import InvalidPattern, compile_pattern
from labkit.local.policy import allows_principal, evaluate, is_public

EVENT = {
    "source": "aws.s3",
    "detail": {
        "name": "Trail Shoe",
        "n": 5,
        "flag": True,
        "none": None,
        "list": ["a", "b"],
        "empty": [],
        "ip": "10.0.0.7",
    },
}


@pytest.mark.parametrize(
    ("leaf", "field", "expected"),
    [
        (["Trail Shoe"], "name", True),
        (["trail shoe"], "name", False),
        ([{"prefix": "Trail"}], "name", True),
        ([{"suffix": "Shoe"}], "name", True),
        ([{"equals-ignore-case": "trail shoe"}], "name", True),
        ([{"wildcard": "T*l*Sh*"}], "name", True),
        ([{"wildcard": "T*x*"}], "name", False),
        ([{"anything-but": "x"}], "name", True),
        ([{"anything-but": ["Trail Shoe"]}], "name", False),
        ([{"anything-but": {"prefix": "Tr"}}], "name", False),
        ([{"anything-but": "x"}], "missing", False),
        ([{"anything-but": "x"}], "none", True),
        ([{"numeric": [">", 0, "<=", 5]}], "n", True),
        ([{"numeric": [">", 5]}], "n", False),
        ([{"numeric": [">", 0]}], "name", False),
        ([{"exists": True}], "empty", False),
        ([{"exists": False}], "missing", True),
        ([None], "none", True),
        ([True], "flag", True),
        ([1], "flag", False),
        (["b"], "list", True),
        ([{"cidr": "10.0.0.0/24"}], "ip", True),
        ([5.0], "n", True),
    ],
)
def test_an_operator_matches_as_it_does_on_aws(leaf, field, expected):
    """From AWS's recorded cases."""
    assert compile_pattern({"detail": {field: leaf}}).matches(EVENT) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "[]",
        "{}",
        '{"a": "x"}',
        '{"a": []}',
        '{"a": [{"numeric": ["<"]}]}',
        '{"a": [{"nope": 1}]}',
        '{"a": [{"wildcard": "a**b"}]}',
    ],
)
def test_a_pattern_that_is_none_is_refused(pattern):
    """PutRule answers InvalidEventPatternException with this reason."""
    with pytest.raises(InvalidPattern):
        compile_pattern(pattern)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(VALUES, st.dictionaries(st.text(max_size=3), VALUES, max_size=3))
def test_no_pattern_and_no_event_ends_in_anything_but_an_answer(pattern, event):
    """Whatever comes from outside: a match, no match, or InvalidPattern."""
    try:
        compiled = compile_pattern(json.dumps(pattern))
    except InvalidPattern:
        return
    assert compiled.matches(event) in (True, False)


def test_policies_decide_as_iam_does():
    """An explicit deny wins; a resource that is not named is not allowed; conditions narrow."""
    allow = {"Statement": [{"Effect": "Allow", "Action": "sqs:Send*", "Resource": "arn:aws:sqs:*:*:mine"}]}
    deny = {"Statement": {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}}
    service = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "*",
    }
    narrowed = {"Statement": [{**service, "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:sns:*:*:topic"}}}]}
    asked = {"principal": {"Service": "sns.amazonaws.com"}, "action": "sqs:SendMessage", "resource": "q"}

    assert evaluate([allow], "sqs:sendmessage", "arn:aws:sqs:r:a:mine") == "allow"
    assert evaluate([allow], "sqs:SendMessage", "arn:aws:sqs:r:a:other") == "implicit-deny"
    assert evaluate([allow, deny], "sqs:SendMessage", "arn:aws:sqs:r:a:mine") == "explicit-deny"
    assert allows_principal(narrowed, **asked, context={"AWS:SourceArn": "arn:aws:sns:r:a:topic"}) == "allow"
    assert allows_principal(narrowed, **asked, context={"AWS:SourceArn": "arn:aws:sns:r:a:other"}) == "implicit-deny"
    assert (is_public({"Statement": [{"Effect": "Allow", "Principal": "*"}]}), is_public(narrowed)) == (True, False)
