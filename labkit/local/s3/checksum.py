"""Is a body what its sender says it is? The checksums of an upload.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable

from labkit.local.api_call import ApiCall, AwsError, Headers

# CRC32C and CRC64NVME are not in Python's library: they are kept as they were sent.
ALGORITHMS: dict[str, Callable[[bytes], bytes] | None] = {
    "crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
    "sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "sha256": lambda body: hashlib.sha256(body).digest(),
    "crc32c": None,
    "crc64nvme": None,
}


def check_body(call: ApiCall) -> None:
    """Refuse a body that does not fit its checksums.

    Raises:
        AwsError: ``BadDigest``, ``InvalidDigest`` or ``InvalidRequest``.
    """
    headers = call.http.headers
    if md5 := headers.get("content-md5"):
        _check_md5(md5, call.http.body)
    for name in ALGORITHMS:
        if value := headers.get(f"x-amz-checksum-{name}"):
            _check(name, value, call.http.body)
            if "x-amz-sdk-checksum-algorithm" not in headers:
                call.http.headers = Headers([*headers.items, ("x-amz-sdk-checksum-algorithm", name.upper())])
                call.http.moto_request = None


def _check(name: str, value: str, body: bytes) -> None:
    compute = ALGORITHMS[name]
    if compute is None:
        return
    expected = compute(body)
    given = _decoded(value)
    if given is None or len(given) != len(expected):
        raise AwsError("InvalidRequest", f"Value for x-amz-checksum-{name} header is invalid.", 400)
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


def _decoded(value: str) -> bytes | None:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return None
