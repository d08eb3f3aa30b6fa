"""AWS Chalice, a framework that deploys by plain API calls, with the keys of ``labkit env`` and nothing else."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(600)  # the first test of a tool makes .venv-tools

CHALICE = "from chalice.cli import main; raise SystemExit(main())"
APP = """
from chalice import Chalice, NotFoundError

app = Chalice(app_name="{name}")


@app.route("/visits/{{product}}")
def seen(product):
    if product == "none":
        raise NotFoundError("{answer}")
    return {{"product": product, "query": app.current_request.query_params}}


@app.route("/visits", methods=["POST"], cors=True)
def visit():
    return {{"stored": app.current_request.json_body, "path": app.current_request.context["path"]}}
"""


@pytest.fixture
def project(tmp_path: Path, unique: Callable[[str], str]) -> Callable[[str], Path]:
    """``project("gone")`` writes the application, and what it answers where there is nothing."""
    name = unique("visits")
    folder = tmp_path / name

    def write(answer: str) -> Path:
        (folder / ".chalice").mkdir(parents=True, exist_ok=True)
        (folder / "requirements.txt").touch()
        (folder / "app.py").write_text(APP.format(name=name, answer=answer))
        config = {"version": "2.0", "app_name": name, "stages": {"dev": {"api_gateway_stage": "api"}}}
        (folder / ".chalice" / "config.json").write_text(json.dumps(config))
        return folder

    return write


def call(url: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
    """Status, body and headers of an answer."""
    data = None if body is None else json.dumps(body).encode()
    names = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, data, names, method=method)
    try:
        answer = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        text = answer.read()
        return answer.status, json.loads(text) if text else None, {k.lower(): v for k, v in answer.headers.items()}


def test_an_application_is_deployed_called_changed_and_deleted(
    run_tool: Callable[..., Any],
    project: Callable[[str], Path],
    cloud: dict[str, Any],
    client: Callable[..., Any],
):
    """Role, function, permission and an API from a Swagger document; the second time the API is overwritten."""
    folder = project("gone")
    said = run_tool("-c", CHALICE, "deploy", cwd=folder).stdout
    api_id = re.search(r"https://(\w+)\.execute-api", said)[1]
    address = f"{cloud['endpoint']}/_aws/execute-api/{api_id}/api"

    assert call(f"{address}/visits/p1?page=2")[:2] == (200, {"product": "p1", "query": {"page": "2"}})
    status, body, headers = call(f"{address}/visits", "POST", {"ProductId": "p1"})
    assert (status, body) == (200, {"stored": {"ProductId": "p1"}, "path": "/api/visits"})
    assert headers["access-control-allow-origin"] == "*"
    preflight = call(f"{address}/visits", "OPTIONS")
    assert (preflight[0], preflight[2]["access-control-allow-methods"]) == (200, "POST,OPTIONS")
    assert call(f"{address}/visits/none")[:2] == (404, {"Code": "NotFoundError", "Message": "gone"})

    project("sold out")
    again = run_tool("-c", CHALICE, "deploy", cwd=folder).stdout
    assert api_id in again
    assert call(f"{address}/visits/none")[1]["Message"] == "sold out"

    run_tool("-c", CHALICE, "delete", cwd=folder)
    assert api_id not in [api["id"] for api in client("apigateway").get_rest_apis(limit=500)["items"]]
    assert call(f"{address}/visits/p1")[0] == 403
    functions = client("lambda").get_paginator("list_functions").paginate()
    assert [one for page in functions for one in page["Functions"] if folder.name in one["FunctionName"]] == []
