"""The clouds that are measured, each a process of its own that is started for it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import psutil
from botocore.config import Config

from labkit.exceptions import LabkitError


@dataclass(frozen=True, slots=True)
class Target:
    """A cloud under measurement: *process* runs it, *api_url* gives the address of an API's resource."""

    name: str
    process: psutil.Process
    endpoint: str
    access_key: str
    secret_key: str
    start_seconds: float
    api_url: Callable[[str], str]

    def client(self, service: str, **options: Any) -> Any:
        """A boto3 client that talks to this cloud and to nothing else; *options* are botocore's for its Config."""
        make: Callable[..., Any] = boto3.client  # its stubs know no service by variable
        return make(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(max_pool_connections=32, proxies={}, **options),
        )


@contextmanager
def labkit_target() -> Iterator[Target]:
    """A fresh local cloud of labkit."""
    with tempfile.TemporaryDirectory(prefix="labkit-bench-", ignore_cleanup_errors=True) as folder:
        port = _free_port()
        keys = ("AKIABENCH00000000000", uuid.uuid4().hex)
        command = [sys.executable, "-m", "labkit.local", "--port", str(port), "--state-dir", folder]
        command += ["--access-key", keys[0], "--secret-key", keys[1]]
        endpoint = f"http://127.0.0.1:{port}"
        with _process(command, f"{endpoint}/_labkit/health", {}, folder) as (process, seconds):
            yield Target(
                "labkit",
                process,
                endpoint,
                *keys,
                seconds,
                lambda api: f"{endpoint}/_aws/execute-api/{api}/prod/visits",
            )


@contextmanager
def ministack_target() -> Iterator[Target]:
    """A fresh MiniStack (https://pypi.org/project/ministack), a development dependency."""
    with tempfile.TemporaryDirectory(prefix="labkit-bench-peer-", ignore_cleanup_errors=True) as folder:
        port = _free_port()
        endpoint = f"http://127.0.0.1:{port}"
        settings = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1"}
        settings |= {"LOG_LEVEL": "ERROR", "TMPDIR": folder, "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}
        with _process([sys.executable, "-m", "ministack"], f"{endpoint}/_ministack/health", settings, folder) as (
            process,
            seconds,
        ):
            yield Target(
                "ministack", process, endpoint, "test", "test", seconds,
                lambda api: f"{endpoint}/restapis/{api}/prod/_user_request_/visits",
            )  # fmt: skip


PEERS = {"ministack": ministack_target}


@contextmanager
def _process(
    command: list[str], health: str, settings: dict[str, str], folder: str
) -> Iterator[tuple[psutil.Process, float]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABKIT_"))}
    started = time.perf_counter()
    with (Path(folder) / "bench.log").open("wb") as log:
        process = psutil.Popen(command, env=environment | settings, stdout=log, stderr=subprocess.STDOUT)
    try:
        while not _healthy(health):
            if process.poll() is not None or time.perf_counter() - started > 30:
                raise LabkitError(f"{' '.join(command[:3])} did not start: {(Path(folder) / 'bench.log').read_text()}")
            time.sleep(0.005)
        yield process, time.perf_counter() - started
    finally:
        children = process.children(recursive=True) if process.is_running() else []
        process.terminate()
        for one in [process, *children]:
            try:
                one.wait(3)
            except psutil.TimeoutExpired:
                one.kill()


def _healthy(url: str) -> bool:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=2)
    try:
        connection.request("GET", address.path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
