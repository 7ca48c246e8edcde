"""What the table cannot say of choices: domains, positions, complex parts, closures, compiled programs."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
import adjoint.numpy as anp
from adjoint import check
from adjoint.errors import TraceError
from adjoint.tape import Tape

X = np.array([-2.0, 0.5, 3.0, -0.1])


def root(x):
    return np.piecewise(x, [x > 0], [np.sqrt, lambda v: v * v])


@pytest.mark.parametrize("how", [lambda f: f, ad.compile], ids=["eager", "compiled"])
def test_piecewise_meets_no_point_outside_a_domain(how):
    """√ has an infinite derivative at 0 and none below: 0 · NaN would be NaN."""
    x = np.array([-2.0, 0.0, 4.0])
    assert how(root)(x).tolist() == [4, 0, 2]
    assert how(ad.grad(lambda x: np.sum(root(x))))(x).tolist() == [-4, 0, 0.25]


def test_piecewise_calls_each_function_with_its_elements():
    seen = []
    with Tape() as tape:
        np.piecewise(tape.input(X), [X > 0], [lambda v: seen.append(v.shape) or v, lambda v: v])
    assert seen == [(2,)]


def test_piecewise_with_recorded_captures():
    """The function's surroundings may be recorded where x is not: only adjoint.numpy can see that."""
    assert ad.grad(lambda a: np.sum(anp.piecewise(X, [X > 0], [lambda v: a * v, 0])))(2.0) == 3.5
    z = anp.piecewise(X, [X > 0], [1.0, 2.0])
    assert type(z) is np.ndarray and z.tolist() == [2, 1, 1, 2]


def test_apply_along_axis_with_recorded_captures():
    table = np.arange(6.0).reshape(2, 3)
    assert ad.grad(lambda a: np.sum(anp.apply_along_axis(lambda r: a * r, 1, table)))(2.0) == 15.0
    found = anp.apply_along_axis(np.sort, 0, table[::-1])
    assert type(found) is np.ndarray and np.array_equal(found, table)


def test_select_keeps_single_precision():
    x = np.array([1.0, -1.0], np.float32)
    with Tape() as tape:
        z = np.select([x > 0], [tape.input(x)], default=0.5)
    assert z.dtype == np.select([x > 0], [x], default=0.5).dtype == np.float32


def test_positions_compile():
    bins = np.array([-1.0, 0.0, 2.0])

    def f(x, bins):
        return (
            np.searchsorted(bins, x, side="right"), np.searchsorted(bins[::-1], x, sorter=[2, 1, 0]),
            np.digitize(x, bins), np.digitize(x, bins[::-1], right=True), np.digitize(bins, bins, right=True),
        )  # fmt: skip

    for found, expected in zip(ad.compile(f)(X, bins), f(X, bins), strict=True):
        assert np.array_equal(found, expected)


def test_methods_give_plain_positions():
    with Tape() as tape:
        v = tape.input(np.array([-1.0, 0.0, 2.0]))
        assert v.searchsorted([0.5, 0.0], side="right").tolist() == [2, 2]
        assert v.nonzero()[0].tolist() == [0, 2]


def test_nan_to_num_of_complex_parts():
    z = np.array([1 + 2j, complex(np.nan, 1), complex(2, -np.inf), complex(np.inf, np.nan)])
    with Tape() as tape:
        found = np.nan_to_num(tape.input(z), nan=0.5, posinf=3.0, neginf=-4.0)
    assert np.array_equal(found.value, np.nan_to_num(z, nan=0.5, posinf=3.0, neginf=-4.0))
    gradient = ad.grad(lambda z: np.sum(np.abs(np.nan_to_num(z, nan=0.0, posinf=0.0, neginf=0.0)) ** 2))(z)
    assert np.allclose(gradient, [2 - 4j, -2j, 4, 0])


def test_real_if_close():
    z = np.array([1 + 1e-15j, 2.0])
    with Tape() as tape:
        assert np.real_if_close(tape.input(z)).dtype == np.float64
        assert np.real_if_close(tape.input(z * 1j)).dtype == np.complex128
        assert np.real_if_close(tape.input(z + 1e-8j), tol=1e-3).dtype == np.float64
    with pytest.raises(TraceError, match="give the parts"):
        ad.compile(lambda z: np.real_if_close(z))(z)


OF_COMPLEX = {
    "select": lambda z: np.select([X > 0, X < -1], [z * z, 2 * z], default=1j),
    "piecewise": lambda z: np.piecewise(z, [X > 0], [np.exp, lambda v: v**2]),
    "meshgrid": lambda z: np.meshgrid(z, z * z)[1],
    "resize": lambda z: np.resize(z, (2, 3)) ** 2,
    "partition": lambda z: np.partition(z, 1) ** 2,
    "apply_along_axis": lambda z: np.apply_along_axis(np.cumsum, 0, z.reshape(2, 2)),
}


@pytest.mark.parametrize("name", OF_COMPLEX)
def test_complex_numbers(name):
    f, z = OF_COMPLEX[name], X + 1j * X[::-1]
    with Tape() as tape:
        np.testing.assert_allclose(f(tape.input(z)).value, f(z), rtol=1e-14)
    assert check.gradients(lambda z: np.sum(np.abs(f(z)) ** 2), (z,))


def test_casts_to_integers_are_plain():
    """As `astype(int)`: whoever asks for integers wants no derivative of them."""
    with Tape() as tape:
        v = tape.input(X)
        assert anp.int64(v).tolist() == [-2, 0, 3, 0]
        assert anp.int64(v).dtype == anp.int64 == np.zeros(1, anp.int64).dtype
        assert isinstance(np.int64(3), anp.int64) and not isinstance(3.0, anp.int64)
        assert np.issubdtype(np.int64, anp.int64) and anp.int64 == np.int64 != anp.int32
        with pytest.raises(ad.ConversionError):  # NumPy does the same to fill an array of integers
            np.zeros((2, 4), int)[0] = v


def test_where_by_keywords_and_between_python_values():
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    np.testing.assert_array_equal(anp.where(condition=[True, False], x=x, y=y), [1.0, 4.0])
    np.testing.assert_array_equal(anp.where([False, True])[0], [1])
    assert anp.where(True, 1, 2) == 1 and type(anp.where(False, 1, 2.0)) is float
    assert anp.where(True, x.astype(np.float32), y).dtype == np.float64
    np.testing.assert_array_equal(ad.grad(lambda v: np.sum(anp.where(True, [v[0], 2.0], y)))(x), [1.0, 0.0])


REFUSED = {
    "select lengths": (lambda x: np.select([x > 0], [x, x]), ValueError, "same length"),
    "select nothing": (lambda x: np.select([], []), ValueError, "empty"),
    "select floats": (lambda x: np.select([x], [x]), TypeError, "boolean"),
    "piecewise": (lambda x: np.piecewise(x, [x > 0], [1, 2, 3]), ValueError, "1 or 2 functions"),
    "meshgrid": (lambda x: np.meshgrid(x, x, indexing="yx"), ValueError, "'xy' and 'ij'"),
    "ix_": (lambda x: np.ix_(x[None]), ValueError, "1 dimensional"),
    "resize": (lambda x: np.resize(x, (-1, 2)), ValueError, "non-negative"),
    "apply_along_axis": (
        lambda x: np.apply_along_axis(np.sum, 1, x[:0, None]),
        ValueError,
        "dimensions are 0",
    ),
    "partition": (lambda x: np.partition(x, 7), ValueError, "out of bounds"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    f, kind, text = REFUSED[name]
    with Tape() as tape, pytest.raises(kind, match=text):
        f(tape.input(X))
    with pytest.raises((ValueError, TypeError)):
        f(X)
