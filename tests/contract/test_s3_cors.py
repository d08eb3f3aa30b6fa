"""CORS of a bucket: what a page of another origin may do with it.

Sources: Amazon S3 User Guide, "Using cross-origin resource sharing (CORS)"; answers as AWS was recorded giving them
(LocalStack's recordings of AWS, test_s3_cors).
"""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.plain_http import http

ORIGIN = "https://localhost:4200"
NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


@pytest.fixture
def bucket(client, unique):
    name = unique("cors")
    client("s3").create_bucket(Bucket=name)
    client("s3").put_object(Bucket=name, Key="page", Body=b"test-cors")
    return name


@pytest.fixture
def allow(client, bucket):
    """``allow(AllowedMethods=["GET"], …)``: give the bucket one rule."""

    def allow(**rule):
        rules = [{"AllowedOrigins": [ORIGIN], "AllowedMethods": ["GET", "PUT"], **rule}]
        client("s3").put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})

    return allow


@pytest.fixture
def preflight(cloud, bucket):
    def preflight(method="GET", origin=ORIGIN, asked="", path="/page"):
        headers = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": asked}
        sent = {name: value for name, value in headers.items() if value}
        return http("OPTIONS", f"{cloud['endpoint']}/{bucket}{path}", headers=sent)

    return preflight


def cors(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith(("access-control", "vary"))}


def test_a_bucket_without_rules_allows_no_page_anything(cloud, preflight):
    """CORS is off until it is switched on."""
    refused = preflight("PUT")
    assert (refused.status, refused.error) == (
        403,
        {
            "Code": "AccessForbidden", "Message": "CORSResponse: CORS is not enabled for this bucket.",
            "Method": "PUT", "ResourceType": "BUCKET",
        },
    )  # fmt: skip
    without_origin = preflight(origin="")
    assert (without_origin.status, without_origin.error) == (
        400, {"Code": "BadRequest", "Message": "Insufficient information. Origin request header needed."},
    )  # fmt: skip
    nowhere = http("OPTIONS", f"{cloud['endpoint']}/not-there-at-all/x", headers={"Origin": "whatever"})
    assert (nowhere.status, nowhere.error["Message"], nowhere.error["Method"]) == (
        403, "CORSResponse: Bucket not found", "OPTIONS",
    )  # fmt: skip


def test_a_preflight_is_answered_by_the_first_rule_that_fits(preflight, allow):
    """A browser reads these headers and decides."""
    allow(MaxAgeSeconds=3000, AllowedHeaders=["x-amz-*"], ExposeHeaders=["ETag", "x-amz-request-id"])

    answer = preflight("PUT", asked="X-Amz-Request-Payer, x-amz-date")

    assert (answer.status, answer.body) == (200, b"")
    assert cors(answer) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "x-amz-request-payer, x-amz-date",
        "access-control-expose-headers": "ETag, x-amz-request-id",
        "access-control-max-age": "3000",
        "access-control-allow-credentials": "true",
        "vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    }


@pytest.mark.parametrize(
    "asking", [{"method": "DELETE"}, {"origin": "http://localhost:4200"}, {"asked": "x-not-listed"}]
)
def test_what_no_rule_allows_is_refused(preflight, allow, asking):
    """Method, origin and headers are looked at together."""
    allow(AllowedHeaders=["x-listed"])

    refused = preflight(**asking)

    assert (refused.status, refused.error) == (
        403,
        {
            "Code": "AccessForbidden", "Message": NOT_ALLOWED, "Method": asking.get("method", "GET"),
            "ResourceType": "OBJECT",
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("allowed", "origin", "answered"),
    [
        ("*", "http://random:1234", "*"),
        ("http://*.origin.com", "http://test.origin.com", "http://test.origin.com"),
        ("http://*.origin.com", "http://test.origin.com/", None),
    ],
)
def test_an_origin_may_hold_one_wildcard(preflight, allow, allowed, origin, answered):
    """Everybody's rule answers with a star, without credentials."""
    allow(AllowedOrigins=[allowed])

    found = cors(preflight(origin=origin))

    assert found.get("access-control-allow-origin") == answered
    assert ("access-control-allow-credentials" in found) == (answered not in (None, "*"))


def test_a_page_reads_an_object_by_a_presigned_address(client, bucket, allow):
    """The answer itself carries the headers, for the origins of the rule alone."""
    allow()
    url = client("s3").generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "page"})

    right, wrong = (http("GET", url, headers={"Origin": origin}) for origin in (ORIGIN, "http://evil.example"))

    assert (right.body, right.headers["access-control-allow-origin"]) == (b"test-cors", ORIGIN)
    assert (wrong.body, cors(wrong)) == (b"test-cors", {})


@pytest.mark.parametrize(
    ("rule", "code", "message"),
    [
        ({"AllowedMethods": ["MYMETHOD"]}, "InvalidRequest",
         "Found unsupported HTTP method in CORS config. Unsupported method is MYMETHOD"),
        ({"AllowedOrigins": ["http://*.a.*"]}, "InvalidRequest",
         'AllowedOrigin "http://*.a.*" can not have more than one wildcard.'),
    ],
)  # fmt: skip
def test_rules_that_s3_does_not_take(allow, rule, code, message):
    """Refused when they are put, not when a browser asks."""
    with pytest.raises(ClientError) as refused:
        allow(**rule)

    assert refused.value.response["Error"] == {"Code": code, "Message": message}
