"""Pictures, in one style that can be read from the last row."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from labkit.cloud import settings, time_scale

STYLE = "labkit.projector"
COLOURS = {"Lambda": "#0b57a4", "SQS": "#c2560c", "DynamoDB": "#5b3fa0"}
HATCHES = {"Lambda": "", "SQS": "//", "DynamoDB": ".."}


@contextlib.contextmanager
def projector() -> Iterator[None]:
    """Draw in the projector's style, and leave the kernel showing the pictures of later cells.

    The first picture loads the backend, which makes matplotlib interactive; the end of a style would undo that.
    """
    import matplotlib
    import matplotlib.pyplot as plt

    with plt.style.context(STYLE):
        yield
        interactive = matplotlib.is_interactive()
    matplotlib.interactive(interactive)


def draw_timeline(hops: pd.DataFrame) -> Any:
    """Draw the rows of :func:`labkit.follow` as bars on a time axis; save and return the figure.

    Args:
        hops: What ``follow`` returned.
    """
    import matplotlib.pyplot as plt

    with projector():
        figure, axes = plt.subplots(figsize=(16, 1.5 + 0.9 * len(hops)))
        axes.grid(axis="y", visible=False)
        for position, (_, hop) in enumerate(hops.iterrows()):
            kind = hop["service"].split()[0]
            axes.barh(
                position,
                hop["end"] - hop["start"],
                left=hop["start"],
                color=COLOURS.get(kind, "#555"),
                hatch=HATCHES.get(kind, ""),
                edgecolor="white",
                height=0.6,
            )
            axes.text(
                hop["end"] + hops["end"].max() * 0.01, position, f"{hop['end'] - hop['start']:.1f} ms", va="center"
            )
        axes.set_yticks(
            range(len(hops)), [f"{hop['service']}\n{hop['what happened']}" for _, hop in hops.iterrows()], fontsize=16
        )
        axes.invert_yaxis()
        axes.set_xlim(0, hops["end"].max() * 1.12)
        axes.set_xlabel("milliseconds since the first function began")
        axes.set_title(
            f"One visit reached the lake {hops['end'].max():.0f} ms after the first function began", loc="left"
        )
        save_figure(figure, "01_timeline")
        plt.close(figure)
        return figure


def measured_on() -> str:
    """Return where a figure's numbers come from: the cloud, and by how much it shortens the waits that AWS fixes."""
    cloud = {"local": "local cloud", "endpoint": settings()["endpoint"], "aws": "AWS"}[settings()["cloud"]]
    scale = time_scale()
    return f"measured on: {cloud} · time scale {scale:g}" if scale != 1 else f"measured on: {cloud} · real time"


def save_figure(figure: Any, name: str, *, caption: str = "") -> Path:
    """Write where the numbers come from below a figure, and save it as PNG for slides.

    Args:
        figure: A matplotlib figure.
        name: The file's name without ending, such as ``"05_two_bars"``.
        caption: A sentence before the cloud and the time scale.

    Returns:
        The file, ``build/figures/<name>.png`` beside the notebooks' folder (``LABKIT_BUILD`` names another folder).
    """
    text = f"{caption}\n{measured_on()}" if caption else measured_on()
    figure.supxlabel(text, x=0.01, ha="left", fontsize=16, color="#444444")
    path = build_folder() / "figures" / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def build_folder() -> Path:
    """Return where pictures and reports go."""
    from labkit.course import notebooks_folder

    return Path(os.environ["LABKIT_BUILD"]) if "LABKIT_BUILD" in os.environ else notebooks_folder().parent / "build"
