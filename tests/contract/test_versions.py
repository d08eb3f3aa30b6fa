"""Versions, aliases and qualifiers.

Texts and shapes are those that LocalStack recorded from AWS (tests/aws/services/lambda_/test_lambda_api.snapshot.json
and test_lambda.snapshot.json); the rules are those of the Lambda Developer Guide, "Manage Lambda function versions" and
"Create an alias for a Lambda function".
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from tests.contract.test_lambda import call
from tests.contract.test_pipeline import zipped

SAYS = (
    "def lambda_handler(event, context):\n    return [{!r}, context.function_version, context.invoked_function_arn]\n"
)
STALE = (
    "The Revision Id provided does not match the latest Revision Id. Call the {} API to retrieve the latest Revision Id"
)


def refusal(function, **arguments):
    """Call, and return code and message of the error."""
    with pytest.raises(ClientError) as refused:
        function(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def change(client, arn, source):
    """Replace the code and wait for it."""
    client("lambda").update_function_code(FunctionName=arn, ZipFile=zipped(source))
    client("lambda").get_waiter("function_updated_v2").wait(FunctionName=arn, WaiterConfig={"Delay": 0.05})


@pytest.fixture
def versioned(client, function):
    """A function with two published versions, "one" and "two", and "three" as $LATEST; returns its ARN."""
    arn = function(SAYS.format("one"))
    client("lambda").publish_version(FunctionName=arn)
    change(client, arn, SAYS.format("two"))
    client("lambda").publish_version(FunctionName=arn, Description="the second")
    change(client, arn, SAYS.format("three"))
    return arn


def test_a_version_never_changes_and_each_is_called_by_its_number(client, versioned):
    """By qualifier, by a name with it, and by a qualified ARN."""
    functions = client("lambda")

    answers = [
        call(client, versioned),
        call(client, versioned, Qualifier="1"),
        call(client, f"{versioned}:2"),
        call(client, f"{versioned.rpartition(':')[2]}:$LATEST"),
    ]
    listed = functions.list_versions_by_function(FunctionName=versioned)["Versions"]

    assert [(answer["ExecutedVersion"], answer["Payload"]) for answer in answers] == [
        ("$LATEST", ["three", "$LATEST", versioned]),
        ("1", ["one", "1", f"{versioned}:1"]),
        ("2", ["two", "2", f"{versioned}:2"]),
        ("$LATEST", ["three", "$LATEST", f"{versioned}:$LATEST"]),
    ]
    assert [(one["Version"], one["FunctionArn"], one["Description"]) for one in listed] == [
        ("$LATEST", f"{versioned}:$LATEST", ""),
        ("1", f"{versioned}:1", ""),
        ("2", f"{versioned}:2", "the second"),
    ]
    assert not {"State", "LastUpdateStatus", "RuntimeVersionConfig"} & listed[1].keys()


def test_publishing_twice_without_a_change_returns_the_same_version(client, function):
    """PublishVersion is idempotent; a description alone is no change, that of $LATEST is one."""
    functions, arn = client("lambda"), function(SAYS.format("x"))
    before = functions.get_function_configuration(FunctionName=arn)

    first = functions.publish_version(FunctionName=arn, Description="mine")
    again = functions.publish_version(FunctionName=arn, Description="another")
    after = functions.get_function_configuration(FunctionName=arn)
    functions.update_function_configuration(FunctionName=arn, Description="changed")
    functions.get_waiter("function_updated_v2").wait(FunctionName=arn, WaiterConfig={"Delay": 0.05})
    third = functions.publish_version(FunctionName=arn)

    assert [(v["Version"], v["FunctionArn"], v["Description"]) for v in (first, again, third)] == [
        ("1", f"{arn}:1", "mine"),
        ("1", f"{arn}:1", "mine"),
        ("2", f"{arn}:2", "changed"),
    ]
    assert (first["ResponseMetadata"]["HTTPStatusCode"], first["State"], first["LastUpdateStatus"]) == (
        201,
        "Active",
        "Successful",
    )
    assert first["RevisionId"] == again["RevisionId"]
    assert len({before["RevisionId"], first["RevisionId"], after["RevisionId"]}) == 3


def test_code_and_revision_can_be_made_conditions(client, function):
    """Who publishes what somebody else has just changed is told so."""
    functions, arn = client("lambda"), function(SAYS.format("x"))
    now = functions.get_function_configuration(FunctionName=arn)

    assert refusal(functions.publish_version, FunctionName=arn, CodeSha256="other") == (
        "InvalidParameterValueException",
        f"CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({now['CodeSha256']}). Please try again "
        "with the CodeSHA256 in $LATEST.",
    )
    for refused in (
        refusal(functions.publish_version, FunctionName=arn, RevisionId="other"),
        refusal(functions.update_function_configuration, FunctionName=arn, RevisionId="other", Timeout=4),
        refusal(functions.update_function_code, FunctionName=arn, RevisionId="other", ZipFile=zipped("")),
    ):
        assert refused == ("PreconditionFailedException", STALE.format("GetFunction/GetAlias"))
    right = functions.publish_version(FunctionName=arn, CodeSha256=now["CodeSha256"], RevisionId=now["RevisionId"])
    assert right["Version"] == "1"


def test_create_and_update_can_publish_at_once(client, function):
    """CreateFunction answers with the function's ARN and version 1, UpdateFunctionCode with those of the version."""
    functions, arn = client("lambda"), function(SAYS.format("one"), Publish=True)

    updated = functions.update_function_code(FunctionName=arn, ZipFile=zipped(SAYS.format("two")), Publish=True)
    early = refusal(functions.invoke, FunctionName=arn, Qualifier="2")
    functions.get_waiter("function_active_v2").wait(FunctionName=arn, WaiterConfig={"Delay": 0.05})

    assert [updated[key] for key in ("Version", "FunctionArn", "State", "StateReasonCode")] == [
        "2",
        f"{arn}:2",
        "Pending",
        "Creating",
    ]
    assert "LastUpdateStatus" not in updated
    assert early[0] == "ResourceConflictException"
    assert [call(client, arn, Qualifier=version)["Payload"][0] for version in ("1", "2", "$LATEST")] == [
        "one",
        "two",
        "two",
    ]


def test_a_dry_run_of_an_update_changes_nothing(client, function):
    """It answers as if it had."""
    arn = function(SAYS.format("one"))

    answer = client("lambda").update_function_code(FunctionName=arn, ZipFile=zipped(SAYS.format("two")), DryRun=True)

    assert (answer["FunctionArn"], call(client, arn)["Payload"][0]) == (arn, "one")


def test_the_log_stream_and_its_lines_name_the_version(client, versioned):
    """That is how versions are told apart in one log group."""
    name = versioned.rpartition(":")[2]
    call(client, versioned, Qualifier="1")

    streams = client("logs").describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    [stream] = [one["logStreamName"] for one in streams if "[1]" in one["logStreamName"]]
    events = client("logs").get_log_events(
        logGroupName=f"/aws/lambda/{name}", logStreamName=stream, startFromHead=True
    )["events"]

    assert [e["message"].split("Version: ")[1] for e in events if e["message"].startswith("START")] == ["1\n"]


def test_an_alias_points_to_a_version_and_can_be_moved(client, versioned):
    """Its ARN is what was invoked; which version ran says ExecutedVersion."""
    functions = client("lambda")
    created = functions.create_alias(FunctionName=versioned, Name="live", FunctionVersion="1", Description="d")
    before = call(client, versioned, Qualifier="live")
    looked_at = functions.get_function(FunctionName=f"{versioned}:live")["Configuration"]

    stale = refusal(
        functions.update_alias, FunctionName=versioned, Name="live", FunctionVersion="2", RevisionId="other"
    )
    updated = functions.update_alias(
        FunctionName=versioned, Name="live", FunctionVersion="2", RevisionId=created["RevisionId"]
    )
    after = call(client, f"{versioned}:live")

    assert {k: created[k] for k in ("AliasArn", "Name", "FunctionVersion", "Description")} == {
        "AliasArn": f"{versioned}:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "d",
    }
    assert "RoutingConfig" not in created
    assert (before["ExecutedVersion"], before["Payload"]) == ("1", ["one", "1", f"{versioned}:live"])
    assert (after["ExecutedVersion"], after["Payload"]) == ("2", ["two", "2", f"{versioned}:live"])
    assert (looked_at["FunctionArn"], looked_at["Version"]) == (f"{versioned}:live", "1")
    assert stale == ("PreconditionFailedException", STALE.format("GetFunction/GetAlias"))
    assert updated["RevisionId"] != created["RevisionId"]
    assert functions.get_alias(FunctionName=versioned, Name="live")["FunctionVersion"] == "2"


def test_a_weighted_alias_shares_the_calls_among_two_versions(client, versioned):
    """With a weight of 0.5 twenty calls in a row go to one version once in 500,000 times."""
    functions = client("lambda")
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    created = functions.create_alias(FunctionName=versioned, Name="w", FunctionVersion="1", RoutingConfig=weights)

    ran = {call(client, versioned, Qualifier="w")["ExecutedVersion"] for _ in range(20)}
    empty = {"AdditionalVersionWeights": {}}
    alone = functions.update_alias(FunctionName=versioned, Name="w", RoutingConfig=empty)

    assert created["RoutingConfig"] == weights
    assert ran == {"1", "2"}
    assert "RoutingConfig" not in alone


@pytest.mark.parametrize(
    ("version", "weights", "refused"),
    [
        (
            "1",
            {"1": 0.5, "2": 0.1},
            (
                "InvalidParameterValueException",
                "Number of items in AdditionalVersionWeights cannot be greater than 1",
            ),
        ),
        (
            "1",
            {"1": 0.5},
            (
                "InvalidParameterValueException",
                "Invalid function version 1. Function version 1 is already included in routing configuration.",
            ),
        ),
        (
            "$LATEST",
            {"1": 0.5},
            (
                "InvalidParameterValueException",
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ),
        ),
        ("1", {"10": 0.5}, ("ResourceNotFoundException", "Function not found: {arn}:10")),
        ("10", {}, ("ResourceNotFoundException", "Function not found: {arn}:10")),
    ],
)
def test_routes_that_lead_nowhere_are_refused(client, versioned, version, weights, refused):
    """Each in AWS's words."""
    answer = refusal(
        client("lambda").create_alias, FunctionName=versioned, Name="a", FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": weights},
    )  # fmt: skip

    assert answer == (refused[0], refused[1].format(arn=versioned))


def test_a_weight_is_a_share_and_its_key_a_number(client, versioned):
    """The service model's own constraints."""
    functions = client("lambda")

    too_high, latest = (
        refusal(
            functions.create_alias, FunctionName=versioned, Name="a", FunctionVersion="1",
            RoutingConfig={"AdditionalVersionWeights": weights},
        )
        for weights in ({"2": 2.0}, {"$LATEST": 0.5})
    )  # fmt: skip
    number = refusal(functions.create_alias, FunctionName=versioned, Name="2024", FunctionVersion="1")

    start = "1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: {}"
    assert too_high == (
        "ValidationException",
        start.format(
            "{2=2.0}",
            "routingConfig.additionalVersionWeights",
            "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have "
            "value greater than or equal to 0.0, Member must not be null]",
        ),
    )
    assert latest[1].startswith(
        start.format("{$LATEST=0.5}", "routingConfig.additionalVersionWeights", "Map keys must satisfy constraint: ")
    )
    assert number[1] == start.format(
        "2024", "name", "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
    )


def test_aliases_are_listed_looked_up_and_deleted(client, versioned):
    """Deleting one that is not there is no error, updating it is one."""
    functions = client("lambda")
    for name, version in (("b", "1"), ("a", "1"), ("c", "2")):
        functions.create_alias(FunctionName=versioned, Name=name, FunctionVersion=version)

    twice = refusal(functions.create_alias, FunctionName=versioned, Name="a", FunctionVersion="1")
    of_one = functions.list_aliases(FunctionName=versioned, FunctionVersion="1")["Aliases"]
    pages = functions.get_paginator("list_aliases").paginate(FunctionName=versioned, PaginationConfig={"PageSize": 2})
    every = [[alias["Name"] for alias in page["Aliases"]] for page in pages]
    functions.delete_alias(FunctionName=versioned, Name="a")
    functions.delete_alias(FunctionName=versioned, Name="a")

    assert twice == ("ResourceConflictException", f"Alias already exists: {versioned}:a")
    assert [alias["Name"] for alias in of_one] == ["a", "b"]
    assert every == [["a", "b"], ["c"]]
    assert refusal(functions.get_alias, FunctionName=versioned, Name="a") == (
        "ResourceNotFoundException",
        f"Cannot find alias arn: {versioned}:a",
    )
    assert refusal(functions.update_alias, FunctionName=versioned, Name="a") == (
        "ResourceNotFoundException",
        f"Alias not found: {versioned}:a",
    )
    assert refusal(functions.invoke, FunctionName=versioned, Qualifier="a") == (
        "ResourceNotFoundException",
        f"Function not found: {versioned}:a",
    )


def test_a_version_is_deleted_alone_and_not_while_an_alias_names_it(client, versioned):
    """AWS's answers as measured by projects that prune versions; a number that never was is no error."""
    functions = client("lambda")
    functions.create_alias(FunctionName=versioned, Name="live", FunctionVersion="1")

    named = refusal(functions.delete_function, FunctionName=versioned, Qualifier="1")
    latest = refusal(functions.delete_function, FunctionName=f"{versioned}:$LATEST")
    alias = refusal(functions.delete_function, FunctionName=versioned, Qualifier="live")
    functions.delete_function(FunctionName=f"{versioned}:2")
    functions.delete_function(FunctionName=versioned, Qualifier="99")
    left = functions.list_versions_by_function(FunctionName=versioned)["Versions"]
    again = functions.publish_version(FunctionName=versioned)

    assert named == (
        "ResourceConflictException",
        "Unable to delete version because the following aliases reference it: [live]",
    )
    assert latest[1] == "$LATEST version cannot be deleted without deleting the function."
    assert alias[1] == "Deletion of aliases is not currently supported."
    assert [version["Version"] for version in left] == ["$LATEST", "1"]
    assert again["Version"] == "3"


def test_list_functions_shows_every_version_when_asked(client, versioned):
    """Else $LATEST alone, by its unqualified ARN; in pages."""
    functions = client("lambda")

    def found(**options):
        pages = functions.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2}, **options)
        every = [one["FunctionArn"] for page in pages for one in page["Functions"]]
        return [arn for arn in every if arn.startswith(versioned)]

    assert found() == [versioned]
    assert found(FunctionVersion="ALL") == [f"{versioned}:$LATEST", f"{versioned}:1", f"{versioned}:2"]


def test_names_and_qualifiers_that_contradict_one_another_or_are_none(client, versioned):
    """FunctionName and Qualifier, in AWS's words."""
    functions, name = client("lambda"), versioned.rpartition(":")[2]
    get = functions.get_function_configuration

    assert refusal(get, FunctionName=f"{name}:1", Qualifier="2") == (
        "InvalidParameterValueException",
        "The derived qualifier from the function name does not match the specified qualifier.",
    )
    assert refusal(get, FunctionName=name, Qualifier="99")[1] == f"Function not found: {versioned}:99"
    assert refusal(functions.invoke, FunctionName="none")[1].endswith(":function:none:$LATEST")
    assert refusal(get, FunctionName="none")[1].endswith(":function:none")
    assert refusal(get, FunctionName=versioned.replace("us-east-1", "eu-west-1")) == (
        "ResourceNotFoundException",
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
    )
    assert refusal(get, FunctionName="my-function!") == (
        "ValidationException",
        "1 validation error detected: Value 'my-function!' at 'functionName' failed to satisfy constraint: Member must "
        r"satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-"
        r"[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
    )
    assert refusal(functions.put_function_concurrency, FunctionName=f"{name}:1", ReservedConcurrentExecutions=1)[1] == (
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. "
        "Please specify either a function name or an unqualified function ARN."
    )
    assert refusal(functions.tag_resource, Resource=f"{versioned}:1", Tags={"a": "b"})[1] == (
        "Tags on function aliases and versions are not supported. Please specify a function ARN."
    )


# --- Policies, settings and callers go by qualifier -------------------------------------------------------------------


def permit(client, arn, principal, **options):
    return client("lambda").add_permission(
        FunctionName=arn, StatementId="s", Action="lambda:InvokeFunction", Principal=principal, **options
    )


def test_each_qualifier_has_a_policy_of_its_own(client, versioned):
    """A statement for an alias does not let anybody call the function itself."""
    functions = client("lambda")
    functions.create_alias(FunctionName=versioned, Name="live", FunctionVersion="1")

    permit(client, versioned, "events.amazonaws.com", Qualifier="live", SourceAccount="123456789012")
    missing = refusal(functions.get_policy, FunctionName=versioned)
    answer = functions.get_policy(FunctionName=versioned, Qualifier="live")
    stale = refusal(functions.remove_permission, FunctionName=f"{versioned}:live", StatementId="s", RevisionId="other")
    functions.remove_permission(FunctionName=f"{versioned}:live", StatementId="s", RevisionId=answer["RevisionId"])

    assert missing == ("ResourceNotFoundException", "The resource you requested does not exist.")
    assert json.loads(answer["Policy"])["Statement"] == [
        {
            "Sid": "s",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": f"{versioned}:live",
            "Condition": {"StringEquals": {"AWS:SourceAccount": "123456789012"}},
        }
    ]
    assert stale == ("PreconditionFailedException", STALE.format("GetPolicy"))
    assert refusal(functions.get_policy, FunctionName=versioned, Qualifier="live")[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("qualifier", "principal", "message"),
    [
        ("$LATEST", "events.amazonaws.com", "We currently do not support adding policies for $LATEST."),
        ("nobody", "events.amazonaws.com", "Cannot find alias arn: {arn}:nobody"),
        ("42", "events.amazonaws.com", "Function not found: {arn}:42"),
        ("1", "events", "The provided principal was invalid. Please check the principal and try again."),
    ],
)
def test_permissions_for_nothing_or_nobody_are_refused(client, versioned, qualifier, principal, message):
    """A service's name without its domain is the usual slip."""
    refused = refusal(permit, client=client, arn=versioned, principal=principal, Qualifier=qualifier)

    assert refused[1] == message.format(arn=versioned)


def test_settings_of_asynchronous_invocation_go_by_qualifier_and_the_record_names_it(
    client, function, queue, eventually
):
    """The functionArn is what was invoked, executedVersion what ran."""
    functions = client("lambda")
    url, queue_arn = queue()
    arn = function(SAYS.format("x"), (["sqs:SendMessage"], queue_arn))
    functions.publish_version(FunctionName=arn)
    functions.create_alias(FunctionName=arn, Name="live", FunctionVersion="1")
    target = {"OnSuccess": {"Destination": queue_arn}}

    put = functions.put_function_event_invoke_config(FunctionName=arn, Qualifier="live", DestinationConfig=target)
    functions.invoke(FunctionName=arn, InvocationType="Event", Payload=b"{}")
    functions.invoke(FunctionName=arn, Qualifier="live", InvocationType="Event", Payload=b"{}")

    [message] = eventually(lambda: client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
    record = json.loads(message["Body"])
    assert (put["FunctionArn"], put["DestinationConfig"]) == (f"{arn}:live", {**target, "OnFailure": {}})
    assert (record["requestContext"]["functionArn"], record["responseContext"]["executedVersion"]) == (
        f"{arn}:live",
        "1",
    )
    assert record["responsePayload"] == ["x", "1", f"{arn}:live"]
    listed = functions.list_function_event_invoke_configs(FunctionName=arn)["FunctionEventInvokeConfigs"]
    assert [one["FunctionArn"] for one in listed] == [f"{arn}:live"]
    assert refusal(functions.get_function_event_invoke_config, FunctionName=arn)[1] == (
        f"The function {arn}:$LATEST doesn't have an EventInvokeConfig"
    )
    assert refusal(functions.put_function_event_invoke_config, FunctionName=arn)[1] == (
        "You must specify at least one of error handling or destination setting."
    )
    assert refusal(functions.put_function_event_invoke_config, FunctionName=arn, Qualifier="2", MaximumRetryAttempts=0)[
        1
    ] == ("The function doesn't exist.")


def test_a_mapping_can_feed_an_alias(client, function, queue, eventually):
    """Which version works is then moved with the alias."""
    functions = client("lambda")
    url, queue_arn = queue(VisibilityTimeout="30")
    reader = (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], queue_arn)
    arn = function("def lambda_handler(event, context):\n    print('RAN', context.invoked_function_arn)\n", reader)
    functions.publish_version(FunctionName=arn)
    functions.create_alias(FunctionName=arn, Name="live", FunctionVersion="1")
    name = arn.rpartition(":")[2]

    mapping = functions.create_event_source_mapping(FunctionName=f"{name}:live", EventSourceArn=queue_arn)
    client("sqs").send_message(QueueUrl=url, MessageBody="x")

    def ran():
        try:
            events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except client("logs").exceptions.ResourceNotFoundException:
            return []
        return [event["message"].split()[1] for event in events if event["message"].startswith("RAN")]

    assert mapping["FunctionArn"] == f"{arn}:live"
    assert eventually(ran) == [f"{arn}:live"]


def test_an_event_reaches_an_alias_that_lets_the_rule_in(client, versioned, unique, eventually):
    """The policy that counts is the alias's; the function's own does not help."""
    functions, events, name = client("lambda"), client("events"), unique("Rule")
    functions.create_alias(FunctionName=versioned, Name="live", FunctionVersion="2")
    pattern = json.dumps({"source": [name]})
    rule = events.put_rule(Name=name, EventPattern=pattern)["RuleArn"]
    permit(client, versioned, "events.amazonaws.com", Qualifier="live", SourceArn=rule)
    targets = [{"Id": "alias", "Arn": f"{versioned}:live"}, {"Id": "version", "Arn": f"{versioned}:1"}]
    events.put_targets(Rule=name, Targets=targets)

    events.put_events(Entries=[{"Source": name, "DetailType": "t", "Detail": "{}"}])

    assert eventually(lambda: started(client, versioned)) == ["2"]
    events.remove_targets(Rule=name, Ids=["alias", "version"])


def test_an_api_reaches_an_alias_by_a_stage_variable(client, versioned, cloud, unique):
    """One API, a stage for each alias: the policy that counts is the alias's."""
    functions, gateway = client("lambda"), client("apigateway")
    change(
        client, versioned, "def lambda_handler(e, c):\n    return {'statusCode': 200, 'body': c.invoked_function_arn}\n"
    )
    version = functions.publish_version(FunctionName=versioned)["Version"]
    functions.create_alias(FunctionName=versioned, Name="live", FunctionVersion=version)
    functions.create_alias(FunctionName=versioned, Name="test", FunctionVersion=version)
    api = gateway.create_rest_api(name=unique("api"))["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    method = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    gateway.put_method(**method, authorizationType="NONE")
    place = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions"
    uri = f"{place}/{versioned}:${{stageVariables.alias}}/invocations"
    gateway.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    source = f"arn:aws:execute-api:us-east-1:123456789012:{api}/*"
    permit(client, versioned, "apigateway.amazonaws.com", Qualifier="live", SourceArn=source)

    def got(alias):
        gateway.create_deployment(restApiId=api, stageName=alias, variables={"alias": alias})
        try:
            with urllib.request.urlopen(f"{cloud['endpoint']}/_aws/execute-api/{api}/{alias}/", timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert [got("live"), got("test")] == [f"{versioned}:live", 500]


def test_a_topic_reaches_an_alias(client, versioned, unique, eventually):
    """SNS calls what its subscription names."""
    functions, sns = client("lambda"), client("sns")
    functions.create_alias(FunctionName=versioned, Name="live", FunctionVersion="1")
    topic = sns.create_topic(Name=unique("Topic"))["TopicArn"]
    permit(client, versioned, "sns.amazonaws.com", Qualifier="live", SourceArn=topic)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=f"{versioned}:live")

    sns.publish(TopicArn=topic, Message="x")

    assert eventually(lambda: started(client, versioned)) == ["1"]


def started(client, arn):
    """The versions whose invocations began, by the log."""
    try:
        events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{arn.rpartition(':')[2]}")["events"]
    except client("logs").exceptions.ResourceNotFoundException:
        return []
    return [event["message"].rpartition(" ")[2].strip() for event in events if event["message"].startswith("START")]


def test_a_role_needs_the_right_to_the_qualified_arn(client, function, versioned):
    """IAM compares the resource with its qualifier: the right to the function alone is none to its versions."""
    source = (
        "import boto3\nfrom botocore.exceptions import ClientError\n"
        "def lambda_handler(event, context):\n"
        "    try:\n"
        "        boto3.client('lambda').invoke(FunctionName=event['arn'], Qualifier='1', InvocationType='DryRun')\n"
        "    except ClientError as error:\n"
        "        return error.response['Error']['Code']\n"
    )
    may_not = function(source, (["lambda:InvokeFunction"], versioned))
    may = function(source, (["lambda:InvokeFunction"], f"{versioned}:1"))

    answers = [call(client, asking, {"arn": versioned})["Payload"] for asking in (may_not, may)]

    assert answers == ["AccessDeniedException", None]


def test_there_is_no_provisioned_concurrency(client, versioned):
    """What a tool asks about it is answered truthfully: there is none."""
    functions = client("lambda")

    assert refusal(functions.get_provisioned_concurrency_config, FunctionName=versioned, Qualifier="1") == (
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
    listed = functions.list_provisioned_concurrency_configs(FunctionName=versioned)
    assert listed["ProvisionedConcurrencyConfigs"] == []
    signing = functions.get_function_code_signing_config(FunctionName=versioned)
    assert "CodeSigningConfigArn" not in signing
