"""Pictures in a kernel."""

from __future__ import annotations

import nbformat
from nbclient import NotebookClient

DRAW = """
import matplotlib.pyplot as plt
from labkit.display import projector
with projector():
    plt.close(plt.figure())
"""


def test_a_picture_of_labkit_leaves_the_kernel_showing_pictures():
    """A notebook draws the pipeline first; the learner's own figures must appear below their cells all the same."""
    cells = [nbformat.v4.new_code_cell(DRAW), nbformat.v4.new_code_cell("figure, axes = plt.subplots()")]
    notebook = nbformat.v4.new_notebook(cells=cells)

    NotebookClient(notebook, kernel_name="python3").execute()

    assert [list(output["data"]) for output in notebook.cells[1].outputs] == [["text/plain", "image/png"]]
