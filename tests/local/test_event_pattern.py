"""The event pattern language: each operator, and that nothing outside breaks it."""

from __future__ import annotations

import json
import re
import time

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
        "ip6": "2001:db8::7",
        "stars": "5\\**",
        "inner": {"deep": "x"},
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
        ([{"prefix": {"equals-ignore-case": "tRAIL"}}], "name", True),
        ([{"suffix": {"equals-ignore-case": "sHOE"}}], "name", True),
        ([{"prefix": ""}], "name", True),
        ([{"prefix": "5"}], "n", False),
        ([{"equals-ignore-case": ""}], "name", False),
        ([{"wildcard": ""}], "name", False),
        ([{"wildcard": "Trail Shoe"}], "name", True),
        ([{"wildcard": "*"}], "n", False),
        ([{"wildcard": r"5\\\*\*"}], "stars", True),
        ([{"anything-but": [5, 6]}], "n", False),
        ([{"anything-but": [6]}], "name", True),
        ([{"anything-but": "a"}], "list", True),
        ([{"anything-but": {"prefix": ["x", "y"]}}], "n", True),
        ([{"anything-but": {"suffix": ["x", "oe"]}}], "name", False),
        ([{"anything-but": {"equals-ignore-case": ["TRAIL SHOE"]}}], "name", False),
        ([{"anything-but": {"wildcard": "*Sh*"}}], "name", False),
        ([{"anything-but": {"wildcard": "*Sh*"}}], "missing", False),
        ([{"numeric": ["=", 5.0]}], "n", True),
        ([{"numeric": [">=", 5, "<", 5.1]}], "n", True),
        ([{"numeric": ["<", 5]}], "none", False),
        ([{"numeric": ["=", 1]}], "flag", False),
        ([{"exists": True}], "none", True),
        ([{"exists": False}], "empty", True),
        ([{"exists": False}], "inner", True),
        ([{"exists": False}, "red"], "colour", True),
        ([""], "name", False),
        (["null"], "none", False),
        ([{"cidr": "2001:db8::/32"}], "ip6", True),
        ([{"cidr": "10.0.0.0/24"}], "n", False),
    ],
)
def test_an_operator_matches_as_it_does_on_aws(leaf, field, expected):
    """From AWS's recorded cases."""
    assert compile_pattern({"detail": {field: leaf}}).matches(EVENT) is expected


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        ({"a": {"b": ["x"]}}, {"a": [{"b": "y"}, {"b": "x"}]}, True),
        ({"a": {"b": ["x"], "c": ["z"]}}, {"a": [{"b": "x"}, {"c": "z"}]}, False),  # one element must have both
        ({"a": {"b": ["x"], "c": ["z"]}}, {"a": [1, {"b": "x", "c": "z"}]}, True),
        ({"a": ["x"]}, {"a": [["x"], "y"]}, True),
        ({"a": ["x"]}, {"A": "x"}, False),
        ({"a.b": ["x"]}, {"a": {"b": "x"}}, True),
        ({"a": {"b.c": ["x"]}}, {"a.b": {"c": "x"}}, True),
        ({"a": {"b": ["x"]}}, {"a.b": "x"}, True),
        ({"a": {"b": [{"exists": False}]}}, {"a": 5}, True),
        ({"a": {"b": [{"exists": False}]}}, {}, True),
        ({"a": {"b": [{"exists": False}]}}, {"a": []}, True),
        ({"a": {"b": [{"anything-but": "x"}]}}, {"a": 5}, False),
        ({"$or": [{"a": ["x"]}, {"b": [{"numeric": [">", 3]}]}]}, {"b": 4}, True),
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}], "c": ["z"]}, {"a": "x", "c": "q"}, False),
        ({"d": {"$or": [{"a": ["x"]}, {"$or": [{"b": ["y"]}, {"c": ["z"]}]}]}}, {"d": {"c": "z"}}, True),
    ],
)
def test_structure_matches_as_it_does_on_aws(pattern, event, expected):
    """Objects, lists of objects, dots in names, and alternatives: AWS's recorded cases and its published matcher."""
    assert compile_pattern(pattern).matches(event) is expected


def of(leaf):
    return json.dumps({"a": [leaf]})


BUT_LIST = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
BUT_MIXED = "Inside anything but list, either all values are number or string, mixed type is not supported"
BUT_VALUE = "Value of anything-but must be an array or single string/number value."


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "Filter is not a valid JSON"),
        ("{'a': 'single'}", "Filter is not a valid JSON"),
        ('{"a": [NaN]}', "Unrecognized token 'NaN'"),
        ("[]", "Filter is not an object"),
        ("{}", "Empty objects are not allowed"),
        ('{"a": {}}', "Empty objects are not allowed"),
        ('{"a": "x"}', '"a" must be an object or an array'),
        ('{"a": []}', "Empty arrays are not allowed"),
        (of([]), "Match value must be String, number, true, false, or null"),
        (of({}), "Match expression name not found"),
        (of({"nope": 1}), "Unrecognized match type nope"),
        (of({"EXISTS": True}), "Unrecognized match type EXISTS"),
        (of({"exists": "yes"}), "exists match pattern must be either true or false."),
        (of({"prefix": "a", "suffix": "b"}), "Only one key allowed in match expression"),
        (of({"prefix": ["a"]}), "prefix match pattern must be a string"),
        (of({"suffix": {"prefix": "a"}}), "Unsupported suffix pattern: prefix"),
        (of({"equals-ignore-case": ["a"]}), "equals-ignore-case match pattern must be a string"),
        (of({"wildcard": 1}), "wildcard match pattern must be a string"),
        (of({"wildcard": "a**b"}), "Consecutive wildcard characters at pos 2"),
        (of({"wildcard": "a\\b"}), "Invalid escape character at pos 2"),
        (of({"wildcard": "*:*:*:*:*:x/*"}), "Rule is too complex"),
        (of({"anything-but": None}), BUT_VALUE),
        (of({"anything-but": {"prefix": {"equals-ignore-case": "a"}}}), BUT_VALUE),
        (of({"anything-but": ["a", None]}), "Inside anything but list, start|null|boolean is not supported."),
        (of({"anything-but": ["a", 1]}), BUT_MIXED),
        (of({"anything-but": []}), BUT_MIXED),
        (of({"anything-but": {"numeric": [1]}}), "Unsupported anything-but pattern: numeric"),
        (of({"anything-but": {"prefix": ""}}), "Null prefix/suffix not allowed"),
        (of({"anything-but": {"suffix": [1, "a"]}}), "prefix/suffix match pattern must be a string"),
        (of({"anything-but": {"equals-ignore-case": [1]}}), BUT_LIST),
        (of({"numeric": 10}), "Value of numeric must be an array."),
        (of({"numeric": ["<"]}), "Value of < must be numeric"),
        (of({"numeric": ["=", "5"]}), "Value of equals must be numeric"),
        (of({"numeric": ["!", 5]}), "Unrecognized numeric range operator: !"),
        (of({"numeric": ["<", 5, ">", 1]}), "Too many elements in numeric expression"),
        (of({"numeric": [">", 0, ">", 5]}), "Bad numeric range operator: >"),
        (of({"numeric": [">", 5, "<", 5]}), "Bottom must be less than top"),
        (of({"numeric": [">", 0, "<", 5, "<"]}), "Too many terms in numeric range expression"),
        (of({"cidr": "10.0.0.0"}), "Malformed CIDR, one '/' required"),
        (of({"cidr": "10.0.0.0/x"}), "Malformed CIDR, mask bits must be an integer"),
        (of({"cidr": "10.0.0.0/32"}), "IPv4 mask bits must be < 32"),
        (of({"cidr": "x.0.0.0/8"}), "Nonstandard IP address: x.0.0.0"),
        (of({"cidr": "300.0.0.0/8"}), "Invalid IP address: 300.0.0.0"),
        ('{"$or": {"a": ["x"]}}', "It must be an Array followed with $or."),
        ('{"$or": ["x", "y"]}', "Only JSON object is allowed in array of $or relationship."),
        ('{"$or": [{"a": ["x"]}]}', "There must have at least 2 Objects in $or relationship."),
        ('{"$or": [{"prefix": ["x"]}, {"a": [1]}]}', "prefix is Ruler reserved fieldName which cannot be used inside"),
    ],
)
def test_a_pattern_that_is_none_is_refused_in_the_words_of_aws(pattern, reason):
    """PutRule answers InvalidEventPatternException with this reason: AWS's recorded answers and published compiler."""
    with pytest.raises(InvalidPattern, match=f"^{re.escape(reason)}"):
        compile_pattern(pattern)


WORDS = st.sampled_from(["a", "b", "a.b", "$or", "x*", "**", "\\", "10.0.0.0/8", ">", "<=", "=", "", "é"])
NUMBERS = st.sampled_from([0, 1, -1, 0.1, 5e9, 2**63, 10**400, -1e999])
OPERATORS = st.sampled_from(
    ["prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "cidr", "exists", "$or", "a", "b"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda v: st.lists(v, max_size=4) | st.dictionaries(OPERATORS | WORDS, v, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(OPERATORS | WORDS, VALUES, max_size=3) | VALUES, st.dictionaries(WORDS, VALUES, max_size=3))
def test_no_pattern_and_no_event_ends_in_anything_but_an_answer(pattern, event):
    """Whatever comes from outside: a match, no match, or InvalidPattern."""
    try:
        compiled = compile_pattern(json.dumps(pattern))
    except InvalidPattern:
        return
    assert compiled.matches(event) in (True, False)


def test_a_wildcard_costs_no_more_than_the_length_of_the_value():
    """What a backtracking matcher would need years for."""
    compiled = compile_pattern({"a": [{"wildcard": "*a*a*a*a*b"}, {"wildcard": "*" + "aa" * 500 + "*c"}]})
    started = time.perf_counter()

    assert compiled.matches({"a": "a" * 200_000}) is False

    assert time.perf_counter() - started < 1


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
