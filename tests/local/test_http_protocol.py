"""What the front door does with connections, beneath HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from urllib.parse import urlsplit

import pytest

from labkit.local.__main__ import _loop_factory
from labkit.local.front_door.http_protocol import OneWrite, SpelledAsSent
from tests.in_process import in_process


def test_an_answer_to_a_client_that_left_meanwhile_is_dropped_without_a_traceback():
    """The connection may be closed between the answer and the turn of the event loop that sends it."""
    failures = []

    async def answer_and_lose_the_client():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failures.append(context))
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        transport, _ = await loop.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
        transport.abort()
        OneWrite(transport).write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.sleep(0.05)
        server.close()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(answer_and_lose_the_client())

    assert failures == []


HEAD = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n"


@pytest.mark.parametrize("sent", [b"", b"POST / HT", HEAD, HEAD + b"\r\nhalf"])
def test_a_connection_that_stands_still_in_the_middle_of_a_request_is_closed(tmp_path, monkeypatch, sent):
    """Else whoever opens enough of them takes all the descriptors there are."""
    monkeypatch.setattr(SpelledAsSent, "patience", 0.1)
    with in_process(tmp_path) as cloud, socket.create_connection(_address(cloud), timeout=3) as connection:
        connection.sendall(sent)

        assert connection.recv(1000) == b""


def test_a_head_that_never_ends_is_cut_off_however_often_a_byte_comes(tmp_path, monkeypatch):
    """The patience of one who only looks at silence can be used without end."""
    monkeypatch.setattr(SpelledAsSent, "patience", 0.2)
    with in_process(tmp_path) as cloud, socket.create_connection(_address(cloud), timeout=3) as connection:
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - started < 3:
                connection.sendall(b"X")
                time.sleep(0.02)

        assert time.monotonic() - started < 2


def test_who_waits_for_an_answer_is_not_closed(tmp_path, monkeypatch):
    """A long poll sends nothing for as long as it lasts."""
    monkeypatch.setattr(SpelledAsSent, "patience", 0.1)
    with in_process(tmp_path) as cloud:
        sqs = cloud.client("sqs")
        url = sqs.create_queue(QueueName="patient")["QueueUrl"]

        assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
        sqs.close()


def _address(cloud):
    address = urlsplit(cloud.endpoint)
    return address.hostname, address.port
