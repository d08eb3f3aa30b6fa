"""The application drawn from what really exists: built, missing or failing, told by word, line and hatch."""

from __future__ import annotations

import base64
import contextlib
import io
from collections.abc import Callable
from typing import Any

import pandas as pd

from labkit.display import measured_on, projector
from labkit.lines import wrapped
from labkit.parts import PARTS, Look, Part, State

COLUMNS = ["part", "notebook", "state", "detail"]
# Column and row in the picture, and the words in the box. The way of a visit goes right, down, and left again.
BOXES: dict[str, tuple[int, int, str]] = {
    "form": (0, 0, "S3 website\nthe form"),
    "api": (1, 0, "API Gateway\nProductVisits"),
    "send": (2, 0, "Lambda\nSendDataToQueue"),
    "queue": (3, 0, "SQS queue\nDataQueue"),
    "dlq": (4, 0, "SQS queue\nDeadLetterQueue"),
    "handler": (3, 1, "Lambda\nVisitHandler"),
    "table": (2, 1, "DynamoDB table\nProductVisits"),
    "lake_handler": (1, 1, "Lambda\nDataLakeHandler"),
    "lake": (0, 1, "S3 bucket\nthe data lake"),
    "trail": (0, 2, "CloudTrail\nthe trail"),
    "rule": (1, 2, "EventBridge\nS3BucketChanges"),
    "topic": (2, 2, "SNS topic\nS3DataLakeAlerts"),
}
ARROWS = (
    ("form", "api"), ("api", "send"), ("send", "queue"), ("queue", "dlq"), ("queue", "handler"), ("handler", "table"),
    ("table", "lake_handler"), ("lake_handler", "lake"), ("lake", "trail"), ("trail", "rule"), ("rule", "topic"),
)  # fmt: skip
LOOKS: dict[State, dict[str, Any]] = {
    State.BUILT: {"linestyle": "-", "linewidth": 3.5, "facecolor": "#e3edf7", "edgecolor": "#0b57a4"},
    State.MISSING: {"linestyle": (0, (3, 3)), "linewidth": 2, "facecolor": "white", "edgecolor": "#777777"},
    State.FAILING: {
        "linestyle": "-", "linewidth": 3.5, "facecolor": "#fbe9dd", "edgecolor": "#a33f00", "hatch": "//",
    },
}  # fmt: skip
WIDTH, HEIGHT = 0.8, 0.62


def show_pipeline() -> pd.DataFrame:
    """Show the twelve parts of the application as they are now: a picture, the same in words, and a table.

    Everything is read from the cloud: a part is *built*, *missing*, or *failing* (it is there, and something is wrong:
    its last invocation raised, its mapping is off, a message lies on the dead-letter queue).

    Returns:
        One row per part: ``part``, ``notebook`` (which builds it), ``state``, ``detail``.
    """
    seen = look_at_pipeline()
    words = in_words(seen)
    print(wrapped(words))
    _display(draw_pipeline(seen), words)
    return pd.DataFrame(
        [(part.title, part.notebook, look.state.value, look.detail) for part, look in seen.values()], columns=COLUMNS
    )


def look_at_pipeline() -> dict[str, tuple[Part, Look]]:
    """Return each of the twelve parts by its box, with what was seen of it."""
    parts = {part.box: part for part in PARTS if part.box}
    return {box: (parts[box], parts[box].look()) for box in BOXES}


def in_words(seen: dict[str, tuple[Part, Look]]) -> str:
    """Return what the picture shows, as text."""
    by_state = {state: [pair for pair in seen.values() if pair[1].state is state] for state in State}
    built = len(by_state[State.BUILT]) + len(by_state[State.FAILING])
    lines = [f"{built} of {len(seen)} parts are built."]
    if by_state[State.MISSING]:
        lines.append(f"Missing: {', '.join(f'{part.title} ({part.notebook})' for part, _ in by_state[State.MISSING])}.")
    lines += [f"Failing: {part.title}: {look.detail}." for part, look in by_state[State.FAILING]]
    return "\n".join(lines)


def draw_pipeline(seen: dict[str, tuple[Part, Look]]) -> Any:
    """Return the picture as a matplotlib figure."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyBboxPatch

    built = sum(look.state is not State.MISSING for _, look in seen.values())
    with projector():
        figure, axes = plt.subplots(figsize=(16, 7.4), layout="none")
        figure.subplots_adjust(left=0.01, right=0.99, top=0.9, bottom=0.06)
        axes.set(xlim=(-0.5, 4.5), ylim=(2.45, -0.5))
        axes.axis("off")
        for start, end in ARROWS:
            _arrow(axes, start, end, exists=all(seen[box][1].state is not State.MISSING for box in (start, end)))
        for box, (column, row, label) in BOXES.items():
            part, look = seen[box]
            corner = (column - WIDTH / 2, row - HEIGHT / 2)
            shape = "round,pad=0,rounding_size=0.08"
            axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, boxstyle=shape, **LOOKS[look.state]))
            mark = {State.BUILT: "✓ built", State.MISSING: f"missing ({part.notebook})", State.FAILING: "! failing"}
            words: dict[str, Any] = {
                "ha": "center",
                "va": "center",
                "bbox": {"facecolor": LOOKS[look.state]["facecolor"], "lw": 0, "pad": 1},
            }
            axes.text(column, row - 0.09, label, fontsize=16, **words)
            axes.text(column, row + 0.2, mark[look.state], fontsize=16, weight="bold", **words)
        axes.set_title(f"{built} of {len(seen)} parts of the application are built")
        figure.supxlabel(
            f"solid: built · dashed: missing (the notebook that builds it) · hatched: failing · {measured_on()}",
            x=0.01, y=0.02, ha="left", fontsize=16, color="#444444",
        )  # fmt: skip
        plt.close(figure)
        return figure


def _arrow(axes: Any, start: str, end: str, *, exists: bool) -> None:
    (x1, y1, _), (x2, y2, _) = BOXES[start], BOXES[end]
    step_x, step_y = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
    axes.annotate(
        "",
        xy=(x2 - step_x * WIDTH / 2, y2 - step_y * HEIGHT / 2),
        xytext=(x1 + step_x * WIDTH / 2, y1 + step_y * HEIGHT / 2),
        arrowprops={
            "arrowstyle": "-|>", "mutation_scale": 24, "linewidth": 3 if exists else 1.5, "shrinkA": 0, "shrinkB": 0,
            "linestyle": "-" if exists else "--", "color": "#333333" if exists else "#777777",
        },
    )  # fmt: skip


def _display(figure: Any, words: str) -> None:
    """Show the figure with its words as alternative text, where there is a notebook to show it in."""
    with contextlib.suppress(ImportError):
        from IPython import get_ipython
        from IPython.display import HTML, display

        if get_ipython() is None:
            return
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=72)
        encoded = base64.b64encode(picture.getvalue()).decode()
        alternative = words.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace("\n", " ")
        show: Callable[[Any], None] = display
        html: Callable[[str], Any] = HTML
        show(html(f'<img alt="{alternative}" style="max-width:100%" src="data:image/png;base64,{encoded}">'))
