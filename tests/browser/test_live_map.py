"""The live map in the system's Chromium: the course's application, built by its own notebooks, and what flows in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3
from playwright.sync_api import expect

from labkit import local_process
from labkit.synthetic_visits import visits
from tests.conftest import REPOSITORY

pytestmark = [pytest.mark.slow]
SENDER = "ProductVisitSendDataToQueue"


@pytest.fixture(scope="module")
def lab(cloud, tmp_path_factory):
    """A lab with what the notebooks up to 07 build; the map shows only its parts."""
    state, lab_id = tmp_path_factory.mktemp("map"), f"m{uuid.uuid4().hex[:8]}"
    shutil.copy(Path(cloud["state_dir"], "local.json"), state)
    subprocess.run(
        [sys.executable, "-m", "labkit.cli", "catch-up", "08", "--lab-id", lab_id],
        env={**os.environ, "LABKIT_STATE_DIR": str(state)}, cwd=REPOSITORY, check=True, capture_output=True,
    )  # fmt: skip
    return lab_id


@pytest.fixture
def open_map(browser, cloud, lab):
    """``open_map()``: the map of the lab; the console's errors and the hosts that were asked are on the page."""
    opened = []

    def open_one(**options):
        context = browser.new_context(viewport={"width": 1900, "height": 1000}, **options)
        page = context.new_page()
        page.errors, page.hosts = [], set()
        page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: page.hosts.add(urlsplit(request.url).netloc))
        page.goto(local_process.page_url(cloud, "map", lab=lab))
        opened.append(context)
        return page

    yield open_one
    for context in opened:
        context.close()


def box(page, name):
    return page.locator(".lm-part").filter(has=page.get_by_text(name, exact=True))


def row(page, name):
    return page.locator("table tbody tr").filter(has=page.get_by_role("cell", name=name, exact=True))


def send_visit(client, cloud, lab):
    api = next(one["id"] for one in client("apigateway").get_rest_apis()["items"] if one["name"].endswith(lab))
    url = f"{cloud['endpoint']}/_aws/execute-api/{api}/prod/visits"
    return urllib3.request("POST", url, json=visits(1)[0], timeout=30).status


def test_a_visit_is_seen_on_its_way_and_told_in_words(open_map, client, cloud, lab):
    """Boxes, table and the last events; nothing is asked of any other host."""
    page = open_map()
    expect(box(page, "ProductVisits")).to_have_count(2)  # the API and the table
    expect(row(page, "ProductVisitHandler")).to_contain_text("there")

    assert send_visit(client, cloud, lab) == 202

    expect(page.get_by_role("listitem").filter(has_text="POST /prod/visits → 202")).to_have_count(1)
    expect(page.get_by_role("listitem").filter(has_text=f"ProductVisitHandler-{lab} got a batch of 1")).to_have_count(1)
    expect(box(page, SENDER)).to_contain_text("invocations: 1")
    expect(row(page, SENDER)).to_contain_text("ProductVisitsDataQueue (SendMessage)")
    expect(row(page, "ProductVisitsDataQueue")).to_contain_text("ProductVisitHandler (event source mapping)")
    expect(row(page, "ProductVisitHandler")).to_contain_text("ProductVisits (BatchWriteItem)")
    expect(row(page, "visits-datalake")).to_contain_text("objects: 1")
    assert (page.errors, page.hosts) == ([], {urlsplit(cloud["endpoint"]).netloc})
    expect(page.locator(".lm svg path[marker-end]").nth(5)).to_be_attached()  # drawn with the next frame


def test_a_failure_is_said_in_words_and_not_by_colour_alone(open_map, client, lab):
    """A message on the dead-letter queue, a function that raises."""
    page = open_map()
    sqs = client("sqs")
    sqs.send_message(
        QueueUrl=sqs.get_queue_url(QueueName=f"ProductVisitsDeadLetterQueue-{lab}")["QueueUrl"], MessageBody="poison"
    )
    client("lambda").invoke(FunctionName=f"{SENDER}-{lab}", Payload=json.dumps(["no event"]))

    expect(box(page, "ProductVisitsDeadLetterQueue")).to_contain_text("! 1 failed message on it")
    expect(box(page, SENDER)).to_contain_text("! its last invocation failed")
    expect(page.get_by_role("status")).to_contain_text("2 failing")
    expect(row(page, SENDER)).to_contain_text("failing: its last invocation failed")
    expect(page.get_by_role("listitem").filter(has_text=f"{SENDER}-{lab} FAILED")).to_have_count(1)


def test_whoever_asked_for_less_motion_gets_none(open_map, client, cloud, lab):
    """The change is still seen: the number, and what came in."""
    page = open_map(reduced_motion="reduce")
    expect(box(page, SENDER)).to_have_count(1)

    send_visit(client, cloud, lab)

    expect(box(page, SENDER).locator(".lm-new")).to_have_text("+1 invocations")
    assert page.evaluate(
        "() => document.getAnimations().filter((one) => one.playState === 'running').length"
    ) == 0  # fmt: skip


def test_without_the_token_the_page_says_which_link_to_open(browser, cloud):
    """The page itself holds no secret."""
    page = browser.new_page()
    page.goto(f"{cloud['endpoint']}/_labkit/map")

    expect(page.get_by_role("status")).to_contain_text("needs the token of the local cloud")
    page.close()
