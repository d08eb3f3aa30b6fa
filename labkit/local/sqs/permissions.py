"""Permissions of other accounts on a queue: statements of its policy, each with a label.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.sqs.errors import invalid_value, missing
from labkit.local.sqs.queue import Queue

LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
ACTIONS = {
    "*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes",
    "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue",
}  # fmt: skip
MOST_ACTIONS = 7


def add_permission(queue: Queue, params: dict[str, Any]) -> None:
    """Let accounts do actions on a queue.

    Raises:
        AwsError: ``InvalidParameterValue``, ``MissingParameter`` or ``OverLimit``.
    """
    label, accounts, actions = (params.get(name) or [] for name in ("Label", "AWSAccountIds", "Actions"))
    for name, given in (("Label", label), ("AWSAccountIds", accounts), ("Actions", actions)):
        if not given:
            raise missing(name)
    policy = _policy(queue)
    if not LABEL.fullmatch(str(label)):
        raise invalid_value(label, "Label", "1 to 80 letters, digits, hyphens, underscores.")
    if any(statement.get("Sid") == label for statement in policy["Statement"]):
        raise invalid_value(label, "Label", "Already exists.")
    if wrong := [action for action in actions if action not in ACTIONS]:
        reason = "Please refer to the appropriate WSDL for a list of valid actions. "
        raise invalid_value(f"SQS:{wrong[0]}", "ActionName", reason)
    if wrong := [account for account in accounts if not re.fullmatch(r"\d{12}", str(account))]:
        raise invalid_value(wrong[0], "PrincipalId", "Unable to verify.")
    if len(actions) > MOST_ACTIONS:
        raise AwsError("OverLimit", f"{len(actions)} Actions were found, maximum allowed is {MOST_ACTIONS}.", 403)
    policy["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _one_or_list([f"arn:aws:iam::{account}:root" for account in accounts])},
            "Action": _one_or_list([f"SQS:{action}" for action in actions]),
            "Resource": queue.arn,
        }
    )
    queue.attributes["Policy"] = json.dumps(policy)


def remove_permission(queue: Queue, params: dict[str, Any]) -> None:
    """Take back what was permitted under a label.

    Raises:
        AwsError: ``InvalidParameterValue``.
    """
    label, policy = params.get("Label"), _policy(queue)
    left = [statement for statement in policy["Statement"] if statement.get("Sid") != label]
    if len(left) == len(policy["Statement"]):
        raise invalid_value(label, "Label", "can't find label.")
    if left:
        queue.attributes["Policy"] = json.dumps(policy | {"Statement": left})
    else:
        del queue.attributes["Policy"]


def _policy(queue: Queue) -> dict[str, Any]:
    text = queue.attributes.get("Policy")
    if not text:
        return {"Version": "2008-10-17", "Id": f"{queue.arn}/SQSDefaultPolicy", "Statement": []}
    policy: dict[str, Any] = json.loads(text)
    statements = policy.get("Statement") or []
    return policy | {"Statement": statements if isinstance(statements, list) else [statements]}


def _one_or_list(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
