"""One HTTP request to another server, and its answer; nothing is followed, kept or decoded."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import SplitResult

from httptools import HttpParserError, HttpResponseParser

LARGEST_ANSWER = 10 * 1024 * 1024

Answer = tuple[int, list[tuple[str, str]], bytes]


class UnreadableAnswer(Exception):
    """The other server answered with what is no HTTP, or with more than API Gateway hands on."""


class _Answer:
    """What the parser calls back, gathered."""

    def __init__(self, method: str) -> None:
        self.headers: list[tuple[str, str]] = []
        self.body = bytearray()
        self.complete = False
        self._has_body = method != "HEAD"
        self.parser = HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.complete = not self._has_body

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        if self.parser.get_status_code() < 200:  # 100 Continue and the like come before the answer
            self.headers.clear()
        else:
            self.complete = True


async def exchange(
    address: SplitResult, method: str, target: str, headers: list[tuple[str, str]], body: bytes
) -> Answer:
    """Send a request and return status, headers and body of the answer.

    Raises:
        OSError: The server cannot be reached or hung up.
        UnreadableAnswer: It did not speak HTTP, or too much.
        ValueError: A header cannot be sent.
    """
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "Connection: close"]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header would end before its end")
    secure = ssl.create_default_context() if address.scheme == "https" else None
    port = address.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(address.hostname, port, ssl=secure)
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        await writer.drain()
        return await _read(reader, _Answer(method))
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader, answer: _Answer) -> Answer:
    while not answer.complete:
        data = await reader.read(2**16)
        if not data:
            break
        try:
            answer.parser.feed_data(data)
        except HttpParserError as error:
            if answer.complete:  # what comes after the answer, such as a body of 204, is nobody's
                break
            raise UnreadableAnswer(f"it did not answer with HTTP: {error}") from error
        if len(answer.body) > LARGEST_ANSWER:
            raise UnreadableAnswer("its answer is larger than 10 MB")
    if not answer.headers and not answer.complete:
        raise ConnectionResetError("it hung up without an answer")
    return answer.parser.get_status_code(), answer.headers, bytes(answer.body)
