"""Build the pipeline of notebooks 03 to 07 once more, under the LAB_ID of this kernel; a second time puts it right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

import labkit
from labkit.cloud import settings, tags

SEND, HANDLER, LAKE = FUNCTIONS = ("ProductVisitSendDataToQueue", "ProductVisitHandler", "ProductVisitDataLakeHandler")
LAMBDAS = Path(__file__).parents[2] / "lambdas"
RUNTIME = "python3.13"
ONLY_INSERTS = {"Filters": [{"Pattern": json.dumps({"eventName": ["INSERT"]})}]}
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
NOT_YET = ("cannot be assumed", "ensure the role", "permissions", "QueueDeletedRecently", "InProgress")


def build_copy() -> dict[str, str]:
    """Build everything, or mend what is there.

    Returns:
        ``{"api", "url", "queue", "dlq", "failures", "table", "stream", "lake"}``: the id of the API and the address of
        POST /visits, URLs of the three queues, names of table and bucket, the stream's ARN.
    """
    copy = build_stores()
    for function in FUNCTIONS:
        set_permissions(function)
        set_code(function, LAMBDAS / function, copy)
    map_queue(copy)
    map_stream(copy)
    copy["api"] = build_api()
    copy["url"] = labkit.invoke_url(copy["api"], "prod", kernel=True) + "/visits"
    until_enabled()
    return copy


def arn(service: str, resource: str) -> str:
    """Return an ARN in this account and region."""
    chosen = settings()
    return f"arn:aws:{service}:{chosen['region']}:{chosen['account']}:{resource}"


def patiently(call: Callable[[], Any]) -> Any:
    """Make a call again while AWS says that something new or just deleted is not ready yet."""

    def attempt() -> list[Any]:
        try:
            return [call()]
        except ClientError as error:
            if not any(words in str(error) for words in NOT_YET):
                raise
            return []

    return labkit.wait_until(attempt, what="AWS to be ready", timeout=90, interval=0.5)[0]


# --- What keeps ---------------------------------------------------------------------------------------------------------


def build_stores() -> dict[str, str]:
    """Queues, table and lake."""
    dlq, failures = make_queue("ProductVisitsDeadLetterQueue"), make_queue("ProductVisitsStreamFailures")
    redrive = {"deadLetterTargetArn": arn("sqs", labkit.name("ProductVisitsDeadLetterQueue")), "maxReceiveCount": 2}
    # Short, so that nobody stares at the screen; on AWS a cold start must fit into it.
    hidden = {"local": "2"}.get(settings()["cloud"], "12")
    queue = make_queue("ProductVisitsDataQueue")
    boto3.client("sqs").set_queue_attributes(
        QueueUrl=queue, Attributes={"VisibilityTimeout": hidden, "RedrivePolicy": json.dumps(redrive)}
    )
    table = labkit.name("ProductVisits")
    lake = labkit.name("visits-datalake", bucket=True)
    make_bucket(lake)
    return {"queue": queue, "dlq": dlq, "failures": failures, "table": table, "stream": make_table(table), "lake": lake}


def make_queue(base: str) -> str:
    """Create a queue without attributes, or take the one that is there."""
    return str(
        patiently(lambda: boto3.client("sqs").create_queue(QueueName=labkit.name(base), tags=tags()))["QueueUrl"]
    )


def make_table(table: str) -> str:
    """Create the table with its stream, and return the stream's ARN."""
    dynamodb = boto3.client("dynamodb")
    try:
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "ProductVisitKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "ProductVisitKey", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            Tags=tag_list(),
        )
    except dynamodb.exceptions.ResourceInUseException:
        pass  # it is there already
    dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})
    return str(dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"])


def make_bucket(bucket: str) -> None:
    """Create a bucket."""
    s3, region = boto3.client("s3"), settings()["region"]
    outside = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=bucket, **outside)
    except s3.exceptions.BucketAlreadyOwnedByYou:
        pass  # it is there already
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_list()})


def tag_list() -> list[dict[str, str]]:
    """The tags in the form of DynamoDB, IAM and S3."""
    return [{"Key": key, "Value": value} for key, value in tags().items()]


# --- What acts ----------------------------------------------------------------------------------------------------------


def grants(function: str) -> list[tuple[list[str], str]]:
    """Return what a function's role may do: actions and resource; the first is the function's own work."""
    queue, table = (
        arn("sqs", labkit.name("ProductVisitsDataQueue")),
        arn("dynamodb", f"table/{labkit.name('ProductVisits')}"),
    )
    lake = f"arn:aws:s3:::{labkit.name('visits-datalake', bucket=True)}/visits/*"
    read_stream = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
    return {
        SEND: [(["sqs:SendMessage"], queue)],
        HANDLER: [
            (["dynamodb:BatchWriteItem"], table),
            (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], queue),
        ],
        LAKE: [
            (["s3:PutObject"], lake),
            (read_stream, f"{table}/stream/*"),
            (["dynamodb:ListStreams"], "*"),
            (["sqs:SendMessage"], arn("sqs", labkit.name("ProductVisitsStreamFailures"))),
        ],
    }[function]


def set_permissions(function: str, *, without: str = "") -> None:
    """Give a function its role; *without* leaves out one action."""
    iam, name = boto3.client("iam"), labkit.name(function)
    log = arn("logs", f"log-group:/aws/lambda/{name}:*")
    write_log = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    statements = [
        {"Effect": "Allow", "Action": actions, "Resource": resource}
        for actions, resource in [(write_log, log), *grants(function)]
        if without not in actions
    ]
    try:
        document = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, Tags=tag_list())
    except iam.exceptions.EntityAlreadyExistsException:
        pass  # it is there already
    for other in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        if other != "least-privilege":
            iam.delete_role_policy(RoleName=name, PolicyName=other)
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName="least-privilege", PolicyDocument=document)


def set_code(function: str, folder: Path, copy: dict[str, str]) -> None:
    """Create a function, or give it the code in *folder*."""
    aws_lambda, name = boto3.client("lambda"), labkit.name(function)
    package = labkit.deployment_package(folder)
    variables = {"QUEUE_URL": copy["queue"], "TABLE_NAME": copy["table"], "BUCKET_NAME": copy["lake"]}
    new = {
        "Runtime": RUNTIME, "Handler": "lambda_function.lambda_handler", "Timeout": 2, "MemorySize": 256,
        "Environment": {"Variables": variables}, "Tags": tags(),
    }  # fmt: skip
    role = boto3.client("iam").get_role(RoleName=name)["Role"]["Arn"]
    try:
        patiently(lambda: aws_lambda.create_function(FunctionName=name, Role=role, Code={"ZipFile": package}, **new))
    except aws_lambda.exceptions.ResourceConflictException:
        patiently(lambda: aws_lambda.update_function_code(FunctionName=name, ZipFile=package))
    aws_lambda.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def mapping_of(function: str) -> str:
    """Return the id of a function's mapping, ``""`` when there is none."""
    found = boto3.client("lambda").list_event_source_mappings(FunctionName=labkit.name(function))
    return str(next((one["UUID"] for one in found["EventSourceMappings"]), ""))


def put_mapping(function: str, source: str, first: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Create a function's mapping, or change the one that is there."""
    aws_lambda = boto3.client("lambda")
    if existing := mapping_of(function):
        patiently(lambda: aws_lambda.update_event_source_mapping(UUID=existing, **wanted))
        return
    name = labkit.name(function)
    patiently(
        lambda: aws_lambda.create_event_source_mapping(EventSourceArn=source, FunctionName=name, **first, **wanted)
    )


def map_queue(copy: dict[str, str], **change: Any) -> None:
    """Connect the queue with its function; *change* sets single settings otherwise."""
    wanted = {"BatchSize": 10, "FunctionResponseTypes": ["ReportBatchItemFailures"], **change}
    put_mapping(HANDLER, arn("sqs", labkit.name("ProductVisitsDataQueue")), {}, wanted)


def map_stream(copy: dict[str, str], **change: Any) -> None:
    """Connect the stream with its function; *change* sets single settings otherwise."""
    failures = arn("sqs", labkit.name("ProductVisitsStreamFailures"))
    wanted: dict[str, Any] = {
        "BatchSize": 100,
        "FilterCriteria": ONLY_INSERTS,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 2,
        "DestinationConfig": {"OnFailure": {"Destination": failures}},
        **change,
    }
    put_mapping(LAKE, copy["stream"], {"StartingPosition": "TRIM_HORIZON"}, wanted)


def until_enabled() -> None:
    """Wait until both mappings work."""
    aws_lambda = boto3.client("lambda")
    for function in (HANDLER, LAKE):
        uuid = mapping_of(function)

        def is_enabled(uuid: str = uuid) -> bool:
            return bool(aws_lambda.get_event_source_mapping(UUID=uuid)["State"] == "Enabled")

        labkit.wait_until(is_enabled, what=f"the mapping of {function} to be Enabled", timeout=180, interval=0.1)


# --- The API ------------------------------------------------------------------------------------------------------------


def api_id() -> str:
    """Return the id of the copy's API, ``""`` when there is none."""
    apis = boto3.client("apigateway").get_rest_apis(limit=500)["items"]
    return str(next((one["id"] for one in apis if one["name"] == labkit.name("ProductVisits")), ""))


def build_api() -> str:
    """Build POST /visits and deploy it."""
    gateway = boto3.client("apigateway")
    api = api_id()
    if not api:
        kind = {"types": ["REGIONAL"]}
        api = gateway.create_rest_api(name=labkit.name("ProductVisits"), tags=tags(), endpointConfiguration=kind)["id"]
        gateway.put_method(restApiId=api, resourceId=visits_resource(api), httpMethod="POST", authorizationType="NONE")
        boto3.client("lambda").add_permission(
            FunctionName=labkit.name(SEND),
            StatementId=f"api-{api}",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=arn("execute-api", f"{api}/*/POST/visits"),
        )
    integrate(api, SEND)
    gateway.create_deployment(restApiId=api, stageName="prod")
    return str(api)


def visits_resource(api: str) -> str:
    """Return the id of /visits."""
    gateway = boto3.client("apigateway")
    paths = {one["path"]: one["id"] for one in gateway.get_resources(restApiId=api, limit=500)["items"]}
    if "/visits" not in paths:
        paths["/visits"] = gateway.create_resource(restApiId=api, parentId=paths["/"], pathPart="visits")["id"]
    return str(paths["/visits"])


def integrate(api: str, function: str) -> None:
    """Let POST /visits call a function."""
    target = arn("lambda", f"function:{labkit.name(function)}")
    boto3.client("apigateway").put_integration(
        restApiId=api,
        resourceId=visits_resource(api),
        httpMethod="POST",
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{settings()['region']}:lambda:path/2015-03-31/functions/{target}/invocations",
    )
