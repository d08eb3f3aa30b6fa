"""AWS Lambda: functions, their permissions and their invocation.

https://docs.aws.amazon.com/lambda/latest/api/
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.lambda_runtime.async_invocation import AsyncInvocations
from labkit.local.lambda_runtime.environment import Environment
from labkit.local.lambda_runtime.environments import Environments
from labkit.local.lambda_runtime.log_lines import LogWriter, log_events, tail
from labkit.local.lambda_runtime.packages import code_sha256, unpack
from labkit.local.lambda_runtime.permissions import Permissions
from labkit.local.lambda_runtime.runtime_api import Invocation
from labkit.local.lambda_runtime.validation import check_configuration, function_arn

LARGEST_REQUEST = 6_291_456
UNRESERVED = 100


@dataclass(slots=True)
class Function:
    """A function as it was configured; *package* is its zip."""

    arn: str
    name: str
    role: str
    handler: str
    runtime: str
    package: bytes
    timeout: int = 3
    memory_size: int = 128
    description: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    dead_letter_arn: str = ""
    state: str = "Pending"
    last_update_status: str = "Successful"
    modified_at: float = 0.0
    revision_id: str = ""
    reserved_concurrency: int | None = None
    policy: list[dict[str, Any]] = field(default_factory=list)
    invoke_config: dict[str, Any] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """The region in the ARN."""
        return self.arn.split(":")[3]

    @property
    def log_group(self) -> str:
        """Where its output goes."""
        return f"/aws/lambda/{self.name}"


@dataclass(frozen=True, slots=True)
class InvokeResult:
    """The answer to an invocation; *function_error* is ``None`` for a success, *log_result* base64."""

    payload: bytes
    function_error: str | None
    log_result: str
    request_id: str
    executed_version: str = "$LATEST"


class Lambda:
    """Functions that really run."""

    def __init__(
        self,
        *,
        issue_credentials: Callable[[str, str], Awaitable[Any]],
        trusts: Callable[[str, str], Awaitable[bool]],
        role_can: Callable[[str, str, str], Awaitable[bool]],
        put_log_events: Callable[[str, str, str, list[tuple[int, str]]], Awaitable[None]],
        get_object: Callable[[str, str], Awaitable[Any]],
        deliver: Callable[[str, str], Awaitable[None]],
        send_to_dlq: Callable[[str, str, dict[str, Any]], Awaitable[None]],
        clock: Clock,
        endpoint: str,
        state_dir: Path,
        max_environments: int,
        concurrency: int,
        emit: Callable[..., None],
    ) -> None:
        self._issue_credentials, self._trusts, self._role_can = issue_credentials, trusts, role_can
        self._get_object, self._clock, self._endpoint = get_object, clock, endpoint
        self._folder = state_dir / "functions"
        self._concurrency, self._emit = concurrency, emit
        self._functions: dict[str, Function] = {}
        self._running: dict[str, int] = {}
        self._environments = Environments(max_environments)
        self._logs = LogWriter(put_log_events)
        self._permissions = Permissions(self._find)
        self._tasks: set[asyncio.Task[None]] = set()
        self._async = AsyncInvocations(
            invoke=self.invoke,
            find=self._find,
            deliver=deliver,
            send_to_dlq=send_to_dlq,
            role_can=role_can,
            clock=clock,
            emit=emit,
        )

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "CreateFunction": self.create_function,
            "UpdateFunctionCode": self.update_function_code,
            "UpdateFunctionConfiguration": self.update_function_configuration,
            "GetFunction": self.get_function,
            "GetFunctionConfiguration": lambda call: self._described(self._of(call)),
            "ListFunctions": self.list_functions,
            "DeleteFunction": self.delete_function,
            "Invoke": self.invoke_api,
            "PutFunctionConcurrency": self.put_function_concurrency,
            "GetFunctionConcurrency": self.get_function_concurrency,
            "DeleteFunctionConcurrency": self.delete_function_concurrency,
            "GetAccountSettings": self.get_account_settings,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTags": lambda call: {"Tags": self._find(call.params["Resource"]).tags},
            **self._permissions.operations,
            **self._async.operations,
        }

    # --- Functions ----------------------------------------------------------------------------------------------------

    async def create_function(self, call: ApiCall) -> dict[str, Any]:
        """Create a function; it is Pending for a moment, then Active."""
        params = call.params
        arn = function_arn(str(params.get("FunctionName") or ""), call.region)
        if arn in self._functions:
            raise AwsError("ResourceConflictException", f"Function already exist: {arn.rpartition(':')[2]}", 409)
        check_configuration(params, creating=True)
        package = await self._package(params.get("Code") or {})
        unpack(package, self._folder)
        await self._check_role(params["Role"])
        function = Function(arn, arn.rpartition(":")[2], params["Role"], params["Handler"], params["Runtime"], package)
        function.tags = dict(params.get("Tags") or {})
        self._configure(function, params)
        self._functions[arn] = function
        self._later(self._become_active(function))
        return self._described(function)

    async def _become_active(self, function: Function) -> None:
        await asyncio.sleep(0.05)
        function.state, function.last_update_status = "Active", "Successful"

    async def _check_role(self, role_arn: str) -> None:
        if not await self._trusts(role_arn, "lambda.amazonaws.com"):
            raise _invalid("The role defined for the function cannot be assumed by Lambda.")

    async def _package(self, code: dict[str, Any]) -> bytes:
        if code.get("ZipFile"):
            return bytes(code["ZipFile"])
        if code.get("S3Bucket"):
            stored = await self._get_object(str(code["S3Bucket"]), str(code.get("S3Key")))
            if stored is None:
                raise _invalid(
                    "Error occurred while GetObject. S3 Error Code: NoSuchKey. "
                    "S3 Error Message: The specified key does not exist."
                )
            return bytes(stored.body)
        raise _invalid("Please provide a source for function code.")

    def _configure(self, function: Function, params: dict[str, Any]) -> None:
        names = {"Timeout": "timeout", "MemorySize": "memory_size", "Handler": "handler", "Runtime": "runtime"}
        for key, attribute in {**names, "Role": "role", "Description": "description"}.items():
            if params.get(key) is not None:
                setattr(function, attribute, params[key])
        if isinstance(params.get("Environment"), dict):
            function.variables = dict(params["Environment"].get("Variables") or {})
        if isinstance(params.get("DeadLetterConfig"), dict):
            function.dead_letter_arn = params["DeadLetterConfig"].get("TargetArn") or ""
        function.modified_at, function.revision_id = self._clock.now(), str(uuid.uuid4())

    async def update_function_code(self, call: ApiCall) -> dict[str, Any]:
        """Replace the code; warm environments end."""
        function = self._updatable(call)
        package = await self._package(call.params)
        unpack(package, self._folder)
        function.package = package
        return self._updated(function, {})

    async def update_function_configuration(self, call: ApiCall) -> dict[str, Any]:
        """Change settings; warm environments end."""
        function = self._updatable(call)
        check_configuration(call.params, creating=False)
        if call.params.get("Role"):
            await self._check_role(call.params["Role"])
        return self._updated(function, call.params)

    def _updatable(self, call: ApiCall) -> Function:
        function = self._of(call)
        if function.state == "Pending" or function.last_update_status == "InProgress":
            raise _conflict(function)
        return function

    def _updated(self, function: Function, params: dict[str, Any]) -> dict[str, Any]:
        self._configure(function, params)
        function.last_update_status = "InProgress"
        self._environments.renew(function.arn)
        self._later(self._become_active(function))
        return self._described(function)

    def get_function(self, call: ApiCall) -> dict[str, Any]:
        """Return configuration, tags and concurrency of a function."""
        function = self._of(call)
        answer: dict[str, Any] = {
            "Configuration": self._described(function),
            "Code": {"RepositoryType": "S3", "Location": f"{self._endpoint}/_labkit/functions/{function.name}"},
        }
        if function.tags:
            answer["Tags"] = function.tags
        if function.reserved_concurrency is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
        return answer

    def list_functions(self, call: ApiCall) -> dict[str, Any]:
        """List functions of the region, in pages of 50."""
        most, start = int(call.params.get("MaxItems") or 50), call.params.get("Marker") or ""
        found = sorted(f.arn for f in self._functions.values() if f.region == call.region and f.arn > start)
        answer: dict[str, Any] = {"Functions": [self._described(self._functions[arn]) for arn in found[:most]]}
        return answer | ({"NextMarker": found[most - 1]} if len(found) > most else {})

    def delete_function(self, call: ApiCall) -> None:
        """Delete a function; its log group stays, as on AWS."""
        function = self._of(call)
        del self._functions[function.arn]
        self._environments.renew(function.arn)

    def put_function_concurrency(self, call: ApiCall) -> dict[str, Any]:
        """Reserve concurrency; 0 switches the function off."""
        function, wanted = self._of(call), int(call.params["ReservedConcurrentExecutions"])
        others = sum(f.reserved_concurrency or 0 for f in self._functions.values() if f is not function)
        if self._concurrency - others - wanted < UNRESERVED:
            raise _invalid(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{UNRESERVED}]."
            )
        function.reserved_concurrency = wanted
        return {"ReservedConcurrentExecutions": wanted}

    def get_function_concurrency(self, call: ApiCall) -> dict[str, Any]:
        """Return the reserved concurrency, if any."""
        reserved = self._of(call).reserved_concurrency
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def delete_function_concurrency(self, call: ApiCall) -> None:
        """Reserve none."""
        self._of(call).reserved_concurrency = None

    def get_account_settings(self, call: ApiCall) -> dict[str, Any]:
        """Return the account's limits."""
        reserved = sum(f.reserved_concurrency or 0 for f in self._functions.values())
        return {
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": self._concurrency,
                "UnreservedConcurrentExecutions": self._concurrency - reserved,
            },
            "AccountUsage": {
                "TotalCodeSize": sum(len(f.package) for f in self._functions.values()),
                "FunctionCount": len(self._functions),
            },
        }

    def tag_resource(self, call: ApiCall) -> None:
        """Add tags."""
        self._find(call.params["Resource"]).tags.update(call.params.get("Tags") or {})

    def untag_resource(self, call: ApiCall) -> None:
        """Remove tags."""
        for key in call.params.get("TagKeys") or []:
            self._find(call.params["Resource"]).tags.pop(key, None)

    def _described(self, function: Function) -> dict[str, Any]:
        described: dict[str, Any] = {
            "FunctionName": function.name,
            "FunctionArn": function.arn,
            "Runtime": function.runtime,
            "Role": function.role,
            "Handler": function.handler,
            "CodeSize": len(function.package),
            "Description": function.description,
            "Timeout": function.timeout,
            "MemorySize": function.memory_size,
            "LastModified": f"{datetime.fromtimestamp(function.modified_at, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000",
            "CodeSha256": code_sha256(function.package),
            "Version": "$LATEST",
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": function.revision_id,
            "State": function.state,
            "LastUpdateStatus": function.last_update_status,
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": 512},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": function.log_group},
        }
        if function.state == "Pending":
            described |= {"StateReason": "The function is being created.", "StateReasonCode": "Creating"}
            del described["LastUpdateStatus"]
        if function.variables:
            described["Environment"] = {"Variables": function.variables}
        if function.dead_letter_arn:
            described["DeadLetterConfig"] = {"TargetArn": function.dead_letter_arn}
        return described

    # --- Invocation ---------------------------------------------------------------------------------------------------

    async def invoke_api(self, call: ApiCall) -> dict[str, Any]:
        """Invoke synchronously, asynchronously, or not at all (DryRun)."""
        function, kind = self._of(call), call.params.get("InvocationType") or "RequestResponse"
        payload = call.params.get("Payload") or b"{}"
        payload = payload if isinstance(payload, bytes) else str(payload).encode()
        _check_json(payload)
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            self.invoke_event(function.arn, payload, source="Invoke", request_id=call.request_id)
            return {"StatusCode": 202}
        if len(payload) > LARGEST_REQUEST:
            raise AwsError(
                "RequestTooLargeException",
                f"{len(payload)} byte payload is too large for the RequestResponse invocation type "
                f"(limit {LARGEST_REQUEST} bytes)",
                413,
            )
        result = await self.invoke(function.arn, payload, request_id=call.request_id)
        answer: dict[str, Any] = {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": result.payload}
        if result.function_error:
            answer["FunctionError"] = result.function_error
        if call.params.get("LogType") == "Tail":
            answer["LogResult"] = result.log_result
        return answer

    async def invoke(self, arn: str, payload: bytes, *, request_id: str = "") -> InvokeResult:
        """Run a function once and wait for it.

        Raises:
            AwsError: ``ResourceNotFoundException``, ``ResourceConflictException`` while Pending,
                ``TooManyRequestsException`` when its concurrency is used up.
        """
        function = self._find(arn)
        if function.state == "Pending":
            raise _conflict(function)
        self._check_concurrency(function)
        request_id = request_id or str(uuid.uuid4())
        self._running[function.arn] = self._running.get(function.arn, 0) + 1
        try:
            return await self._run(function, payload, request_id)
        finally:
            self._running[function.arn] -= 1

    def _check_concurrency(self, function: Function) -> None:
        if function.reserved_concurrency is not None:
            if self._running.get(function.arn, 0) >= function.reserved_concurrency:
                raise _throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
            return
        reserved = [f for f in self._functions.values() if f.reserved_concurrency is not None]
        room = self._concurrency - sum(f.reserved_concurrency or 0 for f in reserved)
        used = sum(self._running.values()) - sum(self._running.get(f.arn, 0) for f in reserved)
        if used >= room:
            raise _throttled("ConcurrentInvocationLimitExceeded")

    async def _run(self, function: Function, payload: bytes, request_id: str) -> InvokeResult:
        environment = await self._environments.acquire(function.arn, lambda: self._make(function))
        started, trace = time.time(), f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0"
        try:
            invocation = Invocation(request_id, function.arn, payload, started + function.timeout, trace)
            outcome = await environment.invoke(invocation, function.timeout)
        finally:
            self._environments.release(function.arn, environment)
        events = log_events(
            request_id,
            function.region,
            function.runtime,
            memory=function.memory_size,
            outcome=outcome,
            started_ms=int(started * 1000),
        )
        await self._write_log(function, environment.log_stream, events)
        if outcome.error_type:
            self._emit("function failed", function=function.name, error=outcome.error_type, request=request_id)
        return InvokeResult(outcome.payload, "Unhandled" if outcome.error_type else None, tail(events), request_id)

    async def _write_log(self, function: Function, stream: str, events: list[tuple[int, str]]) -> None:
        place = f"arn:aws:logs:{function.region}:{ACCOUNT_ID}:log-group:{function.log_group}:log-stream:{stream}"
        if await self._role_can(function.role, "logs:PutLogEvents", place):
            self._logs.write(function.region, function.log_group, stream, events)
        else:
            self._emit("no log", function=function.name, why="its role may not logs:PutLogEvents")

    async def _make(self, function: Function) -> Environment:
        keys = await self._issue_credentials(function.role, function.name)
        stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        task_root = unpack(function.package, self._folder)
        variables = environment_variables(function, keys, stream, task_root, self._endpoint)
        environment = Environment(
            variables=variables, task_root=task_root, log_stream=stream, expires=keys.expiration - function.timeout - 60
        )
        await environment.start()
        return environment

    def invoke_event(self, arn: str, payload: bytes, *, source: str, request_id: str = "") -> str:
        """Queue an asynchronous invocation and return its request id."""
        return self._async.accept(self._find(arn).arn, payload, request_id or str(uuid.uuid4()), source)

    # --- For the other parts of the local cloud -----------------------------------------------------------------------

    def configuration(self, arn: str) -> dict[str, Any]:
        """Return what GetFunctionConfiguration answers; *arn* may be a name."""
        return self._described(self._find(arn))

    def permits(self, arn: str, *, principal: str, source_arn: str) -> bool:
        """Whether the function's resource policy lets a service invoke it for *source_arn*."""
        return arn in self._functions and self._permissions.permits(self._functions[arn], principal, source_arn)

    def description(self) -> dict[str, int]:
        """Count the functions, the processes of their environments and the invocations, for the health page."""
        return {
            "functions": len(self._functions),
            "environments": sum(self._environments.processes().values()),
            "invocations_under_way": sum(self._running.values()),
        }

    async def close(self) -> None:
        """End every process and write the last logs."""
        await self._environments.close()
        self._async.close()
        await self._logs.close()

    def snapshot(self) -> dict[str, Any]:
        """Return functions (packages are bytes) and asynchronous events, as plain data; processes are not kept."""
        return {
            "functions": [asdict(function) for function in self._functions.values()],
            "events": self._async.snapshot(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._functions = {fields["arn"]: Function(**deepcopy(fields)) for fields in state["functions"]}
        for function in self._functions.values():
            function.state, function.last_update_status = "Active", "Successful"
        self._async.restore(state["events"])

    def _of(self, call: ApiCall) -> Function:
        return self._find(function_arn(str(call.params.get("FunctionName") or ""), call.region))

    def _find(self, arn_or_name: str) -> Function:
        arn = arn_or_name if arn_or_name.startswith("arn:") else function_arn(arn_or_name, "us-east-1")
        function = self._functions.get(re.sub(r":\$LATEST$", "", arn))
        if function is None:
            raise AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404)
        return function

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def environment_variables(function: Function, keys: Any, stream: str, task_root: Path, endpoint: str) -> dict[str, str]:
    """Return the whole environment of a function's process: AWS's variables, the endpoint, the function's own."""
    variables = {
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": str(task_root),
        "LAMBDA_RUNTIME_DIR": str(Path(__file__).parent),
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "LC_CTYPE": "C.UTF-8",
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "PATH": os.defpath,
    }
    if sys.platform == "win32":
        del variables["TZ"]  # Windows reads TZ in another way
        variables["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    return {**function.variables, **variables}


def _check_json(payload: bytes) -> None:
    try:
        json.loads(payload)
    except ValueError as error:
        raise AwsError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}", 400
        ) from error


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, 400, Type="User")


def _conflict(function: Function) -> AwsError:
    state = f"The function is currently in the following state: {function.state}"
    if function.state != "Pending":
        state = f"An update is in progress for resource: {function.arn}"
    return AwsError("ResourceConflictException", f"The operation cannot be performed at this time. {state}", 409)


def _throttled(reason: str) -> AwsError:
    return AwsError(
        "TooManyRequestsException", "Rate Exceeded.", 429, Reason=reason, Type="User", retryAfterSeconds="1"
    )
