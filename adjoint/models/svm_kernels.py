"""Kernels of support vector machines: their matrices, and whether they are what a kernel must be.

A kernel k(x, z) = φ(x)ᵀφ(z) is an inner product of features: its matrix is symmetric and positive
semidefinite. Otherwise there is no margin to maximise, and the dual problem is not concave.

Source: B. Schölkopf and A. Smola, "Learning with Kernels", 2002, chapter 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ShapeError, refusal
from ..ops.sides import host_result
from .base import DataError, Floats, check_finite, check_number

KernelFunction = Callable[[Floats, Floats], ArrayLike]
NAMES = ("linear", "rbf", "poly")
NEGLIGIBLE = 1e-9  # eigenvalues this far below 0, relative to the largest entry, are rounding


class Kernel(NamedTuple):
    """A kernel with its constants, fitted to data.

    Attributes:
        kind: "linear" xᵀz, "poly" (γ xᵀz + c)ᵈ, "rbf" exp(−γ‖x − z‖²), or a function of X (n, p), Z (m, p).
        gamma, degree, constant: γ, d, c.
        center: (p,), taken off the points first by rbf, which does not see it: cancellation is less.
    """

    kind: str | KernelFunction
    gamma: float
    degree: float
    constant: float
    center: Floats

    def __call__(self, X: Floats, Z: Floats) -> Floats:
        """The matrix k(X_i, Z_j), (n, m)."""
        if callable(self.kind):
            return _matrix(self.kind(X, Z), (len(X), len(Z)))
        if self.kind == "linear":
            return np.asarray(X @ Z.T)
        if self.kind == "poly":
            product = self.gamma * (X @ Z.T) + self.constant
            with np.errstate(over="ignore", invalid="ignore"):
                return _matrix(product**self.degree, (len(X), len(Z)))
        same, X = Z is X, X - self.center
        Z = X if same else Z - self.center
        product = X @ Z.T  # of one array with itself: exactly symmetric
        product *= -2
        product += np.sum(X * X, axis=1)[:, None]
        product += np.sum(Z * Z, axis=1)
        np.maximum(product, 0.0, out=product)
        product *= -self.gamma
        return np.asarray(np.exp(product, out=product))

    def gram(self, X: Floats) -> Floats:
        """The matrix of the points with themselves, (n, n), exactly symmetric.

        Raises:
            DataError: a kernel of the user's is not symmetric.
        """
        K = self(X, X)
        if self.kind == "rbf":
            np.fill_diagonal(K, 1.0)
        if callable(self.kind):
            gap, largest = float(np.max(np.abs(K - K.T))), float(np.max(np.abs(K)))
            if gap > NEGLIGIBLE * largest:
                what = f"the kernel is not symmetric: k(x, z) and k(z, x) differ by up to {gap:.3g}"
                raise refusal(DataError, what, "A kernel is an inner product of features.")
            K = 0.5 * (K + K.T)
        return K

    @property
    def certain(self) -> bool:
        """Whether theory says that the matrix is positive semidefinite."""
        if callable(self.kind):
            return False
        return self.kind != "poly" or (self.constant >= 0 and float(self.degree).is_integer())


def fit_kernel(
    kind: object, gamma: object, degree: object, constant: object, X: Floats, weight: Floats
) -> Kernel:
    """The kernel that the parameters of a model say, its γ taken from the data where it says so.

    Args:
        kind: what the user gave as kernel.
        gamma: what the user gave.
        degree: what the user gave.
        constant: what the user gave as coef0.
        X: (n, p).
        weight: (n,), how often each row counts.

    Raises:
        DataError: a parameter that is none.
    """
    if kind == "polynomial":
        kind = "poly"
    if not callable(kind) and not (isinstance(kind, str) and kind in NAMES):
        what = f"kernel should be one of {', '.join(map(repr, NAMES))} or a function, got {kind!r}"
        raise refusal(DataError, what, "A function takes X (n, p) and Z (m, p) and returns (n, m).")
    share = weight / np.sum(weight)
    center = share @ X
    if isinstance(gamma, str):
        if gamma not in ("scale", "auto"):
            raise refusal(DataError, f"gamma should be 'scale', 'auto' or a number > 0, got {gamma!r}")
        p = X.shape[1]
        mean = float(np.mean(center))
        variance = float(share @ np.mean((X - mean) ** 2, axis=1)) if gamma == "scale" else 1.0
        value = 1 / (p * variance) if variance > 0 else 1.0
    else:
        value = check_number(gamma, "gamma", strict=True)
    return Kernel(
        kind,
        value,
        check_number(degree, "degree"),
        check_number(constant, "coef0", low=-np.inf),
        center,
    )


def definiteness(K: Floats) -> tuple[float, float] | None:
    """The extreme eigenvalues of a matrix (n, n) that is not positive semidefinite; None if it is."""
    from scipy.linalg import eigvalsh, lapack

    shifted = K.copy()
    largest = float(np.max(np.abs(K), initial=0.0))
    shifted.flat[:: len(K) + 1] += NEGLIGIBLE * max(largest, 1e-300)
    if lapack.dpotrf(shifted, lower=1, clean=0)[1] == 0:
        return None
    values = eigvalsh(K)
    return (float(values[0]), float(values[-1])) if values[0] < -NEGLIGIBLE * largest else None


def _matrix(values: ArrayLike, shape: tuple[int, int]) -> Floats:
    K = host_result(values, "the kernel", float)
    if K.shape != shape:
        raise refusal(
            ShapeError, f"the kernel returned {K.shape} for {shape[0]} and {shape[1]} points, not {shape}"
        )
    check_finite(K, "the kernel matrix")
    return K
