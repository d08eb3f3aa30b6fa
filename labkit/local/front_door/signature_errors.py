"""What AWS answers to a request whose signature it does not accept: three families of services, three vocabularies.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

from __future__ import annotations

from datetime import timedelta

from labkit.local.api_call import AwsError
from labkit.local.clock import EPOCH, iso

QUERY_SERVICES = frozenset({"sts", "iam", "sns", "sqs", "monitoring", "cloudwatch", "cloudformation", "ec2"})
REST_SERVICES = frozenset({"lambda", "apigateway", "execute-api"})
S3_SKEW, OTHER_SKEW = 15 * 60, 5 * 60


class TokenExpired(Exception):
    """The key that signed is one of a session that is over."""


def not_signed(service: str) -> AwsError:
    """A request that carries no signature."""
    if service == "s3":
        return AwsError("AccessDenied", "Access Denied", 403)
    text = "Missing Authentication Token" if service in REST_SERVICES else "Request is missing Authentication Token"
    return _error(service, "MissingAuthenticationToken", text)


def incomplete(service: str, message: str) -> AwsError:
    """An ``Authorization`` header that is no Signature Version 4."""
    if service == "s3":
        return AwsError("AuthorizationHeaderMalformed", f"The authorization header is malformed; {message}", 400)
    return _error(service, "IncompleteSignature", message, 400)


def unknown_key(service: str, key: str, token: str) -> AwsError:
    """A key, or a session token with it, that the account does not know."""
    if service == "s3" and token:
        text = "The provided token is malformed or otherwise invalid."
        return AwsError("InvalidToken", text, 400, **{"Token-0": token})
    if service == "s3":
        text = "The AWS Access Key Id you provided does not exist in our records."
        return AwsError("InvalidAccessKeyId", text, 403, AWSAccessKeyId=key)
    code = "InvalidClientTokenId" if service in QUERY_SERVICES else "UnrecognizedClientException"
    return _error(service, code, "The security token included in the request is invalid.")


def expired_token(service: str, token: str) -> AwsError:
    """A session that is over."""
    if service == "s3":
        return AwsError("ExpiredToken", "The provided token has expired.", 400, **{"Token-0": token})
    return _error(service, "ExpiredToken", "The security token included in the request is expired")


def does_not_match(service: str, *, key: str, provided: str, text: str, canonical: str = "") -> AwsError:
    """A signature that the key does not make; S3 shows what it signed itself."""
    if service != "s3":
        return _error(
            service,
            "SignatureDoesNotMatch" if service in QUERY_SERVICES else "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )
    shown = {
        "AWSAccessKeyId": key,
        "StringToSign": text,
        "SignatureProvided": provided,
        "StringToSignBytes": _hex(text),
    }
    if canonical:
        shown |= {"CanonicalRequest": canonical, "CanonicalRequestBytes": _hex(canonical)}
    return AwsError(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method.",
        403,
        **shown,
    )


def check_skew(service: str, timestamp: str, signed_at: float, now: float) -> None:
    """Refuse a request that was signed too long ago, or in the future."""
    largest = S3_SKEW if service == "s3" else OTHER_SKEW
    if abs(now - signed_at) <= largest:
        return
    if service == "s3":
        raise AwsError(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            403,
            RequestTime=timestamp,
            ServerTime=iso(now),
            MaxAllowedSkewMilliseconds=str(S3_SKEW * 1000),
        )
    minutes = largest // 60
    if signed_at < now:
        words, limit, sign = "expired: {} is now earlier than", now - largest, "-"
    else:
        words, limit, sign = "not yet current: {} is still later than", now + largest, "+"
    text = f"Signature {words.format(timestamp)} {_basic(limit)} ({_basic(now)} {sign} {minutes} min.)"
    code = "SignatureDoesNotMatch" if service in QUERY_SERVICES else "InvalidSignatureException"
    raise _error(service, code, text)


def _basic(seconds: float) -> str:
    return f"{EPOCH + timedelta(seconds=seconds):%Y%m%dT%H%M%SZ}"


def _hex(text: str) -> str:
    return text.encode().hex(" ")


def _error(service: str, code: str, message: str, status: int = 403) -> AwsError:
    """Name an error as the service's protocol does: ``…Exception`` and, without REST, HTTP status 400 in JSON."""
    if service in QUERY_SERVICES:
        return AwsError(code, message, status)
    code = code if code.endswith("Exception") else f"{code}Exception"
    return AwsError(code, message, status if service in REST_SERVICES else 400)
