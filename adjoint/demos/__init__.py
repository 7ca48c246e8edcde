"""Demonstrations behind `python -m adjoint demo`.

Each module has `run(console)` and plays the part of a user's program.
"""

DEMOS = ("backprop",)
