"""The process of an execution environment: a client of the Lambda Runtime API that runs a Python handler.

Run by path, with the standard library only: ``python -I -S worker.py SITE_PACKAGES [FOLDER_OF_LAYERS …]``. It ends
when its stdin closes. Output goes line by line to stdout; a zero byte inside a line stands for a line break of the same
log event, and a line that begins with byte 1 says that the output of the init phase or of an invocation is complete.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import sys

SITE_PACKAGES = sys.argv[1] if len(sys.argv) > 1 else ""

import gc  # noqa: E402
import importlib  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import socket  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import traceback  # noqa: E402
from decimal import Decimal  # noqa: E402

TYPE_CHECKING = False  # `typing` is not imported: it would cost every start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, BinaryIO

    Handler = Callable[[Any, "Context"], Any]

NBSP = "\u00a0"
API = "/2018-06-01/runtime"


class Output(io.TextIOBase):
    """stdout and stderr of the handler: every line is one log event, written at once."""

    def __init__(self, file: BinaryIO) -> None:
        """Write to *file*, a binary one."""
        self._file, self._lock, self._rest = file, threading.Lock(), ""

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, text: str) -> int:
        """Write the complete lines of *text* and keep the rest."""
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            if lines:
                self._file.write("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
                self._file.flush()
        return len(text)

    def event(self, text: str) -> None:
        """Write *text* as one log event, whatever line breaks it has."""
        self.flush()
        self.write(text.replace("\n", "\0") + "\n")

    def flush(self) -> None:
        """Write the rest of an unfinished line."""
        with self._lock:
            if self._rest:
                self._file.write(f"{self._rest}\n".encode("utf-8", "replace"))
                self._rest = ""
            self._file.flush()

    def complete(self, what: str) -> None:
        """Say that all the output of *what* is there: of ``"init"``, or of an invocation."""
        self.flush()
        self._file.write(f"\x01{what}\n".encode())
        self._file.flush()


class LogHandler(logging.Handler):
    """The handler that Lambda puts on the root logger."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        line = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
        formatter = logging.Formatter(line, "%Y-%m-%dT%H:%M:%S")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one log event."""
        record.aws_request_id = Context.current_request_id
        self._output.event(self.format(record))


class Identity:
    """Cognito's identity; empty here, as it is for every caller without one."""

    cognito_identity_id = None
    cognito_identity_pool_id = None


class Client:
    """The app that calls."""

    def __init__(self, given: dict[str, Any]) -> None:
        """Take what AWS's context knows of an app."""
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
            setattr(self, name, given.get(name))


class ClientContext:
    """What the caller says of itself."""

    def __init__(self, given: dict[str, Any]) -> None:
        """Take the JSON of a call's ClientContext."""
        self.custom, self.env = given.get("custom"), given.get("env")
        self.client = Client(given["client"]) if given.get("client") else None


class Context:
    """What a handler learns about its invocation."""

    current_request_id = ""

    def __init__(self, headers: dict[str, str]) -> None:
        """Read the headers of the Runtime API; a handler may have emptied its environment."""
        self.aws_request_id = Context.current_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers["lambda-runtime-invoked-function-arn"]
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.identity = Identity()
        client_context = headers.get("lambda-runtime-client-context")
        self.client_context = ClientContext(json.loads(client_context)) if client_context else None
        self.tenant_id = None
        self._deadline_ms = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left, never less than 0."""
        return max(0, int(self._deadline_ms - time.time() * 1000))

    def log(self, message: object) -> None:
        """Write to the log."""
        sys.stdout.write(str(message))


class RuntimeApi:
    """One kept-alive connection to the Runtime API, which answers every request with a Content-Length."""

    def __init__(self) -> None:
        """Find the address in the environment."""
        self._address = os.environ["AWS_LAMBDA_RUNTIME_API"]
        host, _, port = self._address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._results = 0

    def _request(self, method: str, path: str, body: bytes = b"", error_type: str | None = None) -> bytes:
        lines = [f"{method} {API}/{path} HTTP/1.1", f"Host: {self._address}"]
        if method == "POST":
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        if error_type:
            lines.append(f"Lambda-Runtime-Function-Error-Type: {error_type}")
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1", "replace") + body

    def _answer(self) -> tuple[dict[str, str], bytes]:
        """Read one answer; return its headers, their names in lower case, and its body."""
        if not self._file.readline():
            os._exit(0)  # the local cloud is gone
        headers: dict[str, str] = {}
        while line := self._file.readline().rstrip(b"\r\n"):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return headers, self._file.read(int(headers["content-length"]))

    def ask(self) -> None:
        """Ask for the first invocation: the runtime is initialised."""
        self._socket.sendall(self._request("GET", "invocation/next"))

    def next(self) -> tuple[dict[str, str], bytes]:
        """Wait for an invocation; return its headers and its payload."""
        while self._results:  # the answers to results stand before it and say nothing that is of use
            self._answer()
            self._results -= 1
        return self._answer()

    def result(self, path: str, body: bytes, error_type: str | None = None) -> None:
        """Send a result or an error and, in one piece with it, ask for the next invocation."""
        self._socket.sendall(self._request("POST", path, body, error_type) + self._request("GET", "invocation/next"))
        self._results += 1

    def init_error(self, body: bytes, error_type: str) -> None:
        """Report that the handler cannot be run; return when that has arrived."""
        self._socket.sendall(self._request("POST", "init/error", body, error_type))
        self._answer()


class Failed(Exception):
    """The runtime cannot run the handler."""

    def __init__(self, error_type: str, message: str, stack: Iterable[str] = ()) -> None:
        """Take what the answer shows."""
        super().__init__(message)
        self.error_type, self.message, self.stack = error_type, message, stack


def end_with_stdin() -> None:
    """End this process when the local cloud is gone."""
    while os.read(0, 1):
        pass
    os._exit(0)


def error_body(error_type: str, message: str, request_id: str, stack: Iterable[str] = ()) -> bytes:
    """Return the JSON of an error as Lambda words it."""
    body = {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": list(stack)}
    return json.dumps(body).encode()


def log_error(output: Output, error_type: str, message: str, stack: Iterable[str] = ()) -> None:
    """Log an error with its traceback, an empty one too, as one event; Lambda indents it with no-break spaces."""
    lines = [f"[ERROR] {error_type}: {message}", "Traceback (most recent call last):"]
    for entry in stack:
        for line in entry.rstrip("\n").split("\n"):
            bare = line.lstrip(" ")
            lines.append(NBSP * (len(line) - len(bare)) + bare)
    output.event("\n".join(lines))


def stack_of(error: BaseException) -> list[str]:
    """Return the stack trace, without this file's frames."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    frames = [frame for frame in frames if "importlib" not in frame.filename]
    return traceback.format_list(frames)


def find_handler() -> Handler:
    """Import the module of the handler; return the function, or raise Failed."""
    name = os.environ["_HANDLER"]
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise Failed(
            "Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise Failed("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    except SyntaxError as error:
        message = f"Syntax error in module '{module_name}': {error}"
        stack = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise Failed("Runtime.UserCodeSyntaxError", message, stack) from error
    if not hasattr(module, function_name):
        raise Failed("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{module_name}'")
    handler: Handler = getattr(module, function_name)
    return handler


def default(value: object) -> float | int:
    """Serialise what json does not know: Lambda's own encoder knows Decimal."""
    if isinstance(value, Decimal):
        return float(value) if value % 1 else int(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def run_once(api: RuntimeApi, handler: Handler, output: Output) -> None:
    """Take one invocation, run the handler, send what came of it."""
    headers, payload = api.next()
    context = Context(headers)
    os.environ["_X_AMZN_TRACE_ID"] = headers.get("lambda-runtime-trace-id", "")
    base = f"invocation/{context.aws_request_id}"
    path, error_type = f"{base}/error", None
    try:
        result = handler(json.loads(payload), context)
        try:
            body, path = json.dumps(result, default=default).encode(), f"{base}/response"
        except (TypeError, ValueError) as error:
            raise Failed("Runtime.MarshalError", f"Unable to marshal response: {error}") from None
    except Failed as failed:
        error_type = failed.error_type
        body = error_body(error_type, failed.message, context.aws_request_id)
        log_error(output, error_type, failed.message)
    except Exception as error:
        error_type, stack = type(error).__name__, stack_of(error)
        body = error_body(error_type, str(error), context.aws_request_id, stack)
        log_error(output, error_type, str(error), stack)
    output.complete(context.aws_request_id)
    api.result(path, body, error_type)


def main() -> None:
    """Serve invocations until the local cloud ends."""
    task_root = os.environ["LAMBDA_TASK_ROOT"]
    sys.path[:0] = [task_root, *sys.argv[2:]]
    if SITE_PACKAGES:
        sys.path.append(SITE_PACKAGES)
    threading.Thread(target=end_with_stdin, daemon=True).start()
    output = sys.stdout = sys.stderr = Output(os.fdopen(os.dup(1), "wb"))
    logging.getLogger().addHandler(LogHandler(output))
    api = RuntimeApi()
    try:
        handler = find_handler()
    except Exception as error:
        failed = error if isinstance(error, Failed) else Failed(type(error).__name__, str(error), stack_of(error))
        log_error(output, failed.error_type, failed.message, failed.stack)
        output.complete("init")
        api.init_error(error_body(failed.error_type, failed.message, "", failed.stack), failed.error_type)
        os._exit(1)
    gc.freeze()  # what was imported stays: no collection needs to look at it again
    output.complete("init")
    api.ask()
    while True:
        run_once(api, handler, output)


if __name__ == "__main__":
    main()
