"""The resource policy of a function: who else may invoke it.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.lambda_runtime.validation import function_arn
from labkit.local.policy import allows_principal


class Permissions:
    """AddPermission, RemovePermission, GetPolicy."""

    def __init__(self, find: Callable[[str], Any]) -> None:
        self._find = find

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {"AddPermission": self.add, "RemovePermission": self.remove, "GetPolicy": self.get}

    def add(self, call: ApiCall) -> dict[str, Any]:
        """Add one statement."""
        function, params = self._function(call), call.params
        sid = str(params.get("StatementId") or "")
        if any(statement["Sid"] == sid for statement in function.policy):
            raise AwsError(
                "ResourceConflictException",
                f"The statement id ({sid}) provided already exists. "
                "Please provide a new statement id, or remove the existing statement.",
                409,
            )
        principal = str(params.get("Principal") or "")
        named: Any = {"Service": principal} if principal.endswith(".amazonaws.com") else {"AWS": principal}
        statement: dict[str, Any] = {
            "Sid": sid,
            "Effect": "Allow",
            "Principal": "*" if principal == "*" else named,
            "Action": params.get("Action"),
            "Resource": function.arn,
        }
        condition: dict[str, Any] = {}
        if params.get("SourceArn"):
            condition["ArnLike"] = {"AWS:SourceArn": params["SourceArn"]}
        if params.get("SourceAccount"):
            condition["StringEquals"] = {"AWS:SourceAccount": params["SourceAccount"]}
        if condition:
            statement["Condition"] = condition
        function.policy.append(statement)
        return {"Statement": json.dumps(statement, separators=(",", ":"))}

    def remove(self, call: ApiCall) -> None:
        """Remove one statement."""
        function, sid = self._function(call), call.params.get("StatementId")
        kept = [statement for statement in function.policy if statement["Sid"] != sid]
        if len(kept) == len(function.policy):
            raise AwsError("ResourceNotFoundException", f"Statement {sid} is not found in resource policy.", 404)
        function.policy[:] = kept

    def get(self, call: ApiCall) -> dict[str, Any]:
        """Return the policy as JSON."""
        function = self._function(call)
        if not function.policy:
            raise AwsError("ResourceNotFoundException", "The resource you requested does not exist.", 404)
        document = {"Version": "2012-10-17", "Id": "default", "Statement": function.policy}
        return {"Policy": json.dumps(document, separators=(",", ":")), "RevisionId": function.revision_id}

    def permits(self, function: Any, principal: str, source_arn: str) -> bool:
        """Whether a service may invoke the function for *source_arn*."""
        decision = allows_principal(
            {"Statement": function.policy},
            principal={"Service": principal},
            action="lambda:InvokeFunction",
            resource=function.arn,
            context={"AWS:SourceArn": source_arn, "AWS:SourceAccount": function.arn.split(":")[4]},
        )
        return decision == "allow"

    def _function(self, call: ApiCall) -> Any:
        return self._find(function_arn(str(call.params.get("FunctionName") or ""), call.region))
