"""Who may do what with a queue: policies of the caller, and the queue's own. Sources: AWS docs, named at each test."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.contract.test_iam import ACCOUNT, allow, code_of, document, user  # noqa: F401  fixture


@pytest.fixture
def made(client, unique):
    """``made(**attributes)``: the URL and the ARN of a new queue."""

    def made(**attributes):
        name = unique("Queue")
        url = client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"

    return made


def test_a_queue_policy_opens_and_closes_for_those_of_the_account(client, user, made):  # noqa: F811
    """Either policy can allow, each can deny (SQS Developer Guide: overview of managing access)."""
    (open_url, open_arn), (closed_url, closed_arn) = made(), made()
    name, as_user = user(allow("sqs:ReceiveMessage", closed_arn))
    sqs, principal = as_user("sqs"), {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}
    before = [
        code_of(sqs.send_message, QueueUrl=open_url, MessageBody="x"),
        code_of(sqs.receive_message, QueueUrl=closed_url),
    ]

    for url, arn, effect, action in (
        (open_url, open_arn, "Allow", "sqs:SendMessage"),
        (closed_url, closed_arn, "Deny", "SQS:ReceiveMessage"),
    ):
        policy = document(allow(action, arn, effect, Principal=principal))
        client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    assert before == ["AccessDenied", None]
    assert code_of(sqs.send_message, QueueUrl=open_url, MessageBody="x") is None
    with pytest.raises(ClientError, match="explicit deny in a resource-based policy"):
        sqs.receive_message(QueueUrl=closed_url)
    assert code_of(sqs.receive_message, QueueUrl=open_url) == "AccessDenied"


@pytest.mark.parametrize(
    "missing", ["StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "SendMessage"]
)
def test_a_move_is_made_by_the_permissions_of_who_starts_it(client, user, made, missing):  # noqa: F811
    """On the dead-letter queue four actions, on the destination one (SQS Developer Guide: redrive permissions)."""
    (_, dlq), (_, destination) = made(), made()
    made(RedrivePolicy=json.dumps({"deadLetterTargetArn": dlq, "maxReceiveCount": 1}))
    actions = {
        f"sqs:{name}": destination if name == "SendMessage" else dlq
        for name in ("StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "SendMessage")
    }
    _, as_all = user(*(allow(action, arn) for action, arn in actions.items()))
    _, as_some = user(*(allow(action, arn) for action, arn in actions.items() if action != f"sqs:{missing}"))
    move = {"SourceArn": dlq, "DestinationArn": destination}

    assert code_of(as_some("sqs").start_message_move_task, **move) == "AccessDenied"
    assert code_of(as_all("sqs").start_message_move_task, **move) is None
