"""numpy.linalg beyond the table: complex matrices, phases, ranks and kinks."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
import adjoint.numpy as anp
from adjoint import check

from ..helpers import close, message


def complex_normal(*shape: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(100 + seed)  # not 0, from which check.gradients draws its directions
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


A, B, TALL = complex_normal(2, 3, 3), complex_normal(3, 3, seed=1), complex_normal(4, 2, seed=2)
HERMITIAN = B @ B.conj().T + np.diag([1.0, 2.0, 4.0])
INDEFINITE = np.diag([1.0, -2.0, 0.3]) + 0.1 * (B + B.conj().T)
REAL = np.random.default_rng(3).standard_normal((3, 3)) + 2 * np.eye(3)


def dagger(x):
    return np.conj(np.swapaxes(x, -1, -2))


def weighed(left, right):
    """Σ k l_k r_kᴴ, in which phases cancel."""
    return (left * np.arange(1, 1 + left.shape[-1], dtype=np.float32)) @ dagger(right)


def joined(u, s, vh):
    """All of an SVD but the phases; of extra vectors the space that they span."""
    k = s.shape[-1]
    extra_u, extra_v = u[..., k:], vh[..., k:, :]
    spaces = extra_u @ dagger(extra_u), dagger(extra_v) @ extra_v
    return s, weighed(u[..., :k], dagger(vh[..., :k, :])), *spaces


def completed(q, r):
    n = r.shape[-1]
    return q[..., :n], q[..., n:] @ dagger(q[..., n:]), r


# name: function of complex matrices without arbitrary phases, operands
PROGRAMS = {
    "solve": (np.linalg.solve, A, complex_normal(2, 3, 1, seed=4)),
    "solve of a real matrix": (np.linalg.solve, REAL, complex_normal(3, seed=4)),
    "solve for a real vector": (np.linalg.solve, B, np.ones(3)),
    "inv": (np.linalg.inv, A),
    "det": (np.linalg.det, A),
    "det of rank n − 1": (np.linalg.det, np.stack([B[0], B[1], B[0] - 1j * B[1]])),
    "slogdet": (lambda a: tuple(np.linalg.slogdet(a)), A),
    "cholesky": (np.linalg.cholesky, np.stack([HERMITIAN, 2 * HERMITIAN.T])),
    "cholesky upper": (lambda a: np.linalg.cholesky(a, upper=True), HERMITIAN),
    "eigvalsh": (np.linalg.eigvalsh, np.stack([HERMITIAN, INDEFINITE])),
    "eigh": (lambda a: weighed(*2 * (np.linalg.eigh(a)[1],)), np.stack([HERMITIAN, INDEFINITE])),
    "eigh U": (lambda a: abs(np.linalg.eigh(a, "U")[1]), HERMITIAN),
    "eig": (lambda a: tuple(np.linalg.eig(a)), A),
    "eigvals": (np.linalg.eigvals, A),
    "svdvals": (np.linalg.svdvals, A),
    "svd": (lambda a: joined(*np.linalg.svd(a)), A),
    "svd tall": (lambda a: joined(*np.linalg.svd(a)), TALL),
    "svd wide": (lambda a: joined(*np.linalg.svd(a)), TALL.T),
    "svd thin": (
        lambda a: (lambda u, s, vh: (abs(u), s, abs(vh)))(*np.linalg.svd(a, full_matrices=False)), TALL,
    ),
    "svd hermitian": (lambda a: joined(*np.linalg.svd(a, hermitian=True)), INDEFINITE),
    "qr": (lambda a: tuple(np.linalg.qr(a)), A),
    "qr tall": (lambda a: tuple(np.linalg.qr(a)), TALL),
    "qr wide": (lambda a: tuple(np.linalg.qr(a)), TALL.T),
    "qr complete": (lambda a: completed(*np.linalg.qr(a, "complete")), TALL),
    "pinv": (np.linalg.pinv, TALL),
    "pinv wide": (np.linalg.pinv, np.stack([TALL.T, TALL[::-1].T])),
    "pinv fixed rank": (lambda a: np.linalg.pinv(a @ dagger(a), 1e-4), TALL),
    "pinv hermitian": (lambda a: np.linalg.pinv(a, hermitian=True), HERMITIAN),
    "lstsq": (lambda a, b: np.linalg.lstsq(a, b)[:2], TALL, complex_normal(4, seed=5)),
    "lstsq wide": (lambda a, b: np.linalg.lstsq(a, b)[0], TALL.T, complex_normal(2, 2, seed=5)),
    "tensorinv": (lambda a: np.linalg.tensorinv(a, 1), complex_normal(6, 2, 3)),
    "tensorsolve": (np.linalg.tensorsolve, complex_normal(2, 3, 6), complex_normal(2, 3, seed=1)),
    "matrix_power": (lambda a: np.linalg.matrix_power(a, -2), A),
    "multi_dot": (lambda a, b: np.linalg.multi_dot([a, b, b, a[0]]), TALL.T, complex_normal(4, 4)),
    "cond": (np.linalg.cond, A),
    "cross": (np.cross, B, complex_normal(3, 3, seed=6)),
    "norm": (lambda a: np.linalg.norm(a, axis=(0, 2), keepdims=True), A),
    "norm of a vector": (np.linalg.norm, B[0]),
    **{
        f"norm {p}": (lambda a, p=p: np.linalg.norm(a, p, axis=1), A)
        for p in (1, 3, -1, 0.5, np.inf, -np.inf)
    },
    **{
        f"matrix norm {p}": (lambda a, p=p: np.linalg.norm(a, p, axis=(2, 0)), complex_normal(2, 2, 3))
        for p in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)
    },
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_complex_programs_in_both_modes_to_second_order(name: str) -> None:
    f, *args = PROGRAMS[name]
    check.gradients(f, args).raise_on_failure()


@pytest.mark.parametrize("name", PROGRAMS)
def test_complex64_is_kept(name: str) -> None:
    f, *args = PROGRAMS[name]
    single = [a.astype(np.complex64 if a.dtype.kind == "c" else np.float32) for a in args]
    value, gradients = ad.value_and_grad(lambda *x: scalar(f(*x)), tuple(range(len(args))))(*single)
    assert value.dtype == np.float32
    expected = ad.grad(lambda *x: scalar(f(*x)), tuple(range(len(args))))(*args)
    for g, x, e in zip(gradients, single, expected, strict=True):
        assert g.dtype == x.dtype
        close(g, e, 2e-2 * max(1.0, np.max(np.abs(e))))


COMPILED = ("slogdet", "cholesky", "eigh", "eig", "svd", "qr complete", "lstsq", "cond", "matrix norm nuc")


@pytest.mark.parametrize("name", COMPILED)
def test_complex_programs_compile(name: str) -> None:
    """By NumPy's steps, which explain() counts."""
    f, *args = PROGRAMS[name]
    both = lambda *x: ad.value_and_grad(lambda *x: scalar(f(*x)), tuple(range(len(args))))(*x)  # noqa: E731
    compiled = ad.compile(both)
    value, gradients = both(*args)
    found = compiled(*args)
    close(found[0], value)
    for a, b in zip(found[1], gradients, strict=True):
        close(a, b)
    assert compiled.explain().programs[0].fallbacks


@pytest.mark.parametrize("shape", [(0, 0), (0, 3, 3), (2, 0, 0), (0, 3), (3, 0)])
def test_empty_matrices(shape: tuple[int, ...]) -> None:
    names = ["svd", "qr", "pinv", "svdvals"]
    if shape[-1] == shape[-2]:
        names += ["inv", "det", "slogdet", "cholesky", "eig", "eigvals", "eigh", "eigvalsh"]
    for name in names:
        f, a = getattr(np.linalg, name), np.zeros(shape)
        expected = f(a)
        with ad.Tape() as tape:
            found = f(tape.input(a))
        for z, e in zip(*((x if isinstance(x, tuple) else (x,)) for x in (found, expected)), strict=True):
            assert (z.shape, z.dtype) == (e.shape, e.dtype)
        assert ad.grad(lambda a, f=f: scalar(f(a)))(a).shape == shape


def scalar(z):
    """A real number that every entry counts in."""
    if isinstance(z, tuple):
        return sum(scalar(part) for part in z)
    total = np.sum(np.real(z) ** 2 + 0.3 * np.real(z))
    return total + 0.7 * np.sum(np.imag(z)) if z.dtype.kind == "c" else total


# ------------------------------------------------------------------------------------- closed forms
def test_determinants_by_calculus() -> None:
    """d det = det tr(a⁻¹ da): λ is Jacobi's formula without a conjugate; log|det| has a⁻ᵀ."""
    close(ad.holomorphic_grad(np.linalg.det)(B), np.linalg.det(B) * np.linalg.inv(B).T)
    close(ad.grad(lambda a: np.linalg.slogdet(a)[1])(B), np.linalg.inv(B).T)
    angle = ad.grad(lambda a: np.angle(np.linalg.slogdet(a)[0]))(B)
    close(angle, -1j * np.linalg.inv(B).T)
    assert not np.any(ad.grad(lambda a: np.linalg.slogdet(a)[0])(REAL))


def test_hermitian_functions_read_one_triangle() -> None:
    for f, lower in (
        (np.linalg.cholesky, True),
        (lambda a: np.linalg.cholesky(a, upper=True), False),
        (np.linalg.eigvalsh, True),
        (lambda a: np.linalg.eigvalsh(a, "U"), False),
    ):
        half = np.tril(HERMITIAN) if lower else np.triu(HERMITIAN)
        half = half + 1j * np.diag([1.0, 2.0, 3.0])  # LAPACK takes the diagonal's real part
        with ad.Tape() as tape:
            close(f(tape.input(half)).value, f(half))
        gradient = ad.grad(lambda a, f=f: np.sum(abs(f(a)) ** 3))(half)
        assert not np.any(np.triu(gradient, 1) if lower else np.tril(gradient, -1))
        assert not np.any(np.imag(np.diag(gradient)))
    close(ad.grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(HERMITIAN), np.eye(3))


def test_first_order_perturbation_of_eigenvalues() -> None:
    v = np.linalg.eig(B)[1]
    left = np.linalg.inv(v)
    for k in range(3):  # dw = uᴴ da v
        close(ad.holomorphic_grad(lambda a, k=k: np.linalg.eigvals(a)[k])(B), np.outer(left[k], v[:, k]))
    v = np.linalg.eigh(HERMITIAN)[1]
    gradient = ad.grad(lambda a: np.linalg.eigvalsh(a + dagger(a))[0])(HERMITIAN / 2)
    close(gradient, 2 * np.outer(v[:, 0].conj(), v[:, 0]))


def test_nuclear_and_spectral_norms_have_the_least_subgradient() -> None:
    u, _, vh = np.linalg.svd(B)
    close(ad.grad(lambda a: np.linalg.norm(a, "nuc"))(B), (u @ vh).conj())
    close(ad.grad(lambda a: np.linalg.norm(a, 2))(B), np.outer(u[:, 0], vh[0]).conj())
    for norm in ("nuc", 2, "fro", 1, np.inf):
        assert not np.any(ad.grad(lambda a, norm=norm: np.linalg.norm(a, norm))(np.zeros((2, 3))))
        assert not np.any(ad.grad(lambda a, norm=norm: np.linalg.norm(a, norm))(np.zeros((2, 3), complex)))
    close(ad.grad(lambda a: np.linalg.norm(a, 2))(np.eye(2)), np.eye(2) / 2)  # ties share


# --------------------------------------------------------------------------------- eigenvectors of eig
def test_eig_keeps_the_largest_entry_real_and_says_what_numpy_says() -> None:
    """Not only |v|: derivatives are of the vectors as LAPACK scales them."""
    real = np.diag([1.0, 2.0, 4.0]) + 0.1 * REAL
    assert np.linalg.eig(real)[0].dtype == float
    w, v = anp.linalg.eig(real)
    with ad.Tape() as tape:
        recorded = np.linalg.eig(tape.input(real))
    close(recorded.eigenvalues.value, w)
    close(recorded.eigenvectors.value, v)
    assert recorded.eigenvalues.dtype == recorded.eigenvectors.dtype == np.float64
    check.gradients(lambda a: tuple(np.linalg.eig(a)), [real]).raise_on_failure()
    turning = np.array([[0.0, 1.0], [-1.0, 0.0]]) + 0.1 * REAL[:2, :2]
    assert np.linalg.eig(turning)[0].dtype == complex
    check.gradients(lambda a: tuple(np.linalg.eig(a)), [turning]).raise_on_failure()


def test_coinciding_eigenvalues_are_nan_through_the_vectors_alone() -> None:
    a = np.eye(2) + 0j
    for f in (np.linalg.eig, np.linalg.eigh):
        close(ad.grad(lambda a, f=f: np.sum(f(a)[0]).real)(a), np.eye(2))
        assert np.isnan(ad.grad(lambda a, f=f: np.sum(abs(f(a)[1]) ** 3))(a)).any()
    u = ad.grad(lambda a: np.sum(abs(np.linalg.svd(a)[0]) ** 3))
    assert np.isnan(u(a)).any()


def test_eig_is_complex_where_values_are_not_known() -> None:
    w, v = ad.compile(np.linalg.eig)(HERMITIAN.real)
    assert w.dtype == v.dtype == complex
    close(np.sort(w.real), np.linalg.eigvalsh(HERMITIAN.real))


# ------------------------------------------------------------------------------- ranks and least squares
def test_lstsq_returns_what_numpy_returns() -> None:
    rng = np.random.default_rng(0)
    full, b = rng.standard_normal((4, 2)), rng.standard_normal(4)
    for a, right in ((full, b), (full.T, b[:2]), (full @ full.T, b), (full, np.stack([b, b], 1))):
        with ad.Tape() as tape:
            found = np.linalg.lstsq(tape.input(a), right)
        for z, expected in zip(found, np.linalg.lstsq(a, right), strict=True):
            z = z.value if isinstance(z, ad.Variable) else z
            assert np.shape(z) == np.shape(expected)
            close(z, expected, 1e-12)


def test_least_squares_solution_by_the_normal_equations() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((5, 2)), rng.standard_normal(5)
    normal = lambda a, b: np.linalg.solve(a.T @ a, a.T @ b)  # noqa: E731
    for k in (0, 1):
        ours = ad.jacobian(lambda a, b: np.linalg.lstsq(a, b)[0], k)(a, b)
        close(ours, ad.jacobian(normal, k)(a, b))
        assert np.linalg.lstsq(a, b)[0] == pytest.approx(normal(a, b))


def test_a_tall_pseudoinverse_forms_no_large_square() -> None:
    a = np.random.default_rng(0).standard_normal((100_000, 2))  # 1 − a a⁺ would take 80 GB
    gradient = ad.grad(lambda a: np.sum(np.linalg.lstsq(a, a[:, 0])[0] ** 2))(a)
    close(gradient, np.zeros_like(a), 1e-10)  # the solution is (1, 0) for every a


def test_rank_is_a_plain_number() -> None:
    a = np.outer([1.0, 2.0], [3.0, 4.0])
    seen = []
    ad.grad(lambda a: seen.append(np.linalg.matrix_rank(a)) or np.sum(a))(a)
    assert seen == [1]
    compiled = ad.compile(lambda a: a * np.linalg.matrix_rank(a))
    close(compiled(a), a)
    close(compiled(np.eye(2)), 2 * np.eye(2))


def test_multi_dot_takes_the_cheapest_order() -> None:
    x, y = np.ones((1, 500)), np.ones((500, 500))
    with ad.Tape() as tape:
        z = np.linalg.multi_dot([tape.input(y), y, y, y, x.T])
    assert max(v.size for v in tape.values) == y.size and z.shape == (500, 1)
    assert sum(np.size(v) > 500 for v in tape.values) == 1  # no product of two squares


def test_refusals() -> None:
    assert "square" in message(
        ad.DomainError, ad.grad(lambda a: np.sum(np.linalg.eig(a)[0])), np.ones((2, 3))
    )
    assert "at least two arrays" in message(ValueError, lambda: anp.linalg.multi_dot([np.eye(2)]))
