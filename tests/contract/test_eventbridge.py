"""EventBridge as its API tells of it; the sources are public recordings of AWS's answers and the pages named."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.contract.test_arrows import allow, open_queue, received

ACCOUNT = "123456789012"
PLACE = f"us-east-1:{ACCOUNT}"
QUEUE = f"arn:aws:sqs:{PLACE}:q"
PATTERN = json.dumps({"source": ["shop"]})


@pytest.fixture(scope="module")
def events(cloud):
    """A client that sends what boto3 would refuse by itself."""
    keys = {"aws_access_key_id": cloud["access_key"], "aws_secret_access_key": cloud["secret_key"]}
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, region_name="us-east-1")
    client = boto3.client("events", endpoint_url=cloud["endpoint"], config=config, **keys)
    yield client
    client.close()


@pytest.fixture
def rule(events, unique):
    """The name of a rule on the default bus that matches the events of the source of its own name."""
    name = unique("Rule")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    return name


def refusal(operation, **arguments):
    with pytest.raises(ClientError) as refused:
        operation(**arguments)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


def entry(source, **changed):
    return {"Source": source, "DetailType": "visit", "Detail": json.dumps({"n": 7}), **changed}


# --- Rules ------------------------------------------------------------------------------------------------------------


def test_a_rule_is_described_as_it_was_put(events, unique):
    """ListRules shows the same without CreatedBy; what PutRule leaves out is gone, tags stay (API_PutRule)."""
    name, tags = unique("Rule"), [{"Key": "a", "Value": "b"}]
    events.put_rule(Name=name, EventPattern=PATTERN, Description="first", State="DISABLED", Tags=tags)
    arn = events.put_rule(Name=name, EventPattern=PATTERN, Tags=[{"Key": "ignored", "Value": ""}])["RuleArn"]

    described = events.describe_rule(Name=name)
    del described["ResponseMetadata"]

    [listed] = events.list_rules(NamePrefix=name)["Rules"]
    shown = {"Name": name, "Arn": arn, "EventPattern": PATTERN, "State": "ENABLED", "EventBusName": "default"}
    assert (listed, described) == (shown, {**shown, "CreatedBy": ACCOUNT})
    assert arn == f"arn:aws:events:{PLACE}:rule/{name}"
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags


def test_what_is_no_rule_is_refused_in_the_words_of_aws(events, unique, rule):
    """From AWS's recorded answers."""
    missing, put = unique("Missing"), events.put_rule
    not_found = ("ResourceNotFoundException", f"Rule {missing} does not exist on EventBus default.")
    neither = "Parameter(s) EventPattern or ScheduleExpression must be specified."
    bus = ("ResourceNotFoundException", f"Event bus {missing} does not exist.")

    assert refusal(events.describe_rule, Name=missing) == not_found
    assert refusal(events.enable_rule, Name=missing) == not_found
    assert refusal(events.list_targets_by_rule, Rule=missing) == not_found
    assert refusal(events.list_tags_for_resource, ResourceARN=f"arn:aws:events:{PLACE}:rule/{missing}") == not_found
    assert refusal(put, Name=missing) == ("ValidationException", neither)
    assert refusal(put, Name=missing, EventPattern=PATTERN, EventBusName=missing) == bus
    assert refusal(put, Name=missing, EventPattern="[]") == (
        "InvalidEventPatternException",
        "Event pattern is not valid. Reason: Filter is not an object",
    )
    assert events.delete_rule(Name=missing)["ResponseMetadata"]["HTTPStatusCode"] == 200
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": QUEUE}])
    assert refusal(events.delete_rule, Name=rule) == (
        "ValidationException",
        "Rule can't be deleted since it has targets.",
    )


def test_parameters_that_the_model_does_not_allow_are_all_named(events, rule):
    """The texts of AWS's recorded answers, for an id of a target that is not one."""
    targets = [{"Id": "!@#", "Arn": QUEUE, "RetryPolicy": {"MaximumRetryAttempts": 186}}]
    at = "'!@#' at 'targets.1.member.id' failed to satisfy constraint: Member must satisfy regular expression pattern"
    too_many = "'186' at 'targets.1.member.retryPolicy.maximumRetryAttempts' failed to satisfy constraint: Member must"

    assert refusal(events.put_targets, Rule=rule, Targets=targets) == (
        "ValidationException",
        rf"2 validation errors detected: Value {at}: [\.\-_A-Za-z0-9]+; "
        f"Value {too_many} have value less than or equal to 185",
    )
    assert refusal(events.put_rule, Name=None)[1].startswith("1 validation error detected: Value null at 'name'")
    assert refusal(events.put_rule, Name="x", EventPattern=PATTERN, State="ON")[1].endswith(
        "enum value set: [ENABLED, DISABLED, ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS]"
    )


def test_lists_come_in_pages(events, unique):
    """Sorted by name, up to Limit at a time."""
    names = [unique(f"Paged-{number}") for number in range(3)]
    for name in names:
        events.put_rule(Name=name, EventPattern=PATTERN)
        events.put_targets(Rule=name, Targets=[{"Id": str(n), "Arn": f"{QUEUE}-{names[0]}"} for n in range(3)])

    first = events.list_rules(NamePrefix="Paged-", Limit=2)
    second = events.list_rules(NamePrefix="Paged-", Limit=2, NextToken=first["NextToken"])
    by_target = events.list_rule_names_by_target(TargetArn=f"{QUEUE}-{names[0]}", Limit=2)
    targets = events.list_targets_by_rule(Rule=names[0], Limit=2)

    assert [rule["Name"] for rule in first["Rules"] + second["Rules"]] == names
    assert ("NextToken" in second, by_target["RuleNames"], len(targets["Targets"])) == (False, names[:2], 2)
    assert refusal(events.list_rules, NextToken="mine")[0] == "InvalidToken"


def test_a_rule_has_five_targets(events, rule):
    """The sixth: AWS's recorded answer. One with an id that is there replaces it."""
    events.put_targets(Rule=rule, Targets=[{"Id": str(number), "Arn": QUEUE} for number in range(5)])
    events.put_targets(Rule=rule, Targets=[{"Id": "4", "Arn": QUEUE, "InputPath": "$.detail"}])

    assert refusal(events.put_targets, Rule=rule, Targets=[{"Id": "5", "Arn": QUEUE}]) == (
        "LimitExceededException",
        "The requested resource exceeds the maximum number allowed.",
    )
    assert events.list_targets_by_rule(Rule=rule)["Targets"][4]["InputPath"] == "$.detail"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            {"Input": "{}", "InputPath": "$.detail"},
            "Only one of Input, InputPath, or InputTransformer must be provided",
        ),
        ({"Input": "no json"}, "JSON syntax error in input for target t."),
        ({"InputPath": "detail"}, "Invalid InputPath for target t."),
        (
            {"InputTransformer": {"InputTemplate": '"<x>"'}},
            "InputTemplate for target t contains invalid placeholder x.",
        ),
        ({"Arn": "q"}, "Provided Arn is not in correct format."),
        ({"Arn": f"arn:aws:logs:{PLACE}:log-group"}, "Provided Arn is not in correct format."),
        ({"Arn": f"arn:aws:states:{PLACE}:stateMachine:m"}, "delivers to lambda, logs, sns, sqs only"),
        ({"Arn": f"arn:aws:sns:{PLACE}:topic.fifo"}, "does not deliver to FIFO topics"),
        ({"Arn": f"{QUEUE}.fifo"}, "SqsParameters must be specified for target: t."),
        ({"DeadLetterConfig": {"Arn": f"{QUEUE}.fifo"}}, "Only a standard SQS queue can be the dead-letter queue"),
        ({"HttpParameters": {}}, "does not support HttpParameters"),
    ],
)
def test_a_target_that_cannot_work_is_refused(events, rule, target, message):
    """AWS's words where they were recorded."""
    code, said = refusal(events.put_targets, Rule=rule, Targets=[{"Id": "t", "Arn": QUEUE, **target}])

    assert (code, message in said) == ("ValidationException", True), said
    assert events.list_targets_by_rule(Rule=rule)["Targets"] == []


def test_tags_are_added_and_removed(events, rule):
    """On rules and on buses, the default one among them; a key that is not there is removed already."""
    for arn in (f"arn:aws:events:{PLACE}:rule/{rule}", f"arn:aws:events:{PLACE}:event-bus/default"):
        events.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        events.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "3"}])
        events.untag_resource(ResourceARN=arn, TagKeys=["b", "c"])

        assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "3"}]
        events.untag_resource(ResourceARN=arn, TagKeys=["a"])


# --- Events -----------------------------------------------------------------------------------------------------------


def test_an_entry_that_is_no_event_fails_alone(events, client, queue, rule):
    """Codes and texts from AWS's recorded answers and API_PutEventsResultEntry; the others are delivered."""
    url, arn = open_queue(client, queue, "events.amazonaws.com")
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn}])
    at = datetime(2025, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)
    bad = [
        entry(""),
        {"Source": rule, "Detail": "{}"},
        {"Source": rule, "DetailType": "visit"},
        entry(rule, Detail='["list"]'),
        entry(rule, Detail='{"a": NaN}'),
        entry(rule, Detail="[" * 100_000),
        entry("aws.s3"),
    ]

    answer = events.put_events(Entries=[*bad, entry(rule, Time=at, Resources=["arn:x"])])

    required = "Parameter {0} is not valid. Reason: {0} is a required argument."
    assert [(one.get("ErrorCode"), one.get("ErrorMessage")) for one in answer["Entries"]] == [
        *[("InvalidArgument", required.format(name)) for name in ("Source", "DetailType", "Detail")],
        *[("MalformedDetail", "Detail is malformed.")] * 3,
        ("NotAuthorizedForSourceException", "Not authorized for the source."),
        (None, None),
    ]
    [message] = received(client, url)
    assert json.loads(message["Body"]) == {
        "version": "0",
        "id": answer["Entries"][7]["EventId"],
        "detail-type": "visit",
        "source": rule,
        "account": ACCOUNT,
        "time": "2025-01-02T03:04:05Z",
        "region": "us-east-1",
        "resources": ["arn:x"],
        "detail": {"n": 7},
    }


def test_a_request_has_ten_entries_and_less_than_a_megabyte(events):
    """API_PutEvents, and AWS's recorded text; the size counts as in "Calculating PutEvents event entry size"."""
    fitting = entry("s", DetailType="t", Detail='{"a": "' + "x" * (1_048_576 - 2 - 9 - 1) + '"}')
    large = {**fitting, "Source": "ss"}

    assert events.put_events(Entries=[fitting])["FailedEntryCount"] == 0
    assert refusal(events.put_events, Entries=[large]) == (
        "ValidationException",
        "Total size of the entries in the request is over the limit.",
    )
    code, message = refusal(events.put_events, Entries=[entry("shop")] * 11)
    assert code == "ValidationException"
    assert message.endswith(
        "at 'entries' failed to satisfy constraint: Member must have length less than or equal to 10"
    )
    assert refusal(events.put_events, Entries=[])[1].endswith("Member must have length greater than or equal to 1")


def test_a_pattern_is_tried_on_an_event(events):
    """TestEventPattern: the event needs the fields that the page names; else AWS's recorded answer."""
    event = {"id": "1", "account": ACCOUNT, "source": "shop", "time": "t", "region": "r", "resources": []}
    whole = json.dumps({**event, "detail-type": "visit", "detail": {"n": 7}})
    invalid = ("ValidationException", "Parameter Event is not valid.")

    def result(pattern):
        return events.test_event_pattern(EventPattern=json.dumps(pattern), Event=whole)["Result"]

    assert (result({"detail": {"n": [7]}}), result({"detail": {"n": [8]}})) == (True, False)
    for broken in ("text", "[]", json.dumps(event)):
        assert refusal(events.test_event_pattern, EventPattern=PATTERN, Event=broken) == invalid


@pytest.mark.parametrize(
    "case",
    [
        ({"InputPath": "$.detail"}, '{"n":7,"who":{"id":"x","ok":true},"list":["A","B"]}'),
        ({"InputPath": "$.detail.who.id"}, '"x"'),
        ({"InputPath": "$.detail.list[1]"}, '"B"'),
        ({"Input": '{"constant": 1}'}, '{"constant": 1}'),
        ({"InputTemplate": '"<n> of <who>"\n"<list> <ok> <none>"'}, '"7 of {id:x,ok:true}"\n"[A,B] true "'),
        ({"InputTemplate": '{"n": <n>, "at": "v/<id>/<n>", "who": <who>, "none": <none>}'}, None),
        ({"InputTemplate": '"<aws.events.rule-name> <aws.events.rule-arn>"'}, '"RULE ARN"'),
        ({"InputTemplate": '{"e": <aws.events.event>, "j": <aws.events.event.json>}'}, "{}"),
    ],
)
def test_a_target_gets_what_its_input_says(client, events, queue, rule, case):
    """From AWS's recorded deliveries and the page "Transforming input"."""
    target, body = case
    url, arn = open_queue(client, queue, "events.amazonaws.com")
    paths = {name: f"$.detail.{name}" for name in ("n", "who", "list", "none")}
    if "InputTemplate" in target:
        paths |= {"id": "$.detail.who.id", "ok": "$.detail.who.ok"}
        target = {"InputTransformer": {**target, "InputPathsMap": paths}}
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn, **target}])

    detail = {"n": 7, "who": {"id": "x", "ok": True}, "list": ["A", "B"]}
    events.put_events(Entries=[entry(rule, Detail=json.dumps(detail))])

    [message] = received(client, url)
    if body is None:
        parts = {"n": 7, "at": "v/x/7", "who": {"id": "x", "ok": True}, "none": ""}
        assert json.loads(message["Body"]) == parts
    elif body == "{}":
        found = json.loads(message["Body"])
        assert (found["j"]["detail"], found["e"]["detailType"], "detail" in found["e"]) == (detail, "visit", False)
    else:
        whole = f"arn:aws:events:{PLACE}:rule/{rule}"
        assert message["Body"] == body.replace("RULE", rule).replace("ARN", whole)


def test_a_template_that_becomes_no_json_is_not_delivered(client, events, queue, rule):
    """An object in quotes: AWS drops it, as recorded; the dead-letter queue gets the event."""
    url, arn = open_queue(client, queue, "events.amazonaws.com")
    transformer = {"InputPathsMap": {"d": "$.detail"}, "InputTemplate": '{"d": "<d>"}'}
    target = {"Id": "q", "Arn": arn, "InputTransformer": transformer, "DeadLetterConfig": {"Arn": arn}}
    events.put_targets(Rule=rule, Targets=[target])

    events.put_events(Entries=[entry(rule)])

    [message] = received(client, url)
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "ValidationException"
    assert json.loads(message["Body"])["source"] == rule


def test_a_target_is_tried_as_often_as_its_retry_policy_says(client, events, queue, rule):
    """A queue that takes only small messages fails again and again (AWS docs: eb-rule-event-delivery)."""
    url, dlq = open_queue(client, queue, "events.amazonaws.com")
    small_url, small = open_queue(client, queue, "events.amazonaws.com")
    client("sqs").set_queue_attributes(QueueUrl=small_url, Attributes={"MaximumMessageSize": "1024"})
    target = {"Id": "q", "Arn": small, "DeadLetterConfig": {"Arn": dlq}, "RetryPolicy": {"MaximumRetryAttempts": 2}}
    events.put_targets(Rule=rule, Targets=[target])

    events.put_events(Entries=[entry(rule, Detail=json.dumps({"x": "x" * 2000}))])

    [message] = received(client, url)
    attributes = {name: one["StringValue"] for name, one in message["MessageAttributes"].items()}
    assert (attributes["EXHAUSTED_RETRY_CONDITION"], attributes["RETRY_ATTEMPTS"]) == ("MaximumRetryAttempts", "2")


def test_a_fifo_queue_gets_the_events_of_a_rule_in_the_message_group_of_the_target(client, events, rule, unique):
    """SqsParameters names the group; the queue deduplicates by content (API_SqsParameters)."""
    sqs, name = client("sqs"), f"{unique('q')}.fifo"
    arn = f"arn:aws:sqs:{PLACE}:{name}"
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    attributes["Policy"] = allow("events.amazonaws.com", "sqs:SendMessage", arn)
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    events.put_targets(Rule=rule, Targets=[{"Id": "q", "Arn": arn, "SqsParameters": {"MessageGroupId": "audit"}}])

    events.put_events(Entries=[entry(rule)])

    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MessageSystemAttributeNames=["All"])["Messages"]
    assert (message["Attributes"]["MessageGroupId"], json.loads(message["Body"])["source"]) == ("audit", rule)


def test_a_log_group_is_a_target_once_a_policy_lets_events_write(client, events, rule, unique, eventually):
    """AWS's recorded policy and log event; without the policy nothing arrives (AWS docs: eb-use-resource-based)."""
    logs, group = client("logs"), f"/aws/events/{unique('group')}"
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:{PLACE}:log-group:{group}"
    events.put_targets(Rule=rule, Targets=[{"Id": "l", "Arn": arn}])
    events.put_events(Entries=[entry(rule)])
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"{arn}:*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    logs.put_resource_policy(policyName=group.replace("/", "-"), policyDocument=document)

    answer = events.put_events(Entries=[entry(rule)])

    [event] = eventually(lambda: logs.filter_log_events(logGroupName=group)["events"])
    assert json.loads(event["message"])["id"] == answer["Entries"][0]["EventId"]


# --- Buses and schedules ----------------------------------------------------------------------------------------------


def test_a_custom_bus_has_rules_and_events_of_its_own(client, events, queue, unique):
    """Shapes and texts from AWS's recorded answers."""
    url, arn = open_queue(client, queue, "events.amazonaws.com")
    bus, rule = unique("bus"), unique("Rule")
    bus_arn = f"arn:aws:events:{PLACE}:event-bus/{bus}"
    made = events.create_event_bus(Name=bus, Description="mine", Tags=[{"Key": "a", "Value": "b"}])
    rule_arn = events.put_rule(Name=rule, EventBusName=bus, EventPattern=PATTERN)["RuleArn"]
    events.put_targets(Rule=rule, EventBusName=bus_arn, Targets=[{"Id": "q", "Arn": arn}])

    events.put_events(
        Entries=[entry("shop"), entry("shop", EventBusName=unique("no")), entry("shop", EventBusName=bus_arn)]
    )

    assert (made["EventBusArn"], made["Description"]) == (bus_arn, "mine")
    assert rule_arn == f"arn:aws:events:{PLACE}:rule/{bus}/{rule}"
    [message] = received(client, url)
    assert json.loads(message["Body"])["detail"] == {"n": 7}
    assert client("sqs").receive_message(QueueUrl=url).get("Messages", []) == []
    [listed] = events.list_event_buses(NamePrefix=bus)["EventBuses"]
    assert sorted(listed) == ["Arn", "CreationTime", "Description", "LastModifiedTime", "Name"]
    assert refusal(events.create_event_bus, Name=bus) == (
        "ResourceAlreadyExistsException",
        f"Event bus {bus} already exists.",
    )
    assert refusal(events.put_rule, Name=rule, EventBusName=bus, ScheduleExpression="rate(1 minute)") == (
        "ValidationException",
        "ScheduleExpression is supported only on the default event bus.",
    )
    assert refusal(events.delete_event_bus, Name="default")[1] == "Cannot delete event bus default."
    assert refusal(events.delete_event_bus, Name=bus)[1] == "Event bus can't be deleted since it has rules."
    events.remove_targets(Rule=rule, EventBusName=bus, Ids=["q"])
    events.delete_rule(Name=rule, EventBusName=bus)
    events.delete_event_bus(Name=bus)
    assert refusal(events.describe_event_bus, Name=bus)[1] == f"Event bus {bus} does not exist."


def test_a_bus_gets_what_lambda_tells_of_an_invocation(client, events, queue, function, unique):
    """A bus as a destination: the envelope of AWS's recorded deliveries around the record."""
    url, arn = open_queue(client, queue, "events.amazonaws.com")
    bus, rule = unique("bus"), unique("Rule")
    bus_arn = events.create_event_bus(Name=bus)["EventBusArn"]
    events.put_rule(Name=rule, EventBusName=bus, EventPattern=json.dumps({"source": ["lambda"]}))
    events.put_targets(Rule=rule, EventBusName=bus, Targets=[{"Id": "q", "Arn": arn}])
    code = "def lambda_handler(event, context):\n    return 1 / event['n']\n"
    target = function(code, (["events:PutEvents"], bus_arn))
    both = {"OnSuccess": {"Destination": bus_arn}, "OnFailure": {"Destination": bus_arn}}
    client("lambda").put_function_event_invoke_config(
        FunctionName=target, MaximumRetryAttempts=0, DestinationConfig=both
    )

    for number in (1, 0):
        client("lambda").invoke(FunctionName=target, InvocationType="Event", Payload=json.dumps({"n": number}))

    told = {}
    while len(told) < 2:
        for message in received(client, url):
            event = json.loads(message["Body"])
            told[event["detail-type"].rpartition(" - ")[2]] = event
            client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    good, bad = told["Success"], told["Failure"]
    assert (good["source"], good["resources"]) == ("lambda", [bus_arn, f"{target}:$LATEST"])
    assert good["detail-type"] == "Lambda Function Invocation Result - Success"
    assert (good["detail"]["responsePayload"], bad["detail"]["requestContext"]["condition"]) == (
        1.0,
        "RetriesExhausted",
    )


def test_the_policy_of_a_bus_is_put_and_removed_by_statement(events, unique):
    """Shapes and texts from AWS's recorded answers."""
    bus = unique("bus")
    arn = events.create_event_bus(Name=bus)["EventBusArn"]
    for sid, account in (("one", "111122223333"), ("all", "*")):
        events.put_permission(EventBusName=bus, Action="events:PutEvents", Principal=account, StatementId=sid)
    statement = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": arn}

    assert json.loads(events.describe_event_bus(Name=bus)["Policy"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "one", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, **statement},
            {"Sid": "all", "Principal": "*", **statement},
        ],
    }
    events.remove_permission(EventBusName=bus, StatementId="all")
    assert refusal(events.remove_permission, EventBusName=bus, StatementId="all") == (
        "ResourceNotFoundException",
        "Statement with the provided id does not exist.",
    )
    events.remove_permission(EventBusName=bus, RemoveAllPermissions=True)
    assert "Policy" not in events.describe_event_bus(Name=bus)
    organization = {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1"}
    wanted = {"Action": "events:PutEvents", "Principal": "*", "StatementId": "o", "Condition": organization}
    events.put_permission(EventBusName=bus, **wanted)
    [put] = json.loads(events.describe_event_bus(Name=bus)["Policy"])["Statement"]
    assert put["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    whole = {"Version": "2012-10-17", "Statement": {"Sid": "w", **statement, "Principal": "*"}}
    events.put_permission(EventBusName=bus, Policy=json.dumps(whole))
    assert json.loads(events.describe_event_bus(Name=bus)["Policy"])["Statement"] == [whole["Statement"]]
    assert refusal(events.put_permission, EventBusName=bus, Policy="no policy")[0] == "ValidationException"
    assert refusal(events.put_permission, EventBusName=bus, Principal="*")[0] == "ValidationException"


def test_a_bus_is_described_anew_and_has_nothing_that_is_not_here(events, unique):
    """API_UpdateEventBus; a key, a partner's source or a log would be kept and do nothing."""
    bus = unique("bus")
    events.create_event_bus(Name=bus)

    answer = events.update_event_bus(Name=bus, Description="changed")

    assert (answer["Name"], events.describe_event_bus(Name=bus)["Description"]) == (bus, "changed")
    for name, value in (("KmsKeyIdentifier", "k"), ("EventSourceName", "aws.partner/x/y"), ("LogConfig", {})):
        code, message = refusal(events.create_event_bus, Name=unique("bus"), **{name: value})
        assert (code, f"does not support {name}" in message) == ("ValidationException", True)
    assert refusal(events.create_event_bus, Name="a/b")[1] == "Event bus name must not contain '/'."


def test_a_schedule_is_kept_and_a_wrong_one_refused(events, unique):
    """AWS's recorded shape and text; when it runs stands in test_schedules."""
    name = unique("Rule")
    arn = events.put_rule(Name=name, ScheduleExpression="cron(0 20 * * ? *)")["RuleArn"]

    [listed] = events.list_rules(NamePrefix=name)["Rules"]

    shown = {"Name": name, "Arn": arn, "EventBusName": "default", "State": "ENABLED"}
    assert listed == {**shown, "ScheduleExpression": "cron(0 20 * * ? *)"}
    assert refusal(events.put_rule, Name=name, ScheduleExpression="rate(1 minutes)") == (
        "ValidationException",
        "Parameter ScheduleExpression is not valid.",
    )
