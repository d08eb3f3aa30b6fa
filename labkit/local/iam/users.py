"""Users of IAM, where moto does not know who calls or would forget what it is told.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, Forward, HttpResponse, Interceptor

Serialise = Callable[[ApiCall, dict[str, Any]], HttpResponse]


class Users:
    """Stands before the operations of users."""

    def __init__(self, *, serialise: Serialise, now: Callable[[], float]) -> None:
        self._serialise, self._since = serialise, datetime.fromtimestamp(now(), UTC)

    @property
    def interceptors(self) -> dict[tuple[str, str], Interceptor]:
        """What stands before which operation."""
        return {("iam", "GetUser"): self.get_user, ("iam", "CreateUser"): self.create_user}

    async def get_user(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Describe a user; without a name, who calls."""
        caller, name = call.caller, call.params.get("UserName")
        if caller.kind != "administrator" or name not in (None, caller.arn.rpartition("/")[2]):
            if not name and caller.role_arn:
                raise AwsError("ValidationError", "Must specify userName when calling with non-User credentials", 400)
            return await forward(call)
        user = {"Path": "/", "UserName": caller.arn.rpartition("/")[2], "UserId": caller.principal_id}
        return self._serialise(call, {"User": {**user, "Arn": caller.arn, "CreateDate": self._since}})

    @staticmethod
    async def create_user(call: ApiCall, forward: Forward) -> HttpResponse:
        """Create a user; moto would forget its permissions boundary."""
        if call.params.get("PermissionsBoundary"):
            text = "The local cloud keeps no permissions boundary of a user; it does of roles."
            raise AwsError("NotImplemented", text, 501)
        return await forward(call)
