"""Visits: posted to the API, and looked for in the lake."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from labkit.exceptions import LabkitError

LISTING_INTERVAL = 0.25


class Lake:
    """The data lake as the benchmark reads it: listed, and each new object read once."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket
        self._seen: set[str] = set()
        self._newest = ""
        self.keys: Counter[str] = Counter()

    def read_new(self, *, whole: bool = True) -> None:
        """List the *whole* lake, or what comes after the newest key; count the receipts in objects not read before."""
        after = {"StartAfter": self._newest} if self._newest and not whole else {}
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, **after):
            for item in page.get("Contents", []):
                if item["Key"] not in self._seen:
                    self._seen.add(item["Key"])
                    self._newest = max(self._newest, item["Key"])
                    lines = self._s3.get_object(Bucket=self._bucket, Key=item["Key"])["Body"].read().splitlines()
                    self.keys.update(json.loads(line)["ProductVisitKey"] for line in lines)

    def wait_for(
        self, receipts: set[str], *, deadline: float, interval: float = LISTING_INTERVAL, whole: bool = True
    ) -> None:
        """Read the lake every *interval* seconds until all *receipts* are in it, or *deadline* seconds are over."""
        end = time.monotonic() + deadline
        while True:
            self.read_new(whole=whole)
            if receipts <= self.keys.keys() or time.monotonic() > end:
                return
            time.sleep(interval)


def _visit(number: int) -> bytes:
    return json.dumps(
        {
            "ProductId": f"P-{number % 50}",
            "ProductName": "Trail Shoe",
            "Category": "Shoes",
            "PricePerUnit": "89.90",
            "CustomerId": f"C-{number % 200}",
            "CustomerName": "Ada Okafor",
            "TimeOfVisit": "2026-01-15T10:22:31Z",
        }
    ).encode()


def connect(url: str) -> http.client.HTTPConnection:
    """Open a connection to the API, on which small requests leave at once."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def post(connection: http.client.HTTPConnection, url: str, number: int) -> str:
    """Post a visit and return its receipt.

    Raises:
        LabkitError: The API did not take it.
    """
    connection.request("POST", urlsplit(url).path, _visit(number), {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = response.read()
    if response.status != 202:
        raise LabkitError(f"the API answered {response.status}: {body[:300]!r}")
    return str(json.loads(body)["ProductVisitKey"])


def warm_up(url: str, lake: Lake) -> None:
    """Send a few visits, until every function has an environment; the first may meet an API that is not ready."""
    end = time.monotonic() + 30
    while True:
        try:
            for _ in range(3):
                one_visit(url, lake)
            return
        except (LabkitError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def one_visit(url: str, lake: Lake) -> float:
    """Return the milliseconds from the POST of a visit until it was read in the lake.

    Only the newest keys are listed: boto3 takes 0.14 ms to read a key of a listing, and the clock must not tick in
    steps as long as what it measures. Keys are sequence numbers of the stream, so a new one comes last.
    """
    connection = connect(url)
    started = time.perf_counter()
    receipt = post(connection, url, 0)
    lake.wait_for({receipt}, deadline=30, interval=0.002, whole=False)
    connection.close()
    if receipt not in lake.keys:
        raise LabkitError(f"visit {receipt} did not reach the lake within 30 s")
    return (time.perf_counter() - started) * 1000


def send_many(url: str, visits: int, threads: int) -> set[str]:
    """Send *visits* from so many *threads*, and return their receipts."""

    def send(numbers: range) -> list[str]:
        connection = connect(url)
        receipts = [post(connection, url, number) for number in numbers]
        connection.close()
        return receipts

    with ThreadPoolExecutor(threads) as pool:
        return {
            receipt for part in pool.map(send, [range(n, visits, threads) for n in range(threads)]) for receipt in part
        }
