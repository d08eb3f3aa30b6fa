"""What an API call may have changed of what moto keeps, told from its name and its parameters.

Where this module does not know better, a call changes everything of its service but the objects, items, stream records
and log events, which grow with every visit and are kept one by one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from labkit.local.api_call import ApiCall

OBJECT_ONLY = frozenset({"PutObject", "CopyObject", "DeleteObject", "DeleteObjects"})
Place = tuple[str, ...]


@dataclass(slots=True)
class Changes:
    """*backends* by service and region; *objects* by bucket and key; *items* by region and table, with the key in each.

    *parts* are those of uploads: bucket, upload and number. *grown* are streams that got longer: service, region, and
    their own names.
    """

    backends: set[tuple[str, str]] = field(default_factory=set)
    objects: set[tuple[str, str]] = field(default_factory=set)
    parts: set[tuple[str, str, int]] = field(default_factory=set)
    items: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    grown: set[Place] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.backends or self.objects or self.parts or self.items or self.grown)

    def update(self, other: Changes) -> None:
        """Add the changes of *other*."""
        for name in ("backends", "objects", "parts", "grown"):
            getattr(self, name).update(getattr(other, name))
        for table, items in other.items.items():
            self.items.setdefault(table, []).extend(items)

    def add(self, call: ApiCall) -> None:
        """Take note of what *call* may have changed; one that does not name it as the model says was refused."""
        with contextlib.suppress(KeyError, TypeError, AttributeError):
            self._add(call)

    def _add(self, call: ApiCall) -> None:
        if call.service == "s3":
            self._add_s3(call)
        elif call.service == "dynamodb":
            self._add_dynamodb(call)
        elif (call.service, call.operation) == ("logs", "PutLogEvents"):
            self.grown.add(("logs", call.region, call.params["logGroupName"], call.params["logStreamName"]))
        elif call.service == "kinesis" and call.operation in ("PutRecord", "PutRecords"):
            name = call.params.get("StreamName") or str(call.params.get("StreamARN")).rpartition("/")[2]
            self.grown.add(("kinesis", call.region, name))
        else:
            self.backends.add((call.service, "aws" if call.service == "iam" else call.region))

    def _add_s3(self, call: ApiCall) -> None:
        bucket, key = call.params.get("Bucket", ""), call.params.get("Key")
        if call.operation in ("UploadPart", "UploadPartCopy"):
            self.parts.add((bucket, call.params["UploadId"], int(call.params["PartNumber"])))
            return
        if key is not None:
            self.objects.add((bucket, key))
        for one in (call.params.get("Delete") or {}).get("Objects") or []:
            self.objects.add((bucket, one["Key"]))
        if call.operation not in OBJECT_ONLY:
            self.backends.add(("s3", "aws"))

    def _add_dynamodb(self, call: ApiCall) -> None:
        known = False
        for table, item in written_items(call.operation, call.params):
            name = str(table).rpartition("/")[2]
            self.items.setdefault((call.region, name), []).append(item)
            known = True
        if not known:
            self.backends.add(("dynamodb", call.region))


def written_items(operation: str, params: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield the table and the item, or its key, of each write of DynamoDB's operations."""
    if operation in ("PutItem", "UpdateItem", "DeleteItem"):
        yield params.get("TableName"), params.get("Item") or params.get("Key") or {}
    elif operation == "BatchWriteItem":
        for table, requests in (params.get("RequestItems") or {}).items():
            for request in requests:
                for write in request.values():
                    yield table, write.get("Item") or write.get("Key") or {}
    elif operation == "TransactWriteItems":
        for one in params.get("TransactItems") or []:
            for write in one.values():
                yield write.get("TableName"), write.get("Item") or write.get("Key") or {}
