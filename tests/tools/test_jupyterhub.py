"""The course on a real JupyterHub with two people, as docs/instructor-guide.md says to set one up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from urllib.parse import urljoin

import nbformat
import pytest
from playwright.sync_api import Page, expect

from labkit import local_process
from tests.browser.conftest import browser  # noqa: F401  the fixture
from tests.conftest import REPOSITORY, wait_for
from tests.running_lab import PATIENCE, run_all_cells

pytestmark = [
    pytest.mark.all_runs,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows"),
]
PEOPLE = ("ada", "bob")
NOTEBOOK = """
import labkit
from IPython.display import IFrame
labkit.connect()
labkit.catch_up("06")
IFrame(labkit.website_url(labkit.name("visits-form", bucket=True)), width="100%", height=860)
"""
CONFIGURATION = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}/courses/"
c.JupyterHub.public_url = "http://127.0.0.1:{port}/courses/"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allowed_users = {{"ada", "bob"}}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{homes}/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser", "--allow-root"]
c.Spawner.notebook_dir = "{homes}/{{username}}"
c.Spawner.environment = {environment!r}
c.Spawner.environment["LABKIT_STATE_DIR"] = lambda spawner: f"{homes}/{{spawner.user.name}}/.labkit"
c.Spawner.start_timeout = c.Spawner.http_timeout = 120
"""


@dataclass
class Hub:
    """A running hub: *url* ends with a slash; each person's home is below *homes*."""

    url: str
    homes: Path

    def cloud(self, person: str) -> dict:
        """What ``local.json`` says of a person's local cloud."""
        return local_process.find(self.homes / person / ".labkit")


@dataclass
class OneServer:
    """What ``run_all_cells`` wants to know of a JupyterLab."""

    url: str

    def wait_for_address(self) -> str:
        """The address of JupyterLab."""
        return self.url


@pytest.fixture(scope="module")
def hub(hub_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """JupyterHub behind its proxy, with a course for each of two people."""
    folder = tmp_path_factory.mktemp("hub")
    homes = folder / "homes"
    for person in PEOPLE:
        for part in ("notebooks", "site", "lambdas", "docs"):
            shutil.copytree(REPOSITORY / part, homes / person / part)
        cell = nbformat.v4.new_code_cell(NOTEBOOK.strip())
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
        nbformat.write(notebook, homes / person / "notebooks" / "97_form.ipynb")
    port, hub_port, api_port = free_ports(3)
    environment = {
        "PYTHONPATH": str(REPOSITORY),
        "JUPYTER_PATH": f"{sys.prefix}/share/jupyter",
        "JUPYTERLAB_DIR": f"{sys.prefix}/share/jupyter/lab",
        "JUPYTER_CONFIG_PATH": os.pathsep.join(
            [str(REPOSITORY / "labkit/jupyter_config"), f"{sys.prefix}/etc/jupyter"]
        ),
    }
    proxy, python = str(hub_python.with_name("configurable-http-proxy")), str(hub_python)
    (folder / "jupyterhub_config.py").write_text(CONFIGURATION.format_map(locals()))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LABKIT_", "JUPYTER"))}
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen([python, "-m", "jupyterhub"], cwd=folder, env=kept, stdout=log, stderr=log)
    running = Hub(f"http://127.0.0.1:{port}/courses/", homes)
    try:
        wait_for(lambda: answers(f"{running.url}hub/api") or process.poll() is not None, timeout=120)
        assert process.poll() is None, (folder / "hub.log").read_text()
        yield running
    finally:
        process.terminate()
        process.wait(30)
        for person in PEOPLE:
            local_process.stop(homes / person / ".labkit")


def test_two_people_use_their_own_form_at_once(hub, browser):  # noqa: F811
    """Frame, page and API go through the hub; the local cloud of the other is out of reach."""
    pages = {person: browser.new_context(viewport={"width": 1500, "height": 1000}).new_page() for person in PEOPLE}
    for person, page in pages.items():
        log_in(page, hub, person)  # which starts the person's server
    for person, page in pages.items():
        wait_for_server(page, f"{hub.url}user/{person}/lab")

    for person, page in pages.items():
        page.requested = []
        page.on("request", lambda request, page=page: page.requested.append(request.url))
        server = OneServer(f"{hub.url}user/{person}/lab/")
        run_all_cells(page, server, hub.homes / person / "notebooks" / "97_form.ipynb")

    for person, page in pages.items():
        form = page.locator(".jp-OutputArea-output iframe").content_frame
        send_visit(form, person)
        asked = {url.partition("/_aws/")[0] for url in page.requested if "/_aws/" in url}
        assert asked == {hub.cloud(person)["public_url"]}
        assert asked == {f"{hub.url}user/{person}/proxy/{hub.cloud(person)['port']}"}
    assert hub.cloud("ada")["port"] != hub.cloud("bob")["port"]
    assert pages["bob"].goto(local_process.page_url(hub.cloud("bob"), "inbox")).status == 200
    assert pages["ada"].goto(local_process.page_url(hub.cloud("bob"), "inbox")).status == 403
    neighbour = urljoin(hub.cloud("ada")["public_url"], str(hub.cloud("bob")["port"]))
    assert pages["ada"].goto(f"{neighbour}/_labkit/inbox?labkit-token={hub.cloud('ada')['token']}").status == 403
    for page in pages.values():
        page.context.close()


def log_in(page: Page, hub: Hub, person: str) -> None:
    page.goto(hub.url, timeout=PATIENCE)
    page.fill("#username_input", person)
    page.fill("#password_input", "any, it is the dummy authenticator")
    with page.expect_navigation(timeout=PATIENCE):
        page.click("#login_submit")


def wait_for_server(page: Page, lab: str) -> None:
    """Ask for the server itself: the Python proxy may cut off the events of the page that waits for it."""
    wait_for(lambda: runs(page, lab), timeout=PATIENCE / 1000)


def runs(page: Page, lab: str) -> bool:
    answer = page.goto(lab, timeout=PATIENCE)
    if answer.ok and page.url.startswith(lab):
        return True
    page.wait_for_timeout(500)
    return False


def send_visit(form, customer: str) -> None:
    for field, value in {"ProductId": "P-1", "ProductName": "Trail Shoe", "PricePerUnit": "89.90"}.items():
        form.locator(f"#{field}").fill(value, timeout=PATIENCE)
    form.locator("#Category").select_option("Shoes")
    form.locator("#CustomerId").fill("C-1")
    form.locator("#CustomerName").fill(customer)
    form.get_by_role("button").click()
    expect(form.locator("#answer")).to_contain_text("The visit is accepted", timeout=30_000)


def free_ports(count: int) -> list[int]:
    sockets = [socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except OSError:  # nobody listens, or the proxy does not know the hub yet
        return False
    return True
