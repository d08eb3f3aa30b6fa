"""What moto does otherwise than CloudWatch Logs.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from labkit.local.api_call import ApiCall, HttpResponse


async def filter_log_events(call: ApiCall, forward: Callable[[ApiCall], Awaitable[HttpResponse]]) -> HttpResponse:
    """Return the events of all streams in the order of time, as AWS does since 2019 whatever ``interleaved`` says."""
    call.http.body = json.dumps({**call.params, "interleaved": True}).encode()
    return await forward(call)
