"""Random programs of up to forty operations: our derivatives against jax's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from ..helpers import jax_in_double
from . import jax_reading
from .programs import AMPLIFIED, NAMESPACE, NUMPY, Draft, amplification, difference, drafts, results

pytestmark = pytest.mark.peers
jax = jax_reading.jax

ORDINARY, MANY = 40, 60  # programs
FEW = 16  # operations in the ordinary run: jax traces the derivatives of forty in one to two seconds
CLOSE = 1e-9
REPEATABLE = settings(
    max_examples=ORDINARY, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module", autouse=True)
def double_precision() -> Iterator[None]:
    with jax_in_double():
        yield


def properties(d: Draft) -> None:
    """All results agree, unless a change of the inputs in the tenth digit shows that they cannot."""
    found, expected = results(d, NAMESPACE if len(d.inputs) == 2 else NUMPY), jax_reading.results(d)
    apart = {key: difference(found[key], expected[key]) for key in expected}
    apart["dot product"] = difference(found["⟨Jᵀλ, v⟩"], found["⟨λ, Jv⟩"])
    if max(apart.values()) > CLOSE:
        assert amplification(d, found) >= AMPLIFIED, f"{apart} in {d}"


@REPEATABLE
@given(drafts(FEW))
def test_random_programs(d: Draft) -> None:
    properties(d)


@pytest.mark.slow
@settings(REPEATABLE, max_examples=MANY)
@given(drafts())
def test_many_random_programs(d: Draft) -> None:
    properties(d)


def test_a_fault_is_caught(monkeypatch) -> None:
    """A rule right in value and to first order, with a wrong second derivative."""
    d = Draft((((3,), False),), (("row", 0, 0, 1),))  # sin
    properties(d)
    from adjoint.ops.elementwise import sin
    from adjoint.ops.primitive import innermost

    monkeypatch.setattr(sin, "partials", (lambda m, x, z: np.cos(innermost(x)),))
    with pytest.raises(AssertionError, match="hvp"):
        properties(d)
