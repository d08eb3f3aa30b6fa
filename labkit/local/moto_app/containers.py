"""Where moto keeps what grows with every visit: the containers, each with its place, and backends pickled without them.

A place is service, region and the names below: ``("logs", "us-east-1", group, stream)``.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterator
from typing import Any

from labkit.local.moto_app.app import backend, regions_of
from labkit.local.moto_app.state_changes import Place

SERVICES = ("s3", "dynamodb", "iam", "logs", "apigateway", "kinesis", "cloudwatch")


def existing_backends() -> Iterator[tuple[str, str]]:
    """Yield the backends that were used: service and region."""
    for service in SERVICES:
        if f"moto.{service}.models" in sys.modules:
            for region in list(regions_of(service)):
                yield service, region


def containers(service: str, region: str) -> Iterator[tuple[Place, Any]]:
    """Yield the containers of a backend, each with its place."""
    kept, here = backend(service, region), (service, region)
    if service == "s3":
        for name, bucket in kept.buckets.items():
            yield (*here, name), bucket.keys
            for upload in bucket.multiparts.values():
                yield (*here, name, upload.id), upload.parts
    elif service == "dynamodb":
        for name, table in kept.tables.items():
            yield (*here, name, "items"), table.items
            if table.stream_shard is not None:
                yield (*here, name, "stream"), table.stream_shard.items
    elif service == "logs":
        for group in kept.groups.values():
            for name, stream in group.streams.items():
                yield (*here, group.name, name), stream.events
    elif service == "kinesis":
        for name, stream in kept.streams.items():
            for shard, one in stream.shards.items():
                yield (*here, name, shard), one.records


def find_container(place: Place) -> Any:
    """Return one container, or ``None``."""
    kept = backend(place[0], place[1])
    try:
        if place[0] == "s3":
            bucket = kept.buckets[place[2]]
            return bucket.keys if len(place) == 3 else bucket.multiparts[place[3]].parts
        if place[0] == "dynamodb":
            table = kept.tables[place[2]]
            return table.items if place[3] == "items" else table.stream_shard.items
        if place[0] == "logs":
            return log_stream(place).events
        return kept.streams[place[2]].shards[place[3]].records
    except (KeyError, AttributeError):
        return None


def places_below(place: Place) -> list[Place]:
    """Return the places of a log stream (itself) or of a Kinesis stream (its shards)."""
    if place[0] == "logs":
        return [place]
    stream = backend(place[0], place[1]).streams.get(place[2])
    return [(*place, shard) for shard in stream.shards] if stream else []


def log_stream(place: Place) -> Any:
    """Return a log stream."""
    return backend("logs", place[1]).groups[place[2]].streams[place[3]]


def pickled(kept: Any, known: dict[int, Place]) -> bytes:
    """Pickle a backend; of a container that is *known*, by its ``id``, only the place."""
    buffer = io.BytesIO()
    _Pickler(buffer, known).dump(kept)
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, known: dict[int, Place]) -> None:
        super().__init__(file, 5)
        self._known = known

    def persistent_id(self, one: Any) -> Place | None:
        return self._known.get(id(one))


def unpickled(data: bytes, known: dict[Place, Any]) -> Any:
    """Make a backend of what :func:`pickled` returned; the *known* containers go where their places stand."""
    return _Unpickler(io.BytesIO(data), known).load()


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, known: dict[Place, Any]) -> None:
        super().__init__(file)
        self._known = known

    def persistent_load(self, place: Place) -> Any:
        return self._known[place]
