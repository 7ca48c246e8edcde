"""Dense linear algebra under compile: native steps, the same numbers as without, and the same errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
import adjoint.scipy.linalg
from adjoint.engines.cpu import dense as cell

from ..helpers import normal, rng
from .harness import REFUSING, agree, fallbacks, refuses

UNARY: dict[str, Callable[[Any], Any]] = {
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "slogdet": lambda a: np.linalg.slogdet(a)[0] * np.linalg.slogdet(a)[1],
    "cholesky": lambda a: np.linalg.cholesky(a @ np.swapaxes(a, -1, -2)),
}


def regular(*shape: int, seed: int = 0, dtype: str = "float64") -> np.ndarray:
    """Matrices far from singular ones, whose rows have to be exchanged."""
    n = shape[-1]
    a = normal(*shape, seed=seed) / (2 * n**0.5) + np.eye(n)
    return a[..., ::-1, :].astype(dtype).copy()


def with_gradients(f: Callable[..., Any], count: int) -> Callable[..., Any]:
    """The value, and the gradients of Σ sin f."""

    def both(*args: Any) -> Any:
        loss = lambda *xs: np.sum(np.sin(f(*xs)))  # noqa: E731
        return f(*args), ad.grad(loss, argnum=tuple(range(count)))(*args)

    return both


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", sorted(UNARY))
def test_of_one_matrix(name: str, dtype: str) -> None:
    for shape in ((1, 1), (2, 2), (5, 5), (cell.MOST, cell.MOST), (7, 4, 4), (2, 3, 3, 3)):
        compiled = agree(with_gradients(UNARY[name], 1), regular(*shape, dtype=dtype), factor=30)
        assert not fallbacks(compiled), shape


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_solve(dtype: str) -> None:
    for n, k in ((1, 1), (2, 4), (9, 1), (cell.MOST, 40)):
        a, b = regular(n, n, dtype=dtype), normal(n, k).astype(dtype)
        assert not fallbacks(agree(with_gradients(np.linalg.solve, 2), a, b, factor=10)), (n, k)
    a, b = regular(4, 3, 3, dtype=dtype), normal(3, 2).astype(dtype)  # one right-hand side for all
    assert not fallbacks(agree(with_gradients(np.linalg.solve, 2), a, b, factor=10))
    b = normal(4, 2, 3).astype(dtype)  # views as operands
    f = with_gradients(lambda a, b: np.linalg.solve(np.swapaxes(a, 1, 2), np.swapaxes(b, 1, 2)), 2)
    assert not fallbacks(agree(f, a, b, factor=10))


@pytest.mark.parametrize("k", [1, 5, 300])
@pytest.mark.parametrize("n", [3, cell.PANEL, 2 * cell.PANEL + 3])
def test_triangular_solves(n: int, k: int) -> None:
    def f(a: Any, b: Any) -> Any:
        total = 0.0
        for lower in (True, False):
            for trans in (0, 1):
                for unit in (True, False):
                    for x in (a, np.transpose(a)):
                        total = total + ad.scipy.linalg.solve_triangular(
                            x, b, lower=lower, trans=trans, unit_diagonal=unit
                        )
        return total

    a = 0.5 * normal(n, n) / n**0.5 + np.eye(n)
    assert not fallbacks(agree(with_gradients(f, 2), a, normal(n, k), factor=10))
    assert not fallbacks(agree(f, a.astype(np.float32), normal(n, k).astype(np.float32)))


def test_stacked_triangular_solve() -> None:
    a, b = regular(6, 20, 20)[:, ::-1].copy(), normal(6, 9, 20)
    f = lambda a, b: np.linalg.solve(np.linalg.cholesky(a @ np.swapaxes(a, 1, 2)), np.swapaxes(b, 1, 2))  # noqa: E731
    assert not fallbacks(agree(f, a, b, factor=10))


def test_solve_with_a_cholesky_factor_is_a_triangular_solve() -> None:
    """Of any size, and of its transpose; the factorisation itself is LAPACK's beyond the kernels' size."""
    n = 2 * cell.MOST
    a = regular(n, n)

    def f(a: Any, b: Any) -> Any:
        low = np.linalg.cholesky(a @ a.T)
        return np.sum(np.linalg.solve(low.T, np.linalg.solve(low, b)) * b) + np.sum(np.log(np.diag(low)))

    compiled = agree(ad.value_and_grad(f, argnum=(0, 1)), a, normal(n), factor=100)
    names = [step.operations for step in compiled.explain().programs[0].steps]
    assert ("solve_triangular",) in names
    assert ("solve",) not in names
    assert not fallbacks(compiled)


@pytest.mark.parametrize("shape", [(cell.MOST + 1,) * 2, (3, cell.MOST + 8, cell.MOST + 8)])
def test_larger_matrices_are_given_to_lapack(shape: tuple[int, ...]) -> None:
    a, b = regular(*shape), normal(*shape[:-1], 2)
    mixed = rng(2).permutation(shape[-1])  # so that rows are exchanged
    for f in (
        lambda a, b: np.linalg.solve(a[..., mixed, :], b),
        lambda a, b: np.linalg.solve(np.swapaxes(a, -1, -2), b),
    ):
        assert not fallbacks(agree(with_gradients(f, 2), a, b, factor=10))
        assert not fallbacks(agree(f, a.astype(np.float32), b.astype(np.float32), factor=10))
    assert not fallbacks(agree(with_gradients(np.linalg.inv, 1), a[..., mixed, :], factor=10))
    spd = a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])
    assert not fallbacks(agree(with_gradients(np.linalg.cholesky, 1), spd, factor=100))


@pytest.mark.parametrize("name", REFUSING)
def test_what_lapack_refuses_is_the_eager_error(name: str) -> None:
    refuses(ad.compile, name, cell.MOST + 8)


SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


def test_a_singular_matrix_is_complained_about_as_without_compile() -> None:
    f: Callable[..., Any] = lambda a, b: np.linalg.solve(a + 0.0, b)  # noqa: E731
    compiled = ad.compile(f)
    b = np.ones((2, 1))
    np.testing.assert_allclose(compiled(SINGULAR + np.eye(2), b), f(SINGULAR + np.eye(2), b))
    with pytest.raises(ad.DomainError, match=r"solve of a matrix \(2, 2\).*ingular(.|\n)*test_dense.py"):
        compiled(SINGULAR, b)
    # the program is as good as before
    np.testing.assert_allclose(compiled(SINGULAR + np.eye(2), b), f(SINGULAR + np.eye(2), b))


def test_determinants_of_a_singular_matrix_are_numbers() -> None:
    f = lambda a: (np.linalg.det(a), *np.linalg.slogdet(a))  # noqa: E731
    found = ad.compile(f)(SINGULAR)
    assert found == (0.0, 0.0, -np.inf)


def test_a_matrix_that_is_not_positive_definite() -> None:
    compiled = ad.compile(lambda a: np.linalg.cholesky(a + 0.0))
    with pytest.raises(ad.DomainError, match=r"the smallest eigenvalue of .* is -2"):
        compiled(np.diag([1.0, -2.0]))


def test_nan_goes_where_it_goes_without_compile() -> None:
    a, b = np.array([[np.nan, 1.0], [1.0, 2.0]]), np.ones((2, 1))
    for f in (lambda a, b: np.linalg.solve(a, b), lambda a, b: np.linalg.slogdet(a)[1] + b):
        with np.errstate(invalid="ignore"):
            want = f(a, b)
        assert np.isnan(ad.compile(f)(a, b)[np.isnan(want)]).all()  # LAPACK's vectors are NaN in part
    with pytest.raises(ad.AdjointError, match="infs or NaNs"):
        ad.compile(lambda a, b: ad.scipy.linalg.solve_triangular(a + 0.0, b, lower=True))(a, b)


def test_what_follows_a_step_that_failed_is_computed() -> None:
    """A pivot whose inverse overflows: the kernel gives up, NumPy finds numbers, the rest runs."""
    f: Callable[..., Any] = lambda a, b: 2 * ad.scipy.linalg.solve_triangular(a, b, lower=True)  # noqa: E731
    a, b = np.diag([4e-309, 1.0]), np.array([[1e-308], [1.0]])
    np.testing.assert_allclose(ad.compile(f)(a, b), f(a, b), rtol=1e-12)


def test_diagonals_are_views() -> None:
    f = with_gradients(lambda a: np.diagonal(a) * 2 + np.trace(a), 1)
    assert not fallbacks(agree(f, normal(5, 5)))
    assert not fallbacks(agree(with_gradients(lambda a: np.sum(np.diag(a @ a)), 1), normal(4, 4)))
