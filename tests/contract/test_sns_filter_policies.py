"""SNS filter policies: which messages pass, and which policies are refused in which words.

Truth: recordings of AWS in LocalStack's tests (tests/aws/services/sns, test_sns_filter_policy.snapshot.json) and the
SNS developer guide: string-value-matching, numeric-value-matching, subscription-filter-policy-constraints.
"""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.contract.test_arrows import open_queue
from tests.contract.test_sns import bodies_of

BODY = "MessageBody"


@pytest.fixture
def filtered(client, queue, unique):
    """Subscribe a queue with a filter policy to a topic of its own; return the topic and what comes through."""
    sns = client("sns")

    def filtered(policy, scope="MessageAttributes"):
        topic = sns.create_topic(Name=unique("Topic"))["TopicArn"]
        url, arn = open_queue(client, queue, "sns.amazonaws.com")
        attributes = {"FilterPolicy": json.dumps(policy), "FilterPolicyScope": scope, "RawMessageDelivery": "true"}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
        return topic, lambda count: bodies_of(client, url, count)

    return filtered


def attribute(value, kind="String"):
    return {"DataType": kind, "StringValue": value}


def refusal(client, topic, policy, scope="MessageAttributes"):
    with pytest.raises(ClientError) as refused:
        client("sns").subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint="arn:aws:sqs:us-east-1:123456789012:q",
            Attributes={
                "FilterPolicy": policy if isinstance(policy, str) else json.dumps(policy),
                "FilterPolicyScope": scope,
            },
        )
    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidParameter"
    return error["Message"]


def test_attributes_are_compared_by_their_type(client, filtered):
    """A Number is a number, a String.Array any of its elements, a Binary is not seen; what has none does not pass."""
    policy = {"store": ["shoes", {"numeric": [">", 10, "<=", 20]}]}
    topic, passed = filtered(policy)
    sent = {
        "text": {"store": attribute("shoes")},
        "number": {"store": attribute("19.5", "Number")},
        "array": {"store": attribute('["books", "shoes"]', "String.Array")},
        "another text": {"store": attribute("books")},
        "a number as text": {"store": attribute("19.5")},
        "too great": {"store": attribute("20.5", "Number")},
        "another array": {"store": attribute('["books"]', "String.Array")},
        "no array": {"store": attribute("shoes", "String.Array")},
        "own type": {"store": attribute("shoes", "String.Own")},
        "binary": {"store": {"DataType": "Binary", "BinaryValue": b"shoes"}},
        "another name": {"shop": attribute("shoes")},
        "none": {},
        "last": {"store": attribute("shoes"), "more": attribute("x")},
    }

    for name, attributes in sent.items():
        client("sns").publish(TopicArn=topic, Message=name, MessageAttributes=attributes)

    assert passed(4) == ["text", "number", "array", "last"]


@pytest.mark.parametrize(
    ("policy", "passing", "filtered_out"),
    [
        ({"k": [{"anything-but": ["a", "b"]}]}, ["c"], ["a", "b"]),
        ({"k": [{"anything-but": {"prefix": "a"}}]}, ["b"], ["ab"]),
        ({"k": [{"prefix": "a"}, {"suffix": "z"}]}, ["ab", "yz"], ["ba"]),
        ({"k": [{"equals-ignore-case": "Shoes"}]}, ["SHOES"], ["shoe"]),
        ({"k": [{"wildcard": "s*s"}]}, ["shoes"], ["shoe"]),
        ({"k": [{"cidr": "10.0.0.0/24"}]}, ["10.0.0.7"], ["10.0.1.7"]),
        ({"k": [{"exists": True}]}, [""], []),
        ({"$or": [{"k": ["a"]}, {"other": ["x"]}]}, ["a"], ["b"]),
    ],
)
def test_every_operator_of_sns_filters(filtered, client, policy, passing, filtered_out):
    """On attributes."""
    topic, passed = filtered(policy)

    for value in [*filtered_out, *passing]:
        attributes = {"k": attribute(value or "any")}
        client("sns").publish(TopicArn=topic, Message=value or "any", MessageAttributes=attributes)

    assert passed(len(passing)) == [value or "any" for value in passing]


def test_a_policy_on_the_body_sees_nested_objects_and_lists(filtered, client):
    """A body that is no JSON object does not pass."""
    topic, passed = filtered({"order": {"lines": {"kind": ["shoe"]}}}, BODY)
    bodies = [
        "no json",
        '["shoe"]',
        json.dumps({"order": {"lines": [{"kind": "book"}]}}),
        json.dumps({"order": {"lines": [{"kind": "book"}, {"kind": "shoe"}]}}),
        json.dumps({"order.lines.kind": "shoe"}),
    ]

    for body in bodies:
        client("sns").publish(TopicArn=topic, Message=body)

    assert passed(2) == bodies[3:]


def test_a_filter_policy_can_be_changed_and_taken_away(client, filtered):
    """An empty text removes it, as AWS was recorded to do; the scope is shown beside a policy only."""
    sns = client("sns")
    topic, passed = filtered({"k": ["a"]})
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    arn = subscription["SubscriptionArn"]
    before = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]

    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue="")
    sns.publish(TopicArn=topic, Message="all")

    after = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert (json.loads(before["FilterPolicy"]), before["FilterPolicyScope"]) == ({"k": ["a"]}, "MessageAttributes")
    assert not {"FilterPolicy", "FilterPolicyScope"} & after.keys()
    assert passed(1) == ["all"]


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({"key": [["value"]]}, "Match value must be String, number, true, false, or null"),
        ({"key": [{"wrong-operator": True}]}, "Unrecognized match type wrong-operator"),
        ({"key": [{"suffix": "v", "prefix": "w"}]}, "Only one key allowed in match expression"),
        ({"key": []}, "Empty arrays are not allowed"),
        ({"key": [{"suffix": 100}]}, "suffix match pattern must be a string"),
        ({"key": {"suffix": "value"}}, '"suffix" must be an object or an array'),
        ({"key": "value"}, '"key" must be an object or an array'),
        ({"key": [{"cidr": "bad-filter"}]}, "Malformed CIDR, one '/' required"),
        ({"key": [{"cidr": "xx.11.xx/8"}]}, "Nonstandard IP address: xx.11.xx"),
        ({"key": [{"numeric": []}]}, "Invalid member in numeric match: ]"),
        ({"key": [{"numeric": ["=", "000"]}]}, "Value of equals must be numeric"),
        ({"key": [{"numeric": ["<", 100, ">", 10]}]}, "Too many elements in numeric expression"),
        ({"key": [{"numeric": [">", 3, "<", 1]}]}, "Bottom must be less than top"),
        ({"key": [{"exists": "no"}]}, "exists match pattern must be either true or false."),
        ({"key": [{"anything-but": {"suffix": "test"}}]}, "Unsupported anything-but pattern: suffix"),
        ({"key": [{"anything-but": {"exists": False}}]}, "Unsupported anything-but pattern: exists"),
        ({"key": [str(n) for n in range(151)]}, "Filter policy is too complex"),
        ({f"key{n}": ["v"] for n in range(6)}, "Filter policy can not have more than 5 keys"),
        ("invalid", "failed to parse JSON."),
    ],
)
def test_a_filter_policy_that_sns_refuses_is_refused(client, unique, policy, reason):
    """In its words; AWS adds the place in the text."""
    topic = client("sns").create_topic(Name=unique("Topic"))["TopicArn"]

    message = refusal(client, topic, policy)

    assert message.startswith(f"Invalid parameter: Attributes Reason: FilterPolicy: {reason}")


def test_values_depth_and_branches_make_a_policy_complex(client, unique):
    """3 x 4 x 2 x 3 x 3 = 216 and (4 x 6) + 2 x (4 x 4 x 4) = 152 are too many, 150 are not; nesting needs a body."""
    sns = client("sns")
    topic = sns.create_topic(Name=unique("Topic"))["TopicArn"]
    nested = {"a": {"b": {"c": ["1", "2", "3", "4"]}}, "d": {"e": ["1", "2", "3"]}, "f": ["1", "2", "3"]}

    def branched(sources, spaces):
        inner = [{"metricId": [1, 2, 3, 4]}, {"spaceId": spaces}]
        return {"source": sources, "$or": [{"name": list("abcdef")}, {"type": list("abcd"), "$or": inner}]}

    too_complex = refusal(client, topic, nested, BODY)
    branches = refusal(client, topic, branched(list("abcd"), [1, 2, 3, 4]))
    not_here = refusal(client, topic, {"object": {"key": ["v"]}})
    fits = {"FilterPolicy": json.dumps(branched(list("abc"), [1, 2, 3, 4, 5, 6, 7]))}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:q", Attributes=fits)

    assert too_complex == branches == "Invalid parameter: Attributes Reason: FilterPolicy: Filter policy is too complex"
    assert not_here.endswith("Filter policy scope MessageAttributes does not support nested filter policy")
