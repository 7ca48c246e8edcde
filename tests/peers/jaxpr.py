"""jax's rules by NumPy's arithmetic: what jax.jvp and jax.grad make of a program, run without compiling it.

XLA compiles the derivatives of forty operations in fifteen seconds; tracing them takes one, and running them
next to nothing. Primitives that are rare, or several lines in NumPy, are left to jax one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.special

SAME_NAME = (
    "sqrt", "exp", "exp2", "expm1", "log", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "abs",
    "sign", "real", "imag", "floor", "ceil", "square", "cbrt",
)  # fmt: skip
NUMPY: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in SAME_NAME},
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "rsqrt": lambda x: 1 / np.sqrt(x),
    "mul": np.multiply, "add": np.add, "add_any": np.add, "sub": np.subtract, "neg": np.negative,
    "pow": np.power, "max": np.maximum, "min": np.minimum, "rem": np.fmod,
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal, "and": np.bitwise_and, "or": np.bitwise_or, "not": np.invert,
    "is_finite": np.isfinite, "copy": np.positive, "stop_gradient": lambda x: x,
    "erf": scipy.special.erf, "erfc": scipy.special.erfc, "lgamma": scipy.special.gammaln,
    "digamma": scipy.special.digamma, "logistic": scipy.special.expit,
    "bessel_i0e": scipy.special.i0e, "bessel_i1e": scipy.special.i1e,
    "complex": lambda x, y: x + 1j * y,
}  # fmt: skip
REDUCTIONS = {
    "reduce_sum": np.sum, "reduce_prod": np.prod, "reduce_max": np.max, "reduce_min": np.min,
    "reduce_or": np.any, "reduce_and": np.all,
}  # fmt: skip


def run(closed: Any, *args: Any) -> list[Any]:
    """The results of a closed jaxpr."""
    return _run(closed.jaxpr, closed.consts, args)


def _run(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*map(np.asarray, consts), *args), strict=True))

    def value(v: Any) -> Any:
        return np.asarray(v.val, v.aval.dtype) if hasattr(v, "val") else known[v]

    for eqn in jaxpr.eqns:
        results = _equation(eqn, [value(v) for v in eqn.invars])
        for v, z in zip(eqn.outvars, results, strict=True):
            known[v] = np.asarray(z).astype(v.aval.dtype, copy=False)
            assert known[v].shape == v.aval.shape, eqn
    return [value(v) for v in jaxpr.outvars]


def _equation(eqn: Any, args: list[Any]) -> Sequence[Any]:
    name, params = eqn.primitive.name, eqn.params
    if name in NUMPY:
        return [NUMPY[name](*args)]
    if name in REDUCTIONS:
        return [REDUCTIONS[name](*args, axis=tuple(params["axes"]))]
    if name in RULES:
        return [RULES[name](*args, **params)]
    if name == "split":
        return np.split(args[0], np.cumsum(params["sizes"])[:-1], params["axis"])
    if name == "unstack":
        return list(np.moveaxis(args[0], params["axis"], 0))
    for inner in ("jaxpr", "call_jaxpr"):
        if name in ("jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call") and inner in params:
            return run(params[inner], *args)
    if name == "custom_linear_solve":
        lengths = params["const_lengths"]
        start = lengths.matvec + lengths.vecmat
        operands = (
            args[start : start + lengths.solve] + args[start + lengths.solve + lengths.transpose_solve :]
        )
        return run(params["jaxprs"].solve, *operands)
    z = eqn.primitive.bind(*args, **eqn.primitive.get_bind_params(params))
    return z if eqn.primitive.multiple_results else [z]


# ------------------------------------------------------------------------------------------ with parameters
def _broadcast(x: Any, shape: Any, broadcast_dimensions: Any, **_: Any) -> Any:
    lengths = [1] * len(shape)
    for k, n in zip(broadcast_dimensions, x.shape, strict=True):
        lengths[k] = n
    return np.broadcast_to(x.reshape(lengths), shape)


def _convert(x: Any, new_dtype: Any, **_: Any) -> Any:
    return (x.real if x.dtype.kind == "c" and np.dtype(new_dtype).kind != "c" else x).astype(new_dtype)


def _divide(x: Any, y: Any) -> Any:
    return np.trunc(x / y) if x.dtype.kind in "iu" else x / y


def _dot_general(x: Any, y: Any, dimension_numbers: Any, **_: Any) -> Any:
    (over_x, over_y), (batch_x, batch_y) = dimension_numbers
    in_x = list(range(x.ndim))
    in_y = list(range(x.ndim, x.ndim + y.ndim))
    for i, j in zip((*over_x, *batch_x), (*over_y, *batch_y), strict=True):
        in_y[j] = in_x[i]
    rest = [k for i, k in enumerate(in_x) if i not in (*over_x, *batch_x)]
    rest += [k for j, k in enumerate(in_y) if j not in (*over_y, *batch_y)]
    return np.einsum(x, in_x, y, in_y, [in_x[i] for i in batch_x] + rest)


def _iota(*_: Any, dtype: Any, shape: Any, dimension: int, **__: Any) -> Any:
    lengths = [n if k == dimension else 1 for k, n in enumerate(shape)]
    return np.broadcast_to(np.arange(shape[dimension], dtype=dtype).reshape(lengths), shape)


def _pad(x: Any, value: Any, padding_config: Any) -> Any:
    """Around and between the entries; a negative number of them is cut off."""
    spread = [max(n + (n - 1) * i, 0) for n, (_, _, i) in zip(x.shape, padding_config, strict=True)]
    around = [(max(low, 0), max(high, 0)) for low, high, _ in padding_config]
    z = np.full([n + sum(w) for n, w in zip(spread, around, strict=True)], value, x.dtype)
    steps = zip(spread, around, padding_config, strict=True)
    z[tuple(slice(low, low + n, i + 1) for n, (low, _), (_, _, i) in steps)] = x
    return z[tuple(slice(max(-low, 0), min(high, 0) or None) for low, high, _ in padding_config)]


def _select(which: Any, *cases: Any) -> Any:
    return np.where(which, cases[1], cases[0]) if which.dtype == bool else np.choose(which, cases)


def _slice(x: Any, start_indices: Any, limit_indices: Any, strides: Any) -> Any:
    return x[tuple(map(slice, start_indices, limit_indices, strides or [1] * x.ndim))]


def _triangular(
    a: Any, b: Any, left_side: bool, lower: bool, transpose_a: bool, conjugate_a: bool, unit_diagonal: bool
) -> Any:
    n = a.shape[-1]
    a = np.tril(a, -unit_diagonal) if lower else np.triu(a, +unit_diagonal)
    a = a + np.eye(n) if unit_diagonal else a
    a = np.conj(a) if conjugate_a else a
    a = np.swapaxes(a, -1, -2) if transpose_a else a
    if left_side:
        return np.linalg.solve(a, b)
    return np.swapaxes(np.linalg.solve(np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2)), -1, -2)


RULES: dict[str, Callable[..., Any]] = {
    "broadcast_in_dim": _broadcast,
    "clamp": lambda low, x, high: np.clip(x, low, high),
    "concatenate": lambda *xs, dimension: np.concatenate(xs, dimension),
    "conj": lambda x, **_: np.conj(x),
    "convert_element_type": _convert,
    "cumsum": lambda x, axis, reverse: (
        np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)
    ),
    "div": _divide,
    "dot_general": _dot_general,
    "integer_pow": lambda x, y: x ** np.asarray(y) if y >= 0 else 1 / x**-y,
    "iota": _iota,
    "pad": _pad,
    "reshape": lambda x, new_sizes, dimensions, **_: (
        np.transpose(x, dimensions).reshape(new_sizes) if dimensions is not None else x.reshape(new_sizes)
    ),
    "rev": lambda x, dimensions: np.flip(x, dimensions),
    "select_n": _select,
    "slice": _slice,
    "stack": lambda *xs, axis: np.stack(xs, axis),
    "tile": lambda x, reps: np.tile(x, reps),
    "squeeze": lambda x, dimensions: np.squeeze(x, tuple(dimensions)),
    "transpose": lambda x, permutation: np.transpose(x, permutation),
    "triangular_solve": _triangular,
}
