"""Every feature that keeps state can hand it over as plain data and go on from it in another process."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from dataclasses import replace

import pytest

import labkit.local
from labkit.local.sqs.message import Message
from labkit.local.sqs.queue import Queue
from tests.contract.test_arrows import allow
from tests.contract.test_pipeline import ACCOUNT, LOGS, TRUST, zipped
from tests.in_process import in_process

WAITING = "import time\ndef lambda_handler(event, context):\n    time.sleep(30)\n"
ANYBODY = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:*"}
ANYBODY["Resource"] = ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"]
NOBODY = "127.0.0.1:1"
PARTS_OF_FEATURES = {"MoveTasks", "Queues", "Functions", "Delivery", "AsyncInvocations", "UsagePlans", "Feature"} | {
    "DescribedFeature", "Deliveries", "EventBuses", "Layers", "Rules",
}  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A local cloud with something in every feature, and what two readings of its state gave."""
    # No function environment comes up, no mail leaves, nothing that AWS waits for happens: the state stands still.
    folder = tmp_path_factory.mktemp("filled")
    with in_process(folder, max_environments=0, time_scale=0.001, smtp=NOBODY) as cloud:
        fill(cloud.client)
        yield cloud, cloud.run(snapshots)


def snapshots(parts):
    return {name: feature.snapshot() for name, feature in parts.features.items()}


def fill(client):
    """Make one of everything, with deliveries of every kind under way."""
    iam, sqs, sns, events = client("iam"), client("sqs"), client("sns"), client("events")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    own = {**TRUST["Statement"][0], "Principal": {"AWS": "*"}}
    both = json.dumps({**TRUST, "Statement": [*TRUST["Statement"], own]})
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=both)
    statements = [{"Effect": "Allow", "Action": ["sqs:*", "dynamodb:*"], "Resource": "*"}]
    statements.append({"Effect": "Allow", "Action": LOGS[0], "Resource": "*"})
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=policy)
    client("sts").assume_role(RoleArn=role, RoleSessionName="session")

    url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "60"}, tags={"a": "b"})["QueueUrl"]
    dlq = f"arn:aws:sqs:us-east-1:{ACCOUNT}:dlq"
    small = {"MaximumMessageSize": "1024", "Policy": allow("events.amazonaws.com", "sqs:SendMessage", dlq)}
    dlq_url = sqs.create_queue(QueueName="dlq", Attributes=small)["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": dlq, "maxReceiveCount": 3})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": redrive})
    for number in range(4):
        binary = {"b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
        sqs.send_message(QueueUrl=url, MessageBody=f"m{number}", MessageAttributes=binary)
    sqs.send_message(QueueUrl=url, MessageBody="delayed", DelaySeconds=600)
    [taken] = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=taken["ReceiptHandle"], VisibilityTimeout=300)
    [again] = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    sqs.purge_queue(QueueUrl=dlq_url)
    sqs.start_message_move_task(SourceArn=dlq)
    sqs.delete_queue(QueueUrl=sqs.create_queue(QueueName="gone")["QueueUrl"])
    fifo_url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for number in range(3):
        group = {"MessageGroupId": "g", "MessageDeduplicationId": f"d{number}"}
        sqs.send_message(QueueUrl=fifo_url, MessageBody=f"f{number}", **group)
    sqs.receive_message(QueueUrl=fifo_url, ReceiveRequestAttemptId="attempt")

    functions = client("lambda")
    function = functions.create_function(
        FunctionName="f", Runtime="python3.11", Role=role, Handler="lambda_function.lambda_handler",
        Code={"ZipFile": zipped(WAITING)}, Environment={"Variables": {"A": "B"}}, Tags={"t": "u"},
    )["FunctionArn"]  # fmt: skip
    functions.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.05})
    functions.add_permission(FunctionName="f", StatementId="s", Action="lambda:InvokeFunction", Principal="*")
    functions.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1)
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=3)
    functions.publish_version(FunctionName="f")
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    layer = functions.publish_layer_version(LayerName="layer", Content={"ZipFile": zipped("")})["LayerVersionArn"]
    functions.update_function_configuration(FunctionName="f", Layers=[layer])
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.05})
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"n": 1}')
    mapped = f"arn:aws:sqs:us-east-1:{ACCOUNT}:mapped"
    sqs.create_queue(QueueName="mapped")
    functions.create_event_source_mapping(EventSourceArn=mapped, FunctionName="f", BatchSize=3, Enabled=False)
    table = client("dynamodb").create_table(
        TableName="t", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]  # fmt: skip
    client("dynamodb").put_item(TableName="t", Item={"k": {"S": "1"}})
    stream = table["LatestStreamArn"]
    made = functions.create_event_source_mapping(EventSourceArn=stream, FunctionName="f", StartingPosition="LATEST")
    while functions.get_event_source_mapping(UUID=made["UUID"])["State"] != "Enabled":
        pass

    topic = sns.create_topic(Name="topic", Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ada@example.com")
    ordered = sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    sns.publish(TopicArn=ordered, Message="m", MessageGroupId="g", MessageDeduplicationId="d")
    events.put_rule(Name="rule", EventPattern=json.dumps({"source": ["shop"]}))
    events.put_targets(Rule="rule", Targets=[{"Id": "q", "Arn": dlq}])  # its messages are too small: retried for a day
    events.put_rule(Name="scheduled", ScheduleExpression="rate(1 day)", Tags=[{"Key": "a", "Value": "b"}])
    events.create_event_bus(Name="bus")
    events.put_permission(EventBusName="bus", Action="events:PutEvents", Principal="*", StatementId="s")
    entry = {"Source": "shop", "DetailType": "visit", "Detail": json.dumps({"text": "x" * 2000})}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    logs = client("logs")
    logs.create_log_group(logGroupName="g")
    functions.add_permission(
        FunctionName="f", StatementId="l", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com"
    )
    logs.put_subscription_filter(logGroupName="g", filterName="n", filterPattern="x", destinationArn=function)

    s3, trail = client("s3"), client("cloudtrail")
    s3.create_bucket(Bucket="logs")
    s3.put_bucket_policy(Bucket="logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [ANYBODY]}))
    told = {
        "EventBridgeConfiguration": {},
        "QueueConfigurations": [{"QueueArn": dlq, "Events": ["s3:ObjectRemoved:*"]}],
    }
    s3.put_bucket_notification_configuration(
        Bucket="logs", NotificationConfiguration=told, SkipDestinationValidation=True
    )
    trail.create_trail(Name="trail", S3BucketName="logs")
    objects = [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]
    trail.put_event_selectors(TrailName="trail", EventSelectors=[{"DataResources": objects}])
    trail.start_logging(Name="trail")
    s3.put_bucket_tagging(Bucket="logs", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})

    gateway = client("apigateway")
    api = gateway.create_rest_api(name="api")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    gateway.put_integration(
        restApiId=api, resourceId=root, httpMethod="GET", type="AWS_PROXY", integrationHttpMethod="POST", uri=uri
    )
    gateway.create_deployment(restApiId=api, stageName="v1")


def is_plain(value):
    """Whether JSON can hold a value, bytes aside."""
    if isinstance(value, dict):
        return all(type(key) is str and is_plain(one) for key, one in value.items())
    if isinstance(value, list):
        return all(is_plain(one) for one in value)
    return value is None or type(value) in (str, int, float, bool, bytes)


def not_plain(value, where):
    """Say where the first thing is that is not plain data."""
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            if not is_plain(key) or not is_plain(one):
                return not_plain(one, f"{where}[{key!r}]")
    return f"{where} is {value!r}"


def test_every_feature_holds_something(filled):
    """Else the tests below would prove nothing."""
    state = filled[1]

    assert {name: bool(one) for name, one in state.items()} == dict.fromkeys(state, True)
    assert [len(messages) for messages in state["sqs"]["messages"].values()] == [4, 0, 3, 0]
    assert [[len(one) for one in state["sqs"][name].values()] for name in ("sent", "attempts")] == [[3], [1]]
    assert [mapping["State"] for mapping in state["event_source_mapping"]] == ["Disabled", "Enabled"]
    assert (len(state["lambda"]["events"]), len(state["sqs"]["moves"]), len(state["iam"])) == (1, 1, 1)
    [function] = state["lambda"]["functions"]
    assert (list(function["versions"]), list(function["aliases"]), len(function["layers"])) == (["1"], ["live"], 1)
    assert {len(state[name]["deliveries"]) for name in ("sns", "eventbridge")} == {1}
    assert [record["eventName"] for record in state["cloudtrail"]["unsent"]][:2] == ["StartLogging", "PutBucketTagging"]
    assert len(state["cloudtrail"]["unwritten"]) == 1
    assert len(state["api_gateway"]["deployments"]) == 1
    assert [len(topic["seen"]) for topic in state["sns"]["published"].values()] == [1]
    assert state["s3_notifications"]["configurations"].keys() == {"logs"}


def test_a_snapshot_is_plain_data(filled):
    """Any format can hold it: no object of ours, no tuple, no key that is not a text."""
    for name, state in filled[1].items():
        assert is_plain(state), not_plain(state, name)


def test_another_cloud_goes_on_from_the_same_state(filled, tmp_path):
    """What comes back is equal, and the restored state does not share anything with the snapshot."""
    state = filled[1]
    before = json.dumps(state, default=repr, sort_keys=True)

    def restore(parts):
        for name, feature in parts.features.items():
            feature.restore(state[name])
        return snapshots(parts)

    with in_process(tmp_path, max_environments=0, time_scale=0.001, smtp=NOBODY) as cloud:
        restored = cloud.run(restore)
        purge = cloud.client("sqs")
        purge.purge_queue(QueueUrl=purge.get_queue_url(QueueName="q")["QueueUrl"])
        cloud.client("sns").tag_resource(
            ResourceArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:topic", Tags=[{"Key": "new", "Value": "x"}]
        )

    for name, one in state.items():
        assert restored[name] == one, name
    assert json.dumps(state, default=repr, sort_keys=True) == before


def test_no_feature_is_forgotten(filled):
    """Whatever has a snapshot is one of the features of the wiring, or part of one."""
    found = set()
    for module in pkgutil.walk_packages(labkit.local.__path__, "labkit.local."):
        if module.name != "labkit.local.__main__":
            members = inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
            found |= {name for name, one in members if hasattr(one, "snapshot")}

    known = {type(feature).__name__ for feature in filled[0].parts.features.values()}

    assert found - PARTS_OF_FEATURES == known


def test_a_message_that_came_back_can_still_be_deleted_after_a_restart():
    """The handle of a late function stays good across it."""
    queue, again = Queue("q", "arn", 0.0), Queue("q", "arn", 0.0)
    message = Message("id", "body", "md5", {}, "", "sender", 100.0)
    queue.add(message, 100.0, 0)
    queue.take(100.0, 1, 5.0, lambda message: False)
    queue.bring_back(106.0)

    for kept in queue.messages():
        again.put_back(replace(kept))

    assert (again.depths(107.0)["visible"], again.delete(message.receipt_handle, 107.0)) == (1, True)
    assert again.depths(107.0)["visible"] == 0
