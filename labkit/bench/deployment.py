"""The application as the benchmark deploys it: from the API to the lake, with boto3 alone."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path

from labkit.bench.targets import Target
from labkit.deployment_package import deployment_package
from labkit.exceptions import LabkitError

FUNCTIONS = ("ProductVisitSendDataToQueue", "ProductVisitHandler", "ProductVisitDataLakeHandler")
ROLE_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def packages(variant: str) -> dict[str, bytes]:
    """Return the zip of each function."""
    root = Path(__file__).parents[2]
    folders = {name: root / "lambdas" / name for name in FUNCTIONS}
    if variant == "one-by-one":
        for name in FUNCTIONS[1:]:
            folders[name] = root / "tests" / "bench" / "one_by_one" / name
    missing = [str(folder) for folder in folders.values() if not folder.is_dir()]
    if missing:
        raise LabkitError(f"the benchmark needs a checkout of the repository: {missing[0]} is not there")
    return {name: deployment_package(folder) for name, folder in folders.items()}


def deploy(target: Target, zips: dict[str, bytes]) -> tuple[str, str]:
    """Build the pipeline, from the API to the lake, with boto3; return the API's id and the lake's bucket."""
    bucket = f"lake-{uuid.uuid4().hex[:12]}"
    target.client("s3").create_bucket(Bucket=bucket)
    sqs = target.client("sqs")
    queue_url = sqs.create_queue(QueueName="ProductVisitsDataQueue", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    table = target.client("dynamodb").create_table(
        TableName="ProductVisits",
        KeySchema=[{"AttributeName": "ProductVisitKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "ProductVisitKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    variables = {"QUEUE_URL": queue_url, "TABLE_NAME": "ProductVisits", "BUCKET_NAME": bucket}
    arns = deploy_functions(target, zips, variables)
    lambda_client = target.client("lambda")
    lambda_client.create_event_source_mapping(
        EventSourceArn=queue_arn, FunctionName=FUNCTIONS[1], BatchSize=10,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )  # fmt: skip
    lambda_client.create_event_source_mapping(
        EventSourceArn=table["LatestStreamArn"], FunctionName=FUNCTIONS[2], StartingPosition="TRIM_HORIZON",
        BatchSize=100, FunctionResponseTypes=["ReportBatchItemFailures"],
    )  # fmt: skip
    return deploy_api(target, arns[FUNCTIONS[0]]), bucket


def deploy_functions(target: Target, zips: dict[str, bytes], variables: dict[str, str]) -> dict[str, str]:
    """Create the functions and their role, wait until they are active, and return their ARNs by name."""
    iam, lambda_client = target.client("iam"), target.client("lambda")
    role = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(ROLE_TRUST))["Role"]["Arn"]
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["sqs:*", "dynamodb:*", "s3:*", "logs:*"], "Resource": "*"}],
    }
    iam.put_role_policy(RoleName="bench", PolicyName="bench", PolicyDocument=json.dumps(everything))
    arns = {}
    for name, code in zips.items():
        arns[name] = lambda_client.create_function(
            FunctionName=name, Runtime=f"python3.{sys.version_info.minor}", Role=role, Timeout=10, MemorySize=256,
            Handler="lambda_function.lambda_handler", Code={"ZipFile": code}, Environment={"Variables": variables},
        )["FunctionArn"]  # fmt: skip
    for name in zips:
        lambda_client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.05})
    return arns


def deploy_api(target: Target, function_arn: str) -> str:
    """Create a REST API whose POST /visits invokes the function, deploy it, and return its id."""
    gateway = target.client("apigateway")
    api = gateway.create_rest_api(name="ProductVisits")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="visits")["id"]
    method = {"restApiId": api, "resourceId": resource, "httpMethod": "POST"}
    gateway.put_method(**method, authorizationType="NONE")
    gateway.put_integration(
        **method, type="AWS_PROXY", integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function_arn}/invocations",
    )  # fmt: skip
    target.client("lambda").add_permission(
        FunctionName=FUNCTIONS[0], StatementId="api", Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )  # fmt: skip
    gateway.create_deployment(restApiId=api, stageName="prod")
    return str(api)
