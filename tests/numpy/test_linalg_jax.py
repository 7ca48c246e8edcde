"""jax as an independent witness of numpy.linalg for complex matrices: the same losses, the same λ."""

from __future__ import annotations

import numpy
import pytest

import adjoint as ad

from ..helpers import jax_in_double
from .harness import assert_close
from .test_linalg import HERMITIAN, TALL, A, B, complex_normal

jax = pytest.importorskip("jax", reason="jax, the independent witness, is not installed")
pytestmark = pytest.mark.peers


def hermitian(np, a):
    """A Hermitian matrix of any a: jax takes what reads one triangle as a function of all of it."""
    return a @ np.conj(a.T) + np.eye(len(a))


PROGRAMS = {
    "solve": (lambda np, a, b: np.linalg.solve(a, b), A, complex_normal(2, 3, 1, seed=4)),
    "inv": (lambda np, a: np.linalg.inv(a), A),
    "det": (lambda np, a: np.linalg.det(a), A),
    "slogdet": (lambda np, a: np.linalg.slogdet(a), A),
    "cholesky": (lambda np, a: np.linalg.cholesky(hermitian(np, a)), B),
    "eigvalsh": (lambda np, a: np.linalg.eigvalsh(hermitian(np, a)), B),
    "eigh": (lambda np, a: np.abs(np.linalg.eigh(hermitian(np, a))[1]), B),
    "eigvals": (lambda np, a: np.linalg.eigvals(a) ** 2, B),
    "svdvals": (lambda np, a: np.linalg.svd(a, compute_uv=False), A),
    "svd": (lambda np, a: [np.abs(x) for x in np.linalg.svd(a, full_matrices=False)], TALL),
    "qr": (lambda np, a: np.abs(np.linalg.qr(a)[0]), TALL),
    "pinv": (lambda np, a: np.linalg.pinv(a), TALL),
    "pinv wide": (lambda np, a: np.linalg.pinv(a), TALL.T),
    "norm": (lambda np, a: np.linalg.norm(a), A),
    "norm 3": (lambda np, a: np.linalg.norm(a, 3, axis=1), A),
    "nuclear norm": (lambda np, a: np.linalg.norm(a, "nuc", axis=(0, 2)), A),
    "spectral norm": (lambda np, a: np.linalg.norm(a, 2), HERMITIAN),
}


def loss(function, np):
    def total(z):
        if isinstance(z, (tuple, list)):
            return sum(map(total, z))
        return np.sum(np.real(z) ** 2 + 0.3 * np.real(z) + 0.7 * np.imag(z))

    return lambda *x: total(function(np, *x))


@pytest.fixture(scope="module", autouse=True)
def double_precision():
    with jax_in_double():
        yield


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_gradients(name: str) -> None:
    function, *args = PROGRAMS[name]
    argnum = tuple(range(len(args)))
    found = ad.grad(loss(function, numpy), argnum)(*args)
    expected = jax.grad(loss(function, jax.numpy), argnum)(*map(jax.numpy.asarray, args))
    assert_close(found, [numpy.asarray(x) for x in expected], 1e-9)
