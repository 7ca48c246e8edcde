"""Operands of several dtypes in one row: a derivative has the precision of the value, not of an operand."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
from adjoint.ops.elementwise import BOOLEAN, COUNT, Elementwise
from adjoint.ops.primitive import PRIMITIVES

ROWS = [
    (op, k)
    for op in PRIMITIVES.values()
    if isinstance(op, Elementwise) and not op.foreign
    for k, partial in enumerate(op.partials)
    if len(op.partials) > 1 and partial is not None and op.domain[k] is not COUNT
]


def operands(op: Elementwise, chosen: int, dtype: type) -> list[np.ndarray]:
    """One operand of float64, the others of that dtype, where its domain is not of one sort of number."""
    rng, args = np.random.default_rng(1), []
    for k, interval in enumerate(op.domain[: len(op.partials)]):
        x = rng.uniform(*interval, 5)
        if interval is BOOLEAN or interval is COUNT:
            x = np.round(x).astype(bool if interval is BOOLEAN else int)
        elif k != chosen:
            whole = np.dtype(dtype).kind in "iub"
            x = (np.maximum(np.round(np.abs(x)), 1) if whole else x).astype(dtype)
        args.append(x)
    return args


def gradient(op: Elementwise, chosen: int, args: list[np.ndarray]) -> np.ndarray:
    def f(x: np.ndarray) -> np.ndarray:
        return np.sum(op(*args[:chosen], x, *args[chosen + 1 :]))

    return ad.grad(f)(args[chosen])


@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint8, np.bool_])
def test_a_narrow_operand_takes_no_digits_from_the_derivative(dtype: type) -> None:
    for op, chosen in ROWS:
        args = operands(op, chosen, dtype)
        wide = [a.astype(float) if a.dtype == dtype and op.domain[k] is not BOOLEAN else a
                for k, a in enumerate(args)]  # fmt: skip
        with np.errstate(all="ignore"):
            received, expected = gradient(op, chosen, args), gradient(op, chosen, wide)
        np.testing.assert_allclose(received, expected, rtol=1e-13, atol=1e-15, err_msg=f"{op.name} {chosen}")


def test_the_rows_tried_are_many() -> None:
    assert len(ROWS) > 40


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("f", [np.divide, lambda x, y: y**x, lambda x, y: np.arctan2(y, x)])
def test_second_and_compiled_derivatives_do_likewise(f, dtype: type) -> None:
    x, y = np.array([0.5, -1.25, 3.0]), np.array([2, 3, 7], dtype)

    def squared_slope(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.sum(ad.egrad(f)(x, y) ** 2)

    expected = ad.grad(squared_slope)(x, y.astype(float))
    np.testing.assert_allclose(ad.grad(squared_slope)(x, y), expected, rtol=1e-13)
    np.testing.assert_allclose(ad.compile(ad.grad(squared_slope))(x, y), expected, rtol=1e-12)


def test_heaviside_is_its_second_operand_at_a_zero_of_the_first() -> None:
    x, y = np.array([-1.0, 0.0, 2.0]), np.array([0.5, 0.5, 0.5])
    np.testing.assert_array_equal(ad.egrad(np.heaviside, 1)(x, y), [0.0, 1.0, 0.0])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("reduction", [np.var, np.std])
def test_a_divisor_of_python_zero_gives_nan_to_every_order(reduction) -> None:
    assert ad.hessian(reduction)(np.zeros((0, 3))).shape == (0, 3, 0, 3)
    pushed = ad.make_jvp(lambda x: ad.make_jvp(reduction)(x)(x)[1])(np.zeros(0))(np.zeros(0))[1]
    assert np.isnan(pushed)
