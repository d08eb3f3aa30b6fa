"""Signature Version 4: whose key signed a request, and whether it really did.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote

from labkit.local.api_call import AwsError, HttpRequest

ALGORITHM = "AWS4-HMAC-SHA256"
LARGEST_SKEW = 15 * 60
AUTHORIZATION = re.compile(
    ALGORITHM
    + r"\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>\w+)"
)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a valid signature says: the key, and the region and service it was made for."""

    access_key_id: str
    session_token: str
    region: str
    service: str


def verify(request: HttpRequest, *, secret_of: Callable[[str, str], str | None], now: Callable[[], float]) -> Signed:
    """Check the signature of *request*, in its headers or its query.

    Args:
        request: The request as it arrived.
        secret_of: Returns the secret of an access key id and session token, or ``None`` when there is no such key.
        now: The time in epoch seconds.

    Raises:
        AwsError: ``MissingAuthenticationToken``, ``IncompleteSignature``, ``InvalidClientTokenId``,
            ``SignatureDoesNotMatch`` or ``RequestTimeTooSkewed``, each with HTTP status 403 or 400.
    """
    if request.headers.get("authorization"):
        return _verify_header(request, secret_of, now)
    if "X-Amz-Signature=" in request.query:
        return _verify_query(request, secret_of, now)
    raise AwsError("MissingAuthenticationToken", "The request must contain a valid access key: it is not signed.", 403)


def _verify_header(
    request: HttpRequest, secret_of: Callable[[str, str], str | None], now: Callable[[], float]
) -> Signed:
    found = AUTHORIZATION.fullmatch(request.headers.get("authorization").strip())
    if not found or found["credential"].count("/") != 4:
        raise AwsError("IncompleteSignature", "The Authorization header is no complete Signature Version 4.", 400)
    key, date, region, service, _ = found["credential"].split("/")
    token = request.headers.get("x-amz-security-token")
    secret = _secret(secret_of, key, token, service)
    timestamp = request.headers.get("x-amz-date")
    _check_time(timestamp, now(), service, date)
    payload = request.headers.get("x-amz-content-sha256") or hashlib.sha256(request.body).hexdigest()
    canonical = _canonical(request, found["headers"], request.query, payload, service)
    _compare(canonical, timestamp, (secret, date, region, service), found["signature"])
    if len(payload) == 64 and payload != hashlib.sha256(request.body).hexdigest():
        raise AwsError("XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match.", 400)
    return Signed(key, token, region, service)


def _verify_query(
    request: HttpRequest, secret_of: Callable[[str, str], str | None], now: Callable[[], float]
) -> Signed:
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    parts = query.get("X-Amz-Credential", "").split("/")
    if len(parts) != 5 or not {"X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"} <= query.keys():
        raise AwsError("AuthorizationQueryParametersError", "The query holds no complete Signature Version 4.", 400)
    key, date, region, service, _ = parts
    token = query.get("X-Amz-Security-Token", "")
    secret = _secret(secret_of, key, token, service)
    signed_at = _epoch(query["X-Amz-Date"], service)
    expires = query["X-Amz-Expires"]
    if not expires.isdecimal() or not signed_at - LARGEST_SKEW <= now() <= signed_at + int(expires):
        raise AwsError("AccessDenied", "Request has expired", 403)
    rest = "&".join(part for part in request.query.split("&") if not part.startswith("X-Amz-Signature="))
    canonical = _canonical(request, query["X-Amz-SignedHeaders"], rest, "UNSIGNED-PAYLOAD", service)
    _compare(canonical, query["X-Amz-Date"], (secret, date, region, service), query["X-Amz-Signature"])
    return Signed(key, token, region, service)


def _secret(secret_of: Callable[[str, str], str | None], key: str, token: str, service: str) -> str:
    secret = secret_of(key, token)
    if secret is None and service == "s3":
        raise AwsError("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403)
    if secret is None:
        raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    return secret


def _canonical(request: HttpRequest, signed_headers: str, query: str, payload: str, service: str) -> str:
    path = request.path or "/"
    if service != "s3":  # every service but S3 has its path encoded once more
        path = quote(_normal_path(path), safe="/-_.~")
    pairs = sorted((_encoded(k), _encoded(v)) for k, _, v in (part.partition("=") for part in query.split("&") if part))
    names = signed_headers.split(";")
    headers = "".join(f"{name}:{' '.join(request.headers.get(name).split())}\n" for name in names)
    joined = "&".join(f"{name}={value}" for name, value in pairs)
    return f"{request.method}\n{path}\n{joined}\n{headers}\n{signed_headers}\n{payload}"


def _encoded(text: str) -> str:
    return quote(unquote(text.replace("+", "%20")), safe="-_.~")


def _normal_path(path: str) -> str:
    kept: list[str] = []
    for part in path.split("/"):
        if part == ".." and kept:
            kept.pop()
        elif part not in ("", ".", ".."):
            kept.append(part)
    return "/" + "/".join(kept) + ("/" if path.endswith("/") and kept else "")


def _compare(canonical: str, timestamp: str, scope: tuple[str, str, str, str], signature: str) -> None:
    _, date, region, service = scope
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{ALGORITHM}\n{timestamp}\n{date}/{region}/{service}/aws4_request\n{digest}"
    expected = hmac.new(_signing_key(*scope), text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature):
        raise AwsError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method.",
            403,
        )


@functools.lru_cache(maxsize=256)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _check_time(timestamp: str, now: float, service: str, date: str) -> None:
    if abs(now - _epoch(timestamp, service)) > LARGEST_SKEW or not timestamp.startswith(date):
        code = "RequestTimeTooSkewed" if service == "s3" else "SignatureDoesNotMatch"
        raise AwsError(code, "Signature expired: the clock of the caller and this one differ too much.", 403)


@functools.lru_cache(maxsize=64)  # those who call in the same second say the same
def _epoch(timestamp: str, service: str) -> float:
    try:
        return datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        code = "AccessDenied" if service == "s3" else "IncompleteSignature"
        raise AwsError(code, f"{timestamp!r} is no date of Signature Version 4.", 403) from None


def decode_aws_chunked(body: bytes) -> bytes:
    """Return the payload of an ``aws-chunked`` body; its chunk signatures and trailers are left out."""
    payload, rest = [], body
    while rest:
        size_line, _, rest = rest.partition(b"\r\n")
        try:
            size = int(size_line.split(b";")[0], 16)
        except ValueError:
            raise AwsError("IncompleteBody", "The aws-chunked body cannot be read.", 400) from None
        if size == 0:
            break
        payload.append(rest[:size])
        rest = rest[size + 2 :]
    return b"".join(payload)
