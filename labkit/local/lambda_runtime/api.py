"""AWS Lambda: functions, their permissions and their invocation.

https://docs.aws.amazon.com/lambda/latest/api/
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from labkit.local.api_call import ApiCall
from labkit.local.clock import Clock
from labkit.local.lambda_runtime.async_invocation import AsyncInvocations
from labkit.local.lambda_runtime.concurrency import Concurrency
from labkit.local.lambda_runtime.environments import Environments
from labkit.local.lambda_runtime.function import described
from labkit.local.lambda_runtime.functions import Functions
from labkit.local.lambda_runtime.invocation import Invocations
from labkit.local.lambda_runtime.log_lines import LogWriter
from labkit.local.lambda_runtime.permissions import Permissions
from labkit.local.picture import Arrow, Part, Picture, part_of


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
        measure: Callable[[str, str, float], None],
        emit: Callable[..., None],
    ) -> None:
        folder = state_dir / "functions"
        self._environments, self._logs = Environments(max_environments), LogWriter(put_log_events)
        self._functions = functions = Functions(
            trusts=trusts,
            role_can=role_can,
            get_object=get_object,
            renew=self._environments.renew,
            folder=folder,
            endpoint=endpoint,
            clock=clock,
        )
        self.code_page = functions.code_locations.page
        self._permissions = Permissions(functions.find)
        self._concurrency = Concurrency(functions, account=concurrency, measure=measure)
        self._invocations = Invocations(
            functions,
            self._concurrency,
            self._environments,
            self._logs,
            invoke_event=self.invoke_event,
            issue_credentials=issue_credentials,
            role_can=role_can,
            folder=folder,
            endpoint=endpoint,
            measure=measure,
            emit=emit,
        )
        self.invoke = self._invocations.invoke
        self._async = AsyncInvocations(
            invoke=self.invoke,
            find=functions.find,
            deliver=deliver,
            send_to_dlq=send_to_dlq,
            role_can=role_can,
            clock=clock,
            measure=measure,
            emit=emit,
        )

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            **self._functions.operations,
            **self._concurrency.operations,
            **self._permissions.operations,
            **self._async.operations,
            "Invoke": self._invocations.invoke_api,
        }

    def invoke_event(self, arn: str, payload: bytes, *, source: str, request_id: str = "") -> str:
        """Queue an asynchronous invocation and return its request id."""
        return self._async.accept(self._functions.find(arn).arn, payload, request_id or str(uuid.uuid4()), source)

    def configuration(self, arn: str) -> dict[str, Any]:
        """Return what GetFunctionConfiguration answers; *arn* may be a name."""
        function = self._functions.find(arn)
        function.become_active()
        return described(function)

    def permits(self, arn: str, *, principal: str, source_arn: str) -> bool:
        """Whether the function's resource policy lets a service invoke it for *source_arn*."""
        function = self._functions.all.get(arn)
        return function is not None and self._permissions.permits(function, principal, source_arn)

    def description(self) -> dict[str, int]:
        """Count the functions, the processes of their environments and the invocations, for the health page."""
        return {
            "functions": len(self._functions.all),
            "environments": sum(self._environments.processes().values()),
            "invocations_under_way": sum(self._concurrency.running.values()),
        }

    def picture(self, total: Callable[[str, str], float], latest: Callable[[str, str], float]) -> Picture:
        """Draw the functions; *total* and *latest* answer for a metric of theirs."""
        drawn: Picture = []
        for arn, function in self._functions.all.items():
            facts = {"invocations": int(total(arn, "Invocations")), "failed": int(total(arn, "Errors"))}
            problem = "its last invocation failed" if latest(arn, "Errors") else ""
            drawn.append(Part(arn, "Lambda function", function.name, facts, problem))
            destinations = function.invoke_config.get("DestinationConfig") or {}
            for when, target in destinations.items():
                if destination := (target or {}).get("Destination"):
                    drawn.append(Arrow(arn, part_of(destination), {"OnFailure": "on failure"}.get(when, "on success")))
            if function.dead_letter_arn:
                drawn.append(Arrow(arn, function.dead_letter_arn, "dead-letter queue"))
        return drawn

    async def logs_written(self) -> None:
        """Wait until everything that functions said so far stands in CloudWatch Logs."""
        await self._logs.written()

    async def close(self) -> None:
        """End every process and write the last logs."""
        await self._environments.close()
        self._async.close()
        await self._logs.written()

    def snapshot(self) -> dict[str, Any]:
        """Return functions (packages are bytes) and asynchronous events, as plain data; processes are not kept."""
        return {"functions": self._functions.snapshot(), "events": self._async.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._functions.restore(state["functions"])
        self._async.restore(state["events"])
