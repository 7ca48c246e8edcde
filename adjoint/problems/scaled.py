"""A program in units of its own: gradients near one at the start, so that one tolerance fits every scale.

f̃ = a f, h̃ = B h, g̃ = C g with a > 0 and diagonal B, C > 0. Then ν̃ = a B⁻¹ ν and μ̃ = a C⁻¹ μ.
"""

from __future__ import annotations

import numpy as np

from .point import Functions, Point

LIMIT = 1e8  # factors beyond that would trust one point too much


class Scaled:
    """A program seen through the factors that its first point suggests; same methods as `Program`."""

    def __init__(self, program: Functions) -> None:
        self.program, self.start = program, program.start
        self.n, self.m, self.p = program.n, program.m, program.p
        point = program.point(program.start)
        with np.errstate(all="ignore"):
            curvature = np.max(
                np.abs(program.hessian(point.x, np.zeros(self.m), np.zeros(self.p))), initial=0.0
            )
        steepness = np.max(np.abs(point.gradient), initial=0.0)
        # a start that is stationary, or nearly, says nothing about the scale
        size = steepness if steepness > 1e-3 * curvature or not np.isfinite(curvature) else curvature
        self.a = float(_factor(np.array(size)))
        self.B, self.C = _rows(point.A, point.h), _rows(point.G, point.g)
        self.first = self.scale(point)

    def scale(self, point: Point) -> Point:
        """A point of the program in these units."""
        return Point(
            point.x, self.a * point.f, self.a * point.gradient,
            self.B * point.h, self.B[:, None] * point.A, self.C * point.g, self.C[:, None] * point.G,
        )  # fmt: skip

    def values(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """F, h and g."""
        f, h, g = self.program.values(x)
        return self.a * f, self.B * h, self.C * g

    def point(self, x: np.ndarray) -> Point:
        """Values and first derivatives."""
        return self.scale(self.program.point(x))

    def multipliers(self, nu: np.ndarray, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The program's own ν and μ."""
        return self.B * nu / self.a, self.C * mu / self.a

    def inward(self, nu: np.ndarray, mu: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The other way round: ν and μ in these units."""
        return self.a * nu / self.B, self.a * mu / self.C

    def hessian(self, x: np.ndarray, nu: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """∇²ₓₓL of f̃ + ν̃ᵀh̃ + μ̃ᵀg̃, which is a times the program's."""
        return self.a * self.program.hessian(x, *self.multipliers(nu, mu))


def _factor(size: np.ndarray) -> np.ndarray:
    return np.where(size > 0, 1.0 / np.clip(size, 1.0 / LIMIT, LIMIT), 1.0)


def _rows(jacobian: np.ndarray, value: np.ndarray) -> np.ndarray:
    size = np.max(np.abs(jacobian), axis=1, initial=0.0)
    size = np.where(np.isfinite(size), size, 0.0)
    # a gradient that vanishes at the start (a disk seen from its center) says nothing about the scale
    return _factor(np.where(size > 1e-6 * np.abs(value), size, np.abs(value)))
