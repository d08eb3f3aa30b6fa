"""Presigned addresses: the signature is in the query, and whoever holds the address may use it until it expires.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html (Signature Version 2, boto3's default for S3)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import parse_qsl, unquote

from labkit.local.api_call import AwsError, Headers, HttpRequest, Signed
from labkit.local.clock import iso
from labkit.local.front_door import signature_errors as errors
from labkit.local.front_door.signature import (
    ALGORITHM,
    SHAPE_OF_CREDENTIAL,
    SecretOf,
    canonical_request,
    compare,
    epoch,
    secret_for,
)

LONGEST = 7 * 24 * 3600
V4 = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires")
V2 = ("Signature", "Expires", "AWSAccessKeyId")
# The parts of a query that Signature Version 2 signs.
SIGNED_BY_V2 = frozenset(
    {
        "acl", "cors", "delete", "lifecycle", "location", "logging", "notification", "partNumber", "policy",
        "requestPayment", "response-cache-control", "response-content-disposition", "response-content-encoding",
        "response-content-language", "response-content-type", "response-expires", "restore", "tagging", "torrent",
        "uploadId", "uploads", "versionId", "versioning", "versions", "website",
    }
)  # fmt: skip


def is_presigned(query: str) -> bool:
    """Whether a query carries a signature, or a part of one."""
    return ("X-Amz-" in query and any(f"{name}=" in query for name in V4[:3])) or is_presigned_v2(query)


def is_presigned_v2(query: str) -> bool:
    """Whether a query carries a signature of version 2, or a part of one."""
    return "AWSAccessKeyId=" in query or query.startswith("Signature=") or "&Signature=" in query


def verify_query(request: HttpRequest, *, secret_of: SecretOf, now: float) -> Signed:
    """Check the signature in the query of *request*, and take it out: what is left is the request that was signed.

    Raises:
        AwsError: The signature is incomplete, unknown, wrong or has expired.
    """
    if request.headers.get("authorization"):
        raise AwsError(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
            "parameter or the Authorization header should be specified",
            400,
            ArgumentName="Authorization",
            ArgumentValue=request.headers.get("authorization"),
        )
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    version_2 = is_presigned_v2(request.query)
    signed = (_verify_v2 if version_2 else _verify_v4)(request, query, secret_of, now)
    _take_out(request, V2 if version_2 else (*V4, "X-Amz-Security-Token"))
    return signed


def _verify_v4(request: HttpRequest, query: dict[str, str], secret_of: SecretOf, now: float) -> Signed:
    if not set(V4) <= query.keys():
        names = f"{', '.join(V4[:-1])}, and {V4[-1]}"
        raise _malformed(f"Query-string authentication version 4 requires the {names} parameters.")
    if query["X-Amz-Algorithm"] != ALGORITHM:
        raise _malformed(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    parts = query["X-Amz-Credential"].split("/")
    if len(parts) != 5:
        text = "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting"
        raise _malformed(f"{text} {SHAPE_OF_CREDENTIAL}.")
    key, date, region, service, _ = parts
    token, timestamp = query.get("X-Amz-Security-Token", ""), query["X-Amz-Date"]
    signed_at, lasts = epoch(timestamp), _lifetime(query["X-Amz-Expires"])
    if signed_at is None or not timestamp.startswith(date):
        raise _malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    secret = secret_for(service, key, token, secret_of)
    if now > signed_at + lasts:
        raise _expired(signed_at + lasts, now, **{"X-Amz-Expires": query["X-Amz-Expires"]})
    if now < signed_at - errors.S3_SKEW:
        raise AwsError("AccessDenied", "Request is not yet valid", 403, ServerTime=iso(now))
    _check_all_signed(request, query["X-Amz-SignedHeaders"])
    rest = "&".join(part for part in request.query.split("&") if not part.startswith("X-Amz-Signature="))
    payload = query.get("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
    payload = payload if service == "s3" else hashlib.sha256(request.body).hexdigest()
    canonical = canonical_request(request, query["X-Amz-SignedHeaders"], rest, payload, service)
    compare(canonical, timestamp, (secret, date, region, service), query["X-Amz-Signature"], key)
    return Signed(key, token, region, service)


def _lifetime(expires: str) -> int:
    if not expires.removeprefix("-").isdecimal():
        raise _malformed("X-Amz-Expires should be a number")
    if expires.startswith("-"):
        raise _malformed("X-Amz-Expires must be non-negative")
    if len(expires) > 9 or int(expires) > LONGEST:
        text = f"that is, the given X-Amz-Expires must be less than {LONGEST} seconds"
        raise _malformed(f"X-Amz-Expires must be less than a week (in seconds); {text}")
    return int(expires)


def _check_all_signed(request: HttpRequest, signed_headers: str) -> None:
    names = sorted({name.lower() for name, _ in request.headers.items})
    unsigned = [name for name in names if name.startswith("x-amz-") and name not in signed_headers.split(";")]
    if unsigned:
        raise AwsError(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            403,
            HeadersNotSigned=", ".join(unsigned),
        )


def _verify_v2(request: HttpRequest, query: dict[str, str], secret_of: SecretOf, now: float) -> Signed:
    if not set(V2) <= query.keys():
        text = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        raise AwsError("AccessDenied", text, 403)
    key, expires, token = query["AWSAccessKeyId"], query["Expires"], query.get("x-amz-security-token", "")
    if not expires.isdecimal() or len(expires) > 12:
        raise AwsError("AccessDenied", f"Invalid date (should be seconds since epoch): {expires}", 403)
    secret = secret_for("s3", key, token, secret_of)
    if now > int(expires):
        raise _expired(int(expires), now)
    text = _string_to_sign_v2(request, query, expires)
    if not hmac.compare_digest(sign_v2(text, secret).encode(), query["Signature"].encode()):
        raise errors.does_not_match("s3", key=key, provided=query["Signature"], text=text)
    return Signed(key, token, "us-east-1", "s3")


def sign_v2(text: str, secret: str) -> str:
    """Return the signature of version 2 of *text*."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def _string_to_sign_v2(request: HttpRequest, query: dict[str, str], expires: str) -> str:
    amz = {name.lower(): value.strip() for name, value in query.items() if name.lower().startswith("x-amz-")}
    amz |= {name.lower(): value.strip() for name, value in request.headers.items if name.lower().startswith("x-amz-")}
    parts = sorted(part for part in request.query.split("&") if part.partition("=")[0] in SIGNED_BY_V2)
    resource = request.path + ("?" + "&".join(unquote(part) for part in parts) if parts else "")
    lines = [request.method, request.headers.get("content-md5"), request.headers.get("content-type"), expires]
    return "\n".join([*lines, *(f"{name}:{amz[name]}" for name in sorted(amz)), resource])


def _take_out(request: HttpRequest, names: tuple[str, ...]) -> None:
    """Leave the request without its signature; the headers of S3 that travelled in its query become headers."""
    kept, moved = [], []
    for part in request.query.split("&"):
        name, _, value = part.partition("=")
        name = unquote(name)
        if name.lower().startswith("x-amz-") and name not in names:
            moved.append((name, unquote(value.replace("+", "%20"))))
        elif part and name not in names and name not in ("content-type", "content-md5"):
            kept.append(part)
    request.query = "&".join(kept)
    sent = [(name, value) for name, value in moved if name not in request.headers]
    request.headers = Headers([*request.headers.items, *sent, ("Authorization", "in the query")])


def _expired(expires: float, now: float, **more: str) -> AwsError:
    times = {"Expires": iso(expires), "ServerTime": iso(now)}
    return AwsError("AccessDenied", "Request has expired", 403, **more, **times)


def _malformed(message: str) -> AwsError:
    return AwsError("AuthorizationQueryParametersError", message, 400)
