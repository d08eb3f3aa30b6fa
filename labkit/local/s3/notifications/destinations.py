"""Where a bucket's events may go, and what S3 says of a destination that it may not send to.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
"""

from __future__ import annotations

import json
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.destinations import Destinations

S3 = "s3.amazonaws.com"
OPTIONS = {"sns": {"subject": "Amazon S3 Notification"}, "lambda": {"source": "s3"}}


def refusal(destinations: Destinations, arn: str, bucket_arn: str) -> tuple[str, str] | None:
    """Return the name and the value that S3's error gives for a destination it may not send to, else ``None``."""
    kind = {"sqs": "queue", "sns": "topic"}.get(arn.split(":")[2], "function")
    if kind != "function" and arn.endswith(".fifo"):
        return arn, f"S3 does not send events to a FIFO {kind}"
    try:
        if destinations.permits(arn, principal=S3, source_arn=bucket_arn):
            return None
    except AwsError:
        return arn, f"The destination {kind} does not exist"
    if kind == "function":
        return f"{arn}, null", f"Not authorized to invoke function [{arn}]"
    return arn, f"Permissions on the destination {kind} do not allow S3 to publish notifications from this bucket"


async def send(destinations: Destinations, arn: str, bucket_arn: str, message: dict[str, Any]) -> None:
    """Send a message to a destination.

    Raises:
        AwsError: It is not there, or does not let S3 send to it.
    """
    text, options = json.dumps(message, separators=(",", ":")), OPTIONS.get(arn.split(":")[2], {})
    await destinations.send(arn, text, principal=S3, source_arn=bucket_arn, **options)
