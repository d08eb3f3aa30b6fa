"""``labkit lab`` as a process, for the tests that need JupyterLab."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect

from tests.conftest import REPOSITORY

PATIENCE = 120_000  # milliseconds; a busy computer takes long to start a kernel


class RunningLab:
    """A running ``labkit lab``; *lines* is what it has printed."""

    def __init__(
        self, state: Path, *options: str, jupyter: tuple[str, ...] = (), cwd: Path = REPOSITORY, **variables: str
    ) -> None:
        """Start it on the state directory *state*, with options of labkit and of *jupyter*, in a clean environment."""
        self.state, self.course, self.lines, self.url = state, cwd, [], ""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LABKIT_", "AWS_"))}
        folders = {
            f"JUPYTER_{name.upper()}_DIR": str(state / f"jupyter-{name}") for name in ("runtime", "config", "data")
        }
        chosen = ["--allow-root", "--port=0", *jupyter]
        with (state / "jupyter.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "labkit.cli", "lab", "--no-browser", *options, "--", *chosen],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=cwd,
                text=True,
                env=inherited | folders | {"LABKIT_STATE_DIR": str(state)} | variables,
            )
        self._printed = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if found := re.search(r"^JupyterLab: +(\S+)", line):
                self.url = found[1]
                self._printed.set()
        self._printed.set()

    def wait_for_address(self) -> str:
        """Return the printed address."""
        self._printed.wait(110)
        assert self.url, "\n".join([*self.lines, (self.state / "jupyter.log").read_text()])
        return self.url

    def get(self, path: str, **headers: str) -> bytes:
        """Read a page of JupyterLab."""
        parts = urlsplit(self.wait_for_address())
        token = parts.query.removeprefix("token=")
        asked = urllib.request.Request(
            f"{parts.scheme}://{parts.netloc}{path}", headers={"Authorization": f"token {token}", **headers}
        )
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.read()

    def end(self) -> int:
        """End it as a terminal does that is closed; return the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(20)
        finally:
            self._reader.join(5)
            self.process.stdout.close()


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


def run_all_cells(page: Page, jupyter: RunningLab, path: Path) -> None:
    """Open a notebook, choose Run All Cells from the menu, and return when all have run or one has failed."""
    page.goto(address_of(jupyter, path), timeout=PATIENCE)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("Idle", timeout=PATIENCE)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    page.wait_for_function(
        HAVE_RUN, arg=sum(cell["cell_type"] == "code" for cell in cells), timeout=PATIENCE, polling=200
    )
