"""Questions about values are answered by plain arrays, and by the compiled program where it has values."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad

X = np.array([[1.0, np.nan, np.inf], [0.0, -np.inf, 1.0 + 1e-9]])
Y = np.array([1.0, np.nan, np.inf])
Z = np.array([1.0 + 0j, 1j, complex(np.nan, 0), 2 - 1e-300j])

QUESTIONS = {
    "isclose": lambda x, z: np.isclose(x, Y),
    "isclose, nan": lambda x, z: np.isclose(x, Y, equal_nan=True),
    "isclose to infinity": lambda x, z: np.isclose(x, np.inf, rtol=0.1),
    "isclose, wide": lambda x, z: np.isclose(x, 2.0, 0.4, atol=0.3),
    "isclose, complex": lambda x, z: np.isclose(z, z + 1e-10j),
    "allclose": lambda x, z: np.allclose(x, x),
    "allclose, nan": lambda x, z: np.allclose(x, x, equal_nan=True),
    "iscomplex": lambda x, z: np.iscomplex(z),
    "iscomplex of real": lambda x, z: np.iscomplex(x),
    "isreal": lambda x, z: np.isreal(z),
    "isreal of real": lambda x, z: np.isreal(x),
    "any": lambda x, z: np.any(x > 0, axis=1),
    "all": lambda x, z: np.all(x > 0, axis=0, keepdims=True),
    "count_nonzero": lambda x, z: np.count_nonzero(x, axis=1),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", QUESTIONS)
def test_answers(name: str) -> None:
    ask = QUESTIONS[name]
    expected = ask(X, Z)
    with ad.Tape() as tape:
        eager = ask(*tape.input([X, Z]))
    compiled = ad.compile(ask)(X, Z)
    for answer in (eager, compiled):
        assert not isinstance(answer, ad.Variable)
        np.testing.assert_array_equal(answer, expected)
        assert np.asarray(answer).dtype == np.asarray(expected).dtype


def test_vecdot_broadcasts_no_vector() -> None:
    with pytest.raises(ad.ShapeError, match="one length"):
        ad.grad(lambda x: np.sum(np.vecdot(x, np.ones(3))))(np.ones(1))
