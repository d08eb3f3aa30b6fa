"""Notebooks in JupyterLab as a learner has them: opened by ``labkit lab`` and run from the menu, in Chromium."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urljoin

import nbformat
import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from labkit import local_process
from tests.conftest import REPOSITORY, make_client, wait_for
from tests.running_lab import RunningLab, run_all_cells

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module", params=["on this computer", "behind a proxy"])
def jupyter(request, tmp_path_factory) -> Iterator[RunningLab]:
    """JupyterLab on a copy of the course, since JupyterLab saves what it runs."""
    proxied = request.param == "behind a proxy"
    options = ("--ServerApp.base_url=/user/ada/", "--ServerApp.allow_remote_access=True") if proxied else ()
    course, state = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("state")
    for folder in ("notebooks", "site", "lambdas", "docs"):
        shutil.copytree(REPOSITORY / folder, course / folder)
    lab = RunningLab(state, jupyter=options, cwd=course, LABKIT_SIZE="small", PYTHONPATH=str(REPOSITORY))
    yield lab
    lab.end()
    local_process.stop(state)


@pytest.fixture
def run_notebook(jupyter: RunningLab, browser: Browser):
    """``run_notebook("02")``: open the notebook, choose Run All Cells, and return the page when all cells have run."""
    opened: list[Page] = []

    def run(number: str) -> Page:
        path = next((jupyter.course / "notebooks").glob(f"{number}_*.ipynb"))
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.requested = []
        page.on("request", lambda request: page.requested.append(request.url))
        opened.append(page)
        run_all_cells(page, jupyter, path)
        return page

    yield run
    for page in opened:
        page.close()


def errors(page: Page) -> list[str]:
    """What cells that failed have said."""
    return page.locator('[data-mime-type="application/vnd.jupyter.error"]').all_inner_texts()


def output(page: Page) -> str:
    """The text of all outputs."""
    return "\n".join(page.locator(".jp-OutputArea-output").all_inner_texts())


def form_in(page: Page) -> FrameLocator:
    """The form in the output of its cell."""
    frame = page.locator(".jp-OutputArea-output iframe")
    frame.scroll_into_view_if_needed()
    return frame.content_frame


@pytest.mark.parametrize("jupyter", ["on this computer"], indirect=True, scope="module")
def test_notebook_00_runs_and_its_contents_are_listed_beside_it(run_notebook):
    """What a learner sees first."""
    page = run_notebook("00")

    assert errors(page) == []
    assert re.search(r"Connected to the local cloud[^!]*\nReady\.", output(page))
    assert "00 ✓ core" in output(page)
    expect(page.locator(".jp-TableOfContents-tree").get_by_text("How do you know it works")).to_be_visible()
    expect(page.locator(".jp-RenderedMermaid svg, .jp-RenderedMermaid img").first).to_be_visible()


def test_notebook_02_shows_the_form_of_the_website(run_notebook, jupyter):
    """Published by the learner's own cells, shown by the browser that the learner sits at."""
    page = run_notebook("02")

    assert errors(page) == []
    assert "files are open to readers, and only to readers" in output(page)
    expect(form_in(page).get_by_role("heading", name="Product visit")).to_be_visible()
    assert origins(page, "s3-website") == {website_origin(jupyter)}


def test_notebook_04_has_a_form_that_works(run_notebook, jupyter):
    """The click of the learner crosses the API: the receipt is shown."""
    catch_up(jupyter, "04")
    page = run_notebook("04")

    assert errors(page) == []
    assert "the form knows the address" in output(page)
    form = form_in(page)
    for field, value in {"ProductId": "P-1", "ProductName": "Trail Shoe", "PricePerUnit": "89.90"}.items():
        form.locator(f"#{field}").fill(value)
    form.locator("#Category").select_option("Shoes")
    form.locator("#CustomerId").fill("C-1")
    form.locator("#CustomerName").fill("Ada")
    form.get_by_role("button").click()
    expect(form.locator("#answer")).to_contain_text("The visit is accepted", timeout=30_000)
    assert origins(page, "s3-website") == {website_origin(jupyter)}
    assert origins(page, "execute-api") == {api_origin(jupyter)}


def test_the_live_map_in_a_notebook_follows_the_queue(run_notebook, jupyter):
    """The widget is fed by the kernel, so it works behind a proxy, too; the same stands below it as a table."""
    catch_up(jupyter, "04")
    source = "import labkit\nlab = labkit.connect()\nlabkit.live_pipeline()"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)], metadata={"kernelspec": kernel})
    nbformat.write(notebook, jupyter.course / "notebooks" / "97_live_map.ipynb")
    page = run_notebook("97")
    assert errors(page) == []
    queue = page.locator(".jp-OutputArea .lm-part").filter(has=page.get_by_text("ProductVisitsDataQueue", exact=True))
    before = int(queue.locator(".lm-facts").inner_text().split(": ")[1].split()[0])

    sqs = make_client(local_process.find(jupyter.state), "sqs")
    url = sqs.get_queue_url(QueueName="ProductVisitsDataQueue-lab")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="one more")

    expect(queue).to_contain_text(f"waiting: {before + 1}")
    expect(page.locator(".jp-OutputArea .dataframe")).to_contain_text("ProductVisitsDataQueue-lab")
    sqs.close()


def test_the_link_in_a_mail_confirms_a_subscription(jupyter, browser):
    """From the inbox, wherever the browser is: the learner clicks it in notebook 09."""
    jupyter.wait_for_address()
    described = local_process.find(jupyter.state)
    sns = make_client(described, "sns")
    topic = sns.create_topic(Name="Alerts")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ada@example.com")
    page = browser.new_page()
    page.goto(jupyter.url)  # a browser that has logged in to JupyterLab
    inbox = urljoin(jupyter.url, local_process.page_url(described, "inbox", address="ada@example.com"))
    wait_for(lambda: page.goto(inbox) and page.get_by_role("link").count())

    page.get_by_role("link").first.click()

    expect(page.locator("body")).to_contain_text("Subscription confirmed")
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsConfirmed"] == "1"
    page.close()
    sns.close()


@pytest.mark.parametrize("jupyter", ["behind a proxy"], indirect=True, scope="module")
def test_the_host_name_of_a_hub_is_accepted_from_its_proxy_only(jupyter):
    """Nobody tells the local cloud the name: it knows the path that the proxy stands on."""
    described = local_process.find(jupyter.state) if jupyter.wait_for_address() else {}
    inbox = local_process.page_url(described, "inbox")

    assert b"Inbox" in jupyter.get(inbox, Host="hub.example.org")
    directly = urllib.request.Request(
        f"{described['endpoint']}{inbox.removeprefix(described['public_url'])}", headers={"Host": "hub.example.org"}
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(directly, timeout=10)
    with pytest.raises(
        urllib.error.HTTPError, match="403"
    ):  # calls of AWS are the kernel's, and it is on this computer
        jupyter.get(described["public_url"] + "/", Host="hub.example.org")


def origins(page: Page, service: str) -> set[str]:
    """Where the browser's requests to a service went: scheme, host and port, and the path before the service's own."""
    return {url.partition("/_aws/")[0] for url in page.requested if f"/_aws/{service}/" in url}


def website_origin(jupyter: RunningLab) -> str:
    """Where the website is for the browser."""
    described = local_process.find(jupyter.state)
    if described["public_url"] == described["endpoint"]:
        return described["endpoint"].replace("127.0.0.1", "localhost")
    return urljoin(jupyter.url, described["public_url"])


def api_origin(jupyter: RunningLab) -> str:
    """Where the API is for the browser: another origin, but behind a proxy."""
    return urljoin(jupyter.url, local_process.find(jupyter.state)["public_url"])


def catch_up(jupyter: RunningLab, number: str) -> None:
    """Build what a notebook needs, as a learner does in a terminal."""
    variables = {**os.environ, "LABKIT_STATE_DIR": str(jupyter.state), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "labkit.cli", "catch-up", number]
    subprocess.run(command, env=variables, cwd=jupyter.course, check=True, capture_output=True)
