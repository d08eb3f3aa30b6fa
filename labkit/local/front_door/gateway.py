"""The way of one API call: verify, recognise, authorise, hand to its owner, answer, and tell who watches.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import inspect
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Literal
from urllib.parse import unquote

from botocore.exceptions import UnknownServiceError

from labkit.local.api_call import ApiCall, AwsError, Caller, Forward, HttpRequest, HttpResponse, Interceptor
from labkit.local.front_door.presigned_url import is_presigned_v2
from labkit.local.moto_app.answers import parse_error, serialise, serialise_error
from labkit.local.moto_app.recognise import recognise
from labkit.local.moto_app.unfit import unfit

Operations = Mapping[str, Callable[[ApiCall], Any]]
Observer = Callable[[ApiCall, dict[str, Any] | None, AwsError | None], None]

# The name a request is signed with, where it is not the name that boto3 gives the service.
BOTO3_NAMES = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi", "states": "stepfunctions"}


UNSIGNED_PATHS = (
    ("/2015-", "lambda"),
    ("/restapis", "apigateway"),
    ("/apikeys", "apigateway"),
    ("/usageplans", "apigateway"),
)


class Gateway:
    """Answer API calls: each service belongs to us (*owners*) or to moto (*forward*).

    *interceptors* stand before single operations of moto's services: they add what moto leaves out.
    """

    def __init__(
        self,
        *,
        owners: Mapping[str, Operations],
        forward: Forward,
        forwards: Callable[[str, str], bool],
        forwarded_services: Iterable[str],
        interceptors: Mapping[tuple[str, str], Interceptor],
        identify: Callable[[HttpRequest, str], Awaitable[tuple[Caller, str, str]]],
        authorise: Callable[[ApiCall], Awaitable[None]],
        observers: list[Observer],
        kept: Callable[[], Awaitable[None]],
        emit: Callable[..., None],
    ) -> None:
        self._owners = owners
        self._forward = forward
        self._forwards = forwards
        self.services = frozenset({*owners, *forwarded_services})
        self._interceptors = interceptors
        self._identify = identify
        self._authorise = authorise
        self._observers = observers
        self._kept = kept
        self._emit = emit

    async def handle(self, http: HttpRequest) -> HttpResponse:
        """Answer one signed request, whatever happens, as AWS would."""
        started = time.perf_counter()
        request_id = str(uuid.uuid4())
        service, call = "s3", None
        result: dict[str, Any] | None = None
        error: AwsError | None = None
        try:
            service = service_of(http) or "s3"
            caller, region, service = await self._identify_service(http, service)
            call = self._recognise(http, service, region, caller, request_id)
            await self._authorise(call)
            result, response = await self._answer(call)
        except AwsError as refused:
            error = refused
            response = serialise(call, refused) if call else self._refuse(service, http, refused, request_id)
        except Exception as broken:  # the border of the local cloud: nothing may end a connection without an answer
            error = (call and unfit(call, broken)) or _internal_failure(broken, self._emit)
            response = serialise(call, error) if call else self._refuse(service, http, error, request_id)
        if call:
            if error is None and response.status >= 400:
                error = parse_error(call, response)
            self._tell(call, result, error, response.status, started)
            try:
                await self._kept()
            except AwsError as unkept:
                response = serialise(call, unkept)
        else:
            self._emit("refused", path=http.path, status=response.status, error=error.code if error else "")
        return response

    def too_large(self, http: HttpRequest) -> HttpResponse:
        """Answer a request whose body is longer than any that its service takes."""
        service, request_id = service_of(http) or "s3", str(uuid.uuid4())
        text = "Your proposed upload exceeds the maximum allowed size"
        error = (
            AwsError("EntityTooLarge", text, 400)
            if service == "s3"
            else AwsError("RequestEntityTooLargeException", "The request is larger than the service takes.", 413)
        )
        self._emit("refused", path=http.path, status=error.status, error=error.code)
        return self._refuse(service, http, error, request_id)

    def answered_by(self, service: str, operation: str) -> Literal["ours", "moto", "refused"]:
        """Tell who answers an operation, by the same rules as a call of it; ours, too, where we stand before moto."""
        if service in self._owners:
            return "ours" if operation in self._owners[service] else "refused"
        if (service, operation) in self._interceptors:
            return "ours"
        return "moto" if self._forwards(service, operation) else "refused"

    async def _identify_service(self, http: HttpRequest, service: str) -> tuple[Caller, str, str]:
        caller, region, signing_name = await self._identify(http, service)
        service = BOTO3_NAMES.get(signing_name, signing_name)
        if service == "dynamodb" and http.headers.get("x-amz-target").startswith("DynamoDBStreams"):
            service = "dynamodbstreams"
        return caller, region, service

    def _recognise(self, http: HttpRequest, service: str, region: str, caller: Caller, request_id: str) -> ApiCall:
        try:
            return recognise(http, service, region=region, caller=caller, request_id=request_id)
        except (AwsError, UnknownServiceError) as error:
            if service in self.services:
                raise
            raise AwsError(
                "NotImplemented",
                f"The local cloud does not implement the service {service} ({http.method} {http.path}). "
                "What it implements stands in docs/local-cloud.md.",
                501,
            ) from error

    async def _answer(self, call: ApiCall) -> tuple[dict[str, Any] | None, HttpResponse]:
        operations = self._owners.get(call.service)
        if operations is None:
            interceptor = self._interceptors.get((call.service, call.operation))
            if interceptor is not None:
                return None, await interceptor(call, self._forward)
            return None, await self._forward(call)
        operation = operations.get(call.operation)
        if operation is None:
            return None, await self._forward(
                call
            )  # moto does not hold this service: the forwarder names what is missing
        result = operation(call)
        if inspect.isawaitable(result):
            result = await result
        return result, serialise(call, result or {})

    def _refuse(self, service: str, http: HttpRequest, error: AwsError, request_id: str) -> HttpResponse:
        known = service if service in self.services else _stand_in(http)
        return serialise_error(known, http, error, request_id)

    def _tell(
        self, call: ApiCall, result: dict[str, Any] | None, error: AwsError | None, status: int, started: float
    ) -> None:
        self._emit(
            "api",
            service=call.service,
            operation=call.operation,
            status=status,
            error=error.code if error else "",
            milliseconds=(time.perf_counter() - started) * 1000,
            caller=call.caller.name,
        )
        for observer in self._observers:
            try:
                observer(call, result, error)
            except Exception as broken:  # who watches may break, but not keep the answer from the caller
                _internal_failure(broken, self._emit)


def service_of(http: HttpRequest) -> str:
    """Return the name of the service that an unverified request is for, or ``""``: its error must be readable there."""
    _, _, credential = http.headers.get("authorization").partition("Credential=")
    if "X-Amz-Credential=" in http.query:
        credential = unquote(http.query.partition("X-Amz-Credential=")[2].partition("&")[0])
    scope = credential.partition(",")[0].split("/")
    if len(scope) == 5:
        return BOTO3_NAMES.get(scope[3], scope[3])
    if is_presigned_v2(http.query):
        return "s3"
    if target := http.headers.get("x-amz-target"):
        return "sqs" if target.startswith("AmazonSQS") else "dynamodb"  # any service of that protocol will do
    if http.headers.get("content-type").startswith("application/x-www-form-urlencoded"):
        return "sts"
    return next((name for path, name in UNSIGNED_PATHS if http.path.startswith(path)), "")


def _stand_in(http: HttpRequest) -> str:
    """Name a service that speaks as the request does, where nobody knows the one it is for."""
    if "x-amz-target" in http.headers:
        return "dynamodb"
    return "sts" if http.headers.get("content-type").startswith("application/x-www-form-urlencoded") else "lambda"


def _internal_failure(broken: Exception, emit: Callable[..., None]) -> AwsError:
    emit("labkit is broken", traceback="".join(traceback.format_exception(broken)))
    return AwsError(
        "InternalFailure",
        f"The local cloud itself failed ({type(broken).__name__}); this is a bug of labkit, and `labkit logs` "
        "shows where.",
        500,
    )
