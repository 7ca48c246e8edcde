"""The convolution of two vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .abstract import Abstract
from .broadcast import common_dtype, fit
from .primitive import Args, Primitive, Samples, add_all, register, shape_of
from .shape import flip


class Convolve(Primitive):
    """z_k = Σ_j x_(k−j) y_j for vectors, y not the longer one.

    `full`: every k at which some x meets some y, n + m − 1 of them; else only those where all of y meet x,
    n − m + 1. Either is the other's transpose, up to the direction in which y is read.
    """

    name = "convolve"

    def samples(self, rng: np.random.Generator) -> Samples:
        return [
            ((rng.standard_normal(n), rng.standard_normal(m)), {"full": full})
            for n, m in ((5, 3), (4, 4), (3, 1))
            for full in (True, False)
        ]

    def value(self, x: Any, y: Any, full: bool) -> Any:
        return np.convolve(x, y, "full" if full else "valid")

    def abstract(self, x: Any, y: Any, full: bool) -> Abstract:
        (n,), (m,) = shape_of(x), shape_of(y)
        return Abstract((n + m - 1 if full else n - m + 1,), common_dtype((x, y)))

    def tangent(self, args: Args, z: Any, dots: Args, full: bool) -> Any:
        (x, y), (x_dot, y_dot) = args, dots
        return add_all((
            None if x_dot is None else convolve(x_dot, y, full=full),
            None if y_dot is None else convolve(x, y_dot, full=full),
        ))  # fmt: skip

    def adjoint(self, args: Args, z: Any, lam: Any, wanted: Sequence[bool], full: bool) -> Sequence[Any]:
        x, y = args
        lam_x = lam_y = None
        if wanted[0]:
            turned = flip(y, axis=(0,))
            # the longer one stands first
            lam_x = convolve(*sorted((lam, turned), key=_length, reverse=True), full=not full)
            lam_x = fit(lam_x, x)
        if wanted[1] and full:
            lam_y = fit(convolve(lam, flip(x, axis=(0,)), full=False), y)
        elif wanted[1]:
            lam_y = fit(flip(convolve(x, flip(lam, axis=(0,)), full=False), axis=(0,)), y)
        return lam_x, lam_y

    def latex(self, symbols: Sequence[str], params: dict[str, Any]) -> str:
        return f"{symbols[0]} * {symbols[1]}"


convolve = register(Convolve())


def _length(x: Any) -> int:
    return shape_of(x)[0]
