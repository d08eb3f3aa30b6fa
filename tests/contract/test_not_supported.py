"""What the local cloud cannot do truthfully it refuses, and says so."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"


def test_an_alarm_is_refused(client):
    """Nobody would evaluate it."""
    with pytest.raises(ClientError, match="does not implement cloudwatch:PutMetricAlarm"):
        client("cloudwatch").put_metric_alarm(
            AlarmName="a", Namespace="AWS/SQS", MetricName="ApproximateNumberOfMessagesVisible", Statistic="Maximum",
            Period=60, EvaluationPeriods=1, Threshold=1.0, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("service", "method", "arguments", "sentence"),
    [
        ("s3", "put_bucket_replication", {"Bucket": "b", "ReplicationConfiguration": {"Role": "r", "Rules": []}}, "s3"),
        ("s3", "select_object_content", {
            "Bucket": "b", "Key": "k", "Expression": "SELECT * FROM s3object", "ExpressionType": "SQL",
            "InputSerialization": {"CSV": {}}, "OutputSerialization": {"CSV": {}},
        }, "AWS offers it to no new account"),
        ("dynamodb", "update_continuous_backups", {
            "TableName": "ttt", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        }, "only the table of this moment could be restored"),
        ("dynamodb", "execute_statement", {"Statement": "SELECT * FROM t WHERE a = 5"}, "PartiQL would be misread"),
        ("dynamodb", "batch_execute_statement", {"Statements": [{"Statement": "SELECT * FROM t"}]}, "PartiQL"),
        ("dynamodb", "execute_transaction", {"TransactStatements": [{"Statement": "SELECT * FROM t"}]}, "PartiQL"),
        ("iam", "create_login_profile", {"UserName": "u", "Password": "p"}, "there is no console"),
        ("logs", "put_metric_filter", {
            "logGroupName": "g", "filterName": "f", "filterPattern": "", "metricTransformations": [
                {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}],
        }, "no metric would come of it"),
        ("logs", "start_query", {"startTime": 0, "endTime": 1, "queryString": "fields @message"}, "FilterLogEvents"),
        ("kinesis", "register_stream_consumer", {
            "StreamARN": "arn:aws:kinesis:us-east-1:1:stream/s", "ConsumerName": "c",
        }, "nothing would be sent to it"),
        ("cloudwatch", "put_dashboard", {"DashboardName": "d", "DashboardBody": "{}"}, "there is no console"),
        ("apigateway", "create_vpc_link", {"name": "v", "targetArns": ["a"]}, "there is no network to link"),
    ],
)  # fmt: skip
def test_a_setting_that_nothing_would_act_on_is_refused_with_the_reason(client, service, method, arguments, sentence):
    """Moto would keep it, and the learner would wait for its effect."""
    with pytest.raises(ClientError, match=sentence) as refused:
        getattr(client(service), method)(**arguments)

    assert refused.value.response["Error"]["Code"] == "NotImplemented"


def test_an_operation_that_moto_takes_for_another_does_no_harm(client, unique):
    """To moto's S3 an unknown query is none, so that this would delete the bucket."""
    bucket = unique("analysed")
    client("s3").create_bucket(Bucket=bucket)

    with pytest.raises(ClientError, match="does not implement s3:DeleteBucketAnalyticsConfiguration"):
        client("s3").delete_bucket_analytics_configuration(Bucket=bucket, Id="a")

    client("s3").head_bucket(Bucket=bucket)


def test_what_is_kept_without_effect_is_shown_as_it_was_put(client, unique):
    """What would act within days may be set up and read here."""
    name, s3, table = unique("kept"), client("s3"), client("dynamodb")
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "visits/"}, "Expiration": {"Days": 30}}
    s3.create_bucket(Bucket=name)
    table.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )  # fmt: skip
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
    table.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ends"})
    table.put_item(TableName=name, Item={"k": {"S": "over"}, "ends": {"N": "1"}})

    described = table.describe_time_to_live(TableName=name)["TimeToLiveDescription"]

    assert s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"] == [rule]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ends"}
    assert table.scan(TableName=name)["Count"] == 1


@pytest.mark.parametrize(
    ("service", "method", "named"),
    [
        ("ec2", "describe_instances", "ec2:DescribeInstances"),
        ("stepfunctions", "list_state_machines", "stepfunctions:ListStateMachines"),
        ("efs", "describe_file_systems", "elasticfilesystem"),
        ("elbv2", "describe_load_balancers", "elasticloadbalancing"),
        ("sesv2", "list_email_identities", "ses"),
        ("docdb", "describe_db_clusters", "rds:DescribeDBClusters"),
        ("route53", "list_hosted_zones", "route53:ListHostedZones"),
        ("keyspaces", "list_keyspaces", "cassandra"),
    ],
)
def test_a_service_that_is_not_there_is_named_in_the_language_of_its_sdk(client, service, method, named):
    """EC2's query, JSON, REST in JSON and XML, and names that are signed otherwise than boto3 calls them."""
    with pytest.raises(ClientError) as refused:
        getattr(client(service), method)()

    error = refused.value.response["Error"]
    assert error["Code"] == "NotImplemented"
    assert error["Message"].startswith("The local cloud does not implement")
    assert named in error["Message"]


@pytest.mark.parametrize(
    ("service", "method", "arguments", "sentence"),
    [
        ("events", "list_archives", {}, "does not implement events:ListArchives"),
        ("events", "list_replays", {}, "does not implement events:ListReplays"),
        ("events", "list_connections", {}, "does not implement events:ListConnections"),
        ("events", "list_api_destinations", {}, "does not implement events:ListApiDestinations"),
        ("pipes", "list_pipes", {}, "does not implement pipes:ListPipes"),
        ("scheduler", "list_schedules", {}, "does not implement scheduler:ListSchedules"),
        (
            "lambda",
            "put_provisioned_concurrency_config",
            {"FunctionName": "x", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1},
            "does not implement lambda:PutProvisionedConcurrencyConfig",
        ),
        (
            "lambda",
            "create_function_url_config",
            {"FunctionName": "x", "AuthType": "NONE"},
            "does not implement lambda:CreateFunctionUrlConfig",
        ),
        (
            "lambda",
            "put_function_code_signing_config",
            {
                "FunctionName": "x",
                "CodeSigningConfigArn": f"arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-{'0' * 17}",
            },
            "does not implement lambda:PutFunctionCodeSigningConfig",
        ),
        (
            "lambda",
            "add_layer_version_permission",
            {
                "LayerName": "x",
                "VersionNumber": 1,
                "StatementId": "s",
                "Action": "lambda:GetLayerVersion",
                "Principal": "*",
            },
            "does not implement lambda:AddLayerVersionPermission",
        ),
        ("cloudformation", "list_stacks", {}, "does not implement cloudformation:ListStacks"),
    ],
)
def test_what_comes_later_says_so(client, service, method, arguments, sentence):
    """Never silent success."""
    with pytest.raises(ClientError, match=sentence):
        getattr(client(service), method)(**arguments)
