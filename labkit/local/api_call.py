"""What travels inside the local cloud: an HTTP request, the AWS call it turned out to be, its caller, AWS's errors."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

ACCOUNT_ID = "123456789012"
READS = (
    "Get", "List", "Describe", "Head", "Query", "Scan", "BatchGet", "TransactGet", "Filter", "Lookup", "Simulate",
    "Test", "Select", "Search",
)  # fmt: skip

CallerKind = Literal["administrator", "user", "assumed-role", "service", "anonymous"]


class Headers:
    """HTTP headers: looked up whatever the case of the letters, listed as they were sent."""

    __slots__ = ("_by_lower_name", "items")

    def __init__(self, items: list[tuple[str, str]]) -> None:
        self.items = items
        self._by_lower_name = {name.lower(): value for name, value in items}

    def get(self, name: str, default: str = "") -> str:
        """Return the last value sent for *name*, or *default*."""
        return self._by_lower_name.get(name.lower(), default)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._by_lower_name


@dataclass(frozen=True, slots=True)
class Signed:
    """What a valid signature says: the key, and the region and service it was made for."""

    access_key_id: str
    session_token: str
    region: str
    service: str


@dataclass(slots=True)
class HttpRequest:
    """One request as it arrived. *path* and *query* are raw, that is, still percent-encoded.

    *moto_request* is moto's form of it, once it was needed, so that it is made only once. *signed* is set where the
    signature was found elsewhere than in the headers or the query, and was verified there. *form* marks an upload that
    came in a form of a page.
    """

    method: str
    path: str
    query: str
    headers: Headers
    body: bytes = b""
    source_ip: str = "127.0.0.1"
    moto_request: Any = None
    signed: Signed | None = None
    form: bool = False

    @property
    def host(self) -> str:
        """The Host header without its port, in lower case."""
        host = self.headers.get("host").lower()
        return host if host.endswith("]") else host.rsplit(":", 1)[0]


@dataclass(slots=True)
class HttpResponse:
    """One answer. *stream* replaces *body* where the answer has no known end (server-sent events).

    *more_headers* holds the second and later values of a header that is sent more than once (``Set-Cookie``).
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    more_headers: list[tuple[str, str]] = field(default_factory=list)
    stream: AsyncGenerator[bytes, None] | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call: the administrator, a user, who wears a role (functions do), an AWS service, or nobody known.

    *arn* is what STS would answer; *role_arn* and *session_name* are set for an assumed role only, *session_began*
    (epoch seconds) for whoever calls with short-lived keys.
    """

    kind: CallerKind
    arn: str
    account_id: str = ACCOUNT_ID
    access_key_id: str = ""
    principal_id: str = ""
    role_arn: str = ""
    session_name: str = ""
    session_began: float = 0.0

    @property
    def name(self) -> str:
        """What to call it in a line of the log."""
        return self.session_name or (self.arn.rpartition("/")[2] if self.kind == "user" else self.kind)


@dataclass(slots=True)
class ApiCall:
    """One recognised AWS API call.

    *service* is botocore's name (``"sqs"``), *operation* the API's (``"SendMessage"``) and *params* what
    boto3 was given, with the keys and types of botocore's model (blobs are bytes, timestamps naive UTC datetimes).
    """

    service: str
    operation: str
    params: dict[str, Any]
    region: str
    caller: Caller
    request_id: str
    http: HttpRequest
    protocol: str = "json"


Forward = Callable[[ApiCall], Awaitable[HttpResponse]]
"""Lets moto answer a call."""
Interceptor = Callable[[ApiCall, Forward], Awaitable[HttpResponse]]
"""Stands before moto for one operation: answers itself, or forwards, and may look at the answer."""


@functools.cache
def is_read(operation: str) -> bool:
    """Whether an operation changes nothing, as its name says."""
    return operation.startswith(READS)


class AwsError(Exception):
    """An error that reaches the client as AWS would send it: code, message, HTTP status, further members.

    *code* is what boto3 shows as ``error.response["Error"]["Code"]``.
    """

    def __init__(self, code: str, message: str, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        for name, value in members.items():
            setattr(self, name, value)


def malformed_xml() -> AwsError:
    """The error of S3 for a document of another shape than the API's."""
    text = "The XML you provided was not well-formed or did not validate against our published schema"
    return AwsError("MalformedXML", text, 400)


def checked(check: Callable[[ApiCall], Any], operation: Callable[[ApiCall], Any]) -> Callable[[ApiCall], Any]:
    """Return *operation* behind *check*, which raises what is wrong with a call."""

    def checked_operation(call: ApiCall) -> Any:
        check(call)
        return operation(call)

    return checked_operation
