"""What a function may be called, be made of and be set to; tags, concurrency, the account.

Texts are those that LocalStack recorded from AWS (TestLambdaFunction::test_create_lambda_exceptions,
test_function_arns, TestRuntimeValidation, TestLambdaSizeLimits, TestLambdaTags, TestLambdaReservedConcurrency,
TestLambdaAccountSettings in test_lambda_api.snapshot.json); reserved variables: AWS docs, "Working with Lambda
environment variables"; what the local cloud cannot do is refused in its own words.
"""

from __future__ import annotations

import json

import pytest

from tests.contract.test_lambda import call
from tests.contract.test_pipeline import LOGS, TRUST, zipped
from tests.contract.test_versions import refusal

ACCESS_POINT = f"arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-{'0' * 17}"
RETURNS = "import os\ndef lambda_handler(event, context):\n    return 1\n"


@pytest.fixture(scope="module")
def role(client):
    """A role that functions may wear."""
    arn = client("iam").create_role(RoleName="settings", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": LOGS[0], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("iam").put_role_policy(RoleName="settings", PolicyName="p", PolicyDocument=policy)
    return arn


@pytest.fixture
def created(client, role, unique):
    """``created(**settings)`` calls CreateFunction with something valid, changed by *settings*."""

    def create(**settings):
        return client("lambda").create_function(
            **{
                "FunctionName": unique("Function"), "Runtime": "python3.13", "Role": role,
                "Handler": "lambda_function.lambda_handler", "Code": {"ZipFile": zipped(RETURNS)},
            } | settings
        )  # fmt: skip

    return create


def violation(value, member, rule):
    return (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {rule}"
    )


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        (
            {"Role": "r1"},
            "ValidationException",
            violation(
                "r1",
                "role",
                r"satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
            ),
        ),
        (
            {"Role": "arn:aws:iam::123456789012:role/none"},
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (
            {"Runtime": "non-existent-runtime"},
            "InvalidParameterValueException",
            "Value non-existent-runtime at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
            "[nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, java25, "
            "python3.10, python3.11, java21, ruby3.3, ruby3.4, ruby3.2, python3.8, python3.9, java17, nodejs16.x, "
            "dotnet10, dotnet8, java11, dotnet6, nodejs18.x, provided.al2, java8.al2] or be a valid ARN",
        ),
        (
            {"Runtime": "PYTHON3.13"},
            "InvalidParameterValueException",
            "Value PYTHON3.13 at 'runtime' failed to satisfy constraint",
        ),
        *(
            (
                {"Runtime": gone},
                "InvalidParameterValueException",
                f"The runtime parameter of {gone} is no longer supported for creating or updating AWS Lambda "
                "functions. We recommend you use a supported runtime while creating or updating functions.",
            )
            for gone in ("python3.7", "python2.7", "nodejs12.x", "nodejs14.x", "go1.x", "ruby2.7", "dotnetcore3.1")
        ),
        (
            {"Architectures": ["x86_64", "arm64"]},
            "ValidationException",
            violation("[x86_64, arm64]", "architectures", "have length less than or equal to 1"),
        ),
        (
            {"Architectures": ["X86_64"]},
            "ValidationException",
            violation(
                "[X86_64]",
                "architectures",
                "satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
            ),
        ),
        (
            {"FunctionName": "a" * 65},
            "InvalidParameterValueException",
            violation("a" * 65, "functionName", "have length less than or equal to 64"),
        ),
        (
            {"FunctionName": "invalid:function:name"},
            "ValidationException",
            "1 validation error detected: Value 'invalid:function:name' at 'functionName'",
        ),
        (
            {"Environment": {"Variables": {"LARGE_VAR": "x" * 4097}}},
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because the environment variables you have "
            'provided exceeded the 4KB limit. String measured: {"LARGE_VAR":"xxx',
        ),
        (
            {"Environment": {"Variables": {"AWS_REGION": "here", "_HANDLER": "x"}}},
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. Reserved keys used in "
            "this request: AWS_REGION, _HANDLER",
        ),
        ({"Timeout": 901}, "ValidationException", violation(901, "timeout", "have value less than or equal to 900")),
        (
            {"MemorySize": 10_241},
            "ValidationException",
            violation(10_241, "memorySize", "have value less than or equal to 10240"),
        ),
        (
            {"EphemeralStorage": {"Size": 10_241}},
            "ValidationException",
            violation(10_241, "ephemeralStorage.Size", "have value less than or equal to 10240"),
        ),
        (
            {"Tags": {f"k{n}": "v" for n in range(51)}},
            "InvalidParameterValueException",
            "Number of tags exceeds resource tag limit.",
        ),
        ({"Code": {"ImageUri": "x"}}, "InvalidParameterValueException", "The local cloud runs functions in zips only"),
        ({"PackageType": "Image"}, "InvalidParameterValueException", "does not support PackageType 'Image' yet"),
        ({"Runtime": "java21"}, "InvalidParameterValueException", "runs python3.x and nodejs2x.x functions only"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "InvalidParameterValueException", "SnapStart.ApplyOn"),
        ({"TracingConfig": {"Mode": "Active"}}, "InvalidParameterValueException", "TracingConfig.Mode"),
        ({"LoggingConfig": {"LogFormat": "JSON"}}, "InvalidParameterValueException", "LoggingConfig.LogFormat"),
        ({"VpcConfig": {"SubnetIds": ["s"]}}, "InvalidParameterValueException", "does not support VpcConfig yet"),
        ({"KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k"}, "InvalidParameterValueException", "KMSKeyArn yet"),
        (
            {"CodeSigningConfigArn": f"arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-{'0' * 17}"},
            "InvalidParameterValueException",
            "does not support CodeSigningConfigArn yet",
        ),
        (
            {"FileSystemConfigs": [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/x"}]},
            "InvalidParameterValueException",
            "does not support FileSystemConfigs yet",
        ),
        (
            {"Code": {"S3Bucket": "no-such-bucket-anywhere", "S3Key": "k"}},
            "InvalidParameterValueException",
            "Error occurred while GetObject. S3 Error Code: NoSuchBucket. "
            "S3 Error Message: The specified bucket does not exist",
        ),
        (
            {"DeadLetterConfig": {"TargetArn": "arn:aws:s3:::bucket"}},
            "InvalidParameterValueException",
            "The provided target is neither a queue nor a topic: arn:aws:s3:::bucket",
        ),
    ],
)  # fmt: skip
def test_what_a_function_cannot_be_is_refused_when_it_is_created(created, settings, code, message):
    """AWS's words where AWS refuses it, ours where the local cloud does; never silent success."""
    refused = refusal(created, **settings)

    assert (refused[0], message in refused[1]) == (code, True), refused


def test_code_can_come_from_a_bucket(client, created, unique):
    """At create and at update; a key that is not there is named."""
    functions, s3, bucket = client("lambda"), client("s3"), unique("code")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="one.zip", Body=zipped(RETURNS))
    s3.put_object(Bucket=bucket, Key="two.zip", Body=zipped(RETURNS.replace("1", "2")))

    name = created(Code={"S3Bucket": bucket, "S3Key": "one.zip"})["FunctionName"]
    functions.get_function(FunctionName=name)
    first = call(client, name)["Payload"]
    missing = refusal(functions.update_function_code, FunctionName=name, S3Bucket=bucket, S3Key="none.zip")
    functions.update_function_code(FunctionName=name, S3Bucket=bucket, S3Key="two.zip")
    functions.get_function(FunctionName=name)

    assert (first, call(client, name)["Payload"]) == (1, 2)
    assert missing == (
        "InvalidParameterValueException",
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.",
    )


def test_an_update_is_refused_alike_and_changes_nothing(client, created):
    """A runtime that is gone, a role that is none, an architecture that is not."""
    functions, name = client("lambda"), created()["FunctionName"]
    before = functions.get_function_configuration(FunctionName=name)
    update = functions.update_function_configuration

    refused = [
        refusal(update, FunctionName=name, Runtime="python3.7")[0],
        refusal(update, FunctionName=name, Role="r1")[0],
        refusal(update, FunctionName=name, Timeout=901)[0],
        refusal(update, FunctionName=name, SnapStart={"ApplyOn": "PublishedVersions"})[0],
        refusal(
            functions.update_function_code, FunctionName=name, ZipFile=zipped(""), Architectures=["x86_64", "arm64"]
        )[0],
    ]

    after = functions.get_function_configuration(FunctionName=name)
    invalid = "InvalidParameterValueException"
    assert refused == [invalid, "ValidationException", "ValidationException", invalid, "ValidationException"]
    assert {k: v for k, v in after.items() if k != "ResponseMetadata"} == {
        k: v for k, v in before.items() if k != "ResponseMetadata"
    }


def test_the_states_of_a_function_are_those_that_waiters_wait_for(client, created):
    """Create, look, update, look; the revision changes with each."""
    functions = client("lambda")
    shown = [created(Architectures=["arm64"], EphemeralStorage={"Size": 1024}, Environment={"Variables": {"A": "b"}})]
    name = shown[0]["FunctionName"]
    shown.append(functions.get_function_configuration(FunctionName=name))
    shown.append(functions.update_function_configuration(FunctionName=name, Timeout=7))
    during = refusal(functions.update_function_configuration, FunctionName=name, Timeout=8)
    shown.append(functions.get_function_configuration(FunctionName=name))

    keys = ("State", "StateReason", "StateReasonCode", "LastUpdateStatus", "LastUpdateStatusReason")
    assert [tuple(one.get(key) for key in keys) for one in shown] == [
        ("Pending", "The function is being created.", "Creating", None, None),
        ("Active", None, None, "Successful", None),
        ("Active", None, None, "InProgress", "The function is being created."),
        ("Active", None, None, "Successful", None),
    ]
    assert during == (
        "ResourceConflictException",
        "The operation cannot be performed at this time. An update is in progress for resource: "
        f"{shown[0]['FunctionArn']}",
    )
    last = shown[-1]
    assert [last[key] for key in ("Architectures", "EphemeralStorage", "Environment", "Timeout", "PackageType")] == [
        ["arm64"],
        {"Size": 1024},
        {"Variables": {"A": "b"}},
        7,
        "Zip",
    ]
    assert last["RuntimeVersionConfig"]["RuntimeVersionArn"].startswith("arn:aws:lambda:us-east-1::runtime:")
    assert len({shown[0]["RevisionId"], shown[2]["RevisionId"]}) == 2


def test_a_name_is_taken_once(client, created):
    """Whatever form it is given in."""
    first = created()

    assert refusal(created, FunctionName=first["FunctionArn"]) == (
        "ResourceConflictException",
        f"Function already exist: {first['FunctionName']}",
    )


def test_a_log_group_of_ones_own_is_used(client, created, eventually):
    """Its streams name the function: several may share it."""
    name = created(LoggingConfig={"LogGroup": "/shop/all"})["FunctionName"]
    configuration = client("lambda").get_function_configuration(FunctionName=name)
    call(client, name)

    streams = eventually(
        lambda: [
            one["logStreamName"]
            for one in client("logs").describe_log_streams(logGroupName="/shop/all")["logStreams"]
            if f"/{name}[$LATEST]" in one["logStreamName"]
        ]
    )

    assert configuration["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/shop/all"}
    assert len(streams) == 1


def test_tags_are_added_replaced_removed_and_counted(client, created):
    """Fifty at most."""
    functions, arn = client("lambda"), created(Tags={"a": "1"})["FunctionArn"]

    functions.tag_resource(Resource=arn, Tags={"a": "2", "b": "3", "c": "4"})
    functions.untag_resource(Resource=arn, TagKeys=["c", "none"])

    assert functions.list_tags(Resource=arn)["Tags"] == {"a": "2", "b": "3"}
    assert functions.get_function(FunctionName=arn)["Tags"] == {"a": "2", "b": "3"}
    assert refusal(functions.tag_resource, Resource=arn, Tags={f"k{n}": "v" for n in range(49)})[1] == (
        "Number of tags exceeds resource tag limit."
    )
    assert refusal(functions.tag_resource, Resource=arn, Tags={})[1] == (
        "An error occurred and the request cannot be processed."
    )
    none = "arn:aws:lambda:us-east-1:123456789012:function:doesnotexist"
    for answer in (
        refusal(functions.tag_resource, Resource=none, Tags={"a": "b"}),
        refusal(functions.untag_resource, Resource=none, TagKeys=["a"]),
        refusal(functions.list_tags, Resource=none),
    ):
        assert answer == ("ResourceNotFoundException", f"Function not found: {none}")
    assert refusal(functions.list_tags, Resource="arn:aws:something")[0] == "ValidationException"


def test_a_mapping_has_tags_too(client, function, queue):
    """Given at create, changed later: LocalStack's recordings TestLambdaTag, of event source mappings."""
    functions = client("lambda")
    _, queue_arn = queue(VisibilityTimeout="30")
    reader = (["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], queue_arn)
    arn = function(RETURNS, reader)
    mapping = functions.create_event_source_mapping(
        FunctionName=arn, EventSourceArn=queue_arn, Enabled=False, Tags={"a": "1"}
    )
    mapping_arn = mapping["EventSourceMappingArn"]

    functions.tag_resource(Resource=mapping_arn, Tags={"b": "2"})
    functions.untag_resource(Resource=mapping_arn, TagKeys=["a"])

    none = f"{mapping_arn[:-36]}{'0' * 8}-0000-0000-0000-{'0' * 12}"
    assert functions.list_tags(Resource=mapping_arn)["Tags"] == {"b": "2"}
    assert "Tags" not in functions.get_event_source_mapping(UUID=mapping["UUID"])
    assert refusal(functions.list_tags, Resource=none) == (
        "ResourceNotFoundException",
        f"Event source mapping not found: {none}",
    )


def test_reserved_concurrency_is_set_shown_and_limited(client, created):
    """100 of the account's stay unreserved."""
    functions, name = client("lambda"), created()["FunctionName"]

    put = functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    shown = functions.get_function(FunctionName=name)["Concurrency"]
    too_many = refusal(functions.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=5000)
    functions.delete_function_concurrency(FunctionName=name)

    assert put["ReservedConcurrentExecutions"] == shown["ReservedConcurrentExecutions"] == 1
    assert too_many[1] == (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
        "its minimum value of [100]."
    )
    assert "ReservedConcurrentExecutions" not in functions.get_function_concurrency(FunctionName=name)
    none = "arn:aws:lambda:us-east-1:123456789012:function:doesnotexist"
    put_none = refusal(functions.put_function_concurrency, FunctionName="doesnotexist", ReservedConcurrentExecutions=1)
    assert put_none == ("ResourceNotFoundException", f"Function not found: {none}:$LATEST")
    assert refusal(functions.get_function_concurrency, FunctionName="doesnotexist")[1] == f"Function not found: {none}"


def test_the_account_counts_functions_versions_and_layers(client, created, unique):
    """TotalCodeSize is the sum of all zips."""
    functions = client("lambda")
    before = functions.get_account_settings()
    name, size = created()["FunctionName"], len(zipped(RETURNS))
    functions.get_function(FunctionName=name)
    one = functions.get_account_settings()["AccountUsage"]
    functions.publish_version(FunctionName=name)
    functions.publish_layer_version(LayerName=unique("Layer"), Content={"ZipFile": zipped(RETURNS)})

    after = functions.get_account_settings()["AccountUsage"]

    assert before["AccountLimit"] | {"UnreservedConcurrentExecutions": 0} == {
        "TotalCodeSize": 80_530_636_800,
        "CodeSizeUnzipped": 262_144_000,
        "CodeSizeZipped": 52_428_800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 0,
    }
    usage = before["AccountUsage"]
    assert (one["FunctionCount"], one["TotalCodeSize"]) == (usage["FunctionCount"] + 1, usage["TotalCodeSize"] + size)
    assert after == {"FunctionCount": one["FunctionCount"], "TotalCodeSize": one["TotalCodeSize"] + 2 * size}
