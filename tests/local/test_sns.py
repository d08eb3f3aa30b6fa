"""SNS: whatever comes from outside gets an answer, and nothing of it becomes a header of a mail or HTML of a page."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.local.api_call import ApiCall, AwsError, Caller, Headers, HttpRequest
from labkit.local.clock import Clock
from labkit.local.pages.inbox_page import inbox_page
from labkit.local.sns.email import confirmation_mail, notification_mail
from labkit.local.sns.filter_policy import ATTRIBUTES, BODY, check_filter_policy, filtered_out
from labkit.local.sns.http_endpoint import check_url, retry_pauses
from labkit.local.sns.message_attributes import check_message
from labkit.local.sns.subscription_attributes import read_attributes
from labkit.local.sns.subscription_pages import SubscriptionPages
from labkit.local.sns.subscriptions import EMAIL, Subscriptions
from labkit.local.sns.topic_attributes import check_topic_attribute, effective_delivery_policy

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
OPERATORS = st.sampled_from(["prefix", "suffix", "numeric", "anything-but", "exists", "cidr", "wildcard", "x"])
EXPRESSIONS = st.dictionaries(OPERATORS, LEAVES | st.lists(LEAVES, max_size=3), max_size=2)
RULES = st.lists(LEAVES | EXPRESSIONS, max_size=3)
POLICIES = st.dictionaries(
    st.sampled_from(["a", "b", "$or"]),
    st.recursive(
        RULES, lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=2) | st.lists(inner), max_leaves=5
    ),
    max_size=3,
)
ATTRIBUTE = st.fixed_dictionaries(
    {"DataType": st.sampled_from(["String", "Number", "String.Array", "Binary", "String.Own"])},
    optional={"StringValue": st.text(max_size=6) | st.just("7") | st.just('["a", 1]'), "BinaryValue": st.binary()},
)


@settings(max_examples=70, deadline=None)
@given(POLICIES, st.dictionaries(st.sampled_from(["a", "b"]), ATTRIBUTE), st.text(max_size=8) | st.just('{"a": ["x"]}'))
def test_every_policy_is_refused_or_decides_about_every_message(policy, attributes, message):
    """In both scopes; the reasons are those that CloudWatch counts."""
    text = json.dumps(policy)
    for scope in (ATTRIBUTES, BODY):
        try:
            check_filter_policy(text, scope, "")
        except AwsError:
            continue
        assert filtered_out(text, scope, message, attributes) in (
            "", ATTRIBUTES, BODY, "NoMessageAttributes", "InvalidAttributes", "InvalidMessageBody"
        )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=12), st.dictionaries(st.text(max_size=5), ATTRIBUTE, max_size=2), st.text(max_size=12))
def test_every_message_and_attribute_is_refused_or_taken(text, attributes, value):
    """Never a failure of ours."""
    names = ("FilterPolicy", "FilterPolicyScope", "RedrivePolicy", "RawMessageDelivery", "DeliveryPolicy", value)
    attempts = [lambda: check_message({"Message": text, "MessageAttributes": attributes, "Subject": value})]
    attempts.append(lambda: check_message({"Message": text, "MessageStructure": "json"}))
    attempts += [lambda name=name: read_attributes({name: text}, "sqs", fifo=False) for name in names]
    attempts += [lambda name=name: check_topic_attribute(name, text, fifo=True) for name in ("Policy", *names)]
    for attempt in attempts:
        with contextlib.suppress(AwsError):
            attempt()


SHAPES = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(
        st.sampled_from(
            [
                "http",
                "healthyRetryPolicy",
                "defaultHealthyRetryPolicy",
                "defaultRequestPolicy",
                "numRetries",
                "minDelayTarget",
            ]
        ),
        inner,
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(SHAPES)
def test_every_delivery_policy_is_refused_or_can_be_shown_and_followed(policy):
    """Its numbers decide how long a delivery goes on."""
    text = json.dumps(policy)
    try:
        check_topic_attribute("DeliveryPolicy", text, fifo=False)
    except AwsError:
        return
    assert json.loads(effective_delivery_policy({"DeliveryPolicy": text}))["http"]
    assert all(0 < wait <= 3600 for wait in retry_pauses("", text))


@pytest.mark.parametrize(
    ("own", "http", "pauses"),
    [
        ({}, {}, [20, 20, 20]),
        ({}, {"defaultHealthyRetryPolicy": {"numRetries": 1}}, [20]),
        ({"healthyRetryPolicy": {"numRetries": 2}}, {"defaultHealthyRetryPolicy": {"minDelayTarget": 10}}, [10, 20]),
        ({"healthyRetryPolicy": {"numRetries": 0}}, {"disableSubscriptionOverrides": True}, [20, 20, 20]),
    ],
    ids=["defaults", "the topic's", "both", "the subscription's own is forbidden"],
)
def test_a_delivery_is_tried_again_as_the_subscription_and_its_topic_say(own, http, pauses):
    """https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html."""
    assert retry_pauses(json.dumps(own), json.dumps({"http": http})) == pauses


SUBSCRIPTION = {"arn": "arn", "topic": "arn", "token": "t", "endpoint": "ada@example.com", "unsubscribe_token": "t"}


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40))
def test_no_subject_and_no_display_name_adds_a_header(text):
    """What SNS takes makes one mail to one address; what would add a line it does not take."""
    try:
        check_message({"Message": "m", "Subject": text})
        subject = text
    except AwsError:
        subject = "refused"
    try:
        check_topic_attribute("DisplayName", text, fifo=False)
        name = text
    except AwsError:
        name = "refused"

    for mail in (
        notification_mail(SUBSCRIPTION, name, subject, "m", "http://x"),
        confirmation_mail(SUBSCRIPTION, "http://x"),
    ):
        read = email.message_from_bytes(mail, policy=email.policy.default)
        assert sorted(read.keys()) == sorted(
            ["From", "To", "Subject", "Date", "Message-ID", "Content-Type", "Content-Transfer-Encoding", "MIME-Version"]
        )
        assert (read["To"], "Bcc" in read) == ("ada@example.com", False)


@settings(max_examples=60, deadline=None)
@given(st.from_regex(EMAIL, fullmatch=True), st.text(max_size=20))
def test_every_address_that_is_taken_gets_one_mail_with_whatever_was_published(address, text):
    """Neither the address nor the text can break a delivery that was promised."""
    subscription = {**SUBSCRIPTION, "endpoint": address}
    mail = notification_mail(subscription, "", None, text, "http://x")

    assert mail.partition(b"\r\n\r\n")[0].count(b"\r\nTo: ") == 1
    assert address.encode("ascii")


HOSTILE = st.sampled_from(
    [
        "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</pre><b>", "javascript:alert(1)",
        "http://x/\"onmouseover=alert(1)", "http://x/'<b>", "https://x/&quot;<i>", "<!--", "]]>", "&lt;b&gt;",
    ]
) | st.text(max_size=20)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(("subject", "from", "to", "date", "body"), HOSTILE)), HOSTILE)
def test_nothing_of_a_mail_becomes_a_tag_or_an_attribute_of_the_inbox(mail, address):
    """The page has the tags of an innocent mail, and no more; its links lead to http and https alone."""
    page = inbox_page([mail], address, str)
    innocent = inbox_page([dict.fromkeys(mail, "x")], "x", str)

    links = page.count("<a ")
    assert page.count("<") == innocent.count("<") + 2 * links
    assert page.count('<a href="http') == links
    assert all('"' not in link.partition('" rel="noopener">')[0] for link in page.split('<a href="')[1:])


def test_an_attribute_nested_too_deeply_is_filtered_out():
    """The message reaches those who do not filter, as one with any attribute that no filter can read."""
    attributes = {"a": {"DataType": "String.Array", "StringValue": "[" * 100_000}}

    assert filtered_out('{"a": ["x"]}', ATTRIBUTES, "", attributes) == "InvalidAttributes"


def test_a_url_that_http_cannot_ask_for_is_refused():
    """It would be accepted and never reached: a URL has ASCII letters only, the others are percent-encoded."""
    with pytest.raises(AwsError, match="Endpoint"):
        check_url("http", "http://localhost:8000/h\u00f6ren")


class Days(Clock):
    """A clock that is put forward."""

    days = 0.0

    def now(self):
        """Count from the epoch."""
        return self.days * 86_400


@pytest.fixture
def pending():
    """A topic's subscriptions with one that waits for its confirmation; the clock, and who were asked to confirm."""
    clock, asked = Days(), []
    topic = {"arn": "arn:aws:sns:us-east-1:123456789012:alerts", "attributes": {}}
    subscriptions = Subscriptions(topic=lambda call: topic, ask=asked.append, clock=clock)
    params = {"TopicArn": topic["arn"], "Protocol": "email", "Endpoint": "ops@example.com"}
    administrator = Caller("administrator", "arn:aws:iam::123456789012:user/lab-administrator")
    request = HttpRequest("POST", "/", "", Headers([]))
    call = ApiCall("sns", "Subscribe", params, "us-east-1", administrator, "1", request)
    subscriptions.subscribe(call)
    return subscriptions, call, clock, asked


def test_who_did_not_confirm_in_two_days_is_gone_and_can_subscribe_again(pending):
    """The link of the first mail has expired; the second mail has one that works. SNS developer guide, Unsubscribe."""
    subscriptions, call, clock, asked = pending

    clock.days = 2.1
    listed = subscriptions.list_subscriptions_by_topic(call)["Subscriptions"]
    subscriptions.subscribe(call)

    assert listed == []
    confirmed = subscriptions.confirm(asked[1]["topic"], asked[1]["token"])
    assert (confirmed["endpoint"], subscriptions.count(asked[0]["topic"])) == ("ops@example.com", (1, 0))


def test_what_a_mailed_link_did_is_kept(pending):
    """No call of AWS is made then, by which durability would know that there is something to write down."""
    subscriptions, _, _, [subscription] = pending
    noted = []
    pages = SubscriptionPages(subscriptions, note=lambda *change: noted.append(change))
    request = HttpRequest("GET", "/", "", Headers([]))
    confirm = {"TopicArn": subscription["topic"], "Token": subscription["token"]}
    unsubscribe = {"SubscriptionArn": subscription["arn"], "Token": subscription["unsubscribe_token"]}

    answers = [asyncio.run(pages.confirm(request, query)) for query in ({}, confirm)]
    answers.append(asyncio.run(pages.unsubscribe(request, unsubscribe)))

    assert [answer.status for answer in answers] == [404, 200, 200]
    assert noted == [("settings",)] * 2
