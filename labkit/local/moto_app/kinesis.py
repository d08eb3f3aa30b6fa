"""Kinesis streams that moto keeps, read without GetRecords, whose cost grows with what was read before."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from labkit.local.api_call import ApiCall, AwsError, Forward, HttpResponse, Interceptor
from labkit.local.moto_app.answers import serialise
from labkit.local.moto_app.app import MotoApp, backend

PAGE = 100  # names, unless the caller says so


class KinesisStreams:
    """Reads of moto's Kinesis, each in moto's thread. A position counts the records of a shard from 0."""

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto

    @property
    def interceptors(self) -> dict[tuple[str, str], Interceptor]:
        """What stands before which operation."""
        return {("kinesis", "CreateStream"): self.create_stream, ("kinesis", "ListStreams"): self.list_streams}

    async def shards(self, stream_arn: str) -> list[str] | None:
        """Return the ids of a stream's shards, or ``None`` when it does not exist."""
        return await self._moto.run(_shards, stream_arn)

    async def start(self, stream_arn: str, shard: str, position: str, timestamp: float) -> int:
        """Return the position of ``"TRIM_HORIZON"``, ``"LATEST"`` or ``"AT_TIMESTAMP"`` (epoch seconds)."""
        return await self._moto.run(_start, stream_arn, shard, position, timestamp)

    async def records(self, stream_arn: str, shard: str, position: int, limit: int) -> list[dict[str, Any] | None]:
        """Return up to *limit* records from *position*, as Lambda hands them to a function (without the identity).

        Raises:
            LookupError: The stream does not exist any more.
        """
        return await self._moto.run(_records, stream_arn, shard, position, limit)

    async def create_stream(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Create a stream with its tags, which moto drops.

        https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
        """
        answer = await forward(call)
        if answer.status == 200 and call.params.get("Tags"):
            await self._moto.run(_tag, call.region, call.params["StreamName"], call.params["Tags"])
        return answer

    async def list_streams(self, call: ApiCall, _: Forward) -> HttpResponse:
        """List streams by name in pages, each but the last with a token, which moto leaves out.

        https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListStreams.html
        """
        after = _after(call.params)
        found = await self._moto.run(_summaries, call.region, after)
        limit = int(call.params.get("Limit") or PAGE)
        page = found[:limit]
        result: dict[str, Any] = {
            "StreamNames": [one["StreamName"] for one in page],
            "HasMoreStreams": len(found) > limit,
            "StreamSummaries": page,
        }
        if result["HasMoreStreams"]:
            result["NextToken"] = page[-1]["StreamName"].encode().hex()
        return serialise(call, result)


def _after(params: dict[str, Any]) -> str:
    if not params.get("NextToken"):
        return params.get("ExclusiveStartStreamName") or ""
    try:
        return bytes.fromhex(params["NextToken"]).decode()
    except ValueError:
        raise AwsError("InvalidArgumentException", "The NextToken is not one of ListStreams.") from None


def _summaries(region: str, after: str) -> list[dict[str, Any]]:
    streams = sorted(backend("kinesis", region).streams.values(), key=lambda one: str(one.stream_name))
    return [
        {
            "StreamName": one.stream_name,
            "StreamARN": one.arn,
            "StreamStatus": one.status,
            "StreamModeDetails": {"StreamMode": one.stream_mode.get("StreamMode", "PROVISIONED")},
            "StreamCreationTimestamp": one.creation_datetime,
        }
        for one in streams
        if one.stream_name > after
    ]


def _tag(region: str, name: str, tags: dict[str, str]) -> None:
    backend("kinesis", region).add_tags_to_stream(stream_arn=None, stream_name=name, tags=tags)


def _stream(stream_arn: str) -> Any:
    region = stream_arn.split(":")[3]
    return backend("kinesis", region).streams.get(stream_arn.rpartition("/")[2])


def _shards(stream_arn: str) -> list[str] | None:
    stream = _stream(stream_arn)
    return None if stream is None else list(stream.shards)


def _start(stream_arn: str, shard: str, position: str, timestamp: float) -> int:
    stream = _stream(stream_arn)
    records = list(stream.shards[shard].records.values()) if stream else []
    if position == "AT_TIMESTAMP":
        return next((at for at, record in enumerate(records) if _arrival(record) >= timestamp), len(records))
    return len(records) if position == "LATEST" else 0


def _records(stream_arn: str, shard: str, position: int, limit: int) -> list[dict[str, Any] | None]:
    stream = _stream(stream_arn)
    if stream is None:
        raise LookupError(stream_arn)
    kept = stream.shards[shard].records  # moto counts a shard's sequence numbers from 1
    numbers = range(position + 1, min(position + limit, len(kept)) + 1)
    return [_as_lambda_sees_it(kept[number], stream_arn, shard) for number in numbers]


def _as_lambda_sees_it(record: Any, stream_arn: str, shard: str) -> dict[str, Any]:
    """Shape: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.partition_key,
            "sequenceNumber": str(record.sequence_number),
            "data": record.data,
            "approximateArrivalTimestamp": round(_arrival(record), 3),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{record.sequence_number}",
        "eventName": "aws:kinesis:record",
        "awsRegion": stream_arn.split(":")[3],
        "eventSourceARN": stream_arn,
    }


def _arrival(record: Any) -> float:
    return float(record.created_at_datetime.replace(tzinfo=UTC).timestamp())
