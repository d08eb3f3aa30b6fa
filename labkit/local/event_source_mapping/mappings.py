"""Event source mappings: Lambda polls a queue or a stream and invokes a function with batches.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.event_source_mapping.filters import compile_filters
from labkit.local.event_source_mapping.sqs import SqsPoller
from labkit.local.event_source_mapping.streams import StreamPoller

QUEUE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
STREAM_ACTIONS = ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream")
COMMON = {"BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "FilterCriteria"}
STREAM_ONLY = {
    "ParallelizationFactor": 1,
    "BisectBatchOnFunctionError": False,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "TumblingWindowInSeconds": 0,
}
HIDDEN = ("Position", "Region")


class EventSourceMappings:
    """The mappings and their pollers."""

    def __init__(
        self,
        *,
        queues: Any,
        stream_length: Callable[[str], Awaitable[int | None]],
        read_stream: Callable[[str, int, int], Awaitable[list[dict[str, Any]]]],
        invoke: Callable[[str, bytes], Awaitable[Any]],
        configuration: Callable[[str], dict[str, Any]],
        role_can: Callable[[str, str, str], Awaitable[bool]],
        deliver: Callable[[str, str], Awaitable[None]],
        clock: Clock,
        emit: Callable[..., None],
    ) -> None:
        self._queues, self._stream_length, self._read_stream = queues, stream_length, read_stream
        self._invoke, self._configuration, self._role_can = invoke, configuration, role_can
        self._deliver, self._clock, self._emit = deliver, clock, emit
        self._mappings: dict[str, dict[str, Any]] = {}
        self._pollers: dict[str, tuple[SqsPoller | StreamPoller, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def description(self) -> dict[str, int]:
        """Count the mappings, and those that poll, for the health page."""
        return {"mappings": len(self._mappings), "polling": len(self._pollers)}

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "CreateEventSourceMapping": self.create,
            "GetEventSourceMapping": lambda call: _shown(self._of(call)),
            "UpdateEventSourceMapping": self.update,
            "DeleteEventSourceMapping": self.delete,
            "ListEventSourceMappings": self.list_mappings,
        }

    async def create(self, call: ApiCall) -> dict[str, Any]:
        """Create a mapping; it is Enabled a moment later."""
        params, source = call.params, str(call.params.get("EventSourceArn") or "")
        kind = source.split(":")[2] if source.count(":") >= 5 else ""
        if kind not in ("sqs", "dynamodb"):
            raise _invalid(
                f"The local cloud maps SQS queues and DynamoDB streams to functions; EventSourceArn was {source!r}."
            )
        configuration = self._configuration(_in_region(str(params.get("FunctionName") or ""), call.region))
        mapping = self._defaults(kind, call, configuration["FunctionArn"])
        _apply(mapping, params)
        _check(mapping, kind)
        compile_filters(mapping.get("FilterCriteria"))
        self._check_new(mapping, kind)
        await (self._check_queue if kind == "sqs" else self._check_stream)(mapping, configuration, params)
        self._mappings[mapping["UUID"]] = mapping
        if params.get("Enabled") is False:
            mapping["State"] = "Disabled"
        else:
            self._later(self._enable(mapping))
        return _shown(mapping)

    def _defaults(self, kind: str, call: ApiCall, function_arn: str) -> dict[str, Any]:
        uid = str(uuid.uuid4())
        mapping: dict[str, Any] = {
            "UUID": uid,
            "BatchSize": 10 if kind == "sqs" else 100,
            "MaximumBatchingWindowInSeconds": 0,
            "EventSourceArn": call.params["EventSourceArn"],
            "EventSourceMappingArn": f"arn:aws:lambda:{call.region}:{ACCOUNT_ID}:event-source-mapping:{uid}",
            "FunctionArn": function_arn,
            "FunctionResponseTypes": [],
            "LastModified": self._clock.now(),
            "State": "Creating",
            "StateTransitionReason": "USER_INITIATED" if kind == "sqs" else "User action",
            "Region": call.region,
        }
        if kind == "dynamodb":
            position = call.params.get("StartingPosition")
            mapping |= {**STREAM_ONLY, "StartingPosition": position, "Position": 0}
            mapping |= {"DestinationConfig": {"OnFailure": {}}, "LastProcessingResult": "No records processed"}
        return mapping

    def _check_new(self, mapping: dict[str, Any], kind: str) -> None:
        for other in self._mappings.values():
            if (other["EventSourceArn"], other["FunctionArn"]) == (mapping["EventSourceArn"], mapping["FunctionArn"]):
                name = mapping["FunctionArn"].rpartition(":")[2]
                start = "An event source mapping with SQS arn" if kind == "sqs" else "The event source arn"
                verb = "already exists" if kind == "sqs" else "provided mapping already exists"
                raise AwsError(
                    "ResourceConflictException",
                    f'{start} (" {mapping["EventSourceArn"]} ") and function (" {name} ") {verb}. Please update or '
                    f"delete the existing mapping with UUID {other['UUID']}",
                    409,
                )

    async def _check_queue(self, mapping: dict[str, Any], configuration: dict[str, Any], _: dict[str, Any]) -> None:
        arn = mapping["EventSourceArn"]
        for action in QUEUE_ACTIONS:
            if not await self._role_can(configuration["Role"], action, arn):
                verb = action.partition(":")[2]
                raise _invalid(f"The provided execution role does not have permissions to call {verb} on SQS")
        try:
            visibility = int(self._queues.attributes_of(arn)["VisibilityTimeout"])
        except AwsError as error:
            raise _invalid(
                f"Error occurred while ReceiveMessage. SQS Error Code: {error.code}. SQS Error Message: {error.message}"
            ) from None
        if visibility < configuration["Timeout"]:
            raise _invalid(
                f"Queue visibility timeout: {visibility} seconds is less than "
                f"Function timeout: {configuration['Timeout']} seconds"
            )

    async def _check_stream(
        self, mapping: dict[str, Any], configuration: dict[str, Any], params: dict[str, Any]
    ) -> None:
        arn = mapping["EventSourceArn"]
        if params.get("StartingPosition") not in ("TRIM_HORIZON", "LATEST"):
            value = params.get("StartingPosition") or "null"
            raise AwsError(
                "ValidationException" if value != "null" else "InvalidParameterValueException",
                f"1 validation error detected: Value {value} at 'startingPosition' failed to satisfy constraint: "
                "Member must not be null.",
            )
        for action in STREAM_ACTIONS:
            if not await self._role_can(configuration["Role"], action, arn):
                raise _invalid(
                    f"Cannot access stream {arn}. Please ensure the role can perform the GetRecords, GetShardIterator, "
                    "DescribeStream, and ListStreams Actions on your stream in IAM."
                )
        length = await self._stream_length(arn)
        if length is None:
            raise _invalid(f"Stream not found: {arn}")
        mapping["Position"] = length if params["StartingPosition"] == "LATEST" else 0

    async def _enable(self, mapping: dict[str, Any]) -> None:
        await asyncio.sleep(0.02)
        if mapping["UUID"] in self._mappings and mapping["State"] in ("Creating", "Enabling", "Updating"):
            mapping["State"] = "Enabled"
            self._start(mapping)

    def _start(self, mapping: dict[str, Any]) -> None:
        poller: SqsPoller | StreamPoller
        if mapping["EventSourceArn"].split(":")[2] == "sqs":
            poller = SqsPoller(
                mapping, queues=self._queues, invoke=self._invoke, scaled=self._clock.scaled, emit=self._emit
            )
        else:
            poller = StreamPoller(
                mapping,
                read=self._read_stream,
                invoke=self._invoke,
                deliver=self._deliver,
                scaled=self._clock.scaled,
                emit=self._emit,
            )
        self._pollers[mapping["UUID"]] = (poller, asyncio.create_task(poller.run()))

    async def _stop(self, uid: str) -> None:
        poller, task = self._pollers.pop(uid, (None, None))
        if task:
            task.cancel()
        if isinstance(poller, SqsPoller):
            await poller.drain()

    async def update(self, call: ApiCall) -> dict[str, Any]:
        """Change a mapping; Enabled false stops it."""
        mapping, params = self._of(call), call.params
        changed = dict(mapping)
        _apply(changed, params)
        kind = mapping["EventSourceArn"].split(":")[2]
        _check(changed, kind)
        compile_filters(changed.get("FilterCriteria"))
        if params.get("FunctionName"):
            changed["FunctionArn"] = self._configuration(_in_region(params["FunctionName"], call.region))["FunctionArn"]
        was_enabled = mapping["State"] in ("Enabled", "Creating", "Enabling", "Updating")
        wanted = bool(was_enabled if params.get("Enabled") is None else params["Enabled"])
        mapping.update(changed)
        mapping["LastModified"] = self._clock.now()
        mapping["State"] = ("Updating" if was_enabled else "Enabling") if wanted else "Disabling"
        self._later(self._transition(mapping, wanted))
        return _shown(mapping)

    async def _transition(self, mapping: dict[str, Any], wanted: bool) -> None:
        await self._stop(mapping["UUID"])
        if wanted:
            await self._enable(mapping)
        elif mapping["State"] == "Disabling":
            mapping["State"] = "Disabled"

    async def delete(self, call: ApiCall) -> dict[str, Any]:
        """Delete a mapping; the batch under way finishes."""
        mapping = self._of(call)
        mapping["State"] = "Deleting"
        shown = _shown(mapping)
        self._later(self._delete(mapping))
        return shown

    async def _delete(self, mapping: dict[str, Any]) -> None:
        await self._stop(mapping["UUID"])
        self._mappings.pop(mapping["UUID"], None)

    def list_mappings(self, call: ApiCall) -> dict[str, Any]:
        """List mappings, by source and function if given."""
        source, name = call.params.get("EventSourceArn"), call.params.get("FunctionName")
        function = _in_region(str(name), call.region) if name else None
        found = [
            _shown(mapping)
            for mapping in self._mappings.values()
            if mapping["Region"] == call.region
            and source in (None, mapping["EventSourceArn"])
            and function in (None, mapping["FunctionArn"])
        ]
        return {"EventSourceMappings": found}

    def table_written(self) -> None:
        """Wake the pollers of streams: something was written to a table."""
        for poller, _ in self._pollers.values():
            if isinstance(poller, StreamPoller):
                poller.wake()

    def _of(self, call: ApiCall) -> dict[str, Any]:
        mapping = self._mappings.get(str(call.params.get("UUID")))
        if mapping is None:
            raise AwsError("ResourceNotFoundException", "The resource you requested does not exist.", 404)
        return mapping

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop polling."""
        for _, task in self._pollers.values():
            task.cancel()

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the mappings with their positions, as plain data."""
        return [deepcopy(mapping) for mapping in self._mappings.values() if mapping["State"] != "Deleting"]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on from a snapshot; what was on its way into a state arrives there."""
        for kept in state:
            mapping = deepcopy(kept)
            mapping["State"] = "Disabled" if mapping["State"] in ("Disabled", "Disabling") else "Enabled"
            self._mappings[mapping["UUID"]] = mapping
            if mapping["State"] == "Enabled":
                self._start(mapping)


def _shown(mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in HIDDEN and value is not None}


def _apply(mapping: dict[str, Any], params: dict[str, Any]) -> None:
    names = (
        COMMON
        | {"ScalingConfig"}
        | (set(STREAM_ONLY) | {"DestinationConfig"} if "StartingPosition" in mapping else set())
    )
    for name in names:
        if params.get(name) is not None:
            mapping[name] = params[name]


def _check(mapping: dict[str, Any], kind: str) -> None:
    size, window = mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]
    if not 1 <= size <= 10_000 or not 0 <= window <= 300:
        raise _invalid("BatchSize must be 1 to 10000 and MaximumBatchingWindowInSeconds 0 to 300.")
    if kind == "sqs" and size > 10 and window == 0:
        raise _invalid(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
        )
    concurrency = (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency")
    if concurrency is not None and not 2 <= concurrency <= 1000:
        raise _invalid("MaximumConcurrency must be 2 to 1000.")
    if mapping.get("TumblingWindowInSeconds"):
        raise _invalid("The local cloud does not support tumbling windows yet.")


def _in_region(name: str, region: str) -> str:
    if name.startswith("arn:"):
        return name.removesuffix(":$LATEST")
    return f"arn:aws:lambda:{region}:{ACCOUNT_ID}:function:{name.rpartition(':')[2]}"


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message, 400, Type="User")
