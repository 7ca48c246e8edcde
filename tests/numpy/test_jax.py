"""jax as an independent witness: the same program, its cotangents and its Hessian products, in float64."""

from __future__ import annotations

import types

import pytest

import adjoint as ad

from ..helpers import jax_in_double
from .cases import CASES
from .harness import assert_close, everything, leaves, like

jax = pytest.importorskip("jax", reason="jax, the independent witness, is not installed")
pytestmark = pytest.mark.peers

# One row per rule, those with branches several; the rest of the table differs in shapes only.
CHOSEN = (
    "reshape F", "transpose axes", "moveaxis tuple", "rollaxis negative", "concatenate axis",
    "stack axis", "dstack 2", "array_split many", "rot90 axes", "roll axes", "tile reps", "pad reflect",
    "pad wrap", "take wrap", "take_along_axis", "diagonal axes", "diag matrix", "trace offset", "tril k",
    "where broadcast", "clip bounds", "diff n", "linspace arrays", "modf", "x[pairs]",
    "x[array, None, slice]", "x[array, slice, array]", "x[int, slice, array]", "x[argsort]", "var axes",
    "std axes", "max axes", "min keepdims", "prod axes", "ptp axis", "prod two zeros", "prod three zeros",
    "cumprod zeros", "cumprod axis", "cumsum axis", "average weights", "sort axis", "norm vector 3",
    "norm vector -1", "norm axes nuc", "norm matrix 2", "norm matrix -inf", "matmul (4,) @ (2, 5, 4, 2)",
    "matmul (2, 1, 3, 4) @ (5, 4, 2)", "matmul (5, 3, 4) @ (4,)", "dot (2, 3, 4) (5, 4, 2)", "inner",
    "tensordot axes", "kron ragged", "einsum iji->j [(3, 2, 3)]", "einsum ij,kl->il [(2, 3), (4, 2)]",
    "einsum ...ij,...jk [(2, 1, 2, 3), (5, 3, 4)]", "einsum ij,jk,kl->il [(2, 3), (3, 4), (4, 2)]",
    "cross axes", "solve (2, 3, 3) (3, 2)", "solve (3, 3) (3,)", "inv (2, 3, 3)", "det (2, 3, 3)",
    "det rank n−1", "slogdet (2, 3, 3)", "svd values", "matrix_power -3", "multi_dot",
)  # fmt: skip
ROWS = {c.name: c for c in CASES}


def with_jax(function):
    """The row's function, reading jax.numpy where it says np."""
    names = {**function.__globals__, "np": jax.numpy}
    defaults = tuple(
        getattr(jax.numpy, d.__name__) if callable(d) else d for d in function.__defaults__ or ()
    )
    twin = types.FunctionType(function.__code__, names, argdefs=defaults, closure=function.__closure__)
    twin.__kwdefaults__ = function.__kwdefaults__
    return twin


@pytest.fixture(scope="module", autouse=True)
def double_precision():
    with jax_in_double():
        yield


@pytest.mark.parametrize("name", CHOSEN)
def test_same_derivatives(name):
    case = ROWS[name]
    args, rng = case.arguments(), case.rng()
    theirs = with_jax(case.function)
    lam, v = like(rng, leaves(case.function(*args))), like(rng, args)

    def loss(f):
        return lambda *x: sum((a * b).sum() for a, b in zip(lam, leaves_of(f(*x)), strict=True))

    found = ad.jvp(ad.grad(loss(case.function), everything(args)), args, v)
    both = jax.jit(lambda x, x_dot: jax.jvp(jax.grad(loss(theirs), everything(args)), x, x_dot))
    expected = both(tuple(map(jax.numpy.asarray, args)), tuple(map(jax.numpy.asarray, v)))
    assert_close(found[0], expected[0], 1e-10)
    assert_close(found[1], expected[1], 1e-8)


def leaves_of(z):
    """Leaves of a result of either library."""
    return [leaf for part in z for leaf in leaves_of(part)] if isinstance(z, (tuple, list)) else [z]
