"""Functions in Node.js: the runtime's error shapes and log lines, and the twin of ProductVisitSendDataToQueue.

Shapes are those of AWS's own runtime client (github.com/aws/aws-lambda-nodejs-runtime-interface-client) and of
LocalStack's recordings (test_lambda_common.snapshot.json, test_lambda.snapshot.json); callbacks on Node.js 24: AWS
docs, "Define Lambda function handler in Node.js", and the error as people reported it.
"""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.deployment_package import deployment_package
from labkit.local.api_call import AwsError
from labkit.local.lambda_runtime import runtimes
from tests.contract.test_lambda import call
from tests.contract.test_layers import layer_zip
from tests.contract.test_pipeline import LAMBDAS
from tests.contract.test_versions import refusal

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="there is no `node` on the PATH")
TWINS = ("ProductVisitSendDataToQueue", "ProductVisitSendDataToQueueNode")


def zip_of(**files):
    """``zip_of(index_mjs="…")``: a zip with ``index.mjs``; the last ``_`` of a name stands for the dot."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(".".join(name.rsplit("_", 1)), content)
    return buffer.getvalue()


@pytest.fixture
def node_function(function):
    """``node_function(index_mjs="…")`` makes a function in Node.js; *Runtime* and *Handler* may be given."""

    def create(*grants, Runtime="nodejs22.x", Handler="index.handler", package=None, **files_and_settings):  # noqa: N803
        files = {name: text for name, text in files_and_settings.items() if name.islower()}
        settings = {name: value for name, value in files_and_settings.items() if not name.islower()}
        return function(package or zip_of(**files), *grants, Runtime=Runtime, Handler=Handler, **settings)

    return create


def tail_of(answer):
    return base64.b64decode(answer["LogResult"]).decode().splitlines()


@needs_node
@pytest.mark.parametrize(
    ("files", "handler"),
    [
        ({"index_mjs": "export const handler = async (event) => event.n + 1;"}, "index.handler"),
        ({"index_cjs": "exports.handler = async (event) => event.n + 1;"}, "index.handler"),
        ({"index_js": "exports.a = { b: async (event) => event.n + 1 };"}, "index.a.b"),
        (
            {"index_js": "export const handler = async (e) => e.n + 1;", "package_json": '{"type": "module"}'},
            "index.handler",
        ),
        ({"src/index_mjs": "export const handler = (event) => Promise.resolve(event.n + 1);"}, "src/index.handler"),
        ({"index_js": "exports.handler = (event, context, callback) => callback(null, event.n + 1);"}, "index.handler"),
        ({"index_js": "exports.handler = (event, context) => context.succeed(event.n + 1);"}, "index.handler"),
        (
            {"index_js": "exports.handler = (e, c, callback) => setTimeout(() => callback(null, e.n + 1), 5);"},
            "index.handler",
        ),
    ],
    ids=["esm", "cjs", "js", "js-module", "folder", "callback", "succeed", "later"],
)
def test_every_style_of_handler_runs_twice_in_one_environment(client, node_function, files, handler):
    """Promise, callback, context.succeed; ES module and CommonJS."""
    arn = node_function(Handler=handler, **files)

    assert [call(client, arn, {"n": n})["Payload"] for n in (1, 2)] == [2, 3]


@needs_node
def test_a_failed_handler_answers_with_type_message_and_trace(client, node_function):
    """And logs an event "Invoke Error"."""
    arn = node_function(index_mjs="export const handler = async () => { throw new RangeError('no\\nway'); };")

    answer = call(client, arn, LogType="Tail")
    again = call(client, arn)

    payload, request_id = answer["Payload"], answer["ResponseMetadata"]["RequestId"]
    assert (answer["FunctionError"], payload["errorType"], payload["errorMessage"]) == (
        "Unhandled",
        "RangeError",
        "no\nway",
    )
    assert payload["trace"][:2] == ["RangeError: no", "way"]
    assert payload["trace"][2].startswith("    at ")
    assert payload.keys() == {"errorType", "errorMessage", "trace"}
    [line] = [line for line in tail_of(answer) if "ERROR" in line]
    time, logged_id, level, what, rest = line.split("\t")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    assert (logged_id, level, what) == (request_id, "ERROR", "Invoke Error ")
    assert json.loads(rest)["errorType"] == "RangeError"
    assert again["Payload"]["errorType"] == "RangeError"


@needs_node
def test_log_lines_carry_time_request_and_level_and_a_line_break_stays_in_one_event(client, node_function):
    """console.log is INFO; what is written to stdout directly stands alone."""
    arn = node_function(
        index_mjs="""
        export const handler = async () => {
          console.log("two\\nlines", { a: 1 });
          console.warn("careful");
          process.stdout.write("bare\\n");
          process.stdout.write("unfinished");
        };
        """
    )
    answer = call(client, arn, LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    name = arn.rpartition(":")[2]
    events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    messages = [re.sub(r"^\S+Z\t", "", event["message"]) for event in events]

    assert answer["Payload"] is None
    assert messages[2:-2] == [
        f"{request_id}\tINFO\ttwo\nlines {{ a: 1 }}\n",
        f"{request_id}\tWARN\tcareful\n",
        "bare\n",
        "unfinished\n",
    ]
    assert messages[0].startswith("INIT_START Runtime Version: nodejs:22")
    assert messages[-1].startswith(f"REPORT RequestId: {request_id}")


@needs_node
def test_the_context_and_the_environment_are_those_of_awss_runtime(client, node_function):
    """AWS docs, "Using the Lambda context object to retrieve Node.js function information"."""
    arn = node_function(
        index_mjs="""
        export const handler = async (event, context) => ({
          context, left: context.getRemainingTimeInMillis(), variables: process.env, cwd: process.cwd(),
        });
        """,
        Timeout=9,
    )
    answer = call(client, arn)
    seen, name = answer["Payload"], arn.rpartition(":")[2]

    stream = seen["context"].pop("logStreamName")
    assert seen["context"] == {
        "callbackWaitsForEmptyEventLoop": True,
        "functionVersion": "$LATEST",
        "functionName": name,
        "memoryLimitInMB": "128",
        "logGroupName": f"/aws/lambda/{name}",
        "invokedFunctionArn": arn,
        "awsRequestId": answer["ResponseMetadata"]["RequestId"],
    }
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    assert 0 < seen["left"] <= 9000
    assert seen["variables"]["AWS_EXECUTION_ENV"] == "AWS_Lambda_nodejs22.x"
    assert seen["cwd"] == seen["variables"]["LAMBDA_TASK_ROOT"]
    assert not {"HOME", "USER", "NODE_OPTIONS"} & seen["variables"].keys()


@needs_node
@pytest.mark.parametrize(
    ("source", "handler", "expected"),
    [
        ("", "index.handler", ("Runtime.HandlerNotFound", "index.handler is undefined or not exported")),
        ("export const handler = 1;", "index.handler", ("Runtime.HandlerNotFound", "index.handler is not a function")),
        ("", "index", ("Runtime.MalformedHandlerName", "Bad handler")),
        ("", "other.handler", ("Runtime.ImportModuleError", "Error: Cannot find module")),
        (
            "export const handler = ;",
            "index.handler",
            ("Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token ';'"),
        ),
        ("throw new TypeError('at import');", "index.handler", ("TypeError", "at import")),
    ],
)
def test_a_handler_that_cannot_be_loaded_says_why(client, node_function, source, handler, expected):
    """The names are those of AWS's runtime client."""
    arn = node_function(index_mjs=source, Handler=handler)

    payload = call(client, arn)["Payload"]

    error_type, message = expected
    assert (payload["errorType"], payload["errorMessage"].startswith(message)) == (error_type, True), payload
    assert payload["trace"]


@needs_node
@pytest.mark.parametrize(
    ("body", "error_type"),
    [
        ("await new Promise(() => {});", "Runtime.NodeJsExit"),
        ("setTimeout(() => { throw new Error('late'); }); await new Promise((r) => setTimeout(r, 500));", "Error"),
        (
            "Promise.reject(new Error('x')); await new Promise((r) => setTimeout(r, 500));",
            "Runtime.UnhandledPromiseRejection",
        ),
        ("process.exit(3);", "Runtime.ExitError"),
        ("return 1n;", "Error"),
        ("throw 'a text';", "string"),
        ("for (;;) {}", "Sandbox.Timedout"),
    ],
)
def test_however_a_handler_ends_its_caller_gets_an_answer_and_the_next_call_a_good_environment(
    client, node_function, body, error_type
):
    """A promise that never settles, an error nobody catches, an exit, an endless loop."""
    arn = node_function(
        index_mjs=f"export const handler = async (event) => {{ if (event.good) return 'good'; {body} }};", Timeout=2
    )

    failed, good = call(client, arn), call(client, arn, {"good": True})

    assert (failed["FunctionError"], failed["Payload"]["errorType"]) == ("Unhandled", error_type), failed["Payload"]
    assert good["Payload"] == "good"


@needs_node
def test_a_callback_that_is_never_called_means_null_and_an_open_timer_is_waited_for(client, node_function):
    """The event loop must be empty, unless the handler says otherwise."""
    never = node_function(index_js="exports.handler = (event, context, callback) => {};")
    waits = node_function(
        index_js="""
        let done = false;
        exports.handler = (event, context, callback) => {
          context.callbackWaitsForEmptyEventLoop = event.wait;
          setTimeout(() => { done = true; }, 30);
          callback(null, { get done() { return done; } });
        };
        """
    )

    assert call(client, never)["Payload"] is None
    assert [call(client, waits, {"wait": wait})["Payload"]["done"] for wait in (False, True)] == [False, True]


@needs_node
def test_node_24_takes_no_callbacks(client, node_function):
    """What counts is how many parameters a handler has; one that returns at once needs no promise."""
    source = "export const handler = async (event, context, callback) => 1;"
    old, new = (node_function(Runtime=runtime, index_mjs=source) for runtime in ("nodejs22.x", "nodejs24.x"))
    plain = node_function(Runtime="nodejs24.x", index_mjs="export const handler = (event) => event.n;")

    refused = call(client, new)["Payload"]

    assert call(client, old)["Payload"] == 1
    assert call(client, plain, {"n": 5})["Payload"] == 5
    assert refused["errorType"] == "Runtime.CallbackHandlerDeprecated"
    assert refused["errorMessage"].startswith(
        "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24."
    )


@needs_node
def test_a_layers_modules_are_found_by_require_and_import(client, node_function, unique):
    """AWS docs, "Packaging your layer content": nodejs/node_modules and nodejs/node22/node_modules."""
    files = {
        "nodejs/node_modules/shared/index.js": "exports.value = 1;",
        "nodejs/node22/node_modules/own/index.js": "exports.value = 2;",
    }
    content = {"ZipFile": layer_zip(**files)}
    layer = client("lambda").publish_layer_version(LayerName=unique("Layer"), Content=content)["LayerVersionArn"]
    required = node_function(
        index_js="const s = require('shared'); exports.handler = async () => s.value + require('own').value;",
        Layers=[layer],
    )
    imported = node_function(
        index_mjs="""
        import own from "own";
        import { value } from "shared";
        export const handler = async () => value + own.value;
        """,
        Layers=[layer],
    )

    assert [call(client, arn)["Payload"] for arn in (required, imported)] == [3, 3]


def test_without_node_a_function_in_nodejs_is_refused_when_it_is_created(monkeypatch):
    """What to do about it stands in the error; which Node.js is too old, too."""
    monkeypatch.setattr(runtimes, "node", lambda: "")
    with pytest.raises(AwsError) as missing:
        runtimes.check_runtime("nodejs22.x")
    monkeypatch.setattr(runtimes, "node", lambda: "/usr/bin/node")
    monkeypatch.setattr(runtimes, "node_version", lambda: "16.20.0")
    with pytest.raises(AwsError) as old:
        runtimes.check_runtime("nodejs22.x")

    assert (missing.value.code, missing.value.message) == (
        "InvalidParameterValueException",
        "The local cloud runs nodejs22.x with the command `node`, and there is none on the PATH of the local cloud; "
        "install Node.js and start the local cloud again.",
    )
    assert old.value.message == (
        "The local cloud runs nodejs22.x with Node.js 18 or newer, and `node` on the PATH of the local cloud is "
        "16.20.0."
    )


# --- The twin ---------------------------------------------------------------------------------------------------------


def event():
    return json.loads((LAMBDAS / TWINS[0] / "event.json").read_text())


@pytest.fixture
def twins(client, function, queue):
    """Both functions on a queue each; returns ``ask(event)``: their answers, and what they sent."""
    made = []
    for name in TWINS:
        url, arn = queue()
        runtime = {"Runtime": "nodejs22.x", "Handler": "index.handler"} if name.endswith("Node") else {}
        package, variables = deployment_package(LAMBDAS / name), {"Variables": {"QUEUE_URL": url}}
        made.append((url, function(package, (["sqs:SendMessage"], arn), Environment=variables, **runtime)))

    def ask(proxy_event):
        answers = []
        for url, arn in made:
            answer = call(client, arn, proxy_event)["Payload"]
            body = json.loads(answer["body"])
            messages = client("sqs").receive_message(QueueUrl=url).get("Messages", [])
            sent = [json.loads(message["Body"]) for message in messages]
            for message in messages:
                client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            keys = [visit.pop("ProductVisitKey") for visit in sent]
            assert keys == ([body.pop("ProductVisitKey")] if "ProductVisitKey" in body else [])
            answers.append({"status": answer["statusCode"], "headers": answer["headers"], "body": body, "sent": sent})
        return answers

    return ask


def test_the_twins_have_the_same_event_to_try():
    """One description, two languages."""
    texts = {(LAMBDAS / name / "event.json").read_text(encoding="utf-8") for name in TWINS}

    assert len(texts) == 1


@needs_node
def test_the_twins_answer_and_send_the_same(twins):
    """A visit and what is none: status, headers, body and message are equal, receipts aside."""
    body = json.loads(event()["body"])
    good = twins(event())

    assert good[0] == good[1]
    assert (good[0]["status"], good[0]["sent"]) == (202, [body])
    changes = [
        {"PricePerUnit": "-1"}, {"PricePerUnit": "NaN"}, {"PricePerUnit": 3}, {"PricePerUnit": "1e3"},
        {"PricePerUnit": "1e9"},
        {"PricePerUnit": " .5 "}, {"PricePerUnit": ""}, {"PricePerUnit": "0x10"}, {"PricePerUnit": "Infinity"},
        {"TimeOfVisit": "2026-01-15T10:22:31"}, {"TimeOfVisit": "2026-02-30T10:22:31Z"}, {"TimeOfVisit": "2026-01-15"},
        {"TimeOfVisit": "2026-01-15 10:22:31.123456+00:00"}, {"TimeOfVisit": "2026-01-15T10:22:31+02:00"},
        {"TimeOfVisit": "2026-01-15T10:22Z"},
        {"CustomerName": " "}, {"CustomerName": " Ada  Ångström 😀 "}, {"ProductId": "x" * 201},
        {"ProductId": "😀" * 200},
        {"ProductId": None}, {"More": "x"},
    ]  # fmt: skip
    for change in changes:
        python, node = twins(event() | {"body": json.dumps(body | change)})
        assert python == node, change
    for text in (None, "", "[]", "{", "42", "null", '"x"', "{}"):
        python, node = twins(event() | {"body": text})
        assert (python, python["status"]) == (node, 400), text


@needs_node
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    field=st.sampled_from(["ProductId", "PricePerUnit", "TimeOfVisit"]),
    value=st.one_of(
        st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"]), max_size=12),
        st.from_regex(r"\A[+-]?[0-9]{0,4}\.?[0-9]{0,4}(e[0-9])?\Z", fullmatch=True),
        st.from_regex(
            r"\A20[0-9]{2}-[0-1][0-9]-[0-3][0-9]T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z\Z", fullmatch=True
        ),
    ),
)
def test_the_twins_agree_on_any_text(twins, field, value):
    """Two languages, one idea of a number and of a time."""
    body = json.loads(event()["body"]) | {field: value}

    python, node = twins(event() | {"body": json.dumps(body)})

    assert python == node


@needs_node
def test_the_twin_logs_the_step_by_which_a_visit_is_followed(client, function, queue):
    """A bare JSON line, as the Python function prints it."""
    url, arn = queue()
    package, variables = deployment_package(LAMBDAS / TWINS[1]), {"Variables": {"QUEUE_URL": url}}
    grant = (["sqs:SendMessage"], arn)
    twin = function(package, grant, Environment=variables, Runtime="nodejs22.x", Handler="index.handler")

    answer = call(client, twin, event(), LogType="Tail")

    [step] = [json.loads(line) for line in tail_of(answer) if line.startswith("{")]
    assert step.keys() == {"ProductVisitKey", "step", "began", "at"}
    assert (step["step"], 0 <= step["at"] - step["began"] < 5000) == ("queued", True)


@needs_node
def test_the_twin_says_what_sqs_refused(client, function, queue):
    """Without the right to send, the error names it."""
    url, _ = queue()
    package, variables = deployment_package(LAMBDAS / TWINS[1]), {"Variables": {"QUEUE_URL": url}}
    twin = function(package, Environment=variables, Runtime="nodejs22.x", Handler="index.handler")

    payload = call(client, twin, event())["Payload"]

    assert payload["errorType"] == "Error"
    assert "is not authorized to perform: sqs:sendmessage" in payload["errorMessage"].lower()
    assert refusal(client("lambda").invoke, FunctionName=twin, Payload=b"{")[0] == "InvalidRequestContentException"
