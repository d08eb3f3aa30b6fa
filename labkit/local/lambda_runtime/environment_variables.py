"""The environment of a function's process.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from labkit.local.lambda_runtime.function import Function


def environment_variables(
    function: Function, keys: Any, *, stream: str, task_root: Path, layers: Path | None, endpoint: str
) -> dict[str, str]:
    """Return the whole environment of a function's process: AWS's variables, the endpoint, the function's own.

    *layers* is the folder that stands for /opt, if the function has layers.
    """
    variables = {
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": str(task_root),
        "LAMBDA_RUNTIME_DIR": str(Path(__file__).parent),
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
        "LC_CTYPE": "C.UTF-8",
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_SESSION_TOKEN": keys.session_token,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "PATH": os.defpath,
    }
    if layers:
        variables["PATH"] = os.pathsep.join([os.defpath, str(layers / "bin")])
    if function.runtime.startswith("nodejs"):
        variables["NODE_PATH"] = os.pathsep.join(_node_path(function.runtime, task_root, layers))
    if sys.platform == "win32":
        del variables["TZ"]  # Windows reads TZ in another way
        variables["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    return {**function.variables, **variables}


def _node_path(runtime: str, task_root: Path, layers: Path | None) -> list[str]:
    major = runtime.removeprefix("nodejs").removesuffix(".x")
    found = [layers / "nodejs" / f"node{major}" / "node_modules", layers / "nodejs" / "node_modules"] if layers else []
    return [*map(str, found), str(task_root)]
