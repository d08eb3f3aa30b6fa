"""Lines that a notebook shows whole: JupyterLab breaks longer ones in the middle of a word."""

from __future__ import annotations

import textwrap

WIDTH = 70  # characters beside a prompt at 150 % on a screen of 1500 pixels, the contents shown on the left


def wrapped(text: str) -> str:
    """Return *text* with its long lines broken between words, and all else as it was."""
    lines = text.split("\n")
    return "\n".join(_fill(line) if len(line) > WIDTH else line for line in lines)


def _fill(line: str) -> str:
    return textwrap.fill(line, WIDTH, break_long_words=False, break_on_hyphens=False)
