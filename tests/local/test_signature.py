"""Signatures made by botocore are accepted, and anything changed on the way is not."""

from __future__ import annotations

import time
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.local.api_call import AwsError, Headers, HttpRequest, Signed
from labkit.local.front_door.identify import verify
from labkit.local.front_door.signature import decode_aws_chunked

KEYS = {("AKIAEXAMPLE", ""): "secret"}


def signed(method: str, url: str, body: bytes = b"", *, service: str = "sqs", query: bool = False) -> HttpRequest:
    signer = {"s3": S3SigV4QueryAuth if query else S3SigV4Auth}.get(service, SigV4Auth)
    request = AWSRequest(method, url, data=body, headers={"Host": urlsplit(url).netloc})
    signer(Credentials("AKIAEXAMPLE", "secret"), service, "us-east-1").add_auth(request)
    parts = urlsplit(request.prepare().url)
    return HttpRequest(method, parts.path, parts.query, Headers(list(request.headers.items())), body)


def check(request: HttpRequest) -> Signed:
    signed = verify(request, "sqs", secret_of=lambda key, token: KEYS.get((key, token)), now=time.time)
    assert signed is not None
    return signed


@pytest.mark.parametrize("service", ["sqs", "s3"])
def test_a_request_signed_by_botocore_is_accepted(service):
    """Every boto3 call passes here."""
    request = signed("POST", "http://127.0.0.1:4566/a%20b/c?x=1&y=a%2Fb&z", b"{}", service=service)

    assert check(request) == Signed("AKIAEXAMPLE", "", "us-east-1", service)


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=30).filter(lambda key: key.strip("/.") == key))
def test_any_object_key_can_be_signed(key):
    """Keys of S3 hold whatever people type."""
    request = signed("PUT", "http://127.0.0.1:4566/bucket/" + quote(key, safe="/-_.~"), b"x", service="s3")

    assert check(request).service == "s3"


def test_a_presigned_address_is_accepted():
    """S3's presigned URLs carry the signature in the query."""
    request = signed("GET", "http://127.0.0.1:4566/bucket/key", service="s3", query=True)

    assert check(request).access_key_id == "AKIAEXAMPLE"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda r: setattr(r, "body", b'{"changed": 1}'), "SignatureDoesNotMatch"),
        (lambda r: setattr(r, "path", "/other"), "SignatureDoesNotMatch"),
        (lambda r: setattr(r, "query", "a=1"), "SignatureDoesNotMatch"),
        (lambda r: setattr(r, "headers", Headers([])), "MissingAuthenticationToken"),
        (lambda r: setattr(r, "headers", Headers([("Authorization", "Basic x")])), "IncompleteSignature"),
    ],
)
def test_a_changed_request_is_refused(change, code):
    """A signature covers the body, the path and the query."""
    request = signed("POST", "http://127.0.0.1:4566/", b"{}")
    change(request)

    with pytest.raises(AwsError) as refused:
        check(request)

    assert refused.value.code == code


def test_an_unknown_key_is_refused():
    """A key pair of real AWS, sent here by mistake, gets AWS's own answer."""
    request = signed("POST", "http://127.0.0.1:4566/", b"{}")

    with pytest.raises(AwsError) as refused:
        verify(request, "sqs", secret_of=lambda key, token: None, now=time.time)

    assert (refused.value.code, refused.value.status) == ("InvalidClientTokenId", 403)


def test_an_old_request_is_refused():
    """A recorded request cannot be replayed the next day."""
    request = signed("POST", "http://127.0.0.1:4566/", b"{}")

    with pytest.raises(AwsError, match="Signature expired"):
        verify(request, "sqs", secret_of=lambda key, token: "secret", now=lambda: time.time() + 3600)


def test_an_aws_chunked_body_is_decoded():
    """Some clients upload in signed chunks with a trailer."""
    assert decode_aws_chunked(b"5;chunk-signature=a\r\nhello\r\n0\r\nx-amz-checksum-crc32:x\r\n\r\n") == (
        b"hello",
        {"x-amz-checksum-crc32": "x"},
    )
