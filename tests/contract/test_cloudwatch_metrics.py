"""The metrics of Lambda, SQS and EventBridge, read as on AWS.

Names, dimensions and units:
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.contract.test_arrows import PRINTING, allow
from tests.contract.test_event_source_mappings import mapped, put, table  # noqa: F401  fixtures

EITHER = "def lambda_handler(event, context):\n    if event: raise ValueError(event)\n"


@pytest.fixture
def statistics(client):
    """``statistics(namespace, metric, name, value)`` returns every statistic of the last and the next minutes."""

    def read(namespace, metric, *dimension, wanted=("SampleCount", "Sum", "Minimum", "Maximum", "Average"), **more):
        now = datetime.now(UTC)
        found = client("cloudwatch").get_metric_statistics(
            Namespace=namespace, MetricName=metric, Period=3600, Statistics=list(wanted),
            StartTime=now - timedelta(minutes=30), EndTime=now + timedelta(minutes=5),
            Dimensions=[{"Name": dimension[0], "Value": dimension[1]}] if dimension else [], **more,
        )["Datapoints"]  # fmt: skip
        for point in found:
            del point["Timestamp"]
        return found[0] if found else None

    return read


def counted(samples, total, least, most, unit="Count"):
    average = total / samples
    return {"SampleCount": samples, "Sum": total, "Minimum": least, "Maximum": most, "Average": average, "Unit": unit}


def test_every_invocation_is_counted_with_its_errors_and_its_duration(client, function, statistics):
    """A success is an error of 0: the average of Errors is the error rate."""
    target = function(EITHER)
    name = target.rpartition(":")[2]
    for payload in (b"{}", b'{"bad": 1}', b"{}", b"{}"):
        client("lambda").invoke(FunctionName=name, Payload=payload)

    duration = statistics("AWS/Lambda", "Duration", "FunctionName", name)

    assert statistics("AWS/Lambda", "Invocations", "FunctionName", name) == counted(4.0, 4.0, 1.0, 1.0)
    assert statistics("AWS/Lambda", "Errors", "FunctionName", name) == counted(4.0, 1.0, 0.0, 1.0)
    assert statistics("AWS/Lambda", "Throttles", "FunctionName", name) == counted(4.0, 0.0, 0.0, 0.0)
    assert statistics("AWS/Lambda", "ConcurrentExecutions", "FunctionName", name) == counted(4.0, 4.0, 1.0, 1.0)
    assert (duration["SampleCount"], duration["Unit"]) == (4.0, "Milliseconds")
    assert 0 < duration["Minimum"] <= duration["Average"] <= duration["Maximum"] < 3000
    assert statistics("AWS/Lambda", "Invocations")["Sum"] >= 4
    assert statistics("AWS/Lambda", "ConcurrentExecutions")["Maximum"] >= 1
    assert statistics("AWS/Lambda", "Invocations", "FunctionName", name, Unit="Seconds") is None
    assert statistics("AWS/Lambda", "Invocations", "FunctionName", "nobody") is None


def test_a_throttled_invocation_is_no_invocation(client, function, statistics):
    """Reserved concurrency 0 is the off switch."""
    name = function(EITHER).rpartition(":")[2]
    client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)

    for _ in range(2):
        with pytest.raises(ClientError, match="Rate Exceeded"):
            client("lambda").invoke(FunctionName=name)

    assert statistics("AWS/Lambda", "Throttles", "FunctionName", name) == counted(2.0, 2.0, 1.0, 1.0)
    assert statistics("AWS/Lambda", "Invocations", "FunctionName", name) is None


def test_an_event_that_fails_for_good_is_dropped_and_a_missing_right_is_a_dead_letter_error(
    *, client, function, queue, statistics, eventually
):
    """Asynchronous invocation: received once, invoked with an age, dropped; the DLQ may not be written."""
    _, arn = queue()
    target = function(EITHER, (["sqs:SendMessage"], arn), DeadLetterConfig={"TargetArn": arn})
    name = target.rpartition(":")[2]
    client("lambda").put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    client("iam").delete_role_policy(RoleName=name, PolicyName="p")  # asked for when set, and gone when needed

    client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b'{"bad": 1}')

    expected = counted(1.0, 1.0, 1.0, 1.0)
    assert eventually(lambda: statistics("AWS/Lambda", "AsyncEventsDropped", "FunctionName", name)) == expected
    assert statistics("AWS/Lambda", "AsyncEventsReceived", "FunctionName", name) == expected
    assert statistics("AWS/Lambda", "DeadLetterErrors", "FunctionName", name) == expected
    assert statistics("AWS/Lambda", "DestinationDeliveryFailures", "FunctionName", name) == expected
    assert statistics("AWS/Lambda", "AsyncEventAge", "FunctionName", name)["Unit"] == "Milliseconds"


def test_a_topic_gets_a_failed_event_by_the_rights_of_the_functions_role(
    *, client, function, queue, unique, eventually
):
    """The role's policy is enough; the topic's needs no word of Lambda. Source: invocation-async-retain-records."""
    url, arn = queue()
    client("sqs").set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": allow("sns.amazonaws.com", "sqs:SendMessage", arn)}
    )
    topic = client("sns").create_topic(Name=unique("Topic"))["TopicArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    name = function(EITHER, (["sns:Publish"], topic)).rpartition(":")[2]
    client("lambda").put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": topic}}
    )

    client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b'{"bad": 1}')

    [message] = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    record = json.loads(json.loads(message["Body"])["Message"])
    assert (record["requestContext"]["condition"], record["requestPayload"]) == ("RetriesExhausted", {"bad": 1})


def test_the_age_of_a_streams_last_record_is_measured_when_it_is_handed_over(
    *, client, function, table, mapped, statistics, eventually  # noqa: F811
):  # fmt: skip
    """IteratorAge: how far a mapping is behind."""
    name, stream, grant = table()
    target = function(PRINTING, grant)
    put(client, name, "a")
    mapped(stream, target, StartingPosition="TRIM_HORIZON")

    age = eventually(lambda: statistics("AWS/Lambda", "IteratorAge", "FunctionName", target.rpartition(":")[2]))

    assert (age["SampleCount"], age["Unit"]) == (1.0, "Milliseconds")
    assert 0 <= age["Maximum"] < 30_000


def test_a_queue_counts_what_goes_in_and_out_and_what_is_there(client, queue, statistics):
    """Counters by message, gauges by looking, the size in bytes."""
    url, arn = queue()
    name = arn.rpartition(":")[2]
    for body in ("one", "three", "seven"):
        client("sqs").send_message(QueueUrl=url, MessageBody=body)
    client("sqs").send_message(QueueUrl=url, MessageBody="later", DelaySeconds=900)
    taken = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=2)["Messages"]
    client("sqs").delete_message(QueueUrl=url, ReceiptHandle=taken[0]["ReceiptHandle"])
    client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    client("sqs").receive_message(QueueUrl=url)

    def read(metric):
        return statistics("AWS/SQS", metric, "QueueName", name)

    assert read("NumberOfMessagesSent") == counted(4.0, 4.0, 1.0, 1.0)
    assert read("SentMessageSize") == counted(4.0, 18.0, 3.0, 5.0, "Bytes")
    assert read("NumberOfMessagesReceived") == counted(2.0, 3.0, 1.0, 2.0)
    assert read("NumberOfEmptyReceives") == counted(1.0, 1.0, 1.0, 1.0)
    assert read("NumberOfMessagesDeleted") == counted(1.0, 1.0, 1.0, 1.0)
    assert read("ApproximateNumberOfMessagesNotVisible")["Maximum"] == 2.0
    assert read("ApproximateNumberOfMessagesDelayed")["Maximum"] == 1.0
    assert read("ApproximateNumberOfMessagesVisible")["Minimum"] == 0.0
    assert read("ApproximateAgeOfOldestMessage")["Unit"] == "Seconds"


def test_a_fifo_queue_counts_its_duplicates_and_its_busy_groups(client, unique, statistics):
    """Two metrics that only FIFO queues have (AWS docs: available CloudWatch metrics for Amazon SQS)."""
    sqs, name = client("sqs"), unique("Queue") + ".fifo"
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = sqs.create_queue(QueueName=name, Attributes=fifo)["QueueUrl"]
    for body in ("one", "one", "two", "three"):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body[:1])

    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)

    def read(metric):
        return statistics("AWS/SQS", metric, "QueueName", name)

    assert read("NumberOfMessagesSent") == counted(3.0, 3.0, 1.0, 1.0)
    assert read("NumberOfDeduplicatedSentMessages") == counted(1.0, 1.0, 1.0, 1.0)
    assert read("ApproximateNumberOfGroupsWithInflightMessages")["Maximum"] == 2.0


def test_a_rule_counts_what_it_matches_and_what_it_could_not_deliver(client, queue, unique, statistics, eventually):
    """MatchedEvents, Invocations, FailedInvocations, InvocationsSentToDlq."""
    url, arn = queue()
    client("sqs").set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": allow("events.amazonaws.com", "sqs:SendMessage", arn)}
    )
    _, closed = queue()
    rule, events = unique("Rule"), client("events")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": [rule]}))
    events.put_targets(
        Rule=rule, Targets=[{"Id": "1", "Arn": arn}, {"Id": "2", "Arn": closed, "DeadLetterConfig": {"Arn": arn}}]
    )
    entry = {"Source": rule, "DetailType": "x", "Detail": "{}"}
    events.put_events(Entries=[entry, entry, {**entry, "Source": "other"}])

    def read(metric):
        return statistics("AWS/Events", metric, "RuleName", rule)

    eventually(lambda: (read("InvocationsSentToDlq") or {}).get("Sum") == 2)
    assert read("MatchedEvents") == read("TriggeredRules") == counted(2.0, 2.0, 1.0, 1.0)
    assert read("Invocations") == counted(4.0, 4.0, 1.0, 1.0)
    assert read("FailedInvocations") == counted(2.0, 2.0, 1.0, 1.0)


def test_get_metric_data_reads_several_metrics_and_periods(client, function, queue):
    """Whole value; https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html."""
    name = function(EITHER).rpartition(":")[2]
    url, arn = queue()
    client("lambda").invoke(FunctionName=name)
    client("sqs").send_message(QueueUrl=url, MessageBody="hello")
    minute = datetime.now(UTC).replace(second=0, microsecond=0)

    def query(uid, namespace, metric, dimension, value, **more):
        described = {
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [{"Name": dimension, "Value": value}],
        }
        stat = {"Metric": described, "Period": 60, "Stat": "Sum"}
        return {"Id": uid, "MetricStat": stat | more.pop("MetricStat", {}), **more}

    answer = client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            query("i", "AWS/Lambda", "Invocations", "FunctionName", name),
            query("p", "AWS/Lambda", "Errors", "FunctionName", name, MetricStat={"Stat": "p99"}, Label="99 of 100"),
            query("s", "AWS/SQS", "NumberOfMessagesSent", "QueueName", arn.rpartition(":")[2]),
            query("n", "AWS/SQS", "NumberOfMessagesSent", "QueueName", "nobody"),
            query("h", "AWS/SQS", "NumberOfMessagesSent", "QueueName", "nobody", ReturnData=False),
        ],
        StartTime=minute - timedelta(minutes=3), EndTime=minute + timedelta(minutes=2),
    )  # fmt: skip

    results = answer["MetricDataResults"]
    found = [at.astimezone(UTC) for result in results[:3] for at in result.pop("Timestamps")]
    assert set(found) <= {minute - timedelta(minutes=1), minute, minute + timedelta(minutes=1)}
    assert results == [
        {"Id": "i", "Label": "Invocations", "Values": [1.0], "StatusCode": "Complete"},
        {"Id": "p", "Label": "99 of 100", "Values": [0.0], "StatusCode": "Complete"},
        {"Id": "s", "Label": "NumberOfMessagesSent", "Values": [1.0], "StatusCode": "Complete"},
        {"Id": "n", "Label": "NumberOfMessagesSent", "Timestamps": [], "Values": [], "StatusCode": "Complete"},
    ]


def test_percentiles_come_as_extended_statistics(client, function):
    """As asked for."""
    name = function(EITHER).rpartition(":")[2]
    client("lambda").invoke(FunctionName=name)
    now = datetime.now(UTC)

    [point] = client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda", MetricName="Errors", Dimensions=[{"Name": "FunctionName", "Value": name}], Period=3600,
        ExtendedStatistics=["p50", "p99.9"], StartTime=now - timedelta(minutes=5), EndTime=now + timedelta(minutes=5),
    )["Datapoints"]  # fmt: skip

    assert point["ExtendedStatistics"] == {"p50": 0.0, "p99.9": 0.0}


def test_what_was_measured_is_listed_and_an_applications_own_metrics_stay(client, function, unique):
    """ListMetrics with and without filters; PutMetricData of an own namespace goes on working."""
    name, namespace, cloudwatch = function(EITHER).rpartition(":")[2], unique("Shop"), client("cloudwatch")
    client("lambda").invoke(FunctionName=name)
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "Visits", "Value": 3.0}])
    mine = [{"Name": "FunctionName", "Value": name}]

    listed = cloudwatch.list_metrics(Namespace="AWS/Lambda", Dimensions=mine)["Metrics"]
    everything = cloudwatch.list_metrics()["Metrics"]
    only_names = cloudwatch.list_metrics(
        Namespace="AWS/Lambda", MetricName="Errors", Dimensions=[{"Name": "FunctionName"}]
    )

    names = ["ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles"]
    expected = [{"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": mine} for metric in names]
    assert sorted(listed, key=lambda metric: metric["MetricName"]) == expected
    own = {"Namespace": namespace, "MetricName": "Visits", "Dimensions": []}
    assert own in everything
    assert expected[0] in everything
    assert {"Namespace": "AWS/Lambda", "MetricName": "Errors", "Dimensions": mine} in only_names["Metrics"]
    assert {one["MetricName"] for one in only_names["Metrics"]} == {"Errors"}
    assert all(one["Dimensions"] for one in only_names["Metrics"])
    now = datetime.now(UTC)
    [point] = cloudwatch.get_metric_statistics(
        Namespace=namespace, MetricName="Visits", Period=3600, Statistics=["Sum"], StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=5),
    )["Datapoints"]  # fmt: skip
    assert point["Sum"] == 3.0


NOW = datetime(2026, 1, 15, 10, 0, tzinfo=UTC)
ASKED = {
    "Namespace": "AWS/Lambda", "MetricName": "Errors", "Period": 60, "Statistics": ["Sum"],
    "StartTime": NOW, "EndTime": NOW + timedelta(hours=1),
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        ({"Period": 90}, "InvalidParameterValue", "a multiple of 60"),
        ({"EndTime": NOW}, "InvalidParameterValue", "StartTime must be less than the parameter EndTime"),
        ({"EndTime": NOW + timedelta(days=2)}, "InvalidParameterCombination", "exceeds the limit of 1440"),
        ({"Statistics": None}, "InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(client, changed, code, message):
    """Codes and, where they are known, texts of GetMetricStatistics."""
    with pytest.raises(ClientError, match=message) as refused:
        client("cloudwatch").get_metric_statistics(**{k: v for k, v in {**ASKED, **changed}.items() if v is not None})

    assert refused.value.response["Error"]["Code"] == code


def test_a_question_about_centuries_is_answered_at_once(client, queue):
    """Only minutes in which something was measured are looked at: a question must not stop the local cloud."""
    url, _ = queue()
    client("sqs").send_message(QueueUrl=url, MessageBody="x")
    metric = {"Namespace": "AWS/SQS", "MetricName": "NumberOfMessagesSent",
              "Dimensions": [{"Name": "QueueName", "Value": url.rpartition("/")[2]}]}  # fmt: skip
    centuries = {"StartTime": datetime(1970, 1, 1, tzinfo=UTC), "EndTime": datetime(9000, 1, 1, tzinfo=UTC)}
    query = {"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}

    with pytest.raises(ClientError, match="exceeds the limit of 1440"):
        client("cloudwatch").get_metric_statistics(**metric, **centuries, Period=60, Statistics=["Sum"])
    (found,) = client("cloudwatch").get_metric_data(MetricDataQueries=[query], **centuries)["MetricDataResults"]

    assert found["Values"] == [1.0]


def test_nobody_else_publishes_in_the_namespaces_of_aws(client):
    """PutMetricData: a namespace must not begin with AWS/."""
    with pytest.raises(ClientError, match="The value AWS/Lambda for parameter Namespace is invalid"):
        client("cloudwatch").put_metric_data(Namespace="AWS/Lambda", MetricData=[{"MetricName": "x", "Value": 1.0}])


def test_metric_math_is_refused(client):
    """A sentence instead of a wrong number."""
    metric = {"Namespace": "AWS/Lambda", "MetricName": "Errors"}
    queries = [
        {"Id": "e", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}},
        {"Id": "r", "Expression": "e*100"},
    ]

    with pytest.raises(ClientError, match="calculate with the values"):
        client("cloudwatch").get_metric_data(MetricDataQueries=queries, StartTime=NOW, EndTime=NOW + timedelta(hours=1))
