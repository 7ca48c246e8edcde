"""What a solver sees of a problem: functions of one vector, their values and first derivatives at a point."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Block:
    """A named constraint: where it stands in h or g.

    Attributes:
        name: the user's.
        relation: "=", "≤" or "≥".
        shape: of the user's value.
        start: its first row in h or g.
    """

    name: str
    relation: str
    shape: tuple[int, ...]
    start: int

    @property
    def rows(self) -> slice:
        """Its rows in h or g."""
        return slice(self.start, self.start + math.prod(self.shape))


@dataclass(frozen=True)
class Point:
    """Values and first derivatives at x: gradient (n,), h (m,), A = ∂h/∂x (m, n), g (p,), G = ∂g/∂x."""

    x: np.ndarray
    f: float
    gradient: np.ndarray
    h: np.ndarray
    A: np.ndarray
    g: np.ndarray
    G: np.ndarray

    @property
    def violation(self) -> float:
        """The largest violation of a constraint."""
        return float(max(np.max(np.abs(self.h), initial=0.0), np.max(self.g, initial=0.0)))

    def lagrangian_gradient(self, nu: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """∇f + Aᵀν + Gᵀμ."""
        return self.gradient + nu @ self.A + mu @ self.G


class Functions(Protocol):
    """f, h (m,) and g (p,) over x (n,), with derivatives: a program, scaled or elastic or as it is.

    Attributes:
        n, m, p: numbers of unknowns, equalities and inequalities.
        start: the first x.
    """

    n: int
    m: int
    p: int
    start: np.ndarray

    def values(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """f, h and g."""

    def point(self, x: np.ndarray) -> Point:
        """Values and first derivatives."""

    def hessian(self, x: np.ndarray, nu: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """∇²ₓₓL (n, n)."""
