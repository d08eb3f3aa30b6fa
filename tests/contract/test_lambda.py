"""What a function meets while it runs, and what its caller gets."""

from __future__ import annotations

import base64
import json
import re
import sys

import pytest
from botocore.exceptions import ClientError

from tests.contract.test_pipeline import zipped

SEEN = """
import os, sys
def lambda_handler(event, context):
    return {
        "context": {name: getattr(context, name) for name in (
            "function_name", "function_version", "invoked_function_arn", "memory_limit_in_mb", "aws_request_id",
            "log_group_name", "log_stream_name", "client_context",
        )},
        "left": context.get_remaining_time_in_millis(),
        "variables": {name: value for name, value in os.environ.items() if "KEY" not in name and "TOKEN" not in name},
        "path": sys.path,
        "cwd": os.getcwd(),
    }
"""


def call(client, arn, event=None, **options):
    """Invoke and return the answer with its payload read."""
    answer = client("lambda").invoke(FunctionName=arn, Payload=json.dumps(event or {}).encode(), **options)
    with answer["Payload"] as payload:
        return {**answer, "Payload": json.loads(payload.read() or b"null")}


def test_a_function_knows_what_the_context_of_aws_tells(client, function):
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html."""
    arn = function(SEEN, Timeout=7, MemorySize=256, Environment={"Variables": {"MINE": "x"}})

    answer = call(client, arn)
    seen, name = answer["Payload"], arn.rpartition(":")[2]

    stream = seen["context"].pop("log_stream_name")
    assert seen["context"] == {
        "function_name": name,
        "function_version": "$LATEST",
        "invoked_function_arn": arn,
        "memory_limit_in_mb": "256",
        "aws_request_id": answer["ResponseMetadata"]["RequestId"],
        "log_group_name": f"/aws/lambda/{name}",
        "client_context": None,
    }
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    assert 0 < seen["left"] <= 7000


def test_a_functions_environment_holds_what_aws_gives_the_endpoint_and_its_own(client, function, cloud):
    """Nothing of the shell that started the local cloud reaches it."""
    arn = function(SEEN, Environment={"Variables": {"MINE": "x"}})

    variables = call(client, arn)["Payload"]["variables"]

    assert {name: variables[name] for name in ("MINE", "_HANDLER", "AWS_REGION", "AWS_EXECUTION_ENV", "TZ")} == {
        "MINE": "x",
        "_HANDLER": "lambda_function.lambda_handler",
        "AWS_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
        "TZ": ":UTC",
    }
    assert variables["AWS_ENDPOINT_URL"] == cloud["endpoint"]
    assert not {"HOME", "USER", "PYTHONPATH", "VIRTUAL_ENV", "LABKIT_STATE_DIR"} & variables.keys()


def test_another_minor_version_of_python_is_taken_and_said(client, unique, function):
    """`python3.x` runs on labkit's own interpreter."""
    other = f"python3.{14 if sys.version_info.minor != 14 else 13}"
    arn = function("def lambda_handler(event, context):\n    return 1\n")
    client("lambda").update_function_configuration(FunctionName=arn, Runtime=other)
    client("lambda").get_waiter("function_updated_v2").wait(FunctionName=arn, WaiterConfig={"Delay": 0.05})

    answer = call(client, arn, LogType="Tail")

    first = base64.b64decode(answer["LogResult"]).decode().splitlines()[0]
    assert answer["Payload"] == 1
    assert first.startswith(
        f"INIT_START Runtime Version: python:{other.removeprefix('python')} "
        f"(runs on Python 3.{sys.version_info.minor} here)"
    )


def test_the_tail_of_the_log_comes_with_the_answer_and_cold_is_told_from_warm(client, function):
    """Init Duration stands in the REPORT of the first call only."""
    arn = function("def lambda_handler(event, context):\n    print('hello')\n")

    cold, warm = (base64.b64decode(call(client, arn, LogType="Tail")["LogResult"]).decode() for _ in range(2))

    assert ("Init Duration" in cold, "Init Duration" in warm) == (True, False)
    assert [line.split(" ")[0] for line in warm.splitlines()] == ["START", "hello", "END", "REPORT"]


def test_what_is_written_at_import_stands_before_start(client, function):
    """The init phase is over before the invocation starts; one that failed is run again within it.

    The lines: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html (INIT_REPORT), and
    https://github.com/aws/aws-lambda-python-runtime-interface-client: log_error heads an empty traceback, too.
    """
    good = function("print('imported')\ndef lambda_handler(event, context):\n    print('called')\n")
    broken = function("import not_there\n")

    logs = [
        base64.b64decode(call(client, arn, LogType="Tail")["LogResult"]).decode().splitlines() for arn in (good, broken)
    ]

    assert [line.split(" ")[0] for line in logs[0]] == ["INIT_START", "imported", "START", "called", "END", "REPORT"]
    failed = [
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'lambda_function': No module named 'not_there'",
        "Traceback (most recent call last):",
    ]
    status = "\tStatus: error\tError Type: Runtime.ImportModuleError"
    assert (logs[1][1:3], logs[1][4:6]) == (failed, failed)
    assert re.fullmatch(rf"INIT_REPORT Init Duration: [\d.]+ ms\tPhase: init{status}", logs[1][3])
    assert re.fullmatch(rf"INIT_REPORT Init Duration: [\d.]+ ms\tPhase: invoke{status}", logs[1][6])
    assert [line.split(" ")[0] for line in logs[1][7:]] == ["START", "END", "REPORT"]
    assert ("Init Duration" in logs[1][-1], logs[1][-1].endswith(status)) == (False, True)


def test_an_environment_is_reused_and_new_code_gets_a_new_one(client, function):
    """Module level variables live as long as the environment."""
    count = "n = {}\ndef lambda_handler(event, context):\n    global n\n    n += 1\n    return n\n"
    arn = function(count.format(0))
    warm = [call(client, arn)["Payload"] for _ in range(3)]

    client("lambda").update_function_code(FunctionName=arn, ZipFile=zipped(count.format(100)))
    client("lambda").get_waiter("function_updated_v2").wait(FunctionName=arn, WaiterConfig={"Delay": 0.05})

    assert (warm, call(client, arn)["Payload"]) == ([1, 2, 3], 101)


def test_a_result_that_is_too_large_is_an_error_of_the_function(client, function):
    """https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB for a synchronous answer."""
    arn = function("def lambda_handler(event, context):\n    return 'x' * event['length']\n")

    large = call(client, arn, {"length": 7_000_000})
    after = call(client, arn, {"length": 3})

    assert (large["FunctionError"], large["Payload"]["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")
    assert large["Payload"]["errorMessage"] == (
        "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
    )
    assert after["Payload"] == "xxx"


def test_all_that_a_function_printed_is_there_though_it_is_killed_in_the_end(client, function):
    """The last lines before a timeout are those that a learner looks for."""
    arn = function(
        "import time\ndef lambda_handler(event, context):\n    print('before')\n    time.sleep(30)\n", Timeout=1
    )

    answer = call(client, arn, LogType="Tail")

    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert "before" in lines
    assert lines[-1].endswith("Status: timeout")


def test_megabytes_of_output_and_an_endless_line_end_neither_the_function_nor_the_cloud(client, function):
    """Output is read while the handler runs."""
    arn = function(
        "def lambda_handler(event, context):\n    for n in range(2000):\n        print('x' * 1000)\n"
        "    print('y' * 5_000_000)\n    return 'done'\n",
        Timeout=20,
    )

    assert call(client, arn)["Payload"] == "done"


def test_a_child_process_that_keeps_the_output_open_does_not_keep_the_caller_waiting(client, function):
    """A handler may start something that outlives it."""
    arn = function(
        "import subprocess, sys\ndef lambda_handler(event, context):\n"
        "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(5)'])\n    return 'done'\n",
        Timeout=3,
    )

    assert call(client, arn)["Payload"] == "done"


def test_reserved_concurrency_of_zero_is_an_off_switch(client, function):
    """429 with AWS's reason; deleting the reservation opens it again."""
    arn = function("def lambda_handler(event, context):\n    return 1\n")
    client("lambda").put_function_concurrency(FunctionName=arn, ReservedConcurrentExecutions=0)

    with pytest.raises(ClientError) as refused:
        call(client, arn)
    client("lambda").delete_function_concurrency(FunctionName=arn)

    answer = refused.value.response
    assert (answer["Error"]["Code"], answer["Reason"]) == (
        "TooManyRequestsException",
        "ReservedFunctionConcurrentInvocationLimitExceeded",
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert call(client, arn)["Payload"] == 1


def test_keys_of_a_role_do_what_the_role_may_and_no_more(client, function, queue):
    """A function has its role's credentials and nothing else."""
    url, arn = queue()
    source = (
        "import boto3\nfrom botocore.exceptions import ClientError\n"
        "def lambda_handler(event, context):\n"
        "    who = boto3.client('sts').get_caller_identity()['Arn']\n"
        "    boto3.client('sqs').send_message(QueueUrl=event['url'], MessageBody='x')\n"
        "    try:\n        boto3.client('sqs').delete_queue(QueueUrl=event['url'])\n"
        "    except ClientError as error:\n        return [who, error.response['Error']['Code']]\n"
    )
    name = function(source, (["sqs:SendMessage"], arn), Timeout=10)

    who, refused = call(client, name, {"url": url})["Payload"]

    short = name.rpartition(":")[2]
    assert (who, refused) == (f"arn:aws:sts::123456789012:assumed-role/{short}/{short}", "AccessDenied")


def test_a_function_is_pending_until_somebody_looks(client, unique):
    """Who calls too early gets AWS's 409; boto3's waiter finds it Active at its first look, and sleeps not at all."""
    name = unique("Early")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    code = {"ZipFile": zipped("def lambda_handler(event, context):\n    return 1\n")}
    settings = {"Runtime": "python3.11", "Role": role["Role"]["Arn"], "Handler": "lambda_function.lambda_handler"}

    created = client("lambda").create_function(FunctionName=name, Code=code, **settings)
    with pytest.raises(ClientError) as too_early:
        client("lambda").invoke(FunctionName=name)
    with pytest.raises(ClientError) as changed_too_early:
        client("lambda").update_function_configuration(FunctionName=name, Timeout=5)
    looked_at = client("lambda").get_function_configuration(FunctionName=name)

    message = (
        "The operation cannot be performed at this time. The function is currently in the following state: Pending"
    )
    assert [created[key] for key in ("State", "StateReasonCode")] == ["Pending", "Creating"]
    for refused in (too_early, changed_too_early):
        error = refused.value.response["Error"]
        assert (error["Code"], error["Message"]) == ("ResourceConflictException", message)
    assert (looked_at["State"], looked_at["LastUpdateStatus"]) == ("Active", "Successful")
    assert call(client, name)["Payload"] == 1


def test_the_caller_can_say_who_it_is(client, function):
    """ClientContext: AWS docs, "Using the Lambda context object to retrieve Python function information"."""
    arn = function(
        "def lambda_handler(event, context):\n    c = context.client_context\n"
        "    return [c.custom, c.env, c.client.app_title, c.client.app_version_code]\n"
    )
    given = {"custom": {"foo": "bär"}, "env": {"fizz": "buzz"}, "client": {"app_title": "shop"}}
    encoded = base64.b64encode(json.dumps(given).encode()).decode()

    answer = call(client, arn, ClientContext=encoded)
    with pytest.raises(ClientError, match="Client context must be a valid Base64-encoded JSON object"):
        call(client, arn, ClientContext="no base64")

    assert answer["Payload"] == [{"foo": "bär"}, {"fizz": "buzz"}, "shop", None]


@pytest.mark.parametrize("payload", [b"{", b"\xff\xfe{\x00}\x00", b"n\x87r", b"[" * 100_000, b"\x00"])
def test_a_payload_that_is_no_json_is_refused(client, function, payload):
    """LocalStack's recording TestLambdaErrors::test_lambda_invoke_payload_encoding_error, synchronous or not."""
    arn = function("def lambda_handler(event, context):\n    return 1\n")

    for kind in ("RequestResponse", "Event"):
        with pytest.raises(ClientError) as refused:
            client("lambda").invoke(FunctionName=arn, Payload=payload, InvocationType=kind)
        error = refused.value.response["Error"]
        assert error["Code"] == "InvalidRequestContentException"
        assert error["Message"].startswith(
            "Could not parse request body into json: Could not parse payload into json: "
        )
