"""What the programs rely on sees a wrong gradient and an unexpected NumPy step."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad

from .harness import follows, same_compiled

X = np.array([0.3, -1.2, 0.8])


def curve(x):
    return np.sum(np.sin(x) ** 2 * np.arange(1.0, 4.0))


@pytest.mark.parametrize("fault", [np.array([1e-3, 0.0, 0.0]), np.array([0.0, 0.0, 1e-3])])
def test_follows_sees_a_wrong_gradient(fault) -> None:
    follows(curve, X, ad.grad(curve)(X))
    with pytest.raises(AssertionError, match="by differences"):
        follows(curve, X, ad.grad(curve)(X) + fault)
    with pytest.raises(AssertionError, match="by differences"):
        follows(lambda p: curve(p["a"]) + p["b"], {"a": X, "b": 1.0}, {"a": ad.grad(curve)(X), "b": 0.99})


def test_same_compiled_knows_what_numpy_computes() -> None:
    def f(x):
        return np.sum(np.sort(x) * np.arange(3.0))

    same_compiled(curve, X)
    with pytest.raises(AssertionError):
        same_compiled(f, X)
