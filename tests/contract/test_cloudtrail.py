"""What CloudTrail records, of whom, and where it goes; the sources are pages of AWS's CloudTrail guide and API."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.contract.test_arrows import open_queue
from tests.contract.test_audit_chain import allow, document
from tests.contract.test_pipeline import TRUST

ACCOUNT = "123456789012"
PLACE = f"us-east-1:{ACCOUNT}"


def refusal(operation, **arguments):
    with pytest.raises(ClientError) as refused:
        operation(**arguments)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def looked_up(client, key, value):
    """The records of the event history with an attribute, oldest first."""
    found = client("cloudtrail").lookup_events(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])
    return [json.loads(event["CloudTrailEvent"]) for event in reversed(found["Events"])]


@pytest.fixture
def make_trail(client, unique):
    """``make_trail(**options)``: a trail that does not log yet, and its bucket."""
    made = []

    def make(**options):
        s3, bucket, name = client("s3"), unique("trail"), unique("trail")
        s3.create_bucket(Bucket=bucket)
        statements = [allow("cloudtrail.amazonaws.com", "s3:GetBucketAcl", f"arn:aws:s3:::{bucket}")]
        anywhere = f"arn:aws:s3:::{bucket}/*"
        statements.append(allow("cloudtrail.amazonaws.com", "s3:PutObject", anywhere))
        s3.put_bucket_policy(Bucket=bucket, Policy=document(*statements))
        client("cloudtrail").create_trail(Name=name, S3BucketName=bucket, **options)
        made.append(name)
        return name, bucket

    yield make
    for name in made:
        client("cloudtrail").delete_trail(Name=name)


@pytest.fixture
def recorded(client):
    """``recorded(bucket)``: every record of the log files in a bucket."""

    def read(bucket):
        s3, records = client("s3"), []
        for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            records += json.loads(gzip.decompress(body))["Records"]
        return records

    return read


# --- Who --------------------------------------------------------------------------------------------------------------


def test_the_administrator_is_an_iam_user_of_the_record(client, unique):
    """The shape of userIdentity (cloudtrail-event-reference-user-identity)."""
    bucket = unique("who")
    client("s3").create_bucket(Bucket=bucket)

    [record] = looked_up(client, "ResourceName", bucket)

    me = client("sts").get_caller_identity()
    key = client("s3")._request_signer._credentials.access_key
    assert record["userIdentity"] == {
        "type": "IAMUser",
        "principalId": me["UserId"],
        "arn": me["Arn"],
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "userName": "lab-administrator",
    }


def test_a_role_is_recorded_with_its_session_and_a_refused_call_with_its_error(client, unique):
    """The session context names the role, attributes are texts; errorCode and errorMessage are there, too."""
    iam, name, table = client("iam"), unique("Role"), unique("Table")
    trust = json.dumps({**TRUST, "Statement": [{**TRUST["Statement"][0], "Principal": {"AWS": "*"}}]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
    keys = client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="ada")["Credentials"]
    session = client(
        "dynamodb",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )

    code, message = refusal(session.describe_table, TableName=table)

    [record] = looked_up(client, "ResourceName", table)
    identity = record["userIdentity"]
    assert (record["errorCode"], record["errorMessage"]) == (code, message)
    assert (record["requestParameters"], record["responseElements"]) == ({"tableName": table}, None)
    assert identity["type"] == "AssumedRole"
    assert identity["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/ada"
    assert identity["principalId"] == f"{role['RoleId']}:ada"
    assert identity["accessKeyId"] == keys["AccessKeyId"]
    issuer = {"type": "Role", "principalId": role["RoleId"], "arn": role["Arn"], "accountId": ACCOUNT, "userName": name}
    assert identity["sessionContext"]["sessionIssuer"] == issuer
    attributes = identity["sessionContext"]["attributes"]
    assert (attributes["mfaAuthenticated"], attributes["creationDate"] <= record["eventTime"]) == ("false", True)


def test_a_user_is_recorded_by_name_and_with_short_lived_keys_with_the_time_they_began(client, unique):
    """Beside a user's keys for good, those of GetSessionToken (cloudtrail-event-reference-user-identity)."""
    iam, name, queue_name = client("iam"), unique("user"), unique("q")
    user = iam.create_user(UserName=name)["User"]
    keys = iam.create_access_key(UserName=name)["AccessKey"]
    own = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"]}
    token = client("sts", **own).get_session_token()["Credentials"]
    short = {"aws_access_key_id": token["AccessKeyId"], "aws_secret_access_key": token["SecretAccessKey"]}
    short["aws_session_token"] = token["SessionToken"]

    for credentials in (own, short):
        refusal(client("sqs", **credentials).get_queue_url, QueueName=queue_name)

    first, second = (record["userIdentity"] for record in looked_up(client, "ResourceName", queue_name))
    expected = {"type": "IAMUser", "principalId": user["UserId"], "arn": user["Arn"], "accountId": ACCOUNT}
    assert first == {**expected, "accessKeyId": keys["AccessKeyId"], "userName": name}
    assert (second["accessKeyId"], second["userName"]) == (token["AccessKeyId"], name)
    assert second["sessionContext"]["attributes"]["creationDate"].endswith("Z")


def test_a_role_may_use_the_bus_and_the_rules_that_its_policy_names(client, unique):
    """The resources of EventBridge's and CloudTrail's actions (service-authorization, list of both)."""
    iam, name, bus = client("iam"), unique("Role"), unique("bus")
    client("events").create_event_bus(Name=bus)
    trust = json.dumps({**TRUST, "Statement": [{**TRUST["Statement"][0], "Principal": {"AWS": "*"}}]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": ["events:*", "cloudtrail:*"]}
    statement["Resource"] = [f"arn:aws:events:{PLACE}:event-bus/{bus}", f"arn:aws:events:{PLACE}:rule/{bus}/*"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(statement))
    keys = client("sts").assume_role(RoleArn=role, RoleSessionName="ada")["Credentials"]
    session = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"]}
    session["aws_session_token"] = keys["SessionToken"]
    events, entry = client("events", **session), {"Source": "s", "DetailType": "t", "Detail": "{}"}

    events.put_rule(Name="r", EventBusName=bus, EventPattern='{"source": ["s"]}')
    assert events.put_events(Entries=[{**entry, "EventBusName": bus}])["FailedEntryCount"] == 0
    assert events.describe_event_bus(Name=bus)["Name"] == bus
    for refused, arguments, on in (
        (events.put_events, {"Entries": [entry]}, "event-bus/default"),
        (events.describe_rule, {"Name": "r"}, "rule/r"),
        (client("cloudtrail", **session).get_trail, {"Name": "mine"}, "trail/mine"),
    ):
        code, message = refusal(refused, **arguments)
        assert (code, f"{PLACE}:{on} because no identity-based policy" in message) == ("AccessDeniedException", True)


def test_a_function_is_recorded_as_the_session_of_its_role(client, function, unique):
    """The session has the function's name."""
    wanted = unique("nowhere")
    code = (
        "import boto3\ndef lambda_handler(event, context):\n"
        f"    try:\n        boto3.client('sqs').get_queue_url(QueueName='{wanted}')\n    except Exception: pass\n"
    )
    arn = function(code)
    client("lambda").invoke(FunctionName=arn)

    [record] = looked_up(client, "ResourceName", wanted)

    name = arn.rpartition(":")[2]
    assert record["userIdentity"]["arn"].endswith(f"/{name}")
    assert (record["eventName"], record["readOnly"]) == ("GetQueueUrl", True)


def test_what_is_secret_is_not_recorded(client, unique, function):
    """Keys, code and variables are left out (cloudtrail-event-reference-record-contents)."""
    user, secret = unique("user"), unique("secret")
    client("iam").create_user(UserName=user)
    key = client("iam").create_access_key(UserName=user)["AccessKey"]
    arn = function("def lambda_handler(event, context): pass", Environment={"Variables": {"A": secret}})

    found = client("cloudtrail").get_paginator("lookup_events").paginate()
    texts = "".join(event["CloudTrailEvent"] for page in found for event in page["Events"])

    assert user in texts
    assert arn.rpartition(":")[2] in texts
    assert (secret in texts, key["SecretAccessKey"] in texts) == (False, False)


def test_a_change_of_a_bucket_is_recorded_with_its_subresource_and_its_body(client, unique):
    """The shape that public records of PutBucketVersioning have."""
    bucket = unique("shape")
    client("s3").create_bucket(Bucket=bucket)
    client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    record = looked_up(client, "ResourceName", bucket)[-1]

    assert record["requestParameters"] == {
        "bucketName": bucket,
        "Host": record["requestParameters"]["Host"],
        "versioning": "",
        "VersioningConfiguration": {"xmlns": "http://s3.amazonaws.com/doc/2006-03-01/", "Status": "Enabled"},
    }
    assert record["userAgent"].startswith("[Boto3/")


# --- Which ------------------------------------------------------------------------------------------------------------


def test_a_policy_that_cannot_be_read_is_recorded_as_it_was_sent(client, unique):
    """A refused call leaves its record, whatever was sent."""
    bucket, nested = unique("audit"), "[" * 100_000
    client("s3").create_bucket(Bucket=bucket)

    assert refusal(client("s3").put_bucket_policy, Bucket=bucket, Policy=nested)[0] == "MalformedPolicy"

    record = looked_up(client, "ResourceName", bucket)[-1]
    assert (record["eventName"], record["errorCode"]) == ("PutBucketPolicy", "MalformedPolicy")
    assert record["requestParameters"]["bucketPolicy"] == nested


def test_objects_and_invocations_are_recorded_when_a_trail_selects_them(
    client,
    make_trail,
    *,
    recorded,
    function,
    queue,
    unique,
    eventually,
):
    """Data events: in the trail's files and on EventBridge, never in the event history (logging-data-events)."""
    s3, cloudtrail, events = client("s3"), client("cloudtrail"), client("events")
    lake, other, name, rule = unique("lake"), unique("other"), make_trail(), unique("Rule")
    url, queue_arn = open_queue(client, queue, "events.amazonaws.com")
    arn, unselected = function("def lambda_handler(event, context): pass"), function("def lambda_handler(e, c): pass")
    for bucket in (lake, other):
        s3.create_bucket(Bucket=bucket)
    pattern = {"source": ["aws.s3"], "detail": {"eventName": ["PutObject", "GetObject"]}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": queue_arn, "InputPath": "$.detail.eventName"}])
    resources = [
        {"Type": "AWS::S3::Object", "Values": [f"arn:aws:s3:::{lake}/visits/"]},
        {"Type": "AWS::Lambda::Function", "Values": [arn]},
    ]
    selector = {"ReadWriteType": "All", "IncludeManagementEvents": False, "DataResources": resources}

    answer = cloudtrail.put_event_selectors(TrailName=name[0], EventSelectors=[selector])
    cloudtrail.start_logging(Name=name[0])
    s3.put_object(Bucket=lake, Key="visits/1.json", Body=b"{}")
    s3.get_object(Bucket=lake, Key="visits/1.json")
    s3.put_object(Bucket=lake, Key="elsewhere", Body=b"{}")
    s3.put_object(Bucket=other, Key="visits/1.json", Body=b"{}")
    s3.put_bucket_tagging(Bucket=lake, Tagging={"TagSet": []})
    refusal(s3.get_object, Bucket=lake, Key="visits/none")
    client("lambda").invoke(FunctionName=arn.rpartition(":")[2], Payload=b'{"secret": 1}')
    client("lambda").invoke(FunctionName=unselected)

    records = eventually(lambda: len(found := recorded(name[1])) >= 4 and found)
    assert answer["EventSelectors"][0]["ExcludeManagementEventSources"] == []
    assert cloudtrail.get_trail(Name=name[0])["Trail"]["HasCustomEventSelectors"] is True
    named = [(record["eventName"], record["readOnly"], record.get("errorCode")) for record in records]
    assert sorted(named, key=str) == [
        ("GetObject", True, "NoSuchKey"),
        ("GetObject", True, None),
        ("Invoke", False, None),
        ("PutObject", False, None),
    ]
    put = next(record for record in records if record["eventName"] == "PutObject")
    assert (put["eventCategory"], put["managementEvent"]) == ("Data", False)
    assert (put["requestParameters"]["bucketName"], put["requestParameters"]["key"]) == (lake, "visits/1.json")
    assert put["resources"] == [
        {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{lake}/visits/1.json"},
        {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{lake}"},
    ]
    assert put["additionalEventData"]["bytesTransferredIn"] == 2
    invoke = next(record for record in records if record["eventName"] == "Invoke")
    assert invoke["requestParameters"] == {"functionName": arn}
    assert invoke["resources"] == [{"accountId": ACCOUNT, "type": "AWS::Lambda::Function", "ARN": arn}]
    assert invoke["additionalEventData"] == {"functionVersion": f"{arn}:$LATEST"}
    depth = lambda: client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]  # noqa: E731
    assert eventually(lambda: depth()["ApproximateNumberOfMessages"] == "3")
    assert "PutObject" not in [record["eventName"] for record in looked_up(client, "ResourceName", lake)]
    events.remove_targets(Rule=rule, Ids=["q"])


@pytest.mark.parametrize(
    ("selectors", "logged"),
    [
        ({"EventSelectors": [{"ReadWriteType": "ReadOnly"}]}, ["GetBucketTagging"]),
        ({"EventSelectors": [{"ReadWriteType": "WriteOnly"}]}, ["PutBucketTagging"]),
        (
            {
                "AdvancedEventSelectors": [
                    {
                        "Name": "objects written",
                        "FieldSelectors": [
                            {"Field": "eventCategory", "Equals": ["Data"]},
                            {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
                            {"Field": "readOnly", "Equals": ["false"]},
                            {"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::BUCKET/"], "NotEndsWith": ["2"]},
                        ],
                    }
                ]
            },
            ["PutObject"],
        ),
        (
            {
                "AdvancedEventSelectors": [
                    {
                        "FieldSelectors": [
                            {"Field": "eventCategory", "Equals": ["Management"]},
                            {"Field": "eventSource", "NotEquals": ["cloudtrail.amazonaws.com"]},
                            {"Field": "eventName", "StartsWith": ["Put"]},
                        ],
                    }
                ]
            },
            ["PutBucketTagging"],
        ),
    ],
)
def test_a_trail_logs_what_its_selectors_name(client, make_trail, *, recorded, unique, eventually, selectors, logged):
    """Basic and advanced selectors (API_PutEventSelectors, API_AdvancedFieldSelector)."""
    s3, cloudtrail, (name, to), bucket = client("s3"), client("cloudtrail"), make_trail(), unique("selected")
    s3.create_bucket(Bucket=bucket)
    cloudtrail.put_event_selectors(TrailName=name, **json.loads(json.dumps(selectors).replace("BUCKET", bucket)))
    cloudtrail.start_logging(Name=name)

    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.get_bucket_tagging(Bucket=bucket)
    for key in ("1", "2"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    s3.get_object(Bucket=bucket, Key="1")
    cloudtrail.stop_logging(Name=name)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": []})

    def of_bucket():
        return [r for r in recorded(to) if (r["requestParameters"] or {}).get("bucketName") == bucket]

    assert [record["eventName"] for record in eventually(of_bucket)] == logged


def test_a_trail_tells_its_selectors_whole(client, make_trail):
    """The defaults of API_EventSelector; one kind of selectors replaces the other."""
    cloudtrail, (name, _) = client("cloudtrail"), make_trail()
    arn = f"arn:aws:cloudtrail:{PLACE}:trail/{name}"
    default = {"IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": []}
    fields = {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}

    def selectors(answer):
        return {key: value for key, value in answer.items() if key != "ResponseMetadata"}

    first = selectors(cloudtrail.get_event_selectors(TrailName=name))
    put = selectors(cloudtrail.put_event_selectors(TrailName=arn, AdvancedEventSelectors=[fields]))
    assert first == {"TrailARN": arn, "EventSelectors": [{"ReadWriteType": "All", **default}]}
    assert put == {"TrailARN": arn, "AdvancedEventSelectors": [fields]}
    assert selectors(cloudtrail.get_event_selectors(TrailName=name)) == put


@pytest.mark.parametrize(
    ("selectors", "why"),
    [
        ({}, "either EventSelectors or AdvancedEventSelectors"),
        ({"EventSelectors": [{"ReadWriteType": "Some"}]}, "ReadWriteType must be one of"),
        ({"EventSelectors": [{}] * 6}, "at most 5 selectors"),
        ({"EventSelectors": [{"ExcludeManagementEventSources": ["s3.amazonaws.com"]}]}, "can be excluded"),
        (
            {"EventSelectors": [{"DataResources": [{"Type": "AWS::DynamoDB::Table", "Values": ["arn:aws:dynamodb"]}]}]},
            "the local cloud records data events of AWS::S3::Object and AWS::Lambda::Function only",
        ),
        ({"EventSelectors": [{"DataResources": [{"Type": "AWS::S3::Object", "Values": ["lake"]}]}]}, "is not an ARN"),
        (
            {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "readOnly", "Equals": ["true"]}]}]},
            "eventCategory",
        ),
        ({"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]}, "type"),
        (
            {
                "AdvancedEventSelectors": [
                    {
                        "FieldSelectors": [
                            {"Field": "eventCategory", "Equals": ["Management"]},
                            {"Field": "resources.ARN", "Equals": ["x"]},
                        ]
                    }
                ]
            },
            "resources.ARN is not a field of Management events",
        ),
    ],
)
def test_selectors_that_are_none_are_refused(client, make_trail, selectors, why):
    """And what the trail had stays."""
    cloudtrail, (name, _) = client("cloudtrail"), make_trail()

    code, message = refusal(cloudtrail.put_event_selectors, TrailName=name, **selectors)

    assert (code, why in message) == ("InvalidEventSelectorsException", True), message
    assert cloudtrail.get_trail(Name=name)["Trail"]["HasCustomEventSelectors"] is False


def test_what_only_reads_reaches_the_rules_that_ask_for_all_management_events(
    client, make_trail, *, queue, unique, eventually
):
    """The states of a rule (eb-service-event-cloudtrail): ENABLED leaves out Get, List and Describe."""
    events, (name, _), wanted = client("events"), make_trail(), unique("q")
    all_of_them, places = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", {}
    pattern = json.dumps({"source": ["aws.sqs"], "detail": {"requestParameters": {"queueName": [wanted]}}})
    for state in ("ENABLED", all_of_them, "DISABLED"):
        places[state], arn = open_queue(client, queue, "events.amazonaws.com")
        rule = unique("Rule")
        events.put_rule(Name=rule, EventPattern=pattern, State=state)
        events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn, "InputPath": "$.detail.eventName"}])
    client("cloudtrail").start_logging(Name=name)

    refusal(client("sqs").get_queue_url, QueueName=wanted)
    client("sqs").create_queue(QueueName=wanted)

    def got(state):
        url, sqs = places[state], client("sqs")
        return [one["Body"] for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])]

    arrived = []
    eventually(lambda: arrived.extend(got(all_of_them)) or len(arrived) == 2)
    assert sorted(arrived) == ['"CreateQueue"', '"GetQueueUrl"']
    assert (got("ENABLED"), got("DISABLED")) == (['"CreateQueue"'], [])


# --- Trails -----------------------------------------------------------------------------------------------------------


def test_a_trail_tells_when_it_was_started_stopped_and_delivered(client, make_trail, eventually):
    """API_GetTrailStatus; a bucket that is gone shows as LatestDeliveryError."""
    cloudtrail, (name, bucket) = client("cloudtrail"), make_trail()
    assert cloudtrail.get_trail_status(Name=name)["IsLogging"] is False

    cloudtrail.start_logging(Name=name)
    client("sqs").list_queues()
    status = eventually(lambda: (s := cloudtrail.get_trail_status(Name=name)).get("LatestDeliveryTime") and s)
    keys = client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert (status["IsLogging"], status["StartLoggingTime"] <= status["LatestDeliveryTime"]) == (True, True)
    assert status["TimeLoggingStarted"].endswith("Z")
    for item in keys:
        client("s3").delete_object(Bucket=bucket, Key=item["Key"])
    client("s3").delete_bucket_policy(Bucket=bucket)
    refused = eventually(lambda: cloudtrail.get_trail_status(Name=name).get("LatestDeliveryError"))
    cloudtrail.stop_logging(Name=name)
    stopped = cloudtrail.get_trail_status(Name=name)

    assert (refused, stopped["IsLogging"], "StopLoggingTime" in stopped) == ("AccessDenied", False, True)


def test_what_a_bucket_does_not_take_is_written_when_it_does(client, make_trail, *, recorded, unique, eventually):
    """CloudTrail tries for 30 days (cloudtrail-user-guide, "CloudTrail trail costs": a misconfigured trail)."""
    cloudtrail, s3, (name, bucket), wanted = client("cloudtrail"), client("s3"), make_trail(), unique("q")
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    cloudtrail.start_logging(Name=name)

    client("sqs").create_queue(QueueName=wanted)
    assert eventually(lambda: cloudtrail.get_trail_status(Name=name).get("LatestDeliveryError")) == "AccessDenied"
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)

    def names():
        return [one["requestParameters"]["queueName"] for one in recorded(bucket) if one["eventName"] == "CreateQueue"]

    assert eventually(lambda: wanted in names())
    assert "LatestDeliveryError" not in cloudtrail.get_trail_status(Name=name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ab", "Trail name too short. Minimum allowed length: 3 characters. Specified name length: 2 characters."),
        ("a" * 129, "Trail name too long. Maximum allowed length: 128 characters."),
        ("my trail", "Trail name or ARN can only contain uppercase letters"),
        (".trail", "Trail name must starts with a letter or number."),
        ("trail-", "Trail name must ends with a letter or number."),
    ],
)
def test_a_name_that_no_trail_can_have_is_refused(client, name, message):
    """The rules of cloudtrail-trail-naming-requirements."""
    code, said = refusal(client("cloudtrail").create_trail, Name=name, S3BucketName="b")

    assert (code, message in said) == ("InvalidTrailNameException", True), said


@pytest.mark.parametrize(
    "option",
    [
        {"EnableLogFileValidation": True},
        {"SnsTopicName": "t"},
        {"CloudWatchLogsLogGroupArn": "arn:aws:logs:g"},
        {"KmsKeyId": "k"},
        {"IsOrganizationTrail": True},
    ],
)
def test_what_would_be_kept_and_never_done_is_refused(client, make_trail, option):
    """Digest files, for one: only AWS can sign them."""
    with pytest.raises(ClientError, match=f"does not support {next(iter(option))}: "):
        make_trail(**option)


def test_a_trail_is_seen_elsewhere_when_it_logs_there_and_changed_at_home_only(client, make_trail):
    """Shadow trails (API_DescribeTrails) and InvalidHomeRegionException; Insights are not there."""
    cloudtrail, (name, _), (single, _) = client("cloudtrail"), make_trail(IsMultiRegionTrail=True), make_trail()
    elsewhere, arn = client("cloudtrail", region_name="eu-west-1"), f"arn:aws:cloudtrail:{PLACE}:trail/{name}"

    def names(**options):
        return {one["Name"] for one in elsewhere.describe_trails(**options)["trailList"]}

    assert ({name} <= names(), single in names(), name in names(includeShadowTrails=False)) == (True, False, False)
    assert refusal(elsewhere.stop_logging, Name=arn)[0] == "InvalidHomeRegionException"
    assert refusal(elsewhere.start_logging, Name=name)[0] == "TrailNotFoundException"
    assert refusal(cloudtrail.get_insight_selectors, TrailName=name)[0] == "InsightNotEnabledException"
    assert refusal(cloudtrail.put_insight_selectors, TrailName=name, InsightSelectors=[])[0] == "NotImplemented"


def test_a_trail_of_all_regions_writes_a_file_for_each(client, make_trail, eventually):
    """The region stands in the key of a log file (cloudtrail-find-log-files)."""
    name, bucket = make_trail(IsMultiRegionTrail=True)
    client("cloudtrail").start_logging(Name=name)
    for region in ("us-east-1", "eu-west-1"):
        client("sqs", region_name=region).list_queues()

    def regions():
        keys = [item["Key"] for item in client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]
        return {key.split("/")[3] for key in keys} == {"us-east-1", "eu-west-1"}

    assert eventually(regions)


def test_tags_of_a_trail_are_added_and_removed(client, make_trail):
    """API_AddTags, API_RemoveTags."""
    cloudtrail, (name, _) = client("cloudtrail"), make_trail(TagsList=[{"Key": "a", "Value": "1"}])
    arn = f"arn:aws:cloudtrail:{PLACE}:trail/{name}"
    cloudtrail.add_tags(ResourceId=arn, TagsList=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
    cloudtrail.remove_tags(ResourceId=arn, TagsList=[{"Key": "b"}])

    [tags] = cloudtrail.list_tags(ResourceIdList=[arn])["ResourceTagList"]

    assert tags == {"ResourceId": arn, "TagsList": [{"Key": "a", "Value": "2"}]}


# --- Looking up -------------------------------------------------------------------------------------------------------


def test_the_history_is_searched_by_one_attribute_and_by_time_in_pages(client, unique):
    """API_LookupEvents: newest first, up to 50 at a time; ReadOnly is a text."""
    cloudtrail, sqs, name, before = client("cloudtrail"), client("sqs"), unique("Queue"), datetime.now(UTC)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    sqs.delete_queue(QueueUrl=url)
    by_name = [{"AttributeKey": "ResourceName", "AttributeValue": name}]

    def found(key, value, **more):
        attributes = [{"AttributeKey": key, "AttributeValue": value}]
        return cloudtrail.lookup_events(LookupAttributes=attributes, **more)["Events"]

    first = cloudtrail.lookup_events(LookupAttributes=by_name, MaxResults=2)
    second = cloudtrail.lookup_events(LookupAttributes=by_name, MaxResults=2, NextToken=first["NextToken"])
    newest = first["Events"][0]

    assert [event["EventName"] for event in first["Events"] + second["Events"]] == [
        "DeleteQueue",
        "GetQueueAttributes",
        "CreateQueue",
    ]
    assert newest["Resources"] == [{"ResourceType": "AWS::SQS::Queue", "ResourceName": name}]
    assert found("EventId", newest["EventId"]) == [newest]
    assert {event["ReadOnly"] for event in found("ReadOnly", "true", MaxResults=5)} == {"true"}
    assert {event["EventSource"] for event in found("EventSource", "sqs.amazonaws.com")} == {"sqs.amazonaws.com"}
    assert found("EventName", "DeleteQueue", EndTime=before - timedelta(hours=1)) == []
    assert cloudtrail.lookup_events(EventCategory="insight")["Events"] == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        ({"NextToken": "²"}, "InvalidNextTokenException"),
        ({"EventCategory": "data"}, "InvalidEventCategoryException"),
        ({"LookupAttributes": [{"AttributeKey": "Colour", "AttributeValue": "x"}]}, "InvalidLookupAttributesException"),
        ({"LookupAttributes": [{"AttributeKey": "EventId", "AttributeValue": "x"}] * 2}, "InvalidLookupAttributesExc"),
        (
            {"StartTime": datetime(2026, 1, 2, tzinfo=UTC), "EndTime": datetime(2026, 1, 1, tzinfo=UTC)},
            "InvalidTimeRangeException",
        ),
    ],
)
def test_a_look_up_that_is_none_is_refused(client, arguments, code):
    """The errors of API_LookupEvents."""
    assert refusal(client("cloudtrail").lookup_events, **arguments)[0].startswith(code)
