"""What no client of AWS would send: the front door answers with an error, goes on, and opens to nobody by mistake."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
import urllib.request
from urllib.parse import urlsplit

import psutil
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FUZZ = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
BEGINNINGS = [b"", b"GET /", b"POST / HTTP/1.1\r\n", b"PUT /b/k HTTP/1.1\r\nHost: "]
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@pytest.fixture(scope="module")
def send(cloud):
    """``send(bytes)`` returns all that the front door answers until it closes, or is silent for a moment."""
    address = urlsplit(cloud["endpoint"])

    def send(data: bytes, *, silence: float = 0.3, until: bytes = b"") -> bytes:
        received = b""
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
            connection.settimeout(silence)
            with contextlib.suppress(TimeoutError, ConnectionError):
                while chunk := connection.recv(65536):
                    received += chunk
                    if until and until in received:
                        break
        return received

    return send


@pytest.fixture(autouse=True)
def goes_on(cloud):
    """Whatever a test sends, the next request is answered, and nothing of ours broke."""
    yield
    with urllib.request.urlopen(cloud["endpoint"] + "/_labkit/health", timeout=5) as answer:
        assert json.load(answer)["status"] == "running"


def get(path: str, **headers: str) -> bytes:
    """A request in HTTP, its Host replaced or left out where *headers* says so."""
    lines = {"Host": "127.0.0.1", "Connection": "close"} | {name.replace("_", "-"): v for name, v in headers.items()}
    head = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items() if value), "", ""]
    return "\r\n".join(head).encode("latin-1")


def status(answer: bytes) -> int:
    """The status of the first answer, 0 when there is none."""
    found = STATUS.match(answer)
    return int(found[1]) if found else 0


# --- Framing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\x00b\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_at_once(send, request_bytes):
    """400, or 403 where it can be read as a request that nobody signed; never silence, never a traceback."""
    answer = send(request_bytes, silence=3, until=b"\r\n\r\n")

    assert status(answer) in (400, 403), answer[:300]
    assert b"Traceback" not in answer


@FUZZ
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"GET /", b"POST / HTTP/1.1\r\n", b"PUT /b/k HTTP/1.1\r\nHost: "])
)
def test_any_bytes_at_all_get_an_error_or_nothing(send, data, start):
    """What is not yet a request is waited for; all else is refused."""
    answer = send(start + data + b"\r\n\r\n", silence=0.02)

    assert status(answer) in (0, 400, 403, 404, 405), answer[:300]
    assert b"Traceback" not in answer


def test_clients_that_send_nothing_more_do_not_keep_others_waiting(cloud):
    """Two hundred of them hold a connection each; somebody else is answered as ever."""
    address = urlsplit(cloud["endpoint"])
    with contextlib.ExitStack() as stack:
        for number in range(200):
            slow = stack.enter_context(socket.create_connection((address.hostname, address.port)))
            slow.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nabc"[: 1 + number % 60])
        started = time.monotonic()
        with urllib.request.urlopen(cloud["endpoint"] + "/_labkit/health") as answer:
            answer.read()
        assert time.monotonic() - started < 2


def test_a_request_that_ends_in_the_middle_is_not_carried_out(cloud, client, unique, send):
    """Half a body is no body: the object must not be there."""
    bucket = unique("half")
    client("s3").create_bucket(Bucket=bucket)
    request = AWSRequest("PUT", f"{cloud['endpoint']}/{bucket}/k", headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    SigV4Auth(Credentials(cloud["access_key"], cloud["secret_key"]), "s3", "us-east-1").add_auth(request)
    request.headers["Content-Length"] = "100"
    head = f"PUT /{bucket}/k HTTP/1.1\r\nHost: {urlsplit(cloud['endpoint']).netloc}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items()) + "\r\n"

    send(head.encode() + b"only this", silence=0.2)

    with pytest.raises(ClientError, match="Not Found"):
        client("s3").head_object(Bucket=bucket, Key="k")


# --- Long bodies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("POST /_labkit/inbox HTTP/1.1", 413),
        ("POST /_aws/execute-api/abc/prod/x HTTP/1.1", 403),
        ("POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.SendMessage", 413),
        ("PUT /bucket/key HTTP/1.1", 400),
        ("PUT /bucket/key?X-Amz-Credential=AKIANOBODY%2F20260101%2Fus-east-1%2Fs3%2Faws4_request HTTP/1.1", 400),
    ],
)
def test_a_hundred_megabytes_that_nobody_may_send_take_no_memory(cloud, head, expected):
    """Any page in a browser can post that much to this computer."""
    address = urlsplit(cloud["endpoint"])
    process = psutil.Process(cloud["pid"])
    before = process.memory_info().rss
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(f"{head}\r\nHost: 127.0.0.1\r\nContent-Length: {100 * 2**20}\r\n\r\n".encode())
        piece, most = bytes(2**20), 0
        for _ in range(100):
            connection.sendall(piece)
            most = max(most, process.memory_info().rss - before)
        answer = connection.recv(65536)

    assert status(answer) == expected, answer
    assert most < 60 * 2**20


# --- Hosts, paths and pages -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example.com", "127.0.0.1.example.com", "localhost.example.com", "example.com:4566",
        "127.0.0.1@example.com", "[::1].example.com", "127.0.0.2", "0.0.0.0", "169.254.169.254", "xlocalhost", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/_labkit/health", "/_labkit/events?labkit-token={token}", "/some-bucket"])
def test_a_page_that_has_got_a_name_for_this_computer_gets_nothing(cloud, send, host, path):
    """DNS rebinding: the browser believes that the page's own host answers, and would let the page read."""
    answer = send(get(path.format(token=cloud["token"]), Host=host))

    assert status(answer) in (400, 403), answer
    assert b"running" not in answer


@pytest.mark.parametrize(
    "path",
    [
        "/_labkit/logs", "/_labkit/events", "/_labkit/inbox", "/_labkit/shutdown", "/_labkit/nothing",
        "/_labkit/health/../logs", "/_labkit/health/%2e%2e/logs", "/%5flabkit/logs", "//_labkit/logs", "/_LABKIT/logs",
        "/_labkit//logs", "/_labkit/logs%00", "/_labkit/logs?labkit-token=", "/_labkit/logs?labkit-token=%00",
        "/_labkit/logs?labkit-token=guessed&labkit-token=again", "http://127.0.0.1/_labkit/logs",
    ],
)  # fmt: skip
def test_the_pages_of_the_local_cloud_need_its_token(send, path):
    """Whoever opens the map could read what happens; whoever calls shutdown would end it."""
    answer = send(get(path))

    assert status(answer) in (400, 403, 404), answer
    assert b" 200 " not in answer.partition(b"\r\n")[0]


def test_a_page_of_another_origin_may_neither_read_nor_call(send):
    """No answer but that of a bucket with rules of its own carries what would let a page read it."""
    preflight = get("/", Origin="https://example.com", Access_Control_Request_Method="POST")
    for request in (
        preflight.replace(b"GET", b"OPTIONS", 1),
        get("/", Origin="https://example.com"),
        get("/_labkit/health", Origin="https://example.com"),
        get("/2015-03-31/functions", Origin="https://example.com"),
        get("/restapis", Origin="https://example.com").replace(b"GET", b"OPTIONS", 1),
    ):
        answer = send(request)
        assert b"access-control-allow-origin" not in answer.lower(), (request, answer)


def test_an_answer_cannot_be_split_by_what_a_caller_put_into_a_header(cloud, client, unique):
    """S3 sends back what the query says; a line break in it must not begin another header."""
    bucket, s3 = unique("split"), client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")

    with contextlib.suppress(ClientError):
        answer = s3.get_object(Bucket=bucket, Key="k", ResponseContentDisposition="a\r\nSet-Cookie: stolen=1")
        assert "set-cookie" not in answer["ResponseMetadata"]["HTTPHeaders"]
        answer["Body"].close()
