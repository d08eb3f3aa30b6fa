"""The runtimes: which of them Lambda still takes, which run here, and on what.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

from labkit.local.lambda_runtime.names import invalid

TAKEN = (
    "nodejs20.x", "python3.14", "provided.al2023", "python3.12", "python3.13", "nodejs24.x", "nodejs22.x", "java25",
    "python3.10", "python3.11", "java21", "ruby3.3", "ruby3.4", "ruby3.2", "python3.8", "python3.9", "java17",
    "nodejs16.x", "dotnet10", "dotnet8", "java11", "dotnet6", "nodejs18.x", "provided.al2", "java8.al2",
)  # fmt: skip
GONE = re.compile(
    r"python2\.7|python3\.[67]|nodejs|nodejs4\.3(-edge)?|nodejs6\.10|nodejs8\.10|nodejs1[024]\.x|java8|go1\.x|provided"
    r"|ruby2\.[57]|dotnet(core[123]\.[01]|5\.0|7)"
)
WORKER = Path(__file__).with_name("worker.py")
NODE_WORKER = Path(__file__).with_name("worker.mjs")
OLDEST_NODE = 18


def check_runtime(runtime: str) -> None:
    """Refuse what Lambda does not take (any more), and what cannot run here.

    Raises:
        AwsError: ``InvalidParameterValueException``.
    """
    if GONE.fullmatch(runtime):
        raise invalid(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
            "We recommend you use a supported runtime while creating or updating functions."
        )
    if runtime not in TAKEN:
        raise invalid(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
            f"[{', '.join(TAKEN)}] or be a valid ARN"
        )
    if runtime.startswith("nodejs"):
        _check_node(runtime)
    elif not runtime.startswith("python"):
        raise invalid(f"The local cloud runs python3.x and nodejs2x.x functions only; Runtime was {runtime!r}.")


def _check_node(runtime: str) -> None:
    where = "on the PATH of the local cloud; install Node.js and start the local cloud again"
    if not node():
        raise invalid(f"The local cloud runs {runtime} with the command `node`, and there is none {where}.")
    if int(node_version().partition(".")[0] or 0) < OLDEST_NODE:
        raise invalid(
            f"The local cloud runs {runtime} with Node.js {OLDEST_NODE} or newer, and `node` {where.partition(';')[0]} "
            f"is {node_version() or 'of an unknown version'}."
        )


def command(runtime: str, layers: Path | None) -> list[str]:
    """Return the command of an execution environment; *layers* is the folder that stands for /opt, if there is one."""
    if runtime.startswith("nodejs"):
        return [node(), str(NODE_WORKER)]
    found = [layers / "python" / "lib" / runtime / "site-packages", layers / "python"] if layers else []
    return [sys.executable, "-I", "-S", str(WORKER), _site_packages(), *map(str, found)]


def runs_on(runtime: str) -> str:
    """Return what INIT_START adds to the runtime's version: the language's real version, where it is another one."""
    language, wanted = language_and_version(runtime)
    real = node_version() if language == "nodejs" else platform.python_version()
    minor = ".".join(real.split(".")[: len(wanted.split("."))])
    name = "Node.js" if language == "nodejs" else "Python"
    return "" if minor == wanted else f" (runs on {name} {minor} here)"


def language_and_version(runtime: str) -> tuple[str, str]:
    """Split ``"python3.13"`` into ``("python", "3.13")`` and ``"nodejs22.x"`` into ``("nodejs", "22")``."""
    language = "nodejs" if runtime.startswith("nodejs") else "python"
    return language, runtime.removeprefix(language).removesuffix(".x")


@functools.lru_cache
def runtime_arn(region: str, runtime: str) -> str:
    """Return the ARN of the version of a runtime, the same as long as the interpreter is the same."""
    digest = hashlib.sha256(f"{runtime} {platform.python_version()}".encode()).hexdigest()
    return f"arn:aws:lambda:{region}::runtime:{digest}"


def node() -> str:
    """Return the path of Node.js, ``""`` where there is none."""
    return shutil.which("node") or ""


@functools.lru_cache
def node_version() -> str:
    """Return the version of Node.js, such as ``"22.11.0"``; ``""`` when it does not say."""
    try:
        asked = subprocess.run([node(), "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip().removeprefix("v")


def _site_packages() -> str:
    spec = importlib.util.find_spec("boto3")
    return str(Path(spec.origin).parent.parent) if spec and spec.origin else ""
