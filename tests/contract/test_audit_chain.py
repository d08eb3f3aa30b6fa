"""A change of a bucket becomes a record, an event and a mail; driven from its source, the S3 call."""

from __future__ import annotations

import json
import urllib.request

import pytest
from botocore.exceptions import ClientError

from labkit.local_process import request

ACCOUNT = "123456789012"


def allow(service, action, resource):
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": resource}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def trail(client, unique):
    """A trail that logs into a bucket of its own."""
    s3, cloudtrail, bucket, name = client("s3"), client("cloudtrail"), unique("trail"), unique("trail")
    s3.create_bucket(Bucket=bucket)
    policy = document(
        allow("cloudtrail.amazonaws.com", "s3:GetBucketAcl", f"arn:aws:s3:::{bucket}"),
        allow("cloudtrail.amazonaws.com", "s3:PutObject", f"arn:aws:s3:::{bucket}/AWSLogs/{ACCOUNT}/*"),
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    cloudtrail.create_trail(Name=name, S3BucketName=bucket)
    cloudtrail.start_logging(Name=name)
    yield bucket
    cloudtrail.delete_trail(Name=name)


@pytest.fixture
def watched(client, unique, trail):
    """A bucket whose changes a rule sends to a queue; returns ``(bucket, received)``."""
    s3, events, sqs, bucket, rule = client("s3"), client("events"), client("sqs"), unique("lake"), unique("Rule")
    url = sqs.create_queue(QueueName=unique("Audit"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": document(allow("events.amazonaws.com", "sqs:SendMessage", arn))}
    )
    pattern = {"source": ["aws.s3"], "detail": {"requestParameters": {"bucketName": [bucket]}}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    assert events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])["FailedEntryCount"] == 0
    s3.create_bucket(Bucket=bucket)
    arrived = []

    def received():
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            arrived.append(json.loads(message["Body"]))
        return arrived

    yield bucket, received
    events.remove_targets(Rule=rule, Ids=["q"])
    events.delete_rule(Name=rule)


def test_a_changed_policy_reaches_the_confirmed_subscriber_by_mail(client, cloud, unique, eventually, trail):
    """The whole audit chain: trail, rule, topic policy, confirmation by the mailed link, mail over SMTP."""
    s3, events, sns = client("s3"), client("events"), client("sns")
    bucket, address, rule = unique("lake"), f"{unique('a')}@example.com", unique("Rule")
    s3.create_bucket(Bucket=bucket)
    topic = sns.create_topic(Name=unique("Alerts"))["TopicArn"]
    sns.set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=document(allow("events.amazonaws.com", "sns:Publish", topic)),
    )
    pattern = {"detail": {"eventName": ["PutBucketPolicy"], "requestParameters": {"bucketName": [bucket]}}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "t", "Arn": topic}])

    def mails():
        return json.loads(request(cloud, f"/_labkit/inbox?format=json&address={address}"))

    answer = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    assert answer["SubscriptionArn"] == "pending confirmation"
    assert (
        sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"] == "PendingConfirmation"
    )
    link = next(word for word in eventually(mails)[0]["body"].split() if word.startswith("http"))
    with urllib.request.urlopen(link) as page:
        assert "Subscription confirmed!" in page.read().decode()
    s3.put_bucket_policy(
        Bucket=bucket, Policy=document(allow("logging.s3.amazonaws.com", "s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    )

    mail = eventually(lambda: len(mails()) == 2 and mails())[0]
    event = json.loads(mail["body"].splitlines()[0])
    assert (mail["subject"], mail["to"]) == ("AWS Notification Message", address)
    assert (event["detail"]["eventName"], event["detail"]["requestParameters"]["bucketName"]) == (
        "PutBucketPolicy",
        bucket,
    )
    assert "If you wish to stop receiving notifications from this topic" in mail["body"]


def test_a_refused_call_arrives_with_its_error_code(client, watched, eventually):
    """Failed calls are recorded and delivered too."""
    bucket, received = watched
    public = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}

    with pytest.raises(ClientError, match="BlockPublicPolicy"):
        client("s3").put_bucket_policy(Bucket=bucket, Policy=document(public))

    failed = eventually(lambda: [event["detail"] for event in received() if "errorCode" in event["detail"]])
    assert [(detail["eventName"], detail["errorCode"]) for detail in failed] == [("PutBucketPolicy", "AccessDenied")]


def test_an_upload_makes_no_event(client, watched, eventually):
    """Object-level calls are data events, off by default."""
    bucket, received = watched
    client("s3").put_object(Bucket=bucket, Key="visit.json", Body=b"{}")
    client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    eventually(lambda: "PutBucketVersioning" in [event["detail"]["eventName"] for event in received()])

    assert [event["detail"]["eventName"] for event in received()] == ["CreateBucket", "PutBucketVersioning"]


CHANGES = [
    ("PutBucketVersioning", "put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
    ("PutBucketAcl", "put_bucket_acl", {"ACL": "private"}),
    (
        "PutBucketCors",
        "put_bucket_cors",
        {"CORSConfiguration": {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}},
    ),
    ("DeleteBucketCors", "delete_bucket_cors", {}),
    (
        "PutBucketLifecycle",
        "put_bucket_lifecycle_configuration",
        {
            "LifecycleConfiguration": {
                "Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x"}, "Expiration": {"Days": 1}}]
            }
        },
    ),
    ("DeleteBucketLifecycle", "delete_bucket_lifecycle", {}),
    ("PutBucketTagging", "put_bucket_tagging", {"Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}}),
    ("DeleteBucketTagging", "delete_bucket_tagging", {}),
    ("PutBucketWebsite", "put_bucket_website", {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "index.html"}}}),
    ("DeleteBucketWebsite", "delete_bucket_website", {}),
    (
        "PutBucketEncryption",
        "put_bucket_encryption",
        {
            "ServerSideEncryptionConfiguration": {
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            }
        },
    ),
    ("DeleteBucketEncryption", "delete_bucket_encryption", {}),
    ("PutBucketNotification", "put_bucket_notification_configuration", {"NotificationConfiguration": {}}),
    (
        "PutBucketRequestPayment",
        "put_bucket_request_payment",
        {"RequestPaymentConfiguration": {"Payer": "BucketOwner"}},
    ),
    ("PutBucketLogging", "put_bucket_logging", {"BucketLoggingStatus": {}}),
    (
        "PutBucketReplication",
        "put_bucket_replication",
        {
            "ReplicationConfiguration": {
                "Role": "arn:aws:iam::123456789012:role/r",
                "Rules": [
                    {
                        "ID": "r",
                        "Status": "Enabled",
                        "Priority": 1,
                        "Filter": {"Prefix": ""},
                        "DeleteMarkerReplication": {"Status": "Disabled"},
                        "Destination": {"Bucket": "arn:aws:s3:::somewhere"},
                    }
                ],
            }
        },
    ),
    ("DeleteBucketReplication", "delete_bucket_replication", {}),
    (
        "PutBucketPublicAccessBlock",
        "put_public_access_block",
        {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "BlockPublicPolicy": True}},
    ),
    ("DeleteBucketPublicAccessBlock", "delete_public_access_block", {}),
    ("PutBucketPolicy", "put_bucket_policy", {}),
    ("DeleteBucketPolicy", "delete_bucket_policy", {}),
    ("DeleteBucket", "delete_bucket", {}),
]


def test_each_of_the_23_changes_arrives_exactly_once_and_under_its_name(client, watched, eventually):
    """CloudTrail's names differ from the API's in places; each call is delivered once, in whatever order."""
    bucket, received = watched
    s3, outcome = client("s3"), {}
    policy = document(allow("logging.s3.amazonaws.com", "s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    for event_name, method, arguments in CHANGES:
        policy_argument = {"Policy": policy} if event_name == "PutBucketPolicy" else {}
        try:
            getattr(s3, method)(Bucket=bucket, **arguments, **policy_argument)
            outcome[event_name] = None
        except ClientError as error:
            outcome[event_name] = error.response["Error"]["Code"]

    eventually(lambda: len(received()) >= len(CHANGES) + 1)

    names = [event["detail"]["eventName"] for event in received()]
    assert sorted(names) == sorted(["CreateBucket", *(name for name, _, _ in CHANGES)])
    delivered = {event["detail"]["eventName"]: event["detail"].get("errorCode") for event in received()}
    assert {name: code for name, code in delivered.items() if name != "CreateBucket"} == outcome
    refused = {name for name, code in outcome.items() if code}
    assert refused == {"PutBucketReplication", "PutBucketLogging", "PutBucketRequestPayment"}  # and told nevertheless


def test_a_trail_writes_its_records_as_gzip_into_its_bucket(client, trail, unique, eventually):
    """What LookupEvents shows for 90 days, the trail keeps for as long as its owner wants."""
    import gzip

    bucket = unique("recorded")
    client("s3").create_bucket(Bucket=bucket)

    def records():
        found = []
        for item in client("s3").list_objects_v2(Bucket=trail).get("Contents", []):
            body = client("s3").get_object(Bucket=trail, Key=item["Key"])["Body"].read()
            found += json.loads(gzip.decompress(body))["Records"]
        return [
            r
            for r in found
            if (r["requestParameters"] or {}).get("bucketName") == bucket and r["eventName"] == "CreateBucket"
        ]

    [record] = eventually(records)
    assert (record["eventSource"], record["userIdentity"]["userName"]) == ("s3.amazonaws.com", "lab-administrator")


def test_a_trail_needs_a_bucket_policy(client, unique):
    """CloudTrail must be let in like anybody else."""
    bucket = unique("closed")
    client("s3").create_bucket(Bucket=bucket)

    with pytest.raises(
        client("cloudtrail").exceptions.InsufficientS3BucketPolicyException, match="Incorrect S3 bucket policy"
    ):
        client("cloudtrail").create_trail(Name=unique("trail"), S3BucketName=bucket)


def test_what_the_local_cloud_does_itself_is_never_recorded(client, function, queue, eventually):
    """Pollers, log writers and deliveries reach the services beside the front door."""
    url, arn = queue()
    reader = (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], arn)
    name = function("def lambda_handler(event, context):\n    print('ran')\n", reader)
    client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=name)
    client("sqs").send_message(QueueUrl=url, MessageBody="x")
    group = f"/aws/lambda/{name.rpartition(':')[2]}"
    eventually(lambda: client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"])

    looked_up = client("cloudtrail").get_paginator("lookup_events").paginate()
    records = [event for page in looked_up for event in page["Events"]]
    ours = (group, url.rpartition("/")[2])
    recorded = {event["EventName"] for event in records if any(one in event["CloudTrailEvent"] for one in ours)}
    recorded |= {event["EventName"] for event in records if name in event["CloudTrailEvent"]}

    assert "CreateEventSourceMapping20150331" in recorded
    assert recorded & {"CreateLogGroup", "CreateLogStream", "ReceiveMessage", "PutLogEvents", "GetRecords"} == set()
