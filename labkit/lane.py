"""The picture of a lane: records of one shard, waiting behind each other."""

from __future__ import annotations

from typing import Any

import pandas as pd

from labkit.display import projector, save_figure

WAITING, BLOCKED, FAILED, LAKE, FAILURES, EDGE = "#dfe6ee", "#f7e3e0", "#9c1b13", "#0b57a4", "#c2560c", "#9aa8b7"


def draw_lane(records: pd.DataFrame, *, changed: float) -> Any:
    """Draw how long each record of a shard waited, the head of the lane on top; save and return the figure.

    Args:
        records: One row per record in the order of the stream, times in seconds: ``record`` (its label), ``written``,
            ``failed at`` (a list, one time per failed attempt), ``left`` (when it left the lane) and ``where to``
            (``"lake"`` or ``"failures"``).
        changed: When the mapping got its new settings, in seconds.
    """
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    good = records[records["where to"] == "lake"]
    with projector():
        figure, axes = plt.subplots(figsize=(16, 8))
        axes.grid(axis="y", visible=False)
        for place, row in enumerate(records.to_dict("records")):
            bad = row["where to"] != "lake"
            axes.barh(
                place,
                row["left"] - row["written"],
                left=row["written"],
                height=0.55,
                color=BLOCKED if bad else WAITING,
                edgecolor=EDGE,
                hatch="" if bad else "/",
                linewidth=1,
            )
            axes.plot(
                row["failed at"], [place] * len(row["failed at"]), "X", color=FAILED, markersize=15, ls="", mec="white"
            )
            axes.plot(row["left"], place, "s" if bad else "o", color=FAILURES if bad else LAKE, markersize=15, ls="")
        axes.axvline(changed, color="#222222", linestyle="--", linewidth=2.5)
        axes.text(changed, -0.75, "the mapping is changed ", ha="right", va="center", fontsize=16)
        axes.set_yticks(range(len(records)), list(records["record"]))
        axes.invert_yaxis()
        axes.set_xlim(0, records["left"].max() * 1.04)
        axes.set_xlabel("seconds since the first record was written")
        axes.set_title(f"One bad record held up {len(good)} good ones for {good['left'].min():.1f} s")
        handles: list[Any] = [
            Patch(facecolor=WAITING, edgecolor=EDGE, hatch="/", label="waits in the stream"),
            Line2D([], [], color=FAILED, marker="X", ls="", markersize=15, label="an attempt fails"),
            Line2D([], [], color=LAKE, marker="o", ls="", markersize=15, label="arrives in the lake"),
            Line2D([], [], color=FAILURES, marker="s", ls="", markersize=15, label="given up and noted"),
        ]
        axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.45, -0.13), ncols=4)
        save_figure(figure, "07_blocked_lane")
        plt.close(figure)
        return figure
