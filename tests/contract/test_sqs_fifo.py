"""FIFO queues. Unless a test names another source, AWS itself did this in LocalStack's public recordings of SQS."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def fifo(client, unique):
    """``fifo(**attributes)``: the URL of a new FIFO queue, which finds duplicates by content unless told otherwise."""

    def create(**attributes):
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} | attributes
        return client("sqs").create_queue(QueueName=unique("Q") + ".fifo", Attributes=attributes)["QueueUrl"]

    return create


@pytest.fixture
def send(client):
    """``send(url, "g1-m1", "g2-m1")`` sends to the group before the hyphen."""

    def send(url, *bodies):
        for body in bodies:
            client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body.partition("-")[0])

    return send


@pytest.fixture
def receive(client):
    """``receive(url, n)``: up to *n* messages, with all they have."""
    return lambda url, most=10, **options: (
        client("sqs")
        .receive_message(QueueUrl=url, MaxNumberOfMessages=most, MessageSystemAttributeNames=["All"], **options)
        .get("Messages", [])
    )


def bodies(messages):
    return [message["Body"] for message in messages]


def attributes_of(client, url, *names):
    return client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]


def refusal(action, **parameters):
    """The code and the message of the error that a call ends with."""
    with pytest.raises(ClientError) as refused:
        action(**parameters)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def delete(client, url, message):
    client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def hide(client, url, message, seconds):
    client("sqs").change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
    )


# --- The queue --------------------------------------------------------------------------------------------------------


def test_a_fifo_queue_has_attributes_of_its_own(client, fifo):
    """Switches are kept in lower case, whatever was sent."""
    url = fifo(FifoQueue="True", ContentBasedDeduplication="False")

    names = ["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"]
    before = attributes_of(client, url, *names)
    high = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
    client("sqs").set_queue_attributes(QueueUrl=url, Attributes=high)

    assert list(before.items()) == list(zip(names, ["true", "false", "queue", "perQueue"], strict=True))
    assert attributes_of(client, url, "All").items() >= (before | high).items()


def test_name_and_attributes_must_say_the_same(client, unique, fifo):
    """The suffix, FifoQueue and the other FIFO attributes go together."""
    create, name = client("sqs").create_queue, unique("Q")
    unknown = {
        key: ("InvalidAttributeName", f"Unknown Attribute {key}.") for key in ("FifoQueue", "ContentBasedDeduplication")
    }
    only = {
        key: ("InvalidAttributeName", f"You can specify the {key} only when FifoQueue is set to true.")
        for key in ("DeduplicationScope", "FifoThroughputLimit")
    }
    values = {"FifoQueue": "false", "ContentBasedDeduplication": "false", "DeduplicationScope": "queue"}

    seen = {
        key: refusal(create, QueueName=name, Attributes={key: values.get(key, "perQueue")}) for key in unknown | only
    }

    assert seen == unknown | only
    assert refusal(create, QueueName=name, Attributes={"FifoQueue": "true"}) == (
        "InvalidParameterValue",
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
        "must end with .fifo suffix and be 1 to 80 in length.",
    )
    assert refusal(create, QueueName=f"{name}.fifo")[0] == "InvalidParameterValue"
    assert refusal(client("sqs").set_queue_attributes, QueueUrl=fifo(), Attributes={"FifoQueue": "false"}) == (
        "InvalidAttributeValue",
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
    )


def test_a_fifo_queue_is_created_again_with_the_same_attributes_only(client, fifo):
    """Default values count as well."""
    url = fifo()
    name = url.rpartition("/")[2]

    again = client("sqs").create_queue(QueueName=name, Attributes={"FifoQueue": "true", "DeduplicationScope": "queue"})
    other = {"FifoQueue": "true", "ContentBasedDeduplication": "false"}

    assert again["QueueUrl"] == url
    assert refusal(client("sqs").create_queue, QueueName=name, Attributes=other) == (
        "QueueAlreadyExists",
        "A queue already exists with the same name and a different value for attribute ContentBasedDeduplication",
    )


# --- Sending ----------------------------------------------------------------------------------------------------------


def test_a_message_needs_a_group_and_a_deduplication_id(client, fifo):
    """A batch is refused whole, and under another code."""
    sqs, url = client("sqs"), fifo(ContentBasedDeduplication="false")
    message = {"QueueUrl": url, "MessageBody": "x"}
    entry = {"Id": "1", "MessageBody": "x"}
    no_id = (
        "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
    )
    no_group = "The request must contain the parameter MessageGroupId."
    refused = [
        refusal(sqs.send_message, **message, MessageGroupId="g"),
        refusal(sqs.send_message, **message, MessageDeduplicationId="d"),
        refusal(sqs.send_message_batch, QueueUrl=url, Entries=[{**entry, "MessageGroupId": "g"}]),
        refusal(sqs.send_message_batch, QueueUrl=url, Entries=[{**entry, "MessageDeduplicationId": "d"}]),
    ]

    assert refused == [
        ("InvalidParameterValue", no_id),
        ("MissingParameter", no_group),
        ("InvalidParameterValue", no_id),
        ("InvalidParameterValue", no_group),
    ]


@pytest.mark.parametrize("value", ["", "a" * 129, "group 123"])
@pytest.mark.parametrize("name", ["MessageGroupId", "MessageDeduplicationId"])
def test_group_and_deduplication_ids_are_short_and_plain(client, fifo, name, value):
    """128 characters of letters, digits and punctuation."""
    message = {"MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "a" * 128} | {name: value}

    assert refusal(client("sqs").send_message, QueueUrl=fifo(), **message) == (
        "InvalidParameterValue",
        f"Value {value} for parameter {name} is invalid. "
        f"Reason: {name} can only include alphanumeric and punctuation characters. 1 to 128 in length.",
    )


def test_a_message_has_no_delay_of_its_own(client, fifo, receive):
    """Only the queue delays, all of its messages alike; a changed delay concerns what waits already (AWS docs)."""
    sqs, url = client("sqs"), fifo(DelaySeconds="900")
    message = {"QueueUrl": url, "MessageBody": "x", "MessageGroupId": "g"}
    refused = refusal(sqs.send_message, **message, DelaySeconds=2)
    sqs.send_message(**message, DelaySeconds=0)

    delayed = attributes_of(client, url, "ApproximateNumberOfMessagesDelayed")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0"})

    assert refused == (
        "InvalidParameterValue",
        "Value 2 for parameter DelaySeconds is invalid. "
        "Reason: The request include parameter that is not valid for this queue type.",
    )
    assert (delayed, bodies(receive(url))) == ({"ApproximateNumberOfMessagesDelayed": "1"}, ["x"])


def test_what_only_fifo_queues_have_is_refused_on_a_standard_one(client, unique):
    """A MessageGroupId is welcome there since fair queues exist; a deduplication id or an attempt id is not."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=unique("Standard"))["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="tenant")

    [message] = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["MessageGroupId"])["Messages"]

    assert message["Attributes"] == {"MessageGroupId": "tenant"}
    refused = refusal(sqs.send_message, QueueUrl=url, MessageBody="x", MessageDeduplicationId="d")
    assert refused[0] == "InvalidParameterValue"
    assert refusal(sqs.receive_message, QueueUrl=url, ReceiveRequestAttemptId="a")[0] == "InvalidParameterValue"


# --- Duplicates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_content", [True, False])
def test_a_duplicate_is_accepted_and_not_delivered(client, fifo, receive, by_content):
    """Even after the first was deleted, and in another group; the answer is that to the first (AWS docs)."""
    url = fifo(ContentBasedDeduplication=str(by_content))
    message = {"QueueUrl": url, "MessageBody": "x"} | ({} if by_content else {"MessageDeduplicationId": "d"})
    first = client("sqs").send_message(**message, MessageGroupId="g1")
    [received] = receive(url)
    delete(client, url, received)

    second = client("sqs").send_message(**message, MessageGroupId="g2")

    names = ("MessageId", "SequenceNumber", "MD5OfMessageBody")
    assert [second[name] for name in names] == [first[name] for name in names]
    assert receive(url) == []


def test_duplicates_are_looked_for_in_one_group_when_the_scope_says_so(client, fifo, receive, send):
    """With or without high throughput."""
    url = fifo(DeduplicationScope="messageGroup")

    for group in ("g1", "g2", "g1"):
        client("sqs").send_message(QueueUrl=url, MessageBody="x", MessageGroupId=group)

    assert [m["Attributes"]["MessageGroupId"] for m in receive(url)] == ["g1", "g2"]


def test_a_purge_forgets_the_deduplication_ids(client, fifo, receive, send):
    """So that a test can begin again."""
    url = fifo()
    send(url, "g-1")

    client("sqs").purge_queue(QueueUrl=url)
    send(url, "g-1")

    assert bodies(receive(url)) == ["g-1"]


def test_sequence_numbers_rise_and_arrive(client, fifo, receive):
    """They have 20 digits, as on AWS."""
    url = fifo(VisibilityTimeout="0")
    sent = [
        client("sqs").send_message(
            QueueUrl=url, MessageBody=f"m{n}", MessageGroupId="g", MessageDeduplicationId=f"d{n}"
        )["SequenceNumber"]
        for n in range(3)
    ]

    attributes = [message["Attributes"] for message in receive(url)]

    assert (sorted(sent, key=int), {len(number) for number in sent}) == (sent, {20})
    assert [(a["SequenceNumber"], a["MessageDeduplicationId"], a["MessageGroupId"]) for a in attributes] == [
        (number, f"d{n}", "g") for n, number in enumerate(sent)
    ]


# --- Order ------------------------------------------------------------------------------------------------------------


def test_a_receive_empties_one_group_before_the_next(fifo, receive, send):
    """So one call brings as much of a group as it can."""
    url = fifo()
    send(url, "g1-1", "g2-1", "g1-2", "g1-3")

    assert bodies(receive(url)) == ["g1-1", "g1-2", "g1-3", "g2-1"]


def test_a_group_with_a_message_in_flight_is_closed(client, fifo, receive, send):
    """Others are not; it opens when what was received is deleted, all of it."""
    url = fifo()
    send(url, "g1-1", "g2-1", "g1-2", "g2-2", "g1-3", "g1-4", "g3-1")
    one, two = receive(url, 2)
    delete(client, url, one)
    others = receive(url)

    delete(client, url, two)

    assert bodies([one, two, *others]) == ["g1-1", "g1-2", "g2-1", "g2-2", "g3-1"]
    assert bodies(receive(url)) == ["g1-3", "g1-4"]


def test_whoever_waits_gets_the_next_message_when_the_first_is_deleted(client, fifo, receive, send):
    """A delete wakes a long poll."""
    url = fifo()
    send(url, "g-1", "g-2")
    [first] = receive(url, 1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receive, url, WaitTimeSeconds=20)
        began = time.monotonic()
        delete(client, url, first)
        second = waiting.result()

    assert (bodies(second), time.monotonic() - began < 10) == (["g-2"], True)


def test_groups_take_turns(fifo, receive, send):
    """What came back stands behind the groups that have waited since, in its own order."""
    url = fifo()
    send(url, "g1-1", "g2-1", "g2-2", "g3-1", "g1-2")

    first = bodies(receive(url, 3, VisibilityTimeout=0))

    assert first == ["g1-1", "g1-2", "g2-1"]
    assert bodies(receive(url, VisibilityTimeout=0)) == ["g3-1", "g1-1", "g1-2", "g2-1", "g2-2"]


def test_nothing_overtakes_a_message_that_is_hidden_longer(client, fifo, receive, send):
    """The group is closed from there on, be it the first, the second or the third of three."""
    left = []
    for hidden in range(3):
        url = fifo()
        send(url, "g-1", "g-2", "g-3")
        for number, message in enumerate(receive(url)):
            hide(client, url, message, 600 if number == hidden else 0)
        left.append(bodies(receive(url)))

    assert left == [[], ["g-1"], ["g-1", "g-2"]]


def test_a_message_given_back_comes_before_those_behind_it(client, fifo, receive, send):
    """The first of two in flight returns; its group stands behind the others then."""
    url = fifo()
    send(url, "g1-1", "g1-2", "g2-1")
    [first, _] = receive(url, 2)

    hide(client, url, first, 0)

    assert bodies(receive(url, 3)) == ["g2-1", "g1-1"]


def test_counts_tell_what_is_hidden_and_what_is_only_behind(client, fifo, receive, send):
    """A message of a closed group counts as visible."""
    url = fifo()
    send(url, "g1-1", "g1-2", "g2-1", "g2-2")
    receive(url, 1)
    receive(url, 1)

    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    assert attributes_of(client, url, *names) == dict(zip(names, "22", strict=True))


# --- Receipt handles and attempts -------------------------------------------------------------------------------------


def test_a_late_delete_is_an_error(client, fifo, receive, send):
    """Not so on a standard queue; after an extension in time it works."""
    url = fifo()
    send(url, "g-1")
    [first] = receive(url, VisibilityTimeout=0)

    late = refusal(client("sqs").delete_message, QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    [second] = receive(url)
    superseded = refusal(client("sqs").delete_message, QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    delete(client, url, second)
    delete(client, url, second)

    handle = first["ReceiptHandle"]
    text = f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
    assert late == superseded == ("InvalidParameterValue", text)


def test_a_receive_can_be_asked_again_under_its_attempt_id(client, fifo, receive, send):
    """The same messages and handles, until one is changed (AWS docs: ReceiveMessage)."""
    url = fifo()
    send(url, "g1-1", "g1-2", "g2-1")
    first = receive(url, 2, ReceiveRequestAttemptId="attempt")

    again = receive(url, 2, ReceiveRequestAttemptId="attempt")
    delete(client, url, first[0])
    changed = receive(url, 2, ReceiveRequestAttemptId="attempt")

    assert again == first
    assert bodies(changed) == ["g2-1"]


# --- Dead-letter queue ------------------------------------------------------------------------------------------------


def test_a_fifo_queue_has_a_fifo_dead_letter_queue(client, unique, fifo):
    """And a standard queue a standard one (AWS docs; the sentence is AWS's in a public log)."""
    sqs = client("sqs")
    standard = sqs.create_queue(QueueName=unique("Standard"))["QueueUrl"]
    for url, dlq in ((fifo(), standard), (standard, fifo())):
        arn = attributes_of(client, dlq, "QueueArn")["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})

        assert refusal(sqs.set_queue_attributes, QueueUrl=url, Attributes={"RedrivePolicy": policy}) == (
            "InvalidParameterValue",
            f"Value {policy} for parameter RedrivePolicy is invalid. "
            "Reason: Dead-letter queue must be same type of queue as the source..",
        )


def test_a_poisonous_message_leaves_its_group_and_can_come_back(client, fifo, receive, send, eventually):
    """On the DLQ its own id stands for its deduplication id, and its age begins anew (AWS docs: redrive, retention)."""
    dlq = fifo()
    dlq_arn = attributes_of(client, dlq, "QueueArn")["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dlq_arn, "maxReceiveCount": 2})
    url = fifo(RedrivePolicy=redrive, VisibilityTimeout="0")
    send(url, "g-poison")
    send(url, "g-next")
    received = [bodies(receive(url, 1)) for _ in range(3)]

    [dead] = receive(dlq, VisibilityTimeout=0)
    client("sqs").start_message_move_task(SourceArn=dlq_arn)
    back = eventually(lambda: receive(url))

    assert received == [["g-poison"], ["g-poison"], ["g-next"]]
    assert (
        dead["Attributes"].items()
        >= {
            "ApproximateReceiveCount": "3",
            "MessageDeduplicationId": dead["MessageId"],
            "MessageGroupId": "g",
            "DeadLetterQueueSourceArn": attributes_of(client, url, "QueueArn")["QueueArn"],
        }.items()
    )
    assert "g-poison" in bodies(back)


# --- Behind other services --------------------------------------------------------------------------------------------

COLLECT = """
import json, os, boto3
sqs, queue, seen = boto3.client("sqs"), os.environ["QUEUE"], os.environ["SEEN"]
def lambda_handler(event, context):
    failed = []
    for record in event["Records"]:
        attributes, handle = record["attributes"], record["receiptHandle"]
        if failed or record["body"] == "g1-2" and attributes["ApproximateReceiveCount"] == "1":
            failed.append({"itemIdentifier": record["messageId"]})
            sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
        else:
            sqs.send_message(QueueUrl=seen, MessageBody=json.dumps({"body": record["body"], "attributes": attributes}))
    return {"batchItemFailures": failed}
"""


def test_a_mapping_keeps_the_order_of_a_group_when_one_of_its_messages_fails(client, fifo, send, function, eventually):
    """The failed message and those behind it come again, in order; the first is not repeated."""
    url, seen = fifo(), client("sqs").create_queue(QueueName=fifo().rpartition("/")[2][:-5])["QueueUrl"]
    arn, seen_arn = (attributes_of(client, one, "QueueArn")["QueueArn"] for one in (url, seen))
    actions = ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility"]
    name = function(
        COLLECT,
        ([f"sqs:{action}" for action in actions], arn),
        (["sqs:SendMessage"], seen_arn),
        Environment={"Variables": {"QUEUE": url, "SEEN": seen}},
    )
    send(url, "g1-1", "g1-2", "g1-3")

    client("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=name, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    eventually(lambda: attributes_of(client, seen, "ApproximateNumberOfMessages")["ApproximateNumberOfMessages"] == "3")
    messages = client("sqs").receive_message(QueueUrl=seen, MaxNumberOfMessages=10)["Messages"]
    collected = [json.loads(message["Body"]) for message in messages]

    counts = [(one["body"], one["attributes"]["ApproximateReceiveCount"]) for one in collected]
    assert counts == [("g1-1", "1"), ("g1-2", "2"), ("g1-3", "2")]
    attributes = collected[0]["attributes"]
    assert (attributes["MessageGroupId"], len(attributes["SequenceNumber"])) == ("g1", 20)
    assert len(attributes["MessageDeduplicationId"]) == 64


def test_functions_hand_over_to_standard_queues_only(client, fifo, function):
    """AWS docs: Lambda, destinations of asynchronous invocations; AWS's sentence is not public."""
    arn = attributes_of(client, fifo(), "QueueArn")["QueueArn"]
    name = function("def lambda_handler(event, context):\n    pass\n", (["sqs:*"], arn))
    functions, target = client("lambda"), {"OnFailure": {"Destination": arn}}

    refused = [
        refusal(functions.update_function_configuration, FunctionName=name, DeadLetterConfig={"TargetArn": arn}),
        refusal(functions.put_function_event_invoke_config, FunctionName=name, DestinationConfig=target),
    ]

    assert [(code, "standard queue" in message) for code, message in refused] == [
        ("InvalidParameterValueException", True)
    ] * 2


BATCH_WITHOUT_WINDOW = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"BatchSize": 11}, BATCH_WITHOUT_WINDOW),
        ({"MaximumBatchingWindowInSeconds": 1}, "Batching window is not supported for FIFO queues"),
        ({"BatchSize": 11, "MaximumBatchingWindowInSeconds": 1}, "Batching window is not supported for FIFO queues"),
    ],
)  # fmt: skip
def test_a_mapping_of_a_fifo_queue_takes_ten_at_once_and_does_not_wait(client, fifo, function, settings, sentence):
    """AWS docs: Lambda, SQS parameters; the second sentence is AWS's in a public log."""
    arn = attributes_of(client, fifo(), "QueueArn")["QueueArn"]
    name = function("def lambda_handler(event, context):\n    pass\n")

    refused = refusal(client("lambda").create_event_source_mapping, EventSourceArn=arn, FunctionName=name, **settings)

    assert refused == ("InvalidParameterValueException", sentence)
