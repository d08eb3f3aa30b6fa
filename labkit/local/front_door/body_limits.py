"""How long a request's body may be, told from its head: nothing that is longer is kept in memory.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html
"""

from __future__ import annotations

import re
from collections.abc import Callable

from labkit.local.api_call import HttpRequest

SHORT = 99_999
API = 10 * 2**20  # of what is longer API Gateway sees so much that it refuses it itself
CALL = 17 * 2**20  # DynamoDB's batch is the largest call that is no upload
ZIP = 70_167_211  # 50 MiB in base64, and what stands around it
OBJECT = 5 * 2**30
MOST_DIGITS = 5

CREDENTIAL = re.compile(
    r"Credential=(?P<key>\w+)(?:/|%2[Ff])\d+(?:/|%2[Ff])[\w-]+(?:/|%2[Ff])(?P<service>[\w-]+)|AWSAccessKeyId=(?P<v2>\w+)"
)


def is_short(request: HttpRequest) -> bool:
    """Whether the head announces a body that anybody may send, or none; the parser takes care that it is no longer."""
    announced = request.headers.get("content-length")
    return len(announced) <= MOST_DIGITS if announced else "transfer-encoding" not in request.headers


def longest_call(request: HttpRequest, knows_key: Callable[[str], bool]) -> int:
    """Return how many bytes the body of an AWS call may have.

    Uploads are for those whose key is known: any page in a browser can post to this computer without one.
    """
    found = CREDENTIAL.search(request.headers.get("authorization")) or CREDENTIAL.search(request.query)
    if not found or not knows_key(found["key"] or found["v2"]):
        return CALL
    return {"s3": OBJECT, "lambda": ZIP}.get(found["service"] or "s3", CALL)
