"""Invocation: a request to Lambda, a free execution environment, the outcome and its log.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.lambda_runtime.concurrency import Concurrency
from labkit.local.lambda_runtime.environment import Environment, Outcome
from labkit.local.lambda_runtime.environment_variables import environment_variables
from labkit.local.lambda_runtime.environments import Environments
from labkit.local.lambda_runtime.function import Function, conflict
from labkit.local.lambda_runtime.functions import Functions
from labkit.local.lambda_runtime.log_lines import LogWriter, log_events, tail
from labkit.local.lambda_runtime.names import LATEST, joined, named
from labkit.local.lambda_runtime.packages import unpack, unpack_all
from labkit.local.lambda_runtime.process import LogEvent
from labkit.local.lambda_runtime.runtime_api import Invocation
from labkit.local.lambda_runtime.runtimes import command

LARGEST_REQUEST = 6_291_456


@dataclass(frozen=True, slots=True)
class InvokeResult:
    """The answer to an invocation; *function_error* is ``None`` for a success."""

    payload: bytes
    function_error: str | None
    log: list[LogEvent]
    request_id: str
    executed_version: str


class Invocations:
    """Run functions, each invocation in an environment of its own function."""

    def __init__(
        self,
        functions: Functions,
        concurrency: Concurrency,
        environments: Environments,
        logs: LogWriter,
        *,
        invoke_event: Callable[..., str],
        issue_credentials: Callable[[str, str], Awaitable[Any]],
        role_can: Callable[[str, str, str], Awaitable[bool]],
        content_of_layer: Callable[[str], bytes],
        folder: Path,
        endpoint: str,
        measure: Callable[[str, str, float], None],
        emit: Callable[..., None],
    ) -> None:
        self._functions, self._concurrency, self._environments = functions, concurrency, environments
        self._logs, self._invoke_event, self._issue_credentials = logs, invoke_event, issue_credentials
        self._role_can, self._folder, self._endpoint, self._emit = role_can, folder, endpoint, emit
        self._measure, self._content_of_layer = measure, content_of_layer

    async def invoke_api(self, call: ApiCall) -> dict[str, Any]:
        """Invoke synchronously, asynchronously, or not at all (DryRun)."""
        arn, qualifier = named(call)
        self._functions.find(f"{arn}:{qualifier or LATEST}").version_of(qualifier)
        invoked, kind = joined(arn, qualifier), call.params.get("InvocationType") or "RequestResponse"
        payload = call.params.get("Payload") or b"{}"
        payload = payload if isinstance(payload, bytes) else str(payload).encode()
        _check_json(payload)
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            self._invoke_event(invoked, payload, source="Invoke", request_id=call.request_id)
            return {"StatusCode": 202}
        if len(payload) > LARGEST_REQUEST:
            raise AwsError(
                "RequestTooLargeException",
                f"{len(payload)} byte payload is too large for the RequestResponse invocation type "
                f"(limit {LARGEST_REQUEST} bytes)",
                413,
            )
        context = _client_context(call.params.get("ClientContext"))
        result = await self.invoke(invoked, payload, request_id=call.request_id, client_context=context)
        answer: dict[str, Any] = {
            "StatusCode": 200, "ExecutedVersion": result.executed_version, "Payload": result.payload
        }  # fmt: skip
        if result.function_error:
            answer["FunctionError"] = result.function_error
        if call.params.get("LogType") == "Tail":
            answer["LogResult"] = tail(result.log)
        return answer

    async def invoke(self, arn: str, payload: bytes, *, request_id: str = "", client_context: str = "") -> InvokeResult:
        """Run a function once and wait for it; *arn* may name a version or an alias.

        Raises:
            AwsError: ``ResourceNotFoundException``, ``ResourceConflictException`` while Pending,
                ``TooManyRequestsException`` when its concurrency is used up.
        """
        function = self._functions.version(arn)
        if function.state == "Pending":
            raise conflict(function)
        with self._concurrency.admitted(function if function.version == LATEST else self._functions.find(arn)):
            return await self._run(function, arn, payload, request_id or str(uuid.uuid4()), client_context)

    async def _run(
        self, function: Function, arn: str, payload: bytes, request_id: str, client_context: str
    ) -> InvokeResult:
        key = function.version_arn
        environment = await self._environments.acquire(key, lambda: self._make(function))
        started, trace = time.time(), f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0"
        try:
            invocation = Invocation(request_id, arn, payload, started + function.timeout, trace, client_context)
            with _starting(function):  # an init phase that failed is run again
                outcome = await environment.invoke(invocation, function.timeout)
        finally:
            self._environments.release(key, environment)
        self._publish(function.arn, outcome)
        events = log_events(request_id, function, outcome=outcome, started_ms=int(started * 1000))
        await self._write_log(function, environment.log_stream, events)
        if outcome.error_type:
            self._emit("function failed", function=function.name, error=outcome.error_type, request=request_id)
        function_error = "Unhandled" if outcome.error_type else None
        return InvokeResult(outcome.payload, function_error, events, request_id, function.version)

    def _publish(self, arn: str, outcome: Outcome) -> None:
        """Publish to CloudWatch; a success counts as an error of 0, so that the average is the error rate."""
        measure = self._measure
        measure(arn, "Invocations", 1.0)
        measure(arn, "Errors", 1.0 if outcome.error_type else 0.0)
        measure(arn, "Throttles", 0.0)
        measure(arn, "Duration", round(outcome.duration, 2))

    async def _write_log(self, function: Function, stream: str, events: list[LogEvent]) -> None:
        place = f"arn:aws:logs:{function.region}:{ACCOUNT_ID}:log-group:{function.log_group}:log-stream:{stream}"
        if await self._role_can(function.role, "logs:PutLogEvents", place):
            self._logs.write(function.region, function.log_group, stream, events)
        else:
            self._emit("no log", function=function.name, why="its role may not logs:PutLogEvents")

    async def _make(self, function: Function) -> Environment:
        keys = await self._issue_credentials(function.role, function.name)
        of_whom = function.name if function.own_log_group else ""
        stream = f"{datetime.now(UTC):%Y/%m/%d}/{of_whom}[{function.version}]{uuid.uuid4().hex}"
        task_root = await asyncio.to_thread(unpack, function.package, self._folder)
        layers = await self._unpack_layers(function)
        environment = Environment(
            command=command(function.runtime, layers),
            variables=environment_variables(
                function, keys, stream=stream, task_root=task_root, layers=layers, endpoint=self._endpoint
            ),
            task_root=task_root,
            log_stream=stream,
            expires=keys.expiration - function.timeout - 60,
        )
        with _starting(function):
            await environment.start()
        return environment

    async def _unpack_layers(self, function: Function) -> Path | None:
        if not function.layers:
            return None
        contents = [self._content_of_layer(layer["Arn"]) for layer in function.layers]
        return await asyncio.to_thread(unpack_all, contents, self._folder)


@contextlib.contextmanager
def _starting(function: Function) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        text = f"The local cloud could not start a process for {function.name}: {error}"
        raise AwsError("ServiceException", text, 500, Type="Service") from error


def _check_json(payload: bytes) -> None:
    try:
        json.loads(payload.decode())
    except (ValueError, RecursionError) as error:
        text = f"Could not parse request body into json: Could not parse payload into json: {error}"
        raise AwsError("InvalidRequestContentException", text, 400, Type="User") from error


def _client_context(given: str | None) -> str:
    """Return the client context of a call as JSON that a header can hold, ``""`` for none."""
    if not given:
        return ""
    try:
        context = json.loads(base64.b64decode(given, validate=True))
    except (ValueError, RecursionError):
        context = None
    if not isinstance(context, dict):
        text = "Client context must be a valid Base64-encoded JSON object."
        raise AwsError("InvalidRequestContentException", text, 400, Type="User")
    return json.dumps(context)
