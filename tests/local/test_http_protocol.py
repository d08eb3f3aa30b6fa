"""What the front door does with connections, beneath HTTP."""

from __future__ import annotations

import asyncio

from labkit.local.__main__ import _loop_factory
from labkit.local.http_protocol import OneWrite


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
