"""Where the local queue is kinder than SQS; ``docs/local-cloud.md`` says so, and notebook 05."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def url(client, unique):
    """The URL of a new queue."""
    return client("sqs").create_queue(QueueName=unique("Queue"))["QueueUrl"]


def depth(client, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return [int(counts[name]) for name in names]


def test_messages_come_in_the_order_in_which_they_were_sent_and_once(client, url):
    """SQS promises neither for a standard queue."""
    for number in range(25):
        client("sqs").send_message(QueueUrl=url, MessageBody=str(number))

    received = [client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] for _ in range(25)]

    assert received == [str(number) for number in range(25)]


def test_the_number_of_messages_is_exact_at_every_moment(client, url):
    """SQS's is approximate, and late."""
    seen = []
    for body in "abc":
        client("sqs").send_message(QueueUrl=url, MessageBody=body)
        seen.append(depth(client, url))
    [message] = client("sqs").receive_message(QueueUrl=url)["Messages"]
    seen.append(depth(client, url))
    client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    seen.append(depth(client, url))

    assert seen == [[1, 0], [2, 0], [3, 0], [2, 1], [2, 0]]


def test_a_changed_attribute_counts_at_once(client, url):
    """SQS takes up to a minute."""
    client("sqs").send_message(QueueUrl=url, MessageBody="x")

    client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "0"})
    received = [len(client("sqs").receive_message(QueueUrl=url)["Messages"]) for _ in range(3)]

    assert received == [1, 1, 1]


def test_a_short_poll_finds_a_message_that_waits(client, url):
    """SQS's asks some of its servers only."""
    found = []
    for _ in range(20):
        client("sqs").send_message(QueueUrl=url, MessageBody="x")
        found += client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=0).get("Messages", [])

    assert len(found) == 20


def test_a_dead_letter_queue_is_not_moved_onto_itself(client, url, unique):
    """Such a move would never end; what AWS says to it is not public."""
    arn = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    client("sqs").create_queue(QueueName=unique("Source"), Attributes={"RedrivePolicy": redrive})

    with pytest.raises(ClientError, match="must not be the same"):
        client("sqs").start_message_move_task(SourceArn=arn, DestinationArn=arn)
