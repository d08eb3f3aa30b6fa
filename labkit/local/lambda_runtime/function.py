"""One function: its configuration, as it is kept and as Lambda shows it.

https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.lambda_runtime.packages import code_sha256


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

    def become_active(self) -> None:
        """End the state Pending, or the update under way."""
        self.state, self.last_update_status = "Active", "Successful"

    @property
    def region(self) -> str:
        """The region in the ARN."""
        return self.arn.split(":")[3]

    @property
    def log_group(self) -> str:
        """Where its output goes."""
        return f"/aws/lambda/{self.name}"


def described(function: Function) -> dict[str, Any]:
    """Return what GetFunctionConfiguration answers."""
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


def conflict(function: Function) -> AwsError:
    """The error for a function that is being created or updated."""
    state = f"The function is currently in the following state: {function.state}"
    if function.state != "Pending":
        state = f"An update is in progress for resource: {function.arn}"
    return AwsError("ResourceConflictException", f"The operation cannot be performed at this time. {state}", 409)
