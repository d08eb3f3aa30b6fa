"""Whatever a handler does to its own process, its caller gets an answer and the local cloud stays.

Answers of an exit and a timeout: LocalStack's recordings (TestLambdaErrors::test_lambda_handler_exit,
TestLambdaBehavior::test_lambda_invoke_with_timeout). A function that uses more memory than MemorySize is ended on AWS
and not here: docs/local-cloud.md says so.
"""

from __future__ import annotations

import base64
import sys
import time

import pytest

from tests.contract.test_lambda import call

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX calls")


def handler(body):
    """A handler that does *body* unless it is asked to be good."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return (
        "import os, signal, subprocess, sys, threading, time\n"
        f"def lambda_handler(event, context):\n    if event.get('good'): return 'good'\n{lines}\n"
    )


def good_after(client, arn):
    """The next call must find an environment that works, and the local cloud must answer everybody."""
    assert call(client, arn, {"good": True})["Payload"] == "good"
    assert client("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    ("body", "error_type", "message"),
    [
        ("sys.exit(0)", "Runtime.ExitError", "Runtime exited without providing a reason"),
        ("sys.exit(1)", "Runtime.ExitError", "Runtime exited with error: exit status 1"),
        ("sys.exit('a text')", "Runtime.ExitError", "Runtime exited with error: exit status 1"),
        ("os._exit(7)", "Runtime.ExitError", "Runtime exited with error: exit status 7"),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGKILL)",
            "Runtime.ExitError",
            "Runtime exited with error: signal: 9",
            marks=posix,
        ),
        ("raise KeyboardInterrupt()", "Runtime.ExitError", "Runtime exited with error: "),
        ("time.sleep(60)", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
        ("while True: pass", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
        pytest.param(
            "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
            "Sandbox.Timedout",
            "Task timed out after 1.00 seconds",
            marks=posix,
        ),
        ("sys.setrecursionlimit(10**6)\ndef f(): f()\nthreading.stack_size(2**20)\nf()", "", ""),
        ("def f(): f()\nf()", "RecursionError", "maximum recursion depth exceeded"),
        ("return object()", "Runtime.MarshalError", "Unable to marshal response: "),
        ("a = []\na.append(a)\nreturn a", "Runtime.MarshalError", "Unable to marshal response: Circular reference"),
        ("raise BaseException('no')", "", ""),
        ("class Odd(Exception):\n  def __str__(self): raise ValueError('odd')\nraise Odd()", "", ""),
    ],
)
def test_an_end_that_is_none_is_told_to_the_caller(client, function, body, error_type, message):
    """Exits, signals, loops, what cannot be serialised, errors that cannot be shown."""
    arn = function(handler(body), Timeout=1)

    started = time.monotonic()
    answer = call(client, arn)

    assert answer["FunctionError"] == "Unhandled"
    assert time.monotonic() - started < 5
    if error_type:
        assert (answer["Payload"]["errorType"], message in answer["Payload"]["errorMessage"]) == (error_type, True)
    good_after(client, arn)


@pytest.mark.parametrize(
    "body",
    [
        "sys.stdout.close()",
        "os.close(1)",
        "os.close(2)",
        "os.closerange(3, 64)",
        "sys.stdout = sys.stderr = None\nprint('x')",
        "os.write(1, b'\\x01' + context.aws_request_id.encode() + b'\\n' + b'\\xff\\xfe\\x00')",
        "os.write(1, b'x' * 3_000_000)",
        "print('\\ud800')",
        "threading.Thread(target=lambda: [time.sleep(0.001) or print('more') for _ in range(50)]).start()",
        "os.environ.clear()",
        "os.chdir('/')",
        "sys.path.clear(); sys.modules.clear()",
        "import gc; gc.set_threshold(0); x = bytearray(50_000_000)",
    ],
)
def test_a_handler_that_breaks_its_surroundings_harms_nobody_else(client, function, body):
    """Its own call may fail, in whatever way; the next one is answered."""
    arn = function(handler(f"{body}\nreturn 'done'"), Timeout=2)

    first = call(client, arn)

    assert first["Payload"] == "done" or first["FunctionError"] == "Unhandled"
    good_after(client, arn)


@posix
@pytest.mark.parametrize(
    "body",
    [
        "if os.fork() == 0:\n  time.sleep(20)\n  os._exit(0)\nreturn 'done'",
        "for _ in range(20):\n  if os.fork() == 0:\n    time.sleep(20)\n    os._exit(0)\nreturn 'done'",
        "subprocess.Popen(['sleep', '20'], start_new_session=True)\nreturn 'done'",
    ],
)
def test_a_handler_that_forks_gets_its_answer_at_once(client, function, body):
    """A child that lives on, twenty of them, one in a session of its own."""
    arn = function(handler(body), Timeout=5)

    started = time.monotonic()
    answer = call(client, arn)

    assert answer["Payload"] == "done"
    assert time.monotonic() - started < 4
    good_after(client, arn)


@posix
def test_a_child_that_answers_too_costs_one_call_at_most(client, function):
    """It shares the parent's way to the Runtime API; after a timeout there is a new environment."""
    arn = function(handler("if os.fork() == 0: return 'child'\nreturn 'done'"), Timeout=1)

    first = call(client, arn)
    call(client, arn, {"good": True})

    assert first["Payload"] in ("done", "child")
    good_after(client, arn)


def test_a_handler_that_prints_megabytes_is_logged_in_pieces(client, function):
    """20 MB in lines and in one: all of it is read, and the answer comes."""
    arn = function(
        handler("for n in range(200): print('x' * 50_000)\nprint('y' * 10_000_000)\nreturn 'done'"), Timeout=20
    )

    assert call(client, arn)["Payload"] == "done"
    good_after(client, arn)


def test_a_leak_goes_on_until_the_environment_ends_and_is_shown(client, function):
    """Max Memory Used tells of it; MemorySize is no limit here."""
    arn = function(
        "kept = []\ndef lambda_handler(event, context):\n    kept.append(bytearray(60_000_000))\n    return len(kept)\n"
    )

    answers = [call(client, arn, LogType="Tail") for _ in range(3)]

    used = [int(base64.b64decode(a["LogResult"]).decode().split("Max Memory Used: ")[1].split()[0]) for a in answers]
    assert [answer["Payload"] for answer in answers] == [1, 2, 3]
    assert used[0] < used[1] < used[2]
    assert used[2] > 128
