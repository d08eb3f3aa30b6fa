"""Notebooks in JupyterLab as a learner has them: opened by ``labkit lab`` and run from the menu, in Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from labkit import local_process
from tests.conftest import REPOSITORY
from tests.running_lab import RunningLab

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
PATIENCE = 120_000  # a busy computer takes long to start a kernel


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory) -> Iterator[RunningLab]:
    """JupyterLab on a copy of the course, since JupyterLab saves what it runs."""
    course, state = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("state")
    for folder in ("notebooks", "site", "lambdas", "docs"):
        shutil.copytree(REPOSITORY / folder, course / folder)
    lab = RunningLab(state, cwd=course, LABKIT_SIZE="small", PYTHONPATH=str(REPOSITORY))
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
        opened.append(page)
        page.goto(address_of(jupyter, path), timeout=PATIENCE)
        expect(page.locator("#jp-main-statusbar")).to_contain_text("Idle", timeout=PATIENCE)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        page.wait_for_function(
            HAVE_RUN, arg=sum(cell["cell_type"] == "code" for cell in cells), timeout=PATIENCE, polling=200
        )
        return page

    yield run
    for page in opened:
        page.close()


# The last cell has its number; a cell that failed stops the rest, and is shown by the assertion on errors.
HAVE_RUN = """(count) => {
    const prompts = [...document.querySelectorAll(".jp-CodeCell .jp-InputArea-prompt")].map((one) => one.textContent);
    const failed = document.querySelector('[data-mime-type="application/vnd.jupyter.error"]');
    return failed || prompts.includes(`[${count}]:`);
}"""


def address_of(jupyter: RunningLab, path: Path) -> str:
    """A workspace of its own for each notebook but the first, so that a page shows one notebook."""
    printed = urlsplit(jupyter.wait_for_address())
    if path.name.startswith("00"):
        return printed.geturl()
    before = printed.path.partition("/lab/")[0]
    return printed._replace(path=f"{before}/lab/workspaces/{path.stem}/tree/notebooks/{path.name}").geturl()


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


def test_notebook_00_runs_and_its_contents_are_listed_beside_it(run_notebook):
    """What a learner sees first."""
    page = run_notebook("00")

    assert errors(page) == []
    assert re.search(r"Connected to the local cloud.*\nReady\.", output(page))
    assert "00 ✓ core" in output(page)
    expect(page.locator(".jp-TableOfContents-tree").get_by_text("How do you know it works")).to_be_visible()
    expect(page.locator(".jp-RenderedMermaid svg, .jp-RenderedMermaid img").first).to_be_visible()


def test_notebook_02_shows_the_form_of_the_website(run_notebook):
    """Published by the learner's own cells, shown by the browser that the learner sits at."""
    page = run_notebook("02")

    assert errors(page) == []
    assert "files are open to readers, and only to readers" in output(page)
    expect(form_in(page).get_by_role("heading", name="Product visit")).to_be_visible()


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


def catch_up(jupyter: RunningLab, number: str) -> None:
    """Build what a notebook needs, as a learner does in a terminal."""
    variables = {**os.environ, "LABKIT_STATE_DIR": str(jupyter.state), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "labkit.cli", "catch-up", number]
    subprocess.run(command, env=variables, cwd=jupyter.course, check=True, capture_output=True)
