"""HTTP endpoints: a POST for the confirmation and for each message, to this computer only.

https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from labkit.local.api_call import AwsError
from labkit.local.sns.errors import invalid
from labkit.local.sns.notification import Message, confirmation, notification
from labkit.local.sns.topic_attributes import DEFAULT_RETRIES, read_delivery_policy

TIMEOUT = 15.0
AGENT = "Amazon Simple Notification Service Agent"


def check_url(protocol: str, url: str) -> None:
    """Refuse an address that is none, has another protocol, or is not on this computer.

    Raises:
        AwsError: ``InvalidParameter``.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port  # reading the port may fail
    except ValueError:
        raise invalid("Unreachable Endpoint") from None
    if parts.scheme != protocol or not host or port == 0 or not url.isascii():
        raise invalid("Endpoint must match the specified protocol")
    if not _is_loopback(host):
        text = f"the local cloud delivers to this computer only (localhost, 127.0.0.1); the endpoint was on {host}"
        raise invalid(text)


async def post(
    subscription: dict[str, Any],
    message: Message | None,
    base_url: str,
    *,
    pauses: list[float],
    pause: Callable[[float], Awaitable[None]],
) -> None:
    """Send a message, or without one the request to confirm; try again after each of the *pauses*.

    Raises:
        OSError: Nobody took it.
        AwsError: The endpoint refused it for good.
    """
    raw = subscription["attributes"].get("RawMessageDelivery") == "true" and message is not None
    kind = "SubscriptionConfirmation" if message is None else "Notification"
    content = confirmation(subscription, base_url) if message is None else notification(message, subscription, base_url)
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": AGENT,
        "x-amz-sns-message-type": kind,
        "x-amz-sns-message-id": content["MessageId"],
        "x-amz-sns-topic-arn": subscription["topic"],
    }
    if message is not None:
        headers["x-amz-sns-subscription-arn"] = subscription["arn"]
    if raw:
        headers["x-amz-sns-rawdelivery"] = "true"
    body = content["Message"] if raw else json.dumps(content, indent=2)
    for wait in (*pauses, None):
        try:
            await asyncio.to_thread(_post, subscription["endpoint"], body.encode(), headers)
            return
        except (OSError, http.client.HTTPException) as error:
            if wait is None:
                raise OSError(f"{subscription['endpoint']} did not take the message: {error}") from error
        await pause(wait)


def _post(url: str, body: bytes, headers: dict[str, str]) -> None:
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
        status = connection.getresponse().status
    finally:
        connection.close()
    if 400 <= status < 500 and status != 429:
        raise AwsError("EndpointRefused", f"the endpoint answered {status}, which is not tried again")
    if not 200 <= status < 300:
        raise OSError(f"it answered {status}")


def retry_pauses(own_policy: str, topic_policy: str) -> list[float]:
    """Return the pauses before the retries: from the least to the longest in even steps.

    A subscription's own delivery policy counts before its topic's, unless that one forbids it.
    """
    http = read_delivery_policy(topic_policy).get("http", {})
    own = {} if http.get("disableSubscriptionOverrides") else read_delivery_policy(own_policy)
    retries = DEFAULT_RETRIES | http.get("defaultHealthyRetryPolicy", {}) | own.get("healthyRetryPolicy", {})
    least, longest, count = (float(retries[name]) for name in ("minDelayTarget", "maxDelayTarget", "numRetries"))
    return [least + (longest - least) * number / max(1.0, count - 1) for number in range(int(count))]


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
