"""What Lambda keeps for itself: settings, attempts, age, destinations, and the permissions that this takes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.contract.test_pipeline import TRUST, zipped

ACCOUNT = "123456789012"
FAILING = "def lambda_handler(event, context):\n    raise RuntimeError('no')\n"
PRINTING = "import json\ndef lambda_handler(event, context):\n    print('GOT', json.dumps(event))\n"


def got(client, arn):
    """What a printing function was called with."""
    try:
        events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{arn.rpartition(':')[2]}")["events"]
    except client("logs").exceptions.ResourceNotFoundException:
        return []
    return [json.loads(e["message"][4:]) for e in events if e["message"].startswith("GOT ")]


@pytest.mark.parametrize(
    ("destination", "code", "message"),
    [
        ("http://127.0.0.1/123456789012/Failures", "ValidationException", "'destinationConfig.onFailure.destination'"),
        ("itself", "InvalidParameterValueException", "You can't specify the function as a destination for itself."),
        (
            "arn:aws:s3:::somewhere",
            "InvalidParameterValueException",
            "permissions to call PutObject on arn:aws:s3:::some",
        ),
        (
            "arn:aws:iam::123456789012:role/r",
            "InvalidParameterValueException",
            "The provided destination config DestinationConfig(onSuccess=null, "
            "onFailure=OnFailure(destination=arn:aws:iam::123456789012:role/r)) is invalid.",
        ),
        ("arn:aws:lambda:us-east-1:123456789012:function:none", "InvalidParameterValueException", "none is invalid."),
        (
            "arn:aws:events:us-east-1:123456789012:event-bus/default",
            "InvalidParameterValueException",
            "does not have permissions to call PutEvents on",
        ),
    ],
)
def test_what_can_be_no_destination_is_refused_when_it_is_set(client, function, destination, code, message):
    """An address in place of an ARN is the usual slip; patterns and texts as LocalStack recorded them from AWS."""
    target = function(FAILING)
    destination = target if destination == "itself" else destination

    with pytest.raises(ClientError) as refused:
        client("lambda").put_function_event_invoke_config(
            FunctionName=target, DestinationConfig={"OnFailure": {"Destination": destination}}
        )

    error = refused.value.response["Error"]
    assert (error["Code"], message in error["Message"]) == (code, True), error
    with pytest.raises(client("lambda").exceptions.ResourceNotFoundException):
        client("lambda").get_function_event_invoke_config(FunctionName=target)


def test_the_role_must_be_allowed_to_send_to_the_destination_when_it_is_set(client, function, queue):
    """Lambda sends in the function's name, and asks its role first."""
    _, arn = queue()
    target = function(FAILING)

    with pytest.raises(ClientError) as refused:
        client("lambda").put_function_event_invoke_config(
            FunctionName=target, DestinationConfig={"OnFailure": {"Destination": arn}}
        )

    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert refused.value.response["Error"]["Message"] == (
        f"The function's execution role does not have permissions to call SendMessage on {arn}"
    )


def test_the_role_must_be_allowed_to_send_to_the_functions_dead_letter_queue(client, function, queue, unique):
    """At create and at update, in Lambda's own words."""
    _, arn = queue()
    name, words = unique("Function"), "The provided execution role does not have permissions to call SendMessage on SQS"
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    there = function(FAILING)

    with pytest.raises(ClientError, match=words):
        client("lambda").create_function(
            FunctionName=name, Runtime="python3.13", Role=role, Handler="lambda_function.lambda_handler",
            Code={"ZipFile": zipped(FAILING)}, DeadLetterConfig={"TargetArn": arn},
        )  # fmt: skip
    with pytest.raises(ClientError, match=words):
        client("lambda").update_function_configuration(FunctionName=there, DeadLetterConfig={"TargetArn": arn})

    client("lambda").update_function_configuration(FunctionName=there, DeadLetterConfig={"TargetArn": ""})


def test_an_event_that_is_too_old_is_not_tried_again(client, function, queue, eventually):
    """The first retry would come after a minute, and a minute is all that this event has."""
    url, arn = queue()
    target = function(FAILING, (["sqs:SendMessage"], arn))
    client("lambda").put_function_event_invoke_config(
        FunctionName=target, MaximumEventAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": arn}}
    )

    client("lambda").invoke(FunctionName=target, InvocationType="Event", Payload=b"{}")

    [message] = eventually(lambda: client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
    context = json.loads(message["Body"])["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 1)


def test_one_retry_means_two_attempts(client, function, queue, eventually):
    """MaximumRetryAttempts counts what comes after the first."""
    url, arn = queue()
    target = function(FAILING, (["sqs:SendMessage"], arn))
    client("lambda").put_function_event_invoke_config(
        FunctionName=target, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn}}
    )

    client("lambda").invoke(FunctionName=target, InvocationType="Event", Payload=b"{}")

    [message] = eventually(lambda: client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
    assert json.loads(message["Body"])["requestContext"]["approximateInvokeCount"] == 2


def test_a_success_can_have_a_destination_too(client, function, queue, eventually):
    """The record holds what the function returned."""
    url, arn = queue()
    target = function("def lambda_handler(event, context):\n    return 'done'\n", (["sqs:SendMessage"], arn))
    client("lambda").put_function_event_invoke_config(
        FunctionName=target, DestinationConfig={"OnSuccess": {"Destination": arn}}
    )

    client("lambda").invoke(FunctionName=target, InvocationType="Event", Payload=b'{"n": 1}')

    [message] = eventually(lambda: client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
    record = json.loads(message["Body"])
    assert (record["requestContext"]["condition"], record["responsePayload"], record["responseContext"]) == (
        "Success",
        "done",
        {"statusCode": 200, "executedVersion": "$LATEST"},
    )


def test_a_failure_can_be_kept_in_a_bucket(client, function, unique, eventually):
    """The key says function and time: AWS docs, "Capturing records of Lambda asynchronous invocations"."""
    bucket = unique("failures")
    client("s3").create_bucket(Bucket=bucket)
    target = function(
        FAILING, (["s3:PutObject", "s3:ListBucket"], [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"])
    )
    destination = {"Destination": f"arn:aws:s3:::{bucket}"}
    with pytest.raises(ClientError, match=r"The provided destination config DestinationConfig\(onSuccess=OnSuccess"):
        client("lambda").put_function_event_invoke_config(
            FunctionName=target, DestinationConfig={"OnSuccess": destination}
        )
    client("lambda").put_function_event_invoke_config(
        FunctionName=target, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": destination}
    )

    client("lambda").invoke(FunctionName=target, InvocationType="Event", Payload=b'{"n": 1}')

    [found] = eventually(lambda: client("s3").list_objects_v2(Bucket=bucket).get("Contents"))
    record = json.loads(client("s3").get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
    name = target.rpartition(":")[2]
    assert re.fullmatch(
        rf"aws/lambda/async/{name}/\d{{4}}/\d\d/\d\d/\d{{4}}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{{36}}", found["Key"]
    )
    assert (record["requestContext"]["condition"], record["requestPayload"]) == ("RetriesExhausted", {"n": 1})


@pytest.mark.parametrize("kind", ["queue", "topic"])
def test_a_dead_letter_holds_the_event_and_why_it_failed(client, function, queue, eventually, kind):
    """RequestID, ErrorCode and ErrorMessage as LocalStack recorded them (TestLambdaDLQ::test_dead_letter_queue)."""
    url, arn = queue()
    dead_letters, action = arn, "sqs:SendMessage"
    if kind == "topic":
        dead_letters, action = client("sns").create_topic(Name=arn.rpartition(":")[2])["TopicArn"], "sns:Publish"
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:*",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        raw = {"RawMessageDelivery": "true"}
        client("sns").subscribe(TopicArn=dead_letters, Protocol="sqs", Endpoint=arn, Attributes=raw)
    target = function(FAILING, ([action], dead_letters), DeadLetterConfig={"TargetArn": dead_letters})
    client("lambda").put_function_event_invoke_config(FunctionName=target, MaximumRetryAttempts=0)

    sent = client("lambda").invoke(FunctionName=target, InvocationType="Event", Payload=b'{"n": 1}')

    [message] = eventually(
        lambda: (
            client("sqs")
            .receive_message(QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"])
            .get("Messages")
        )
    )
    assert json.loads(message["Body"]) == {"n": 1}
    assert message["MessageAttributes"] == {
        "RequestID": {"DataType": "String", "StringValue": sent["ResponseMetadata"]["RequestId"]},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": "no"},
    }


def test_a_dry_run_asks_for_permission_and_runs_nothing(client, function, eventually):
    """204 for who may; and the function's log stays empty."""
    target = function(PRINTING)

    answer = client("lambda").invoke(FunctionName=target, InvocationType="DryRun", Payload=b'{"n": 1}')
    client("lambda").invoke(FunctionName=target, Payload=b'{"n": 2}')

    assert (answer["StatusCode"], answer["Payload"].read()) == (204, b"")
    assert eventually(lambda: got(client, target)) == [{"n": 2}]


def test_a_role_that_may_not_invoke_is_told_so_by_a_dry_run(client, function):
    """That is what a dry run is for."""
    target = function(PRINTING)
    source = (
        "import boto3\nfrom botocore.exceptions import ClientError\n"
        "def lambda_handler(event, context):\n"
        "    try:\n"
        "        boto3.client('lambda').invoke(FunctionName=event['arn'], InvocationType='DryRun')\n"
        "    except ClientError as error:\n"
        "        return error.response['Error']['Code']\n"
    )
    asking = function(source)

    answer = client("lambda").invoke(FunctionName=asking, Payload=json.dumps({"arn": target}))

    assert json.loads(answer["Payload"].read()) == "AccessDeniedException"


# --- EventBridge hands over -------------------------------------------------------------------------------------------


@pytest.fixture
def rule(client, unique):
    """A rule for events of its own; returns ``(name, arn, send)``."""
    events, name = client("events"), unique("Rule")
    arn = events.put_rule(Name=name, EventPattern=json.dumps({"source": ["shop"], "detail": {"rule": [name]}}))[
        "RuleArn"
    ]

    def send(**detail):
        entry = {"Source": "shop", "DetailType": "test", "Detail": json.dumps({"rule": name, **detail})}
        return events.put_events(Entries=[entry])["Entries"][0]["EventId"]

    yield name, arn, send
    events.remove_targets(Rule=name, Ids=[one["Id"] for one in events.list_targets_by_rule(Rule=name)["Targets"]])
    events.delete_rule(Name=name)


def let_in(client, target, rule_arn):
    client("lambda").add_permission(
        FunctionName=target, StatementId="rule", Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
        SourceArn=rule_arn,
    )  # fmt: skip


def test_one_event_reaches_both_targets_of_a_rule(client, function, queue, rule, eventually):
    """A topic with a queue behind it, and a function: the same event, once each."""
    name, rule_arn, send = rule
    url, queue_arn = queue()
    sns, sqs, target = client("sns"), client("sqs"), function(PRINTING)
    topic = sns.create_topic(Name=name)["TopicArn"]
    for principal, action, resource in (("events", "sns:Publish", topic), ("sns", "sqs:SendMessage", queue_arn)):
        statement = {
            "Effect": "Allow", "Principal": {"Service": f"{principal}.amazonaws.com"}, "Action": action,
            "Resource": resource,
        }  # fmt: skip
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        if principal == "events":
            sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        else:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    let_in(client, target, rule_arn)
    client("events").put_targets(Rule=name, Targets=[{"Id": "topic", "Arn": topic}, {"Id": "check", "Arn": target}])

    event_id = send(n=1)

    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    [event] = eventually(lambda: got(client, target))
    assert json.loads(json.loads(message["Body"])["Message"]) == event
    assert (event["id"], event["detail"]["n"]) == (event_id, 1)


def test_a_rule_that_the_function_does_not_let_in_calls_nobody(client, function, rule, eventually):
    """put_targets says nothing of it; the metric FailedInvocations does."""
    name, rule_arn, send = rule
    target = function(PRINTING)
    let_in(client, target, rule_arn.replace(name, "another"))
    assert client("events").put_targets(Rule=name, Targets=[{"Id": "f", "Arn": target}])["FailedEntryCount"] == 0

    send(n=1)

    def failed():
        now = datetime.now(UTC)
        return client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Events", MetricName="FailedInvocations", Dimensions=[{"Name": "RuleName", "Value": name}],
            StartTime=now - timedelta(minutes=5), EndTime=now + timedelta(minutes=5), Period=3600, Statistics=["Sum"],
        )["Datapoints"]  # fmt: skip

    assert eventually(failed)[0]["Sum"] == 1.0
    assert got(client, target) == []


# --- What BucketPublicCheck and the audit rely on ---------------------------------------------------------------------


def test_a_role_asks_for_the_public_access_block_under_the_actions_own_name(client, function, unique):
    """GetPublicAccessBlock needs s3:GetBucketPublicAccessBlock: IAM's name is not the API's."""
    bucket = unique("looked-at")
    client("s3").create_bucket(Bucket=bucket)
    source = (
        "import boto3\n"
        "def lambda_handler(event, context):\n"
        "    return boto3.client('s3').get_public_access_block(Bucket=event)['PublicAccessBlockConfiguration']\n"
    )
    may = function(source, (["s3:GetBucketPublicAccessBlock"], f"arn:aws:s3:::{bucket}"))
    may_not = function(source, (["s3:GetPublicAccessBlock"], f"arn:aws:s3:::{bucket}"))

    allowed, refused = (client("lambda").invoke(FunctionName=f, Payload=json.dumps(bucket)) for f in (may, may_not))

    assert json.loads(allowed["Payload"].read())["BlockPublicPolicy"] is True
    assert "s3:GetBucketPublicAccessBlock" in json.loads(refused["Payload"].read())["errorMessage"]


def test_a_roles_policy_names_nobody(client, unique):
    """Whoever wears the role is meant; IAM's own words, known from many a first attempt."""
    name = unique("Role")
    client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}

    with pytest.raises(ClientError) as refused:
        client("iam").put_role_policy(
            RoleName=name,
            PolicyName="p",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == (
        "MalformedPolicyDocument",
        "Policy document should not specify a principal.",
    )
    assert client("iam").list_role_policies(RoleName=name)["PolicyNames"] == []


def test_the_request_id_of_an_answer_is_the_one_in_the_record(client, unique, eventually):
    """That is how one finds one's own call among all records."""
    bucket = unique("recorded")
    client("s3").create_bucket(Bucket=bucket)
    answer = client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def records():
        found = client("cloudtrail").lookup_events(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": bucket}]
        )["Events"]
        return [json.loads(event["CloudTrailEvent"]) for event in found]

    assert answer["ResponseMetadata"]["RequestId"] in [record["requestID"] for record in eventually(records)]
