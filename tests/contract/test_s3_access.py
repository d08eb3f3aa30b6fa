"""Who may do what with a bucket: callers whom nobody knows, the bucket policy, Block Public Access, the website."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def anybody(cloud):
    """A client that signs nothing, as somebody on the internet without an account."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    s3 = boto3.client("s3", endpoint_url=cloud["endpoint"], region_name="us-east-1", config=config)
    yield s3
    s3.close()


@pytest.fixture
def bucket(client, unique):
    """A bucket with one object, whose first lock (Block Public Access) is open."""
    name = unique("open")
    client("s3").create_bucket(Bucket=name)
    client("s3").put_object(Bucket=name, Key="page.html", Body=b"hello", ContentType="text/html")
    client("s3").delete_public_access_block(Bucket=name)
    return name


def everybody(action, resource, **more):
    statement = {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def outcome(call, **arguments):
    """The HTTP status and error code of a call."""
    try:
        return call(**arguments)["ResponseMetadata"]["HTTPStatusCode"], ""
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]


def of_anybody(anybody, bucket, key="page.html"):
    """What get, list, put and delete answer to somebody without an account."""
    return {
        "get": outcome(anybody.get_object, Bucket=bucket, Key=key),
        "list": outcome(anybody.list_objects_v2, Bucket=bucket),
        "put": outcome(anybody.put_object, Bucket=bucket, Key="new", Body=b"x"),
        "delete": outcome(anybody.delete_object, Bucket=bucket, Key="new"),
    }


DENIED = (403, "AccessDenied")


def test_without_a_policy_nobody_gets_in(anybody, bucket):
    """The second lock: nothing is open by default, whatever Block Public Access says."""
    assert of_anybody(anybody, bucket) == {"get": DENIED, "list": DENIED, "put": DENIED, "delete": DENIED}


def test_a_policy_for_reading_opens_reading_and_nothing_else(client, anybody, bucket):
    """`s3:GetObject` on `bucket/*`: the policy of a website."""
    client("s3").put_bucket_policy(Bucket=bucket, Policy=everybody("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))

    assert of_anybody(anybody, bucket) == {"get": (200, ""), "list": DENIED, "put": DENIED, "delete": DENIED}
    assert anybody.get_object(Bucket=bucket, Key="page.html")["Body"].read() == b"hello"
    assert outcome(anybody.head_object, Bucket=bucket, Key="page.html") == (200, "")


def test_who_may_not_list_is_not_told_whether_an_object_exists(client, anybody, bucket):
    """403 for a missing key; 404 only for those who may list anyway."""
    arn = f"arn:aws:s3:::{bucket}"
    client("s3").put_bucket_policy(Bucket=bucket, Policy=everybody("s3:GetObject", f"{arn}/*"))
    without_list = outcome(anybody.get_object, Bucket=bucket, Key="missing")
    both = everybody(["s3:GetObject", "s3:ListBucket"], [arn, f"{arn}/*"])
    client("s3").put_bucket_policy(Bucket=bucket, Policy=both)

    assert (without_list, outcome(anybody.get_object, Bucket=bucket, Key="missing")) == (DENIED, (404, "NoSuchKey"))
    assert [item["Key"] for item in anybody.list_objects_v2(Bucket=bucket)["Contents"]] == ["page.html"]


def test_everything_opened_lets_strangers_write_and_delete_but_not_govern(client, anybody, bucket):
    """`s3:*` is the mistake of the year; copying, and changing the bucket itself, still need an account."""
    arn = f"arn:aws:s3:::{bucket}"
    client("s3").put_bucket_policy(Bucket=bucket, Policy=everybody("s3:*", [arn, f"{arn}/*"]))

    opened = of_anybody(anybody, bucket)

    assert opened == {"get": (200, ""), "list": (200, ""), "put": (200, ""), "delete": (204, "")}
    assert outcome(anybody.put_bucket_policy, Bucket=bucket, Policy="{}") == DENIED
    assert outcome(anybody.delete_bucket, Bucket=bucket) == DENIED
    with pytest.raises(ClientError, match="Anonymous users cannot copy objects"):
        anybody.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/page.html")


def test_an_explicit_deny_wins_over_the_open_door(client, anybody, bucket):
    """One object stays closed."""
    arn = f"arn:aws:s3:::{bucket}"
    policy = json.loads(everybody("s3:GetObject", f"{arn}/*"))
    policy["Statement"].append(policy["Statement"][0] | {"Effect": "Deny", "Resource": f"{arn}/secret/*"})
    client("s3").put_object(Bucket=bucket, Key="secret/plan", Body=b"x")
    client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    assert outcome(anybody.get_object, Bucket=bucket, Key="page.html") == (200, "")
    assert outcome(anybody.get_object, Bucket=bucket, Key="secret/plan") == DENIED


def test_the_first_lock_closed_again_shuts_an_open_policy(client, anybody, bucket):
    """RestrictPublicBuckets works on policies that are there already."""
    client("s3").put_bucket_policy(Bucket=bucket, Policy=everybody("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    opened = outcome(anybody.get_object, Bucket=bucket, Key="page.html")
    block = {
        "BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True,
    }  # fmt: skip
    client("s3").put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)

    assert (opened, outcome(anybody.get_object, Bucket=bucket, Key="page.html")) == ((200, ""), DENIED)


def test_creating_a_bucket_again_leaves_its_first_lock_open(client, anybody, bucket):
    """In us-east-1 the owner may repeat CreateBucket; only a new bucket begins closed."""
    client("s3").put_bucket_policy(Bucket=bucket, Policy=everybody("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))

    client("s3").create_bucket(Bucket=bucket)

    assert outcome(anybody.get_object, Bucket=bucket, Key="page.html") == (200, "")


def test_an_acl_opens_nothing(client, anybody, bucket):
    """New buckets have ACLs switched off on AWS; here nobody reads them."""
    client("s3").put_object(Bucket=bucket, Key="page.html", Body=b"hello", ACL="public-read")

    assert outcome(anybody.get_object, Bucket=bucket, Key="page.html") == DENIED


def test_a_bucket_that_is_not_there_is_named_to_anybody(anybody):
    """Bucket names are no secret."""
    with pytest.raises(anybody.exceptions.NoSuchBucket) as refused:
        anybody.list_objects_v2(Bucket="not-there-at-all")

    assert refused.value.response["Error"] == {
        "Code": "NoSuchBucket", "Message": "The specified bucket does not exist", "BucketName": "not-there-at-all",
    }  # fmt: skip


def test_listing_all_buckets_and_creating_one_need_an_account(anybody, unique):
    """There is no bucket whose policy could allow it."""
    assert outcome(anybody.create_bucket, Bucket=unique("mine")) == DENIED
    assert outcome(anybody.list_buckets)[0] == 403


def test_an_unsigned_call_to_any_other_service_is_still_refused(cloud):
    """S3 alone serves strangers."""
    config = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    query, rest = "MissingAuthenticationToken", "MissingAuthenticationTokenException"
    for service, operation, code in (("sqs", "list_queues", query), ("sts", "get_caller_identity", query),
                                     ("iam", "list_roles", query), ("lambda", "list_functions", rest),
                                     ("apigateway", "get_rest_apis", rest)):  # fmt: skip
        stranger = boto3.client(service, endpoint_url=cloud["endpoint"], region_name="us-east-1", config=config)
        assert outcome(getattr(stranger, operation)) == (403, code), service
        stranger.close()


ARN = "arn:aws:s3:::{bucket}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Resource": ARN}, "Action does not apply to any resource(s) in statement"),
        ({"Action": ["s3:GetObject", "s3:ListBucket"]}, "Action does not apply to any resource(s) in statement"),
        ({"Resource": "*"}, "Policy has invalid resource"),
        ({"Resource": "arn:aws:s3:::somebody-elses/*"}, "Policy has invalid resource"),
        ({"Resource": None}, "Missing required field Resource"),
        ({"Principal": None}, "Missing required field Principal"),
        ({"Principal": "me"}, "Invalid principal in policy"),
        ({"Principal": {"AWS": "arn:aws:s3:::x"}}, "Invalid principal in policy"),
        ({"Action": "s3:ReadObject"}, "Policy has invalid action"),
        ({"Action": "sqs:SendMessage"}, "Policy has invalid action"),
        ({"Effect": "allow"}, "Invalid effect: allow"),
        ({"Actions": "s3:GetObject"}, "Unknown field Actions"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_with_the_part_that_is_wrong(client, bucket, change, message):
    """S3 reads the document when it is put, not when somebody asks for an object."""
    policy = json.loads(everybody("s3:GetObject", f"{ARN}/*"))
    policy["Statement"][0] |= change
    policy["Statement"][0] = {key: value for key, value in policy["Statement"][0].items() if value is not None}
    text = json.dumps(policy).replace("{bucket}", bucket)

    with pytest.raises(ClientError) as refused:
        client("s3").put_bucket_policy(Bucket=bucket, Policy=text)

    assert (refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]) == (
        "MalformedPolicy",
        message,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"Action": "s3:*", "Resource": ARN},
        {"Action": "s3:Get*"},
        {"Action": "S3:getobject"},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": ["123456789012"]}},
        {"Principal": {"Service": "cloudtrail.amazonaws.com"}},
        {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": [ARN, f"{ARN}/*"]},
        {"Action": "s3:GetObject", "Resource": f"{ARN}*"},
        {"Sid": "Readers", "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
    ],
)
def test_every_way_to_write_a_sound_policy_is_taken(client, bucket, change):
    """Lists, wildcards and letter case are the writer's choice."""
    policy = json.loads(everybody("s3:GetObject", f"{ARN}/*"))
    policy["Statement"][0] |= change
    text = json.dumps(policy).replace("{bucket}", bucket)

    client("s3").put_bucket_policy(Bucket=bucket, Policy=text)

    assert json.loads(client("s3").get_bucket_policy(Bucket=bucket)["Policy"]) == json.loads(text)


@pytest.mark.parametrize("name", ["Upper-Case", "under_score", "two..dots", "ends-in-", "ab"])
def test_a_name_that_no_bucket_can_have_is_refused(client, name):
    """The name becomes a host name on AWS."""
    assert outcome(client("s3").create_bucket, Bucket=name) == (400, "InvalidBucketName")


@pytest.mark.parametrize("suffix", ["/index.html", "pages/index.html"])
def test_an_index_document_is_a_suffix_and_not_a_path(client, bucket, suffix):
    """It is what follows the last slash of an address."""
    with pytest.raises(ClientError, match="The IndexDocument Suffix is not well formed") as refused:
        client("s3").put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": suffix}})

    assert refused.value.response["Error"]["Code"] == "InvalidArgument"


def website(cloud, bucket, key):
    """Status, content type and body of a page of the website."""
    address = f"{cloud['endpoint']}/_aws/s3-website/{bucket}/{key}"
    try:
        with urllib.request.urlopen(address, timeout=10) as page:
            return page.status, page.headers["Content-Type"], page.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers["Content-Type"], refused.read().decode()


def test_the_error_document_is_shown_with_the_status_of_the_error(client, cloud, bucket):
    """Only reading is public, so a missing page is 403, and its page is the error document in its own type."""
    s3 = client("s3")
    s3.put_bucket_policy(Bucket=bucket, Policy=everybody("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    configuration = {"IndexDocument": {"Suffix": "page.html"}, "ErrorDocument": {"Key": "error.html"}}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=configuration)
    status, _, without = website(cloud, bucket, "missing.html")
    s3.put_object(Bucket=bucket, Key="error.html", Body=b"<h1>not here</h1>", ContentType="text/html")

    assert website(cloud, bucket, "missing.html") == (403, "text/html", "<h1>not here</h1>")
    assert (status, "An Error Occurred While Attempting to Retrieve a Custom Error Document" in without) == (403, True)
    assert website(cloud, bucket, "") == (200, "text/html", "hello")


def test_an_object_without_content_type_is_no_page(client, cloud, bucket):
    """The browser downloads it."""
    s3 = client("s3")
    s3.put_bucket_policy(Bucket=bucket, Policy=everybody("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "page.html"}})
    s3.put_object(Bucket=bucket, Key="bare.html", Body=b"<h1>hi</h1>")

    assert website(cloud, bucket, "bare.html") == (200, "binary/octet-stream", "<h1>hi</h1>")


def test_every_answer_has_one_date(client):
    """A learner prints ResponseMetadata in the first notebook."""
    date = client("s3").list_buckets()["ResponseMetadata"]["HTTPHeaders"]["date"]

    assert date.count("GMT") == 1


def test_what_a_stranger_tried_stands_in_the_event_history_without_a_key(client, anybody, bucket):
    """An unsigned call has no access key, and must not keep others from reading the history."""
    with pytest.raises(ClientError):
        anybody.get_bucket_policy(Bucket=bucket)

    looked_up = client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "GetBucketPolicy"}]
    )["Events"]
    by_key = client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "AccessKeyId", "AttributeValue": "AKIANOBODY"}]
    )["Events"]

    [event] = [one for one in looked_up if bucket in one["CloudTrailEvent"]]
    assert ("AccessKeyId" in event, by_key) == (False, [])
