"""`draw`: whatever can be drawn → `Picture`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import describe
from ..garbage import without_collections
from ..sweeps import Lagrangian
from ..sweeps.difference import Difference
from ..tape import Tape, Variable
from .folding import LIMIT
from .graph import Graph
from .mirror import mirrored
from .picture import Picture
from .tapes import of_difference, of_lagrangian, of_tape, of_variable
from .views import view_of

DIRECTIONS = ("down", "right")


def draw(
    x: Any,
    *,
    limit: int = LIMIT,
    expand: Iterable[str] = (),
    fold: bool = True,
    direction: str = "down",
    adjoint: bool = False,
) -> Picture:
    """Draw a program as a graph of its constraints, with z_i and λ_i side by side in each.

    Color and outline of a box grow with ‖λ_i‖, the width of an arrow with its contribution
    ‖(∂f_i/∂z_j)ᵀλ_i‖, each over the three decades below the largest: one sees where sensitivity flows.
    Equal repeats are drawn once ("× 12"), scopes are outlines, and are folded, the innermost first, until at
    most `limit` boxes are left.

    Args:
        x: a Variable (what it depends on; with multipliers, if it is a real scalar), a Tape, a Lagrangian,
            a Difference (shares in the change of the loss in place of λ), a compiled function that has run
            (its kernels as outlines), a Problem, or a Solution (constraints with residuals and multipliers;
            those that bind have thick outlines).
        limit: boxes at most.
        expand: patterns of paths of scopes that stay open: `["encoder/*"]`, or one pattern.
        fold: False draws every node.
        direction: "down" or "right".
        adjoint: draw the adjoint sweep as a graph of its own, mirrored beside the program (below it, when the
            direction is "right"): each λ_i across from its z_i, tied to it by a dotted line, arrows
            turned around and as wide as their contribution.

    Raises:
        TypeError: x is nothing that can be drawn.
        TraceError: x is a compiled function that was not called yet.
        LeakError: x is a Difference that was pickled.
        ValueError: `adjoint`, and x has no multipliers; another direction; a limit below 1.

    >>> import numpy as np
    >>> import adjoint as ad
    >>> with ad.Tape() as tape:
    ...     w = tape.parameter(np.array([1.0, 2.0]), name="w")
    ...     loss = np.sum(np.tanh(w))
    >>> ad.draw(loss)
    <Picture: Lagrangian of 3 constraints; 3 nodes>
    """
    if direction not in DIRECTIONS:
        raise ValueError(f"direction is one of {', '.join(map(repr, DIRECTIONS))}, not {direction!r}")
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    patterns = (expand,) if isinstance(expand, str) else tuple(expand)
    with without_collections(), np.errstate(all="ignore"):  # inf and 1e200 are drawn, not warned of
        graph = graph_of(x)
        boxes = max(1, limit // 2) if adjoint else limit  # each is drawn twice
        view = view_of(graph, limit=boxes, expand=patterns, fold=fold)
        return Picture(graph, mirrored(view, graph) if adjoint else view, direction)


def graph_of(x: Any) -> Graph:
    """The graph of whatever can be drawn.

    Raises:
        TypeError: nothing that can be drawn.
    """
    if isinstance(x, Lagrangian):
        return of_lagrangian(x)
    if isinstance(x, Difference):
        return of_difference(x)
    if isinstance(x, Variable):
        return of_variable(x)
    if isinstance(x, Tape):
        return of_tape(x)
    from ..engines.compiled import Compiled

    if isinstance(x, Compiled):
        from .programs import of_compiled

        return of_compiled(x)
    from ..problems import Problem, Solution

    if isinstance(x, (Problem, Solution)):
        from .problems import of_problem, of_solution

        return of_problem(x) if isinstance(x, Problem) else of_solution(x)
    raise TypeError(
        f"cannot draw {describe(x)}: pass a Variable, Tape, Lagrangian, Difference, compiled "
        "function, Problem or Solution\n"
        "  Of a plain function draw what it records: with ad.Tape() as tape: draw(f(tape.input(x)))."
    )
