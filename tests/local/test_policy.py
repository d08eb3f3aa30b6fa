"""Condition operators, variables and wildcards of policies.

Sources: IAM User Guide, "IAM JSON policy elements: Condition operators", "Condition operators with multi-valued context
keys", "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from datetime import timedelta
from fnmatch import translate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.local.api_call import AwsError
from labkit.local.policy import allows_principal, evaluate, is_public
from labkit.local.policy_conditions import conditions_hold, lowered, matches, with_variables
from labkit.local.s3.bucket_policy import read_bucket_policy

DAY, TEXT = "2026-01-15T12:00:00Z", "key"


@pytest.mark.parametrize(
    ("operator", "expected", "actual", "holds"),
    [
        ("StringEquals", "a", "a", True), ("StringEquals", ["a", "b"], "b", True), ("StringEquals", "A", "a", False),
        ("StringEquals", "a*", "ab", False), ("StringNotEquals", ["a", "b"], "c", True),
        ("StringNotEquals", ["a", "b"], "b", False), ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringNotEqualsIgnoreCase", "A", "a", False), ("StringLike", "a*c?", "abbcd", True),
        ("StringNotLike", "a*", "abc", False), ("NumericEquals", "5", "5.0", True), ("NumericNotEquals", 5, "6", True),
        ("NumericLessThan", "10", "9", True), ("NumericLessThanEquals", "9", "9", True),
        ("NumericGreaterThan", "10", "9", False), ("NumericGreaterThanEquals", "x", "9", False),
        ("DateGreaterThan", "2026-01-01T00:00:00Z", DAY, True), ("DateLessThan", "2026-01-01", DAY, False),
        ("DateEquals", "1768478400", DAY, True), ("DateLessThanEquals", "2026-01-15T13:00:00+01:00", DAY, True),
        ("Bool", "true", "true", True), ("Bool", True, "true", True), ("Bool", "false", "true", False),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True), ("IpAddress", "10.1.2.3", "10.1.2.3", True),
        ("NotIpAddress", ["10.0.0.0/8", "192.168.0.0/16"], "10.1.2.3", False), ("IpAddress", "::1/128", "::1", True),
        ("ArnLike", "arn:aws:s3:::b*", "arn:aws:s3:::bucket", True),
        ("ArnEquals", "arn:*:1:x", "arn:aws:s3:1:x", False),
        ("ArnLike", "arn:aws:sns:*:1*:topic", "arn:aws:sns:us-east-1:123:topic", True),
        ("ArnNotLike", "arn:aws:sns:*:*:a", "arn:aws:sns:r:1:b", True), ("Null", "false", "a", True),
        ("Null", "true", "a", False), ("NotAnOperator", "a", "a", False),
    ],
)  # fmt: skip
def test_operators(operator, expected, actual, holds):
    """Each against one value of the request."""
    assert conditions_hold({operator: {TEXT: expected}}, {TEXT: actual}) is holds


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("StringEquals", False), ("StringEqualsIfExists", True), ("StringNotEquals", True),
        ("StringNotEqualsIfExists", True), ("Bool", False), ("BoolIfExists", True), ("Null", False),
        ("ForAllValues:StringEquals", True), ("ForAnyValue:StringEquals", False),
    ],
)  # fmt: skip
def test_a_key_that_the_request_does_not_have(operator, holds):
    """A negated operator holds; that is how a Deny meant for others locks out its author."""
    assert conditions_hold({operator: {TEXT: "a"}}, {}) is holds
    assert conditions_hold({"Null": {TEXT: "true"}}, {})


@pytest.mark.parametrize(
    ("operator", "actual", "holds"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], True), ("ForAllValues:StringEquals", ["a", "c"], False),
        ("ForAnyValue:StringEquals", ["a", "c"], True), ("ForAnyValue:StringEquals", ["c"], False),
        ("ForAllValues:StringNotEquals", ["c"], True), ("ForAnyValue:StringNotEquals", ["a"], False),
        ("ForAllValues:StringLike", [], True),
    ],
)  # fmt: skip
def test_a_key_with_several_values(operator, actual, holds):
    """Such as the keys of the tags that a call gives."""
    assert conditions_hold({operator: {TEXT: ["a", "b"]}}, {TEXT: actual}) is holds


def test_all_conditions_must_hold_and_names_of_keys_have_no_case():
    """Operators and keys are joined by and, values by or."""
    condition = {"StringEquals": {"aws:A": ["x", "y"], "aws:B": "z"}, "Bool": {"aws:C": "true"}}

    assert conditions_hold(condition, lowered({"AWS:a": "y", "aws:b": "z", "aws:c": "true"}))
    assert not conditions_hold(condition, lowered({"AWS:a": "y", "aws:b": "z", "aws:c": "false"}))


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("home/${aws:username}/*", "home/ada/*"), ("${AWS:UserName}", "ada"), ("${aws:PrincipalTag/no, 'all'}", "all"),
        ("${aws:PrincipalTag/no}", None), ("plain", "plain"), ("${$}", "$"),
    ],
)  # fmt: skip
def test_variables(text, replaced):
    """A variable without a value makes the text match nothing."""
    assert with_variables(text, {"aws:username": "ada"}) == replaced


def test_the_value_of_a_variable_is_no_wildcard():
    """A user named ``*`` gets no more than others; ``${*}`` is the character."""
    own = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "b/${aws:username}"}],
    }
    star = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "b/${*}"}]}
    old = own | {"Version": "2008-10-17"}

    assert evaluate([own], "s3:GetObject", "b/ada", {"aws:username": "*"}) == "implicit-deny"
    assert evaluate([own], "s3:GetObject", "b/*", {"aws:username": "*"}) == "allow"
    assert evaluate([star], "s3:GetObject", "b/x") == "implicit-deny"
    assert evaluate([star], "s3:GetObject", "b/*") == "allow"
    assert evaluate([old], "s3:GetObject", "b/${aws:username}", {"aws:username": "ada"}) == "allow"


def test_what_is_not_named():
    """NotAction, NotResource and NotPrincipal mean everything else."""

    def decide(**statement):
        return evaluate([{"Statement": {"Effect": "Allow", "Action": "*", **statement}}], "s3:GetObject", "arn:a")

    assert (decide(NotResource="arn:b"), decide(NotResource="arn:a")) == ("allow", "implicit-deny")
    others = {"Statement": {"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"}}
    assert (evaluate([others], "s3:Get", "x"), evaluate([others], "IAM:Get", "x")) == ("allow", "implicit-deny")
    policy = {"Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": ["me"]}, "Action": "*", "Resource": "*"}}
    asked = {"action": "s3:Get", "resource": "x"}
    assert allows_principal(policy, principal={"AWS": "me"}, **asked) == "implicit-deny"
    assert allows_principal(policy, principal={"AWS": "you"}, **asked) == "explicit-deny"


@settings(max_examples=150, deadline=timedelta(seconds=10))
@given(st.text("ab*?.[", max_size=12), st.text("ab.[", max_size=12))
def test_wildcards_mean_what_they_mean_everywhere(text, value):
    """The same as the standard library's, where that knows the sign."""
    if "[" in text:
        text = text.replace("[", "")
    assert matches(text, value) == bool(re.fullmatch(translate(text), value))


def test_no_wildcards_are_slow():
    """A policy of forty stars is judged as fast as any other."""
    started = time.perf_counter()

    assert not matches("*a" * 40 + "b", "a" * 5000)
    assert time.perf_counter() - started < 1


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["*", "s3:*", "Allow", "${a}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition", "Sid")
STATEMENTS = st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=6)
POLICIES = st.fixed_dictionaries({"Version": ANYTHING, "Statement": STATEMENTS | st.lists(STATEMENTS) | ANYTHING})


@settings(max_examples=60, deadline=timedelta(seconds=10))
@given(POLICIES)
def test_any_document_is_judged_and_any_bucket_policy_read_or_refused(policy):
    """Whatever was stored: a decision, and no traceback."""
    assert evaluate([policy], "s3:GetObject", "arn:aws:s3:::b/k") in ("allow", "explicit-deny", "implicit-deny")
    assert allows_principal(policy, principal={"AWS": "arn:aws:iam::1:user/a"}, action="a:b", resource="c")
    assert is_public(policy) in (True, False)
    with contextlib.suppress(AwsError):
        read_bucket_policy(json.dumps(policy), "b")
