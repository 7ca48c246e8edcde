"""Random programs of what a planner has to get right: rows, columns, scalars, views, joins, products.

A draft is the shapes of the inputs and a list of steps (operation, operands, a number that chooses axes,
slices and the like); it prints as what it is, so that a failing one can be cut down by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import adjoint as ad

LARGEST, HUGE = (
    3000,
    400_000,
)  # elements of a value, usually and in every eighth program: beyond, it is summed
Step = tuple[str, int, int, int]


class Draft(NamedTuple):
    """A program: `program(draft)` is the function, `arguments(draft)` what to try it on."""

    shapes: tuple[tuple[int, ...], ...]
    steps: tuple[Step, ...]
    dtype: str
    seed: int


OPERATIONS: dict[str, Callable[..., Any]] = {}


def operation(f: Callable[..., Any]) -> Callable[..., Any]:
    """Enter an operation of (x, y, k) in the table; it makes do with any shapes."""
    OPERATIONS[f.__name__] = f
    return f


def _axis(x: Any, k: int) -> int:
    return k % np.ndim(x)


def _axes(x: Any, k: int) -> tuple[int, ...]:
    """The k-th subset of axes, none of them empty."""
    subset = k % (2 ** np.ndim(x) - 1) + 1 if np.ndim(x) else 0
    return tuple(a for a in range(np.ndim(x)) if subset >> a & 1)


def _fitting(x: Any, y: Any) -> Any:
    """y, or its sum where the shapes do not broadcast."""
    try:
        np.broadcast_shapes(np.shape(x), np.shape(y))
    except ValueError:
        return np.sum(y) / np.size(y)
    return y


# ------------------------------------------------------------------------------------- elementwise
ROWS: list[Callable[[Any], Any]] = [
    np.tanh,
    np.sin,
    lambda x: np.exp(-x * x),
    lambda x: np.sqrt(1 + x * x),
    lambda x: x / (1 + x**2),
    lambda x: np.log1p(x**2) - 0.3,
    lambda x: -x,
    lambda x: np.where(x > 0.1, x, 0.3 * x),
    lambda x: np.maximum(x, 0.05),
    lambda x: np.clip(x, -0.7, 0.9),
    lambda x: np.abs(x) - 0.5,
    lambda x: 0.0 * x + 1.0,
    lambda x: ad.checkpoint(np.sin)(x),
    lambda x: ad.grad(lambda y: np.sum(np.sin(y) * y))(x * 0.5),
    lambda x: x * np.linspace(-1.0, 1.0, np.shape(x)[-1]).astype(np.result_type(x)) if np.ndim(x) else x,
]
PAIRS: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y,
    lambda x, y: y - 0.5 * x,
    lambda x, y: np.tanh(x) * y,
    lambda x, y: x / (2 + np.cos(y)),
    lambda x, y: np.hypot(x, 1.0) * np.arctan(y),
    lambda x, y: np.logaddexp(x, y),
    lambda x, y: np.where(x > y, 0.5 * x, y * y),
    lambda x, y: np.maximum(x, 0.9 * y + 0.01),
]


@operation
def row(x: Any, y: Any, k: int) -> Any:
    return ROWS[k % len(ROWS)](x)


@operation
def pair(x: Any, y: Any, k: int) -> Any:
    return PAIRS[k % len(PAIRS)](x, _fitting(x, y))


@operation
def both_rows(x: Any, y: Any, k: int) -> Any:
    return ROWS[k % len(ROWS)](x) * ROWS[k // 7 % len(ROWS)](_fitting(x, y))


# -------------------------------------------------------------------------------------- reductions
def _logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    m = np.max(x, axis=axis, keepdims=True)
    total = np.log(np.sum(np.exp(x - m), axis=axis, keepdims=True)) + m
    return total if keepdims else np.sum(total, axis=axis)


REDUCTIONS: list[Callable[..., Any]] = [np.sum, np.mean, np.max, np.min, np.sum, np.mean, np.var, _logsumexp]


@operation
def reduction(x: Any, y: Any, k: int) -> Any:
    if not np.ndim(x):
        return np.sum(x)
    return REDUCTIONS[k % len(REDUCTIONS)](x, axis=_axes(x, k // 8), keepdims=bool(k // 64 % 2))


@operation
def normalized(x: Any, y: Any, k: int) -> Any:
    """Softmax, or mean and variance taken out, along one axis or all."""
    axis = _axes(x, k // 2)
    if not axis:
        return x
    if k % 2:
        e = np.exp(x - np.max(x, axis=axis, keepdims=True))
        return e / np.sum(e, axis=axis, keepdims=True)
    middle = x - np.mean(x, axis=axis, keepdims=True)
    return middle / np.sqrt(0.1 + np.mean(middle**2, axis=axis, keepdims=True))


# ------------------------------------------------------------------------------------------- views
@operation
def permuted(x: Any, y: Any, k: int) -> Any:
    return np.transpose(x, np.random.default_rng(k).permutation(np.ndim(x)).tolist())


@operation
def reshaped(x: Any, y: Any, k: int) -> Any:
    n = np.size(x)
    divisor = next((d for d in (3 + k % 3, 2, 5) if n % d == 0), 1)
    return np.reshape(x, [(n,), (divisor, -1), (-1, divisor), (1, n), (n, 1)][k % 5] if n else (0,))


@operation
def sliced(x: Any, y: Any, k: int) -> Any:
    if not np.ndim(x):
        return x
    part = [
        slice(None, None, 2), slice(None, None, -1), slice(1, None), slice(None, -1), slice(-2, None),
        0, -1, slice(0, 1), None, slice(2, None, -1),
    ][k % 10]  # fmt: skip
    if k % 10 in (2, 3) and np.shape(x)[_axis(x, k // 10)] < 2:
        return x
    return x[(*(slice(None),) * _axis(x, k // 10), part)]


@operation
def repeated(x: Any, y: Any, k: int) -> Any:
    if not np.ndim(x) or 200 < np.size(x) <= LARGEST:
        return np.broadcast_to(np.sum(x), (2, 3))
    return [
        lambda: np.broadcast_to(x, (2, *np.shape(x))),
        lambda: np.tile(x, 2),
        lambda: np.repeat(x, 2, axis=_axis(x, k // 4)),
        lambda: np.expand_dims(x, _axis(x, k // 4)),
    ][k % 4]()


# ---------------------------------------------------------------------------------- fancy indexing
@operation
def gathered(x: Any, y: Any, k: int) -> Any:
    if not np.ndim(x) or not np.size(x):
        return x
    axis, rng = _axis(x, k // 3), np.random.default_rng(k)
    n = np.shape(x)[axis]
    index: Any = rng.integers(-n, n, size=(3, 2) if k % 3 == 1 else 4)
    if k % 3 == 2:
        index = rng.random(n) < 0.7
    return x[(*(slice(None),) * axis, index)]


@operation
def one_per_row(x: Any, y: Any, k: int) -> Any:
    if np.ndim(x) != 2 or not np.size(x):
        return x
    rows, columns = np.shape(x)
    return x[np.arange(rows), np.random.default_rng(k).integers(0, columns, rows)]


@operation
def scattered(x: Any, y: Any, k: int) -> Any:
    """Added to, or set, at slices and at index arrays in which some come twice."""
    if not np.ndim(x) or not np.size(x):
        return x
    n = np.shape(x)[0]
    index: Any = [slice(0, None, 2), np.random.default_rng(k).integers(0, n, 3), 0, slice(n // 2, None)][
        k % 4
    ]
    x = ad.numpy.asarray(x)
    at = x.at[index] if isinstance(x, ad.Variable) else None
    v = np.sum(y) / np.size(y)
    if at is not None:
        return at.add(v) if k % 4 == 1 or k // 4 % 2 else at.set(v)
    z = np.array(x)
    if k % 4 == 1 or k // 4 % 2:
        np.add.at(z, index, v)
    else:
        z[index] = v
    return z


# ------------------------------------------------------------------------------- joins, products
@operation
def joined(x: Any, y: Any, k: int) -> Any:
    if not np.ndim(x):
        return np.stack([x, np.sum(y) / max(np.size(y), 1), 2.0 * x])
    y = y if np.shape(y) == np.shape(x) else np.sin(x) + _fitting(x, np.sum(y) / max(np.size(y), 1))
    axis = _axis(x, k // 5)
    return [
        lambda: np.concatenate([x, y], axis=axis),
        lambda: np.stack([x, y], axis=axis),
        lambda: np.concatenate([y, x[..., :1] * 2.0, x], axis=-1),
        lambda: np.pad(x, [(1, 0)] + [(0, 2)] * (np.ndim(x) - 1)),
        lambda: np.concatenate([np.sum(x, axis=axis, keepdims=True), x], axis=axis),
    ][k % 5]()


@operation
def product(x: Any, y: Any, k: int) -> Any:
    if not np.ndim(x) or not np.ndim(y):
        return x * y
    if k % 4 == 3 and np.size(x) * np.size(y) <= LARGEST:
        return np.outer(x, y)
    if np.size(x) > LARGEST or np.size(y) > LARGEST:
        return (
            np.swapaxes(x, -1, -2) @ x / np.shape(x)[-2]
            if 0 < np.shape(x)[-1] <= 40 and np.ndim(x) > 1
            else x
        )
    if np.ndim(y) > 1 and np.shape(x)[-1] == np.shape(y)[-1] != np.shape(y)[-2]:
        y = np.swapaxes(y, -1, -2)
    try:
        return np.matmul(x, y) / np.shape(x)[-1]
    except (ValueError, ad.ShapeError):
        return np.matmul(x, np.swapaxes(x, -1, -2) if np.ndim(x) > 1 else x) / np.shape(x)[-1]


@operation
def accumulated(x: Any, y: Any, k: int) -> Any:
    return np.cumsum(x, axis=_axis(x, k)) if np.ndim(x) else x


@operation
def ordered(x: Any, y: Any, k: int) -> Any:
    return np.sort(x, axis=_axis(x, k)) if np.ndim(x) else x


@operation
def factored(x: Any, y: Any, k: int) -> Any:
    if np.ndim(x) != 2 or not 0 < np.shape(x)[0] <= 8:
        return x
    a = x @ x.T / np.shape(x)[1] + np.eye(np.shape(x)[0], dtype=np.result_type(x))
    return np.linalg.solve(a, x) if k % 2 else np.linalg.cholesky(a)


COMMON = ("row", "pair", "pair", "both_rows", "reduction", "reduction", "normalized", "sliced", "product")


def draft(seed: int) -> Draft:
    """The random program of this number."""
    rng = np.random.default_rng(seed)
    large = seed % 8 == 7  # several chunks, threads, partial sums
    rows, columns = ([6000, 40_001], [1, 3, 8]) if large else ([2, 3, 5, 17, 40], [1, 3, 4, 8, 33])
    r, c, b = (int(rng.choice(sizes)) for sizes in (rows, columns, [2, 3]))
    space = [(r, c), (c,), (r, 1), (), (b, r, c), (r, c), (c, r), (c, c), (b, 1, c), (r,)]
    shapes = tuple(space[k] for k in rng.integers(0, len(space), rng.integers(1, 4)))
    names = [*OPERATIONS, *COMMON]
    steps = tuple(
        (
            str(rng.choice(names)),
            int(rng.integers(0, 99)),
            int(rng.integers(0, 99)),
            int(rng.integers(0, 5040)),
        )
        for _ in range(rng.integers(2, 10))
    )
    return Draft(shapes, steps, "float32" if seed % 5 == 4 else "float64", seed)


def arguments(d: Draft) -> list[Any]:
    """Inputs of the draft's shapes; of the empty shape, a Python float in float64."""
    rng = np.random.default_rng(d.seed)
    values = [np.asarray(rng.standard_normal(shape), d.dtype)[()] for shape in d.shapes]
    return [float(x) if not np.shape(x) and d.dtype == "float64" else x for x in values]


def values(d: Draft, args: Sequence[Any]) -> list[Any]:
    """The inputs and the result of every step."""
    found = list(args)
    for name, i, j, k in d.steps:
        x, y = found[-1 - i % min(len(found), 3)], found[j % len(found)]
        z = OPERATIONS[name](x, y, k)
        if np.size(z) > (HUGE if max(map(np.size, args)) > LARGEST else LARGEST):
            z = np.sum(z, axis=_axes(z, k))
        if not np.size(z):  # (extrema of nothing do not exist)
            z = np.sum(z)
        if k % 3:  # keeps long products in bounds; now and then operations meet without it
            z = np.tanh(z)
        found.append(z)
    return found


def loss(d: Draft) -> Callable[..., Any]:
    """The draft as a scalar function of its arguments."""

    def f(*args: Any) -> Any:
        total = 0.0
        for k, v in enumerate(values(d, args)[-3:]):
            total = total + np.sum(v * (k + 1.0)) / max(np.size(v), 1) ** 0.5
        return total

    return f


def everything(d: Draft) -> Callable[..., Any]:
    """The last values themselves, loss and gradient, and in every second program a Hessian-vector product."""
    f, wanted = loss(d), tuple(range(len(d.shapes)))

    def program(*args: Any) -> dict[str, Any]:
        results = {"values": values(d, args)[-4:], "gradient": ad.value_and_grad(f, wanted)(*args)}
        if d.seed % 2:
            v = tuple(_direction(a, k) for k, a in enumerate(arguments(d)))
            results["hvp"] = ad.hessian_vector_product(lambda *x: f(*x), wanted)(*args, v)
        return results

    return program


def _direction(like: Any, seed: int) -> Any:
    x = np.random.default_rng(seed).standard_normal(np.shape(like))
    return float(x) if type(like) is float else np.asarray(x, np.asarray(like).dtype)[()]
