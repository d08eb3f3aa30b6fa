"""Make ``docs/screenshots/``: notebooks after a run in JupyterLab, the form, the inbox and the live map.

From the checkout's root, with the development tools and Chromium installed::

    python -m docs.make_screenshots          # all, a few minutes
    python -m docs.make_screenshots map form # some
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import boto3
from jupyterlab_server.workspaces_handler import WorkspacesManager
from playwright.sync_api import Browser, Page, expect, sync_playwright

import labkit
from labkit import jupyter_lab, local_process
from labkit.cloud import settings
from tests.browser.conftest import ARGUMENTS
from tests.conftest import REPOSITORY
from tests.running_lab import RunningLab, run_all_cells

FOLDER = REPOSITORY / "docs" / "screenshots"
SIZE = {"width": 1440, "height": 900}
OUTPUT = ".jp-OutputArea-output"
# What of each notebook is on the picture: the element, and where it stands.
SHOWN = {
    "00": (f"{OUTPUT} img", "center"),
    "04": (f"{OUTPUT} iframe", "center"),
    "11": ("h2:has-text('Side by side')", "start"),
    "13": (f"{OUTPUT} img >> nth=1", "center"),
}
FIELDS = {
    "ProductId": "P-1001", "ProductName": "Trail Shoe", "PricePerUnit": "89.90", "CustomerId": "C-17",
    "CustomerName": "Ada Lovelace",
}  # fmt: skip


def main(wanted: list[str]) -> None:
    """Make the pictures that are named, or all."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        course, state = Path(temporary, "course"), Path(temporary, "state")
        state.mkdir()
        for folder in ("notebooks", "site", "lambdas", "docs"):
            shutil.copytree(REPOSITORY / folder, course / folder)
        jupyter = RunningLab(state, cwd=course, LABKIT_SIZE="small", PYTHONPATH=str(REPOSITORY))
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=ARGUMENTS
        )
        try:
            jupyter.wait_for_address()
            os.environ["LABKIT_STATE_DIR"] = str(state)
            for number in SHOWN:
                if not wanted or number in wanted:
                    notebook(chromium, jupyter, number)
            for name, take in PAGES.items():
                if not wanted or name in wanted:
                    page_of(chromium, jupyter, name, take)
        finally:
            chromium.close()
            jupyter.end()
            local_process.stop(state)


def notebook(chromium: Browser, jupyter: RunningLab, number: str) -> None:
    """Run a notebook in JupyterLab and take the part that it is known by."""
    catch_up(jupyter, number)
    path = next((jupyter.course / "notebooks").glob(f"{number}_*.ipynb"))
    layout = (jupyter_lab.CONFIGURATION / "course.jupyterlab-workspace").read_text(encoding="utf-8")
    layout = layout.replace('"id": "course"', f'"id": "{path.stem}"')
    WorkspacesManager(str(jupyter.state / "jupyter" / "workspaces")).save(path.stem, layout)
    page = chromium.new_page(viewport=SIZE)
    run_all_cells(page, jupyter, path)
    assert page.locator('[data-mime-type="application/vnd.jupyter.error"]').count() == 0, number
    if number == "04":
        form = page.locator(SHOWN[number][0]).content_frame
        fill(form)
        expect(form.locator("#answer")).to_contain_text("The visit is accepted")
    element, place = SHOWN[number]
    page.locator(element).first.evaluate("(element, block) => element.scrollIntoView({block})", place)
    save(page, path.stem)
    page.close()


def page_of(chromium: Browser, jupyter: RunningLab, name: str, take: Callable[[Page], None]) -> None:
    """Build everything, connect, and take one page."""
    for number in ("13", "10"):  # all that a visit crosses, and the topic of 09
        catch_up(jupyter, number)
    labkit.connect()
    page = chromium.new_page(viewport={**SIZE, "width": 1800} if name == "map" else SIZE)
    take(page)
    save(page, name)
    page.close()


def form_page(page: Page) -> None:
    """The form with the receipt of a visit."""
    page.goto(labkit.website_url(labkit.name("visits-form", bucket=True)))
    fill(page)
    expect(page.locator("#answer")).to_contain_text("The visit is accepted")


def inbox_page(page: Page) -> None:
    """The confirmation mail, and the mail about a change that somebody made."""
    bucket = labkit.name("visits-datalake", bucket=True)
    boto3.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    labkit.wait_until(lambda: len(labkit.inbox()) > 1, what="the mail about the change", timeout=60)
    page.goto(local_process.page_url(local_process.find(), "inbox"))


def map_page(page: Page) -> None:
    """The live map while visits come in, with one message that nobody could read."""
    sqs, apigateway = boto3.client("sqs"), boto3.client("apigateway")
    page.goto(local_process.page_url(local_process.find(), "map", lab=settings()["lab_id"]))
    dead = sqs.get_queue_url(QueueName=labkit.name("ProductVisitsDeadLetterQueue"))["QueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody="not a visit")
    api = next(one["id"] for one in apigateway.get_rest_apis()["items"] if one["name"] == labkit.name("ProductVisits"))
    for visit in labkit.visits(20, seed=3):
        page.request.post(f"{labkit.invoke_url(api, 'prod')}/visits", data=visit)
    expect(page.locator("tbody tr").filter(has_text="S3 bucketvisits-datalake")).not_to_contain_text("objects: 0")


def fill(form: Page) -> None:
    """Fill in the form and send it."""
    for field, value in FIELDS.items():
        form.locator(f"#{field}").fill(value)
    form.locator("#Category").select_option("Shoes")
    form.get_by_role("button").click()


def catch_up(jupyter: RunningLab, number: str) -> None:
    """Build what a notebook needs."""
    variables = {**os.environ, "LABKIT_STATE_DIR": str(jupyter.state), "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "labkit.cli", "catch-up", number]
    subprocess.run(command, env=variables, cwd=jupyter.course, check=True, stdout=subprocess.DEVNULL)


def save(page: Page, name: str) -> None:
    """Write one PNG, and say how large it is."""
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    print(f"{path.relative_to(REPOSITORY)}  {path.stat().st_size // 1024} kB", flush=True)


PAGES: dict[str, Callable[[Page], None]] = {"form": form_page, "inbox": inbox_page, "map": map_page}

if __name__ == "__main__":
    main(sys.argv[1:])
