"""Random programs of everything NumPy offers, compiled: value and gradient equal the eager sweep's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import adjoint as ad

from ..peers.programs import AMPLIFIED, NUMPY, Draft, amplification, arguments, difference, drafts, program
from ..peers.programs import results as eager_results

CLOSE = 1e-9
ORDINARY, MANY = 10, 60
REPEATABLE = settings(
    max_examples=ORDINARY, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)


def properties(d: Draft) -> None:
    f, args = program(d, NUMPY), arguments(d)
    gradient = ad.value_and_grad(lambda *x: f(*x)[0], tuple(range(len(args))))
    with np.errstate(all="ignore"):
        eager, compiled = gradient(*args), ad.compile(gradient)(*args)
    apart = max(difference(a, b) for a, b in zip(compiled, eager, strict=True))
    if apart > CLOSE:
        assert amplification(d, eager_results(d)) >= AMPLIFIED, f"{apart} in {d}"


def test_complex_constants() -> None:
    """Once wrong: an array of complex zeros has no sign bits to look at."""
    x = np.array([1.0, 2.0])
    f = ad.value_and_grad(lambda x: np.sum(np.real(x * (np.zeros(2) + 0j) + x)))
    assert difference(ad.compile(f)(x), f(x)) == 0


@REPEATABLE
@given(drafts(8))
def test_programs(d: Draft) -> None:
    properties(d)


@pytest.mark.slow
@settings(REPEATABLE, max_examples=MANY)
@given(drafts(20))
def test_many_programs(d: Draft) -> None:
    properties(d)
