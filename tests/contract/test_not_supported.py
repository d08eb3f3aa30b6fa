"""What the local cloud cannot do truthfully it refuses, and says so."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

QUEUE = "arn:aws:sqs:us-east-1:123456789012:q"


def test_an_s3_notification_is_refused_instead_of_never_delivered(client, unique):
    """Else moto would accept it and deliver inside itself."""
    bucket = unique("notified")
    client("s3").create_bucket(Bucket=bucket)
    configuration = {"QueueConfigurations": [{"QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"]}]}

    with pytest.raises(ClientError, match="does not send S3 event notifications yet"):
        client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)


def test_a_log_subscription_filter_is_refused(client):
    """It would never fire."""
    with pytest.raises(ClientError, match="does not implement logs:PutSubscriptionFilter"):
        client("logs").put_subscription_filter(logGroupName="g", filterName="f", filterPattern="", destinationArn=QUEUE)


def test_an_alarm_is_refused(client):
    """Nobody would evaluate it."""
    with pytest.raises(ClientError, match="does not implement cloudwatch:PutMetricAlarm"):
        client("cloudwatch").put_metric_alarm(
            AlarmName="a", Namespace="AWS/SQS", MetricName="ApproximateNumberOfMessagesVisible", Statistic="Maximum",
            Period=60, EvaluationPeriods=1, Threshold=1.0, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip


def test_a_filter_policy_is_refused_instead_of_ignored(client, unique):
    """A subscriber who asks for some messages must not get all."""
    sns = client("sns")
    topic = sns.create_topic(Name=unique("Topic"))["TopicArn"]

    with pytest.raises(ClientError, match="does not support the subscription attribute FilterPolicy yet"):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=QUEUE, Attributes={"FilterPolicy": "{}"})


@pytest.mark.parametrize(
    ("service", "method", "arguments", "sentence"),
    [
        ("sqs", "create_queue", {"QueueName": "x.fifo", "Attributes": {"FifoQueue": "true"}}, "no FIFO queues yet"),
        ("sns", "create_topic", {"Name": "x.fifo", "Attributes": {"FifoTopic": "true"}}, "standard topics only"),
        (
            "events",
            "put_rule",
            {"Name": "x", "ScheduleExpression": "rate(1 minute)"},
            "does not support ScheduleExpression",
        ),
        ("lambda", "publish_version", {"FunctionName": "x"}, "does not implement lambda:PublishVersion"),
        ("cloudformation", "list_stacks", {}, "does not implement cloudformation:ListStacks"),
    ],
)
def test_what_comes_later_says_so(client, service, method, arguments, sentence):
    """Never silent success."""
    with pytest.raises(ClientError, match=sentence):
        getattr(client(service), method)(**arguments)
