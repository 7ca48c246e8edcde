"""Activations against 40-digit references, at their kinks, far out, and in float32."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

import adjoint as ad
from adjoint import check, nn

from ..helpers import close, normal

X = np.array([-30.0, -6.0, -1.3, -0.2, 0.4, 1.0, 2.5, 9.0])


def tanh_form(x):
    """The tanh form of gelu with 1 + tanh u = 2 / (1 + e^(−2u)) for u < 0."""
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return np.where(
        u < 0, x * np.exp(2 * u) / (1 + np.exp(2 * np.minimum(u, 0))), x / (1 + np.exp(-2 * np.maximum(u, 0)))
    )


REFERENCES = {
    "relu": (nn.relu, lambda x: np.maximum(x, 0)),
    "leaky_relu": (lambda x: nn.leaky_relu(x, 0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    "elu": (lambda x: nn.elu(x, 1.5), lambda x: np.where(x > 0, x, 1.5 * np.expm1(np.minimum(x, 0)))),
    "softplus": (nn.softplus, lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))),
    "silu": (nn.silu, lambda x: np.exp(np.minimum(x, 0)) * x / (1 + np.exp(-np.abs(x)))),
    "gelu": (nn.gelu, lambda x: x * special.ndtr(x)),
    "gelu tanh": (lambda x: nn.gelu(x, approximate=True), tanh_form),
    "softmax": (nn.softmax, lambda x: np.exp(x - x.max()) / np.sum(np.exp(x - x.max()))),
    "log_softmax": (nn.log_softmax, lambda x: x - x.max() - np.log(np.sum(np.exp(x - x.max())))),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_values_and_derivatives(name: str) -> None:
    """Relative tolerance: the tails keep their digits."""
    f, reference = REFERENCES[name]
    np.testing.assert_allclose(f(X), reference(X), rtol=2e-13, atol=0)
    check.gradients(f, [X[1:]]).raise_on_failure()


@pytest.mark.parametrize("name", REFERENCES)
def test_float32_stays_float32_and_keeps_the_tails(name: str) -> None:
    f, reference = REFERENCES[name]
    x = np.array([-9.0, -6.0, 0.5, 12.0], np.float32)
    z, gradient = ad.value_and_grad(lambda x: np.sum(f(x)))(x)
    assert z.dtype == gradient.dtype == f(x).dtype == np.float32
    np.testing.assert_allclose(
        f(x), reference(x.astype(float)), rtol=3e-5, atol=1e-7 * (name == "log_softmax")
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", REFERENCES)
def test_nothing_overflows_far_out(name: str, dtype: type) -> None:
    """Warnings are errors in this suite: an overflow in the branch not taken would show."""
    x = np.array([-1e4, -800.0, -90.0, 0.0, 90.0, 800.0, 1e4], dtype)
    z, lam = REFERENCES[name][0](x), ad.elementwise_grad(REFERENCES[name][0])(x)
    assert np.isfinite(z).all() and np.isfinite(lam).all()
    curvature = ad.elementwise_grad(ad.elementwise_grad(REFERENCES[name][0]))(x)
    assert np.isfinite(curvature).all()


def test_derivatives_at_the_kinks_are_torchs() -> None:
    at_zero = {nn.relu: 0.0, nn.leaky_relu: 0.01, nn.elu: 1.0, nn.gelu: 0.5, nn.silu: 0.5, nn.softplus: 0.5}
    for f, expected in at_zero.items():
        assert ad.grad(f)(0.0) == pytest.approx(expected), f.__name__


def test_nan_is_not_hidden() -> None:
    for name in ("relu", "leaky_relu", "elu", "softplus", "silu", "gelu", "gelu tanh"):
        with np.errstate(invalid="ignore"):
            assert np.isnan(REFERENCES[name][0](np.array([np.nan]))).all(), name


def test_softmax_along_other_axes() -> None:
    x = normal(3, 4, 5)
    for axis in (0, 1, -1):
        close(nn.softmax(x, axis).sum(axis), np.ones(np.sum(x, axis).shape), 1e-14)
        close(np.exp(nn.log_softmax(x, axis)), nn.softmax(x, axis), 1e-14)
    assert nn.softmax(x, 0).shape == x.shape
