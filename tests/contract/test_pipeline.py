"""The application as committed: from the POST to the lake, with the least rights, and what happens when things fail."""

from __future__ import annotations

import http.client
import io
import json
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from labkit.bench.deployment import FUNCTIONS
from labkit.deployment_package import deployment_package

ACCOUNT = "123456789012"
LAMBDAS = Path(__file__).parents[2] / "lambdas"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
LOGS = (["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "*")


def zipped(source):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("lambda_function.py", source)
    return buffer.getvalue()


def visit(**fields):
    complete = {
        "ProductId": "P-1", "ProductName": "Trail Shoe", "Category": "Shoes", "PricePerUnit": "89.90",
        "CustomerId": "C-1", "CustomerName": "Ada", "TimeOfVisit": "2026-01-15T10:22:31Z",
    }  # fmt: skip
    return complete | fields


@pytest.fixture
def function(client, unique):
    """``function(source, *grants, **settings)`` makes a function with a role of its own and waits for Active."""

    def create(source, *grants, **settings):
        name = unique("Function")
        statements = [
            {"Effect": "Allow", "Action": actions, "Resource": resource} for actions, resource in (*grants, LOGS)
        ]
        role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        client("iam").put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
        code = source if isinstance(source, bytes) else zipped(source)
        settings = {"Runtime": "python3.11", "Handler": "lambda_function.lambda_handler", **settings}
        arn = client("lambda").create_function(FunctionName=name, Role=role, Code={"ZipFile": code}, **settings)[
            "FunctionArn"
        ]
        client("lambda").get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
        return arn

    return create


@pytest.fixture
def queue(client, unique):
    """``queue(**attributes)`` creates a queue; returns its URL and ARN."""

    def create(**attributes):
        url = client("sqs").create_queue(QueueName=unique("Queue"), Attributes=attributes)["QueueUrl"]
        arn = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url, arn

    return create


@pytest.fixture
def pipeline(client, unique, function, queue, cloud):
    """The application; returns the URL of POST /visits, and how to read the lake."""
    url, arn = queue(VisibilityTimeout="60")
    lake, table_name = unique("lake"), unique("Visits")
    client("s3").create_bucket(Bucket=lake)
    table = client("dynamodb").create_table(
        TableName=table_name, BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "ProductVisitKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "ProductVisitKey", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]  # fmt: skip
    sqs_reader = (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], arn)
    stream_reader = (
        ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
        f"{table['TableArn']}/stream/*",
    )
    send, store, write = (deployment_package(LAMBDAS / name) for name in FUNCTIONS)
    sender = function(send, (["sqs:SendMessage"], arn), Environment={"Variables": {"QUEUE_URL": url}})
    handler = function(
        store,
        sqs_reader,
        (["dynamodb:BatchWriteItem"], table["TableArn"]),
        Environment={"Variables": {"TABLE_NAME": table_name}},
    )
    writer = function(
        write,
        stream_reader,
        (["s3:PutObject"], f"arn:aws:s3:::{lake}/visits/*"),
        Environment={"Variables": {"BUCKET_NAME": lake}},
    )
    partial = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
    client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=handler, **partial)
    client("lambda").create_event_source_mapping(
        EventSourceArn=table["LatestStreamArn"], FunctionName=writer, StartingPosition="TRIM_HORIZON", **partial
    )
    gateway = client("apigateway")
    api = gateway.create_rest_api(name=unique("api"))["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    method = {
        "restApiId": api,
        "resourceId": gateway.create_resource(restApiId=api, parentId=root, pathPart="visits")["id"],
        "httpMethod": "POST",
    }
    gateway.put_method(**method, authorizationType="NONE")
    gateway.put_integration(
        **method, type="AWS_PROXY", integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{sender}/invocations",
    )  # fmt: skip
    client("lambda").add_permission(
        FunctionName=sender, StatementId="s", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api}/*/POST/visits",
    )  # fmt: skip
    gateway.create_deployment(restApiId=api, stageName="prod")

    def in_lake():
        keys = [item["Key"] for item in client("s3").list_objects_v2(Bucket=lake).get("Contents", [])]
        bodies = [client("s3").get_object(Bucket=lake, Key=key)["Body"].read() for key in keys]
        return {
            line["ProductVisitKey"]: (key, line)
            for key, body in zip(keys, bodies, strict=True)
            for line in map(json.loads, body.splitlines())
        }

    return f"{cloud['endpoint']}/_aws/execute-api/{api}/prod/visits", in_lake, url


def post(url, body):
    request = urllib.request.Request(
        url, body if isinstance(body, bytes) else json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response), response.headers
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), error.headers


def test_a_visit_crosses_every_hop_into_its_partition_of_the_lake(pipeline, eventually):
    """The main job, whole."""
    url, in_lake, _ = pipeline

    status, answer, headers = post(url, visit())

    receipt = answer["ProductVisitKey"]
    key, stored = eventually(lambda: in_lake().get(receipt))
    assert (status, headers["Access-Control-Allow-Origin"]) == (202, "*")
    assert stored == visit(PricePerUnit="89.90", ProductVisitKey=receipt)
    assert key.startswith("visits/year=2026/month=01/day=15/hour=10/")


def test_a_visit_that_is_none_is_refused_with_the_field_and_never_queued(pipeline, client):
    """A clear 400 beside the field, and nothing waits on the queue."""
    url, in_lake, queue_url = pipeline

    answers = [
        post(url, visit(PricePerUnit="cheap"))[:2],
        post(url, visit(TimeOfVisit="yesterday"))[:2],
        post(url, b"{")[:2],
    ]

    attributes = client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    assert [(status, body["field"]) for status, body in answers] == [
        (400, "PricePerUnit"),
        (400, "TimeOfVisit"),
        (400, None),
    ]
    assert (attributes["ApproximateNumberOfMessages"], in_lake()) == ("0", {})


def test_every_one_of_sixty_visits_is_in_the_lake_exactly_once(pipeline, eventually):
    """Zero lost, zero duplicated."""
    url, in_lake, _ = pipeline
    receipts = {post(url, visit(ProductId=f"P-{number}"))[1]["ProductVisitKey"] for number in range(60)}

    eventually(lambda: receipts <= in_lake().keys())

    assert in_lake().keys() == receipts


def test_one_unreadable_message_comes_back_and_its_batch_does_not(pipeline, client, eventually):
    """Partial failure: the good visit is stored, the bad message stays on the queue."""
    _, in_lake, queue_url = pipeline
    good = visit(ProductVisitKey="good-one")
    client("sqs").send_message_batch(
        QueueUrl=queue_url,
        Entries=[{"Id": "good", "MessageBody": json.dumps(good)}, {"Id": "bad", "MessageBody": "not json"}],
    )

    eventually(lambda: "good-one" in in_lake())

    attributes = client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1"


# --- Lambda -----------------------------------------------------------------------------------------------------------


def invoke(client, arn, payload=None, **options):
    response = client("lambda").invoke(FunctionName=arn, Payload=json.dumps(payload or {}), **options)
    return response, json.loads(response["Payload"].read() or "null")


def test_a_failing_handler_answers_status_200_with_a_function_error(client, function):
    """The trap of a synchronous invocation."""
    arn = function("def lambda_handler(event, context):\n    raise ValueError('bad visit')\n")

    response, payload = invoke(client, arn)

    assert (response["StatusCode"], response["FunctionError"]) == (200, "Unhandled")
    assert (payload["errorType"], payload["errorMessage"]) == ("ValueError", "bad visit")
    assert payload["requestId"] == response["ResponseMetadata"]["RequestId"]
    assert "raise ValueError('bad visit')" in payload["stackTrace"][-1]


def test_import_errors_exits_and_timeouts_carry_the_names_of_aws(client, function):
    """The function is to blame, and the answer says how."""
    broken = function("import not_there\n")
    leaving = function("import os\ndef lambda_handler(event, context):\n    os._exit(3)\n")
    sleeping = function("import time\ndef lambda_handler(event, context):\n    time.sleep(30)\n", Timeout=1)
    unserialisable = function("def lambda_handler(event, context):\n    return {1, 2}\n")

    answers = [invoke(client, arn)[1] for arn in (broken, leaving, sleeping, unserialisable)]

    assert [answer["errorType"] for answer in answers] == [
        "Runtime.ImportModuleError", "Runtime.ExitError", "Sandbox.Timedout", "Runtime.MarshalError",
    ]  # fmt: skip
    assert answers[0]["errorMessage"] == "Unable to import module 'lambda_function': No module named 'not_there'"
    assert answers[2]["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")


def test_a_function_sees_its_own_zip_boto3_and_nothing_of_the_repository(client, function):
    """What runs here must run on AWS: labkit is not there, and neither is the administrator's key."""
    source = (
        "import os, sys, boto3\n"
        "def lambda_handler(event, context):\n"
        "    try:\n        import labkit\n        found = True\n    except ImportError:\n        found = False\n"
        "    return [found, sorted(n for n in os.environ if 'LABKIT' in n), "
        "boto3.client('sts').get_caller_identity()['Arn'],"
        " context.memory_limit_in_mb, 0 < context.get_remaining_time_in_millis() <= 3000]\n"
    )
    arn = function(source)
    name = arn.rpartition(":")[2]

    assert invoke(client, arn)[1] == [False, [], f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{name}", "128", True]


def test_the_log_holds_start_output_end_and_report_in_the_stream_of_the_context(client, function, eventually):
    """The first call is cold, the second reuses the environment."""
    arn = function("def lambda_handler(event, context):\n    print('hello')\n    return context.log_stream_name\n")
    group = f"/aws/lambda/{arn.rpartition(':')[2]}"
    streams = {invoke(client, arn)[1] for _ in range(2)}

    def messages():
        events = client("logs").filter_log_events(logGroupName=group)["events"]
        return [e["message"] for e in events] if sum(e["message"].startswith("REPORT") for e in events) == 2 else None

    lines = eventually(messages)
    assert len(streams) == 1
    assert [line.split()[0] for line in lines] == [
        "INIT_START",
        "START",
        "hello",
        "END",
        "REPORT",
        "START",
        "hello",
        "END",
        "REPORT",
    ]
    assert ("Init Duration" in lines[4], "Init Duration" in lines[8]) == (True, False)


def test_a_role_without_permission_gets_the_sentence_of_aws(client, function, queue):
    """Least privilege is enforced, on the action and on the resource."""
    (url, arn), (other_url, _) = queue(), queue()
    source = (
        "import boto3\nfrom botocore.exceptions import ClientError\n"
        "def lambda_handler(event, context):\n"
        "    try:\n"
        "        boto3.client('sqs').send_message(QueueUrl=event['url'], MessageBody='x')\n"
        "        return 'sent'\n"
        "    except ClientError as error:\n"
        "        return [error.response['Error'][part] for part in ('Code', 'Message')]\n"
    )
    function_arn = function(source, (["sqs:SendMessage"], arn))
    name = function_arn.rpartition(":")[2]

    sent, refused = invoke(client, function_arn, {"url": url})[1], invoke(client, function_arn, {"url": other_url})[1]

    other = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{other_url.rpartition('/')[2]}"
    assert sent == "sent"
    assert refused == [
        "AccessDenied",
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{name} is not authorized to perform: sqs:sendmessage on "
        f"resource: {other} because no identity-based policy allows the sqs:sendmessage action",
    ]


def test_a_role_that_does_not_trust_lambda_is_refused(client, unique):
    """The first thing a learner gets wrong about roles."""
    name = unique("Untrusting")
    other = json.dumps(TRUST).replace("lambda.amazonaws.com", "ec2.amazonaws.com")
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=other)["Role"]["Arn"]

    with pytest.raises(ClientError, match="cannot be assumed by Lambda"):
        client("lambda").create_function(
            FunctionName=name, Runtime="python3.11", Role=role, Handler="a.b", Code={"ZipFile": zipped("")}
        )


def test_an_asynchronous_event_is_tried_three_times_under_one_request_id(client, function, queue, eventually):
    """Lambda keeps the event itself; after the last attempt it goes to the failure destination."""
    url, arn = queue()
    function_arn = function(
        "def lambda_handler(event, context):\n    raise RuntimeError('no')\n", (["sqs:SendMessage"], arn)
    )
    client("lambda").put_function_event_invoke_config(
        FunctionName=function_arn, DestinationConfig={"OnFailure": {"Destination": arn}}
    )

    response, _ = invoke(client, function_arn, {"visit": 1}, InvocationType="Event")

    [message] = eventually(lambda: client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
    record = json.loads(message["Body"])
    assert response["StatusCode"] == 202
    assert record["requestContext"] == {
        "requestId": response["ResponseMetadata"]["RequestId"],
        "functionArn": f"{function_arn}:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert (record["requestPayload"], record["responsePayload"]["errorMessage"]) == ({"visit": 1}, "no")


@pytest.mark.parametrize(
    ("package", "sentence"),
    [
        (b"no zip", "Could not unzip uploaded file"),
        ("../evil.py", "outside of its own folder"),
    ],
)
def test_a_bad_zip_is_refused(client, unique, package, sentence):
    """Nothing of a zip may land outside of its folder."""
    if isinstance(package, str):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(package, "")
        package = buffer.getvalue()

    with pytest.raises(ClientError, match=sentence):
        client("lambda").create_function(
            FunctionName=unique("Bad"),
            Runtime="python3.11",
            Role=f"arn:aws:iam::{ACCOUNT}:role/x",
            Handler="a.b",
            Code={"ZipFile": package},
        )


# --- Streams ----------------------------------------------------------------------------------------------------------


def test_a_bad_record_blocks_those_behind_it_until_it_is_given_up(client, function, queue, unique, eventually):
    """Bisect, one retry, the on-failure destination: the nine good ones arrive, the bad one is kept."""
    url, arn = queue()
    name = unique("Table")
    table = client("dynamodb").create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]  # fmt: skip
    source = (
        "def lambda_handler(event, context):\n"
        "    keys = [r['dynamodb']['Keys']['k']['S'] for r in event['Records']]\n"
        "    if 'bad' in keys: raise ValueError(keys)\n"
        "    print('DONE', *keys)\n"
    )
    stream = (
        ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"],
        f"{table['TableArn']}/stream/*",
    )
    reader = function(source, stream, (["sqs:SendMessage"], arn))
    for key in ["0", "1", "bad", *map(str, range(2, 9))]:
        client("dynamodb").put_item(TableName=name, Item={"k": {"S": key}})
    client("lambda").create_event_source_mapping(
        EventSourceArn=table["LatestStreamArn"], FunctionName=reader, StartingPosition="TRIM_HORIZON",
        BisectBatchOnFunctionError=True, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": {"Destination": arn}},
    )  # fmt: skip

    [message] = eventually(lambda: client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))

    record = json.loads(message["Body"])
    group = f"/aws/lambda/{reader.rpartition(':')[2]}"

    def done():
        lines = [e["message"] for e in client("logs").filter_log_events(logGroupName=group)["events"]]
        keys = [key for line in lines if line.startswith("DONE") for key in line.split()[1:]]
        return keys if len(keys) >= 9 else None

    assert eventually(done) == list(map(str, range(9)))
    assert (record["requestContext"]["condition"], record["DDBStreamBatchInfo"]["batchSize"]) == (
        "RetryAttemptsExhausted",
        1,
    )


def test_a_mapping_is_refused_when_the_role_cannot_read_the_queue(client, function, queue):
    """The sentence that a learner meets in notebook 06."""
    _, arn = queue()

    with pytest.raises(ClientError, match="does not have permissions to call ReceiveMessage on SQS"):
        client("lambda").create_event_source_mapping(
            EventSourceArn=arn, FunctionName=function("def lambda_handler(e, c): pass")
        )


# --- Website, and who may call ----------------------------------------------------------------------------------------


def get(cloud, path, method="GET", **headers):
    address = cloud["endpoint"].split("//")[1]
    connection = http.client.HTTPConnection(address)
    connection.request(method, path, headers=headers)
    with connection.getresponse() as response:
        answer = (
            response.status,
            response.read().decode(),
            {name.lower(): value for name, value in response.getheaders()},
        )
    connection.close()
    return answer


def test_a_website_opens_only_when_both_locks_are_open(client, cloud, unique):
    """403 until Block Public Access is off and a policy lets anybody read; the same address then answers 200."""
    bucket, s3 = unique("site"), client("s3")
    address = f"/_aws/s3-website/{bucket}/"
    policy = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="index.html", Body=b"<h1>hello</h1>", ContentType="text/html")
    s3.put_object(Bucket=bucket, Key="sub/index.html", Body=b"sub", ContentType="text/html")
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})
    closed = get(cloud, address)[0]
    with pytest.raises(ClientError, match="because public policies are prevented by the BlockPublicPolicy setting"):
        s3.put_bucket_policy(Bucket=bucket, Policy=document)
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=document)

    status, body, headers = get(cloud, address)

    assert (closed, status, body, headers["content-type"]) == (403, 200, "<h1>hello</h1>", "text/html")
    moved = get(cloud, f"{address}sub")
    assert (moved[0], moved[2]["location"]) == (302, f"{address}sub/")
    assert (get(cloud, f"{address}missing")[0], get(cloud, address, "POST")[0]) == (403, 405)


def test_labkits_pages_need_the_token_and_a_loopback_host(cloud):
    """A page of another origin, or a rebound DNS name, reaches nothing."""
    with_token = {"X-Labkit-Token": cloud["token"]}

    assert get(cloud, "/_labkit/health")[0] == 200
    assert get(cloud, "/_labkit/inbox")[0] == 403
    assert get(cloud, "/_labkit/inbox", **{"X-Labkit-Token": "guess"})[0] == 403
    assert get(cloud, "/_labkit/inbox", **with_token)[0] == 200
    assert get(cloud, "/_labkit/inbox", **with_token, Host="evil.example")[0] == 403


def test_unknown_keys_are_refused(client):
    """A key pair of real AWS, used here by mistake, changes nothing."""
    stranger = client("sqs", aws_access_key_id="AKIASTRANGER", aws_secret_access_key="x")

    with pytest.raises(ClientError) as refused:
        stranger.list_queues()

    assert refused.value.response["Error"]["Code"] == "InvalidClientTokenId"
    stranger.close()


def test_a_service_that_is_not_there_says_so(client):
    """Never silent success."""
    with pytest.raises(ClientError, match="does not implement ssm:GetParameter") as refused:
        client("ssm").get_parameter(Name="x")

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_many_calls_in_a_row_leave_no_time_for_a_second(client, queue):
    """A long poll is answered when the message comes, not at the end of a poll."""
    url, _ = queue(DelaySeconds="1")
    client("sqs").send_message(QueueUrl=url, MessageBody="x")
    started = time.monotonic()

    [message] = client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]

    assert (message["Body"], time.monotonic() - started < 10) == ("x", True)
