"""Where a derivative does not exist, a stated convention holds, in both modes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad

from ..helpers import normal

INF = np.inf
KINKS: dict[str, tuple[Any, Any, Any]] = {
    "abs at 0": (lambda x: np.abs(x), 0.0, 0.0),
    "sign at 0": (lambda x: np.sign(x), 0.0, 0.0),
    "sqrt at 0": (lambda x: np.sqrt(x), 0.0, INF),
    "cbrt at 0": (lambda x: np.cbrt(x), 0.0, INF),
    "power 1/2 at 0": (lambda x: x**0.5, 0.0, INF),
    "power 0 at 0": (lambda x: x**0.0, 0.0, 0.0),
    "power 1 at 0": (lambda x: x**1.0, 0.0, 1.0),
    "power 2 at 0": (lambda x: x**2.0, 0.0, 0.0),
    "floor": (lambda x: np.floor(x), 1.0, 0.0),
    "round": (lambda x: np.round(x), 0.5, 0.0),
    "relu by where at 0": (lambda x: np.where(x > 0, x, 0.0), 0.0, 0.0),
    "relu by maximum at 0": (lambda x: np.maximum(x, 0.0), 0.0, 0.5),
    "minimum tie": (lambda x: np.minimum(x, 1.0), 1.0, 0.5),
    "maximum of twice the same": (lambda x: np.maximum(x, x), 1.0, 1.0),
    "clip at the lower bound": (lambda x: np.clip(x, -1.0, 1.0), -1.0, 0.5),
    "clip at the upper bound": (lambda x: np.clip(x, -1.0, 1.0), 1.0, 0.5),
    "clip outside": (lambda x: np.clip(x, -1.0, 1.0), 1.5, 0.0),
    "norm at 0": (lambda x: np.linalg.norm(x), np.zeros(3), np.zeros(3)),
    "norm of rows, one of them 0": (
        lambda x: np.sum(np.linalg.norm(x, axis=1)),
        np.array([[3.0, 4.0], [0.0, 0.0]]),
        np.array([[0.6, 0.8], [0.0, 0.0]]),
    ),
    "max tie": (lambda x: np.max(x), np.array([2.0, 1.0, 2.0]), np.array([0.5, 0.0, 0.5])),
    "min tie": (lambda x: np.min(x), np.array([1.0, 1.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0, 0.0]) / 3),
    "max tie in a row": (
        lambda x: np.sum(np.max(x, axis=1)),
        np.array([[1.0, 1.0], [1.0, 2.0]]),
        np.array([[0.5, 0.5], [0.0, 1.0]]),
    ),
    "max of infinities": (lambda x: np.max(x), np.array([-INF, -INF]), np.array([0.5, 0.5])),
    "std of equal numbers": (lambda x: np.var(x), np.ones(4), np.zeros(4)),
    "product with one zero": (lambda x: np.prod(x), np.array([0.0, 2.0, 3.0]), np.array([6.0, 0.0, 0.0])),
    "product with two zeros": (lambda x: np.prod(x), np.array([0.0, 0.0, 3.0]), np.zeros(3)),
    "logaddexp of −inf": (lambda x: np.logaddexp(x, -INF), 1.0, 1.0),
}


@pytest.mark.parametrize("what", KINKS)
def test_convention(what: str) -> None:
    f, x, expected = KINKS[what]
    with np.errstate(all="ignore"):
        adjoint = ad.grad(f)(x)
        directions = np.eye(np.size(x)).reshape(-1, *np.shape(x))
        tangent = np.reshape([ad.jvp(f, (x,), (e[()],))[1] for e in directions], np.shape(x))
    np.testing.assert_allclose(adjoint, expected, err_msg="adjoint")
    np.testing.assert_allclose(tangent, expected, err_msg="tangent")


def test_branch_not_taken_does_not_poison() -> None:
    """The double-where trick works, and tells a NaN where it is left out."""
    x = np.array([-1.0, 0.0, 4.0])

    def safe(x: Any) -> Any:
        inside = np.where(x > 0, x, 1.0)
        return np.sum(np.where(x > 0, np.sqrt(inside), 0.0))

    np.testing.assert_allclose(ad.grad(safe)(x), [0.0, 0.0, 0.25])


def test_sums_over_nothing() -> None:
    x = np.zeros((0, 3))
    assert ad.grad(np.sum)(x).shape == (0, 3)
    assert ad.grad(lambda y: np.sum(np.sum(y, axis=0) ** 2))(x).shape == (0, 3)
    assert ad.grad(lambda y: np.sum(y @ normal(3, 2)))(x).shape == (0, 3)
    assert ad.grad(lambda w: np.sum(x @ w))(normal(3, 2)).tolist() == np.zeros((3, 2)).tolist()
