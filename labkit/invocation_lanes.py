"""The picture of notebook 11: one failing event per trigger, each in a lane of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.cloud import time_scale
from labkit.display import projector, save_figure

ATTEMPT, RELEASED, ENDED = "#0b57a4", "#1b7a3d", "#b3261e"
# Waits that AWS fixes, and that the local cloud therefore shortens; the others are the learner's own settings.
SCALED = ("hand over", "stream", "kinesis")


def draw_invocations(lanes: Mapping[str, Mapping[str, Any]]) -> Any:
    """Draw when a failing event was tried, when its caller was free and where it ended; save and return the figure.

    Args:
        lanes: For each trigger the epoch seconds ``began``, ``released``, ``ended`` and ``attempts`` (a list), and
            ``where`` it ended.
    """
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    scale = time_scale()
    longest = max(lane["ended"] - lane["began"] for lane in lanes.values())
    with projector():
        figure, axes = plt.subplots(figsize=(16, 8))
        axes.grid(axis="y", visible=False)
        for place, lane in enumerate(lanes.values()):
            released, ended = lane["released"] - lane["began"], lane["ended"] - lane["began"]
            tries = [at - lane["began"] for at in lane["attempts"]]
            axes.plot([0, ended], [place, place], "-", color="#c9d3df", linewidth=8, marker="", zorder=1)
            axes.plot(tries, [place] * len(tries), "o", color=ATTEMPT, markersize=15, ls="", zorder=3)
            axes.plot(released, place - 0.2, "s", color=RELEASED, markersize=13, ls="", zorder=4)
            axes.plot(ended + longest * 0.012, place, "X", color=ENDED, markersize=19, ls="", zorder=5)
            axes.text(ended + longest * 0.035, place, lane["where"].replace(": ", ":\n"), va="center", fontsize=17)
            count = f"{len(tries)} attempt{'s' if len(tries) != 1 else ''}"
            axes.text(0, place + 0.36, count, va="center", fontsize=17, color=ATTEMPT)
        axes.set_yticks(range(len(lanes)), [_label(trigger, lane, scale) for trigger, lane in lanes.items()])
        axes.set_ylim(len(lanes) - 0.35, -0.5)
        axes.set_xlim(-0.02 * longest, longest * 1.3)
        axes.set_xlabel("seconds since the event was sent")
        axes.set_title(_title(lanes))
        handles = [
            Line2D([], [], color=ATTEMPT, marker="o", ls="", markersize=15, label="an attempt (they all fail)"),
            Line2D([], [], color=RELEASED, marker="s", ls="", markersize=13, label="the caller is free"),
            Line2D([], [], color=ENDED, marker="X", ls="", markersize=17, label="where the event ended"),
        ]
        axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.4, -0.12), ncols=3)
        save_figure(figure, "11_four_lanes")
        plt.close(figure)
        return figure


def _label(trigger: str, lane: Mapping[str, Any], scale: float) -> str:
    seconds = lane["ended"] - lane["began"]
    if scale == 1 or trigger not in SCALED:
        return trigger
    on_aws = seconds * scale
    return f"{trigger}\n(on AWS about {on_aws / 60:.0f} min)" if on_aws >= 60 else f"{trigger}\n(on AWS {on_aws:.0f} s)"


def _title(lanes: Mapping[str, Mapping[str, Any]]) -> str:
    counts = [str(len(lane["attempts"])) for lane in lanes.values()]
    return f"One function, {len(lanes)} triggers: tried {', '.join(counts[:-1])} and {counts[-1]} times"
