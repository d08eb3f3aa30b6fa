"""Answers and refusals of SQS. Unless a test names another source, they are AWS's in LocalStack's public recordings."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.error
import urllib.request
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ACCOUNT = "123456789012"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.fixture
def sqs(client):
    """The client."""
    return client("sqs")


@pytest.fixture
def url(sqs, unique):
    """The URL of a new queue."""
    return sqs.create_queue(QueueName=unique("Queue"))["QueueUrl"]


def arn_of(url):
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{url.rpartition('/')[2]}"


def refusal(action, **parameters):
    """The code and the message of the error that a call ends with."""
    with pytest.raises(ClientError) as refused:
        action(**parameters)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


# --- Messages ---------------------------------------------------------------------------------------------------------


def text(value):
    return {"DataType": "String", "StringValue": value}


def number(value, label="int"):
    return {"DataType": f"Number.{label}", "StringValue": value}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("a", text(""), "Message (user) attribute 'a' must contain a non-empty value of type 'String'."),
        ("a", number("old"), "Can't cast the value of message (user) attribute 'a' to a number."),
        ("a", text("\x08"), "Invalid characters found."),
        ("aWs.a", text("x"), "You can't use message attribute names beginning with"),
        ("AMAZON.a", text("x"), "You can't use message attribute names beginning with"),
        (".a", text("x"), "You can't use message attribute names beginning with"),
        ("a.", text("x"), "You can't use message attribute names beginning with"),
        ("a!", text("x"), "Message (user) attributes name can only contain"),
        ("L" * 257, text("x"), "Message (user) attribute names must be shorter than 256 Bytes"),
        ("a", {"DataType": "Text", "StringValue": "x"}, "The type of message (user) attribute 'a' is invalid."),
        ("a", number("1", label="L" * 256), "The type of message (user) attribute 'a' is invalid."),
    ],
)  # fmt: skip
def test_a_message_attribute_that_sqs_does_not_take(sqs, url, name, value, sentence):
    """Names, types and values have rules; letters of every language are letters."""
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes={"attr.1øßä": text("x")})

    code, message = refusal(sqs.send_message, QueueUrl=url, MessageBody="x", MessageAttributes={name: value})

    assert (code, message[: len(sentence)]) == ("InvalidParameterValue", sentence)


def test_a_trace_header_has_a_checksum_of_its_own_and_arrives(sqs, url):
    """It changes nothing in that of the message attributes; the HTTP header of an X-Ray client does the same."""
    attributes = {"timestamp": {"DataType": "Number", "StringValue": "1493147359900"}}
    message = {"QueueUrl": url, "MessageBody": "x", "MessageAttributes": attributes}
    plain = sqs.send_message(**message)
    traced = sqs.send_message(**message, MessageSystemAttributes={"AWSTraceHeader": text(TRACE)})

    def add_header(request, **_):
        request.headers["X-Amzn-Trace-Id"] = TRACE

    sqs.meta.events.register("before-send.sqs.SendMessage", add_header)
    try:
        sqs.send_message(QueueUrl=url, MessageBody="x")
    finally:
        sqs.meta.events.unregister("before-send.sqs.SendMessage", add_header)

    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["AWSTraceHeader"])

    assert traced["MD5OfMessageAttributes"] == plain["MD5OfMessageAttributes"]
    assert "MD5OfMessageSystemAttributes" not in plain
    assert traced["MD5OfMessageSystemAttributes"] == "5ae4d5d7636402d80f4eb6d213245a88"
    assert [one.get("Attributes") for one in received["Messages"]] == [None, *[{"AWSTraceHeader": TRACE}] * 2]


@pytest.mark.parametrize(
    ("patterns", "names", "md5"),
    [
        ([], [], None),
        (["All"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"),
        (["*"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"),
        ([".*"], ["General", "Hello", "Help.Me"], "4c360f3fdafd970e05fae2f149d997f5"),
        (["Foo", "Help"], [], None),
        (["Foo", "Hello"], ["Hello"], "a311262e065454b75da111d535b8dacd"),
        (["Hel.*"], ["Hello", "Help.Me"], "83fee93c1bcd8b9a5a923ffacdc636c7"),
        (["AWS."], [], None),
        (["..foo"], [], None),
    ],
)
def test_the_receiver_names_the_attributes_it_wants(sqs, url, patterns, names, md5):
    """By name, by prefix or all; the checksum is that of what is shown."""
    values = {"Help.Me": text("Me"), "Hello": text("There"), "General": text("Kenobi")}
    sqs.send_message(QueueUrl=url, MessageBody="msg", MessageAttributes=values)

    [message] = sqs.receive_message(QueueUrl=url, MessageAttributeNames=patterns)["Messages"]

    assert (sorted(message.get("MessageAttributes", {})), message.get("MD5OfMessageAttributes")) == (names, md5)


def test_one_large_message_of_a_batch_fails_alone_and_a_large_batch_as_a_whole(sqs, url, unique):
    """Two sentences of two checks."""
    small = sqs.create_queue(QueueName=unique("Small"), Attributes={"MaximumMessageSize": "1024"})["QueueUrl"]
    entries = [{"Id": "good", "MessageBody": "a" * 1024}, {"Id": "large", "MessageBody": "a" * 1025}]
    half = "a" * 524_288

    answer = sqs.send_message_batch(QueueUrl=small, Entries=entries)
    whole = refusal(
        sqs.send_message_batch,
        QueueUrl=url,
        Entries=[{"Id": "1", "MessageBody": half}, {"Id": "2", "MessageBody": half + "a"}],
    )

    reason = "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes."
    assert [one["Id"] for one in answer["Successful"]] == ["good"]
    failed = {"Id": "large", "Code": "InvalidParameterValue", "Message": reason, "SenderFault": True}
    assert answer["Failed"] == [failed]
    assert whole == (
        "AWS.SimpleQueueService.BatchRequestTooLong",
        "Batch requests cannot be longer than 1048576 bytes. You have sent 1048577 bytes.",
    )


@pytest.mark.parametrize("identifier", ["", "testLongId" * 10, "invalid:id"])
def test_a_batch_entry_needs_an_id_that_is_one(sqs, url, identifier):
    """The same for sending, deleting and changing the visibility."""
    sentence = (
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
        "It can be at most 80 letters long."
    )

    refused = refusal(sqs.delete_message_batch, QueueUrl=url, Entries=[{"Id": identifier, "ReceiptHandle": "x"}])

    assert refused == ("AWS.SimpleQueueService.InvalidBatchEntryId", sentence)


def test_limits_of_a_receive_are_told_by_name(sqs, url):
    """A number too large or too small."""
    refused = [
        refusal(sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)[1],
        refusal(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=21)[1],
        refusal(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=-1)[1],
    ]

    assert refused == [
        "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
        "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
        "Value -1 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
    ]
    assert refusal(sqs.receive_message, QueueUrl=url, VisibilityTimeout=43_201)[0] == "InvalidParameterValue"


def test_a_receipt_handle_that_is_none_and_one_that_is_used_up(sqs, url):
    """Deleting twice is no error; changing the visibility of what is deleted is one."""
    sqs.send_message(QueueUrl=url, MessageBody="x")
    [message] = sqs.receive_message(QueueUrl=url)["Messages"]
    handle = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}

    sqs.delete_message(**handle)
    sqs.delete_message(**handle)

    assert refusal(sqs.change_message_visibility, **handle, VisibilityTimeout=42) == (
        "InvalidParameterValue",
        f"Value {message['ReceiptHandle']} for parameter ReceiptHandle is invalid. "
        "Reason: Message does not exist or is not available for visibility timeout change.",
    )
    assert refusal(sqs.delete_message, QueueUrl=url, ReceiptHandle="garbage") == (
        "ReceiptHandleIsInvalid",
        'The input receipt handle "garbage" is not a valid receipt handle.',
    )


def test_a_dead_letter_queue_goes_on_counting(sqs, url, unique):
    """ApproximateReceiveCount is that of all queues; system attributes and message attributes come along."""
    redrive = json.dumps({"deadLetterTargetArn": arn_of(url), "maxReceiveCount": 1})
    attributes = {"RedrivePolicy": redrive, "VisibilityTimeout": "0"}
    source = sqs.create_queue(QueueName=unique("Source"), Attributes=attributes)["QueueUrl"]
    sqs.send_message(
        QueueUrl=source,
        MessageBody="x",
        MessageAttributes={"MyAttribute": text("foobar")},
        MessageSystemAttributes={"AWSTraceHeader": text(TRACE)},
    )
    [before] = sqs.receive_message(QueueUrl=source, AttributeNames=["All"])["Messages"]
    sqs.receive_message(QueueUrl=source)

    [dead] = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])["Messages"]

    assert dead["MD5OfMessageAttributes"] == "adb59cd4678ea5a855436b949cd07ab6"
    assert (
        dead["Attributes"].items()
        >= {
            "ApproximateReceiveCount": "2",
            "SentTimestamp": before["Attributes"]["SentTimestamp"],
            "AWSTraceHeader": TRACE,
            "DeadLetterQueueSourceArn": arn_of(source),
        }.items()
    )


# --- Queues -----------------------------------------------------------------------------------------------------------


def test_a_key_of_ones_own_and_the_key_of_sqs_exclude_each_other(sqs, url):
    """Kept and shown; nothing is encrypted here."""
    names = ["KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"]
    own = {"KmsMasterKeyId": "testKeyId", "KmsDataKeyReusePeriodSeconds": "6000"}
    seen = []
    for attributes in (own, {"KmsMasterKeyId": "", "KmsDataKeyReusePeriodSeconds": "300"}):
        sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        seen.append(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"])

    assert seen == [{**own, "SqsManagedSseEnabled": "false"}, {"SqsManagedSseEnabled": "false"}]
    both = {"KmsMasterKeyId": "testKeyId", "SqsManagedSseEnabled": "true"}
    assert refusal(sqs.set_queue_attributes, QueueUrl=url, Attributes=both) == (
        "InvalidAttributeName",
        "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
    )


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        ({"maxReceiveCount": 3}, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
        ({"deadLetterTargetArn": "ARN"}, "Redrive policy does not contain mandatory attribute: maxReceiveCount."),
        (
            {"deadLetterTargetArn": "ARN", "maxReceiveCount": 1001},
            "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive.",
        ),
    ],
)
def test_a_redrive_policy_is_complete(sqs, url, policy, reason):
    """The sentences are AWS's in public logs of deployments."""
    value = json.dumps(policy).replace("ARN", arn_of(url))

    assert refusal(sqs.set_queue_attributes, QueueUrl=url, Attributes={"RedrivePolicy": value}) == (
        "InvalidParameterValue",
        f"Value {value} for parameter RedrivePolicy is invalid. Reason: {reason}",
    )


@pytest.mark.parametrize(
    ("allow", "accepted"),
    [({"redrivePermission": "denyAll"}, False), ({"redrivePermission": "allowAll"}, True),
     ({"redrivePermission": "byQueue", "sourceQueueArns": ["other"]}, False),
     ({"redrivePermission": "byQueue", "sourceQueueArns": ["SOURCE"]}, True)],
)  # fmt: skip
def test_a_dead_letter_queue_says_whose_it_is(sqs, url, unique, allow, accepted):
    """RedriveAllowPolicy (AWS docs: SetQueueAttributes; AWS's sentence is not public)."""
    source = sqs.create_queue(QueueName=unique("Source"))["QueueUrl"]
    value = json.dumps(allow).replace("SOURCE", arn_of(source))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedriveAllowPolicy": value})
    redrive = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn_of(url), "maxReceiveCount": 3})}

    try:
        sqs.set_queue_attributes(QueueUrl=source, Attributes=redrive)
        code = None
    except ClientError as error:
        code = error.response["Error"]["Code"]

    assert code == (None if accepted else "InvalidParameterValue")


def test_permissions_are_statements_of_the_policy(sqs, url):
    """With a label for each; the last one takes the policy with it."""

    def policy():
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes")
        return attributes and json.loads(attributes["Policy"])

    def statement(label, accounts):
        principals = [f"arn:aws:iam::{account}:root" for account in accounts]
        return {
            "Sid": label, "Effect": "Allow", "Principal": {"AWS": principals if len(principals) > 1 else principals[0]},
            "Action": "SQS:ReceiveMessage", "Resource": arn_of(url),
        }  # fmt: skip

    receive = {"QueueUrl": url, "Actions": ["ReceiveMessage"]}
    sqs.add_permission(**receive, AWSAccountIds=[ACCOUNT, "668614515564"], Label="first")
    again = refusal(sqs.add_permission, **receive, AWSAccountIds=[ACCOUNT], Label="first")
    sqs.add_permission(**receive, AWSAccountIds=[ACCOUNT], Label="second")
    two = policy()
    sqs.remove_permission(QueueUrl=url, Label="first")
    one = policy()
    sqs.remove_permission(QueueUrl=url, Label="second")

    assert two == {
        "Version": "2008-10-17",
        "Id": f"{arn_of(url)}/SQSDefaultPolicy",
        "Statement": [statement("first", [ACCOUNT, "668614515564"]), statement("second", [ACCOUNT])],
    }
    assert (one["Statement"], policy()) == ([statement("second", [ACCOUNT])], None)
    reason = "Value first for parameter Label is invalid. Reason: Already exists."
    assert again == ("InvalidParameterValue", reason)
    assert refusal(sqs.remove_permission, QueueUrl=url, Label="second") == (
        "InvalidParameterValue",
        "Value second for parameter Label is invalid. Reason: can't find label.",
    )


def test_queues_and_the_sources_of_a_dead_letter_queue_come_in_pages(sqs, url, unique):
    """A token is given when there is more, and only when MaxResults is."""
    prefix = unique("Paged")
    redrive = json.dumps({"deadLetterTargetArn": arn_of(url), "maxReceiveCount": 3})
    made = [
        sqs.create_queue(QueueName=f"{prefix}-{n}", Attributes={"RedrivePolicy": redrive})["QueueUrl"] for n in range(3)
    ]

    first = sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2)
    rest = sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2, NextToken=first["NextToken"])
    sources = sqs.list_dead_letter_source_queues(QueueUrl=url, MaxResults=2)
    others = sqs.list_dead_letter_source_queues(QueueUrl=url, MaxResults=2, NextToken=sources["NextToken"])

    assert (first["QueueUrls"], rest["QueueUrls"], "NextToken" in rest) == (made[:2], made[2:], False)
    assert (sources["queueUrls"], others["queueUrls"], "NextToken" in others) == (made[:2], made[2:], False)
    assert "NextToken" not in sqs.list_queues(QueueNamePrefix=prefix)
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=unique("None"))


def test_a_queue_is_named_by_its_url_or_its_name_and_in_ones_own_account(sqs, url):
    """Nobody has queues in another account here."""
    name = url.rpartition("/")[2]

    assert sqs.get_queue_attributes(QueueUrl=name, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"] == arn_of(url)
    for foreign in (url.replace(ACCOUNT, "999999999999"), url + "x"):
        with pytest.raises(sqs.exceptions.QueueDoesNotExist, match=r"The specified queue does not exist\.$"):
            sqs.get_queue_attributes(QueueUrl=foreign)
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId="999999999999")


def test_a_queue_without_tags_has_none(sqs, url):
    """The member is absent, not empty; an empty value is a value."""
    sqs.tag_queue(QueueUrl=url, Tags={"a": "", "A": "x"})
    tagged = sqs.list_queue_tags(QueueUrl=url)["Tags"]

    sqs.untag_queue(QueueUrl=url, TagKeys=["a", "A", "never there"])

    assert (tagged, "Tags" in sqs.list_queue_tags(QueueUrl=url)) == ({"a": "", "A": "x"}, False)


# --- Message move tasks -----------------------------------------------------------------------------------------------


def task_handle(task_id, source_arn):
    return base64.b64encode(json.dumps({"taskId": task_id, "sourceArn": source_arn}).encode()).decode()


def test_a_move_needs_a_dead_letter_queue_and_a_destination_that_exists(sqs, url, unique):
    """Each refusal names what is missing."""
    redrive = json.dumps({"deadLetterTargetArn": arn_of(url), "maxReceiveCount": 1})
    source = sqs.create_queue(QueueName=unique("Source"), Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    start, gone = sqs.start_message_move_task, arn_of(url) + "gone"
    missing = "The resource that you specified for the {} parameter doesn't exist.".format

    refused = [
        refusal(start, SourceArn=arn_of(source)),
        refusal(start, SourceArn=gone),
        refusal(start, SourceArn=arn_of(url), DestinationArn=gone),
        refusal(sqs.cancel_message_move_task, TaskHandle="foobared"),
        refusal(sqs.cancel_message_move_task, TaskHandle=task_handle("10f57157", gone)),
        refusal(sqs.cancel_message_move_task, TaskHandle=task_handle("10f57157", arn_of(url))),
    ]

    assert refused == [
        ("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."),
        ("ResourceNotFoundException", missing("SourceArn")),
        ("ResourceNotFoundException", missing("DestinationArn")),
        ("InvalidParameterValue", "Value for parameter TaskHandle is invalid."),
        ("ResourceNotFoundException", missing("SourceArn")),
        ("ResourceNotFoundException", "Task does not exist."),
    ]


def test_a_slow_move_can_be_watched_and_stopped_and_does_not_run_twice(sqs, url, unique, eventually):
    """One message a second; what was moved stays moved. A task that runs shows its handle."""
    redrive = json.dumps({"deadLetterTargetArn": arn_of(url), "maxReceiveCount": 1})
    sqs.create_queue(QueueName=unique("Source"), Attributes={"RedrivePolicy": redrive})
    other = sqs.create_queue(QueueName=unique("Other"))["QueueUrl"]
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(10)])
    move = {"SourceArn": arn_of(url), "DestinationArn": arn_of(other), "MaxNumberOfMessagesPerSecond": 1}
    handle = sqs.start_message_move_task(**move)["TaskHandle"]

    again = refusal(sqs.start_message_move_task, **move)
    [running] = eventually(
        lambda: [
            task
            for task in sqs.list_message_move_tasks(SourceArn=arn_of(url))["Results"]
            if task["ApproximateNumberOfMessagesMoved"]
        ]
    )
    stopped = sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    [after] = sqs.list_message_move_tasks(SourceArn=arn_of(url))["Results"]

    assert again[1] == (
        "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
    )
    assert (
        running.items()
        >= {**move, "Status": "RUNNING", "TaskHandle": handle, "ApproximateNumberOfMessagesToMove": 10}.items()
    )
    assert (after["Status"], "TaskHandle" in after, after["ApproximateNumberOfMessagesMoved"]) == (
        "CANCELLED",
        False,
        stopped,
    )
    assert json.loads(base64.b64decode(handle))["sourceArn"] == arn_of(url)


def test_a_message_that_was_sent_to_a_dead_letter_queue_has_no_way_back(sqs, url, unique, eventually):
    """Without a DestinationArn the task fails (AWS docs: troubleshooting dead-letter queue redrive)."""
    redrive = json.dumps({"deadLetterTargetArn": arn_of(url), "maxReceiveCount": 1})
    sqs.create_queue(QueueName=unique("Source"), Attributes={"RedrivePolicy": redrive})
    sqs.send_message(QueueUrl=url, MessageBody="x")

    sqs.start_message_move_task(SourceArn=arn_of(url))
    [task] = eventually(
        lambda: [t for t in sqs.list_message_move_tasks(SourceArn=arn_of(url))["Results"] if t["Status"] != "RUNNING"]
    )

    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1


# --- The query protocol -----------------------------------------------------------------------------------------------


@pytest.fixture
def query(cloud):
    """``query("GET", url, Action=…)`` sends a signed request of the old protocol; returns status and body."""

    def send(method, url, **fields):
        form = urlencode(fields)
        target, data = (f"{url}?{form}", None) if method == "GET" else (url, form.encode())
        headers = {} if method == "GET" else {"Content-Type": "application/x-www-form-urlencoded"}
        signed = AWSRequest(method, target, data=data, headers=headers)
        SigV4Auth(Credentials(cloud["access_key"], cloud["secret_key"]), "sqs", "us-east-1").add_auth(signed)
        request = urllib.request.Request(target, data=data, method=method, headers=dict(signed.headers))
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return send


def test_older_sdks_speak_to_the_address_of_the_queue(query, url):
    """The path names the queue; a message goes in and comes out."""
    body = "<visit> & more"

    sent = query("POST", url, Action="SendMessage", MessageBody=body, Version="2012-11-05")
    received = query("GET", url, Action="ReceiveMessage")
    empty = query("GET", url, Action="ReceiveMessage")

    md5 = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    assert (sent[0], f"<MD5OfMessageBody>{md5}</MD5OfMessageBody>" in sent[1]) == (200, True)
    assert "<Body>&lt;visit&gt; &amp; more</Body>" in received[1]
    assert (empty[0], "<ReceiveMessageResult/>" in empty[1].replace(" />", "/>")) == (200, True)


def test_an_address_of_a_queue_answers_in_xml_what_a_queue_can_do(query, cloud, url):
    """And refuses the rest by name."""
    one = query("GET", url, **{"Action": "GetQueueAttributes", "AttributeName.1": "QueueArn"})
    wrong = query("GET", url, **{"Action": "GetQueueAttributes", "AttributeName.1": "Foobar"})
    gone = query("GET", url + "x", **{"Action": "GetQueueAttributes", "AttributeName.1": "QueueArn"})
    refused = [query("GET", url, Action=action) for action in ("FooBar", "ListQueues")]

    assert f"<Attribute><Name>QueueArn</Name><Value>{arn_of(url)}</Value></Attribute>" in one[1]
    assert "VisibilityTimeout" not in one[1]
    assert "<Code>InvalidAttributeName</Code><Message>Unknown Attribute Foobar.</Message>" in wrong[1]
    sentence = "<Code>{}</Code><Message>{}</Message>".format
    code = "AWS.SimpleQueueService.NonExistentQueue"
    assert sentence(code, "The specified queue does not exist for this wsdl version.") in gone[1]
    for (status, answer), action in zip(refused, ("FooBar", "ListQueues"), strict=True):
        assert (status, "<Type>Sender</Type>" in answer) == (400, True)
        assert sentence("InvalidAction", f"The action {action} is not valid for this endpoint.") in answer
    assert (wrong[1].count("Unknown Attribute Foobar."), "<message>" in gone[1]) == (1, False)
