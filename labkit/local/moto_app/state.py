"""moto's state, as records for the journal: what a call changed, or everything; and back again.

What grows with every visit stands in *containers* of moto's: the objects of a bucket, the parts of an upload, the items
of a table, the records of a stream, the events of a log stream. A backend is small without them. So a record of it only
names the containers that the journal knows already, and what happens in them is a record of its own. ``state_changes``
tells from a call what to look at, ``containers`` where it is.
"""

from __future__ import annotations

import contextlib
import importlib
import pickle
import sys
from typing import Any

from moto import backends

from labkit.local.api_call import ACCOUNT_ID, ApiCall
from labkit.local.moto_app.app import MotoApp, backend, regions_of
from labkit.local.moto_app.containers import (
    SERVICES,
    containers,
    existing_backends,
    find_container,
    log_stream,
    pickled,
    places_below,
    unpickled,
)
from labkit.local.moto_app.state_changes import Changes, Place

LOG_STREAM_FIELDS = ("last_ingestion_time", "stored_bytes", "upload_sequence_token")

Record = tuple[Any, ...]


class MotoState:
    """Turns changes into records; *call_made* is told of every call, *collect* returns what it changed.

    *uncollected* is what could not be made a record of; the next :meth:`collect` tries again.
    """

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto
        self._known: dict[Place, Any] = {}
        self._lengths: dict[Place, int] = {}
        self.changes, self.uncollected = Changes(), Changes()

    def call_made(self, call: ApiCall) -> None:
        """Take note of a call that moto may have answered; :meth:`collect` looks what became of it."""
        if call.service in SERVICES:
            self.changes.add(call)

    async def collect(self) -> list[Record]:
        """Return a record of everything that changed since the last time, as it is now."""
        changes, self.changes = self.changes, Changes()
        changes.update(self.uncollected)
        try:
            records = await self._moto.run(self._collect, changes)
        except Exception:
            self.uncollected = changes
            self.doubt()
            raise
        self.uncollected = Changes()
        return records

    async def everything(self) -> list[Record]:
        """Return records that hold all there is."""
        return await self._moto.run(self._everything)

    def doubt(self) -> None:
        """Take it that the journal knows no container: what is touched from now on is written whole."""
        self._known, self._lengths = {}, {}

    async def restore(self, records: list[Record]) -> None:
        """Put moto into the state that *records* tell of, in their order."""
        await self._moto.run(self._restore, records)

    async def reset(self) -> None:
        """Forget everything."""
        await self._moto.run(self._reset)

    # --- In moto's thread ---------------------------------------------------------------------------------------------

    def _everything(self) -> list[Record]:
        self.doubt()
        return [self._backend(service, region) for service, region in existing_backends()]

    def _collect(self, changes: Changes) -> list[Record]:
        touched: list[Place] = [("s3", "aws", bucket) for bucket, _ in changes.objects]
        touched += [("s3", "aws", bucket, upload) for bucket, upload, _ in changes.parts]
        for region, table in changes.items:
            touched += [("dynamodb", region, table, "items"), ("dynamodb", region, table, "stream")]
        touched += [place for grown in changes.grown for place in places_below(grown)]
        for place in touched:
            found = find_container(place)
            if found is not None and self._known.get(place) is not found:
                changes.backends.add((place[0], place[1]))
        records = [self._backend(service, region) for service, region in sorted(changes.backends)]
        records += [record for one in sorted(changes.objects) if (record := _object(*one))]
        records += [record for one in sorted(changes.parts) if (record := _part(*one))]
        for (region, table), items in changes.items.items():
            if record := _items(region, table, items):
                records.append(record)
        return records + [record for place in touched if (record := self._grown(place))]

    def _backend(self, service: str, region: str) -> Record:
        """Return a record of a backend; afterwards the journal knows its containers."""
        kept, now = backend(service, region), dict(containers(service, region))
        known = {id(one): place for place, one in now.items() if self._known.get(place) is one}
        self._lengths = {
            place: n for place, n in self._lengths.items() if place[:2] != (service, region) or place in now
        }
        for place, one in now.items():
            if id(one) not in known:
                self._lengths[place] = len(one)
        self._known = {place: one for place, one in self._known.items() if place[:2] != (service, region)} | now
        return ("backend", service, region, pickled(kept, known))

    def _grown(self, place: Place) -> Record | None:
        if place[0] == "s3" or (place[0] == "dynamodb" and place[3] == "items"):  # these have records of their own
            return None
        container = find_container(place)
        start, end = self._lengths.get(place, 0), 0 if container is None else len(container)
        if container is None or end <= start:
            return None
        self._lengths[place] = end
        if isinstance(container, dict):  # Kinesis numbers a shard's records from 1
            tail: Any = {number: container[number] for number in range(start + 1, end + 1)}
        else:
            tail = container[start:]
        fields = {name: getattr(log_stream(place), name) for name in LOG_STREAM_FIELDS} if place[0] == "logs" else {}
        return ("grown", place, start, pickle.dumps(tail, 5), fields)

    def _restore(self, records: list[Record]) -> None:
        for kind, *rest in records:
            getattr(self, f"_restore_{kind}")(*rest)
        for place, one in self._known.items():
            self._lengths[place] = len(one)
        _correct_globals()

    def _restore_backend(self, service: str, region: str, data: bytes) -> None:
        regions = regions_of(service)  # which imports the classes of what is unpickled
        regions[region] = unpickled(data, self._known)
        now = dict(containers(service, region))
        self._known = {place: one for place, one in self._known.items() if place[:2] != (service, region)} | now

    def _restore_object(self, bucket: str, key: str, data: bytes) -> None:
        keys = self._known["s3", "aws", bucket]
        versions, tags = pickle.loads(data)  # noqa: S301  the state directory is the owner's alone
        if versions is None:
            dict.pop(keys, key, None)
        else:
            dict.__setitem__(keys, key, versions)
            backend("s3", "aws").tagger.tags.update(tags)

    def _restore_part(self, place: Place, number: int, data: bytes) -> None:
        parts = self._known[place]
        parts[number] = pickle.loads(data)  # noqa: S301
        backend("s3", "aws").buckets[place[2]].multiparts[place[3]].partlist = sorted(parts)

    def _restore_items(self, region: str, table: str, data: bytes) -> None:
        kept = self._known["dynamodb", region, table, "items"]
        for hash_key, range_key, item in pickle.loads(data):  # noqa: S301
            if item is None:
                (kept if range_key is None else kept[hash_key]).pop(hash_key if range_key is None else range_key, None)
            elif range_key is None:
                kept[hash_key] = item
            else:
                kept[hash_key][range_key] = item

    def _restore_grown(self, place: Place, start: int, data: bytes, fields: dict[str, Any]) -> None:
        container, tail = self._known[place], pickle.loads(data)  # noqa: S301
        if isinstance(container, dict):
            container.update(tail)
        else:
            container[start:] = tail
        for name, value in fields.items():
            setattr(log_stream(place), name, value)

    def _reset(self) -> None:
        for service, region in existing_backends():
            gone = regions_of(service).pop(region)
            if service == "s3":
                gone.reset()  # closes the files of its objects
        _correct_globals()
        self.changes, self._known, self._lengths = Changes(), {}, {}


def _object(bucket: str, key: str) -> Record | None:
    """Return a record of an object with its versions and their tags; of one that is gone, that it is."""
    s3 = backend("s3", "aws")
    if bucket not in s3.buckets:
        return None
    versions = s3.buckets[bucket].keys.getlist(key)
    arns = [one.arn for one in versions or [] if hasattr(one, "arn")]
    tags = {arn: s3.tagger.tags[arn] for arn in arns if arn in s3.tagger.tags}
    return ("object", bucket, key, pickle.dumps((versions, tags), 5))


def _part(bucket: str, upload: str, number: int) -> Record | None:
    """Return a record of a part of an upload that is under way."""
    place = ("s3", "aws", bucket, upload)
    part = (find_container(place) or {}).get(number)
    return None if part is None else ("part", place, number, pickle.dumps(part, 5))


def _items(region: str, table_name: str, written: list[dict[str, Any]]) -> Record | None:
    """Return a record of the items that were written, each with its keys; ``None`` stands for one that is gone."""
    dynamo_type = sys.modules["moto.dynamodb.models.dynamo_type"].DynamoType
    table = backend("dynamodb", region).tables.get(table_name)
    if table is None:
        return None
    found = []
    for item in written:
        with contextlib.suppress(Exception):  # a call that was refused may have had anything for a key
            hash_key = dynamo_type(item[table.hash_key_attr])
            range_key = dynamo_type(item[table.range_key_attr]) if table.range_key_attr else None
            found.append((hash_key, range_key, table.get_item(hash_key, range_key)))
    return ("items", region, table_name, pickle.dumps(found, 5))


def _correct_globals() -> None:
    """Set what moto keeps beside its backends: whose each bucket is, and the number of the next log event."""
    if "moto.s3.models" in sys.modules:
        accounts: Any = backends.get_backend("s3").bucket_accounts  # type: ignore[attr-defined]
        accounts.clear()
        accounts.update(dict.fromkeys(backend("s3", "aws").buckets, ("aws", ACCOUNT_ID)))
    if "moto.logs.models" in sys.modules:
        log_event = sys.modules["moto.logs.models"].LogEvent
        events = [
            event.event_id
            for service, region in existing_backends()
            if service == "logs"
            for _, kept in containers("logs", region)
            for event in kept
        ]
        log_event._event_id = max([log_event._event_id, *(number + 1 for number in events)])


def moto_version() -> str:
    """Return the version of moto: another one may keep its state otherwise."""
    return str(importlib.import_module("moto").__version__)
