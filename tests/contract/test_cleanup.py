"""cleanup() deletes what carries the lab's tag, nothing else, and twice is fine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

ASSUME = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
ANYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
TRAIL_POLICY = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:*"}


@pytest.fixture
def labkit_on(cloud):
    """``labkit_on("cleanup", "--lab-id", "x")``: the command against the session's cloud."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "labkit.cli", *arguments],
            env={**os.environ, "LABKIT_STATE_DIR": cloud["state_dir"]},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return run


@pytest.fixture
def lab(unique):
    """The id of a lab that no other test has."""
    return unique("l").lower()


def tags(lab, hours_ago=0.0):
    made = datetime.now(UTC) - timedelta(hours=hours_ago)
    return {"labkit:lab-id": lab, "labkit:created-at": made.isoformat()}


def pairs(lab):
    return [{"Key": key, "Value": value} for key, value in tags(lab).items()]


def build_everything(client, lab):
    """One of each thing that a notebook makes; the names end with the lab's id."""
    s3, sqs, iam, functions = client("s3"), client("sqs"), client("iam"), client("lambda")
    bucket = f"lake-{lab}-123456789012"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs(lab)})
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"first", b"second"):
        s3.put_object(Bucket=bucket, Key="visit", Body=body)
    s3.delete_object(Bucket=bucket, Key="visit")
    statements = [{**TRAIL_POLICY, "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    queue = sqs.create_queue(QueueName=f"Queue-{lab}", tags=tags(lab))["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client("dynamodb").create_table(
        TableName=f"Table-{lab}", BillingMode="PAY_PER_REQUEST", Tags=pairs(lab),
        KeySchema=[{"AttributeName": "Key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "Key", "AttributeType": "S"}],
    )  # fmt: skip
    client("kinesis").create_stream(StreamName=f"Stream-{lab}", ShardCount=1, Tags=tags(lab))
    role = iam.create_role(RoleName=f"Function-{lab}", AssumeRolePolicyDocument=ASSUME, Tags=pairs(lab))["Role"]["Arn"]
    iam.put_role_policy(RoleName=f"Function-{lab}", PolicyName="anything", PolicyDocument=ANYTHING)
    build_function(client, f"Function-{lab}", role, tags(lab))
    functions.create_event_source_mapping(EventSourceArn=queue_arn, FunctionName=f"Function-{lab}")
    build_api(client, lab)
    build_audit(client, lab, bucket, queue_arn)


def build_function(client, name, role, tagged):
    from labkit.deployment_package import deployment_package

    functions = client("lambda")
    functions.create_function(
        FunctionName=name, Runtime="python3.13", Role=role, Handler="lambda_function.lambda_handler", Tags=tagged,
        Code={"ZipFile": deployment_package("lambdas/ProductVisitHandler")},
        Environment={"Variables": {"TABLE_NAME": "t"}},
    )  # fmt: skip
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    functions.invoke(FunctionName=name, Payload=b'{"Records": []}')


def build_api(client, lab):
    gateway = client("apigateway")
    api = gateway.create_rest_api(name=f"Api-{lab}", tags=tags(lab))["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE", apiKeyRequired=True)
    gateway.put_integration(restApiId=api, resourceId=root, httpMethod="GET", type="MOCK")
    gateway.create_deployment(restApiId=api, stageName="prod")
    plan = gateway.create_usage_plan(
        name=f"Plan-{lab}", apiStages=[{"apiId": api, "stage": "prod"}], tags=tags(lab)
    )["id"]  # fmt: skip
    key = gateway.create_api_key(name=f"Key-{lab}", enabled=True, tags=tags(lab))["id"]
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    client("logs").create_log_group(logGroupName=f"API-Gateway-Execution-Logs_{api}/prod")


def build_audit(client, lab, bucket, queue_arn):
    sns, events, cloudtrail = client("sns"), client("events"), client("cloudtrail")
    topic = sns.create_topic(Name=f"Topic-{lab}", Tags=pairs(lab))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="nobody@example.com")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    events.put_rule(Name=f"Rule-{lab}", EventPattern='{"source": ["aws.s3"]}', Tags=pairs(lab))
    events.put_targets(Rule=f"Rule-{lab}", Targets=[{"Id": "topic", "Arn": topic}, {"Id": "queue", "Arn": queue_arn}])
    events.create_event_bus(Name=f"Bus-{lab}", Tags=pairs(lab))
    twin = {"Name": f"Rule-{lab}", "EventBusName": f"Bus-{lab}"}
    events.put_rule(**twin, EventPattern='{"source": ["shop"]}', Tags=pairs(lab))
    events.put_targets(Rule=twin["Name"], EventBusName=twin["EventBusName"], Targets=[{"Id": "topic", "Arn": topic}])
    cloudtrail.create_trail(Name=f"Trail-{lab}", S3BucketName=bucket, TagsList=pairs(lab))
    cloudtrail.start_logging(Name=f"Trail-{lab}")


@pytest.mark.timeout(90)
def test_everything_that_a_notebook_makes_is_listed_in_order_deleted_and_proved_gone(client, labkit_on, lab):
    """Usage plans hold APIs, policies hold roles, versions hold buckets, and log groups carry no tag."""
    build_everything(client, lab)

    first = labkit_on("cleanup", "--lab-id", lab)
    second = labkit_on("cleanup", "--lab-id", lab)

    assert first.returncode == 0, first.stdout + first.stderr
    kinds = [line[4:25].strip() for line in first.stdout.splitlines() if re.match(r" +\d+ ", line[:4])]
    assert kinds == [
        "target", "target", "target", "rule", "rule", "event bus", "trail", "subscription", "subscription", "topic",
        "usage plan", "API key", "REST API", "event source mapping", "function", "table", "data stream", "queue",
        "bucket", "role", "log group", "log group",
    ]  # fmt: skip
    assert first.stdout.splitlines()[-1] == f"0 resources left of lab {lab}"
    assert second.stdout.splitlines()[-2:] == [f"nothing exists of lab {lab}", f"0 resources left of lab {lab}"]


def test_the_accounts_role_for_logs_is_taken_back_with_the_lab_that_gave_it(client, labkit_on, lab, unique):
    """Else the account points to a role that is gone, and no later lab gives it another."""
    iam, gateway, other = client("iam"), client("apigateway"), unique("o").lower()
    write = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    for owner in (lab, other):
        trust = ASSUME.replace("lambda", "apigateway")
        iam.create_role(RoleName=f"Logs-{owner}", AssumeRolePolicyDocument=trust, Tags=pairs(owner))
        policy = json.dumps({"Version": "2012-10-17", "Statement": [write]})
        iam.put_role_policy(RoleName=f"Logs-{owner}", PolicyName="write", PolicyDocument=policy)
    arn = iam.get_role(RoleName=f"Logs-{lab}")["Role"]["Arn"]
    gateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": arn}])

    roles = []
    for owner in (other, lab):
        labkit_on("cleanup", "--lab-id", owner)
        roles.append(gateway.get_account().get("cloudwatchRoleArn"))

    assert roles == [arn, None]


def test_what_has_the_labs_name_but_not_its_tag_is_named_and_left_alone(client, labkit_on, lab):
    """In an account that others use too, a name alone is no proof; neither are the children of a stranger."""
    s3, events, sqs = client("s3"), client("events"), client("sqs")
    s3.create_bucket(Bucket=f"theirs-{lab}-123456789012")
    events.put_rule(Name=f"Theirs-{lab}", EventPattern='{"source": ["aws.s3"]}')
    events.put_targets(Rule=f"Theirs-{lab}", Targets=[{"Id": "one", "Arn": "arn:aws:sqs:us-east-1:123456789012:Any"}])
    sqs.create_queue(QueueName=f"Mine-{lab}", tags=tags(lab))

    done = labkit_on("cleanup", "--lab-id", lab)

    said = [
        line for line in done.stdout.splitlines() if lab in line and not line.endswith(f"lab {lab}.")
    ]  # connect() says so
    assert said == [
        f"lab {lab}: 1 to delete, in this order",
        f"  1 queue                 Mine-{lab}",
        f"left alone: bucket theirs-{lab}-123456789012 has the lab's name but not the tag labkit:lab-id={lab}",
        f"left alone: rule Theirs-{lab} has the lab's name but not the tag labkit:lab-id={lab}",
        f"left alone: target Theirs-{lab} → Any has the lab's name but not the tag labkit:lab-id={lab}",
        f"0 resources left of lab {lab}",
    ]
    assert len(events.list_targets_by_rule(Rule=f"Theirs-{lab}")["Targets"]) == 1


def test_a_strangers_rule_holds_a_bus_but_nothing_else(client, cloud, labkit_on, lab):
    """AWS deletes no bus that has rules; the message says what is left, and the rest of the lab has gone."""
    events, sqs = client("events"), client("sqs")
    events.create_event_bus(Name=f"Bus-{lab}", Tags=pairs(lab))
    events.put_rule(Name="Theirs", EventBusName=f"Bus-{lab}", EventPattern='{"source": ["shop"]}')
    sqs.create_queue(QueueName=f"Mine-{lab}", tags=tags(lab))

    source = f"import labkit; labkit.connect(lab_id={lab!r}); labkit.cleanup(timeout=0.5)"
    held = subprocess.run(
        [sys.executable, "-c", source], env={**os.environ, "LABKIT_STATE_DIR": cloud["state_dir"]},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    left = [url for url in sqs.list_queues().get("QueueUrls", []) if lab in url]
    events.delete_rule(Name="Theirs", EventBusName=f"Bus-{lab}")
    free = labkit_on("cleanup", "--lab-id", lab)

    assert (held.returncode, left) == (1, [])
    assert re.search(rf"EventBridge +event bus +Bus-{lab} +tag", held.stderr), held.stderr
    assert free.stdout.splitlines()[-1] == f"0 resources left of lab {lab}"


def test_the_janitor_takes_labs_whose_youngest_resource_is_old_and_no_others(client, labkit_on, lab):
    """A lab in use has something young; a lab without the time of its making has no known age."""
    sqs = client("sqs")
    for base, lab_id, hours in (
        ("a", f"{lab}-old", 9),
        ("b", f"{lab}-old", 7),
        ("a", f"{lab}-used", 9),
        ("b", f"{lab}-used", 1),
    ):
        sqs.create_queue(QueueName=f"{base}-{lab_id}", tags=tags(lab_id, hours_ago=hours))
    sqs.create_queue(QueueName=f"a-{lab}-unknown", tags={"labkit:lab-id": f"{lab}-unknown"})

    done = labkit_on("cleanup", "--older-than", "6h", "--prefix", lab)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"1 labs are older than 6h: {lab}-old" in done.stdout.splitlines()
    left = [url.rpartition("/")[2] for url in sqs.list_queues().get("QueueUrls", []) if lab in url]
    assert sorted(left) == [f"a-{lab}-unknown", f"a-{lab}-used", f"b-{lab}-used"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--older-than", "soon"], "labkit: --older-than is 'soon'; write a number and a unit: 90m, 6h, 2d\n"),
        (
            ["--older-than", "6h", "--lab-id", "x1"],
            "labkit: --lab-id names one lab and --older-than finds them; use one of the two\n",
        ),
        (
            ["--prefix", "ci-"],
            "labkit: --prefix belongs to --older-than; to clean one lab use: labkit cleanup --lab-id LAB_ID\n",
        ),
    ],
)
def test_a_mistaken_option_of_the_janitor_deletes_nothing_and_says_why(labkit_on, arguments, message):
    """A janitor must not guess."""
    done = labkit_on("cleanup", *arguments)

    assert (done.returncode, done.stderr) == (1, message)
