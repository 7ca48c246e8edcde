"""The likelihood of logistic regression, its Newton steps, and the test whether it has a maximum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .base import Floats

DENSE = 2000  # coefficients up to which the Hessian is formed and factored; beyond, conjugate gradients


def logsumexp(z: Floats) -> Floats:
    """log Σₖ exp(z_ik) (n,), without overflow."""
    top = np.max(z, axis=1)
    total: Floats = top + np.log(np.sum(np.exp(z - top[:, None]), axis=1))
    return total


class Likelihood:
    """F as a function of θ (t, q): coefficients, then the intercept if there is one; t = 1 for two classes.

    Args:
        X: (n, q), with a column of ones if there is an intercept.
        codes: classes of the samples (n,), 0 … K − 1.
        weight: s (n,).
        classes: K.
        ridge: 1/C.
        penalized: how many of the q columns are penalized.
    """

    def __init__(
        self, X: Floats, codes: NDArray[np.intp], weight: Floats, classes: int, ridge: float, penalized: int
    ) -> None:
        self.X, self.weight, self.classes = X, weight, classes
        self.hot: Floats = (codes[:, None] == np.arange(classes)).astype(float)
        self.targets = self.hot[:, 1:] if classes == 2 else self.hot
        self.ridge = np.where(np.arange(X.shape[1]) < penalized, ridge, 0.0)
        self.shape = (self.targets.shape[1], X.shape[1])

    def scores(self, theta: Floats) -> Floats:
        """z (n, K); the first column is 0 for two classes."""
        z = self.X @ theta.T
        return np.hstack([np.zeros_like(z), z]) if self.classes == 2 else z

    def evaluate(self, theta: Floats) -> tuple[float, Floats]:
        """F, and the probabilities p (n, t) of the second class or of all, by one exponential each."""
        if self.classes == 2:
            z = self.X @ theta[0]
            e = np.exp(-np.abs(z))
            lost = np.log1p(e) + np.maximum(z, 0.0) - z * self.targets[:, 0]
            p = (np.where(z >= 0, 1.0, e) / (1 + e))[:, None]
        else:
            z = self.X @ theta.T
            top = np.max(z, axis=1, keepdims=True)
            e = np.exp(z - top)
            total = np.sum(e, axis=1, keepdims=True)
            lost = (top + np.log(total))[:, 0] - np.sum(z * self.hot, axis=1)
            p = e / total
        return float(self.weight @ lost + 0.5 * np.sum(self.ridge * theta**2)), p

    def gradient(self, theta: Floats, p: Floats) -> Floats:
        """∇F (t, q): how far the model's moments are from the data's, plus θ/C."""
        g: Floats = (self.weight[:, None] * (p - self.targets)).T @ self.X + self.ridge * theta
        return g

    def curvature(self, p: Floats, v: Floats) -> Floats:
        """∇²F times v (t, q)."""
        z = self.X @ v.T
        inner = z - np.sum(p * z, axis=1, keepdims=True)
        along: Floats = (self.weight[:, None] * p * inner).T @ self.X + self.ridge * v
        return along

    def hessian(self, p: Floats) -> Floats:
        """∇²F (t·q, t·q), plus what makes it definite where all classes' parameters move together."""
        t, q = self.shape
        blocks = np.empty((t, q, t, q))
        for k in range(t):
            for j in range(k + 1):
                share = self.weight * p[:, k] * (1 - p[:, k] if j == k else p[:, j])
                half = np.sqrt(share)[:, None] * self.X
                blocks[k, :, j, :] = half.T @ half if j == k else -(half.T @ half)  # BLAS's symmetric product
                blocks[j, :, k, :] = blocks[k, :, j, :]
        for k in range(t):
            blocks[k, :, k, :] += np.diag(self.ridge)
        if t > 1:
            # F does not change along such moves, and neither gradients nor steps have a part in them
            size = np.einsum("i,ij,ij->j", self.weight, self.X, self.X) / t**2
            blocks += np.diag(size)[None, :, None, :]
        return blocks.reshape(t * q, t * q)

    def newton_step(self, p: Floats, gradient: Floats) -> Floats:
        """−(∇²F)⁻¹ ∇F (t, q); of least norm where collinear features leave a choice."""
        if gradient.size > DENSE:
            return self._conjugate_gradients(p, gradient)
        hessian = self.hessian(p)
        scale = 1.0 / np.sqrt(np.maximum(np.diagonal(hessian), np.finfo(float).tiny))
        right = -gradient.ravel() * scale
        scaled = scale[:, None] * hessian * scale
        from scipy.linalg.lapack import dposv

        factor, step, info = dposv(scaled, right)
        if info or np.min(np.abs(np.diagonal(factor))) < 1e-7:
            step = np.linalg.lstsq(scaled, right, rcond=1e-13)[0]
        return (step * scale).reshape(self.shape)

    def _conjugate_gradients(self, p: Floats, gradient: Floats) -> Floats:
        from scipy.sparse.linalg import LinearOperator, cg

        size = gradient.size
        diagonal = (self.weight[:, None] * p * (1 - p)).T @ self.X**2 + self.ridge
        inverse = 1.0 / np.maximum(diagonal, 1e-12 * np.max(diagonal))
        step, _ = cg(
            LinearOperator((size, size), lambda v: self.curvature(p, v.reshape(self.shape)).ravel()),
            -gradient.ravel(),
            rtol=1e-8,
            maxiter=500,
            M=LinearOperator((size, size), lambda v: inverse.ravel() * np.ravel(v)),
        )
        return np.asarray(step).reshape(self.shape)


def minimize(loss: Likelihood, tol: float, max_iter: int) -> tuple[Floats, int, bool]:
    """θ (t, q) by damped Newton steps, how many there were, and whether ∇F fell below tol times its start.

    Past the tolerance it goes on while a step still halves the gradient: full accuracy costs one or two more.
    """
    theta = np.zeros(loss.shape)
    value, p = loss.evaluate(theta)
    gradient = loss.gradient(theta, p)
    start = max(float(np.max(np.abs(gradient))), np.finfo(float).tiny)
    for iteration in range(max_iter):
        size = float(np.max(np.abs(gradient)))
        if size <= 1e-16 * start:
            return theta, iteration, True
        step = loss.newton_step(p, gradient)
        fall = float(np.sum(gradient * step))
        length = 1.0
        while length > 1e-10:
            trial = theta + length * step
            after, p = loss.evaluate(trial)
            # the last steps change F by less than its rounding
            if after <= value + 1e-4 * length * fall + 1e-14 * abs(value):
                break
            length *= 0.5
        gradient = loss.gradient(trial, p)
        if size <= tol * start and float(np.max(np.abs(gradient))) > 0.5 * size:
            return theta, iteration + 1, True
        theta, value = trial, after
    return theta, max_iter, float(np.max(np.abs(gradient))) <= tol * start


def separation(loss: Likelihood) -> Floats | None:
    """A direction (t, q) along which F falls for ever, if the classes can be separated; else None.

    The linear program max Σ m over |θ| ≤ 1 (columns scaled) with all margins m = z_i,yᵢ − z_ik ≥ 0.

    Source: A. Albert and J. A. Anderson, "On the existence of maximum likelihood estimates in logistic
    regression models", Biometrika 71, 1984.
    """
    from scipy.optimize import linprog

    t, q = loss.shape
    scale = np.max(np.abs(loss.X), axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    X = loss.X / scale
    if t == 1:
        rows = X * (2 * loss.targets - 1)
    else:
        own = np.argmax(loss.hot, axis=1)
        blocks = []
        for k in range(t):
            other = own != k
            block = np.zeros((int(np.sum(other)), t, q))
            block[np.arange(len(block)), own[other]] = X[other]
            block[:, k] -= X[other]
            blocks.append(block.reshape(len(block), -1))
        rows = np.concatenate(blocks)
    found = linprog(-np.sum(rows, axis=0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1, 1))
    if found.x is None or -found.fun <= 1e-6:
        return None
    direction: Floats = found.x.reshape(t, q) / scale
    return direction
