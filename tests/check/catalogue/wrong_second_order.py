"""First derivatives right, second ones wrong; and complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pairs import Pair, definite, normal, sigmoid, wrong

X = normal(4)
S = definite(4)
SECOND = "second|HVP|hvp|Hessian|symmetr"


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_gradient(x: Any) -> Any:
    out = np.zeros_like(x)
    gap = x[1:] - x[:-1] ** 2
    out[1:] += 200 * gap
    out[:-1] += -400 * x[:-1] * gap - 2 * (1 - x[:-1])
    return out


def rosenbrock_hvp(v: Any, x: Any, cross: float = 1.0, lower: float = 1.0) -> Any:
    out = np.zeros_like(x)
    out[1:] += 200 * v[1:] - 400 * lower * x[:-1] * v[:-1]
    out[:-1] += (1200 * x[:-1] ** 2 - 400 * x[1:] + 2) * v[:-1] - 400 * cross * x[:-1] * v[1:]
    return out


@wrong("HVP: the diagonal alone", says=SECOND)
def hessian_diagonal() -> Pair:
    return Pair(rosenbrock, (X,), rosenbrock_gradient, hvp=lambda v, x: rosenbrock_hvp(v, x, 0, 0))


@wrong("HVP: one triangle only, not symmetric", says=SECOND)
def hessian_one_triangle() -> Pair:
    return Pair(rosenbrock, (X,), rosenbrock_gradient, hvp=lambda v, x: rosenbrock_hvp(v, x, cross=0))


@wrong("HVP: sign", says=SECOND)
def hessian_sign() -> Pair:
    return Pair(lambda x: np.sum(np.sin(x)), (X,), lambda x: np.cos(x), hvp=lambda v, x: np.sin(x) * v)


@wrong("HVP: factor 2", says=SECOND)
def hessian_factor() -> Pair:
    return Pair(lambda x: x @ S @ x, (X,), lambda x: 2 * S @ x, hvp=lambda v, x: S @ v)


@wrong("the Gauss–Newton product passed off as the Hessian's", says=SECOND)
def gauss_newton() -> Pair:
    return Pair(
        lambda x: 0.5 * np.sum(np.sin(x) ** 2),
        (X,),
        lambda x: np.sin(x) * np.cos(x),
        hvp=lambda v, x: np.cos(x) ** 2 * v,
    )


@wrong("a second derivative detached: the activation's slope taken as constant", says=SECOND)
def detached_slope() -> Pair:
    w = normal(4, 4, seed=1)

    def gradient(x: Any) -> Any:
        z = np.tanh(w @ x)
        return w.T @ (2 * z * (1 - z**2))

    def hvp(v: Any, x: Any) -> Any:
        z = np.tanh(w @ x)
        return w.T @ (2 * (1 - z**2) ** 2 * (w @ v))

    return Pair(lambda x: np.sum(np.tanh(w @ x) ** 2), (X,), gradient, hvp=hvp)


@wrong("a logistic loss with the Hessian of its probabilities' logarithm", says=SECOND)
def logistic_hessian() -> Pair:
    return Pair(
        lambda x: np.sum(np.logaddexp(0, x)),
        (X,),
        lambda x: sigmoid(x),
        hvp=lambda v, x: sigmoid(x) * v,
    )


@wrong("HVP at the point of an earlier call", says=SECOND)
def stale_hessian() -> Pair:
    first: list[Any] = []

    def gradient(x: Any) -> Any:
        if not first:
            first.append(x + 0.5)
        return 4 * x**3

    return Pair(lambda x: np.sum(x**4), (X,), gradient, hvp=lambda v, x: 12 * (first or [x])[0] ** 2 * v)


@wrong("HVP: one entry of the Hessian", says=SECOND)
def hessian_entry() -> Pair:
    def hvp(v: Any, x: Any) -> Any:
        out = 2 * S @ v
        out[1] += 0.01 * v[2]
        return out

    return Pair(lambda x: x @ S @ x, (X,), lambda x: 2 * S @ x, hvp=hvp)


@wrong("HVP: not linear in v", says=SECOND + "|linear")
def nonlinear_hvp() -> Pair:
    def hvp(v: Any, x: Any) -> Any:
        return -np.sin(x) * v * np.sqrt(1 + 0.1 * np.sum(v**2))

    return Pair(lambda x: np.sum(np.sin(x)), (X,), lambda x: np.cos(x), hvp=hvp)


@wrong("HVP: across two arguments the mixed blocks are missing", says=SECOND)
def mixed_blocks() -> Pair:
    y = normal(4, seed=3)
    return Pair(
        lambda x, y: np.sum(np.sin(x) * y**2),
        (X, y),
        lambda x, y: (np.cos(x) * y**2, 2 * np.sin(x) * y),
        hvp=lambda v, x, y: (-np.sin(x) * y**2 * v[0], 2 * np.sin(x) * v[1]),
    )


# ------------------------------------------------------------------------------------- complex numbers
Z = normal(3) + 1j * normal(3, seed=1)  # dℓ = Re Σ λ dz, so λ = ∂ℓ/∂x − i ∂ℓ/∂y


@wrong("complex: the conjugate is missing", says="conj")
def conjugate_missing() -> Pair:
    return Pair(lambda z: np.sum(np.abs(z) ** 2), (Z,), lambda z: 2 * z)


@wrong("complex: the imaginary part is dropped", says="imag|real")
def imaginary_part_dropped() -> Pair:
    return Pair(lambda z: np.sum(np.abs(z) ** 2), (Z,), lambda z: 2 * np.real(z) + 0j)


@wrong("complex: a holomorphic function's pullback conjugated", says="conj")
def holomorphic_conjugated() -> Pair:
    return Pair(np.exp, (Z,), vjp=lambda lam, z: lam * np.conj(np.exp(z)))


@wrong("fft: the adjoint divides by n", says="factor|8")
def fft_scale() -> Pair:
    x = normal(8)
    w = np.arange(8.0)

    def gradient(x: Any) -> Any:
        y = np.fft.fft(x)
        return 2 * np.real(np.fft.ifft(w * y))

    return Pair(lambda x: np.sum(w * np.abs(np.fft.fft(x)) ** 2), (x,), gradient)


@wrong("rfft: the doubled middle frequencies are counted once")
def half_spectrum() -> Pair:
    x = normal(8)
    w = np.arange(1.0, 6)

    def gradient(x: Any) -> Any:
        return np.fft.irfft(2 * w * np.fft.rfft(x), 8) * 8  # doubles what lies between the ends

    return Pair(lambda x: np.sum(w * np.abs(np.fft.rfft(x)) ** 2), (x,), gradient)


@wrong("phase: the derivative with respect to the imaginary part has the wrong sign")
def phase() -> Pair:
    def gradient(z: Any) -> Any:
        return (-np.imag(z) + 1j * np.real(z)) / np.abs(z) ** 2

    return Pair(lambda z: np.sum(np.angle(z)), (Z,), gradient)
