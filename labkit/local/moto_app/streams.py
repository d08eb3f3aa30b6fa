"""DynamoDB streams that moto keeps, read without GetRecords, whose cost grows with what was read before."""

from __future__ import annotations

import base64
import math
from datetime import UTC
from typing import Any

from labkit.local.moto_app.app import MotoApp, backend


class Streams:
    """Reads of moto's streams, each in moto's thread. A position counts the records of a stream from 0."""

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto

    async def length(self, stream_arn: str) -> int | None:
        """Return how many records a stream has, or ``None`` when it does not exist."""
        return await self._moto.run(_length, stream_arn)

    async def records(self, stream_arn: str, position: int, limit: int) -> list[dict[str, Any]]:
        """Return up to *limit* records from *position*, as Lambda hands them to a function.

        Raises:
            LookupError: The stream does not exist any more.
        """
        return await self._moto.run(_records, stream_arn, position, limit)


def _shard(stream_arn: str) -> Any:
    region = stream_arn.split(":")[3]
    for table in backend("dynamodb", region).tables.values():
        if table.latest_stream_label and f"{table.table_arn}/stream/{table.latest_stream_label}" == stream_arn:
            return table.stream_shard
    return None


def _length(stream_arn: str) -> int | None:
    shard = _shard(stream_arn)
    return None if shard is None else len(shard.items)


def _records(stream_arn: str, position: int, limit: int) -> list[dict[str, Any]]:
    shard = _shard(stream_arn)
    if shard is None:
        raise LookupError(stream_arn)
    return [_as_lambda_sees_it(item.to_json(), stream_arn) for item in shard.items[position : position + limit]]


def _as_lambda_sees_it(record: dict[str, Any], stream_arn: str) -> dict[str, Any]:
    data = record["dynamodb"]
    images = {name: _plain(data[name]) for name in ("Keys", "NewImage", "OldImage") if data.get(name)}
    created = data["ApproximateCreationDateTime"].replace(tzinfo=UTC).timestamp()
    return {
        "eventID": record["eventID"].replace("-", ""),
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": stream_arn.split(":")[3],
        "dynamodb": {
            "ApproximateCreationDateTime": int(created),
            **images,
            "SequenceNumber": data["SequenceNumber"],
            "SizeBytes": sum(_size(image) for image in images.values()),
            "StreamViewType": data["StreamViewType"],
        },
        "eventSourceARN": stream_arn,
    }


def _plain(image: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in image.items()}


def _plain_value(typed: Any) -> Any:
    typed = typed.to_json() if hasattr(typed, "to_json") else typed
    [(kind, value)] = typed.items()
    if kind == "B" and isinstance(value, bytes):
        value = base64.b64encode(value).decode()
    if kind == "M":
        value = _plain(value)
    if kind == "L":
        value = [_plain_value(one) for one in value]
    return {kind: value}


def _size(image: dict[str, Any]) -> int:
    return sum(len(name.encode()) + _value_size(value) for name, value in image.items())


def _value_size(typed: dict[str, Any]) -> int:
    """The size of a value: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html."""
    [(kind, value)] = typed.items()
    if kind == "N":
        return math.ceil(len(str(value).lstrip("-").replace(".", "")) / 2) + 1
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "M":
        return 3 + _size(value) + len(value)
    if kind == "L":
        return 3 + sum(1 + _value_size(one) for one in value)
    return len(str(value).encode()) if kind in ("S", "B") else sum(len(str(one).encode()) for one in value)
