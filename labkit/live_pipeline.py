"""The live map in a notebook: a widget for those who can use it, and the same as a table for everybody."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pandas as pd

from labkit import local_process
from labkit.cloud import local_cloud, settings
from labkit.exceptions import LabkitError

COLUMNS = ["service", "name", "state", "counts", "goes to"]


def live_pipeline() -> pd.DataFrame:
    """Show this lab's parts live: how full the queues are, what flows, what fails; fed by the local cloud's events.

    In JupyterLab a widget goes on showing it. The table that is returned has the same content at this moment, for
    whoever cannot use the widget, and for runs without a browser.

    Returns:
        One row per part: ``service``, ``name``, ``state``, ``counts``, ``goes to``.

    Raises:
        LabkitError: This kernel is not on the local cloud (AWS tells nobody what happens), or none runs.

    See Also:
        :func:`labkit.show_pipeline`, which works on AWS too.
    """
    if settings()["cloud"] != "local":
        raise LabkitError("only the local cloud tells what happens as it happens; use: labkit.show_pipeline()")
    described = local_cloud()
    picture = next(told(described))
    with contextlib.suppress(ImportError):
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is not None:
            display(pipeline_widget(described, picture))
    return as_table(picture, settings()["lab_id"])


def told(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what ``/_labkit/events`` tells, a picture first, until the local cloud ends."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(  # noqa: S310  the address is the local cloud's own
        described["endpoint"] + "/_labkit/events", headers={"X-Labkit-Token": described["token"]}
    )
    with opener.open(asked, timeout=10) as stream:
        for line in stream:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))


def as_table(picture: dict[str, Any], lab_id: str) -> pd.DataFrame:
    """Return a picture as a table, with the parts of one lab and whom they mail."""
    parts = {part["id"]: part for part in picture["parts"] if _of_lab(part["name"], lab_id)}
    leads: dict[str, list[str]] = {identifier: [] for identifier in parts}
    names = {part["id"]: part["name"] for part in picture["parts"]}
    for arrow in picture["arrows"]:
        if arrow["start"] in leads:
            leads[arrow["start"]].append(f"{names[arrow['end']]} ({arrow['how']})")
    rows = [
        (
            part["service"],
            part["name"],
            f"failing: {part['problem']}" if part["problem"] else "there",
            " · ".join(f"{what}: {count}" for what, count in part["facts"].items()),
            "; ".join(leads[identifier]),
        )
        for identifier, part in parts.items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _of_lab(name: str, lab_id: str) -> bool:
    return name.endswith((f"-{lab_id}", f"-{lab_id}-{settings()['account']}"))


def pipeline_widget(described: dict[str, Any], picture: dict[str, Any]) -> Any:
    """Return the widget; a thread of this kernel feeds it, so that it works wherever JupyterLab does."""
    import anywidget
    import traitlets

    class LivePipeline(anywidget.AnyWidget):
        """The module that draws it is the local cloud's own, as on the page ``/_labkit/map``."""

        _esm = local_process.request(described, "/_labkit/map.js").decode()
        lab = traitlets.Unicode().tag(sync=True)
        picture = traitlets.Dict().tag(sync=True)
        ended = traitlets.Unicode().tag(sync=True)

    widget = LivePipeline(lab=settings()["lab_id"], picture=picture)
    threading.Thread(target=_feed, args=(widget, described), daemon=True, name="live pipeline").start()
    return widget


def _feed(widget: Any, described: dict[str, Any]) -> None:
    with contextlib.suppress(OSError, ValueError):
        for event in told(described):
            if widget.comm is None:
                return  # closed
            if event["kind"] == "picture":
                widget.picture = event
            elif event["kind"] != "api":
                widget.send(event)
    widget.ended = "The local cloud has ended; connect again and run this cell again."
