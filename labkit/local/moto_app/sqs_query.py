"""The query protocol of SQS, which older SDKs speak: to the address of a queue as well as to the endpoint.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-xml.html
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from labkit.local.api_call import AwsError, Headers, HttpRequest

FORM = "application/x-www-form-urlencoded"
QUEUE_PATH = re.compile(r"/\d{12}/[A-Za-z0-9_.-]+")
OF_NO_QUEUE = ("CreateQueue", "GetQueueUrl", "ListQueues")


def as_form(http: HttpRequest, operations: list[str]) -> HttpRequest:
    """Return a request of the query protocol as a form posted to the endpoint, with the queue that its path names.

    Raises:
        AwsError: ``InvalidAction`` or ``MissingAction``.
    """
    posted = http.body.decode("utf-8", "replace") if http.headers.get("content-type").startswith(FORM) else ""
    fields = dict(parse_qsl(http.query, keep_blank_values=True) + parse_qsl(posted, keep_blank_values=True))
    action, to_queue = fields.get("Action"), QUEUE_PATH.fullmatch(http.path)
    if not action:
        raise AwsError("MissingAction", "The request must contain the parameter Action.")
    if action not in operations or (to_queue and action in OF_NO_QUEUE):
        raise AwsError("InvalidAction", f"The action {action} is not valid for this endpoint.")
    if to_queue:
        fields.setdefault("QueueUrl", f"http://{http.headers.get('host')}{http.path}")
    kept = [(name, value) for name, value in http.headers.items if name.lower() != "content-type"]
    headers = Headers([*kept, ("Content-Type", FORM)])
    return replace(http, method="POST", path="/", query="", headers=headers, body=urlencode(fields).encode())
