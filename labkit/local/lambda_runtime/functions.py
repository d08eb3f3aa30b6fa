"""The functions there are: created, changed, listed, deleted.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.lambda_runtime.code_location import CodeLocations
from labkit.local.lambda_runtime.function import Function, conflict, described
from labkit.local.lambda_runtime.packages import unpack
from labkit.local.lambda_runtime.validation import check_configuration, function_arn

UNTIL_ACTIVE = 0.2


class Functions:
    """Every function there is, *all* of them by ARN. *renew* ends the warm environments of one that changed."""

    def __init__(
        self,
        *,
        trusts: Callable[[str, str], Awaitable[bool]],
        role_can: Callable[[str, str, str], Awaitable[bool]],
        get_object: Callable[[str, str], Awaitable[Any]],
        renew: Callable[[str], None],
        folder: Path,
        endpoint: str,
        clock: Clock,
    ) -> None:
        self._trusts, self._role_can, self._get_object, self._renew = trusts, role_can, get_object, renew
        self._folder, self._clock = folder, clock
        self.code_locations = CodeLocations(endpoint=endpoint, find=self.find, now=clock.now)
        self.all: dict[str, Function] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "CreateFunction": self.create_function,
            "UpdateFunctionCode": self.update_function_code,
            "UpdateFunctionConfiguration": self.update_function_configuration,
            "GetFunction": self.get_function,
            "GetFunctionConfiguration": lambda call: described(self._looked_at(call)),
            "ListFunctions": self.list_functions,
            "DeleteFunction": self.delete_function,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTags": lambda call: {"Tags": self.find(call.params["Resource"]).tags},
        }

    async def create_function(self, call: ApiCall) -> dict[str, Any]:
        """Create a function; it is Pending until somebody looks or half a second is over, then Active."""
        params = call.params
        arn = function_arn(str(params.get("FunctionName") or ""), call.region)
        if arn in self.all:
            raise AwsError("ResourceConflictException", f"Function already exist: {arn.rpartition(':')[2]}", 409)
        check_configuration(params, creating=True)
        package = await self._package(params.get("Code") or {})
        unpack(package, self._folder)
        await self._check_role(params["Role"])
        await self._check_dead_letter(params, params["Role"])
        function = Function(arn, arn.rpartition(":")[2], params["Role"], params["Handler"], params["Runtime"], package)
        function.tags = dict(params.get("Tags") or {})
        self._configure(function, params)
        self.all[arn] = function
        self._later(self._become_active(function))
        return described(function)

    async def _become_active(self, function: Function) -> None:
        await asyncio.sleep(UNTIL_ACTIVE)
        function.become_active()

    def _looked_at(self, call: ApiCall) -> Function:
        """Return a function that somebody asks about: it is ready then, so that boto3's waiters need not sleep.

        Who calls or changes it without a look, right after it was created, still meets the 409 of AWS.
        """
        function = self.of(call)
        function.become_active()
        return function

    async def _check_role(self, role_arn: str) -> None:
        if not await self._trusts(role_arn, "lambda.amazonaws.com"):
            raise _invalid("The role defined for the function cannot be assumed by Lambda.")

    async def _check_dead_letter(self, params: dict[str, Any], role: str) -> None:
        arn = (params.get("DeadLetterConfig") or {}).get("TargetArn")
        if not arn:
            return
        if not str(arn).startswith("arn:aws:sqs:"):
            raise _invalid(f"A function's dead-letter queue is a queue in the local cloud; TargetArn was {arn!r}.")
        if not await self._role_can(role, "sqs:SendMessage", arn):
            raise _invalid("The provided execution role does not have permissions to call SendMessage on SQS")

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
        await self._check_dead_letter(call.params, call.params.get("Role") or function.role)
        return self._updated(function, call.params)

    def _updatable(self, call: ApiCall) -> Function:
        function = self.of(call)
        if function.state == "Pending" or function.last_update_status == "InProgress":
            raise conflict(function)
        return function

    def _updated(self, function: Function, params: dict[str, Any]) -> dict[str, Any]:
        self._configure(function, params)
        function.last_update_status = "InProgress"
        self._renew(function.arn)
        self._later(self._become_active(function))
        return described(function)

    def get_function(self, call: ApiCall) -> dict[str, Any]:
        """Return configuration, tags and concurrency of a function."""
        function = self._looked_at(call)
        answer: dict[str, Any] = {
            "Configuration": described(function),
            "Code": {"RepositoryType": "S3", "Location": self.code_locations.of(function)},
        }
        if function.tags:
            answer["Tags"] = function.tags
        if function.reserved_concurrency is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
        return answer

    def list_functions(self, call: ApiCall) -> dict[str, Any]:
        """List functions of the region, in pages of 50."""
        most, start = int(call.params.get("MaxItems") or 50), call.params.get("Marker") or ""
        found = sorted(f.arn for f in self.all.values() if f.region == call.region and f.arn > start)
        answer: dict[str, Any] = {"Functions": [described(self.all[arn]) for arn in found[:most]]}
        return answer | ({"NextMarker": found[most - 1]} if len(found) > most else {})

    def delete_function(self, call: ApiCall) -> None:
        """Delete a function; its log group stays, as on AWS."""
        function = self.of(call)
        del self.all[function.arn]
        self._renew(function.arn)

    def tag_resource(self, call: ApiCall) -> None:
        """Add tags."""
        self.find(call.params["Resource"]).tags.update(call.params.get("Tags") or {})

    def untag_resource(self, call: ApiCall) -> None:
        """Remove tags."""
        for key in call.params.get("TagKeys") or []:
            self.find(call.params["Resource"]).tags.pop(key, None)

    def of(self, call: ApiCall) -> Function:
        """Find the function that a call's FunctionName names."""
        return self.find(function_arn(str(call.params.get("FunctionName") or ""), call.region))

    def find(self, arn_or_name: str) -> Function:
        """Find a function; raise AwsError ``ResourceNotFoundException``."""
        arn = arn_or_name if arn_or_name.startswith("arn:") else function_arn(arn_or_name, "us-east-1")
        function = self.all.get(re.sub(r":\$LATEST$", "", arn))
        if function is None:
            raise AwsError("ResourceNotFoundException", f"Function not found: {arn}", 404)
        return function

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the functions as plain data; packages are bytes."""
        return [asdict(function) for function in self.all.values()]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on from a snapshot; what was being created or updated is done."""
        for fields in state:
            function = self.all[fields["arn"]] = Function(**deepcopy(fields))
            function.state, function.last_update_status = "Active", "Successful"


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, 400, Type="User")
