"""``labkit lab`` as a process, for the tests that need JupyterLab."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from tests.conftest import REPOSITORY


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
        with (state / "jupyter.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "labkit.cli", "lab", "--no-browser", *options, "--", "--allow-root", *jupyter],
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
