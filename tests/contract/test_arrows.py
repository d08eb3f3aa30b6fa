"""One test per arrow of ``wiring.build()`` that no other file drives from its source."""

from __future__ import annotations

import json

from tests.contract.test_pipeline import function, queue  # noqa: F401  fixtures

ACCOUNT = "123456789012"
FAILING = "def lambda_handler(event, context):\n    raise RuntimeError('no')\n"
PRINTING = "import json\ndef lambda_handler(event, context):\n    print('GOT', json.dumps(event))\n"


def allow(service, action, resource):
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def open_queue(client, queue, service):  # noqa: F811
    url, arn = queue()
    client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": allow(service, "sqs:SendMessage", arn)})
    return url, arn


def received(client, url):
    return (
        client("sqs")
        .receive_message(QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"])
        .get("Messages", [])
    )


def printed(client, arn):
    """What a printing function got: a list of events."""
    try:
        group = f"/aws/lambda/{arn.rpartition(':')[2]}"
        events = client("logs").filter_log_events(logGroupName=group)["events"]
    except client("logs").exceptions.ResourceNotFoundException:
        return []
    return [json.loads(e["message"][4:]) for e in events if e["message"].startswith("GOT ")]


def test_a_topic_fans_out_to_a_queue_and_a_function(client, queue, function, unique, eventually):  # noqa: F811
    """SNS to SQS by the queue's policy, SNS to Lambda by the function's."""
    url, arn = open_queue(client, queue, "sns.amazonaws.com")
    target, sns = function(PRINTING), client("sns")
    topic = sns.create_topic(Name=unique("Topic"))["TopicArn"]
    client("lambda").add_permission(
        FunctionName=target,
        StatementId="sns",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=target)

    message_id = sns.publish(TopicArn=topic, Message="hello", Subject="s")["MessageId"]

    [message] = received(client, url)
    envelope = json.loads(message["Body"])
    [event] = eventually(lambda: printed(client, target))
    assert (envelope["Type"], envelope["MessageId"], envelope["Message"], envelope["Subject"]) == (
        "Notification",
        message_id,
        "hello",
        "s",
    )
    assert (event["Records"][0]["EventSource"], event["Records"][0]["Sns"]["Message"]) == ("aws:sns", "hello")


def test_a_topic_does_not_reach_a_queue_whose_policy_does_not_let_it(client, queue, unique):  # noqa: F811
    """As on AWS, the publisher hears nothing of it."""
    url, arn = queue()
    topic = client("sns").create_topic(Name=unique("Topic"))["TopicArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    client("sns").publish(TopicArn=topic, Message="hello")

    assert client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []) == []


def test_a_rule_reaches_a_function_and_a_transformed_text_reaches_a_queue(client, queue, function, unique, eventually):  # noqa: F811
    """EventBridge to Lambda by the function's policy, to SQS through an input transformer."""
    url, arn = open_queue(client, queue, "events.amazonaws.com")
    target, events, rule = function(PRINTING), client("events"), unique("Rule")
    rule_arn = events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["shop"], "detail": {"rule": [rule]}}))[
        "RuleArn"
    ]
    client("lambda").add_permission(
        FunctionName=target,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule_arn,
    )
    transformer = {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '"visit <n>"'}
    events.put_targets(
        Rule=rule, Targets=[{"Id": "f", "Arn": target}, {"Id": "q", "Arn": arn, "InputTransformer": transformer}]
    )

    entry = {"Source": "shop", "DetailType": "visit", "Detail": json.dumps({"rule": rule, "n": 7})}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    [message] = received(client, url)
    [event] = eventually(lambda: printed(client, target))
    assert (message["Body"], event["detail"], event["detail-type"]) == ('"visit 7"', {"rule": rule, "n": 7}, "visit")


def test_an_event_that_a_rule_may_not_deliver_goes_to_the_targets_dead_letter_queue(client, queue, unique):  # noqa: F811
    """A missing permission is not retried; the queue gets the event, and why, in attributes (AWS docs: eb-rule-dlq)."""
    _, closed = queue()
    url, dlq = open_queue(client, queue, "events.amazonaws.com")
    events, rule = client("events"), unique("Rule")
    arn = events.put_rule(Name=rule, EventPattern=json.dumps({"detail": {"rule": [rule]}}))["RuleArn"]
    target = {"Id": "q", "Arn": closed, "Input": '"constant"', "DeadLetterConfig": {"Arn": dlq}}
    events.put_targets(Rule=rule, Targets=[target])

    events.put_events(Entries=[{"Source": "shop", "DetailType": "visit", "Detail": json.dumps({"rule": rule})}])

    [message] = received(client, url)
    attributes = {name: one["StringValue"] for name, one in message["MessageAttributes"].items()}
    message_of_error = attributes.pop("ERROR_MESSAGE")
    assert attributes == {"RULE_ARN": arn, "TARGET_ARN": closed, "ERROR_CODE": "AccessDenied", "RETRY_ATTEMPTS": "0"}
    assert f"does not let events.amazonaws.com do sqs:SendMessage for {arn}" in message_of_error
    assert json.loads(message["Body"])["detail"] == {"rule": rule}


def test_a_failed_event_goes_to_the_functions_own_dead_letter_queue(client, queue, function):  # noqa: F811
    """The older way: the raw event as body, the error in attributes."""
    url, arn = queue()
    target = function(FAILING, (["sqs:SendMessage"], arn), DeadLetterConfig={"TargetArn": arn})
    client("lambda").put_function_event_invoke_config(FunctionName=target, MaximumRetryAttempts=0)

    client("lambda").invoke(FunctionName=target, InvocationType="Event", Payload=b'{"visit": 1}')

    [message] = received(client, url)
    assert (json.loads(message["Body"]), message["MessageAttributes"]["ErrorMessage"]["StringValue"]) == (
        {"visit": 1},
        "no",
    )


def test_a_filter_deletes_what_does_not_match(client, queue, function, eventually):  # noqa: F811
    """A mapping's filter on a queue: the rest is gone, not waiting."""
    url, arn = queue()
    reader = (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], arn)
    target = function(PRINTING, reader)
    pattern = json.dumps({"body": {"Category": ["Shoes"]}})
    client("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=target, FilterCriteria={"Filters": [{"Pattern": pattern}]}
    )
    for category in ("Books", "Shoes"):
        client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps({"Category": category}))

    events = eventually(lambda: printed(client, target))

    def empty():
        attributes = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return [attributes["ApproximateNumberOfMessages"], attributes["ApproximateNumberOfMessagesNotVisible"]] == [
            "0",
            "0",
        ]

    assert [json.loads(record["body"]) for event in events for record in event["Records"]] == [{"Category": "Shoes"}]
    assert eventually(empty)


def test_a_change_can_be_looked_up_with_who_made_it(client, unique):
    """The event history needs no trail."""
    bucket = unique("looked-up")
    client("s3").create_bucket(Bucket=bucket)
    client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    events = client("cloudtrail").lookup_events(
        LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": bucket}]
    )["Events"]

    record = json.loads(events[0]["CloudTrailEvent"])
    assert [(event["EventName"], event["Username"], event["ReadOnly"]) for event in events] == [
        ("PutBucketVersioning", "lab-administrator", "false"),
        ("CreateBucket", "lab-administrator", "false"),
    ]
    assert record["requestParameters"]["VersioningConfiguration"]["Status"] == "Enabled"
