"""The exact dual on finite spaces: against cvxpy, differences, its own constants, and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from adjoint.errors import DomainError, ShapeError, UnknownNameError
from adjoint.models import DataError
from adjoint.models.alignment import FiniteProblem, projected_gradient

from ..harness import refused
from .theory import problem


@pytest.mark.parametrize("m", [1, 2, 3])
def test_strong_duality_and_cvxpy(m):
    """The primal program, solved by a convex solver without any dual, has D*'s value and π_λ* as solution."""
    cp = pytest.importorskip("cvxpy")
    game = problem(m, constraints=m, relative=m == 2)
    lam = game.optimum
    policy = game.policy(lam)
    assert abs(game.objective(policy) - game.dual(lam)) < 1e-12  # P* = D*
    pi = cp.Variable(game.base.shape)
    n = len(game.base)
    gain = cp.sum(cp.multiply(pi, game.reward)) - game.beta * cp.sum(cp.rel_entr(pi, game.base))
    limits = [cp.sum(cp.multiply(pi, g)) / n >= 0 for g in game.g]
    program = cp.Problem(cp.Maximize(gain / n), [cp.sum(pi, axis=1) == 1, *limits])
    program.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    assert_allclose(program.value, game.dual(lam), atol=1e-8)
    assert_allclose(pi.value, policy, atol=1e-6)
    assert_allclose([float(c.dual_value) for c in limits], lam, atol=1e-6)


def test_derivatives_of_the_dual_by_differences():
    game = problem(1, constraints=2)
    lam, h = np.array([0.3, 0.8]), 1e-5
    shifts = [h * e for e in np.eye(2)]
    slope = [(game.dual(lam + s) - game.dual(lam - s)) / (2 * h) for s in shifts]
    assert_allclose(game.dual_gradient(lam), slope, atol=1e-9)
    turn = [(game.dual_gradient(lam + s) - game.dual_gradient(lam - s)) / (2 * h) for s in shifts]
    assert_allclose(game.dual_hessian(lam), turn, atol=1e-8)


def test_excess_is_the_divergence_from_the_tilted_policy():
    """D(λ) − L(π, λ) = β E KL(π‖π_λ) for any π, also one that is nearly π_λ."""
    game, rng = problem(2, constraints=2), np.random.default_rng(0)
    lam = np.array([0.5, 0.1])
    for policy in (rng.dirichlet(np.ones(5), size=12), np.eye(5)[rng.integers(5, size=12)]):
        gap = game.dual(lam) - game.lagrangian(policy, lam)
        assert_allclose(game.excess(policy, lam), gap, rtol=1e-12)
    near = game.policy(
        lam + np.array([1e-7, 0.0])
    )  # second order, by the curvature: far below what D − L resolves
    exact = 0.5e-14 * game.dual_hessian(lam)[0, 0]
    assert_allclose(game.excess(near, lam), exact, rtol=1e-5)


def test_constants_bound_the_curvature():
    game, rng = problem(3, constraints=2), np.random.default_rng(1)
    for lam in rng.uniform(0, 5, size=(50, 2)):
        assert np.linalg.eigvalsh(game.dual_hessian(lam))[-1] <= game.smoothness
    # Popoviciu's bound is attained by a fair coin
    coin = FiniteProblem([[0.5, 0.5]], [[0.0, 0.0]], {"g": [[0.0, 3.0]]}, "g>=1", beta=0.25)
    assert_allclose(coin.dual_hessian([0.0])[0, 0], 9 / 4 / 0.25)
    assert_allclose(coin.smoothness, 9 / 4 / 0.25)


def test_curvature_between_two_points_is_a_lower_bound():
    game, rng = problem(4, constraints=2), np.random.default_rng(2)
    for _ in range(10):
        start, end = rng.uniform(0, 4, size=(2, 2))
        u = (end - start) / np.linalg.norm(end - start)
        least = min(
            float(u @ game.dual_hessian(start + t * (end - start)) @ u) for t in np.linspace(0, 1, 777)
        )
        bound = game.curvature(start, end)
        assert 0.9 * least < bound <= least
    assert_allclose(game.curvature(start, start), np.linalg.eigvalsh(game.dual_hessian(start))[0])


def test_linear_dependence_is_where_the_dual_is_flat():
    game = problem(5, constraints=2)
    assert game.flat_directions.shape == (2, 0)
    g = game.utilities["g0"]
    # twice the other, up to a number per prompt: only variation within a prompt counts
    twin = 2 * g + np.arange(12.0)[:, None]
    same = FiniteProblem(game.base, game.reward, {"a": g, "b": twin}, ["a>=0", "b>=5"], beta=0.5)
    u = same.flat_directions[:, 0]
    assert_allclose(np.abs(u), np.array([2, 1]) / np.sqrt(5))
    for lam in ([0.0, 0.0], [1.0, 3.0]):
        assert np.linalg.norm(same.dual_hessian(lam) @ u) < 1e-12
        # λ is not unique: every multiple of u leads to the same policy
        assert_allclose(same.policy(np.array(lam) + 0.7 * u), same.policy(lam))
    independent = FiniteProblem(
        game.base, game.reward, {"a": g, "b": twin + game.g[1]}, ["a>=0", "b>=5"], beta=0.5
    )
    assert independent.flat_directions.size == 0
    assert FiniteProblem(game.base, game.reward, {}, [], beta=1.0).flat_directions.shape == (0, 0)


def test_projected_gradient_keeps_its_bound_and_arrives():
    game = problem(6, constraints=2)
    path = projected_gradient(game, steps=400)
    lam, best = game.optimum, game.dual(game.optimum)
    t = np.arange(1, 401)
    values = np.array([game.dual(p) for p in path[1:]])
    assert np.all(values - best <= game.smoothness * float(lam @ lam) / (2 * t) + 1e-14)
    assert_allclose(path[-1], lam, atol=1e-6)
    assert np.all(np.diff(values) <= 1e-15)


BASE, R, G = np.full((1, 2), 0.5), [[1.0, 0.0]], {"safe": [[0.0, 1.0]]}
MISUSE = [
    (ShapeError, "reward must be (1, 2), as base is; got shape (1, 3)",
     lambda: FiniteProblem(BASE, [[1.0, 0.0, 2.0]], G, [], beta=1.0)),
    (ShapeError, "base must be (N, K), prompts × responses; got shape (2,)",
     lambda: FiniteProblem([0.5, 0.5], R, G, [], beta=1.0)),
    (DataError, "safe is nan at prompt 0, response 1",
     lambda: FiniteProblem(BASE, R, {"safe": [[0.0, np.nan]]}, [], beta=1.0)),
    (DataError, "base must be positive, got 0", lambda: FiniteProblem([[1.0, 0.0]], R, G, [], beta=1.0)),
    (DataError, "prompt 0 sums to 0.9", lambda: FiniteProblem([[0.5, 0.4]], R, G, [], beta=1.0)),
    (DomainError, "beta must be a number > 0, got 0", lambda: FiniteProblem(BASE, R, G, [], beta=0)),
    (DomainError, "beta must be a number > 0, got '1'", lambda: FiniteProblem(BASE, R, G, [], beta="1")),
    (ShapeError, "λ must be (1,), one per constraint; got (2,)",
     lambda: FiniteProblem(BASE, R, G, "safe>=0", beta=1.0).policy([0.0, 1.0])),
    (UnknownNameError, "no utility 'humor'", lambda: FiniteProblem(BASE, R, G, "humor>=0", beta=1.0)),
    (DomainError, "no λ* to compare with: infeasible",
     lambda: FiniteProblem(BASE, R, G, "safe>=2", beta=1.0).optimum),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=[text for _, text, _ in MISUSE])
def test_misuse_is_named(kind, text, call):
    refused(kind, text, call)
