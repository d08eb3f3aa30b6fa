"""SNS: topics, subscriptions, publishing, delivery.

Truth: recordings of AWS in LocalStack's tests (tests/aws/services/sns, test_sns.snapshot.json), where nothing else is
said, and the SNS developer guide.
"""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from botocore.exceptions import ClientError

from tests.contract.test_arrows import PRINTING, allow, open_queue, printed
from tests.contract.test_audit_chain import request

ACCOUNT = "123456789012"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"


@pytest.fixture
def topic(client, unique):
    """The ARN of a new topic."""
    return client("sns").create_topic(Name=unique("Topic"))["TopicArn"]


def messages_of(client, url, count):
    """The next *count* messages of a queue, deleted."""
    found, sqs = [], client("sqs")
    while len(found) < count:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5, MessageAttributeNames=["All"]
        )
        assert answer.get("Messages"), f"only {found}"
        for message in answer["Messages"]:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message)
    return found


def bodies_of(client, url, count):
    return [message["Body"] for message in messages_of(client, url, count)]


def subscribed(client, queue, topic, **attributes):
    """A queue that the topic may send to, and its subscription: URL and ARN."""
    url, arn = open_queue(client, queue, "sns.amazonaws.com")
    answer = client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    return url, answer["SubscriptionArn"]


def refused(call, **arguments):
    """The code and the message with which a call is refused."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


# --- Topics -----------------------------------------------------------------------------------------------------------


def test_a_new_topic_has_the_attributes_of_aws(client, topic):
    """The policy lets the owner do everything; retries of HTTP endpoints stand in EffectiveDeliveryPolicy."""
    attributes = client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]

    policy, effective = json.loads(attributes.pop("Policy")), json.loads(attributes.pop("EffectiveDeliveryPolicy"))
    counts = ("SubscriptionsConfirmed", "SubscriptionsPending", "SubscriptionsDeleted")
    assert attributes == {"TopicArn": topic, "Owner": ACCOUNT, "DisplayName": "", **dict.fromkeys(counts, "0")}
    assert policy["Statement"][0]["Condition"] == {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}
    assert effective["http"]["defaultHealthyRetryPolicy"] == {
        "minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3, "numMaxDelayRetries": 0, "numNoDelayRetries": 0,
        "numMinDelayRetries": 0, "backoffFunction": "linear",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["", "a" * 257, "test.fifo", "bad:name", "bad name", "bad%name"])
def test_a_topic_name_that_aws_refuses_is_refused(client, name):
    """`.fifo` belongs to FIFO topics alone."""
    assert refused(client("sns").create_topic, Name=name) == ("InvalidParameter", "Invalid parameter: Topic Name")


def test_a_topic_is_created_twice_with_the_same_attributes_only(client, unique):
    """Fewer are fine, other ones are not; tags likewise."""
    sns, name = client("sns"), unique("Topic")
    first = sns.create_topic(Name=name, Attributes={"DisplayName": "One"}, Tags=[{"Key": "a", "Value": "1"}])

    assert sns.create_topic(Name=name)["TopicArn"] == first["TopicArn"]
    assert sns.create_topic(Name=name, Attributes={"FifoTopic": "false"})["TopicArn"] == first["TopicArn"]
    for attributes in ({"DisplayName": "Two"}, {"SignatureVersion": "2", "DisplayName": "One"}):
        assert refused(sns.create_topic, Name=name, Attributes=attributes) == (
            "InvalidParameter",
            "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
        )
    assert refused(sns.create_topic, Name=name, Tags=[{"Key": "b", "Value": "2"}]) == (
        "InvalidParameter",
        "Invalid parameter: Tags Reason: Topic already exists with different tags",
    )


def test_an_arn_is_checked_before_its_topic_is_looked_for(client, topic):
    """The number of its parts is named; another region's is a wrong parameter; a topic that is gone is not found."""
    sns = client("sns")
    elsewhere = client("sns", region_name="eu-west-1")
    few = "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not {}"

    assert refused(sns.get_topic_attributes, TopicArn="random") == ("InvalidParameter", few.format(1))
    assert refused(sns.publish, TopicArn="arn:x", Message="m") == ("InvalidParameter", few.format(2))
    assert refused(sns.subscribe, TopicArn="arn:aws:sns:us-east-1:random", Protocol="sqs", Endpoint=QUEUE) == (
        "InvalidParameter",
        few.format(5),
    )
    assert refused(elsewhere.publish, TopicArn=topic, Message="m") == (
        "InvalidParameter",
        "Invalid parameter: TopicArn",
    )
    assert refused(sns.publish, TopicArn=topic + "-none", Message="m") == ("NotFound", "Topic does not exist")
    sns.delete_topic(TopicArn=topic)
    sns.delete_topic(TopicArn=topic)
    assert refused(sns.get_topic_attributes, TopicArn=topic) == ("NotFound", "Topic does not exist")


def test_topic_attributes_are_kept_or_refused(client, topic):
    """What nothing would act on here is refused by name; a broken display name would break every mail."""
    sns = client("sns")

    def put(name, value):
        return sns.set_topic_attributes(TopicArn=topic, AttributeName=name, AttributeValue=value)

    def refusal(name, value):
        return refused(sns.set_topic_attributes, TopicArn=topic, AttributeName=name, AttributeValue=value)[1]

    put("DisplayName", "Visits")
    put("KmsMasterKeyId", "alias/aws/sns")
    put("MaximumMessageSize", "1024")
    put("DeliveryPolicy", json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 1}}}))

    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (attributes["DisplayName"], attributes["KmsMasterKeyId"]) == ("Visits", "alias/aws/sns")
    effective = json.loads(attributes["EffectiveDeliveryPolicy"])["http"]["defaultHealthyRetryPolicy"]
    assert (effective["numRetries"], effective["minDelayTarget"]) == (1, 20)
    assert attributes["MaximumMessageSize"] == "1024"
    assert refused(sns.publish, TopicArn=topic, Message="m" * 1025)[1] == "Invalid parameter: Message too long"
    assert "Must be 1024 to 1048576" in refusal("MaximumMessageSize", "1023")
    assert "up to 262144 bytes" in refusal("MaximumMessageSize", "1048576")
    assert refusal("FifoTopic", "false") == "Invalid parameter: AttributeName"
    assert refusal("Policy", "nonsense") == "Invalid parameter: Policy Error: null"
    assert refusal("DisplayName", "a\r\nBcc: all@example.com") == "Invalid parameter: DisplayName"
    assert "does not support the topic attribute SQSFailureFeedbackRoleArn" in refusal("SQSFailureFeedbackRoleArn", "r")


def test_permissions_are_added_to_the_policy_and_removed(client, topic):
    """By label; the default statement stays."""
    sns = client("sns")
    arguments = {"TopicArn": topic, "Label": "test", "AWSAccountId": ["210987654321"], "ActionName": ["Publish"]}

    sns.add_permission(**arguments)
    added = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])["Statement"]
    twice = refused(sns.add_permission, **arguments)
    unknown = refused(sns.add_permission, **{**arguments, "Label": "x", "ActionName": ["Dance"]})
    sns.remove_permission(TopicArn=topic, Label="test")
    left = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])["Statement"]

    assert added[1] == {
        "Sid": "test",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::210987654321:root"},
        "Action": "SNS:Publish",
        "Resource": topic,
    }
    assert twice == ("InvalidParameter", "Invalid parameter: Statement already exists")
    assert unknown == ("InvalidParameter", "Invalid parameter: Policy statement action out of service scope!")
    assert left == added[:1]


def test_a_topics_policy_can_deny_what_everybody_else_allows(client, topic):
    """An explicit deny holds for the administrator, too."""
    statement = {"Effect": "Deny", "Principal": "*", "Action": "SNS:Publish", "Resource": topic}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)

    code, message = refused(client("sns").publish, TopicArn=topic, Message="m")

    assert code == "AuthorizationError"
    assert message.endswith(f"SNS:Publish on resource: {topic} with an explicit deny in a resource-based policy")


PUBLISHING = """
import boto3
sns = boto3.client("sns")
def lambda_handler(event, context):
    return sns.publish(TopicArn=event["topic"], Message="m")["MessageId"]
"""


def test_a_role_publishes_where_its_own_or_the_topics_policy_lets_it(client, topic, function):
    """Within an account one of the two is enough; the owner's default statement is not meant for roles."""
    arn = function(PUBLISHING)
    role = client("lambda").get_function_configuration(FunctionName=arn)["Role"]

    def answer():
        return json.loads(
            client("lambda").invoke(FunctionName=arn, Payload=json.dumps({"topic": topic}))["Payload"].read()
        )

    closed = answer()
    statement = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "SNS:Publish", "Resource": topic}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    opened_up = answer()

    assert closed["errorType"] == "AuthorizationErrorException"
    assert closed["errorMessage"].endswith(
        f"SNS:Publish on resource: {topic} because no identity-based policy allows the SNS:Publish action"
    )
    assert len(opened_up) == 36


def test_tags_are_added_changed_and_removed(client, topic):
    """Twice the same key in one call is refused."""
    sns = client("sns")
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "k1", "Value": "1"}, {"Key": "k2", "Value": "2"}])
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "k2", "Value": "2b"}])
    sns.untag_resource(ResourceArn=topic, TagKeys=["k1"])
    twice = [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]

    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "k2", "Value": "2b"}]
    assert refused(sns.tag_resource, ResourceArn=topic, Tags=twice) == (
        "InvalidParameter",
        "Invalid parameter: Duplicated keys are not allowed.",
    )
    assert refused(sns.list_tags_for_resource, ResourceArn=topic + "-none")[0] == "ResourceNotFound"


def test_lists_have_pages_of_a_hundred(client, topic):
    """Topics and subscriptions (API reference: ListTopics, ListSubscriptionsByTopic)."""
    sns = client("sns")
    for number in range(101):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"{QUEUE}-{number}")

    first = sns.list_subscriptions_by_topic(TopicArn=topic)
    second = sns.list_subscriptions_by_topic(TopicArn=topic, NextToken=first["NextToken"])

    assert (len(first["Subscriptions"]), len(second["Subscriptions"])) == (100, 1)
    assert "NextToken" not in second
    assert refused(sns.list_topics, NextToken="nonsense")[0] == "InvalidParameter"


# --- Subscriptions ----------------------------------------------------------------------------------------------------


def test_a_subscription_has_the_attributes_of_aws(client, topic):
    """A queue of the own account is confirmed at once, by who subscribed it."""
    sns = client("sns")
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE)["SubscriptionArn"]

    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]

    assert attributes.pop("SubscriptionPrincipal").startswith(f"arn:aws:iam::{ACCOUNT}:")
    assert attributes == {
        "SubscriptionArn": arn,
        "TopicArn": topic,
        "Protocol": "sqs",
        "Endpoint": QUEUE,
        "Owner": ACCOUNT,
        "PendingConfirmation": "false",
        "ConfirmationWasAuthenticated": "true",
        "RawMessageDelivery": "false",
    }


def test_subscribing_twice_is_one_subscription_unless_attributes_differ(client, topic):
    """Defaults count as given."""
    sns = client("sns")

    def subscribe(**attributes):
        return sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE, Attributes=attributes)["SubscriptionArn"]

    first = subscribe(RawMessageDelivery="True")

    assert subscribe(RawMessageDelivery="true", FilterPolicyScope="MessageAttributes") == first
    assert subscribe() == first
    with pytest.raises(ClientError, match="Subscription already exists with different attributes"):
        subscribe(RawMessageDelivery="false", FilterPolicyScope="MessageBody")
    assert sns.get_subscription_attributes(SubscriptionArn=first)["Attributes"]["RawMessageDelivery"] == "true"


@pytest.mark.parametrize(
    ("protocol", "endpoint", "reason"),
    [
        ("test-protocol", "x", "Amazon SNS does not support this protocol string: test-protocol"),
        ("sqs", "https://sqs.us-east-1.amazonaws.com/123456789012/q", "SQS endpoint ARN"),
        ("lambda", "arn:aws:lambda:us-east-1:123456789012:my-function", "Lambda endpoint ARN"),
        ("email", "no address", "Email address"),
        ("email", "ada@example.com, all@example.com", "Email address"),
        ("email", "ada\r\nBcc: all@example.com", "Email address"),
        ("email", "ä@example.com", "Email address"),
        ("sqs", f"{QUEUE}.fifo", "Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics"),
        ("sms", "+15551234567", "it does not deliver to sms"),
        ("application", "arn:aws:sns:us-east-1:123456789012:endpoint/x", "it does not deliver to application"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(client, topic, protocol, endpoint, reason):
    """What the local cloud does not deliver to, it says."""
    code, message = refused(client("sns").subscribe, TopicArn=topic, Protocol=protocol, Endpoint=endpoint)

    assert code == "InvalidParameter"
    assert message.endswith(reason)


def test_subscription_attributes_are_checked(client, topic):
    """At Subscribe the reason stands behind `Attributes Reason`, at SetSubscriptionAttributes alone."""
    sns = client("sns")
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE)["SubscriptionArn"]

    def refusal(name, value):
        return refused(sns.set_subscription_attributes, SubscriptionArn=arn, AttributeName=name, AttributeValue=value)[
            1
        ]

    wrong = {"RawMessageDelivery": "wrongvalue"}
    at_subscribe = refused(sns.subscribe, TopicArn=topic, Protocol="sqs", Endpoint=QUEUE + "2", Attributes=wrong)[1]
    raw_mail = refused(
        sns.subscribe, TopicArn=topic, Protocol="email", Endpoint="a@b.c", Attributes={"RawMessageDelivery": "true"}
    )[1]

    assert at_subscribe == (
        "Invalid parameter: Attributes Reason: RawMessageDelivery: Invalid value [wrongvalue]. Must be true or false."
    )
    assert raw_mail.endswith("Attributes Reason: Delivery protocol [email] does not support raw message delivery.")
    assert refusal("FakeAttribute", "x") == "Invalid parameter: AttributeName"
    assert refusal("RawMessageDelivery", "") == (
        "Invalid parameter: RawMessageDelivery: Invalid value []. Must be true or false."
    )
    assert refusal("RedrivePolicy", '{"deadLetterTargetArn": "fake"}') == (
        "Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid arn"
    )
    assert refusal("RedrivePolicy", "{invalid").startswith("Invalid parameter: RedrivePolicy: failed to parse JSON.")
    assert refusal("FilterPolicyScope", "RandomValue") == (
        "Invalid parameter: FilterPolicyScope: Invalid value [RandomValue]. Please use either MessageBody or "
        "MessageAttributes"
    )


def test_unsubscribing_is_idempotent_and_checks_the_arn(client, topic):
    """A deleted subscription is not found."""
    sns = client("sns")
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE)["SubscriptionArn"]
    sns.unsubscribe(SubscriptionArn=arn)
    sns.unsubscribe(SubscriptionArn=arn)
    few = "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not {}"

    assert refused(sns.unsubscribe, SubscriptionArn="randomstring")[1] == few.format(1)
    assert refused(sns.unsubscribe, SubscriptionArn="arn:aws:sns:us-east-1:random")[1] == few.format(5)
    assert refused(sns.unsubscribe, SubscriptionArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:random")[1] == (
        "Invalid parameter: SubscriptionId"
    )
    assert refused(sns.unsubscribe, SubscriptionArn="")[1] == (
        "Invalid parameter: SubscriptionArn Reason: no value for required parameter"
    )
    assert refused(sns.get_subscription_attributes, SubscriptionArn=arn) == ("NotFound", "Subscription does not exist")


@pytest.fixture
def mails_to(cloud):
    """The mails to an address, newest first."""
    return lambda address: json.loads(request(cloud, f"/_labkit/inbox?format=json&address={address}"))


def link_in(mail, path):
    return next(word for word in mail["body"].split() if path in word)


def opened(link):
    """The status and the text of a page."""
    try:
        with urllib.request.urlopen(link) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def token_in(mail):
    return link_in(mail, "/confirm").partition("Token=")[2].partition("&")[0]


@pytest.fixture
def inbox(cloud):
    """``inbox("address=…&format=text")``: the page and its headers."""

    def inbox(query):
        address = f"{cloud['endpoint']}/_labkit/inbox?{query}&labkit-token={cloud['token']}"
        with urllib.request.urlopen(address) as page:
            return page.read().decode(), page.headers

    return inbox


def test_the_inbox_runs_no_script_whatever_a_mail_holds(client, topic, unique, inbox, eventually):
    """A message is published by anybody who may; the page shows it, and loads and runs nothing."""
    sns, address = client("sns"), f"{unique('ada')}@example.com"
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="<b>'\"&")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)

    def mails():
        return json.loads(inbox(f"address={address}&format=json")[0])

    opened(link_in(eventually(mails)[0], "/confirm"))
    hostile = '<script>alert(1)</script> http://x/"onmouseover=alert(1) \nFrom: faked'
    sns.publish(TopicArn=topic, Message=hostile, Subject="<img src=x onerror=alert(1)>")
    eventually(lambda: len(mails()) == 2)

    (page, headers), (text, plain) = inbox(f"address={address}"), inbox(f"address={address}&format=text")

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert not any(tag in page for tag in ("<script", "<img", "<b>", '"onmouseover'))
    assert plain["Content-Type"].startswith("text/plain")
    assert headers["X-Content-Type-Options"] == plain["X-Content-Type-Options"] == "nosniff"
    assert sum(line.startswith("From: ") for line in text.splitlines()) == 2


def test_a_mailed_link_ends_a_subscription(client, topic, unique, mails_to, eventually):
    """It works once, and only as it was mailed."""
    sns, address = client("sns"), f"{unique('ada')}@example.com"
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="Visits")
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    asked = eventually(lambda: mails_to(address))[0]
    opened(link_in(asked, "/confirm"))
    sns.publish(TopicArn=topic, Message="hello", Subject="Ein Gruß – „hallo“")
    mail = eventually(lambda: len(mails_to(address)) == 2 and mails_to(address))[0]
    link = link_in(mail, "/unsubscribe")

    changed = opened(link.replace("Token=", "Token=0"))
    first, second = opened(link), opened(link)

    assert (mail["subject"], mail["body"].splitlines()[0]) == ("Ein Gruß – „hallo“", "hello")
    assert [one["from"].partition(" <")[0] for one in (asked, mail)] == ["AWS Notifications", "Visits"]
    assert (changed[0], first[0], second[0]) == (404, 200, 404)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_a_signed_confirmation_can_ask_for_a_signed_end(client, topic, unique, mails_to, eventually):
    """AuthenticateOnUnsubscribe: then the link in the mails no longer ends the subscription."""
    sns, address = client("sns"), f"{unique('ada')}@example.com"
    sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint=address)
    token = token_in(eventually(lambda: mails_to(address))[0])
    arn = sns.confirm_subscription(TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")["SubscriptionArn"]
    again = sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="hello")
    mail = eventually(lambda: len(mails_to(address)) == 2 and mails_to(address))[0]
    body = json.loads(mail["body"].partition("\n\n--")[0])

    status, _ = opened(body["UnsubscribeURL"])

    attributes = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert (again, attributes["ConfirmationWasAuthenticated"], status) == (arn, "true", 403)
    assert (body["Type"], body["Message"], body["TopicArn"]) == ("Notification", "hello", topic)
    sns.unsubscribe(SubscriptionArn=arn)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_a_wrong_token_confirms_nothing(client, topic):
    """One that has not the form of a token is told apart."""
    sns = client("sns")

    assert refused(sns.confirm_subscription, TopicArn=topic, Token="randomtoken") == (
        "InvalidParameter",
        "Invalid token",
    )
    assert refused(sns.confirm_subscription, TopicArn=topic, Token="51b2" * 64) == (
        "InvalidParameter",
        "Invalid parameter: Token",
    )


# --- Publishing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"Message": ""}, "Empty message"),
        ({"Message": "m", "Subject": ""}, "Subject"),
        ({"Message": "m", "Subject": "two\nlines"}, "Subject"),
        ({"Message": "m", "Subject": "s\r\nBcc: all@example.com"}, "Subject"),
        ({"Message": "m", "Subject": "x" * 100}, "Subject"),
        ({"Message": "x" * 262_145}, "Message too long"),
        ({"Message": "x" * 262_140, "MessageAttributes": {"k": {"DataType": "String", "StringValue": "v"}}},
         "Message too long"),
        ({"Message": "{}", "MessageStructure": "json"}, "Message Structure - No default entry in JSON message body"),
        ({"Message": '{"default": {"a": 1}}', "MessageStructure": "json"},
         "Message Structure - No default entry in JSON message body"),
        ({"Message": "{", "MessageStructure": "json"}, "Message Structure - JSON message body failed to parse"),
        ({"Message": '{"default": "\\ud800"}', "MessageStructure": "json"},
         "Message Structure - JSON message body failed to parse"),
        ({"Message": "m", "MessageDeduplicationId": "d"},
         "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for "
         "this topic type"),
    ],
)  # fmt: skip
def test_a_message_that_sns_refuses_is_refused(client, topic, given, reason):
    """Its size counts the attributes; a subject is one line of less than 100 characters."""
    code, message = refused(client("sns").publish, TopicArn=topic, **given)

    assert (code, message) == ("InvalidParameter", f"Invalid parameter: {reason}")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("attr1", {"DataType": "String", "StringValue": ""},
         "The message attribute 'attr1' must contain non-empty message attribute value for message attribute type "
         "'String'."),
        ("attr1", {"DataType": "Number", "BinaryValue": b"1"},
         "The message attribute 'attr1' with type 'Number' must use field 'String'."),
        ("attr1", {"DataType": "Number", "StringValue": "cheap"},
         "Could not cast message attribute 'attr1' value to number."),
        ("attr1", {"DataType": "Binary", "StringValue": "1"},
         "The message attribute 'attr1' with type 'Binary' must use field 'Binary'."),
        ("attr1", {"DataType": "Stringprefixed", "StringValue": "1"},
         "The message attribute 'attr1' has an invalid message attribute type, the set of supported type prefixes is "
         "Binary, Number, and String."),
        ("a" * 257, {"DataType": "String", "StringValue": "1"},
         "Length of message attribute name must be less than 256 bytes."),
        ("a^b", {"DataType": "String", "StringValue": "1"},
         "Invalid non-alphanumeric character '#x5E' was found in the message attribute name. Can only include "
         "alphanumeric characters, hyphens, underscores, or dots."),
        (".a", {"DataType": "String", "StringValue": "1"},
         "Invalid message attribute name starting with character '.' was found."),
        ("a.", {"DataType": "String", "StringValue": "1"},
         "Invalid message attribute name ending with character '.' was found."),
        ("a..b", {"DataType": "String", "StringValue": "1"},
         "Message attribute name can not have successive '.' character."),
    ],
)  # fmt: skip
def test_a_message_attribute_that_sns_refuses_is_refused(client, topic, name, value, reason):
    """Alone and in a batch."""
    sns, attributes = client("sns"), {name: value}
    entry = {"Id": "1", "Message": "m", "MessageAttributes": attributes}

    alone = refused(sns.publish, TopicArn=topic, Message="m", MessageAttributes=attributes)
    in_batch = refused(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=[entry])

    assert alone == in_batch == ("ParameterValueInvalid", reason)


def test_a_batch_is_published_or_refused_as_a_whole(client, topic, queue):
    """Up to ten messages with ids of their own, 256 KB together."""
    sns, (url, _) = client("sns"), subscribed(client, queue, topic, RawMessageDelivery="true")

    def batch(*entries):
        return {"TopicArn": topic, "PublishBatchRequestEntries": list(entries)}

    def entry(name, message="m"):
        return {"Id": name, "Message": message}

    answer = sns.publish_batch(**batch(entry("one", "1"), entry("two", "2")))

    assert (answer["Failed"], [one["Id"] for one in answer["Successful"]]) == ([], ["one", "two"])
    assert bodies_of(client, url, 2) == ["1", "2"]
    assert refused(sns.publish_batch, **batch(*(entry(str(n)) for n in range(11)))) == (
        "TooManyEntriesInBatchRequest",
        "The batch request contains more entries than permissible.",
    )
    assert refused(sns.publish_batch, **batch(entry("a"), entry("a"))) == (
        "BatchEntryIdsNotDistinct",
        "Two or more batch entries in the request have the same Id.",
    )
    assert refused(sns.publish_batch, **batch(entry("message.id"))) == (
        "InvalidBatchEntryId",
        "The Id of a batch entry in the batch request contains an impermissible character: message.id",
    )
    assert refused(sns.publish_batch, **batch(entry("a" * 81)))[1] == (
        f"The Id of a batch entry in the batch request is too long: {'a' * 81}"
    )
    assert refused(sns.publish_batch, **batch(entry("a", "x" * 200_000), entry("b", "x" * 200_000))) == (
        "BatchRequestTooLong",
        "The length of all the messages put together is more than the limit.",
    )
    assert refused(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=[])[0] == "EmptyBatchRequest"


def test_no_sms_and_no_mobile_push(client):
    """Nothing would arrive."""
    assert "sends no SMS" in refused(client("sns").publish, PhoneNumber="+15551234567", Message="m")[1]
    assert (
        "does not implement sns:CreatePlatformApplication"
        in refused(client("sns").create_platform_application, Name="x", Platform="GCM", Attributes={})[1]
    )


# --- Delivery ---------------------------------------------------------------------------------------------------------


ATTRIBUTES = {
    "number": {"DataType": "Number", "StringValue": "111"},
    "binary": {"DataType": "Binary", "BinaryValue": b"\x02\x03\x04"},
}


def test_a_message_comes_in_an_envelope_or_raw(client, topic, queue):
    """Raw, the attributes are those of the queue's message; in the envelope binary ones are base64."""
    raw, _ = subscribed(client, queue, topic, RawMessageDelivery="true")
    wrapped, arn = subscribed(client, queue, topic)

    answer = client("sns").publish(TopicArn=topic, Message="text", MessageAttributes=ATTRIBUTES)

    [plain], [message] = messages_of(client, raw, 1), messages_of(client, wrapped, 1)
    envelope = json.loads(message["Body"])
    assert (plain["Body"], plain["MessageAttributes"]) == ("text", ATTRIBUTES)
    assert "MessageAttributes" not in message
    assert arn in urllib.parse.unquote(envelope.pop("UnsubscribeURL"))
    assert envelope.pop("Timestamp").endswith("Z")
    assert envelope == {
        "Type": "Notification",
        "MessageId": answer["MessageId"],
        "TopicArn": topic,
        "Message": "text",
        "MessageAttributes": {
            "number": {"Type": "Number", "Value": "111"},
            "binary": {"Type": "Binary", "Value": "AgME"},
        },
    }


def test_each_protocol_gets_its_own_text(client, topic, queue, function, eventually):
    """MessageStructure json; a protocol without a text gets the default. A function's event has every field."""
    url, _ = subscribed(client, queue, topic)
    target = function(PRINTING)
    client("lambda").add_permission(
        FunctionName=target,
        StatementId="sns",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    arn = client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=target)["SubscriptionArn"]
    texts = {"default": "default field", "sqs": json.dumps({"field": "value"})}

    client("sns").publish(TopicArn=topic, Message=json.dumps(texts), MessageStructure="json")

    [message] = messages_of(client, url, 1)
    [event] = eventually(lambda: printed(client, target))
    [record] = event["Records"]
    assert json.loads(json.loads(message["Body"])["Message"]) == {"field": "value"}
    assert (record["EventSource"], record["EventSubscriptionArn"]) == ("aws:sns", arn)
    told = record["Sns"]
    assert (told["Message"], told["Subject"], told["MessageAttributes"]) == ("default field", None, {})
    assert told.keys() == {
        "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "UnsubscribeUrl", "MessageAttributes"
    }  # fmt: skip


@pytest.mark.parametrize("raw", ["true", "false"])
def test_what_cannot_be_delivered_goes_to_the_subscriptions_dead_letter_queue(client, topic, queue, raw):
    """A queue that is gone is not tried again; raw stays raw."""
    dlq_url, dlq = open_queue(client, queue, "sns.amazonaws.com")
    redrive = json.dumps({"deadLetterTargetArn": dlq})
    url, _ = subscribed(client, queue, topic, RedrivePolicy=redrive, RawMessageDelivery=raw)
    client("sqs").delete_queue(QueueUrl=url)

    client("sns").publish(TopicArn=topic, Message="lost", MessageAttributes=ATTRIBUTES)

    [message] = messages_of(client, dlq_url, 1)
    if raw == "true":
        assert (message["Body"], message["MessageAttributes"]) == ("lost", ATTRIBUTES)
    else:
        assert json.loads(message["Body"])["Message"] == "lost"


def test_a_raw_message_has_at_most_ten_attributes(client, topic, queue):
    """SNS developer guide, "Amazon SNS raw message delivery": one with more is a failed delivery."""
    dlq_url, dlq = open_queue(client, queue, "sns.amazonaws.com")
    subscribed(client, queue, topic, RawMessageDelivery="true", RedrivePolicy=json.dumps({"deadLetterTargetArn": dlq}))
    plain_url, _ = subscribed(client, queue, topic)
    eleven = {f"a{n}": {"DataType": "String", "StringValue": "v"} for n in range(11)}

    client("sns").publish(TopicArn=topic, Message="m", MessageAttributes=eleven)

    assert len(json.loads(bodies_of(client, plain_url, 1)[0])["MessageAttributes"]) == 11
    assert client("sqs").receive_message(QueueUrl=dlq_url).get("Messages", []) == []


def test_the_metrics_of_a_topic_count_what_became_of_its_messages(client, topic, queue, eventually):
    """SNS developer guide, "Monitoring Amazon SNS topics using CloudWatch"; dimension TopicName."""
    sns, name = client("sns"), topic.rpartition(":")[2]
    url, _ = subscribed(client, queue, topic)
    dlq_url, dlq = open_queue(client, queue, "sns.amazonaws.com")
    redrive = json.dumps({"deadLetterTargetArn": dlq})
    gone, _ = subscribed(client, queue, topic, RedrivePolicy=redrive)
    client("sqs").delete_queue(QueueUrl=gone)
    subscribed(client, queue, topic, FilterPolicy=json.dumps({"k": ["v"]}))
    sns.publish(TopicArn=topic, Message="four")
    messages_of(client, url, 1)
    messages_of(client, dlq_url, 1)

    def total(metric):
        found = client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SNS", MetricName=metric, Dimensions=[{"Name": "TopicName", "Value": name}],
            StartTime=time.time() - 600, EndTime=time.time() + 600, Period=60, Statistics=["Sum"],
        )  # fmt: skip
        return sum(point["Sum"] for point in found["Datapoints"])

    counted = ("NumberOfMessagesPublished", "NumberOfNotificationsDelivered", "NumberOfNotificationsFailed")
    counted += ("NumberOfNotificationsFilteredOut", "NumberOfNotificationsFilteredOut-NoMessageAttributes")
    counted += ("NumberOfNotificationsRedrivenToDlq",)
    assert {metric: total(metric) for metric in counted} == dict.fromkeys(counted, 1.0)
    assert total("PublishSize") == 4.0


# --- FIFO topics ------------------------------------------------------------------------------------------------------


@pytest.fixture
def fifo(client, unique):
    """Make a FIFO topic with attributes, and a queue `.fifo` that it may send to: ARN, URL, subscription's ARN."""
    sns, sqs = client("sns"), client("sqs")

    def fifo(**subscription):
        topic = sns.create_topic(Name=f"{unique('Topic')}.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
        name = f"{unique('Queue')}.fifo"
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        policy = allow("sns.amazonaws.com", "sqs:SendMessage", arn)
        url = sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true", "Policy": policy})["QueueUrl"]
        answer = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=subscription)
        return topic, url, answer["SubscriptionArn"]

    return fifo


def test_a_fifo_topic_keeps_order_and_forgets_what_it_had(client, fifo):
    """The same deduplication id within five minutes is accepted and delivered once."""
    sns, (topic, url, _) = client("sns"), fifo()

    def publish(text, deduplication_id):
        return sns.publish(TopicArn=topic, Message=text, MessageGroupId="g", MessageDeduplicationId=deduplication_id)

    answers = [publish(str(number), f"d{number}") for number in range(3)]
    again = publish("0", "d0")

    received = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
    envelopes = [json.loads(message["Body"]) for message in received]
    assert [envelope["Message"] for envelope in envelopes] == ["0", "1", "2"]
    assert [envelope["SequenceNumber"] for envelope in envelopes] == [one["SequenceNumber"] for one in answers]
    assert [one["SequenceNumber"] for one in answers] == sorted({one["SequenceNumber"] for one in answers})
    assert (again["MessageId"], again["SequenceNumber"]) == (answers[0]["MessageId"], answers[0]["SequenceNumber"])
    assert received[0]["Attributes"]["MessageGroupId"] == "g"
    assert received[0]["Attributes"]["MessageDeduplicationId"] == "d0"


def test_a_fifo_topic_can_deduplicate_by_content(client, fifo):
    """ContentBasedDeduplication: the text is the id. A standard queue may listen, too."""
    sns, (topic, url, _) = client("sns"), fifo(RawMessageDelivery="true")
    sns.set_topic_attributes(TopicArn=topic, AttributeName="ContentBasedDeduplication", AttributeValue="true")

    for text in ("same", "same", "other"):
        sns.publish(TopicArn=topic, Message=text, MessageGroupId="g")

    assert bodies_of(client, url, 2) == ["same", "other"]
    attributes = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (attributes["FifoTopic"], attributes["ContentBasedDeduplication"]) == ("true", "true")


def test_a_fifo_topic_refuses_what_would_have_no_order(client, fifo):
    """A message without a group or an id, a person or a function as endpoint, a standard DLQ."""
    sns, (ordered, _, subscription) = client("sns"), fifo()
    entry = {"Id": "1", "Message": "m", "MessageGroupId": "g"}
    no_id = (
        "Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId "
        "provided explicitly"
    )

    assert refused(sns.publish, TopicArn=ordered, Message="m")[1] == (
        "Invalid parameter: The MessageGroupId parameter is required for FIFO topics"
    )
    assert refused(sns.publish, TopicArn=ordered, Message="m", MessageGroupId="g")[1] == no_id
    assert refused(sns.publish_batch, TopicArn=ordered, PublishBatchRequestEntries=[entry])[1] == no_id
    assert "delivers to SQS queues" in refused(sns.subscribe, TopicArn=ordered, Protocol="email", Endpoint="a@b.c")[1]
    redrive = json.dumps({"deadLetterTargetArn": QUEUE})
    assert (
        refused(
            sns.set_subscription_attributes,
            SubscriptionArn=subscription,
            AttributeName="RedrivePolicy",
            AttributeValue=redrive,
        )[1]
        == "Invalid parameter: RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
    )


def test_a_standard_topic_passes_the_group_of_a_message_on(client, topic, queue):
    """For fair queues: the queue's message has the group, the topic knows no order."""
    url, _ = subscribed(client, queue, topic)

    client("sns").publish(TopicArn=topic, Message="m", MessageGroupId="tenant-1")

    [message] = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5, AttributeNames=["All"])["Messages"]
    assert message["Attributes"]["MessageGroupId"] == "tenant-1"


# --- HTTP endpoints ---------------------------------------------------------------------------------------------------


@pytest.fixture
def listener():
    """A web server on this computer: its address, what it got, and the statuses that it answers next."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    got, statuses = [], []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/sns?a=b", got, statuses
        server.shutdown()


def test_the_delivery_policy_of_a_topic_says_how_often_an_http_endpoint_is_tried(
    client, queue, topic, *, listener, eventually
):
    """It stands in EffectiveDeliveryPolicy, and it counts: here for no second try before the dead-letter queue."""
    sns, (url, got, statuses) = client("sns"), listener
    dlq, dlq_arn = open_queue(client, queue, "sns.amazonaws.com")
    once = json.dumps({"http": {"defaultHealthyRetryPolicy": {"numRetries": 0}}})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DeliveryPolicy", AttributeValue=once)
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": dlq_arn})}
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url, Attributes=redrive)
    assert opened(json.loads(eventually(lambda: got)[0][1])["SubscribeURL"])[0] == 200
    statuses += [500]

    sns.publish(TopicArn=topic, Message="m")

    [letter] = client("sqs").receive_message(QueueUrl=dlq, WaitTimeSeconds=5)["Messages"]
    assert json.loads(letter["Body"])["Message"] == "m"
    assert len(got) == 2  # the request to confirm, and one try


def test_an_http_endpoint_confirms_and_gets_messages_again_after_a_failure(client, topic, listener, eventually):
    """The POSTs have SNS's headers; a 5xx is tried again after 20 s (scaled), a 4xx is not."""
    sns, (url, got, statuses) = client("sns"), listener
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
    headers, body = eventually(lambda: got)[0]
    asked = json.loads(body)
    assert opened(asked["SubscribeURL"])[0] == 200
    arn = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"]
    statuses += [500, 503]

    answer = sns.publish(TopicArn=topic, Message="hello", Subject="s")
    eventually(lambda: len(got) == 4)
    statuses += [404]
    sns.publish(TopicArn=topic, Message="refused")
    eventually(lambda: len(got) == 5)
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="RawMessageDelivery", AttributeValue="true")
    sns.publish(TopicArn=topic, Message="raw")
    eventually(lambda: len(got) == 6)

    assert (headers["x-amz-sns-message-type"], asked["Type"]) == ("SubscriptionConfirmation",) * 2
    assert asked.keys() == {
        "Type", "MessageId", "Token", "TopicArn", "Message", "SubscribeURL", "Timestamp"
    }  # fmt: skip
    told = [json.loads(body) for _, body in got[1:4]]
    assert {(one["Message"], one["MessageId"]) for one in told} == {("hello", answer["MessageId"])}
    headers = got[1][0]
    assert headers["user-agent"] == "Amazon Simple Notification Service Agent"
    assert headers["x-amz-sns-topic-arn"] == topic
    assert headers["x-amz-sns-subscription-arn"] == arn
    assert headers["x-amz-sns-message-id"] == answer["MessageId"]
    assert (got[5][1], got[5][0]["x-amz-sns-rawdelivery"]) == ("raw", "true")


@pytest.mark.parametrize(
    ("protocol", "endpoint", "reason"),
    [
        ("http", "http://example.com/", "delivers to this computer only"),
        ("http", "http://169.254.169.254/latest", "delivers to this computer only"),
        ("http", "http://127.0.0.1.example.com/", "delivers to this computer only"),
        ("https", "http://localhost/", "Endpoint must match the specified protocol"),
        ("http", "http://localhost:port/", "Unreachable Endpoint"),
    ],
)
def test_only_addresses_of_this_computer_are_posted_to(client, topic, protocol, endpoint, reason):
    """Nothing of the local cloud leaves it, but mail to a relay that was asked for."""
    assert reason in refused(client("sns").subscribe, TopicArn=topic, Protocol=protocol, Endpoint=endpoint)[1]
