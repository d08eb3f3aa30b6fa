"""One function: its configuration, as it is kept and as Lambda shows it, and the versions and aliases it has.

https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
"""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.clock import iso_milliseconds
from labkit.local.lambda_runtime.names import LATEST, joined, not_found
from labkit.local.lambda_runtime.packages import code_sha256
from labkit.local.lambda_runtime.runtimes import runtime_arn

ATTRIBUTES = {
    "Timeout": "timeout", "MemorySize": "memory_size", "Handler": "handler", "Runtime": "runtime", "Role": "role",
    "Description": "description", "Architectures": "architectures",
}  # fmt: skip
BEING_CREATED = "The function is being created."


@dataclass(slots=True)
class Function:
    """A function as it is configured now, or one of its published versions; *package* is its zip.

    What belongs to the function as a whole stands after *version*, and is empty in a published version. *policies*
    and *invoke_configs* go by qualifier, *published* tells whether anything changed since the last version.
    """

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
    dead_letter_arn: str = ""
    layers: list[dict[str, Any]] = field(default_factory=list)
    architectures: list[str] = field(default_factory=lambda: ["x86_64"])
    ephemeral_storage: int = 512
    own_log_group: str = ""
    state: str = "Pending"
    last_update_status: str = "Successful"
    modified_at: float = 0.0
    revision_id: str = ""
    version: str = LATEST
    tags: dict[str, str] = field(default_factory=dict)
    reserved_concurrency: int | None = None
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    invoke_configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, Function] = field(default_factory=dict)
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict)
    last_version: int = 0
    published: str = ""

    def configure(self, params: dict[str, Any]) -> None:
        """Take over the settings that a call names; its layers are looked up elsewhere."""
        for key, attribute in ATTRIBUTES.items():
            if params.get(key) is not None:
                setattr(self, attribute, params[key])
        if isinstance(params.get("Environment"), dict):
            self.variables = dict(params["Environment"].get("Variables") or {})
        if isinstance(params.get("DeadLetterConfig"), dict):
            self.dead_letter_arn = params["DeadLetterConfig"].get("TargetArn") or ""
        if isinstance(params.get("EphemeralStorage"), dict):
            self.ephemeral_storage = params["EphemeralStorage"]["Size"]
        if isinstance(params.get("LoggingConfig"), dict) and params["LoggingConfig"].get("LogGroup"):
            self.own_log_group = params["LoggingConfig"]["LogGroup"]

    def become_active(self) -> None:
        """End the state Pending, or the update under way; that of the versions too."""
        self.state, self.last_update_status = "Active", "Successful"
        for version in self.versions.values():
            version.state = "Active"

    @property
    def region(self) -> str:
        """The region in the ARN."""
        return self.arn.split(":")[3]

    @property
    def log_group(self) -> str:
        """Where its output goes."""
        return self.own_log_group or f"/aws/lambda/{self.name}"

    @property
    def version_arn(self) -> str:
        """The ARN with the version behind it."""
        return f"{self.arn}:{self.version}"

    def all_versions(self) -> Iterator[Function]:
        """Go through $LATEST and the published versions."""
        yield self
        yield from self.versions.values()

    def fingerprint(self) -> str:
        """Return what is the same as long as neither code nor configuration changes."""
        config = [
            self.role, self.handler, self.runtime, code_sha256(self.package), self.timeout, self.memory_size,
            self.description, self.variables, self.dead_letter_arn, self.layers, self.architectures,
            self.ephemeral_storage, self.own_log_group,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()

    def as_version(self, version: str, **changes: Any) -> Function:
        """Return a published version: the configuration of this moment, nothing of the function as a whole."""
        of_the_whole: dict[str, Any] = {
            "tags": {}, "reserved_concurrency": None, "policies": {}, "invoke_configs": {}, "versions": {},
            "aliases": {}, "last_version": 0, "published": "",
        }  # fmt: skip
        return replace(
            self,
            variables=dict(self.variables),
            layers=deepcopy(self.layers),
            version=version,
            **(of_the_whole | changes),
        )

    def publish(self, *, description: str | None = None, state: str = "Active") -> Function:
        """Keep code and configuration as they are now as the next version; return the last one if nothing changed."""
        fingerprint, last = self.fingerprint(), self.versions.get(str(self.last_version))
        if last and fingerprint == self.published:
            return last
        self.last_version += 1
        self.published, self.revision_id = fingerprint, str(uuid.uuid4())
        version = self.as_version(
            str(self.last_version), state=state, last_update_status="Successful", revision_id=str(uuid.uuid4())
        )
        version.description = version.description if description is None else description
        self.versions[version.version] = version
        return version

    def version_of(self, qualifier: str, *, routed: bool = False) -> Function:
        """Return the version that a qualifier names; of an alias its own version, or the one it is *routed* to.

        Raises:
            AwsError: ``ResourceNotFoundException``.
        """
        if qualifier in ("", LATEST):
            return self
        name, alias = qualifier, self.aliases.get(qualifier)
        if alias:
            name = alias["FunctionVersion"]
            for other, weight in alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}).items():
                name = other if routed and random.random() < weight else name
        version = self if name == LATEST else self.versions.get(name)
        if version is None:
            raise not_found(joined(self.arn, qualifier))
        return version

    def aliases_of(self, version: str) -> list[str]:
        """Return the names of the aliases that lead to a version."""
        return [
            name
            for name, alias in sorted(self.aliases.items())
            if version
            in (alias["FunctionVersion"], *alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}))
        ]

    @classmethod
    def restored(cls, fields: dict[str, Any]) -> Function:
        """Return a function from plain data; what was being created or updated is done."""
        function = cls(**deepcopy({**fields, "versions": {}}))
        function.versions = {version: cls.restored(kept) for version, kept in fields["versions"].items()}
        function.become_active()
        return function


def described(function: Function, qualifier: str = "") -> dict[str, Any]:
    """Return what GetFunctionConfiguration answers for a version that was named by *qualifier*."""
    described = listed(function, qualifier) | {
        "RuntimeVersionConfig": {"RuntimeVersionArn": runtime_arn(function.region, function.runtime)},
        "State": function.state,
    }
    if function.state == "Pending":
        described |= {"StateReason": BEING_CREATED, "StateReasonCode": "Creating"}
        return described
    described["LastUpdateStatus"] = function.last_update_status
    if function.last_update_status == "InProgress":
        described |= {"LastUpdateStatusReason": BEING_CREATED, "LastUpdateStatusReasonCode": "Creating"}
    return described


def listed(function: Function, qualifier: str = "") -> dict[str, Any]:
    """Return what ListFunctions and ListVersionsByFunction answer: all but the states."""
    listed: dict[str, Any] = {
        "FunctionName": function.name,
        "FunctionArn": joined(function.arn, qualifier),
        "Runtime": function.runtime,
        "Role": function.role,
        "Handler": function.handler,
        "CodeSize": len(function.package),
        "Description": function.description,
        "Timeout": function.timeout,
        "MemorySize": function.memory_size,
        "LastModified": iso_milliseconds(function.modified_at, "+0000"),
        "CodeSha256": code_sha256(function.package),
        "Version": function.version,
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": function.revision_id,
        "PackageType": "Zip",
        "Architectures": function.architectures,
        "EphemeralStorage": {"Size": function.ephemeral_storage},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": function.log_group},
    }
    if function.variables:
        listed["Environment"] = {"Variables": function.variables}
    if function.dead_letter_arn:
        listed["DeadLetterConfig"] = {"TargetArn": function.dead_letter_arn}
    if function.layers:
        listed["Layers"] = function.layers
    return listed


def conflict(function: Function) -> AwsError:
    """The error for a function that is being created or updated."""
    state = f"The function is currently in the following state: {function.state}"
    if function.state != "Pending":
        state = f"An update is in progress for resource: {function.arn}"
    message = f"The operation cannot be performed at this time. {state}"
    return AwsError("ResourceConflictException", message, 409, Type="User")
