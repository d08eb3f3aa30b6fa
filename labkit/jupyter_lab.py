"""JupyterLab on the first notebook: the local cloud up, the table of contents open, and an end for all of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from socket import create_connection, gaierror
from typing import Any
from urllib.parse import urlsplit

from labkit import course, local_process
from labkit.exceptions import LabkitError
from labkit.settings import resolve_settings

WORKSPACE = "course"
CONFIGURATION = Path(__file__).parent / "jupyter_config"
START_SECONDS = 120.0


def serve(options: list[str], *, browser: bool = True, remote: bool = False) -> int:
    """Run JupyterLab until it is ended, and end the local cloud with it, if it was started here.

    Args:
        options: Options of ``jupyter lab``; they win over labkit's own.
        browser: Whether to open one.
        remote: Whether the browser is on another computer, so that it reaches JupyterLab's address only; website, API
            and inbox then go through jupyter-server-proxy. A ``base_url`` in *options* means the same.

    Returns:
        JupyterLab's exit code.

    Raises:
        LabkitError: There is no notebook, a setting is not valid, the local cloud did not start, or one runs for
            browsers on this computer only.
    """
    notebook = first_notebook()
    os.environ["LABKIT_STATE_DIR"] = str(local_process.state_dir())
    if (prefix := base_url(options)) != "/" or remote:
        os.environ.setdefault("LABKIT_PUBLIC_URL", f"{prefix}proxy/{{port}}")
    with local_cloud_up():
        keep_workspace()
        jupyter = subprocess.Popen([*command(notebook, browser=browser), *options], env=environment())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches JupyterLab too, which asks whether it is meant
        signal.signal(signal.SIGTERM, lambda *_: jupyter.terminate())
        described = _when_ready(jupyter)
        if described is not None:
            print(f"JupyterLab:  {address(described, notebook)}", flush=True)
        return jupyter.wait()


def first_notebook() -> Path:
    """Return the notebook that a learner opens first.

    Raises:
        LabkitError: There is none.
    """
    return next(iter(course.notebooks().values())).path


def command(notebook: Path, *, browser: bool) -> list[str]:
    """Return the command that opens *notebook* in JupyterLab."""
    state = local_process.state_dir()
    return [
        sys.executable, "-m", "jupyterlab",
        f"--ServerApp.root_dir={_root(notebook)}",
        f"--ServerApp.preferred_dir={notebook.parent}",
        f"--LabApp.default_url={_page(notebook)}",
        f"--LabApp.workspaces_dir={state / 'jupyter' / 'workspaces'}",
        "--LabApp.extension_manager=readonly",
        *([] if browser else ["--no-browser"]),
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """Return what JupyterLab and its kernels get: the state directory, and the settings of the course."""
    before = os.environ.get("JUPYTER_CONFIG_PATH")
    return os.environ | {"JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, [str(CONFIGURATION), before]))}


def keep_workspace() -> None:
    """Put the course's workspace where JupyterLab keeps the learner's; one that is there already stays."""
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    folder = local_process.state_dir() / "jupyter" / "workspaces"
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.glob(f"{WORKSPACE}-*")):
        content = (CONFIGURATION / "course.jupyterlab-workspace").read_text(encoding="utf-8")
        WorkspacesManager(str(folder)).save(WORKSPACE, content)


@contextlib.contextmanager
def local_cloud_up() -> Iterator[None]:
    """Have the local cloud up, if the course runs on it; who starts it ends it."""
    if resolve_settings({})["cloud"] != "local":
        yield
        return
    with local_process.as_before() as ran_before:
        described = local_process.start()
        _check_public_url(described)
        print(
            f"local cloud: {described['endpoint']} ({'it ran before, and stays' if ran_before else 'ends with this'})"
        )
        yield


def address(described: dict[str, Any], notebook: Path) -> str:
    """Return the address for a browser, from what a running server tells of itself."""
    return f"{described['url'].rstrip('/')}{_page(notebook)}?token={described['token']}"


def _page(notebook: Path) -> str:
    return f"/lab/workspaces/{WORKSPACE}/tree/{notebook.relative_to(_root(notebook)).as_posix()}"


def _root(notebook: Path) -> Path:
    """Return the folder that JupyterLab shows: the checkout, since the notebooks link to its docs."""
    checkout = notebook.parent.parent
    return checkout if (checkout / "docs").is_dir() else notebook.parent


def base_url(options: list[str]) -> str:
    """Return the path below which JupyterLab is reached, as *options* say; it ends with a slash."""
    given = [option.partition("base_url=")[2] for option in options if re.match(r"--\w+App\.base_url=", option)]
    return f"/{given[-1].strip('/')}/".replace("//", "/") if given else "/"


def _check_public_url(described: dict[str, Any]) -> None:
    """Refuse a local cloud that was started for browsers elsewhere: the links in its mails would not open."""
    wanted = os.environ.get("LABKIT_PUBLIC_URL", "").replace("{port}", str(described["port"])).rstrip("/")
    if wanted and described.get("public_url") != wanted:
        raise LabkitError(
            f"browsers shall find the local cloud at {wanted}, but the one that runs was started for "
            f"{described.get('public_url')}; end it with: labkit down (everything in it is kept), and start again; "
            "see docs/troubleshooting.md#browsers-elsewhere"
        )


def _when_ready(jupyter: subprocess.Popen[bytes]) -> dict[str, Any] | None:
    """Return what the server tells of itself once it listens; ``None`` when it ended, or takes too long."""
    from jupyter_core.paths import jupyter_runtime_dir

    path = Path(jupyter_runtime_dir()) / f"jpserver-{jupyter.pid}.json"
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and jupyter.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            described = dict(json.loads(path.read_text(encoding="utf-8")))
            _connect(described["url"])  # the server writes its file a moment before it listens
            return described
        time.sleep(0.05)
    return None


def _connect(url: str) -> None:
    """Raise an ``OSError`` if nobody listens at *url*; a UNIX socket's, or a name for others only, is not tried."""
    parts = urlsplit(url)
    with contextlib.suppress(gaierror):
        if parts.scheme in ("http", "https"):
            create_connection((parts.hostname, parts.port or 80), timeout=1).close()
