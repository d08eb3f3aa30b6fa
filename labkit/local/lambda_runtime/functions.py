"""The functions there are: created, changed, listed, deleted.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labkit.local.api_call import ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.lambda_runtime import names
from labkit.local.lambda_runtime.function import Function, conflict, described, listed
from labkit.local.lambda_runtime.names import LATEST, invalid, joined, not_found, split
from labkit.local.lambda_runtime.packages import package_of, unpack
from labkit.local.lambda_runtime.paging import page
from labkit.local.lambda_runtime.validation import check_configuration, check_dead_letter, check_new_name, check_tags

UNTIL_ACTIVE = 0.2


class Functions:
    """Every function there is, *all* of them by ARN.

    *renew* ends the warm environments of a version that changed, *forget* all of one that was deleted. *layers*
    turns the ARNs of layer versions into what a function shows of them, or refuses them; *locate* tells where the zip
    of a version can be fetched.
    """

    def __init__(
        self,
        *,
        trusts: Callable[[str, str], Awaitable[bool]],
        role_can: Callable[[str, str, str], Awaitable[bool]],
        get_object: Callable[[str, str], Awaitable[Any]],
        renew: Callable[[str], None],
        forget: Callable[[str], None],
        layers: Callable[[list[str], str, bytes, list[str]], list[dict[str, Any]]],
        locate: Callable[[str], str],
        folder: Path,
        clock: Clock,
    ) -> None:
        self._trusts, self._role_can, self._get_object = trusts, role_can, get_object
        self._renew, self._forget = renew, forget
        self._layers, self._locate, self._folder, self._clock = layers, locate, folder, clock
        self.all: dict[str, Function] = {}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "CreateFunction": self.create_function,
            "UpdateFunctionCode": self.update_function_code,
            "UpdateFunctionConfiguration": self.update_function_configuration,
            "GetFunction": self.get_function,
            "GetFunctionConfiguration": self.get_function_configuration,
            "ListFunctions": self.list_functions,
            "DeleteFunction": self.delete_function,
            "GetFunctionCodeSigningConfig": lambda call: {"FunctionName": self.of(call).name},
        }

    # --- Created and changed ------------------------------------------------------------------------------------------

    async def create_function(self, call: ApiCall) -> dict[str, Any]:
        """Create a function; it is Pending until somebody looks or a moment is over, then Active."""
        params = call.params
        arn = check_new_name(str(params.get("FunctionName") or ""), call.region)
        name = arn.rpartition(":")[2]
        check_configuration(params, creating=True)
        check_tags(params.get("Tags") or {})
        package = await package_of(params.get("Code") or {}, self._get_object)
        await asyncio.to_thread(unpack, package, self._folder)
        await self._check_role(params["Role"])
        await check_dead_letter(params, params["Role"], self._role_can)
        if arn in self.all:
            raise AwsError("ResourceConflictException", f"Function already exist: {name}", 409, Type="User")
        function = Function(arn, name, params["Role"], params["Handler"], params["Runtime"], package)
        function.tags = dict(params.get("Tags") or {})
        self._configure(function, params)
        self.all[arn] = function
        _become_active_later(function)
        if params.get("Publish"):
            return {**described(function), "Version": function.publish(state="Pending").version}
        return described(function)

    async def _check_role(self, role_arn: str) -> None:
        if not await self._trusts(role_arn, "lambda.amazonaws.com"):
            raise invalid("The role defined for the function cannot be assumed by Lambda.")

    def _configure(self, function: Function, params: dict[str, Any]) -> None:
        kept = [layer["Arn"] for layer in function.layers]
        function.layers = self._layers(params.get("Layers", kept) or [], function.region, function.package, kept)
        function.configure(params)
        function.modified_at, function.revision_id = self._clock.now(), str(uuid.uuid4())

    async def update_function_code(self, call: ApiCall) -> dict[str, Any]:
        """Replace the code; warm environments end."""
        params = call.params
        self._updatable(call)
        check_configuration({"Architectures": params.get("Architectures")}, creating=False)
        package = await package_of(params, self._get_object)
        await asyncio.to_thread(unpack, package, self._folder)
        function = self._updatable(call)  # it may have been changed or deleted meanwhile
        kept = [layer["Arn"] for layer in function.layers]
        self._layers(kept, function.region, package, kept)
        if params.get("DryRun"):
            return described(function)
        function.package = package
        updated = self._updated(function, {"Architectures": params.get("Architectures")})
        if not params.get("Publish"):
            return updated
        version = function.publish(state="Pending")
        return described(version, version.version)

    async def update_function_configuration(self, call: ApiCall) -> dict[str, Any]:
        """Change settings; warm environments end."""
        role = self._updatable(call).role
        check_configuration(call.params, creating=False)
        if call.params.get("Role"):
            await self._check_role(call.params["Role"])
        await check_dead_letter(call.params, call.params.get("Role") or role, self._role_can)
        return self._updated(self._updatable(call), call.params)  # it may have been changed or deleted meanwhile

    def _updatable(self, call: ApiCall) -> Function:
        function = self.of(call)
        if function.state == "Pending" or function.last_update_status == "InProgress":
            raise conflict(function)
        if call.params.get("RevisionId") not in (None, "", function.revision_id):
            raise names.stale()
        return function

    def _updated(self, function: Function, params: dict[str, Any]) -> dict[str, Any]:
        self._configure(function, params)
        function.last_update_status = "InProgress"
        self._renew(function.version_arn)
        _become_active_later(function)
        return described(function)

    # --- Looked at ----------------------------------------------------------------------------------------------------

    def _looked_at(self, call: ApiCall) -> tuple[Function, Function, str]:
        """Return a function that somebody asks about, the version asked for, and the qualifier that named it.

        It is ready then, so that boto3's waiters need not sleep. Who calls or changes it without a look, right after
        it was created, still meets the 409 of AWS.
        """
        arn, qualifier = names.named(call)
        function = self.find(joined(arn, qualifier))
        version = function.version_of(qualifier)
        function.become_active()
        return function, version, qualifier

    def get_function_configuration(self, call: ApiCall) -> dict[str, Any]:
        """Return the configuration of a version."""
        _, version, qualifier = self._looked_at(call)
        return described(version, qualifier)

    def get_function(self, call: ApiCall) -> dict[str, Any]:
        """Return configuration and code of a version, tags and concurrency of its function."""
        function, version, qualifier = self._looked_at(call)
        answer: dict[str, Any] = {
            "Configuration": described(version, qualifier),
            "Code": {"RepositoryType": "S3", "Location": self._locate(version.version_arn)},
        }
        if function.tags:
            answer["Tags"] = function.tags
        if function.reserved_concurrency is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
        return answer

    def list_functions(self, call: ApiCall) -> dict[str, Any]:
        """List functions of the region, with all their versions if asked for, in pages of 50 at most."""
        wanted = call.params.get("FunctionVersion")
        if wanted not in (None, "ALL"):
            raise names.violation(wanted, "functionVersion", "satisfy enum value set: [ALL]")
        found: dict[str, dict[str, Any]] = {}
        for arn in sorted(self.all):
            if self.all[arn].region == call.region:
                for version in self.all[arn].all_versions() if wanted else (self.all[arn],):
                    found[version.version_arn] = listed(version, version.version if wanted else "")
        return page(call, "Functions", found)

    def delete_function(self, call: ApiCall) -> None:
        """Delete a function, or one version that no alias names; the log group stays, as on AWS."""
        arn, qualifier = names.named(call)
        if qualifier == LATEST:
            raise invalid("$LATEST version cannot be deleted without deleting the function.")
        if qualifier and not qualifier.isdigit() and qualifier[0] != "$":
            raise invalid("Deletion of aliases is not currently supported.")
        function = self.find(arn)
        if not qualifier:
            del self.all[arn]
            for version in function.all_versions():
                self._forget(version.version_arn)
        elif qualifier in function.versions:
            if using := function.aliases_of(qualifier):
                text = f"Unable to delete version because the following aliases reference it: [{', '.join(using)}]"
                raise AwsError("ResourceConflictException", text, 409, Type="User")
            self._forget(function.versions.pop(qualifier).version_arn)

    # --- Found --------------------------------------------------------------------------------------------------------

    def of(self, call: ApiCall) -> Function:
        """Find the function that a call names as a whole."""
        return self.find(names.unqualified(call))

    def find(self, arn: str) -> Function:
        """Find the function as a whole that an ARN, with or without a qualifier, belongs to.

        Raises:
            AwsError: ``ResourceNotFoundException``.
        """
        function = self.all.get(arn) or self.all.get(split(arn)[0])
        if function is None:
            raise not_found(arn)
        return function

    def version(self, arn: str) -> Function:
        """Find the version that an ARN names; one of an alias's two versions by chance, as it is routed.

        Raises:
            AwsError: ``ResourceNotFoundException``.
        """
        return self.all.get(arn) or self.find(arn).version_of(split(arn)[1], routed=True)

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the functions as plain data; packages are bytes."""
        return [asdict(function) for function in self.all.values()]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on from a snapshot; what was being created or updated is done."""
        for fields in state:
            self.all[fields["arn"]] = Function.restored(fields)


def _become_active_later(function: Function) -> None:
    asyncio.get_running_loop().call_later(UNTIL_ACTIVE, function.become_active)
