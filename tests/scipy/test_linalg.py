"""adjoint.scipy.linalg against SciPy's values; derivatives by check.gradients, closed forms and jax."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg

import adjoint as ad
import adjoint.scipy.linalg as spla
from adjoint import check

from ..helpers import close, jax_in_double, message

RNG = np.random.default_rng(7)
A, B, Q = RNG.normal(size=(3, 3)), RNG.normal(size=(2, 2)) + 3 * np.eye(2), RNG.normal(size=(3, 2))
A = A + 3 * np.eye(3)
COMPLEX = A + 1j * RNG.normal(size=(3, 3))
HERMITIAN = COMPLEX @ COMPLEX.conj().T + np.eye(3)
BAND = RNG.normal(size=(4, 5)) + 4 * (np.arange(4) == 2)[:, None]
RIGHT = RNG.normal(size=(5, 2))

# name: function of the module's namespace (ours, or SciPy's for values), operands
PROGRAMS = {
    "expm": (lambda m, a: m.expm(a), A / 3),
    "expm complex": (lambda m, a: m.expm(a), COMPLEX / 3),
    "expm of a stack": (lambda m, a: m.expm(a), np.stack([A, -A, np.zeros((3, 3))])),
    "logm": (lambda m, a: m.logm(a), A),
    "sqrtm": (lambda m, a: m.sqrtm(a), A),
    "sqrtm complex": (lambda m, a: m.sqrtm(a), COMPLEX),
    "sqrtm of a real matrix with a complex root": (lambda m, a: m.sqrtm(a), np.diag([1.0, -2.0]) + 0.1),
    "cosm sinm": (lambda m, a: m.cosm(a) @ m.sinm(a), A / 3),
    "coshm sinhm tanhm": (lambda m, a: m.coshm(a) @ m.sinhm(a) + m.tanhm(a), A / 3),
    "tanm": (lambda m, a: m.tanm(a), A / 9),
    "solve_sylvester": (lambda m, a, b, q: m.solve_sylvester(a, b, q), A, B, Q),
    "solve_sylvester complex": (lambda m, a, b, q: m.solve_sylvester(a, b, q), COMPLEX, B, Q),
    "solve_banded": (lambda m, ab, b: m.solve_banded((1, 2), ab, b), BAND, RIGHT),
    "solve_banded of a vector": (lambda m, ab, b: m.solve_banded((1, 1), ab, b), BAND[1:], RIGHT[:, 0]),
    "solve_banded complex": (lambda m, ab, b: m.solve_banded((0, 3), ab, b), BAND[::-1] + 1j, RIGHT),
    "solve_triangular": (lambda m, a, b: m.solve_triangular(a, b, "C", lower=True), COMPLEX, Q),
    "solve_triangular trans 2": (lambda m, a, b: m.solve_triangular(a, b, 2, unit_diagonal=True), COMPLEX, Q),
    "cho_solve": (lambda m, a, b: m.cho_solve(m.cho_factor(a), b), HERMITIAN, Q),
    "cho_solve lower": (lambda m, a, b: m.cho_solve(m.cho_factor(a, True), b), HERMITIAN, Q[:, 0]),
    "block_diag": (lambda m, a, b, c: m.block_diag(a, b, c, 2.0), A, Q[0], np.float64(0.5)),
    "block_diag complex": (lambda m, a, b: m.block_diag(a, b), COMPLEX, Q),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_values_are_scipys_and_derivatives_hold(name: str) -> None:
    f, *args = PROGRAMS[name]
    expected = f(scipy.linalg, *args)
    close(f(spla, *args), expected, 1e-11)
    with ad.Tape() as tape:
        recorded = f(spla, *(tape.input(a) for a in args))
    close(recorded.value, expected, 1e-11)
    assert recorded.dtype == expected.dtype
    check.gradients(lambda *x: f(spla, *x), args).raise_on_failure()


@pytest.mark.parametrize("name", PROGRAMS)
def test_single_precision_is_kept(name: str) -> None:
    f, *args = PROGRAMS[name]
    single = [np.asarray(a, np.complex64 if np.iscomplexobj(a) else np.float32)[()] for a in args]
    both = ad.value_and_grad(lambda *x: np.sum(abs(f(spla, *x)) ** 2), tuple(range(len(args))))
    value, gradients = both(*single)
    assert (
        value.dtype == np.float32 or name == "block_diag"
    )  # a Python number beside them is float64 to SciPy
    for g, x, exact in zip(gradients, single, both(*args)[1], strict=True):
        assert g.dtype == x.dtype
        close(g, exact, 1e-3 * max(1.0, np.max(np.abs(exact))))


@pytest.mark.parametrize(
    "name", ["expm of a stack", "sqrtm", "solve_sylvester", "solve_banded", "cho_solve", "logm"]
)
def test_compiled(name: str) -> None:
    f, *args = PROGRAMS[name]
    both = lambda *x: (f(spla, *x), ad.grad(lambda *x: np.sum(abs(f(spla, *x)) ** 2))(*x))  # noqa: E731
    compiled = ad.compile(both)
    for z, expected in zip(compiled(*args), both(*args), strict=True):
        assert z.dtype == expected.dtype
        close(z, expected)
    assert name == "cho_solve" or name.split()[0] in str(compiled.explain())


# ------------------------------------------------------------------------------------- closed forms
def test_derivatives_of_the_exponential_to_third_order() -> None:
    """d³ e^(ta) / dt³ = a³ e^(ta); along a commuting direction the derivative is e eᵃ."""
    curve = lambda t: spla.expm(t * A / 3)  # noqa: E731
    third = ad.deriv(ad.deriv(ad.deriv(curve)))(0.7)
    close(third, np.linalg.matrix_power(A / 3, 3) @ scipy.linalg.expm(0.7 * A / 3), 1e-9)
    frechet = scipy.linalg.expm_frechet(A / 3, B[0, 0] * A.T, compute_expm=False)
    close(ad.jvp(spla.expm, (A / 3,), (B[0, 0] * A.T,))[1], frechet)
    close(ad.grad(lambda a: np.trace(spla.expm(a)))(A / 3), scipy.linalg.expm(A / 3).T)
    close(ad.grad(lambda a: np.trace(spla.logm(a)))(A), np.linalg.inv(A).T)


def test_square_root_and_logarithm_undo_their_inverses() -> None:
    for there, back in ((lambda a: a @ a, spla.sqrtm), (spla.expm, spla.logm)):
        small = np.eye(3) + A / 10
        close(ad.jacobian(lambda a, f=there, g=back: g(f(a)))(small).reshape(9, 9), np.eye(9), 1e-9)


def test_banded_is_dense() -> None:
    def dense(ab, b):
        n = ab.shape[1]
        rows = [
            sum(ab[2 + i - j, j] * np.eye(n)[j] for j in range(n) if 0 <= 2 + i - j < 4) for i in range(n)
        ]
        return np.linalg.solve(np.stack(rows), b)

    for k in (0, 1):
        ours = ad.jacobian(lambda ab, b: spla.solve_banded((1, 2), ab, b), k)(BAND, RIGHT)
        close(ours, ad.jacobian(dense, k)(BAND, RIGHT))
    corners = ad.grad(lambda ab: np.sum(spla.solve_banded((1, 2), ab, RIGHT)))(BAND)
    assert corners[0, 0] == corners[0, 1] == corners[3, -1] == 0


def test_blocks_keep_to_themselves() -> None:
    z = ad.jacobian(lambda a, b: spla.block_diag(a, b), 1)(A, Q)
    assert z.shape == (6, 5, 3, 2) and z.sum() == Q.size
    assert spla.block_diag().shape == (1, 0)
    stacked = ad.jvp(spla.block_diag, (np.stack([A, -A]), Q), (np.zeros((2, 3, 3)), Q))[1]
    close(stacked, np.stack([scipy.linalg.block_diag(0 * A, Q)] * 2))
    assert spla.block_diag([1, 2], 3).dtype == np.int64


def test_empty_matrices() -> None:
    for f in (spla.expm, spla.sqrtm, spla.logm):
        assert ad.grad(lambda a, f=f: np.sum(f(a)))(np.zeros((0, 0))).shape == (0, 0)
        assert ad.grad(lambda a, f=f: np.sum(f(a)))(np.zeros((0, 2, 2))).shape == (0, 2, 2)
    empty = ad.grad(lambda q: np.sum(spla.solve_sylvester(A, np.zeros((0, 0)), q)))(np.zeros((3, 0)))
    assert empty.shape == (3, 0)
    assert ad.grad(lambda b: np.sum(spla.solve_banded((1, 2), BAND, b)))(np.zeros((5, 0))).shape == (5, 0)


# ------------------------------------------------------------------------------------------ refusals
def test_a_real_matrix_may_have_a_complex_logarithm() -> None:
    a = np.diag([1.0, -2.0])
    with ad.Tape() as tape:
        close(spla.logm(tape.input(a)).value, np.diag([0, np.log(2) + 1j * np.pi]))


def test_refusals() -> None:
    square = message(ad.DomainError, ad.grad(lambda a: np.sum(spla.expm(a))), Q)
    assert "expm of a matrix (3, 2)" in square
    root = message(ad.DomainError, ad.compile(spla.sqrtm), np.diag([1.0, -1.0]))
    assert "sqrtm of a real matrix is complex" in root and "Pass a + 0j" in root
    sizes = message(ad.ShapeError, ad.grad(lambda q: np.sum(spla.solve_sylvester(A, A, q))), Q)
    assert "q is (m, n)" in sizes
    band = message(ad.ShapeError, ad.grad(lambda b: np.sum(spla.solve_banded((1, 1), BAND, b))), RIGHT)
    assert "should be (3, n)" in band
    assert "use 0, 1 or 2" in message(ad.MissingRuleError, lambda: spla.solve_triangular(A, Q, 3))


# ----------------------------------------------------------------------------------------- witnesses
@pytest.mark.peers
@pytest.mark.parametrize("name", ["expm", "expm complex", "solve_triangular", "solve_sylvester"])
def test_jax_finds_the_same_gradients(name: str) -> None:
    jax = pytest.importorskip("jax", reason="jax, the independent witness, is not installed")
    import jax.scipy.linalg as theirs

    f, *args = PROGRAMS[name]
    argnum = tuple(range(len(args)))
    if name == "solve_sylvester":  # by Kronecker products, which every library has
        twin = lambda a, b, q: jax.numpy.linalg.solve(  # noqa: E731
            jax.numpy.kron(a, jax.numpy.eye(2)) + jax.numpy.kron(jax.numpy.eye(3), b.T), q.reshape(-1)
        )
    else:
        twin = lambda *x: f(theirs, *x)  # noqa: E731
    with jax_in_double():
        expected = jax.grad(lambda *x: (abs(twin(*x)) ** 2).sum(), argnum)(*map(jax.numpy.asarray, args))
    found = ad.grad(lambda *x: np.sum(abs(f(spla, *x)) ** 2), argnum)(*args)
    for a, b in zip(found, expected, strict=True):
        close(a, np.asarray(b), 1e-9 * max(1.0, float(np.max(np.abs(b)))))


def test_size_of_the_problem_in_the_exponential() -> None:
    """A rotation by π/2: large enough for scaling and squaring."""
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    close(ad.deriv(lambda t: spla.expm(t * turn))(math.pi / 2), -np.eye(2), 1e-12)
