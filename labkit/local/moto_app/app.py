"""moto's backends: entered one at a time, and called in process by AWS's own URLs, without a server."""

from __future__ import annotations

import asyncio
import functools
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from moto import backends
from moto.core.model_instances import reset_model_data
from moto.core.request import Request
from werkzeug.exceptions import HTTPException

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError, HttpResponse
from labkit.local.moto_app.imports import import_responses
from labkit.local.moto_app.operations import REFUSED, moto_answers
from labkit.local.moto_app.recognise import moto_request

os.environ.setdefault("MOTO_ACCOUNT_ID", ACCOUNT_ID)

T = TypeVar("T")

SHORT = frozenset(
    {
        ("dynamodb", name)
        for name in ("PutItem", "GetItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "BatchGetItem")
    }
    | {("s3", name) for name in ("PutObject", "GetObject", "HeadObject", "DeleteObject")}
)
LARGEST_SHORT_BODY = 2**18
CALLS_UNTIL_FORGOTTEN = 500
REQUEST_ID_HEADERS = ("x-amz-request-id", "x-amzn-requestid")


class MotoApp:
    """moto, never entered by two threads at once.

    What may take long runs in moto's one worker thread. What takes a millisecond runs on the event loop, at once, when
    the thread has nothing to do: the way into a thread and back costs as much as such a call, and the interpreter lock
    lets only one of them run anyway.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="moto")
        self._imported = False
        self._in_thread = 0
        self._calls = 0

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Run a short *function* and return what it returns."""
        return await self.run_long(function, *args) if self._in_thread else self._counted(function, *args)

    def _counted(self, function: Callable[..., T], *args: Any) -> T:
        """Run *function*; moto keeps every object of its models for its dashboard, for ever unless it is told."""
        self._calls += 1
        if self._calls % CALLS_UNTIL_FORGOTTEN == 0:
            reset_model_data()
        return function(*args)

    async def run_long(self, function: Callable[..., T], *args: Any) -> T:
        """Run a *function* that may take long, in the thread, and return what it returns."""
        job = asyncio.get_running_loop().run_in_executor(self._thread, self._counted, function, *args)
        self._in_thread += 1
        job.add_done_callback(self._left_thread)
        return await asyncio.shield(job)

    def _left_thread(self, job: asyncio.Future[Any]) -> None:
        self._in_thread -= 1
        if not job.cancelled():
            job.exception()  # it reached the one who waited, if anybody still did

    async def forward(self, call: ApiCall) -> HttpResponse:
        """Let moto answer *call*.

        Raises:
            AwsError: moto has no such service or operation, or does not do what it says; the message names it.
        """
        if (call.service, call.operation) in SHORT and len(call.http.body) <= LARGEST_SHORT_BODY:
            return await self.run(_forward, call)
        return await self.run_long(_forward, call)

    async def import_backends(self) -> None:
        """Import the slow backends ahead of their first use."""
        for service in ("s3", "dynamodb", "iam", "logs", "apigateway"):
            await self.run_long(_routes_of, service)
        self._imported = True

    def description(self) -> dict[str, str]:
        """Tell whether the slow backends are imported, for the health page; a call that needs one waits for it."""
        return {"backends": "ready" if self._imported else "importing"}

    def close(self) -> None:
        """Let the worker thread end after what it is doing."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def not_implemented(service: str, operation: str) -> AwsError:
    """The error for a call that the local cloud cannot answer truthfully."""
    why = REFUSED.get((service, operation))
    because = f", because {why}" if why else ""
    return AwsError(
        "NotImplemented",
        f"The local cloud does not implement {service}:{operation}{because}. What it implements stands in "
        "docs/local-cloud.md.",
        501,
    )


def backend(service: str, region: str) -> Any:
    """Moto's backend of *service*; use it only in what :meth:`MotoApp.run` runs."""
    return regions_of(service)["aws" if service in ("s3", "iam") else region]


@functools.cache
def regions_of(service: str) -> Any:
    """Moto's backends of *service* by region. Moto looks long for them, on every visit several times."""
    import_responses(service)
    return backends.get_backend(service)[ACCOUNT_ID]  # type: ignore[call-overload]


@functools.cache
def _routes_of(service: str) -> list[tuple[re.Pattern[str], Callable[..., Any]]]:
    urls = backend(service, "us-east-1").urls
    return [(re.compile(pattern), handler) for pattern, handler in urls.items()]


def _forward(call: ApiCall) -> HttpResponse:
    if not moto_answers(call.service, call.operation):
        raise not_implemented(call.service, call.operation)
    host = {"dynamodbstreams": "streams.dynamodb", "cloudwatch": "monitoring"}.get(call.service, call.service)
    base_url = "https://iam.amazonaws.com" if host == "iam" else f"https://{host}.{call.region}.amazonaws.com"
    request = call.http.moto_request if host == call.service != "iam" else None
    request = request or moto_request(call.http, base_url)
    clean_url = base_url + call.http.path
    for pattern, handler in _routes_of(call.service):
        if pattern.match(clean_url):
            return _answer(call, request, handler)
    raise not_implemented(call.service, call.operation)


def _answer(call: ApiCall, request: Request, handler: Callable[..., Any]) -> HttpResponse:
    try:
        status, headers, body = handler(request, request.raw_url, request.headers)
    except HTTPException as error:
        status, headers, body = error.code, dict(error.get_headers()), error.get_body()
    except NotImplementedError as error:
        raise not_implemented(call.service, call.operation) from error
    if hasattr(body, "read"):
        body = body.read()
    unsent = {"status", *REQUEST_ID_HEADERS}
    texts = {str(name): str(value) for name, value in dict(headers).items() if str(name).lower() not in unsent}
    texts |= dict.fromkeys(REQUEST_ID_HEADERS, call.request_id)  # the one that CloudTrail records, not moto's own
    return HttpResponse(int(status), body.encode() if isinstance(body, str) else (body or b""), texts)
