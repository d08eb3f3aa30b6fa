"""Is a body what its sender says it is? The checksums of an upload.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable

from labkit.local.api_call import ApiCall, AwsError, Headers
from labkit.local.crc import crc32c, crc64nvme

AT_ONCE = 2**18
SLOW, MOST_CHECKED = ("crc32c", "crc64nvme"), 2**28  # bytes: Python takes seconds for more, which is kept as it came
ALGORITHMS: dict[str, Callable[[bytes], bytes]] = {
    "crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "sha256": lambda body: hashlib.sha256(body).digest(),
    "crc32c": crc32c,
    "crc64nvme": crc64nvme,
}


async def check_body(call: ApiCall) -> None:
    """Refuse a body that does not fit its checksums; the local cloud does not stand still over a long one.

    Raises:
        AwsError: ``BadDigest``, ``InvalidDigest`` or ``InvalidRequest``.
    """
    if len(call.http.body) <= AT_ONCE:
        _check_body(call)
    else:
        await asyncio.to_thread(_check_body, call)


def _check_body(call: ApiCall) -> None:
    headers = call.http.headers
    if md5 := headers.get("content-md5"):
        _check_md5(md5, call.http.body)
    given = [name for name in ALGORITHMS if headers.get(f"x-amz-checksum-{name}")]
    algorithm = headers.get("x-amz-sdk-checksum-algorithm")
    if len(given) > 1:
        raise _invalid("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    if algorithm and algorithm.lower() not in (given or ALGORITHMS):
        raise _invalid("Value for x-amz-sdk-checksum-algorithm header is invalid.")
    if algorithm and not given:
        missing = "no corresponding x-amz-checksum-* or x-amz-trailer headers were found."
        raise _invalid(f"x-amz-sdk-checksum-algorithm specified, but {missing}")
    for name in given:
        if name not in SLOW or len(call.http.body) <= MOST_CHECKED:
            _check(name, headers.get(f"x-amz-checksum-{name}"), call.http.body)
        if not algorithm:
            call.http.headers = Headers([*headers.items, ("x-amz-sdk-checksum-algorithm", name.upper())])
            call.http.moto_request = None


def _check(name: str, value: str, body: bytes) -> None:
    expected = ALGORITHMS[name](body)
    given = _decoded(value)
    if given is None or len(given) != len(expected) or base64.b64encode(given).decode() != value:
        raise _invalid(f"Value for x-amz-checksum-{name} header is invalid.")
    if given != expected:
        text = f"The {name.upper()} you specified did not match the calculated checksum."
        raise AwsError("BadDigest", text, 400)


def _check_md5(value: str, body: bytes) -> None:
    given = _decoded(value)
    if given is None or len(given) != 16:
        raise AwsError("InvalidDigest", "The Content-MD5 you specified was invalid.", 400, **{"Content-MD5": value})
    expected = hashlib.md5(body, usedforsecurity=False).digest()
    if given != expected:
        shown = {"ExpectedDigest": value, "CalculatedDigest": base64.b64encode(expected).decode()}
        raise AwsError("BadDigest", "The Content-MD5 you specified did not match what we received.", 400, **shown)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidRequest", message, 400)


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return None
