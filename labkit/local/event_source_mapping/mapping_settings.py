"""The settings of a mapping: what it begins with, what may be asked for, and within which limits.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from labkit.local.api_call import AwsError
from labkit.local.event_source_mapping.filters import compile_filters

OF_ALL = ("BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "FilterCriteria")
OF_QUEUES = ("ScalingConfig",)
OF_STREAMS = {
    "ParallelizationFactor": 1,
    "BisectBatchOnFunctionError": False,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "TumblingWindowInSeconds": 0,
}
NOT_SUPPORTED = (
    "ProvisionedPollerConfig", "MetricsConfig", "LoggingConfig", "KMSKeyArn", "SourceAccessConfigurations", "Topics",
    "Queues", "SelfManagedEventSource", "AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
)  # fmt: skip
NOT_SHOWN = ("Positions", "Region", "Tags")
LIMITS = {
    "BatchSize": (1, 10_000),
    "MaximumBatchingWindowInSeconds": (0, 300),
    "ParallelizationFactor": (1, 10),
    "MaximumRetryAttempts": (-1, 10_000),
    "MaximumRecordAgeInSeconds": (-1, 604_800),
    "TumblingWindowInSeconds": (0, 900),
}
DESTINATIONS = ("sqs", "sns", "s3")


def defaults(source: str) -> dict[str, Any]:
    """Return the settings of a mapping for which nothing was asked; *source* is ``"sqs"``, ``"dynamodb"`` …."""
    if source == "sqs":
        return {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": []}
    return {
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        **OF_STREAMS,
        "DestinationConfig": {"OnFailure": {}},
        "LastProcessingResult": "No records processed",
    }


def apply(mapping: dict[str, Any], params: dict[str, Any], source: str) -> None:
    """Take over what was asked for, if a mapping can have it.

    Raises:
        AwsError: ``InvalidParameterValueException``: this kind of source, or the local cloud, has no such setting, or
            not with this value. ``ValidationException`` for a number out of its limits.
    """
    mine = (*OF_ALL, *(OF_QUEUES if source == "sqs" else (*OF_STREAMS, "DestinationConfig")))
    for name in (*OF_ALL, *OF_QUEUES, *OF_STREAMS, "DestinationConfig"):
        if params.get(name) is None:
            continue
        if name not in mine:
            raise invalid(f"Unsupported {name} parameter for given event source mapping type.")
        emptied = name in ("FilterCriteria", "ScalingConfig") and not any(params[name].values())
        mapping[name] = None if emptied else params[name]
    for name in NOT_SUPPORTED:
        if params.get(name):
            raise invalid(f"The local cloud does not support {name} of event source mappings.")
    _check(mapping, source)
    compile_filters(mapping.get("FilterCriteria"))


def _check(mapping: dict[str, Any], source: str) -> None:
    for name, (least, most) in LIMITS.items():
        _check_limits(name, mapping.get(name), least, most)
    if 0 <= mapping.get("MaximumRecordAgeInSeconds", -1) < 60:
        raise invalid("MaximumRecordAgeInSeconds must be -1 (infinite) or 60 to 604800.")
    fifo = source == "sqs" and mapping["EventSourceArn"].endswith(".fifo")
    if fifo and mapping["MaximumBatchingWindowInSeconds"]:
        raise invalid("Batching window is not supported for FIFO queues")
    if source == "sqs" and mapping["BatchSize"] > 10 and mapping["MaximumBatchingWindowInSeconds"] == 0:
        raise invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
    _check_limits(
        "scalingConfig.maximumConcurrency", (mapping.get("ScalingConfig") or {}).get("MaximumConcurrency"), 2, 1000
    )
    if mapping.get("TumblingWindowInSeconds"):
        raise invalid("The local cloud does not support TumblingWindowInSeconds of event source mappings.")
    _check_destinations(mapping.get("DestinationConfig") or {})


def _check_limits(name: str, value: int | None, least: int, most: int) -> None:
    if value is None or least <= value <= most:
        return
    limit = f"less than or equal to {most}" if value > most else f"greater than or equal to {least}"
    raise AwsError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{name[0].lower()}{name[1:]}' failed to satisfy constraint: "
        f"Member must have value {limit}",
    )


def _check_destinations(config: dict[str, Any]) -> None:
    if config.get("OnSuccess"):
        raise invalid("Unsupported DestinationConfig parameter for given event source mapping type.")
    arn = str((config.get("OnFailure") or {}).get("Destination") or "")
    if arn and arn.split(":")[2:3] not in [[service] for service in DESTINATIONS]:
        raise invalid(f"An on-failure destination is a queue, a topic or a bucket; Destination was {arn!r}.")
    if arn.endswith(".fifo"):
        raise invalid(f"An on-failure destination is a standard queue or topic, no FIFO one; Destination was {arn!r}.")


def check_starting_position(params: dict[str, Any], source: str) -> float:
    """Check where a stream's mapping is to begin; return the epoch seconds of ``AT_TIMESTAMP``, else 0.

    Raises:
        AwsError: ``InvalidParameterValueException`` or ``ValidationException``.
    """
    position, timestamp = params.get("StartingPosition"), params.get("StartingPositionTimestamp")
    if not position:
        raise invalid(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null."
        )
    if position not in ("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"):
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value '{position}' at 'startingPosition' failed to satisfy constraint: "
            "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
        )
    if position == "AT_TIMESTAMP" and source != "kinesis":
        raise invalid(f"Unsupported starting position for arn type: {params['EventSourceArn']}")
    if (position == "AT_TIMESTAMP") != (timestamp is not None):
        raise invalid("StartingPositionTimestamp goes with the StartingPosition AT_TIMESTAMP, and only with it.")
    return float(timestamp.replace(tzinfo=UTC).timestamp()) if timestamp is not None else 0.0


def shown(mapping: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping as the API shows it."""
    return {key: value for key, value in mapping.items() if key not in NOT_SHOWN and value is not None}


def invalid(message: str) -> AwsError:
    """The error for a value that does not fit."""
    return AwsError("InvalidParameterValueException", message, 400, Type="User")
