"""Where a bucket's events may go, each with the permission that S3 needs there.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, AwsError
from labkit.local.policy import allows_principal

S3 = "s3.amazonaws.com"
SUBJECT = "Amazon S3 Notification"


class Destinations:
    """Queues, topics, functions and EventBridge; each call raises AwsError with S3's reason why it cannot send."""

    def __init__(
        self,
        *,
        queue_policy: Callable[[str], dict[str, Any] | None],
        send_to_queue: Callable[..., Awaitable[str]],
        topic_policy: Callable[[str], dict[str, Any]],
        publish: Callable[..., Awaitable[None]],
        permits: Callable[..., bool],
        invoke_event: Callable[..., str],
        put_event: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        self._queue_policy, self._send_to_queue = queue_policy, send_to_queue
        self._topic_policy, self._publish = topic_policy, publish
        self._permits, self._invoke_event, self.put_event = permits, invoke_event, put_event

    def refusal(self, arn: str, bucket_arn: str) -> tuple[str, str] | None:
        """Return the name and the value that S3's error gives for a destination it may not send to, else ``None``."""
        service = arn.split(":")[2]
        if service == "lambda":
            if self._permits(arn, principal=S3, source_arn=bucket_arn):
                return None
            return f"{arn}, null", f"Not authorized to invoke function [{arn}]"
        kind, policy_of = ("queue", self._queue_policy) if service == "sqs" else ("topic", self._topic_policy)
        if arn.endswith(".fifo"):
            return arn, f"S3 does not send events to a FIFO {kind}"
        try:
            policy = policy_of(arn)
        except AwsError:
            return arn, f"The destination {kind} does not exist"
        action = "sqs:SendMessage" if kind == "queue" else "sns:Publish"
        decision = allows_principal(
            policy,
            principal={"Service": S3},
            action=action,
            resource=arn,
            context={"aws:SourceArn": bucket_arn, "aws:SourceAccount": ACCOUNT_ID},
        )
        if decision == "allow":
            return None
        text = f"Permissions on the destination {kind} do not allow S3 to publish notifications from this bucket"
        return arn, text

    async def send(self, arn: str, bucket_arn: str, message: dict[str, Any]) -> None:
        """Send a message to a destination."""
        refused = self.refusal(arn, bucket_arn)
        if refused:
            raise AwsError("AccessDenied", refused[1], 403)
        text, service = json.dumps(message, separators=(",", ":")), arn.split(":")[2]
        if service == "sqs":
            await self._send_to_queue(arn, text)
        elif service == "sns":
            await self._publish(arn, text, principal=S3, source_arn=bucket_arn, subject=SUBJECT)
        else:
            self._invoke_event(arn, text.encode(), source="s3")
