"""Checks of notebook 04: a proxy answer, tried through the API; a key on a plan, tried by posting."""

from __future__ import annotations

import concurrent.futures
import json
import math
import time
from collections.abc import Callable
from typing import Any

import boto3
import urllib3

from labkit.checks.prediction import prediction
from labkit.checks.verdict import Verdict, correct, not_attempted, not_yet
from labkit.cloud import settings
from labkit.endpoints import invoke_url
from labkit.names import name
from labkit.synthetic_visits import visits

MESSAGE = "The price is missing."
MEMBERS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
ALLOW_ORIGIN = "Access-Control-Allow-Origin"
SUPPLIERS = "/supplier-visits"
POSTS, BURST = 20, 5


def _api_id() -> str | None:
    pages = boto3.client("apigateway").get_paginator("get_rest_apis").paginate()
    return next((api["id"] for page in pages for api in page["items"] if api["name"] == name("ProductVisits")), None)


def _resource(api_id: str, path: str) -> dict[str, Any] | None:
    items = boto3.client("apigateway").get_resources(restApiId=api_id, limit=500, embed=["methods"])["items"]
    return next((dict(item) for item in items if item["path"] == path), None)


def _send(method: str, url: str, *, json_body: Any = None, key: str = "") -> urllib3.BaseHTTPResponse:
    headers = {"Content-Type": "application/json"} | ({"x-api-key": key} if key else {})
    body = None if method == "OPTIONS" else json.dumps(json_body).encode()
    return urllib3.request(method, url, body=body, headers=headers, retries=False, timeout=30)


def refusal(refuse: Callable[[str], Any]) -> Verdict:
    """Send what the learner's function returns through the API, and look at what a client gets."""
    if not callable(refuse):
        return not_yet("refuse must be a function that takes a message: def refuse(message): …")
    returned = refuse(MESSAGE)
    if returned is ... or returned is None:
        return not_attempted("write the body of refuse(message), run its cell, then run this one again")
    try:
        json.dumps(returned)
    except TypeError as error:
        return not_yet(f"a function's return value must be JSON, and this is not: {error}")
    api_id = _api_id()
    if api_id is None or _resource(api_id, "/echo") is None:
        return not_yet("there is no /echo to try your answer with; run the cells of 'HTTP becomes an event' first")
    answer = _send("POST", invoke_url(api_id, "prod", kernel=True) + "/echo", json_body=returned)
    if answer.status == 502:
        return not_yet(f"the client gets 502, {_malformed(returned)}")
    if answer.status != 400:
        return not_yet(_wrong_status(answer.status))
    return _read_by_page(answer)


def _malformed(returned: Any) -> str:
    if not isinstance(returned, dict):
        return f"since the function returned {type(returned).__name__}; it must return a dict"
    if extra := sorted(set(returned) - MEMBERS):
        return (
            f"since {extra[0]!r} may not stand on the top level; only statusCode, headers, body and their like. "
            "Put it into the body"
        )
    if not isinstance(returned.get("body"), str):
        return f"since body is a {type(returned.get('body')).__name__}; it must be text: json.dumps it"
    return "so something in it is not as a proxy integration wants it; compare with 'as agreed' above"


def _wrong_status(status: int) -> str:
    if 200 <= status < 300:
        return (
            f"the client gets status {status}, so every program takes it for a success and reads no further; "
            "set statusCode to 400"
        )
    return f"the client gets status {status}; a bad request of the client's is 400"


def _read_by_page(answer: urllib3.BaseHTTPResponse) -> Verdict:
    try:
        body = json.loads(answer.data)
    except ValueError:
        return not_yet(f"the body is {answer.data.decode(errors='replace')!r:.80}, which is not JSON; use json.dumps")
    if not isinstance(body, dict) or body.get("message") != MESSAGE:
        return not_yet(f'the body is {body!r:.80}; it should be {{"message": message}}')
    if ALLOW_ORIGIN not in answer.headers:
        return not_yet(
            f"400 and the message arrive, but without the header {ALLOW_ORIGIN}: the browser hides them from the page"
        )
    return correct(f"the client gets 400 and {body!r}, and the page may read it")


def supplier_plan(key: Any) -> Verdict:
    """Post 20 times at once with the key, once without it, and send a preflight."""
    api_id = _api_id()
    suppliers = _resource(api_id, SUPPLIERS) if api_id else None
    if api_id is None or suppliers is None:
        return not_yet(f"there is no {SUPPLIERS} in the API; run the cell above that opens the path first")
    if not isinstance(key, str):
        return not_yet(f"supplier_key should be the key's value, a text; it is a {type(key).__name__}")
    url = invoke_url(api_id, "prod", kernel=True) + SUPPLIERS
    if (preflight := _send("OPTIONS", url).status) != 200:
        return not_yet(
            f"the preflight gets {preflight}: a browser sends no key with OPTIONS, so only POST may ask for one "
            "(and deploy again)"
        )
    if _send("POST", url, json_body=visits(1)[0]).status != 403:
        return not_yet(_still_open(suppliers))
    plan, problem = _plan_of(api_id, key)
    if plan is None:
        return not_yet(problem)
    return _count(url, key, plan)


def _still_open(suppliers: dict[str, Any]) -> str:
    asks = suppliers["resourceMethods"].get("POST", {}).get("apiKeyRequired")
    if asks:
        return (
            "POST asks for a key in the drawing, but not in the photograph: a POST without a key still passes. Deploy"
        )
    return "a POST without a key passes; set apiKeyRequired of POST to true, and deploy"


def _plan_of(api_id: str, key: str) -> tuple[dict[str, Any] | None, str]:
    """Find the usage plan by which *key* may call the stage, or what is in the way."""
    apigateway = boto3.client("apigateway")
    pages = apigateway.get_paginator("get_api_keys").paginate(includeValues=True)
    keys = [one for page in pages for one in page["items"]]
    found = next((one for one in keys if one["value"] == key), None)
    if found is None:
        if any(one["id"] == key for one in keys):
            return None, "that is the key's id; clients send its value"
        return None, "there is no API key with this value; create_api_key answers with one in its value"
    if not found.get("enabled"):
        return None, "the key is not enabled: create_api_key needs enabled=True"
    plans = apigateway.get_usage_plans(keyId=found["id"], limit=500)["items"]
    if not plans:
        return None, "the key is on no usage plan, so every request gets 403; create_usage_plan_key puts it on one"
    here = {"apiId": api_id, "stage": "prod"}
    of_stage = [plan for plan in plans if here in [_place(dict(stage)) for stage in plan.get("apiStages", [])]]
    if not of_stage:
        return None, "the key's plan does not name this API's stage prod in apiStages, so every request gets 403"
    return dict(of_stage[0]), ""


def _place(stage: dict[str, Any]) -> dict[str, Any]:
    return {"apiId": stage["apiId"], "stage": stage["stage"]}


def _count(url: str, key: str, plan: dict[str, Any]) -> Verdict:
    throttle = plan.get("throttle") or {}
    if not throttle:
        return not_yet(f"the plan sets no throttle, so all {POSTS} posts pass; give it a rateLimit and a burstLimit")
    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(POSTS) as pool:
        answers = list(pool.map(lambda one: _send("POST", url, json_body=one, key=key).status, visits(POSTS)))
    refilled = math.ceil(float(throttle.get("rateLimit") or 0) * (time.monotonic() - began))
    passed, refused = answers.count(202), answers.count(429)
    said = f"of {POSTS} quick posts {passed} passed and {refused} got 429"
    if passed + refused < POSTS:
        other = next(status for status in answers if status not in (202, 429))
        return not_yet(f"{said}; but one got {other}, which is neither")
    if settings()["cloud"] == "aws" and passed and refused:
        return correct(f"{said}: throttles on AWS are best effort")
    if BURST <= passed <= BURST + refilled and throttle.get("burstLimit") == BURST:
        return correct(f"{said}; without a key 403, the preflight without a key 200")
    if passed < BURST == throttle.get("burstLimit"):
        return not_yet(f"{said}: you have just used the bucket, it was not full; wait a while and check again")
    return not_yet(f"{said}; the bucket should hold {BURST} tokens (burstLimit) and fill slowly (rateLimit 1 or less)")


CHECKS: dict[str, Callable[..., Verdict]] = {
    "1": refusal,
    "2": supplier_plan,
    "predict": prediction(
        right="a",
        replies={
            "a": "yes: everybody on the way only waits. The client gets 502, and it alone still has the visit.",
            "b": "API Gateway keeps nothing and calls once: it waits, and passes the failure on, as 502.",
            "c": "only the function sends to the mailbox, and it raised before it got there: the mailbox has nothing.",
        },
    ),
}
