"""Broadcasting and promotion, and the one function that undoes both: `fit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .abstract import Abstract
from .device import as_array
from .formula import PRODUCT, Formula, call
from .primitive import Linear, Primitive, Samples, dtype_of, register, shape_of

Shape = tuple[int, ...]


@lru_cache(maxsize=4096)
def blank(shape: Shape) -> np.ndarray:
    """A read-only array of any shape in one byte, to ask NumPy what a function does to shapes."""
    return np.ndarray(shape, np.bool_, buffer=b"\0", strides=(0,) * len(shape))


@lru_cache(maxsize=8192)
def shape_after(function: Callable[..., Any], shape: Shape, *args: Any) -> Shape:
    """The shape of `function(x, *args)`, which makes a view of an x of this shape, or raises as it does."""
    result: Shape = function(blank(shape), *args).shape
    return result


@lru_cache(maxsize=8192)
def reduced_shape(shape: Shape, axis: Shape, keepdims: bool) -> Shape:
    """A shape without the axes reduced, or with ones in their places.

    Raises:
        AxisError: an axis is out of range.
    """
    for k in axis:
        if not -len(shape) <= k < len(shape):
            raise np.exceptions.AxisError(k, len(shape))
    gone = {k % len(shape) for k in axis}
    return tuple(1 if k in gone else n for k, n in enumerate(shape) if keepdims or k not in gone)


def reduced_dtype(op: Primitive, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of a reduction of an array of this dtype: floats stay, integers are tried on one element."""
    return dtype if dtype.kind in "fc" else _tried_dtype(op, dtype)


@lru_cache(maxsize=1024)
def _tried_dtype(op: Primitive, dtype: np.dtype[Any]) -> np.dtype[Any]:
    with np.errstate(all="ignore"):
        return dtype_of(op.value(np.ones(1, dtype), axis=0))


def common_dtype(args: Any) -> np.dtype[Any]:
    """The dtype to which arrays are promoted; a Python scalar counts as an array."""
    first, *others = map(dtype_of, args)
    for kind in others:
        if kind is not first:
            return np.result_type(first, *others)
    return first


class Sum(Linear):
    """z = Σ x over `axis` (a sorted tuple of non-negative ints)."""

    name = "sum"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((2, 3, 4)),), {"axis": (0, 2), "keepdims": k}) for k in (False, True)]

    def value(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Any:
        return np.sum(
            x, axis=axis, keepdims=keepdims, dtype=dtype_of(x) if dtype_of(x).kind in "fc" else None
        )

    def abstract(self, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Abstract:
        return Abstract(reduced_shape(shape_of(x), axis, keepdims), reduced_dtype(self, dtype_of(x)))

    def transpose(self, lam: Any, x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Any:
        return broadcast_to(expand(lam, shape_of(x), axis, keepdims), shape=shape_of(x))

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return Formula("sum", operands[0].inside(PRODUCT))

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        return (call("broadcast", lam),)


sum_ = register(Sum())


class BroadcastTo(Linear):
    """z = x repeated to `shape`: a read-only view."""

    name = "broadcast_to"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            ((rng.standard_normal((3, 1)),), {"shape": (2, 3, 4)}),
            ((rng.standard_normal(()),), {"shape": (2,)}),
        ]

    def value(self, x: Any, shape: tuple[int, ...]) -> Any:
        return np.broadcast_to(x, shape)

    def abstract(self, x: Any, shape: tuple[int, ...]) -> Abstract:
        return Abstract(shape_after(np.broadcast_to, shape_of(x), shape), dtype_of(x))

    def transpose(self, lam: Any, x: Any, shape: tuple[int, ...]) -> Any:
        return fit(lam, x)

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return operands[0]

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        return (call("sum", lam),)


broadcast_to = register(BroadcastTo())


class Reshape(Linear):
    """z = x in another shape, in C order."""

    name = "reshape"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((4, 3)).T,), {"shape": (2, 6)})]

    def value(self, x: Any, shape: tuple[int, ...]) -> Any:
        return np.reshape(x, shape)

    def abstract(self, x: Any, shape: tuple[int, ...]) -> Abstract:
        return Abstract(shape_after(np.reshape, shape_of(x), shape), dtype_of(x))

    def transpose(self, lam: Any, x: Any, shape: tuple[int, ...]) -> Any:
        return reshape(lam, shape=shape_of(x))

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        return (call(self.name, lam),)


reshape = register(Reshape())


def reshape_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Reshape unless the shape is already right."""
    return x if shape_of(x) == shape else reshape(x, shape=shape)


class AsType(Linear):
    """z = x in another dtype. Of complex numbers the real part stays; integers have no derivative."""

    name = "astype"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((2, 3)),), {"dtype": np.dtype(np.float64)})]

    def value(self, x: Any, dtype: np.dtype[Any]) -> Any:
        x = as_array(x)
        return (x.real if x.dtype.kind == "c" and dtype.kind != "c" else x).astype(dtype)[()]

    def abstract(self, x: Any, dtype: np.dtype[Any]) -> Abstract:
        return Abstract(shape_of(x), dtype)

    def tangent(self, args: Any, z: Any, dots: Any, dtype: np.dtype[Any]) -> Any:
        return astype(dots[0], dtype=dtype) if dtype.kind in "fc" else None

    def transpose(self, lam: Any, x: Any, dtype: np.dtype[Any]) -> Any:
        return astype(lam, dtype=dtype_of(x)) if dtype.kind in "fc" and dtype_of(x).kind in "fc" else None

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return operands[0]

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        return (lam,)


astype = register(AsType())


def expand(z: Any, shape: tuple[int, ...], axis: tuple[int, ...], keepdims: bool) -> Any:
    """Give a reduced z its reduced axes back, with length one."""
    if keepdims or not axis:
        return z
    return reshape(z, shape=tuple(1 if k in axis else n for k, n in enumerate(shape)))


def fit(contribution: Any, x: Any) -> Any:
    """A contribution to λ of x, broadcasting summed away and promotion undone: exactly x's shape and dtype.

    Of a complex contribution to a real x the real part counts: ⟨λ, ẋ⟩ = Re Σ λ ẋ.

    Integers and booleans carry no multiplier: None.
    """
    if type(x) is float:
        if type(contribution) is np.float64:
            return contribution
    elif contribution.shape == getattr(x, "shape", None) and contribution.dtype == x.dtype:
        return contribution
    return _refit(contribution, shape_of(x), dtype_of(x))


def _refit(contribution: Any, target: tuple[int, ...], kind: np.dtype[Any]) -> Any:
    if kind.kind not in "fc":
        return None
    shape = shape_of(contribution)
    if shape != target:
        if len(shape) < len(target):  # x was written to a smaller place: its leading axes have length one
            shape = (1,) * (len(target) - len(shape)) + shape
            contribution = reshape(contribution, shape=shape)
        lead = len(shape) - len(target)
        summed = tuple(range(lead)) + tuple(
            k + lead for k, n in enumerate(target) if n == 1 and shape[k + lead] != 1
        )
        if summed:
            contribution = sum_(contribution, axis=summed, keepdims=False)
            shape = tuple(1 if n == 1 else shape[k + lead] for k, n in enumerate(target))
            if shape_of(contribution) != shape:
                contribution = reshape(contribution, shape=shape)
        if shape != target:  # the contribution is the same along some axes of x
            contribution = broadcast_to(contribution, shape=target)
    return contribution if dtype_of(contribution) == kind else astype(contribution, dtype=kind)


def broadcast_tangent(t: Any, z: Any) -> Any:
    """A tangent that lacks axes or precision (an operand was broadcast) with exactly z's shape and dtype."""
    if t is None:
        return None
    if shape_of(t) != shape_of(z):
        t = broadcast_to(t, shape=shape_of(z))
    return t if dtype_of(t) == dtype_of(z) else astype(t, dtype=dtype_of(z))
