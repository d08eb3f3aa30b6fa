"""S3 event notifications: every destination from its source, what is told, and what is refused.

Truth: recordings of AWS in LocalStack's tests (tests/aws/services/s3, test_s3_notifications_*.snapshot.json, of
2025-01-21) and the S3 user guide: notification-content-structure, notification-how-to-filtering, ev-events.
"""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.conftest import make_client
from tests.contract.test_arrows import PRINTING, allow, printed
from tests.contract.test_s3_post_object import form
from tests.plain_http import http

ACCOUNT = "123456789012"
EVERYTHING = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:ObjectAcl:Put"]
REPLACED = ("content-length", "content-md5", "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm")
UNREACHABLE = "Unable to validate the following destination configurations"


@pytest.fixture
def bucket(client, unique):
    """The name of a new bucket."""
    name = unique("told")
    client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def open_queue(client, queue):
    """A queue that S3 may send to: URL and ARN."""
    url, arn = queue()
    policy = allow("s3.amazonaws.com", "sqs:SendMessage", arn)
    client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    return url, arn


def notify(client, bucket, **configuration):
    client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def to_queue(arn, *events, **rules):
    entry = {"QueueArn": arn, "Events": list(events)}
    if rules:
        entry["Filter"] = {"Key": {"FilterRules": [{"Name": n, "Value": v} for n, v in rules.items()]}}
    return entry


def taken(client, url, count):
    """The next *count* messages of a queue, as JSON, whatever S3 sent to check it left out."""
    found = []
    while len(found) < count:
        messages = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        assert messages.get("Messages"), f"only {found}"
        for message in messages["Messages"]:
            client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            body = json.loads(message["Body"])
            if body.get("Event") != "s3:TestEvent":
                found.append(body)
    return found


def records(client, url, count):
    return [body["Records"][0] for body in taken(client, url, count)]


def test_a_queue_is_told_of_a_new_object_in_the_shape_of_s3(client, bucket, open_queue):
    """The record, field for field; the key is URL-encoded in it."""
    url, arn = open_queue
    notify(client, bucket, QueueConfigurations=[{**to_queue(arn, "s3:ObjectCreated:*"), "Id": "mine"}])

    stored = client("s3").put_object(Bucket=bucket, Key="a folder/é@.txt", Body=b"something")

    [record] = records(client, url, 1)
    told = record["s3"]
    assert {name: record[name] for name in ("eventVersion", "eventSource", "awsRegion", "eventName")} == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventName": "ObjectCreated:Put",
    }
    assert told["bucket"]["name"] == bucket
    assert told["bucket"]["arn"] == f"arn:aws:s3:::{bucket}"
    assert told["bucket"]["ownerIdentity"].keys() == {"principalId"}
    assert (told["s3SchemaVersion"], told["configurationId"]) == ("1.0", "mine")
    assert told["object"].pop("sequencer")
    assert told["object"] == {"key": "a+folder/%C3%A9%40.txt", "size": 9, "eTag": stored["ETag"].strip('"')}
    assert record["requestParameters"] == {"sourceIPAddress": "127.0.0.1"}
    assert record["responseElements"].keys() == {"x-amz-request-id", "x-amz-id-2"}
    assert record.keys() >= {"eventTime", "userIdentity"}


def test_every_change_has_its_event(client, bucket, open_queue):
    """Deletions of what is not there are told, too; tags and ACLs have another version and no sequencer."""
    s3, (url, arn) = client("s3"), open_queue
    notify(client, bucket, QueueConfigurations=[to_queue(arn, *EVERYTHING)])

    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=1, Body=b"part")["ETag"]
    s3.complete_multipart_upload(
        Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}
    )
    s3.delete_object(Bucket=bucket, Key="c")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}, {"Key": "none"}], "Quiet": True})

    found = records(client, url, 9)
    assert [(one["eventName"], one["eventVersion"], one["s3"]["object"]["key"]) for one in found] == [
        ("ObjectCreated:Put", "2.1", "k"),
        ("ObjectTagging:Put", "2.3", "k"),
        ("ObjectTagging:Delete", "2.3", "k"),
        ("ObjectAcl:Put", "2.3", "k"),
        ("ObjectCreated:Copy", "2.1", "c"),
        ("ObjectCreated:CompleteMultipartUpload", "2.1", "m"),
        ("ObjectRemoved:Delete", "2.1", "c"),
        ("ObjectRemoved:Delete", "2.1", "k"),
        ("ObjectRemoved:Delete", "2.1", "none"),
    ]
    assert found[1]["s3"]["object"].keys() == {"key", "eTag"}
    assert found[6]["s3"]["object"].keys() == {"key", "sequencer"}
    sequence = [one["s3"]["object"]["sequencer"] for one in found if "sequencer" in one["s3"]["object"]]
    assert sequence == sorted(set(sequence))


def test_a_form_of_a_page_is_told_as_a_post(client, bucket, open_queue):
    """POST Object has an event of its own."""
    url, arn = open_queue
    notify(client, bucket, QueueConfigurations=[to_queue(arn, "s3:ObjectCreated:Post")])
    signed = client("s3").generate_presigned_post(bucket, "k")

    answer = http("POST", signed["url"], *form(signed["fields"], b"1234"))

    [record] = records(client, url, 1)
    assert (answer.status, record["eventName"], record["s3"]["object"]["size"]) == (204, "ObjectCreated:Post", 4)


def test_versions_are_told_by_their_ids(client, bucket, open_queue):
    """A deletion without a version makes a marker; of a version it deletes."""
    s3, (url, arn) = client("s3"), open_queue
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    notify(client, bucket, QueueConfigurations=[to_queue(arn, "s3:ObjectCreated:*", "s3:ObjectRemoved:*")])

    version = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=version)

    found = records(client, url, 3)
    assert [(one["eventName"], one["s3"]["object"]["versionId"]) for one in found] == [
        ("ObjectCreated:Put", version),
        ("ObjectRemoved:DeleteMarkerCreated", marker),
        ("ObjectRemoved:Delete", version),
    ]
    assert found[1]["s3"]["object"]["eTag"] == "d41d8cd98f00b204e9800998ecf8427e"
    assert "eTag" not in found[2]["s3"]["object"]


def test_prefix_and_suffix_choose_objects(client, bucket, open_queue):
    """Their names are kept as S3 spells them; what is put last replaces everything."""
    s3, (url, arn) = client("s3"), open_queue
    notify(client, bucket, QueueConfigurations=[to_queue(arn, "s3:ObjectCreated:*", prefix="in/", SUFFIX=".csv")])
    for key in ("in/a.txt", "out/a.csv", "in/a.csv"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    found = records(client, url, 1)
    kept = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"][0]
    notify(client, bucket)
    s3.put_object(Bucket=bucket, Key="in/b.csv", Body=b"1")

    assert [one["s3"]["object"]["key"] for one in found] == ["in/a.csv"]
    assert kept["Filter"]["Key"]["FilterRules"] == [
        {"Name": "Prefix", "Value": "in/"},
        {"Name": "Suffix", "Value": ".csv"},
    ]
    assert kept["Id"]
    assert "QueueConfigurations" not in s3.get_bucket_notification_configuration(Bucket=bucket)
    assert client("sqs").receive_message(QueueUrl=url).get("Messages", []) == []


def test_a_function_is_invoked_asynchronously_when_its_policy_lets_s3(client, bucket, function, eventually):
    """Without the permission the configuration is refused; the function is not tested with an event."""
    arn = function(PRINTING)
    entry = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:Put"]}
    with pytest.raises(ClientError, match=UNREACHABLE) as refused:
        notify(client, bucket, LambdaFunctionConfigurations=[entry])
    client("lambda").add_permission(
        FunctionName=arn,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
        SourceAccount=ACCOUNT,
    )
    notify(client, bucket, LambdaFunctionConfigurations=[entry])

    client("s3").put_object(Bucket=bucket, Key="k", Body=b"1")

    [event] = eventually(lambda: printed(client, arn))
    assert event["Records"][0]["s3"]["object"]["key"] == "k"
    assert refused.value.response["Error"]["ArgumentName1"] == f"{arn}, null"
    assert refused.value.response["Error"]["ArgumentValue1"] == f"Not authorized to invoke function [{arn}]"


def test_a_topic_passes_the_record_on(client, bucket, queue, unique):
    """The subject is S3's; the topic's policy must let S3 publish."""
    sns, (url, arn) = client("sns"), queue()
    topic = sns.create_topic(Name=unique("Topic"))["TopicArn"]
    entry = {"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
    with pytest.raises(ClientError, match=UNREACHABLE):
        notify(client, bucket, TopicConfigurations=[entry])
    policy = allow("s3.amazonaws.com", "sns:Publish", topic)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    queue_policy = allow("sns.amazonaws.com", "sqs:SendMessage", arn)
    client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": queue_policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    notify(client, bucket, TopicConfigurations=[entry])

    client("s3").put_object(Bucket=bucket, Key="k", Body=b"1")

    tested, told = taken(client, url, 2)
    assert (tested["Subject"], json.loads(tested["Message"])["Event"]) == ("Amazon S3 Notification", "s3:TestEvent")
    assert told["Subject"] == "Amazon S3 Notification"
    assert json.loads(told["Message"])["Records"][0]["s3"]["object"]["key"] == "k"


def test_eventbridge_gets_every_event_of_the_bucket(client, bucket, queue, unique):
    """It needs no permission and no filter: a rule chooses. The key is not encoded there."""
    events, (url, arn), rule = client("events"), queue(), unique("Rule")
    queue_policy = allow("events.amazonaws.com", "sqs:SendMessage", arn)
    client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": queue_policy})
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    notify(client, bucket, EventBridgeConfiguration={})

    stored = client("s3").put_object(Bucket=bucket, Key="a b", Body=b"1234")
    client("s3").delete_object(Bucket=bucket, Key="a b")

    created, deleted = sorted(taken(client, url, 2), key=lambda event: event["detail-type"])
    detail = created["detail"]
    assert (created["detail-type"], created["resources"]) == ("Object Created", [f"arn:aws:s3:::{bucket}"])
    assert detail.pop("request-id")
    assert detail["object"].pop("sequencer")
    assert detail == {
        "version": "0",
        "bucket": {"name": bucket},
        "object": {"key": "a b", "size": 4, "etag": stored["ETag"].strip('"')},
        "requester": ACCOUNT,
        "source-ip-address": "127.0.0.1",
        "reason": "PutObject",
    }
    assert (deleted["detail-type"], deleted["detail"]["deletion-type"]) == ("Object Deleted", "Permanently Deleted")
    assert deleted["detail"]["reason"] == "DeleteObject"
    assert "EventBridgeConfiguration" in client("s3").get_bucket_notification_configuration(Bucket=bucket)


def test_what_a_service_puts_is_told_too(client, bucket, open_queue, unique, eventually):
    """CloudTrail's log files, for instance."""
    url, arn = open_queue
    notify(client, bucket, QueueConfigurations=[to_queue(arn, "s3:ObjectCreated:*", suffix=".json.gz")])
    policy = json.loads(allow("cloudtrail.amazonaws.com", ["s3:GetBucketAcl", "s3:PutObject"], "*"))
    policy["Statement"][0]["Resource"] = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    trail = unique("trail")
    client("cloudtrail").create_trail(Name=trail, S3BucketName=bucket)
    client("cloudtrail").start_logging(Name=trail)
    client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})

    [record] = records(client, url, 1)

    client("cloudtrail").delete_trail(Name=trail)
    assert record["s3"]["object"]["key"].startswith(f"AWSLogs/{ACCOUNT}/CloudTrail/")


def test_a_queue_is_checked_and_gets_a_test_message(client, bucket, open_queue):
    """S3 sends it whenever the configuration is put."""
    url, arn = open_queue

    notify(client, bucket, QueueConfigurations=[to_queue(arn, "s3:ObjectCreated:*")])

    [message] = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=2)["Messages"]
    body = json.loads(message["Body"])
    assert (body["Service"], body["Event"], body["Bucket"]) == ("Amazon S3", "s3:TestEvent", bucket)
    assert body.keys() == {"Service", "Event", "Time", "Bucket", "RequestId", "HostId"}


def test_every_destination_that_cannot_be_reached_is_named(client, bucket, queue):
    """First the ARNs are read, then the destinations are asked; without the check anything is kept."""
    _, closed = queue()
    missing = closed + "-none"
    entries = [to_queue(missing, "s3:ObjectCreated:*"), to_queue(closed, "s3:ObjectRemoved:*")]

    with pytest.raises(ClientError, match=UNREACHABLE) as refused:
        notify(client, bucket, QueueConfigurations=entries)
    with pytest.raises(ClientError, match="The ARN could not be parsed") as unread:
        notify(client, bucket, QueueConfigurations=[*entries, to_queue("invalid", "s3:ObjectTagging:*")])
    client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": entries}, SkipDestinationValidation=True
    )

    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidArgument"
    assert (error["ArgumentName1"], error["ArgumentValue1"]) == (missing, "The destination queue does not exist")
    assert error["ArgumentName2"] == closed
    assert "do not allow S3 to publish notifications from this bucket" in error["ArgumentValue2"]
    assert unread.value.response["Error"]["ArgumentName"] == "Queue"
    assert unread.value.response["Error"]["ArgumentValue"] == "invalid"
    kept = client("s3").get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert [one["QueueArn"] for one in kept] == [missing, closed]


@pytest.mark.parametrize(
    ("entries", "refusal"),
    [
        (
            [(["s3:ObjectCreated:*"], {}), (["s3:ObjectCreated:Put"], {})],
            (
                "InvalidArgument",
                "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
            ),
        ),
        (
            [(["s3:ObjectCreated:*"], {"prefix": "images/"}), (["s3:ObjectCreated:Put"], {"suffix": ".jpg"})],
            (
                "InvalidArgument",
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes "
                "are overlapping for the same event type.",
            ),
        ),
        ([(["s3:ObjectMade:*"], {})], ("InvalidArgument", "The event is not supported for notifications")),
        ([(["s3:Replication:*"], {})], ("NotImplemented", "never happens in the local cloud")),
        ([(["s3:ObjectCreated:*"], {"infix": "x"})], ("InvalidArgument", "must be either prefix or suffix")),
    ],
)
def test_a_configuration_that_s3_refuses_is_refused(client, bucket, open_queue, entries, refusal):
    """With S3's words where they are public (S3 user guide; issues of aws-cli, Terraform and CDK quote them)."""
    configuration = [to_queue(open_queue[1], *events, **rules) for events, rules in entries]

    with pytest.raises(ClientError) as refused:
        notify(client, bucket, QueueConfigurations=configuration)

    assert refused.value.response["Error"]["Code"] == refusal[0]
    assert refusal[1] in refused.value.response["Error"]["Message"]


def test_entries_that_never_meet_may_share_an_event(client, bucket, open_queue):
    """Apart by prefix, or by suffix."""
    arn = open_queue[1]
    entries = [
        to_queue(arn, "s3:ObjectCreated:*", prefix="a/"),
        to_queue(arn, "s3:ObjectCreated:*", prefix="b/", suffix=".x"),
        to_queue(arn, "s3:ObjectCreated:*", prefix="b/", suffix=".y"),
    ]

    notify(client, bucket, QueueConfigurations=entries)

    kept = client("s3").get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert len({one["Id"] for one in kept}) == 3


def test_a_bucket_that_is_not_there_has_no_configuration(client, bucket, open_queue, unique):
    """And a new bucket of a deleted one's name tells nobody."""
    notify(client, bucket, QueueConfigurations=[to_queue(open_queue[1], "s3:ObjectCreated:*")])
    client("s3").delete_bucket(Bucket=bucket)
    with pytest.raises(ClientError) as missing:
        client("s3").get_bucket_notification_configuration(Bucket=bucket)
    client("s3").create_bucket(Bucket=bucket)

    assert missing.value.response["Error"]["Code"] == "NoSuchBucket"
    assert missing.value.response["Error"]["BucketName"] == bucket
    assert "QueueConfigurations" not in client("s3").get_bucket_notification_configuration(Bucket=bucket)


@pytest.mark.parametrize("body", [b"<", b"{}", b"\xff", b"<NotificationConfiguration>" + b"<a>" * 1000])
def test_what_is_no_xml_is_said_to_be_malformed(cloud, bucket, body):
    """S3 API reference, "Error responses": whichever tool sent it."""
    s3 = make_client(cloud, "s3")

    def replace(request, **more):
        for name in [name for name in request.headers if name.lower() in REPLACED]:
            del request.headers[name]
        request.data = body

    s3.meta.events.register("before-sign.s3.PutBucketNotificationConfiguration", replace)

    with pytest.raises(ClientError) as refused:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})

    s3.close()
    assert refused.value.response["Error"]["Code"] == "MalformedXML"
