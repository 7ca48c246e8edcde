"""Reductions and scans along axes. `axis` is a sorted tuple of non-negative ints (one int for a scan)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .abstract import Abstract
from .broadcast import broadcast_to, expand, reduced_dtype, reduced_shape, reshape, sum_
from .device import as_array, module_of
from .elementwise import absolute, exp, isfinite, log, reciprocal, rint, sqrt, square, where
from .elementwise import indicator as indicator_of
from .formula import PRODUCT, Formula, call, letter
from .primitive import Linear, Primitive, Samples, dtype_of, register, shape_of
from .shape import flip

Axis = tuple[int, ...]


def squeeze(z: Any, axis: Axis) -> Any:
    """z without the axes that a reduction kept with length one."""
    return reshape(z, shape=tuple(n for k, n in enumerate(shape_of(z)) if k not in axis))


class Mean(Linear):
    """z = (1/n) Σ x over `axis`."""

    name = "mean"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((2, 3, 4)),), {"axis": (0, 2), "keepdims": k}) for k in (False, True)]

    def value(self, x: Any, axis: Axis, keepdims: bool = False) -> Any:
        return np.mean(x, axis=axis, keepdims=keepdims)

    def abstract(self, x: Any, axis: Axis, keepdims: bool = False) -> Abstract:
        return Abstract(reduced_shape(shape_of(x), axis, keepdims), reduced_dtype(self, dtype_of(x)))

    def transpose(self, lam: Any, x: Any, axis: Axis, keepdims: bool = False) -> Any:
        shape = shape_of(x)
        count = math.prod(shape[k] for k in axis)
        return broadcast_to(expand(lam, shape, axis, keepdims) / count, shape=shape)

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return Formula("mean", operands[0].inside(PRODUCT))

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        return (call("broadcast", lam / letter("n")),)


mean = register(Mean())


class Weighted(Primitive):
    """A reduction whose differential is a weighted sum, dz = Σ w dx: it gives its value and its weights."""

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((2, 3, 4)),), {"axis": (0, 2), "keepdims": k}) for k in (False, True)]

    def abstract(self, x: Any, axis: Axis, keepdims: bool = False) -> Abstract:
        """The reduced axes go, or stay with length one."""
        return Abstract(reduced_shape(shape_of(x), axis, keepdims), reduced_dtype(self, dtype_of(x)))

    def weights(self, x: Any, z: Any, axis: Axis) -> Any:
        """∂z/∂x in x's shape; z comes with its reduced axes kept."""
        raise NotImplementedError

    def tangent(
        self, args: Sequence[Any], z: Any, dots: Sequence[Any], axis: Axis, keepdims: bool = False
    ) -> Any:
        weights = self.weights(args[0], expand(z, shape_of(args[0]), axis, keepdims), axis)
        return sum_(weights * dots[0], axis=axis, keepdims=keepdims)

    def adjoint(
        self,
        args: Sequence[Any],
        z: Any,
        lam: Any,
        wanted: Sequence[bool],
        axis: Axis,
        keepdims: bool = False,
    ) -> Sequence[Any]:
        x = args[0]
        z, lam = (expand(a, shape_of(x), axis, keepdims) for a in (z, lam))
        return (self.weights(x, z, axis) * lam,)


class Extremum(Weighted):
    """z = max x or min x over `axis`. Ties share λ in equal parts; the tangent is the mean over the ties."""

    kink = "ties: equal parts to each"

    def __init__(self, name: str, function: Any) -> None:
        self.name, self.function = name, function

    def value(self, x: Any, axis: Axis, keepdims: bool = False) -> Any:
        return self.function(x, axis=axis, keepdims=keepdims)

    def abstract(self, x: Any, axis: Axis, keepdims: bool = False) -> Abstract:
        shape = shape_of(x)
        if 0 in shape:  # NumPy knows which of these have a value
            self.value(np.empty(shape), axis)
        return super().abstract(x, axis, keepdims)

    def weights(self, x: Any, z: Any, axis: Axis) -> Any:
        attained = indicator_of(x == z, x)
        return attained / sum_(attained, axis=axis, keepdims=True)

    def diagnose(self, args: Sequence[Any], params: dict[str, Any], error: Exception) -> tuple[str, str]:
        return (
            f"{self.name} over axes {params['axis']} of {shape_of(args[0])}: {error}",
            "It has no value over nothing.",
        )

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return Formula(self.name, operands[0].inside(PRODUCT))

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        attained = Formula("indicator", operands[0] == z)
        return (attained / Formula("sum", attained) * lam,)


max_ = register(Extremum("max", np.max))
min_ = register(Extremum("min", np.min))


def _greatest(x: Any, axis: Axis, least: float) -> Any:
    """Max x over axes that stay with length one; `least` over nothing (cupy has no `initial`)."""
    if 0 in x.shape:
        return module_of(x).full(reduced_shape(x.shape, axis, True), least, x.dtype)
    return np.max(x, axis=axis, keepdims=True)


class LogSumExp(Weighted):
    """z = log Σ eˣ over `axis`, shifted by the maximum so that nothing overflows; −inf over nothing."""

    name = "logsumexp"

    def value(self, x: Any, axis: Axis, keepdims: bool = False) -> Any:
        x = as_array(x)
        top = _greatest(x, axis, -np.inf)
        shift = np.where(np.isfinite(top), top, 0).astype(x.dtype)
        with np.errstate(divide="ignore"):
            z = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
        return z if keepdims else np.squeeze(z, axis=axis)[()]

    def lower(self, x: Any, axis: Axis, keepdims: bool = False) -> Any:
        if 0 in shape_of(x):
            return NotImplemented
        top = max_(x, axis=axis, keepdims=True)
        shift = where(isfinite(top), top, 0)
        z = log(sum_(exp(x - shift), axis=axis, keepdims=True)) + shift
        return z if keepdims else squeeze(z, axis)

    def weights(self, x: Any, z: Any, axis: Axis) -> Any:
        return exp(x - where(z == -np.inf, 0, z))  # all x = −inf: weights 0, not NaN

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return Formula("logsumexp", operands[0])

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        return (letter("e").raised(operands[0] - z) * lam,)


logsumexp = register(LogSumExp())


def centred(x: Any, axes: Axis) -> Any:
    """x less an integer near its maximum over these axes.

    log Σ eˣ of what comes out is small, so that a loss near 0 is not a difference of large numbers (in
    float32, x − log Σ eˣ is off by 2e-6 at logits of 20). Any number near the maximum would do; a rounded one
    has no derivative, so none is spent on the shift, which cancels.
    """
    return x - rint(max_(x, axis=axes, keepdims=True))


def log_softmax(x: Any, axes: Axis) -> Any:
    """x − log Σ eˣ over these axes, without overflow or cancellation."""
    shifted = centred(x, axes)
    return shifted - log(sum_(exp(shifted), axis=axes, keepdims=True))


class Norm(Weighted):
    """z = √Σ x² over `axis`. At x = 0 the derivative is taken as 0 (the least subgradient)."""

    name = "norm"
    kink = "x = 0: derivative 0"

    def value(self, x: Any, axis: Axis, keepdims: bool = False) -> Any:
        x = as_array(x)
        # scaled, so that squares neither overflow nor vanish
        top = _greatest(np.abs(x), axis, 0)
        scale = np.where((top > 0) & np.isfinite(top), top, 1).astype(x.dtype)
        z = scale * np.sqrt(np.sum(np.square(x / scale), axis=axis, keepdims=True))
        return z if keepdims else np.squeeze(z, axis=axis)[()]

    def lower(self, x: Any, axis: Axis, keepdims: bool = False) -> Any:
        if 0 in shape_of(x):
            return NotImplemented
        top = max_(absolute(x), axis=axis, keepdims=True)
        scale = where((top > 0) & isfinite(top), top, 1)
        z = scale * sqrt(sum_(square(x / scale), axis=axis, keepdims=True))
        return z if keepdims else squeeze(z, axis)

    def weights(self, x: Any, z: Any, axis: Axis) -> Any:
        return x * where(z == 0, 0, reciprocal(where(z == 0, 1, z)))  # 0 at the kink, to every order

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return Formula("norm", operands[0])

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        return ((operands[0] / z) * lam,)


norm = register(Norm())


class CumSum(Linear):
    """z_k = x_0 + … + x_k along one axis."""

    name = "cumsum"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((3, 4)),), {"axis": 0})]

    def value(self, x: Any, axis: int) -> Any:
        return np.cumsum(x, axis=axis, dtype=dtype_of(x) if dtype_of(x).kind in "fc" else None)

    def abstract(self, x: Any, axis: int) -> Abstract:
        shape = shape_of(x) or (1,)  # NumPy scans a scalar as a vector
        reduced_shape(shape, (axis,), True)  # the axis exists
        return Abstract(shape, reduced_dtype(self, dtype_of(x)))

    def transpose(self, lam: Any, x: Any, axis: int) -> Any:
        return flip(cumsum(flip(lam, axis=(axis,)), axis=axis), axis=(axis,))


cumsum = register(CumSum())
