"""What a learner takes home: their own numbers, as a table and as a small page that opens without a network."""

from __future__ import annotations

import html
from pathlib import Path

import pandas as pd

from labkit import course, progress_file
from labkit.cloud import settings, time_scale
from labkit.display import build_folder
from labkit.progress import progress

REMEMBER = (
    ("Call", "you wait for the answer or the error: Invoke, API Gateway"),
    ("Hand over", "Lambda says 202, keeps the event itself and tries three times: Event, EventBridge, SNS"),
    ("Fetch", "Lambda comes and takes a batch from a queue or a stream: SQS, DynamoDB Streams, Kinesis"),
)
WALL = (
    "A queue makes the work asynchronous. A poller takes it from the queue. “Asynchronous invocation” is a third "
    "thing: Lambda's own hidden queue."
)
LAST = "99"  # this page is written there
STYLE = """
body { font: 18px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
h1, h2 { line-height: 1.2 } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #ccc; vertical-align: top }
td:last-child { font-variant-numeric: tabular-nums }
blockquote { margin: 0; padding-left: 1rem; border-left: 4px solid #0b57a4 }
"""


def your_numbers() -> pd.DataFrame:
    """Return what the validation cells of the notebooks measured, kept on this computer only.

    Returns:
        Columns ``notebook``, ``what`` and ``your number``; a notebook that was not run yet has a dash.
    """
    kept = progress_file.read()["notebooks"]
    rows = []
    for number, notebook in course.notebooks().items():
        facts = kept.get(number, {}).get("facts", {})
        rows += [(notebook.title, what.replace("_", " "), _text(value)) for what, value in facts.items()]
        if not facts and number != LAST and not kept.get(number, {}).get("core"):
            rows.append((notebook.title, "not run yet", "–"))
    return pd.DataFrame(rows, columns=["notebook", "what", "your number"])


def _text(value: object) -> str:
    return f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def take_home() -> Path:
    """Write a page with the learner's numbers, progress and what to remember.

    Returns:
        The file, ``build/take-home.html`` beside the notebooks' folder; it needs no network and no other file.
    """
    chosen = settings()
    scale = f", waits that AWS fixes divided by {time_scale():g}" if time_scale() != 1 else ""
    done = progress().drop(columns=["next step"])
    verbs = "".join(f"<tr><td><b>{verb}</b></td><td>{meaning}</td></tr>" for verb, meaning in REMEMBER)
    parts = (
        "<h1>What I measured</h1>",
        f"<p>Lab {html.escape(chosen['lab_id'])} on the cloud “{chosen['cloud']}”{scale}; {progress_file.now()[:10]}. "
        "The numbers are those of this computer and this run: compare shapes with AWS, not milliseconds.</p>",
        _table(your_numbers()),
        "<h2>What I did</h2>",
        _table(done),
        "<h2>What I want to remember</h2>",
        f"<table>{verbs}</table><blockquote><p>{WALL}</p></blockquote>",
        "<p>The mode belongs to the invocation, not to the function: one function can be reached in all ways.</p>",
    )
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>What I measured</title>'
        f"<style>{STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )
    path = build_folder() / "take-home.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _table(frame: pd.DataFrame) -> str:
    return str(frame.to_html(index=False, border=0, justify="left"))
