"""Event source mappings: Lambda polls a queue or a stream and invokes a function with batches.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from copy import deepcopy
from typing import Any

from labkit.local.api_call import ACCOUNT_ID, ApiCall, AwsError
from labkit.local.clock import Clock
from labkit.local.event_source_mapping.event_sources import check_queue, place_on_stream
from labkit.local.event_source_mapping.mapping_settings import apply, defaults, invalid, shown
from labkit.local.event_source_mapping.pollers import KINDS, Pollers
from labkit.local.event_source_mapping.sqs import Queues
from labkit.local.event_source_mapping.stream_poller import Streams
from labkit.local.event_source_mapping.surroundings import Surroundings
from labkit.local.picture import Arrow, Picture, part_of

LARGEST_PAGE = 100


class EventSourceMappings:
    """The mappings; *streams* are read by the name of their service in the ARN."""

    def __init__(
        self,
        *,
        queues: Queues,
        streams: Mapping[str, Streams],
        invoke: Callable[[str, bytes], Awaitable[Any]],
        configuration: Callable[[str], dict[str, Any]],
        role_can: Callable[[str, str, str], Awaitable[bool]],
        deliver: Callable[[str, str], Awaitable[None]],
        iterator_age: Callable[[str, float], None],
        most_batches: int,
        clock: Clock,
        emit: Callable[..., None],
        note: Callable[..., None] = lambda *change: None,
    ) -> None:
        self._queues, self._streams, self._clock = queues, streams, clock
        self._configuration, self._role_can = configuration, role_can
        surroundings = Surroundings(
            invoke=invoke,
            configuration=configuration,
            role_can=role_can,
            deliver=deliver,
            note=note,
            iterator_age=iterator_age,
            clock=clock,
            emit=emit,
        )
        self._mappings: dict[str, dict[str, Any]] = {}
        self._pollers = Pollers(queues=queues, streams=streams, most_batches=most_batches, surroundings=surroundings)
        self.observe, self.close = self._pollers.observe, self._pollers.close

    def description(self) -> dict[str, int]:
        """Count the mappings, and those that poll, for the health page."""
        return {"mappings": len(self._mappings), "polling": len(self._pollers)}

    def picture(self) -> Picture:
        """Draw the mappings as arrows that say what is wrong with them."""
        drawn: Picture = []
        for mapping in self._mappings.values():
            result, how = str(mapping.get("LastProcessingResult") or ""), "event source mapping"
            how += f", {mapping['State']}" if mapping["State"] != "Enabled" else ""
            how += f", {result}" if result.startswith("PROBLEM") else ""
            drawn.append(Arrow(part_of(mapping["EventSourceArn"]), mapping["FunctionArn"], how))
            failures = (mapping.get("DestinationConfig") or {}).get("OnFailure") or {}
            if failures.get("Destination"):
                drawn.append(Arrow(mapping["FunctionArn"], part_of(failures["Destination"]), "on failure"))
        return drawn

    @property
    def operations(self) -> dict[str, Callable[[ApiCall], Any]]:
        """The operations of the API."""
        return {
            "CreateEventSourceMapping": self.create,
            "GetEventSourceMapping": lambda call: shown(self._of(call)),
            "UpdateEventSourceMapping": self.update,
            "DeleteEventSourceMapping": self.delete,
            "ListEventSourceMappings": self.list_mappings,
        }

    async def create(self, call: ApiCall) -> dict[str, Any]:
        """Create a mapping; it is Enabled a moment later."""
        params, arn = call.params, str(call.params.get("EventSourceArn") or "")
        source = arn.split(":")[2] if arn.count(":") >= 5 else ""
        if source != "sqs" and source not in self._streams:
            raise invalid(
                "The local cloud maps SQS queues, DynamoDB streams and Kinesis streams to functions; "
                f"EventSourceArn was {arn!r}."
            )
        configuration = self._configuration(_in_region(str(params.get("FunctionName") or ""), call.region))
        mapping = self._new(call, configuration["FunctionArn"], source)
        apply(mapping, params, source)
        if source == "sqs":
            await check_queue(arn, configuration, self._queues, self._role_can)
        else:
            streams, kind = self._streams[source], KINDS[source]
            mapping |= await place_on_stream(params, configuration, streams, kind, self._role_can)
        self._check_new(mapping, source)
        self._mappings[mapping["UUID"]] = mapping
        if params.get("Enabled") is False:
            mapping["State"] = "Disabled"
        else:
            self._pollers.change(mapping, enabled=True)
        return shown(mapping)

    def _new(self, call: ApiCall, function_arn: str, source: str) -> dict[str, Any]:
        uid = str(uuid.uuid4())
        return {
            "UUID": uid,
            "EventSourceArn": call.params["EventSourceArn"],
            "EventSourceMappingArn": f"arn:aws:lambda:{call.region}:{ACCOUNT_ID}:event-source-mapping:{uid}",
            "FunctionArn": function_arn,
            "LastModified": self._clock.now(),
            "State": "Creating",
            "StateTransitionReason": "USER_INITIATED" if source == "sqs" else "User action",
            "Region": call.region,
            "Tags": dict(call.params.get("Tags") or {}),
            **defaults(source),
        }

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

    def update(self, call: ApiCall) -> dict[str, Any]:
        """Change a mapping; Enabled false stops it."""
        mapping, params = self._of(call), call.params
        if mapping["State"] == "Deleting":
            text = "Cannot update the event source mapping because it is in use."
            raise AwsError("ResourceInUseException", text, 400, Type="User")
        changed = dict(mapping)
        apply(changed, params, mapping["EventSourceArn"].split(":")[2])
        if params.get("FunctionName"):
            changed["FunctionArn"] = self._configuration(_in_region(params["FunctionName"], call.region))["FunctionArn"]
        was_enabled = mapping["State"] in ("Enabled", "Creating", "Enabling", "Updating")
        wanted = was_enabled if params.get("Enabled") is None else bool(params["Enabled"])
        mapping.update(changed)
        mapping["LastModified"] = self._clock.now()
        mapping["State"] = ("Updating" if was_enabled else "Enabling") if wanted else "Disabling"
        self._pollers.change(mapping, enabled=wanted)
        return shown(mapping)

    def delete(self, call: ApiCall) -> dict[str, Any]:
        """Delete a mapping; the batch under way finishes."""
        mapping = self._of(call)
        if mapping["State"] != "Deleting":
            mapping["State"] = "Deleting"
            self._pollers.end(mapping, then=lambda: self._mappings.pop(mapping["UUID"]))
        return shown(mapping)

    def list_mappings(self, call: ApiCall) -> dict[str, Any]:
        """List mappings, by source and function if given, in pages of 100 at most."""
        source, name = call.params.get("EventSourceArn"), call.params.get("FunctionName")
        function = _in_region(str(name), call.region) if name else None
        found = [
            uid
            for uid, mapping in self._mappings.items()
            if mapping["Region"] == call.region
            and source in (None, mapping["EventSourceArn"])
            and function in (None, mapping["FunctionArn"])
        ]
        marker, most = call.params.get("Marker"), min(call.params.get("MaxItems") or LARGEST_PAGE, LARGEST_PAGE)
        left = found[found.index(marker) + 1 :] if marker in found else found
        page = {"EventSourceMappings": [shown(self._mappings[uid]) for uid in left[:most]]}
        return page | ({"NextMarker": left[most - 1]} if len(left) > most else {})

    def tags_of(self, arn: str) -> dict[str, str] | None:
        """Return the tags of a mapping, to be changed; ``None`` where there is no such mapping."""
        mapping = self._mappings.get(arn.rpartition(":")[2])
        return mapping.setdefault("Tags", {}) if mapping else None

    def _of(self, call: ApiCall) -> dict[str, Any]:
        mapping = self._mappings.get(str(call.params.get("UUID")))
        if mapping is None:
            raise AwsError("ResourceNotFoundException", "The resource you requested does not exist.", 404)
        return mapping

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the mappings with their positions, as plain data."""
        return [deepcopy(mapping) for mapping in self._mappings.values() if mapping["State"] != "Deleting"]

    @staticmethod
    def replay(state: list[dict[str, Any]], uid: str, shard: str, lane: int, position: int) -> None:
        """Do to a snapshot what was noted: a lane of a mapping has got on to a position."""
        for mapping in state:
            lanes = mapping.get("Positions", {}).get(shard, [])
            if mapping["UUID"] == uid and lane < len(lanes):
                lanes[lane] = position

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on from a snapshot; what was on its way into a state arrives there."""
        for kept in state:
            mapping = deepcopy(kept)
            mapping["State"] = "Disabled" if mapping["State"] in ("Disabled", "Disabling") else "Enabled"
            self._mappings[mapping["UUID"]] = mapping
            if mapping["State"] == "Enabled":
                self._pollers.start(mapping)


def _in_region(name: str, region: str) -> str:
    """Return the ARN of a function, version or alias named in any form."""
    if name.startswith("arn:"):
        return name
    return f"arn:aws:lambda:{region}:{ACCOUNT_ID}:function:{name.rpartition('function:')[2]}"
