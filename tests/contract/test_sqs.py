"""SQS through boto3: what a builder of the application meets."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def queue(client, unique):
    """``queue(**attributes)``: the URL of a new queue."""
    return lambda **attributes: client("sqs").create_queue(QueueName=unique("Queue"), Attributes=attributes)["QueueUrl"]


def arn_of(client, url):
    return client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(client, url, **options):
    return (
        client("sqs")
        .receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"], **options)
        .get("Messages", [])
    )


def test_a_message_arrives_with_its_attributes_and_checksums(client, queue):
    """boto3 itself compares the MD5 of the body and of the attributes."""
    url, attributes = (
        queue(),
        {
            "source": {"DataType": "String", "StringValue": "web"},
            "n": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    sent = client("sqs").send_message(QueueUrl=url, MessageBody="héllo", MessageAttributes=attributes)

    [message] = receive(client, url)

    assert (message["MessageId"], message["Body"], message["MessageAttributes"]) == (
        sent["MessageId"],
        "héllo",
        attributes,
    )
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_an_undeleted_message_comes_back_under_a_new_handle(client, queue):
    """Forgetting the delete is the lesson of notebook 05."""
    url = queue(VisibilityTimeout="1")
    client("sqs").send_message(QueueUrl=url, MessageBody="x")
    [first] = receive(client, url)
    invisible = receive(client, url)

    [second] = receive(client, url, WaitTimeSeconds=5)

    assert (invisible, second["MessageId"], second["Attributes"]["ApproximateReceiveCount"]) == (
        [],
        first["MessageId"],
        "2",
    )
    assert second["ReceiptHandle"] != first["ReceiptHandle"]


def test_a_late_delete_counts_until_somebody_else_has_received_the_message(client, queue, eventually):
    """The newest receipt handle stays good after the visibility timeout; only the next receive makes it worthless."""
    sqs, url = client("sqs"), queue(VisibilityTimeout="0")
    for body in ("late", "too late"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    handles = {message["Body"]: message["ReceiptHandle"] for _ in range(2) for message in receive(client, url)}
    sqs.delete_message(QueueUrl=url, ReceiptHandle=handles["late"])
    left = [message["Body"] for message in receive(client, url, MaxNumberOfMessages=10)]

    sqs.delete_message(QueueUrl=url, ReceiptHandle=handles["too late"])

    assert (set(handles), left) == ({"late", "too late"}, ["too late"])
    assert [message["Body"] for message in eventually(lambda: receive(client, url))] == ["too late"]


def test_a_late_delete_is_not_counted_any_more(client, queue):
    """The depth falls at once, for a message that is back on the queue too."""
    sqs, url = client("sqs"), queue(VisibilityTimeout="0")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    [message] = receive(client, url)

    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    assert attributes["ApproximateNumberOfMessages"] == attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


@pytest.mark.parametrize("wrong", ["the URL", "an ARN of nothing"])
def test_a_redrive_policy_must_name_a_queue_that_exists(client, queue, wrong):
    """URL for ARN is the mistake that notebook 05 expects."""
    url, dlq = queue(), queue()
    target = dlq if wrong == "the URL" else arn_of(client, dlq) + "x"
    policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": 3})

    with pytest.raises(ClientError) as refused:
        client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})

    text = f"Value {policy} for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist."
    assert refused.value.response["Error"] == {
        **refused.value.response["Error"],
        "Code": "InvalidParameterValue",
        "Message": text,
    }
    assert "RedrivePolicy" not in client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def test_a_message_received_too_often_goes_to_the_dead_letter_queue_and_back(client, queue, eventually):
    """Redrive policy, then StartMessageMoveTask, which makes new messages (AWS docs: dead-letter queue redrive)."""
    dlq = queue()
    url = queue(
        VisibilityTimeout="0",
        RedrivePolicy=json.dumps({"deadLetterTargetArn": arn_of(client, dlq), "maxReceiveCount": 2}),
    )
    sent = client("sqs").send_message(QueueUrl=url, MessageBody="poison")["MessageId"]
    received = [len(receive(client, url)) for _ in range(3)]

    client("sqs").start_message_move_task(SourceArn=arn_of(client, dlq))
    [result] = eventually(
        lambda: [
            r
            for r in client("sqs").list_message_move_tasks(SourceArn=arn_of(client, dlq))["Results"]
            if r["Status"] == "COMPLETED"
        ]
    )

    assert (received, result["ApproximateNumberOfMessagesMoved"]) == ([1, 1, 0], 1)
    [again] = receive(client, url)
    assert (again["Body"], again["Attributes"]["ApproximateReceiveCount"]) == ("poison", "1")
    assert again["MessageId"] != sent


def test_a_batch_tells_of_each_entry(client, queue):
    """One bad entry does not stop the others."""
    url = queue(MaximumMessageSize="1024")

    answer = client("sqs").send_message_batch(
        QueueUrl=url, Entries=[{"Id": "good", "MessageBody": "x"}, {"Id": "large", "MessageBody": "x" * 1025}]
    )

    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("large", "InvalidParameterValue")]


def test_errors_have_the_codes_and_sentences_of_aws(client, queue, unique):
    """What a learner reads when something is wrong."""
    sqs, url = client("sqs"), queue(DelaySeconds="3")

    with pytest.raises(sqs.exceptions.QueueDoesNotExist, match="The specified queue does not exist"):
        sqs.get_queue_url(QueueName=unique("Nope"))
    with pytest.raises(ClientError) as different:
        sqs.create_queue(QueueName=url.rpartition("/")[2], Attributes={"DelaySeconds": "4"})
    with pytest.raises(ClientError) as many:
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": "x"} for n in range(11)])

    text = "A queue already exists with the same name and a different value for attribute DelaySeconds"
    assert different.value.response["Error"]["Message"] == text
    assert type(different.value).__name__ == "QueueNameExists"
    assert many.value.response["Error"]["Code"] == "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"


def test_a_delayed_message_comes_when_it_is_due(client, queue):
    """DelaySeconds of the message wins over that of the queue."""
    url = queue(DelaySeconds="900")
    client("sqs").send_message(QueueUrl=url, MessageBody="soon", DelaySeconds=1)
    client("sqs").send_message(QueueUrl=url, MessageBody="late")

    at_once = receive(client, url)
    counts = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessagesDelayed"])
    [soon] = receive(client, url, WaitTimeSeconds=5)

    assert (at_once, counts["Attributes"], soon["Body"]) == ([], {"ApproximateNumberOfMessagesDelayed": "2"}, "soon")


def test_a_long_poll_ends_with_the_message_and_a_short_one_at_once(client, queue):
    """The difference that notebook 05 measures."""
    url = queue()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receive, client, url, WaitTimeSeconds=20)
        began = time.monotonic()
        client("sqs").send_message(QueueUrl=url, MessageBody="x")
        [message] = waiting.result()

    assert message["Body"] == "x"
    assert time.monotonic() - began < 10
    assert receive(client, url) == []


def test_a_long_poll_ends_when_another_receiver_has_not_deleted_its_message(client, queue):
    """It waits for what comes back, too (AWS docs: visibility timeout)."""
    url = queue()
    with ThreadPoolExecutor(2) as pool:
        options = {"WaitTimeSeconds": 20, "VisibilityTimeout": 1}
        waiting = [pool.submit(receive, client, url, **options) for _ in range(2)]
        began = time.monotonic()
        client("sqs").send_message(QueueUrl=url, MessageBody="x")
        [[one], [other]] = [receiver.result() for receiver in waiting]

    assert {message["Attributes"]["ApproximateReceiveCount"] for message in (one, other)} == {"1", "2"}
    assert time.monotonic() - began < 10


def test_visibility_can_be_changed_alone_and_in_a_batch(client, queue):
    """Zero gives a message back."""
    url = queue(VisibilityTimeout="600")
    for body in "ab":
        client("sqs").send_message(QueueUrl=url, MessageBody=body)
    first, second = receive(client, url, MaxNumberOfMessages=10)

    client("sqs").change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    answer = client("sqs").change_message_visibility_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "good", "ReceiptHandle": second["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "bad", "ReceiptHandle": "nonsense", "VisibilityTimeout": 0},
        ],
    )

    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert [(entry["Id"], entry["Code"]) for entry in answer["Failed"]] == [("bad", "ReceiptHandleIsInvalid")]
    assert sorted(message["Body"] for message in receive(client, url, MaxNumberOfMessages=10)) == ["a", "b"]


def test_a_purged_queue_is_empty_and_purged_once_a_minute(client, queue):
    """What is in flight goes too."""
    url = queue()
    for body in "ab":
        client("sqs").send_message(QueueUrl=url, MessageBody=body)
    receive(client, url)

    client("sqs").purge_queue(QueueUrl=url)
    with pytest.raises(ClientError) as again:
        client("sqs").purge_queue(QueueUrl=url)

    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    assert counts == dict.fromkeys(names, "0")
    error = again.value.response["Error"]
    assert (error["Code"], error["Message"]) == (
        "AWS.SimpleQueueService.PurgeQueueInProgress",
        f"Only one PurgeQueue operation on {url.rpartition('/')[2]} is allowed every 60 seconds.",
    )


def test_queues_carry_tags_and_are_listed_by_prefix(client, unique):
    """By the tag a lab finds what is its own."""
    prefix = unique("Tagged")
    urls = [
        client("sqs").create_queue(QueueName=f"{prefix}-{n}", tags={"labkit:lab-id": "lab", "n": n})["QueueUrl"]
        for n in "12"
    ]

    client("sqs").untag_queue(QueueUrl=urls[0], TagKeys=["n"])
    client("sqs").tag_queue(QueueUrl=urls[0], Tags={"more": "x"})

    assert client("sqs").list_queue_tags(QueueUrl=urls[0])["Tags"] == {"labkit:lab-id": "lab", "more": "x"}
    assert client("sqs").list_queues(QueueNamePrefix=prefix)["QueueUrls"] == urls
