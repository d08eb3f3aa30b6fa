"""ListObjectsV2: the call that a data lake sees most.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from labkit.local.api_call import ApiCall, Forward, HttpResponse
from labkit.local.s3.errors import invalid_argument

PLAIN = re.compile(r"[A-Za-z0-9_.~*-]*")
PAGE = 1000
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class S3Listing:
    """Answers ListObjectsV2 from moto's keys; what is rare (owners, missing buckets) stays moto's."""

    def __init__(self, *, objects: Callable[[str, str, str, int], Awaitable[list[Any] | None]]) -> None:
        self._objects = objects

    async def list_objects_v2(self, call: ApiCall, forward: Forward) -> HttpResponse:
        """List keys in order, by prefix, in pages; a delimiter folds those behind it into common prefixes."""
        params = call.params
        if params.get("FetchOwner") or params.get("OptionalObjectAttributes"):
            return await forward(call)
        prefix, delimiter = params.get("Prefix") or "", params.get("Delimiter") or ""
        most = _most(params.get("MaxKeys"))
        token = params.get("ContinuationToken")
        after = _after(token) if token else params.get("StartAfter") or ""
        found = await self._objects(params["Bucket"], prefix, after, most + 1 if not delimiter else 2**31)
        if found is None:
            return await forward(call)
        contents, prefixes, last = _fold(found, prefix, delimiter, most, after)
        encoded = params.get("EncodingType") == "url"
        fields = {
            "Name": params["Bucket"],
            "Prefix": _text(prefix, encoded),
            "Delimiter": _text(delimiter, encoded) if delimiter else None,
            "StartAfter": _text(params["StartAfter"], encoded) if params.get("StartAfter") else None,
            "ContinuationToken": token,
            "NextContinuationToken": base64.urlsafe_b64encode(last.encode()).decode() if last else None,
            "KeyCount": str(len(contents) + len(prefixes)),
            "MaxKeys": str(most),
            "EncodingType": "url" if encoded else None,
            "IsTruncated": "true" if last else "false",
        }
        headers = {"Content-Type": "application/xml", "x-amzn-RequestId": call.request_id}
        return HttpResponse(200, _document(fields, contents, prefixes, encoded).encode(), headers)


def _most(max_keys: Any) -> int:
    most = PAGE if max_keys is None else int(max_keys)
    if not 0 <= most < 2**31:
        text = "Argument maxKeys must be an integer between 0 and 2147483647"
        raise invalid_argument(text, "maxKeys", str(most))
    return min(most, PAGE)


def _fold(found: list[Any], prefix: str, delimiter: str, most: int, after: str) -> tuple[list[Any], list[str], str]:
    """Return contents, common prefixes, and the last key or prefix if the page is not the last, else ``""``."""
    contents: list[Any] = []
    prefixes: list[str] = []
    last = ""
    for one in found:
        common = _common_prefix(one.key, prefix, delimiter)
        if common and (common == after or (prefixes and prefixes[-1] == common)):
            continue
        if len(contents) + len(prefixes) == most:
            return contents, prefixes, last
        if common:
            prefixes.append(common)
        else:
            contents.append(one)
        last = common or one.key
    return contents, prefixes, ""


def _common_prefix(key: str, prefix: str, delimiter: str) -> str:
    if not delimiter:
        return ""
    head, found, _ = key[len(prefix) :].partition(delimiter)
    return prefix + head + found if found else ""


def _document(fields: dict[str, str | None], contents: list[Any], prefixes: list[str], encoded: bool) -> str:
    folded = (f"<CommonPrefixes><Prefix>{escape(_text(one, encoded))}</Prefix></CommonPrefixes>" for one in prefixes)
    body = "".join(
        [
            *(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items() if value is not None),
            *(_content(one, encoded) for one in contents),
            *folded,
        ]
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{NAMESPACE}">{body}</ListBucketResult>'


def _content(one: Any, encoded: bool) -> str:
    return (
        f"<Contents><Key>{escape(_text(one.key, encoded))}</Key><LastModified>{one.last_modified}</LastModified>"
        f"<ETag>{escape(one.etag)}</ETag><Size>{one.size}</Size><StorageClass>{one.storage_class}</StorageClass></Contents>"
    )


def _text(text: str, encoded: bool) -> str:
    """Return *text* as the client asked for it; the folders of a page's keys are mostly the same."""
    if not encoded:
        return text
    folder, slash, name = text.rpartition("/")
    return _quoted(folder) + slash + (name if PLAIN.fullmatch(name) else quote(name, safe="-_.~*"))


@functools.lru_cache(maxsize=1024)
def _quoted(folder: str) -> str:
    return quote(folder, safe="/-_.~*")


def _after(token: str) -> str:
    try:
        return base64.b64decode(token, b"-_", validate=True).decode()
    except ValueError:
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token") from None
