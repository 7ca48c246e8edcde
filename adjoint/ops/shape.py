"""Primitives that move elements without changing them; all linear, so each gives value and transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .abstract import Abstract
from .broadcast import common_dtype, fit, reduced_shape, shape_after
from .formula import TOP, Formula
from .index import getitem
from .primitive import Linear, Primitive, Samples, beside, dtype_of, register, shape_of


class Transpose(Linear):
    """z = x with its axes permuted: axis k of z is axis `axes[k]` of x."""

    name = "transpose"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((2, 3, 4)),), {"axes": (2, 0, 1)})]

    def value(self, x: Any, axes: tuple[int, ...]) -> Any:
        return np.transpose(x, axes)

    def abstract(self, x: Any, axes: tuple[int, ...]) -> Abstract:
        return Abstract(shape_after(np.transpose, shape_of(x), axes), dtype_of(x))

    def transpose(self, lam: Any, x: Any, axes: tuple[int, ...]) -> Any:
        return transpose(lam, axes=tuple(int(k) for k in np.argsort(axes)))

    def formula(self, operands: Sequence[Formula], params: dict[str, Any]) -> Formula:
        return operands[0].raised(TOP)

    def adjoint_formulas(
        self, operands: Sequence[Formula], z: Formula, lam: Formula, params: dict[str, Any]
    ) -> Sequence[Formula | None]:
        return (lam.raised(TOP),)


transpose = register(Transpose())


class Concatenate(Primitive):
    """z = the operands one after the other along `axis`; linear in all of them at once."""

    name = "concatenate"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            (
                (rng.standard_normal((2, 3)), rng.standard_normal((2, 1)), rng.standard_normal((2, 0))),
                {"axis": 1},
            )
        ]

    def value(self, *arrays: Any, axis: int) -> Any:
        return np.concatenate(arrays, axis=axis)

    def abstract(self, *arrays: Any, axis: int) -> Abstract:
        shapes = [shape_of(x) for x in arrays]
        ndim = len(shapes[0])
        if not -ndim <= axis < ndim:
            raise np.exceptions.AxisError(axis, ndim)
        k = axis % ndim
        before, after, total = shapes[0][:k], shapes[0][k + 1 :], 0
        for shape in shapes:
            if len(shape) != ndim or shape[:k] != before or shape[k + 1 :] != after:
                raise ValueError("sizes must be equal on every axis but that of the concatenation")
            total += shape[k]
        return Abstract((*before, total, *after), common_dtype(arrays))

    def tangent(self, args: Sequence[Any], z: Any, dots: Sequence[Any], axis: int) -> Any:
        kind = dtype_of(z)
        parts = [
            beside(z).zeros(shape_of(x), kind) if d is None else d for x, d in zip(args, dots, strict=True)
        ]
        return concatenate(*parts, axis=axis)

    def adjoint(
        self, args: Sequence[Any], z: Any, lam: Any, wanted: Sequence[bool], axis: int
    ) -> Sequence[Any]:
        """Each operand takes its own stretch of λ."""
        contributions, start = [], 0
        for x, want in zip(args, wanted, strict=True):
            stop = start + shape_of(x)[axis]
            index = (*(slice(None),) * axis, slice(start, stop))
            contributions.append(fit(getitem(lam, template=index), x) if want else None)
            start = stop
        return contributions

    def diagnose(self, args: Sequence[Any], params: dict[str, Any], error: Exception) -> tuple[str, str]:
        shapes = ", ".join(str(shape_of(x)) for x in args)
        what = f"concatenate along axis {params['axis']} needs equal sizes on every other axis: {shapes}"
        return what, "np.stack joins equal shapes along a new axis."


concatenate = register(Concatenate())


class Pad(Linear):
    """z = x with zeros around it; `widths` holds (before, after) for every axis."""

    name = "pad"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((2, 3)),), {"widths": ((1, 0), (0, 2))})]

    def value(self, x: Any, widths: tuple[tuple[int, int], ...]) -> Any:
        return np.pad(x, widths)

    def abstract(self, x: Any, widths: tuple[tuple[int, int], ...]) -> Abstract:
        if any(w < 0 for pair in widths for w in pair):
            raise ValueError("index can't contain negative values")
        pairs = zip(widths, shape_of(x), strict=True)
        return Abstract(tuple(before + n + after for (before, after), n in pairs), dtype_of(x))

    def transpose(self, lam: Any, x: Any, widths: tuple[tuple[int, int], ...]) -> Any:
        inside = tuple(slice(before, before + n) for (before, _), n in zip(widths, shape_of(x), strict=True))
        return getitem(lam, template=inside)


pad = register(Pad())


class Flip(Linear):
    """z = x reversed along `axis`; its own transpose."""

    name = "flip"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((2, 3)),), {"axis": (0, 1)})]

    def value(self, x: Any, axis: tuple[int, ...]) -> Any:
        return np.flip(x, axis)

    def abstract(self, x: Any, axis: tuple[int, ...]) -> Abstract:
        return Abstract(shape_after(np.flip, shape_of(x), axis), dtype_of(x))

    def transpose(self, lam: Any, x: Any, axis: tuple[int, ...]) -> Any:
        return flip(lam, axis=axis)


flip = register(Flip())


class Roll(Linear):
    """z = x shifted cyclically by `shift` along `axis`."""

    name = "roll"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [((rng.standard_normal((4, 3)),), {"shift": (1, -2), "axis": (0, 1)})]

    def value(self, x: Any, shift: tuple[int, ...], axis: tuple[int, ...]) -> Any:
        return np.roll(x, shift, axis)

    def abstract(self, x: Any, shift: tuple[int, ...], axis: tuple[int, ...]) -> Abstract:
        shape = shape_of(x)
        reduced_shape(shape, axis, True)  # the axes exist
        return Abstract(shape, dtype_of(x))

    def transpose(self, lam: Any, x: Any, shift: tuple[int, ...], axis: tuple[int, ...]) -> Any:
        return roll(lam, shift=tuple(-s for s in shift), axis=axis)


roll = register(Roll())


def swap_last(x: Any) -> Any:
    """The last two axes exchanged."""
    ndim = len(shape_of(x))
    return transpose(x, axes=(*range(ndim - 2), ndim - 1, ndim - 2))
