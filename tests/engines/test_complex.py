"""Complex numbers in compiled programs: nodes that hold them run by NumPy, and `explain` says so."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad

from ..helpers import normal
from .harness import agree

X = normal(3, 4)
Z = normal(3, 4, seed=1) + 1j * normal(3, 4, seed=2)
SQUARE = Z[:, :3] + 3 * np.eye(3)

LOSSES = {
    "modulus": (lambda z: np.sum(np.abs(z) ** 2), Z),
    "phase": (lambda x: np.abs(np.sum(np.exp(1j * x) * x)), X),
    "constant": (lambda x: np.real(np.sum(x * Z)), X),
    "matmul": (lambda z: np.real(np.sum(z @ z.T * (1 + 2j))), Z),
    "conjugate": (lambda z: np.sum(np.real(np.conj(z) * z.T @ z)), SQUARE),
    "moments": (lambda z: np.abs(np.mean(z)) + np.var(z) + np.real(np.prod(z)), Z),
    "indexing": (lambda z: np.real(np.sum(z[[0, 2, 0]] * z[:, ::-1])), Z),
    "joining": (
        lambda z: np.real(np.sum(np.concatenate([z, z * 2], 0) ** 2)) + np.imag(np.sum(np.stack([z, z]))),
        Z,
    ),
    "scans": (lambda z: np.real(np.sum(np.cumsum(z) ** 2)), Z),
    "where": (lambda z: np.real(np.sum(np.where(X > 0, z, z * z))), Z),
    "solve": (lambda z: np.real(np.sum(np.linalg.solve(z, z[:, :1])) + np.linalg.det(z)), SQUARE),
    "power": (lambda z: np.real(np.sum(z**2 + z**-1.5 + 2j**z)), Z),
    "einsum": (lambda z: np.real(np.einsum("ij,kj->", z, z)), Z),
    "order": (lambda z: np.max(np.abs(z)) + np.real(np.max(z)) + np.real(np.sum(np.sort(z)[:, :2])), Z),
    "loop": (lambda z: np.real(ad.scan(lambda c, x: (c * x + 1, None), 1 + 0j, z[0])[0]), Z),
    "shapes": (
        lambda z: np.real(np.sum(np.pad(z, 1) ** 2) + np.sum(np.roll(z, 1) * z) + np.sum(np.tril(z) ** 2)),
        Z,
    ),
    "number": (lambda z: np.abs(z * 2j + 1), 1.5 + 2j),
    "single": (lambda z: np.sum(np.abs(np.tanh(z))), Z.astype(np.complex64)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name) -> None:
    f, x = LOSSES[name]
    agree(ad.value_and_grad(f), x, factor=10)


PROGRAMS = {
    "results": (lambda x: (x.sum(), (1j * x).sum(), np.tanh(x), x.T * 1j), X),
    "views": (lambda z: (z.T, z.T * 1, z[::2], np.sum(z[:0])), Z),
    "Python's complex promotes weakly": (lambda z, x: z * x, 1.5 + 2j, X.astype(np.float32)),
    "second derivatives": (lambda x, v: ad.hvp(lambda x: np.abs(np.sum(np.exp(1j * x))), x, v), X, X[::-1]),
    "real to complex": (lambda x: ad.make_jvp(lambda x: np.exp(1j * x))(x)(x), X),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name) -> None:
    f, *args = PROGRAMS[name]
    agree(f, *args, factor=10)


def test_explain_says_that_kernels_hold_no_complex_numbers() -> None:
    compiled = agree(lambda z, x: (z * 2j, np.tanh(x) * x), Z, X)
    program = compiled.explain().programs[0]
    assert [(name, why) for name, _, why in program.fallbacks] == [("multiply", "kernels hold no complex128")]
    assert any(line.kind == "region" for line in program.steps)  # what is real stays native


def test_donated_complex_arrays_are_computed_all_the_same() -> None:
    compiled = ad.compile(lambda z: z + 1, donate=(0,))
    for _ in range(3):
        np.testing.assert_array_equal(compiled(Z.copy()), Z + 1)
