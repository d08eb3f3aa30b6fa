"""Whatever reaches SQS, it answers with an error of AWS or does what was asked; nothing breaks and nothing hangs."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import get_session
from hypothesis import given, settings
from hypothesis import strategies as st

MODEL = get_session().get_service_model("sqs")
OPERATIONS = sorted(MODEL.operation_names)
MEMBERS = sorted({name for operation in OPERATIONS for name in (MODEL.operation_model(operation).input_shape.members)})
few = settings(max_examples=20, deadline=None)

texts = st.text(max_size=30) | st.sampled_from(
    ["", "All", "true", "x.fifo", "\ud800", "\x00", "9" * 5000, "arn:aws:sqs:::"]
)
numbers = st.sampled_from([-1, 0, 1, 21, 901, 43_201, 2**63, 10**400, 0.5, float("inf")])
plain = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
documents = values.map(json.dumps) | texts | st.just("[" * 100_000) | st.just('{"a":' * 20_000)


@pytest.fixture(scope="module")
def queue_url(client):
    """The URL of a FIFO queue that takes whatever arrives."""
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    return client("sqs").create_queue(QueueName="hostile.fifo", Attributes=attributes)["QueueUrl"]


@pytest.fixture(scope="module")
def ask(cloud):
    """``ask(body, "SendMessage")``, or a form: sends a signed request, and returns the status and the answer."""
    endpoint = urlsplit(cloud["endpoint"])
    connection = http.client.HTTPConnection(endpoint.hostname, endpoint.port, timeout=10)

    def send(body, operation=None, path="/"):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if operation:
            headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{operation}"}
        signed = AWSRequest("POST", cloud["endpoint"] + path, data=body, headers=headers)
        SigV4Auth(Credentials(cloud["access_key"], cloud["secret_key"]), "sqs", "us-east-1").add_auth(signed)
        connection.request("POST", path, body, dict(signed.headers))
        response = connection.getresponse()
        return response.status, response.read().decode()

    yield send
    connection.close()


def is_an_answer(answer):
    """Whether an answer is one of AWS: done, or refused with a code."""
    status, body = answer
    if body.startswith("<"):
        ElementTree.fromstring(body)  # noqa: S314  the local cloud wrote it
    return (status == 200 or (status in (400, 403, 404) and ("__type" in body or "<Code>" in body))) and (
        "Traceback" not in body
    )


@few
@given(operation=st.sampled_from(OPERATIONS), params=st.dictionaries(st.sampled_from(MEMBERS), values, max_size=4))
def test_any_values_in_any_operation(ask, queue_url, operation, params):
    """Of whatever type, known to the operation or not."""
    params.pop("WaitTimeSeconds", None)

    assert is_an_answer(ask(json.dumps(params).encode(), operation))
    if operation != "DeleteQueue":
        assert is_an_answer(ask(json.dumps(params | {"QueueUrl": queue_url, "WaitTimeSeconds": 0}).encode(), operation))


@few
@given(body=st.binary(max_size=60) | documents.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_as_a_body(ask, body):
    """JSON, half of one, or none."""
    assert is_an_answer(ask(body, "SendMessage"))


@few
@given(
    attributes=st.dictionaries(
        texts,
        st.fixed_dictionaries(
            {},
            optional={
                "DataType": st.sampled_from(["String", "Number", "Binary", "String.", "Number.x", "Text", ""]) | texts,
                "StringValue": texts,
                "BinaryValue": texts,
                "StringListValues": st.lists(texts, max_size=2),
            },
        ),
        max_size=11,
    )
)
def test_any_message_attributes(ask, queue_url, attributes):
    """What is accepted can be received again."""
    message = {"QueueUrl": queue_url, "MessageBody": "x", "MessageGroupId": "g", "MessageAttributes": attributes}

    assert is_an_answer(ask(json.dumps(message).encode(), "SendMessage"))
    received = ask(json.dumps({"QueueUrl": queue_url, "MessageAttributeNames": ["All"]}).encode(), "ReceiveMessage")
    assert received[0] == 200


@few
@given(name=st.sampled_from(["Policy", "RedrivePolicy", "RedriveAllowPolicy"]), document=documents)
def test_any_document_as_a_policy(ask, queue_url, name, document):
    """Refused, or kept and readable; a queue goes on whatever its policies say."""
    request = {"QueueUrl": queue_url, "Attributes": {name: document}}

    assert is_an_answer(ask(json.dumps(request).encode(), "SetQueueAttributes"))
    assert ask(json.dumps({"QueueUrl": queue_url, "AttributeNames": ["All"]}).encode(), "GetQueueAttributes")[0] == 200


@few
@given(
    redrive=st.fixed_dictionaries(
        {}, optional={"deadLetterTargetArn": values, "maxReceiveCount": values, "redrivePermission": values}
    )
)
def test_any_value_in_a_redrive_policy(ask, queue_url, redrive):
    """Numbers that are none, ARNs that are lists."""
    for name in ("RedrivePolicy", "RedriveAllowPolicy"):
        request = {"QueueUrl": queue_url, "Attributes": {name: json.dumps(redrive)}}
        assert is_an_answer(ask(json.dumps(request).encode(), "SetQueueAttributes"))


@few
@given(
    handle=texts | st.text("0123456789abcdef", min_size=64, max_size=64),
    operation=st.sampled_from(["DeleteMessage", "ChangeMessageVisibility"]),
)
def test_any_receipt_handle(ask, queue_url, handle, operation):
    """Alone and in a batch, where each entry has its own answer."""
    entry = {"ReceiptHandle": handle, "VisibilityTimeout": 0}
    batch = {"QueueUrl": queue_url, "Entries": [{"Id": "1", **entry}]}

    assert is_an_answer(ask(json.dumps({"QueueUrl": queue_url, **entry}).encode(), operation))
    assert is_an_answer(ask(json.dumps(batch).encode(), f"{operation}Batch"))


@few
@given(
    entries=st.lists(st.dictionaries(st.sampled_from(["Id", "MessageBody", "MessageGroupId", "DelaySeconds"]), plain))
)
def test_any_batch(ask, queue_url, entries):
    """Entries without an id, with the same one, with what is no entry."""
    assert is_an_answer(ask(json.dumps({"QueueUrl": queue_url, "Entries": entries}).encode(), "SendMessageBatch"))


@few
@given(
    fields=st.dictionaries(
        st.sampled_from(["Action", "Version", "Attribute.1.Name", "Attribute..Name", "Attribute.1e9.Name", "Entries.1"])
        | st.sampled_from(MEMBERS)
        | texts,
        st.sampled_from(OPERATIONS) | texts,
        max_size=6,
    ),
    path=st.sampled_from(["/", "/123456789012/hostile.fifo", "/123456789012/", "/1/2/3"]),
)
def test_any_form_of_the_query_protocol(ask, fields, path):
    """To the endpoint and to the address of a queue."""
    fields.pop("WaitTimeSeconds", None)
    if fields.get("Action") == "DeleteQueue":
        path = "/"
    body = urlencode(fields, errors="surrogatepass").encode()

    assert is_an_answer(ask(body, path=path))
