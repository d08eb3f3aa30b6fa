"""What Lambda asks of a queue or a stream before a mapping reads it: that it is there, and that the role may read it.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.event_source_mapping.mapping_settings import check_starting_position, invalid
from labkit.local.event_source_mapping.sqs import Queues
from labkit.local.event_source_mapping.stream_batch import StreamKind
from labkit.local.event_source_mapping.stream_poller import Streams

QUEUE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")

RoleCan = Callable[[str, str, str], Awaitable[bool]]


async def check_queue(arn: str, configuration: dict[str, Any], queues: Queues, role_can: RoleCan) -> None:
    """Refuse a queue that a function with this *configuration* cannot work on.

    Raises:
        AwsError: ``InvalidParameterValueException``.
    """
    for action in QUEUE_ACTIONS:
        if not await role_can(configuration["Role"], action, arn):
            verb = action.partition(":")[2]
            raise invalid(f"The provided execution role does not have permissions to call {verb} on SQS")
    try:
        visibility = int(queues.attributes_of(arn)["VisibilityTimeout"])
    except AwsError as error:
        raise invalid(
            f"Error occurred while ReceiveMessage. SQS Error Code: {error.code}. SQS Error Message: {error.message}"
        ) from None
    if visibility < configuration["Timeout"]:
        raise invalid(
            f"Queue visibility timeout: {visibility} seconds is less than Function timeout: "
            f"{configuration['Timeout']} seconds"
        )


async def place_on_stream(
    params: dict[str, Any], configuration: dict[str, Any], streams: Streams, kind: StreamKind, role_can: RoleCan
) -> dict[str, Any]:
    """Return where the mapping that *params* ask for begins to read its stream.

    Raises:
        AwsError: ``InvalidParameterValueException`` or ``ValidationException``.
    """
    arn = params["EventSourceArn"]
    timestamp = check_starting_position(params, arn.split(":")[2])
    for action in kind.actions:
        if not await role_can(configuration["Role"], action, arn):
            raise invalid(kind.no_access.format(arn=arn))
    shards = await streams.shards(arn)
    if shards is None:
        raise invalid(f"Stream not found: {arn}")
    position = params["StartingPosition"]
    place: dict[str, Any] = {"StartingPosition": position}
    if position == "AT_TIMESTAMP":
        place["StartingPositionTimestamp"] = timestamp
    return place | {"Positions": {shard: [await streams.start(arn, shard, position, timestamp)] for shard in shards}}
