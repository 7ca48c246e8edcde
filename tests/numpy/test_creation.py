"""Names that only `adjoint.numpy` can give: arrays from parts, lists of Variables, random numbers."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest

import adjoint as ad
import adjoint.numpy as anp
import adjoint.numpy.random as npr
from adjoint import check
from adjoint.errors import MissingRuleError, ShapeError
from adjoint.tape import Tape

from . import harness
from .harness import case

OURS = [
    case("make_diagonal", lambda x: anp.make_diagonal(x), (3,)),
    case("make_diagonal stack", lambda x: anp.make_diagonal(x, axis1=-1, axis2=-2), (2, 3)),
    case("make_diagonal offset", lambda x: anp.make_diagonal(x, -2, 0, -1), (2, 3)),
    case("make_diagonal of nothing", lambda x: anp.make_diagonal(x, axis1=1, axis2=2), (2, 0)),
    case("r_", lambda x, y: anp.r_[x, 1.0, y, [2, 3], 0:3, 0:1:3j], (2,), ()),
    case("r_ matrices", lambda x: anp.r_[x, x], (2, 3)),
    case("r_ axis", lambda x: anp.r_["-1", x, x], (2, 3)),
    case("r_ ndmin", lambda x: anp.r_["0,2", x, [1, 2, 3]], (3,)),
    case("r_ first", lambda x: anp.r_["1,3,0", x, 2.0 * x], (2, 1)),
    case("r_ last", lambda x: anp.r_["0,3,-1", x, x], (2, 1)),
    case("r_ slice up", lambda x: anp.r_["0,2,0", x, 0:3], (2,)),
    case("c_", lambda x, y: anp.c_[x, y, [1, 2, 3]], (3,), (3, 2)),
    case("c_ numbers", lambda x: anp.c_[x, 1.0], ()),
    case("row_stack", lambda x, y: anp.row_stack([x, y]), (3,), (2, 3)),
    case("row_stack lists", lambda x: anp.row_stack(([x[0], 1.0], x)), (2,)),
    case("sum of list", lambda x, y: anp.sum([x, [1.0, y[0]], y], axis=0), (2,), (2,)),
    case("mean max of list", lambda x, y: anp.mean([x, y]) * anp.max([x, y, 0.0]), (), ()),
    case("dot of lists", lambda x, y: anp.dot([x, y], [y, 2.0]) + anp.outer([x], [y, x])[0, 1], (), ()),
    case("where lists", lambda x: anp.where([True, False], [x, 1.0], [2.0, x]), ()),
    case("concatenate lists", lambda x: anp.concatenate([[x[0], x[1]], x, [3.0]]), (2,)),
    case("stack list", lambda x: anp.stack([x, 1.0, 2]) * np.stack([x, x, 2.0]), ()),
    case("vstack lists", lambda x: anp.vstack([[x, 2.0], [1.0, x]]) + anp.hstack(([x], [x * x])), ()),
    case("dstack lists", lambda x: anp.dstack([[x, 2.0], [1.0, x]]) * anp.column_stack([[x], [2.0]]), ()),
    case("append list", lambda x: anp.append([x, 1.0], [[x]]), ()),
    case("reshape list", lambda x: anp.reshape([x, x, 1.0, 2.0], (2, 2)), ()),
    case("pad with a Variable", lambda x, y: anp.pad(x, 1, constant_values=y), (2,), ()),
    case("norm of list", lambda x, y: anp.linalg.norm([x, y, 2.0]), (), ()),
    case("solve lists", lambda x, y: anp.linalg.solve([[x + 3, 1.0], [0.5, 2.0]], [y, x]), (), ()),
    case("multi_dot lists", lambda x: anp.linalg.multi_dot([[[x, 1.0]], [[2.0], [x]]]), ()),
    case("einsum list", lambda x, y: anp.einsum("i,i", [x, y], [y, y]), (), ()),
]


@pytest.mark.parametrize("row", OURS, ids=lambda row: row.name)
def test_rows(row):
    harness.check_value(row, np.float64)
    harness.check_first_order(row, np.float64)
    harness.check_one_at_a_time(row)
    harness.check_second_order(row)


# NumPy's lists of Python floats, plain, are float64
SINGLE = [row for row in OURS if "list" not in row.name and row.name not in ("r_", "c_", "c_ numbers")]


@pytest.mark.parametrize("row", SINGLE, ids=lambda row: row.name)
def test_in_single_precision(row):
    harness.check_value(row, np.float32)


def test_r_keeps_float32_beside_numbers():
    x = np.ones(2, np.float32)
    with Tape() as tape:
        assert anp.r_[tape.input(x), 1.0, 2].dtype == np.r_[x, 1.0, 2].dtype == np.float32


OF_LISTS = {
    "dot": lambda v, a, b: np.dot(v, [a, b]),
    "kron": lambda v, a, b: np.kron(v, [a, b]),
    "solve": lambda v, a, b: np.linalg.solve(v, [a, b]),
}


@pytest.mark.parametrize("name", OF_LISTS)
def test_products_of_an_array_and_a_list_of_variables(name):
    f, v = OF_LISTS[name], np.array([[2.0, 1.0], [0.5, 3.0]])
    check.gradients(lambda v, x: f(v, x[0], x[1]), [v, np.array([1.5, -0.7])]).raise_on_failure()


def test_make_diagonal_is_the_inverse_of_diagonal():
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    for offset in (-2, 0, 1):
        for axis1, axis2 in ((0, 1), (-1, -2), (3, 0), (1, -1)):
            z = anp.make_diagonal(x, offset, axis1, axis2)
            assert (
                z.shape
                == np.moveaxis(
                    np.zeros((2, 3, 4 + abs(offset), 4 + abs(offset))), (-2, -1), (axis1, axis2)
                ).shape
            )
            assert np.array_equal(np.diagonal(z, offset, axis1, axis2), x)
            assert np.count_nonzero(z) == x.size


def test_make_diagonal_refuses():
    with pytest.raises(ShapeError, match="one axis"):
        anp.make_diagonal(2.0)
    with pytest.raises(ShapeError, match="twice"):
        anp.make_diagonal(np.ones(3), axis1=0, axis2=0)
    with pytest.raises(ShapeError, match="out of range"):
        anp.make_diagonal(np.ones(3), axis1=2)


def test_r_without_variables_is_numpys():
    assert np.array_equal(anp.r_[1:4, 0, [5]], np.r_[1:4, 0, [5]])
    assert np.array_equal(anp.c_[[1, 2], [3, 4]], np.c_[[1, 2], [3, 4]])
    assert np.array_equal(anp.r_["0,2", [1, 2], [3, 4]], [[1, 2], [3, 4]])
    assert len(anp.r_) == len(np.r_)
    with Tape() as tape, pytest.raises(MissingRuleError, match="matrix"):
        anp.r_["r", tape.input(np.ones(2))]


def test_row_stack_survives_numpy():
    """NumPy 2 warns about the name, and later has it no more."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(anp.row_stack(([1, 2], [3, 4])), [[1, 2], [3, 4]])


def test_lists_of_plain_values_are_numpys():
    assert anp.sum([1, 2]) == 3 and type(anp.sum([1, 2])) is np.int64
    assert anp.sum(((1.0, 2.0), (3.0, 4.0)), axis=-1).tolist() == [3.0, 7.0]
    assert anp.linspace(0, 1, 3).tolist() == [0.0, 0.5, 1.0]


def test_lists_pass_through_the_same_refusals():
    with Tape() as tape:
        x = tape.input(1.0)
        with pytest.raises(MissingRuleError, match="casting="):
            anp.stack([x, 1.0], casting="no")
        with pytest.raises(ad.errors.MutationError, match="out="):
            anp.sum([x, x], out=np.empty(()))


def test_compiled():
    def f(x):
        parts = anp.r_[x, 1.0, anp.sum([x[0], x[1] * x[2]])]
        return anp.make_diagonal(parts, axis1=-1, axis2=-2) @ anp.array([x[0], 1.0, x[1], x[2], 2.0])

    x = np.array([1.5, -0.5, 2.0])
    np.testing.assert_allclose(ad.compile(f)(x), f(x), rtol=1e-14)
    np.testing.assert_allclose(ad.compile(ad.jacobian(f))(x), ad.jacobian(f)(x), rtol=1e-13)


def test_random_is_numpys():
    """Every name, and the same state: seeding one seeds the other."""
    assert importlib.import_module("adjoint.numpy.random") is anp.random is npr
    for name in ("RandomState", "rand", "randint", "randn", "random", "seed", "uniform"):
        assert getattr(npr, name) is getattr(np.random, name)
    assert "standard_normal" in dir(npr)
    with pytest.raises(AttributeError):
        npr.no_such_distribution  # noqa: B018
