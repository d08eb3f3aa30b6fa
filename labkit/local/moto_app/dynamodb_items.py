"""PutItem and BatchWriteItem without conditions, straight to moto's tables.

moto's own way parses and checks every value several times, about 1 ms a call. What is not plain (a condition, an index,
a delete, binary values or sets …), and everything that will be refused, goes moto's way.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

import zlib
from typing import Any

from labkit.local.api_call import ApiCall, Forward, HttpResponse, Interceptor
from labkit.local.moto_app.app import MotoApp, backend

LARGEST_BODY = 2**16
MOST_ITEMS = 25
LONGEST_KEY = 250  # characters: even at four bytes each it is within the limits of both kinds of keys


class Items:
    """Stands before moto for the two calls, and for batches of statements."""

    def __init__(self, moto: MotoApp) -> None:
        self._moto = moto

    @property
    def interceptors(self) -> dict[tuple[str, str], Interceptor]:
        """What stands before which operation."""
        return {
            ("dynamodb", "PutItem"): self.put_item,
            ("dynamodb", "BatchWriteItem"): self.batch_write_item,
        }

    async def put_item(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Store an item."""
        if call.params.keys() != {"TableName", "Item"}:
            return await forward(call)
        items = [call.params["Item"]]
        stored = await self._moto.run(_store, call, call.params["TableName"], items)
        return _answer(call, b"{}") if stored else await forward(call)

    async def batch_write_item(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """Store up to 25 items of one table."""
        requests = call.params.get("RequestItems")
        if call.params.keys() != {"RequestItems"} or not isinstance(requests, dict) or len(requests) != 1:
            return await forward(call)
        [(table, puts)] = requests.items()
        if not isinstance(puts, list) or not all(_is_put(put) for put in puts):
            return await forward(call)
        items = [put["PutRequest"]["Item"] for put in puts]
        stored = 0 < len(items) <= MOST_ITEMS and await self._moto.run(_store, call, table, items)
        return _answer(call, b'{"UnprocessedItems":{}}') if stored else await forward(call)


def _is_put(request: Any) -> bool:
    return (
        isinstance(request, dict)
        and request.keys() == {"PutRequest"}
        and isinstance(request["PutRequest"], dict)
        and request["PutRequest"].keys() == {"Item"}
    )


def _store(call: ApiCall, table_name: Any, items: list[Any]) -> bool:
    """Store *items* if all of them are plain; else store none and return False."""
    table = backend("dynamodb", call.region).tables.get(table_name) if isinstance(table_name, str) else None
    if table is None or table.indexes or table.global_indexes or len(call.http.body) > LARGEST_BODY:
        return False
    names = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
    if any(one["AttributeType"] != "S" for one in table.attr if one["AttributeName"] in names):
        return False
    keys = [tuple(_key_value(item, name) for name in names) for item in items if _is_plain(item)]
    if len(set(keys)) != len(items) or any(None in key for key in keys):
        return False
    for item in items:
        table.put_item(item, overwrite=True)
    return True


def _key_value(item: dict[str, Any], name: str) -> str | None:
    """Return the value of a key attribute, ``None`` where moto has something to say about it."""
    value = item.get(name, {}).get("S")
    return value if value and len(value) <= LONGEST_KEY else None


def _is_plain(item: Any) -> bool:
    return isinstance(item, dict) and all(
        isinstance(typed, dict) and len(typed) == 1 and _is_plain_value(*next(iter(typed.items())))
        for typed in item.values()
    )


def _is_plain_value(kind: str, value: Any) -> bool:
    if kind == "S":
        return isinstance(value, str)
    if kind == "N":
        return isinstance(value, str) and len(value) <= 30 and value.replace(".", "", 1).isdecimal() and value.isascii()
    return (kind == "BOOL" and isinstance(value, bool)) or (kind == "NULL" and value is True)


def _answer(call: ApiCall, body: bytes) -> HttpResponse:
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-RequestId": call.request_id}
    return HttpResponse(200, body, {**headers, "x-amz-crc32": str(zlib.crc32(body))})
