"""Demonstrations behind `python -m adjoint demo`: each module has `run(console)` and plays the part of a user's program."""

DEMOS = ("backprop",)
