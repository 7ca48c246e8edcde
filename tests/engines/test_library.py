"""Structured primitives under compile: the same numbers as without, and no step by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees
from adjoint.ops.index import scatter_set, split_index
from adjoint.ops.linalg import mirror, triangle

from ..helpers import fresh, message, normal, points_at, rng


def native(f: Callable[..., Any], *args: Any, tolerance: float = 1e-11) -> None:
    """Compiled, f gives what it gives otherwise, in the same shapes and dtypes, by native steps alone."""
    compiled = ad.compile(f)
    found, structure = trees.flatten(compiled(*args))
    wanted, wanted_structure = trees.flatten(f(*args))
    assert structure == wanted_structure
    for a, b in zip(found, wanted, strict=True):
        assert (np.shape(a), np.asarray(a).dtype) == (np.shape(b), np.asarray(b).dtype)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    (program,) = compiled.explain().programs
    assert not program.fallbacks, program.fallbacks


def value_and_gradients(f: Callable[..., Any], count: int) -> Callable[..., Any]:
    """f's value, and the gradients of Σ sin f with respect to the first `count` arguments."""

    def both(*args: Any) -> Any:
        loss = lambda *xs: np.sum(np.sin(f(*xs)))  # noqa: E731
        return f(*args), ad.grad(loss, argnum=tuple(range(count)))(*args)

    return both


# -------------------------------------------------------------------------------------------- einsum
SIZES = dict(zip("abcdhijklmnq", (3, 4, 5, 6, 2, 3, 4, 5, 2, 3, 4, 6), strict=True))


@pytest.mark.parametrize(
    "subscripts",
    [
        "ij->ji", "ij->", "ij->j", "abc->ca", "i,j->ij", "i,i->", "ij,ij->i", "ab,b->ab", "ijk,k->ij",
        "ij,jk->ik", "abd,acd->abc", "aqhd,akhd->ahqk", "ahqk,akhd->aqhd", "abc,cbd->da", "ab,cd->",
        "i,j,k->ijk", "ij,jk,i->k", "ij,kj,lj,j->ikl", "ij,jk,kl,lm,mn->in",
    ],
)  # fmt: skip
def test_einsum(subscripts: str) -> None:
    words = subscripts.split("->")[0].split(",")
    args = [normal(*[SIZES[c] for c in w], seed=k) for k, w in enumerate(words)]
    native(value_and_gradients(lambda *xs: np.einsum(subscripts, *xs), len(args)), *args)


def test_einsum_of_axes_of_length_one() -> None:
    x, y = normal(3, 1), normal(4, 5, seed=1)
    native(value_and_gradients(lambda x, y: np.einsum("ij,jk->ik", x, y), 2), x, y)
    native(lambda x: np.einsum("ij,ik->jk", x, x), normal(1, 3))


@pytest.mark.parametrize("kinds", [(np.int64, np.int64), (np.float32, np.float64), (np.int32, np.float32)])
def test_products_of_other_dtypes(kinds: tuple[type, type]) -> None:
    x = rng().integers(-5, 5, (3, 4)).astype(kinds[0])
    y = rng(1).integers(-5, 5, (2, 4, 5)).astype(kinds[1])
    native(lambda x, y: (x @ y, x @ y[0, :, 0], np.einsum("ij,bjk->kib", x, y)), x, y)


def test_attention_is_products_and_regions() -> None:
    def attention(q: Any, k: Any, v: Any) -> Any:
        scores = np.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(8.0)
        weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
        return np.einsum("bhqk,bkhd->bqhd", weights / np.sum(weights, axis=-1, keepdims=True), v)

    args = [normal(2, 9, 3, 8, seed=k) for k in range(3)]
    native(value_and_gradients(attention, 3), *args)
    compiled = ad.compile(attention)
    compiled(*args)
    assert {s.kind for s in compiled.explain().programs[0].steps} == {"product", "region"}


# ------------------------------------------------------------------------------- moving and masking
def put(x: Any, v: Any, *index: Any) -> Any:
    """x with v written at an index, for plain arrays too."""
    template, arrays = split_index(index)
    return scatter_set(x, v, *arrays, template=template)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.tril(x) * 2 + np.triu(x, 1) * np.cos(x) - np.tril(x, -2) * np.triu(x, -3) * x,
        lambda x: np.roll(x, 1, axis=0) - 2 * x * np.roll(x, -2, axis=-1) + np.roll(x, 7),
        lambda x: np.flip(x, axis=0) * x + np.fliplr(x) * x[::-1, ::-2].sum(),
    ],
    ids=["triangles", "rolls", "flips"],
)
def test_rearranged(f: Callable[..., Any]) -> None:
    native(value_and_gradients(f, 1), normal(4, 5))
    native(value_and_gradients(f, 1), normal(5, 4))


def test_triangles_of_solves() -> None:
    """The primitive behind the rules of triangular solves, which np.tril is not."""

    def f(x: Any) -> Any:
        low = triangle(x, lower=True, offset=0) * 2 - triangle(x, lower=True, offset=2) * x
        return low + triangle(x, lower=False, offset=1) * np.cos(x) + triangle(x, lower=False, offset=0)

    native(value_and_gradients(f, 1), normal(2, 4, 5))
    native(f, normal(5, 4))


def test_mirror() -> None:
    f = lambda x: mirror(x, lower=True) @ mirror(x, lower=False)  # noqa: E731
    native(value_and_gradients(f, 1), normal(4, 4))


@pytest.mark.parametrize(
    ("index", "shape"),
    [
        ((slice(1, 3),), (5,)), ((slice(1, 3), slice(None, None, 2)), (3,)), ((-1,), (1, 5)), ((2, 3), ()),
        ((slice(None, None, -2),), (2, 5)), ((Ellipsis, slice(1, -1)), (4, 1)), ((slice(2, 2),), (5,)),
    ],
)  # fmt: skip
def test_writes_by_slices(index: Any, shape: tuple[int, ...]) -> None:
    f = lambda x, v: put(x * 1.0, v * 2.0, *index)  # noqa: E731
    native(value_and_gradients(f, 2), normal(4, 5), normal(*shape, seed=1))
    native(lambda x: put(x, 0.0, *index), normal(4, 5))


def test_writes_by_masks() -> None:
    mask = normal(4, 5) > 0
    native(lambda x, v: put(x, v, mask) * put(x, 2.0, mask[:, 0]) * put(x, 0.5, x > 0), normal(4, 5), 3.0)


def test_an_array_filled_in_a_loop_is_one_array() -> None:
    def fill(x: Any) -> Any:
        z = np.zeros(40) + 0 * x[0]
        for k in range(40):
            z = put(z, x[k] * x[(k + 1) % 40], k)
        return z

    native(value_and_gradients(fill, 1), normal(40))


@pytest.mark.parametrize(
    ("f", "shape"),
    [
        (lambda u: u[1:-1] * (u[2:] - u[:-2]) + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2]), (50,)),
        (
            lambda u: 4 * u[1:-1, 1:-1] - u[2:, 1:-1] - u[:-2, 1:-1] - u[1:-1, 2:] * u[1:-1, :-2],
            (20, 30),
        ),
        (lambda u: u[::2] * u[1::2], (20,)),
    ],
    ids=["one axis", "two axes", "with gaps"],
)
def test_stencils(f: Callable[..., Any], shape: tuple[int, ...]) -> None:
    native(value_and_gradients(f, 1), normal(*shape))


# ------------------------------------------------------------------------------------ index arrays
TABLE, TOKENS = normal(10, 4), rng(1).integers(-10, 10, (3, 5))
ROWS, COLUMNS = rng(2).integers(-10, 10, 7), rng(3).integers(-4, 4, 7)
CUBES = normal(3, 10, 4, 2)


@pytest.mark.parametrize(
    ("f", "args"),
    [
        (lambda x, t: x[t], (TABLE, TOKENS)),
        (lambda x, t: x[t.T] + x[t[0].astype(np.int32)][:, None], (TABLE, TOKENS[:, :3])),
        (lambda x: x[TOKENS], (TABLE,)),
        (lambda x, i, j: x[i, j] * x[i[:, None], j], (TABLE, ROWS, COLUMNS)),
        (lambda x, j: x[:, j] * np.take(x, j, axis=1), (TABLE, COLUMNS)),
        (lambda x, i, j: x[:, i, j] * x[:, i, 1], (CUBES, ROWS, COLUMNS)),
        (lambda x, i, j: x[0, i, j] + x[1, :, j][:, 0], (CUBES, ROWS, COLUMNS)),
        (lambda x, i: x[..., i, 1:3, :].sum() + x[::-1, i, None, ::2], (CUBES, ROWS)),
        (lambda x, k: np.take_along_axis(x, k, axis=1), (CUBES, rng(4).integers(0, 10, (3, 5, 4, 2)))),
        (lambda x: x[TABLE > 0] * x[CUBES[0, :, :, 0] > 0].sum() + x[TABLE[:, 0] > 0].sum(), (TABLE,)),
    ],
    ids=lambda x: "",
)
def test_index_arrays(f: Callable[..., Any], args: tuple[Any, ...]) -> None:
    native(value_and_gradients(f, 1), *args)


def test_writes_by_index_arrays() -> None:
    def f(x: Any, v: Any, t: Any) -> Any:
        return put(x, v, t), put(x, v[0], slice(None), t % 4), put(x, 0.0, t, 1), put(x, v[0, 0], TABLE > 0)

    # of two writes to one place the last stands
    native(f, normal(10, 4), normal(4, 4), np.array([3, -7, 0, 9]))
    native(lambda x, v, t: put(x, v, t), normal(10, 4), normal(5, 4), np.array([3, 3, 0, -7, 9]))


def test_index_arrays_on_threads() -> None:
    """Large enough for chunks: rows are owned, so the sum over duplicates has one order."""
    x, i = normal(300, 40), rng().integers(0, 300, 4000)
    native(value_and_gradients(lambda x, i: x[i], 1), x, i)
    weights = normal(4000, 40, seed=1)
    gradient = ad.compile(ad.grad(lambda x, i: np.sum(weights * x[i])))
    expected = np.zeros_like(x)
    np.add.at(expected, i, weights)
    assert np.array_equal(gradient(x, i), expected)


@pytest.mark.parametrize("wrong", [[1, 10], [-11, 3]])
def test_an_index_out_of_bounds_names_the_line(wrong: list[int]) -> None:
    def f(x: Any, t: Any) -> Any:
        return np.sum(x[t] ** 2)

    for compiled in (ad.compile(f), ad.compile(ad.grad(f)), ad.compile(lambda x, t: np.sort(x[t]))):
        compiled(TABLE, np.array([0, -10]))
        text = message(ad.IndexingError, compiled, TABLE, np.array(wrong))
        assert "out of bounds for an axis of size 10" in text
        assert points_at(text, "x[t]")
        compiled(TABLE, np.array([9, 1]))


# --------------------------------------------------------------------------------- scans, positions
def test_running_sums() -> None:
    def f(x: Any) -> Any:
        return np.cumsum(x, axis=0) * np.cumsum(x, axis=1) * np.cumsum(x, axis=-1) + np.cumsum(x)[::5].sum()

    native(value_and_gradients(f, 1), normal(3, 5, 4))
    kinds = lambda t, b: (np.cumsum(t, axis=1), np.cumsum(t), np.cumsum(b, axis=0))  # noqa: E731
    native(kinds, TOKENS, TABLE > 0)
    native(lambda x: (np.cumsum(x, axis=0), np.cumsum(x, axis=1)), normal(300, 700))


def test_running_sums_of_single_precision_keep_their_digits() -> None:
    x = rng().random(10**6).astype(np.float32)
    last = ad.compile(lambda x: np.cumsum(x)[-1])(x)
    assert abs(last - np.sum(x, dtype=np.float64)) < 0.1  # a running float32 sum is off by 30


def test_positions() -> None:
    def f(x: Any) -> Any:
        return [g(x, axis=k) for g in (np.argmax, np.argmin) for k in (0, 1, -1, None)]

    special = normal(5, 6, 4)
    special[1, 2], special[3], special[4, 0, 2] = 1.0, np.nan, np.nan
    native(f, special)
    native(f, rng().integers(-3, 3, (5, 6, 4)))
    native(lambda x: (np.argmax(x, axis=0), np.argmin(x, axis=1, keepdims=True)), normal(300, 700))


# ------------------------------------------------------------------------------------- ragged rows
LENGTHS = {
    "short": [2, 0, 3, 1, 0],
    "mixed": [1500, 3, 0, 2000, 7, 900, 200, *[3] * 2000, *[0] * 3000, 40000, 1],
}
REDUCTIONS = (ad.segment_sum, ad.segment_max, ad.segment_logsumexp)


def offsets_of(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)])


def finite(f: Callable[..., Any]) -> Callable[..., Any]:
    """Nothing has a sum of 0 and a maximum of −inf."""
    return lambda x, offsets: np.where(np.isfinite(z := f(x, offsets)), z, 0)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=list(LENGTHS))
@pytest.mark.parametrize("columns", [(), (3,)], ids=["", "columns"])
def test_segments(lengths: list[int], columns: tuple[int, ...]) -> None:
    offsets = offsets_of(lengths)
    x = normal(offsets[-1], *columns)
    for f in REDUCTIONS:
        native(value_and_gradients(finite(f), 1), x, offsets)
    native(lambda x: finite(ad.segment_logsumexp)(x, offsets.astype(np.int32)), x[::-1])


def test_second_derivatives_over_segments() -> None:
    offsets = offsets_of(LENGTHS["mixed"])

    def gradient(x: Any, offsets: Any) -> Any:
        return ad.grad(lambda x: np.sum(np.sin(finite(ad.segment_logsumexp)(x, offsets))))(x)

    native(ad.grad(lambda x, o: np.sum(np.cos(x) * gradient(x, o))), normal(offsets[-1]), offsets)


def test_the_pullback_of_segment_logsumexp_is_one_pass() -> None:
    weights = normal(5)
    f = ad.grad(lambda x, o: np.sum(weights * ad.segment_logsumexp(x, o)))
    compiled = ad.compile(f)
    compiled(normal(6), offsets_of(LENGTHS["short"]))
    names = [s.operations for s in compiled.explain().programs[0].steps]
    assert ("segment_shares",) in names
    assert ("segment_spread",) not in names


def test_infinities_and_nan_in_segments() -> None:
    x = np.array([1.0, np.inf, -np.inf, -np.inf, np.nan, 2.0])
    with np.errstate(invalid="ignore"):
        native(lambda x, o: [f(x, o) for f in REDUCTIONS], x, np.array([0, 2, 4, 5, 6, 6]))


@pytest.mark.parametrize("wrong", [[0, 3, 2, 6], [1, 3, 3, 6], [0, 3, 3, 7], [0, -5, 3, 6], [0, 100, 3, 6]])
def test_wrong_offsets_name_the_line(wrong: list[int]) -> None:
    for f in REDUCTIONS:
        compiled = ad.compile(lambda x, o, f=f: f(x, o))
        compiled(normal(6), np.array([0, 3, 3, 6]))
        text = message(ad.ShapeError, compiled, normal(6), np.array(wrong))
        assert "offsets must be integers that rise from 0 to len(x) = 6" in text
        assert points_at(text, "f(x, o)")


# ---------------------------------------------------------------------------- primitives of the user
def test_a_primitive_of_the_users_runs_between_native_steps() -> None:
    name = next(fresh)
    cube = ad.primitive(name, lambda x: x**3, adjoint=lambda args, z, lam: (3 * args[0] ** 2 * lam,))
    f = ad.value_and_grad(lambda x: np.sum(np.tanh(cube(np.sin(x)))))
    compiled = ad.compile(f)
    x = normal(5)
    value, gradient = compiled(x)
    np.testing.assert_allclose(value, f(x)[0], rtol=1e-12)
    np.testing.assert_allclose(gradient, f(x)[1], rtol=1e-12)
    (program,) = compiled.explain().programs
    ((operation, place, _),) = program.fallbacks
    assert operation == name
    assert "test_library.py" in place


def test_an_error_of_the_users_primitive_is_the_users() -> None:
    def checked(x: Any) -> Any:
        if not np.all(np.isfinite(x)):
            raise ValueError("not for infinities")
        return 2 * x

    double = ad.primitive(next(fresh), checked, adjoint=lambda args, z, lam: (2 * lam,))
    compiled = ad.compile(lambda x: np.sum(double(x)))
    assert compiled(np.ones(3)) == 6
    with pytest.raises(ValueError, match="not for infinities"):
        compiled(np.full(3, np.inf))
