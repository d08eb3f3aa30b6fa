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
from labkit.local.lambda_runtime.code_location import CodeLocations
from labkit.local.lambda_runtime.concurrency import Concurrency
from labkit.local.lambda_runtime.environments import Environments
from labkit.local.lambda_runtime.event_invoke_config import EventInvokeConfigs
from labkit.local.lambda_runtime.function import described
from labkit.local.lambda_runtime.functions import Functions
from labkit.local.lambda_runtime.invocation import Invocations
from labkit.local.lambda_runtime.layers import Layers
from labkit.local.lambda_runtime.log_lines import LogWriter
from labkit.local.lambda_runtime.names import split
from labkit.local.lambda_runtime.permissions import Permissions
from labkit.local.lambda_runtime.tags import Tags
from labkit.local.lambda_runtime.versions import Versions
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
        deliver: Callable[..., Awaitable[None]],
        tags_of_mapping: Callable[[str], dict[str, str] | None],
        clock: Clock,
        endpoint: str,
        state_dir: Path,
        max_environments: int,
        concurrency: int,
        measure: Callable[[str, str, float], None],
        emit: Callable[..., None],
        note: Callable[..., None] = lambda *change: None,
    ) -> None:
        folder = state_dir / "functions"
        self._environments, self._logs = Environments(max_environments), LogWriter(put_log_events)
        self._tags_of_mapping = tags_of_mapping
        locations = CodeLocations(endpoint=endpoint, package=self._package, now=clock.now)
        self.code_page = locations.page
        self._layers = layers = Layers(get_object=get_object, locate=locations.of, folder=folder, clock=clock)
        self._functions = functions = Functions(
            trusts=trusts,
            role_can=role_can,
            get_object=get_object,
            renew=self._environments.renew,
            forget=self._environments.forget,
            layers=layers.attach,
            locate=locations.of,
            folder=folder,
            clock=clock,
        )
        self._permissions = Permissions(functions)
        self.policy_of = self._permissions.policy_of
        self._concurrency = Concurrency(
            functions, account=concurrency, code_of_layers=layers.code_size, measure=measure
        )
        self._invocations = Invocations(
            functions,
            self._concurrency,
            self._environments,
            self._logs,
            invoke_event=self.invoke_event,
            issue_credentials=issue_credentials,
            role_can=role_can,
            content_of_layer=layers.content,
            folder=folder,
            endpoint=endpoint,
            measure=measure,
            emit=emit,
        )
        self.invoke = self._invocations.invoke
        self._configs = EventInvokeConfigs(functions, role_can=role_can, clock=clock)
        self._async = AsyncInvocations(
            invoke=self.invoke,
            functions=functions,
            deliver=deliver,
            role_can=role_can,
            clock=clock,
            measure=measure,
            note=note,
            emit=emit,
        )

    def _package(self, arn: str) -> bytes:
        return self._layers.content(arn) if ":layer:" in arn else self._functions.version(arn).package

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            **self._functions.operations,
            **Versions(self._functions).operations,
            **Tags(self._functions, self._tags_of_mapping).operations,
            **self._layers.operations,
            **self._concurrency.operations,
            **self._permissions.operations,
            **self._configs.operations,
            "Invoke": self._invocations.invoke_api,
        }

    def invoke_event(self, arn: str, payload: bytes, *, source: str, request_id: str = "") -> str:
        """Queue an asynchronous invocation and return its request id; *arn* may name a version or an alias."""
        self._functions.version(arn)
        return self._async.accept(arn, payload, request_id or str(uuid.uuid4()), source)

    def configuration(self, arn: str) -> dict[str, Any]:
        """Return what GetFunctionConfiguration answers."""
        version = self._functions.version(arn)
        self._functions.find(arn).become_active()
        return described(version, split(arn)[1])

    def description(self) -> dict[str, int]:
        """Count the functions, the processes of their environments and the invocations, for the health page."""
        return {
            "functions": len(self._functions.all),
            "environments": len(self._environments),
            "invocations_under_way": sum(self._concurrency.running.values()),
        }

    def picture(self, total: Callable[[str, str], float], latest: Callable[[str, str], float]) -> Picture:
        """Draw the functions; *total* and *latest* answer for a metric of theirs."""
        drawn: Picture = []
        for arn, function in self._functions.all.items():
            facts = {"invocations": int(total(arn, "Invocations")), "failed": int(total(arn, "Errors"))}
            problem = "its last invocation failed" if latest(arn, "Errors") else ""
            drawn.append(Part(arn, "Lambda function", function.name, facts, problem))
            for config in function.invoke_configs.values():
                for when, target in (config.get("DestinationConfig") or {}).items():
                    if destination := (target or {}).get("Destination"):
                        how = {"OnFailure": "on failure"}.get(when, "on success")
                        drawn.append(Arrow(arn, part_of(destination), how))
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
        """Return functions, layers (zips are bytes) and asynchronous events, as plain data; processes are not kept."""
        return {**self.settings(), "events": self._async.snapshot()}

    def settings(self) -> dict[str, Any]:
        """Return the same without the events, of which each change is noted."""
        return {"functions": self._functions.snapshot(), "layers": self._layers.snapshot()}

    def replay(self, state: dict[str, Any], kind: str, what: Any) -> None:
        """Do to a snapshot what was noted of an event."""
        self._async.replay(state["events"], kind, what)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a snapshot."""
        self._layers.restore(state["layers"])
        self._functions.restore(state["functions"])
        self._async.restore(state["events"])
