"""AWS's own runtime client runs unmodified against our Runtime API."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import pytest

from labkit.local.lambda_runtime.runtime_api import Invocation, RuntimeApi

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="awslambdaric is built for Linux only")
SOURCE = """def handler(event, context):
    if event.get('fail'): raise ValueError('no')
    return {'got': event, 'id': context.aws_request_id}
"""


async def run(tmp_path, *events):
    """Start awslambdaric and let it run *events*; return payloads and error types."""
    (tmp_path / "app.py").write_text(SOURCE)
    api = RuntimeApi()
    variables = {
        "AWS_LAMBDA_RUNTIME_API": await api.listen(), "_HANDLER": "app.handler", "LAMBDA_TASK_ROOT": str(tmp_path),
        "AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "AWS_LAMBDA_LOG_GROUP_NAME": "g", "AWS_LAMBDA_LOG_STREAM_NAME": "s",
        "PATH": os.environ["PATH"],
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "awslambdaric", "app.handler", cwd=tmp_path, env=variables
    )
    try:
        results = []
        for number, event in enumerate(events):
            invocation = Invocation(
                f"id-{number}",
                "arn:aws:lambda:us-east-1:123456789012:function:f",
                json.dumps(event).encode(),
                time.time() + 30,
                "Root=1",
            )
            api.offer(invocation)
            payload, error_type = await asyncio.wait_for(invocation.result, 30)
            results.append((json.loads(payload), error_type))
        return results
    finally:
        process.kill()
        await process.wait()
        api.close()


def test_the_published_runtime_client_runs_against_our_runtime_api(tmp_path):
    """Proof that we speak AWS's protocol and not only our worker's idea of it."""
    answered, failed = asyncio.run(run(tmp_path, {"a": 1}, {"fail": True}))

    assert answered == ({"got": {"a": 1}, "id": "id-0"}, "")
    assert (failed[0]["errorType"], failed[0]["errorMessage"], failed[1]) == ("ValueError", "no", "Unhandled")
