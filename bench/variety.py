"""Twenty further programs of different kinds, ours against jax and torch: no engine is built for all of them.

Ours is NumPy's text (`programs/twenty.py`) through `ad.compile(ad.value_and_grad(…))`. jax reads the same
text with its own namespace and, where it has its own way (scans, convolutions), that way too; torch has its
users' ways. The reference is HIPS autograd in float64 on the same text, itself held against differences of
the plain program along random directions. Shown: the geometric mean of best peer / ours, and the worst.
"""

from __future__ import annotations

from typing import Any

import contest
import numpy as np
from agreement import along, direction, inner
from contest import OURS, Entry, late
from environment import heading, need, options, prepare
from harness import Run
from programs import Case, in_float64, read_as, twenty, twenty_cases

GOAL = 1.5  # the geometric mean; each program has its own least ratio


def ours(case: Case) -> Run:
    """NumPy's text, data closed over; the arguments are plain arrays."""
    import adjoint as ad

    arguments = tuple(range(len(case.parameters)))
    compiled = ad.compile(ad.value_and_grad(case.loss(twenty), argnum=arguments))
    return lambda: compiled(*case.parameters)


ENTRIES: list[Entry] = [
    (OURS, OURS, "adjoint-autodiff", ours),
    ("jax.jit", "jax", "jax", late("twenty_jax", "build")),
    ("jax.jit, own way", "jax", "jax", late("twenty_jax", "build_own")),
    ("torch eager", "torch", "torch", late("twenty_torch", "build")),
    ("torch.compile", "inductor", "torch", late("twenty_torch", "build_compiled")),
]


def reference(case: Case) -> Any:
    """Value and gradients in float64.

    Raises:
        AssertionError: the gradients are not those of the program.
    """
    import autograd
    import autograd.numpy as anp

    parameters, data = in_float64(case.parameters), in_float64(case.data)
    loss = getattr(read_as("twenty", anp), case.program)
    found = autograd.value_and_grad(lambda p: loss(*p, *data))(parameters)
    h = 1e-7 if case.program in twenty_cases.KINKS else 1e-4  # a step must not cross a kink
    plain = getattr(twenty, case.program)
    for seed in range(3):
        v = direction(parameters, seed)
        expected, size = inner(found[1], v)
        seen = float(along(lambda *p: plain(*p, *data), parameters, v, h))
        assert abs(seen - expected) < 1e-5 * (size + abs(expected)), f"{case.title}: {seen} is not {expected}"
    assert np.isclose(found[0], plain(*parameters, *data), rtol=1e-12), case.title
    return found


def main() -> None:
    parser = options(__doc__, rounds=9)
    contest.add_filters(parser, ENTRIES)
    given = parser.parse_args()
    need("autograd")
    prepare(given)
    print(heading())
    contest.run("variety", given, twenty_cases.cases(), ENTRIES, reference, GOAL)


if __name__ == "__main__":
    main()
