"""The processes of functions: those that start slowly, fail to start, die, or lose their function while they work."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from botocore.exceptions import ClientError

from labkit.local.lambda_runtime import environment, environments
from tests.conftest import wait_for
from tests.contract.test_pipeline import TRUST, zipped
from tests.in_process import in_process

SLOW_INIT = """import os, time
if len(os.listdir({folder!r})) < {slow_starts}:
    open(os.path.join({folder!r}, str(os.getpid())), "w").close()
    time.sleep(30)
print("imported")
def lambda_handler(event, context):
    return context.get_remaining_time_in_millis()
"""
BROKEN_AT_FIRST = """import os
with open({starts!r}, "a") as starts:
    if starts.write("x") and starts.tell() < 3:
        raise RuntimeError("not today")
def lambda_handler(event, context):
    open({ran!r}, "w").close()
"""
SLOW = "import time\ndef lambda_handler(event, context):\n    time.sleep(0.5)\n    return {!r}\n"


@pytest.fixture
def cloud(tmp_path):
    with in_process(tmp_path, max_environments=1) as running:
        running.client("iam").create_role(RoleName="environments", AssumeRolePolicyDocument=json.dumps(TRUST))
        yield running
        running.client("iam").delete_role(RoleName="environments")  # moto's state is the process's


def create(functions, source, **settings):
    functions.create_function(
        FunctionName="f", Runtime="python3.11", Role="arn:aws:iam::123456789012:role/environments",
        Handler="lambda_function.lambda_handler", Code={"ZipFile": zipped(source)}, **settings,
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


@pytest.mark.parametrize(("slow_starts", "phases"), [(1, ["init"]), (2, ["init", "invoke"])])
def test_an_init_phase_that_outlasts_its_limit_is_run_again_under_the_functions_timeout(
    cloud, tmp_path, monkeypatch, slow_starts, phases
):
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html: retried with the first invocation.

    The lines of a log of 2024: https://github.com/anomalyco/ion/issues/514.
    """
    monkeypatch.setattr(environment, "INIT_LIMIT", 2.0)
    started = tmp_path / "started"
    started.mkdir()
    functions = cloud.client("lambda")
    create(functions, SLOW_INIT.format(folder=str(started), slow_starts=slow_starts), Timeout=3)

    answer = functions.invoke(FunctionName="f", LogType="Tail")

    payload = json.load(answer["Payload"])
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    reports = [line.split("\t")[1:] for line in lines if line.startswith("INIT_REPORT Init Duration: ")]
    assert reports == [[f"Phase: {phase}", "Status: timeout"] for phase in phases]
    assert "Init Duration" not in lines[-1]
    if slow_starts == 1:
        assert 0 < payload < 3000
        assert [line.split()[0] for line in lines] == [
            "INIT_START", "INIT_REPORT", "imported", "START", "END", "REPORT",
        ]  # fmt: skip
    else:
        assert payload["errorType"] == "Sandbox.Timedout"
        assert payload["errorMessage"].endswith("Error: Task timed out after 3.00 seconds")
        assert lines[-1].endswith("Status: timeout")


def test_a_start_that_fails_tells_every_call_that_waits_for_it():
    """More calls than processes may start: each hears of a failure, none waits for ever."""

    async def make():
        await asyncio.sleep(0)
        raise OSError("no process")

    async def run():
        waiting = environments.Environments(1)
        calls = [asyncio.create_task(waiting.acquire("f", make)) for _ in range(3)]
        done, _ = await asyncio.wait(calls, timeout=2)
        return [str(call.exception()) for call in done]

    assert asyncio.run(run()) == ["no process"] * 3


@pytest.mark.parametrize("end", ["dies", "deleted"])
def test_a_process_that_ends_makes_room_for_another_function_that_waits(monkeypatch, end):
    """The bound on all processes together: whoever waits for room gets it, however it came free."""
    monkeypatch.setattr(environments, "MOST_IN_ALL", 1)

    class Fake:
        alive, invocations, expires = True, 1, time.time() + 60

        async def end(self):
            """Nothing runs."""

    async def make():
        return Fake()

    async def run():
        pools = environments.Environments(1)
        first = await asyncio.wait_for(pools.acquire("f", make), 2)
        other = asyncio.create_task(pools.acquire("g", make))
        await asyncio.sleep(0.02)
        assert not other.done()
        if end == "deleted":
            pools.forget("f")
        else:
            first.alive = False
        pools.release("f", first)
        await asyncio.wait_for(other, 2)

    asyncio.run(run())


def test_where_no_process_can_be_started_for_the_second_init_phase_the_event_is_tried_again(
    cloud, tmp_path, monkeypatch
):
    """A computer without a free process is our trouble: a caller is told, and an event is not lost."""
    ran, init, failing = tmp_path / "ran", environment.Environment._init, [OSError("no process"), OSError("no process")]

    async def without_processes(self, limit, *, phase):
        if phase == "invoke" and failing:
            raise failing.pop()
        await init(self, limit, phase=phase)

    monkeypatch.setattr(environment.Environment, "_init", without_processes)
    functions = cloud.client("lambda")
    create(functions, BROKEN_AT_FIRST.format(starts=str(tmp_path / "starts"), ran=str(ran)))

    with pytest.raises(ClientError) as refused:
        functions.invoke(FunctionName="f")
    functions.invoke(FunctionName="f", InvocationType="Event")

    assert refused.value.response["Error"]["Code"] == "ServiceException"
    assert "could not start a process for f: no process" in refused.value.response["Error"]["Message"]
    wait_for(ran.exists, timeout=10)
    assert failing == []
