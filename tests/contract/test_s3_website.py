"""The website endpoint: documents, folders, redirects, routing rules and pages of errors.

Sources: Amazon S3 User Guide, "Hosting a static website" and "Configuring a webpage redirect"; answers as AWS was
recorded giving them (LocalStack's recordings of AWS, test_s3, TestS3StaticWebsiteHosting).
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plain_http import http

PAGES = ("index.html", "about/index.html", "error.html", "redirected.html", "replaced/key", "prefixed-key")


@pytest.fixture(scope="module")
def bucket(client):
    name, s3 = "website-of-the-tests", client("s3")
    s3.create_bucket(Bucket=name)
    s3.delete_public_access_block(Bucket=name)
    arn = f"arn:aws:s3:::{name}"
    statements = [
        {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource}
        for action, resource in (("s3:GetObject", f"{arn}/*"), ("s3:ListBucket", arn))
    ]  # who may list is told 404, as the bucket of AWS's recordings tells
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    for key in PAGES:
        s3.put_object(Bucket=name, Key=key, Body=key.encode(), ContentType="text/html", CacheControl="max-age=60")
    return name


@pytest.fixture
def configure(client, bucket):
    def configure(*rules, **configuration):
        made = {"IndexDocument": {"Suffix": "index.html"}, **configuration}
        made |= {"RoutingRules": list(rules)} if rules else {}
        client("s3").put_bucket_website(Bucket=bucket, WebsiteConfiguration=made)

    return configure


@pytest.fixture
def visit(cloud, bucket):
    """``visit("key")``: the answer of the website; ``Location`` is what comes behind the website's address."""
    base = f"{cloud['endpoint']}/_aws/s3-website/{bucket}"

    def visit(key, method="GET", **headers):
        answer = http(method, f"{base}/{key}", headers=headers)
        location = answer.headers.get("location", "")
        answer.location = location.removeprefix(base).removeprefix(f"/_aws/s3-website/{bucket}")
        return answer

    return visit


def page(title, *facts):
    """A page of an error, as AWS writes it; the ids are left out."""
    items = "".join(f"<li>{fact}</li>\n" for fact in facts)
    return f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n{items}</ul>\n"


def without_ids(answer):
    return re.sub(r"<li>(RequestId|HostId): .*</li>\n", "", answer.body.decode())


def test_documents_and_folders(configure, visit):
    """A folder is its index document; without the slash the browser is sent to the folder."""
    configure()

    assert [visit(key).body.decode() for key in ("", "about/", "replaced/key")] == [
        "index.html", "about/index.html", "replaced/key",
    ]  # fmt: skip
    assert (visit("about").status, visit("about").location) == (302, "/about/")
    head = visit("", method="HEAD")
    assert (head.body, head.headers["content-length"], head.headers["cache-control"]) == (b"", "10", "max-age=60")
    assert visit("", **{"If-None-Match": head.headers["etag"]}).status == 304


def test_pages_of_errors(cloud, configure, visit, client, unique):
    """What is missing, in AWS's own page."""
    configure()
    missing = ("Code: NoSuchKey", "Message: The specified key does not exist.")

    assert without_ids(visit("x")) == page("404 Not Found", *missing, "Key: x") + "<hr/>\n</body>\n</html>\n"
    assert "<li>Key: x/index.html</li>" in without_ids(visit("x/"))
    posted = visit("x", method="POST")
    assert (posted.status, posted.headers["allow"]) == (405, "GET, HEAD")
    assert without_ids(posted).startswith(
        page(
            "405 Method Not Allowed", "Code: MethodNotAllowed",
            "Message: The specified method is not allowed against this resource.", "Method: POST",
            "ResourceType: OBJECT",
        )
    )  # fmt: skip
    nowhere = http("GET", f"{cloud['endpoint']}/_aws/s3-website/not-there-at-all/")
    assert without_ids(nowhere).startswith(
        page("404 Not Found", "Code: NoSuchBucket", "Message: The specified bucket does not exist",
             "BucketName: not-there-at-all")
    )  # fmt: skip
    configure(ErrorDocument={"Key": "gone.html"})
    assert without_ids(visit("x")) == (
        page("404 Not Found", *missing, "Key: x")
        + "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n"
        + "".join(f"<li>{fact}</li>\n" for fact in (*missing, "Key: gone.html"))
        + "</ul>\n<hr/>\n</body>\n</html>\n"
    )
    configure(ErrorDocument={"Key": "error.html"})
    assert (visit("x").status, visit("x").body) == (404, b"error.html")


def test_an_object_may_lead_elsewhere(client, bucket, configure, visit):
    """Metadata of one object; an error document may do so, too, and then the error's status is lost."""
    configure(ErrorDocument={"Key": "moved-error"})
    for key, target in (("moved", "/about/"), ("away", "https://example.com/x"), ("moved-error", "/error.html")):
        client("s3").put_object(Bucket=bucket, Key=key, WebsiteRedirectLocation=target)

    assert [(visit(key).status, visit(key).location) for key in ("moved", "away", "missing")] == [
        (301, "/about/"), (301, "https://example.com/x"), (301, "/error.html"),
    ]  # fmt: skip


def test_everything_may_lead_elsewhere(client, bucket, visit):
    """One setting, an empty answer."""
    everything = {"RedirectAllRequestsTo": {"HostName": "example.com", "Protocol": "https"}}
    client("s3").put_bucket_website(Bucket=bucket, WebsiteConfiguration=everything)

    answer = visit("a%20b/c")

    assert (answer.status, answer.body, answer.location) == (301, b"", "https://example.com/a%20b/c")


def test_the_conditions_of_routing_rules(configure, visit):
    """The first rule that fits; one on an error waits until there is one; neither looks at the root."""
    configure(
        {"Condition": {"KeyPrefixEquals": "both/", "HttpErrorCodeReturnedEquals": "404"},
         "Redirect": {"ReplaceKeyWith": "redirected-both.html"}},
        {"Condition": {"KeyPrefixEquals": "prefixed"}, "Redirect": {"ReplaceKeyWith": "redirected.html"}},
        {"Condition": {"KeyPrefixEquals": "index"}, "Redirect": {"ReplaceKeyWith": "redirected.html"}},
        {"Condition": {"HttpErrorCodeReturnedEquals": "404"}, "Redirect": {"ReplaceKeyWith": "redirected.html"}},
        ErrorDocument={"Key": "error.html"},
    )  # fmt: skip

    assert (visit("missing").status, visit("missing").location) == (301, "/redirected.html")
    assert visit("prefixed-key").location == "/redirected.html"
    assert visit("both/").location == "/redirected-both.html"
    assert (visit("").status, visit("replaced/key").status) == (200, 200)


@pytest.mark.parametrize(
    ("redirect", "status", "location"),
    [
        ({"HostName": "random-hostname"}, 301, "http://random-hostname/docs/key"),
        ({"ReplaceKeyPrefixWith": "replaced/"}, 301, "/replaced/key"), ({"ReplaceKeyPrefixWith": ""}, 301, "/key"),
        ({"HttpRedirectCode": "307", "ReplaceKeyWith": "a b"}, 307, "/a%20b"),
        ({"Protocol": "https", "HostName": "h", "ReplaceKeyWith": "k"}, 301, "https://h/k"),
    ],
)  # fmt: skip
def test_where_a_routing_rule_leads(configure, visit, redirect, status, location):
    """Host, protocol, key or the part of it that the condition names, and the status."""
    configure({"Condition": {"KeyPrefixEquals": "docs/"}, "Redirect": redirect})

    answer = visit("docs/key")

    assert (answer.status, answer.location) == (status, location)


INDEX = {"IndexDocument": {"Suffix": "index.html"}}


@pytest.mark.parametrize(
    ("configuration", "code", "message"),
    [
        ({"RedirectAllRequestsTo": {"HostName": "test"}, **INDEX}, "InvalidArgument",
         "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules."),
        ({"ErrorDocument": {"Key": "e"}}, "InvalidArgument",
         "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty"),
        ({**INDEX, "RoutingRules": [{"Redirect": {"Protocol": "protocol"}}]}, "InvalidRequest",
         "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected "
         "automatically."),
        ({**INDEX, "RoutingRules": [{"Redirect": {"ReplaceKeyPrefixWith": "a", "ReplaceKeyWith": "b"}}]},
         "InvalidRequest", "You can only define ReplaceKeyPrefix or ReplaceKey but not both."),
        ({**INDEX, "RoutingRules": [{"Redirect": {"ReplaceKeyWith": "b"}, "Condition": {}}]}, "InvalidRequest",
         "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be "
         "present."),
        ({**INDEX, "RoutingRules": []}, "MalformedXML",
         "The XML you provided was not well-formed or did not validate against our published schema"),
        ({**INDEX, "RoutingRules": [{"Redirect": {"HttpRedirectCode": "200"}}]}, "InvalidRequest",
         "The provided HTTP redirect code (200) is not valid. Valid codes are 3XX except 300."),
    ],
)  # fmt: skip
def test_configurations_that_are_refused(client, bucket, configuration, code, message):
    """When they are put, not when somebody visits."""
    with pytest.raises(ClientError) as refused:
        client("s3").put_bucket_website(Bucket=bucket, WebsiteConfiguration=configuration)

    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, message)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text("/.%?#&+<>\"'\\ \x00aé\u2028", max_size=12))
def test_any_key_has_an_answer(configure, visit, key):
    """Whatever stands in the address bar: a page of AWS's, nothing of ours."""
    configure({"Condition": {"KeyPrefixEquals": "a"}, "Redirect": {"ReplaceKeyPrefixWith": "b"}})

    answer = visit(quote(key, safe="/.+&"))

    assert answer.status in (200, 301, 302, 403, 404)
    assert b"Traceback" not in answer.body
    assert b"<li>Key: <" not in answer.body
