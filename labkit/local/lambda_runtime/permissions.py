"""The resource policies of a function and of its versions and aliases: who else may invoke them.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.lambda_runtime.function import Function
from labkit.local.lambda_runtime.functions import Functions
from labkit.local.lambda_runtime.names import LATEST, invalid, joined, named, split, stale, violation

CONDITIONS = {
    "SourceAccount": ("StringEquals", "AWS:SourceAccount"),
    "EventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
    "FunctionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "PrincipalOrgID": ("StringEquals", "aws:PrincipalOrgID"),
    "SourceArn": ("ArnLike", "AWS:SourceArn"),
}
PRINCIPAL = re.compile(r"[\w.-]+\.(amazonaws|amazon)\.com(\.cn)?|arn:aws[\w-]*:(iam|sts)::\d{12}:.+")


class Permissions:
    """AddPermission, RemovePermission, GetPolicy: one policy for each qualifier, and one for calls without any."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {"AddPermission": self.add, "RemovePermission": self.remove, "GetPolicy": self.get}

    def add(self, call: ApiCall) -> dict[str, Any]:
        """Add one statement."""
        params = call.params
        sid = str(params.get("StatementId") or "")
        if not re.fullmatch("[a-zA-Z0-9-_]+", sid):
            raise violation(sid, "statementId", "satisfy regular expression pattern: ([a-zA-Z0-9-_]+)")
        principal = _principal(str(params.get("Principal") or ""))
        function, qualifier = self._named(call)
        policy = function.policies.get(qualifier) or {"RevisionId": "", "Statement": []}
        if params.get("RevisionId") not in (None, "", policy["RevisionId"]):
            raise stale("GetPolicy")
        if any(statement["Sid"] == sid for statement in policy["Statement"]):
            raise AwsError(
                "ResourceConflictException",
                f"The statement id ({sid}) provided already exists. "
                "Please provide a new statement id, or remove the existing statement.",
                409,
                Type="User",
            )
        statement: dict[str, Any] = {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": principal,
            "Action": params.get("Action"),
            "Resource": joined(function.arn, qualifier),
        }
        for member, (operator, key) in CONDITIONS.items():
            if params.get(member):
                statement.setdefault("Condition", {}).setdefault(operator, {})[key] = params[member]
        function.policies[qualifier] = {
            "RevisionId": str(uuid.uuid4()),
            "Statement": [*policy["Statement"], statement],
        }
        return {"Statement": json.dumps(statement, separators=(",", ":"))}

    def remove(self, call: ApiCall) -> None:
        """Remove one statement."""
        arn, qualifier = named(call)
        if arn not in self._functions.all:
            raise AwsError("ResourceNotFoundException", f"No policy found for: {arn}", 404, Type="User")
        function, sid = self._named(call)[0], call.params.get("StatementId")
        policy = function.policies.get(qualifier)
        if policy is None:
            text = "No policy is associated with the given resource."
            raise AwsError("ResourceNotFoundException", text, 404, Type="User")
        if call.params.get("RevisionId") not in (None, "", policy["RevisionId"]):
            raise stale("GetPolicy")
        kept = [statement for statement in policy["Statement"] if statement["Sid"] != sid]
        if len(kept) == len(policy["Statement"]):
            text = f"Statement {sid} is not found in resource policy."
            raise AwsError("ResourceNotFoundException", text, 404, Type="User")
        if kept:
            function.policies[qualifier] = {"RevisionId": str(uuid.uuid4()), "Statement": kept}
        else:
            del function.policies[qualifier]

    def get(self, call: ApiCall) -> dict[str, Any]:
        """Return the policy as JSON."""
        arn, qualifier = named(call)
        function = self._functions.all.get(arn)
        policy = function.policies.get(qualifier) if function else None
        if policy is None:
            text = "The resource you requested does not exist."
            raise AwsError("ResourceNotFoundException", text, 404, Type="User")
        document = {"Version": "2012-10-17", "Id": "default", "Statement": policy["Statement"]}
        return {"Policy": json.dumps(document, separators=(",", ":")), "RevisionId": policy["RevisionId"]}

    def policy_of(self, arn: str) -> dict[str, Any] | None:
        """Return the policy of the function, version or alias that *arn* names, if it is there and has one."""
        unqualified, qualifier = split(arn)
        function = self._functions.all.get(unqualified)
        policy = function.policies.get(qualifier) if function else None
        return {"Statement": policy["Statement"]} if policy else None

    def _named(self, call: ApiCall) -> tuple[Function, str]:
        arn, qualifier = named(call)
        if qualifier == LATEST:
            raise invalid("We currently do not support adding policies for $LATEST.")
        function = self._functions.find(joined(arn, qualifier))
        if qualifier and not qualifier.isdigit() and "$" not in qualifier and qualifier not in function.aliases:
            text = f"Cannot find alias arn: {arn}:{qualifier}"
            raise AwsError("ResourceNotFoundException", text, 404, Type="User")
        function.version_of(qualifier)
        return function, qualifier


def _principal(given: str) -> Any:
    if given == "*":
        return "*"
    if re.fullmatch(r"\d{12}", given):
        return {"AWS": f"arn:aws:iam::{given}:root"}
    if not PRINCIPAL.fullmatch(given):
        raise invalid("The provided principal was invalid. Please check the principal and try again.")
    return {"AWS": given} if given.startswith("arn:") else {"Service": given}
