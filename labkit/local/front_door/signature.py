"""Signature Version 4 in the headers of a request: whose key signed it, and whether it really did.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from labkit.local.api_call import AwsError, HttpRequest, Signed
from labkit.local.front_door import signature_errors as errors

ALGORITHM = "AWS4-HMAC-SHA256"
AUTHORIZATION = re.compile(
    ALGORITHM
    + r"\s+Credential=(?P<credential>[^,\s]+),\s*SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>\w+)"
)
SHAPE_OF_CREDENTIAL = '"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"'

SecretOf = Callable[[str, str], str | None]


def verify_header(request: HttpRequest, service: str, *, secret_of: SecretOf, now: float) -> Signed:
    """Check the signature in the ``Authorization`` header of *request*.

    Args:
        request: The request as it arrived.
        service: What the request seems to be for; it decides the words of an error while nothing better is known.
        secret_of: Returns the secret of an access key id and session token, or ``None`` when there is no such key.
        now: The time in epoch seconds.

    Raises:
        AwsError: What the service answers to an incomplete, unknown, wrong or outdated signature.
    """
    authorization = request.headers.get("authorization").strip()
    found = AUTHORIZATION.fullmatch(authorization)
    if not found:
        raise _no_signature(service, authorization)
    if found["credential"].count("/") != 4:
        raise errors.incomplete(service, _no_credential(service, found["credential"]))
    key, date, region, service, _ = found["credential"].split("/")
    token = request.headers.get("x-amz-security-token")
    timestamp = request.headers.get("x-amz-date")
    secret = secret_for(service, key, token, secret_of)
    signed_at = epoch(timestamp)
    if signed_at is None or not timestamp.startswith(date):
        raise _no_date(service)
    errors.check_skew(service, timestamp, signed_at, now)
    payload = request.headers.get("x-amz-content-sha256") or hashlib.sha256(request.body).hexdigest()
    canonical = canonical_request(request, found["headers"], request.query, payload, service)
    compare(canonical, timestamp, (secret, date, region, service), found["signature"], key)
    if len(payload) == 64 and payload != (computed := hashlib.sha256(request.body).hexdigest()):
        raise AwsError(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            400,
            ClientComputedContentSHA256=payload,
            S3ComputedContentSHA256=computed,
        )
    return Signed(key, token, region, service)


def secret_for(service: str, key: str, token: str, secret_of: SecretOf) -> str:
    """Return the secret of a key.

    Raises:
        AwsError: The key is unknown or its session is over.
    """
    try:
        secret = secret_of(key, token)
    except errors.TokenExpired:
        raise errors.expired_token(service, token) from None
    if secret is None:
        raise errors.unknown_key(service, key, token)
    return secret


def canonical_request(request: HttpRequest, signed_headers: str, query: str, payload: str, service: str) -> str:
    """Return what is signed of a request, in its one canonical spelling."""
    path = request.path or "/"
    if service != "s3":  # every service but S3 has its path encoded once more
        path = quote(_normal_path(path), safe="/-_.~")
    pairs = sorted((_encoded(k), _encoded(v)) for k, _, v in (part.partition("=") for part in query.split("&") if part))
    names = signed_headers.split(";")
    headers = "".join(f"{name}:{' '.join(request.headers.get(name).split())}\n" for name in names)
    joined = "&".join(f"{name}={value}" for name, value in pairs)
    return f"{request.method}\n{path}\n{joined}\n{headers}\n{signed_headers}\n{payload}"


def compare(canonical: str, timestamp: str, scope: tuple[str, str, str, str], signature: str, key: str) -> None:
    """Refuse *signature* unless the secret makes it of *canonical*; *scope* is (secret, date, region, service)."""
    _, date, region, service = scope
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{ALGORITHM}\n{timestamp}\n{date}/{region}/{service}/aws4_request\n{digest}"
    if not hmac.compare_digest(sign(text, scope).encode(), signature.encode()):
        raise errors.does_not_match(service, key=key, provided=signature, text=text, canonical=canonical)


def sign(text: str, scope: tuple[str, str, str, str]) -> str:
    """Return the signature of *text*."""
    return hmac.new(_signing_key(*scope), text.encode(), hashlib.sha256).hexdigest()


@functools.lru_cache(maxsize=256)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


@functools.lru_cache(maxsize=64)  # those who call in the same second say the same
def epoch(timestamp: str) -> float | None:
    """Return the epoch seconds of ``20260131T235959Z``, or ``None`` when it is not of that form."""
    try:
        return datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


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


def _no_signature(service: str, authorization: str) -> AwsError:
    kind = authorization.split(maxsplit=1)[0]
    if service != "s3":
        missing = [name for name in ("Credential", "Signature", "SignedHeaders") if f"{name}=" not in authorization]
        words = "".join(f"Authorization header requires '{name}' parameter. " for name in missing)
        return errors.incomplete(service, f"{words}Authorization={kind}")
    if kind == "AWS":
        text = f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}."
        return AwsError("InvalidRequest", text, 400)
    if kind != ALGORITHM:
        shown = {"ArgumentName": "Authorization", "ArgumentValue": authorization}
        return AwsError("InvalidArgument", "Unsupported Authorization Type", 400, **shown)
    text = "the authorization header requires three components: Credential, SignedHeaders, and Signature."
    return errors.incomplete(service, text)


def _no_credential(service: str, credential: str) -> str:
    if service == "s3":
        return f"the Credential is mal-formed; expecting {SHAPE_OF_CREDENTIAL}."
    return (
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
        f"got '{credential}'"
    )


def _no_date(service: str) -> AwsError:
    if service == "s3":
        return AwsError("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", 403)
    text = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
    return errors.incomplete(service, text)


def decode_aws_chunked(body: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the payload of an ``aws-chunked`` body and the headers that trail it; chunk signatures are left out.

    Raises:
        AwsError: ``IncompleteBody``.

    See Also:
        https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
    """
    chunks: list[bytes] = []
    start = 0
    while (end := body.find(b"\r\n", start)) >= 0:
        size_line = body[start:end].split(b";")[0]
        if not re.fullmatch(rb"[0-9a-fA-F]{1,12}", size_line):
            break
        size, start = int(size_line, 16), end + 2
        if size == 0:
            lines = body[start:].decode("latin-1").split("\r\n")
            named = (line.partition(":") for line in lines if ":" in line)
            return b"".join(chunks), {name.strip().lower(): value.strip() for name, _, value in named}
        if len(body) < start + size:
            break
        chunks.append(body[start : start + size])
        start += size + 2
    raise AwsError("IncompleteBody", "The request body terminated unexpectedly", 400)
