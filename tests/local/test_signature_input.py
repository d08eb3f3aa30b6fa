"""Whatever is in the place of a signature: a request is accepted or refused as AWS would, never with a traceback."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from datetime import timedelta
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.local.api_call import AwsError, Headers, HttpRequest
from labkit.local.front_door.gateway import service_of
from labkit.local.front_door.identify import verify
from labkit.local.front_door.signature import decode_aws_chunked
from labkit.local.moto_app.answers import serialise_error
from labkit.local.s3.post_object import read_form
from labkit.local.s3.post_policy import check_post_policy

QUICKLY = settings(max_examples=100, deadline=timedelta(seconds=10))
LATIN_1 = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=20)
PARTS = st.lists(
    LATIN_1
    | st.sampled_from(
        ["AWS4-HMAC-SHA256 ", "Credential=", "AKIA/20260115/us-east-1/s3/aws4_request", "AKIA/1/2/sqs/5", ", ",
         "SignedHeaders=host;x-amz-date", "Signature=0123", "AWS AKIA:x", "Bearer "]
    ),
    max_size=8,
).map("".join)  # fmt: skip
DATES = LATIN_1 | st.sampled_from(["20260115T000000Z", "00010101T000000Z", "99991231T235959Z", ""])


def refusal(request):
    """The error of a request, or None when it is accepted; the error can be sent."""
    service = service_of(request) or "s3"
    try:
        verify(request, service, secret_of=lambda key, token: "secret", now=time.time)
    except AwsError as refused:
        error = refused
    else:
        return None
    known = service if service in ("s3", "sqs") else "sts"
    response = serialise_error(known, request, error, "id")
    assert 400 <= response.status < 500
    if known == "s3":
        assert ElementTree.fromstring(response.body).findtext("Code") == error.code  # noqa: S314  our own
    return error


@QUICKLY
@given(authorization=PARTS, date=DATES, body=st.binary(max_size=8))
def test_any_authorization_header(authorization, date, body):
    """A header that nobody signed with a key is never accepted."""
    headers = [("Host", "127.0.0.1"), ("Authorization", authorization), ("X-Amz-Date", date)]
    request = HttpRequest("PUT", "/bucket/key", "", Headers(headers), body)

    assert refusal(request) is not None or not authorization.strip()


QUERIES = st.dictionaries(
    st.sampled_from(
        ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders",
         "X-Amz-Expires", "X-Amz-Security-Token", "Signature", "Expires", "AWSAccessKeyId", "x-amz-meta-a", "acl"]
    ),
    st.text(max_size=8)
    | st.sampled_from(
        ["AWS4-HMAC-SHA256", "AKIA/20260115/us-east-1/s3/aws4_request", "20260115T000000Z", "00010101T000000Z", "host",
         "60", "-1", "٣", "1e9", "99999999999999999999", "AKIA"]
    ),
)  # fmt: skip


@QUICKLY
@given(QUERIES, st.sampled_from(["GET", "PUT"]), st.booleans())
def test_any_presigned_query(query, method, mangled):
    """An address that was typed, cut or changed."""
    text = urlencode(query) + ("&%zz&&=&" if mangled else "")
    request = HttpRequest(method, "/bucket/" + quote("ü/x"), text, Headers([("Host", "127.0.0.1")]))

    signs = {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "Signature", "AWSAccessKeyId"} & query.keys()
    assert (refusal(request) is not None) == bool(signs)


@QUICKLY
@given(
    st.binary(max_size=40)
    | st.lists(st.sampled_from([b"5", b"\r\n", b"hello", b"0", b";a=b", b"-1", b"ff"])).map(b"".join)
)
def test_any_chunked_body(body):
    """A body that ends too early or counts wrongly."""
    with contextlib.suppress(AwsError):
        payload, _ = decode_aws_chunked(body)
        assert payload in body or len(payload) < len(body)


@QUICKLY
@given(st.lists(st.sampled_from(
    [b"--mark", b"--", b"\r\n", b"Content-Disposition: form-data; name=", b'"key"', b'"file"; filename="../a\\b"', b"x",
     b'"policy"', b"\xff\x00"]
), max_size=14).map(b"".join), st.sampled_from(["mark", '"mark"', "", "mark; charset=x"]))  # fmt: skip
def test_any_form(body, boundary):
    """A form cut anywhere; a file's name is its last part."""
    headers = Headers([("Content-Type", f"multipart/form-data; boundary={boundary}")])

    with contextlib.suppress(AwsError):
        form = read_form(HttpRequest("POST", "/bucket", "", headers, body))
        assert not set("/\\") & set(form.file_name)


ANYTHING = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from(["eq", "$key", "starts-with", "content-length-range"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=6,
)


@QUICKLY
@given(
    ANYTHING | st.fixed_dictionaries({"expiration": ANYTHING | st.just("2099-01-01T00:00:00Z"), "conditions": ANYTHING})
)
def test_any_policy_of_a_form(policy):
    """JSON of any shape, and what is no JSON."""
    for text in (base64.b64encode(json.dumps(policy).encode()).decode(), str(policy)):
        with contextlib.suppress(AwsError):
            check_post_policy(text, {"key": "a", "bucket": "b"}, 3, time.time())
