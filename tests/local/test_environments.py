"""The processes of functions that are deleted while they work."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.conftest import wait_for
from tests.contract.test_pipeline import TRUST, zipped
from tests.in_process import in_process

SLOW = "import time\ndef lambda_handler(event, context):\n    time.sleep(0.5)\n    return {!r}\n"


@pytest.fixture
def cloud(tmp_path):
    with in_process(tmp_path, max_environments=1) as running:
        running.client("iam").create_role(RoleName="environments", AssumeRolePolicyDocument=json.dumps(TRUST))
        yield running


def create(functions, source):
    functions.create_function(
        FunctionName="f", Runtime="python3.11", Role="arn:aws:iam::123456789012:role/environments",
        Handler="lambda_function.lambda_handler", Code={"ZipFile": zipped(source)},
    )  # fmt: skip
    functions.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0.05})


def test_a_function_that_is_deleted_while_calls_wait_leaves_no_process_and_no_old_code(cloud):
    """The one under way ends, the one that waits is told, and a new function of that name begins with its own code."""
    functions = cloud.client("lambda")
    before = len(psutil.Process(os.getpid()).children())
    create(functions, SLOW.format("old"))

    def invoke():
        with functions.invoke(FunctionName="f")["Payload"] as payload:
            return json.load(payload)

    assert invoke() == "old"
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(invoke) for _ in range(3)]
        wait_for(lambda: cloud.run(lambda parts: parts.features["lambda"].description())["invocations_under_way"] == 3)
        functions.delete_function(FunctionName="f")
        ended = [call.exception() or call.result() for call in calls]
    create(functions, SLOW.format("new"))

    assert [one for one in ended if one == "old"] == ["old"]
    refused = [one.response["Error"]["Code"] for one in ended if isinstance(one, ClientError)]
    assert refused == ["ResourceNotFoundException"] * 2
    assert invoke() == "new"
    functions.delete_function(FunctionName="f")
    wait_for(lambda: len(psutil.Process(os.getpid()).children()) == before, timeout=5)
