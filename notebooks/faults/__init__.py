"""The game of notebook 12: a copy of the pipeline, and faults that are put into it.

Whoever wants to play does not read break_it.py: it says what is broken. Everything here is plain boto3 on the copy, whose
LAB_ID ends in ``-broken``.
"""

from faults.break_it import break_copy, choose_game
from faults.copy_of_pipeline import FUNCTIONS, build_copy

__all__ = ["FUNCTIONS", "break_copy", "build_copy", "choose_game"]
