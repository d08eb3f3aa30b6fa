"""DynamoDB streams that moto keeps, read without GetRecords, whose cost grows with what was read before."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from datetime import UTC
from typing import Any

from labkit.local.api_call import ApiCall, Forward, HttpResponse, Interceptor
from labkit.local.moto_app.app import MotoApp, backend

EVENT_VERSION = "1.1"


class Streams:
    """Reads of moto's streams, each in moto's thread. A position counts the records of a stream from 0."""

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto
        self._changes: dict[str, _Changes] = {}

    @property
    def interceptors(self) -> dict[tuple[str, str], Interceptor]:
        """What stands before which operation."""
        return {("dynamodbstreams", "GetRecords"): self.get_records}

    async def get_records(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Read a shard by hand: the version and the id of a record look as they do when Lambda reads it.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
        """
        answer = await forward(call)
        if answer.status == 200:
            content = json.loads(answer.body)
            for record in content["Records"]:
                record["eventID"], record["eventVersion"] = _event_id(record), EVENT_VERSION
            answer.body = json.dumps(content).encode()
        return answer

    async def shards(self, stream_arn: str) -> list[str] | None:
        """Return the ids of a stream's shards, or ``None`` when it does not exist."""
        shard = await self._moto.run(_shard, stream_arn)
        return None if shard is None else [str(shard.id)]

    async def start(self, stream_arn: str, shard: str, position: str, timestamp: float) -> int:
        """Return the position of ``"TRIM_HORIZON"`` or ``"LATEST"``."""
        return await self._moto.run(_length, stream_arn) if position == "LATEST" else 0

    async def records(self, stream_arn: str, shard: str, position: int, limit: int) -> list[dict[str, Any] | None]:
        """Return up to *limit* records from *position*, as Lambda hands them to a function.

        ``None`` stands for a record that moto makes and AWS does not: of a write that changed nothing.

        Raises:
            LookupError: The stream does not exist any more.
        """
        changes = self._changes.setdefault(stream_arn, _Changes())
        try:
            return await self._moto.run(_records, stream_arn, position, limit, changes)
        except LookupError:
            self._changes.pop(stream_arn, None)
            raise


class _Changes:
    """Which records of one stream changed nothing; only NEW_IMAGE needs the images that came before."""

    def __init__(self) -> None:
        self._seen = 0
        self._images: dict[str, bytes] = {}
        self._unchanged: set[int] = set()

    def follow(self, items: list[Any], position: int, stream_arn: str) -> None:
        """Look at what stands before *position* and was not looked at yet."""
        while self._seen < position:
            self.is_one(self._seen, _as_lambda_sees_it(items[self._seen].to_json(), stream_arn))

    def is_one(self, position: int, record: dict[str, Any]) -> bool:
        """Whether the record at *position* is of a write that changed the item."""
        if position < self._seen:
            return position not in self._unchanged
        self._seen = position + 1
        data = record["dynamodb"]
        if data["StreamViewType"] == "NEW_AND_OLD_IMAGES":
            unchanged = record["eventName"] == "MODIFY" and data.get("NewImage") == data.get("OldImage")
        elif data["StreamViewType"] == "NEW_IMAGE":
            key = json.dumps(data["Keys"], sort_keys=True)
            image = hashlib.sha256(json.dumps(data.get("NewImage"), sort_keys=True).encode()).digest()
            unchanged = record["eventName"] == "MODIFY" and self._images.get(key) == image
            self._images[key] = image
        else:
            unchanged = False
        if unchanged:
            self._unchanged.add(position)
        return not unchanged


def _shard(stream_arn: str) -> Any:
    region = stream_arn.split(":")[3]
    for table in backend("dynamodb", region).tables.values():
        if table.latest_stream_label and f"{table.table_arn}/stream/{table.latest_stream_label}" == stream_arn:
            return table.stream_shard
    return None


def _length(stream_arn: str) -> int:
    shard = _shard(stream_arn)
    return 0 if shard is None else len(shard.items)


def _records(stream_arn: str, position: int, limit: int, changes: _Changes) -> list[dict[str, Any] | None]:
    shard = _shard(stream_arn)
    if shard is None:
        raise LookupError(stream_arn)
    changes.follow(shard.items, position, stream_arn)
    found: list[dict[str, Any] | None] = []
    for number, item in enumerate(shard.items[position : position + limit], position):
        record = _as_lambda_sees_it(item.to_json(), stream_arn)
        found.append(record if changes.is_one(number, record) else None)
    return found


def _as_lambda_sees_it(record: dict[str, Any], stream_arn: str) -> dict[str, Any]:
    data = record["dynamodb"]
    images = {name: _plain(data[name]) for name in ("Keys", "NewImage", "OldImage") if data.get(name)}
    created = data["ApproximateCreationDateTime"].replace(tzinfo=UTC).timestamp()
    return {
        "eventID": _event_id(record),
        "eventName": record["eventName"],
        "eventVersion": EVENT_VERSION,
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


def _event_id(record: dict[str, Any]) -> str:
    return str(record["eventID"]).replace("-", "")


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
