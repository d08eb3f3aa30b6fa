"""Output that is read from the last row is broken between words."""

from __future__ import annotations

from labkit.lines import WIDTH, wrapped


def test_a_long_line_is_broken_between_words():
    """JupyterLab would break it anywhere."""
    words = " ".join(["ProductVisitSendDataToQueue"] * 6)

    lines = wrapped(words).split("\n")

    assert [len(line) <= WIDTH for line in lines] == [True] * 3
    assert " ".join(lines) == words


def test_names_and_short_lines_stay_whole():
    """An address that is cut cannot be clicked or copied."""
    address = "http://localhost:4566/" + "x" * WIDTH

    assert wrapped(f"{address}\n  indented\n") == f"{address}\n  indented\n"
