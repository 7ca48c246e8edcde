"""Shapes without values: every primitive says the shape and dtype of its result before it computes it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees
from adjoint.errors import AdjointError, TraceError
from adjoint.numpy import questions as qu
from adjoint.ops import PRIMITIVES
from adjoint.ops import segment as sg
from adjoint.ops.abstract import Abstract, abstract_of
from adjoint.ops.elementwise import Elementwise
from adjoint.ops.primitive import dtype_of, parts, shape_of
from adjoint.tape.trace import Trace

from ..numpy import cases
from ..numpy.harness import Case

OWN = [op for op in PRIMITIVES.values() if not op.foreign]


def kinds(z: Any) -> list[tuple[tuple[int, ...], np.dtype[Any]]]:
    return [(p.shape, p.dtype) for p in map(abstract_of, parts(z))]


def agrees(op: Any, args: Any, params: dict[str, Any]) -> None:
    """With every choice of operands abstract, but for masks, whose values decide shapes."""
    with np.errstate(all="ignore"):
        expected = kinds(op.value(*args, **params))
    choices = [
        (a,) if np.asarray(a).dtype == bool and op.name in ("getitem", "scatter_add") else (a, abstract_of(a))
        for a in args
    ]
    for operands in itertools.product(*choices):
        found = op.abstract(*operands, **params)
        assert kinds(found) == expected, (op.name, operands, params)
        assert all(type(n) is int for shape, _ in kinds(found) for n in shape)


def cast(args: Any, dtype: Any) -> list[Any]:
    return [np.asarray(a).astype(dtype)[()] if np.asarray(a).dtype.kind == "f" else a for a in args]


@pytest.mark.parametrize("op", OWN, ids=lambda op: op.name)
def test_abstract_agrees_with_value(op: Any) -> None:
    for args, params in op.samples(np.random.default_rng(0)):
        if op.name == "indicator" and np.shape(args[0]) != np.shape(args[1]):
            continue  # its value ignores the shape of `like`, which rules give equal to the condition's
        agrees(op, args, params)
        agrees(op, cast(args, np.float32), params)
        mixed = [*cast(args[:1], np.float32), *args[1:]]
        agrees(op, mixed, params)


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint16, np.int64, np.float16])
def test_other_dtypes_give_the_same_dtype_or_the_same_error(dtype: Any) -> None:
    for op in OWN:
        if isinstance(op, Elementwise):
            continue
        for args, params in op.samples(np.random.default_rng(0)):
            same_outcome(op, cast(args, dtype), params)


def same_outcome(op: Any, args: Any, params: dict[str, Any]) -> None:
    try:
        with np.errstate(all="ignore"):
            op.value(*args, **params)
    except (ValueError, TypeError, IndexError, OverflowError, RuntimeWarning) as error:
        if any(words in str(error) for words in ("ingular", "positive definite", "complex here")):
            return  # a matter of values
        with pytest.raises(type(error)):
            op.abstract(*map(abstract_of, args), **params)
    else:
        agrees(op, args, params)


A = np.ones
WRONG = {
    "sum axis": ("sum", (A((2, 3)),), {"axis": (2,)}),
    "mean axis": ("mean", (A(3),), {"axis": (1,), "keepdims": True}),
    "max of nothing": ("max", (A((0, 3)),), {"axis": (0,)}),
    "cumsum axis": ("cumsum", (A(3),), {"axis": 1}),
    "argmax axis": ("argmax", (A(3),), {"axis": 1}),
    "argmax of nothing": ("argmax", (A((0, 3)),), {"axis": 0}),
    "argsort axis": ("argsort", (A(3),), {"axis": 2}),
    "broadcast_to": ("broadcast_to", (A(3),), {"shape": (3, 2)}),
    "reshape": ("reshape", (A(3),), {"shape": (2, 2)}),
    "transpose": ("transpose", (A((2, 3)),), {"axes": (0,)}),
    "concatenate sizes": ("concatenate", (A((2, 3)), A((2, 4))), {"axis": 0}),
    "concatenate ndim": ("concatenate", (A((2, 3)), A(3)), {"axis": 0}),
    "concatenate axis": ("concatenate", (A((2, 3)), A((2, 3))), {"axis": 2}),
    "pad": ("pad", (A(2),), {"widths": ((-1, 0),)}),
    "flip": ("flip", (A(2),), {"axis": (1,)}),
    "roll": ("roll", (A(2),), {"shift": (1,), "axis": (1,)}),
    "matmul inner": ("matmul", (A((2, 3)), A((2, 3))), {}),
    "matmul stacks": ("matmul", (A((2, 2, 3)), A((3, 3, 2))), {}),
    "matmul scalar": ("matmul", (A(()), A((3, 3))), {}),
    "einsum sizes": ("einsum", (A((2, 3)), A((4, 2))), {"subscripts": "ij,jk->ik"}),
    "einsum letter": ("einsum", (A((2, 3)),), {"subscripts": "ij->k"}),
    "einsum axes": ("einsum", (A((2, 3)),), {"subscripts": "ijk->k"}),
    "solve square": ("solve", (A((2, 3)), A((2, 1))), {}),
    "solve right": ("solve", (A((3, 3)), A((2, 1))), {}),
    "inv vector": ("inv", (A(3),), {}),
    "det square": ("det", (A((2, 3)),), {}),
    "slogdet square": ("slogdet", (A((2, 3)),), {}),
    "cholesky square": ("cholesky", (A((2, 3)),), {}),
    "eigh square": ("eigh", (A((2, 3)),), {"lower": True}),
    "svd vector": ("svd", (A(3),), {}),
    "qr wide": ("qr", (A((2, 3)),), {}),
    "triangular square": (
        "solve_triangular", (A((2, 3)), A((3, 1))), {"lower": True, "transposed": False, "unit": False}),
    "triangular right": (
        "solve_triangular", (A((2, 2)), A((3, 1))), {"lower": True, "transposed": False, "unit": False}),
    "triangle vector": ("triangle", (A(()),), {"lower": True, "offset": 0}),
    "mirror": ("mirror", (A((2, 3)),), {"lower": True}),
    "scatter_add": ("scatter_add", (A(3),), {"template": (slice(2),), "shape": (4,)}),
    "scatter_set": ("scatter_set", (A(4), A((2, 2))), {"template": (slice(2),)}),
    "float index": ("getitem", (A(4), A(2)), {"template": ("array",)}),
    "segments of a scalar": ("segment_sum", (A(()), np.array([0, 1])), {}),
    "offsets of floats": ("segment_max", (A(2), np.array([0.0, 2.0])), {}),
    "offsets of two axes": ("segment_sum", (A(2), np.array([[0, 2]])), {}),
    "no offsets": ("segment_sum", (A(2), np.array([], int)), {}),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_raises_as_the_value_does(case: str) -> None:
    name, args, params = WRONG[case]
    op = PRIMITIVES[name]
    with pytest.raises((ValueError, TypeError, IndexError)) as of_value:
        op.value(*args, **params)
    with pytest.raises(type(of_value.value)):
        op.abstract(*map(abstract_of, args), **params)


# ---------------------------------------------------------------------------------------------- indexing
def random_index(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[tuple[Any, ...], list[Any]]:
    """A template and its arrays; one in a few does not fit the shape."""
    template: list[Any] = []
    arrays: list[Any] = []
    axes, grid = list(shape), [(), (3,), (2, 1), (2, 3), (1,)]
    while axes and rng.random() < 0.85:
        n, kind = axes.pop(0), rng.integers(7)
        if kind == 0:
            template.append(int(rng.integers(-n, n + (rng.random() < 0.1))))
        elif kind == 1:
            template.append(slice(*(None if rng.random() < 0.4 else int(rng.integers(-5, 6)) for _ in "ab"),
                                  (None, 2, -1, -3)[rng.integers(4)]))  # fmt: skip
        elif kind == 2:
            template.append(None)
            axes.insert(0, n)
        elif kind == 3 and Ellipsis not in template:
            template.append(Ellipsis)
            del axes[: rng.integers(0, len(axes) + 1)]
        else:
            mask = kind == 4
            sizes = (n, *axes[: (some := int(rng.integers(0, 2)) if mask else 0)])
            del axes[:some]
            chosen = rng.random(sizes) < 0.4 if mask else rng.integers(-n, n, grid[rng.integers(5)])
            template.append("array")
            arrays.append(chosen)
    return tuple(template), arrays


def test_random_indices_give_numpys_shape_or_its_error() -> None:
    rng, seen = np.random.default_rng(3), {"agrees": 0, "IndexError": 0}
    getitem = PRIMITIVES["getitem"]
    for _ in range(3000):
        shape = tuple(int(n) for n in rng.integers(1, 6, rng.integers(0, 5)))
        template, arrays = random_index(rng, shape)
        x = np.zeros(shape, np.float32)
        try:
            getitem.value(x, *arrays, template=template)
        except IndexError:
            seen["IndexError"] += 1
            with pytest.raises(IndexError):
                getitem.abstract(abstract_of(x), *arrays, template=template)
        else:
            seen["agrees"] += 1
            agrees(getitem, (x, *arrays), {"template": template})
    assert min(seen.values()) > 50


def test_a_mask_that_is_abstract_decides_no_shape() -> None:
    x, mask = Abstract((4, 3), np.dtype(np.float64)), Abstract((4,), np.dtype(np.bool_))
    number, row, rows = (Abstract(s, np.dtype(np.float64)) for s in ((), (3,), (2, 3)))
    where = {"template": ("array",)}
    with pytest.raises(
        TraceError, match=r"indexing by a mask needs the value of an array \(4,\) bool"
    ) as caught:
        PRIMITIVES["getitem"].abstract(x, mask, **where)
    assert "np.where" in str(caught.value)
    for v in (0.0, number, row):  # what is written does not depend on how many there are
        assert PRIMITIVES["scatter_set"].abstract(x, v, mask, **where).shape == (4, 3)
    with pytest.raises(TraceError, match="one number for every element of a mask"):
        PRIMITIVES["scatter_set"].abstract(x, rows, mask, **where)
    with pytest.raises(IndexError):
        PRIMITIVES["scatter_set"].abstract(x, 0.0, Abstract((3,), np.dtype(np.bool_)), **where)


# ------------------------------------------------------------------ rules on a tape without values
def described(x: Any) -> list[Any]:
    return [(shape_of(leaf), dtype_of(leaf)) for leaf in trees.flatten(x)[0]]


def traces(f: Any, *args: Any) -> None:
    """On a tape without values f gives what it gives on one with values: shapes and dtypes."""
    with ad.Tape() as tape:
        expected = described(f(*(tape.input(a) if dtype_of(a).kind == "f" else a for a in args)))
    with Trace() as trace:
        assert described(f(*(trace.placeholder(abstract_of(a)) for a in args))) == expected


def loss_of(f: Any) -> Any:
    return lambda *x: sum(np.sum(np.sin(z)) for z in trees.flatten(f(*x))[0] if dtype_of(z).kind == "f")


SIZED_BY_VALUES = ("unique", "x[x > 0]", "extract", "trim_zeros")
CASES = {
    c.name: c
    for table in vars(cases).values() if isinstance(table, list)
    for c in table if isinstance(c, Case) and not c.name.startswith(SIZED_BY_VALUES)
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_functions_and_their_derivatives_need_no_values(name: str) -> None:
    f, args = CASES[name].function, CASES[name].arguments(np.float32)
    loss, every = loss_of(f), tuple(range(len(args)))
    traces(f, *args)
    traces(ad.grad(loss, every), *args)
    traces(lambda *x: ad.jvp(ad.grad(loss, every), x, x)[1], *args)


@pytest.mark.parametrize("op", [sg.segment_sum, sg.segment_max, sg.segment_logsumexp], ids=lambda op: op.name)
def test_offsets_may_be_arguments(op: Any) -> None:
    x, offsets = np.random.default_rng(0).standard_normal((6, 2)), np.array([0, 2, 3, 6])
    traces(op, x, offsets)
    traces(lambda x, offsets: ad.grad(lambda x: np.sum(np.sin(op(x, offsets)[2:])))(x), x, offsets)
    traces(lambda x, offsets: ad.hvp(lambda x: np.sum(np.sin(op(x, offsets))), x, x), x, offsets)


def test_index_arrays_may_be_arguments() -> None:
    def f(x: Any, v: Any, i: Any) -> Any:
        x = x * 1.0 if isinstance(x, ad.Variable) else ad.numpy.array(x)
        return np.sum(x[i] ** 2) + np.sum(x.at[i].set(v) ** 2) + np.sum(np.take(x, i, mode="clip"))

    x, v, i = np.arange(4.0), np.ones(3), np.array([1, 0, 1])
    traces(ad.grad(f, (0, 1)), x, v, i)
    # λ of what a constant index started must not be added to in place through an abstract one
    traces(lambda x, i: ad.grad(lambda y: np.sum(y[i]) + np.sum(2.0 * y))(np.ones(4)) + x, x, i)


def test_implicit_constraints_are_not_iterated() -> None:
    def stubborn(residual: Any, z: Any) -> Any:
        raise AssertionError("the solver ran")

    z0, b = np.ones(2, np.float32), np.ones(2)
    g = lambda z, b: z**3 - b  # noqa: E731
    contraction = lambda z, b: 0.5 * np.cos(z) * b  # noqa: E731
    with Trace() as trace:
        start, right = (trace.placeholder(abstract_of(a)) for a in (z0, b))
        assert described(ad.root(g, start, right, solver=stubborn)) == [((2,), np.float32)]
        pulled = ad.grad(lambda b, z: np.sum(ad.root(g, z, b, solver=stubborn)), (0, 1))(right, start)
        assert described(pulled) == [((2,), np.float64), ((2,), np.float32)]
    for z in (z0, np.zeros(2), np.array([1, 0])):
        traces(lambda b, z=z: ad.fixed_point(contraction, z, b), b)
        traces(lambda b, z=z: ad.fixed_point(contraction, z, b), b.astype(np.float32))
        traces(lambda b, z=z: ad.hvp(lambda b: np.sum(ad.fixed_point(contraction, z, b)), b, b), b)
    traces(lambda z, b: ad.grad(lambda b: np.sum(ad.fixed_point(contraction, z, b)))(b), z0, b)


def test_counts_are_recorded_where_values_are_unknown() -> None:
    with Trace() as trace:
        x = trace.placeholder(Abstract((2, 3), np.dtype(np.float64)))
        assert described([np.any(x), np.all(x > 0, axis=1), np.count_nonzero(x, axis=0, keepdims=True)]) == [
            ((), np.bool_), ((2,), np.bool_), ((1, 3), np.int64),
        ]  # fmt: skip


REFUSED = {
    "unique": lambda x: np.unique(x),
    "bincount": lambda x: np.bincount(x.astype(int)),
    "nonzero": lambda x: np.nonzero(x),
    "repeat": lambda x: np.repeat(x, x.astype(int)),
    "array_split": lambda x: np.array_split(x, x.astype(int)),
    "mask": lambda x: x[x > 0],
}


@pytest.mark.parametrize("name", REFUSED)
def test_results_whose_shape_depends_on_values_are_refused(name: str) -> None:
    with (
        Trace() as trace,
        pytest.raises(TraceError, match="program has only when it runs") as caught,
    ):
        REFUSED[name](trace.placeholder(Abstract((4,), np.dtype(np.float64))))
    assert isinstance(caught.value, AdjointError)
    assert len(str(caught.value).splitlines()) == 3  # what, where, remedy


def test_any_and_all_agree_with_numpy() -> None:
    """The recorded forms are correct, not only of the right shape."""
    for shape in ((2, 3), (0, 3), ()):
        x = np.random.default_rng(1).integers(0, 2, shape)
        for axis in (None, 0) if shape else (None,):
            with ad.Tape() as tape:
                v = tape.input(np.asarray(x, float))
                found = [r(v, axis) for r in (qu._any, qu._all, qu._count)]
            for z, reference in zip(found, (np.any, np.all, np.count_nonzero), strict=True):
                np.testing.assert_array_equal(z.value, reference(x, axis=axis))
