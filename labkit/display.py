"""Pictures, in one style that can be read from the last row."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd

STYLE: dict[Any, Any] = {
    "font.size": 16,
    "axes.titlesize": 18,
    "lines.linewidth": 3,
    "figure.figsize": (16, 9),
    "axes.spines.top": False,
    "axes.spines.right": False,
}
COLOURS = {"Lambda": "#0b57a4", "SQS": "#c2560c", "DynamoDB": "#5b3fa0"}
HATCHES = {"Lambda": "", "SQS": "//", "DynamoDB": ".."}


def draw_timeline(hops: pd.DataFrame) -> Any:
    """Draw the rows of :func:`labkit.follow` as bars on a time axis, and return the figure.

    Args:
        hops: What ``follow`` returned.
    """
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(16, 1.5 + 0.9 * len(hops)))
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
            range(len(hops)), [f"{hop['service']}\n{hop['what happened']}" for _, hop in hops.iterrows()], fontsize=13
        )
        axes.invert_yaxis()
        axes.set_xlim(0, hops["end"].max() * 1.12)
        axes.set_xlabel(
            f"milliseconds since the first function began; measured on: {os.environ.get('LABKIT_CLOUD', 'local')}"
        )
        axes.set_title(
            f"One visit reached the lake {hops['end'].max():.0f} ms after the first function began", loc="left"
        )
        figure.tight_layout()
        plt.close(figure)
        return figure
