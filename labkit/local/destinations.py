"""Where services of AWS send what they have to say: to queues, topics, functions, event buses and buckets, by ARN.

Wiring says once who takes what is sent to the resources of a service; whoever sends needs no more than the ARN.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_identity-vs-resource.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.policy import allows_service

ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}

PolicyOf = Callable[[str], dict[str, Any] | None]


class Destinations:
    """What the resources of each service take, and their policies."""

    def __init__(self) -> None:
        self._takes: dict[str, Callable[..., Awaitable[Any]]] = {}
        self._policies: dict[str, PolicyOf] = {}

    def add(self, service: str, take: Callable[..., Awaitable[Any]], *, policy_of: PolicyOf | None = None) -> None:
        """Let *take* be called with an ARN of a service and a text, once what *policy_of* returns for it allows it."""
        self._takes[service] = take
        if policy_of:
            self._policies[service] = policy_of

    async def policy_of(self, arn: str) -> dict[str, Any] | None:
        """Return the policy of a queue, topic or function; ``None``: it has none, or is not there."""
        read = self._policies.get(_service(arn))
        try:
            return read(arn) if read else None
        except AwsError:
            return None

    def permits(self, arn: str, *, principal: str, source_arn: str) -> bool:
        """Whether the policy of a queue, topic or function lets a service of AWS send to it for *source_arn*.

        Raises:
            AwsError: It is not there.
        """
        service = _service(arn)
        return allows_service(self._policies[service](arn), principal, ACTIONS[service], arn, source_arn)

    async def send(self, arn: str, text: str, *, principal: str, source_arn: str, **options: Any) -> None:
        """Send for a service of AWS, such as ``"sns.amazonaws.com"``; *options* are what the destination knows more.

        Raises:
            AwsError: The destination is not there, its policy does not allow it, or it refuses the text.
        """
        if not self.permits(arn, principal=principal, source_arn=source_arn):
            code = "AuthorizationError" if _service(arn) == "sns" else "AccessDenied"
            action = ACTIONS[_service(arn)]
            raise AwsError(code, f"the policy of {arn} does not let {principal} do {action} for {source_arn}", 403)
        await self.send_by_role(arn, text, **options)

    async def send_by_role(self, arn: str, text: str, **options: Any) -> None:
        """Send for somebody whose own policies were asked already, not that of the destination.

        Raises:
            AwsError: The destination is not there, or refuses the text.
        """
        take = self._takes.get(_service(arn))
        if take is None:
            raise AwsError("InvalidParameterValueException", f"The local cloud cannot deliver to {arn}.")
        await take(arn, text, **options)


def _service(arn: str) -> str:
    return ":".join(arn.split(":")[2:3])
