"""Families of policies: each one's best policy against programs and searches that know no closed form."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import linprog, minimize

from adjoint.errors import DomainError, ShapeError
from adjoint.models import DataError
from adjoint.models.alignment import Everything, Floor, LogLinear, Network, SimplexGrid, Union

from ..harness import refused
from .theory import problem

LAM = np.array([0.7])


def test_floor_is_the_solution_of_its_program():
    cp = pytest.importorskip("cvxpy")
    game = problem(1, prompts=6)
    s = game.reward + 0.7 * game.g[0]
    for epsilon in (0.0, 0.05, 0.4, 0.9, 1.0):
        found = Floor(epsilon).best(game, LAM)
        pi = cp.Variable(game.base.shape)
        gain = cp.sum(cp.multiply(pi, s)) - game.beta * cp.sum(cp.rel_entr(pi, game.base))
        program = cp.Problem(cp.Maximize(gain), [cp.sum(pi, axis=1) == 1, pi >= epsilon / 5])
        program.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
        assert_allclose(found, pi.value, atol=2e-6)
        assert_allclose(game.lagrangian(found, LAM), program.value / 6, atol=1e-9)
        assert_allclose(np.sum(found, axis=1), 1.0)
        assert np.min(found) >= epsilon / 5 * (1 - 1e-12)


@pytest.mark.parametrize("responses", [2, 3, 6])
def test_gap_of_a_floor_is_the_distance_of_a_vertex(responses):
    """min ‖e₀ − π‖₁ over π ≥ ε/K, as a linear program in (π, |difference|)."""
    k, epsilon = responses, 0.3
    eye, target = np.eye(k), np.eye(k)[0]
    rows = np.block([[eye, -eye], [-eye, -eye]])
    found = linprog(
        np.repeat([0.0, 1.0], k), rows, np.concatenate([target, -target]),
        np.repeat([1.0, 0.0], k)[None], [1.0], bounds=[(epsilon / k, None)] * k + [(0, None)] * k,
    )  # fmt: skip
    assert_allclose(Floor(epsilon).gap(k), found.fun, atol=1e-9)


def test_grid_is_all_of_its_points_and_its_best_is_the_nearest():
    grid, game = SimplexGrid(4), problem(2, prompts=4, responses=3)
    points = grid.points(3)
    wanted = {(a / 4, b / 4, (4 - a - b) / 4) for a in range(5) for b in range(5 - a)}
    assert {tuple(p) for p in points} == wanted and len(points) == len(wanted)
    best = grid.best(game, LAM)
    log_policy = game.log_policy(LAM)[0]
    for row, target in zip(best, log_policy, strict=True):
        kl = {p: sum(x * (np.log(x) - t) for x, t in zip(p, target, strict=True) if x) for p in wanted}
        assert tuple(row) == min(kl, key=kl.__getitem__)


@pytest.mark.parametrize("responses", [2, 3, 4])
def test_gap_of_a_grid_is_met_and_not_exceeded(responses):
    grid, rng = SimplexGrid(3), np.random.default_rng(0)
    points = grid.points(responses)

    def distance(policies):
        return np.min(np.sum(np.abs(policies[:, None] - points), axis=2), axis=1)

    assert np.max(distance(rng.dirichlet(np.ones(responses), size=3000))) <= grid.gap(responses) + 1e-12
    # the worst: some point of the grid's lower corner, and the same remainder for all
    up = responses // 2
    worst = np.full(responses, up / responses)
    worst[0] += 3 - up
    assert_allclose(distance(worst[None] / 3), grid.gap(responses))


def test_log_linear_with_exact_features_is_every_policy():
    game = problem(3, constraints=2)
    family = LogLinear(np.stack([game.reward, *game.g], axis=2))
    for lam in (np.zeros(2), np.array([0.4, 1.3])):
        assert_allclose(family.best(game, lam), game.policy(lam), atol=1e-12)
        assert_allclose(family.theta, np.array([1.0, *lam]) / game.beta, atol=1e-9)


def test_log_linear_is_a_maximum_among_many_starts():
    game, rng = problem(4), np.random.default_rng(0)
    features = rng.normal(size=(12, 5, 3)) + game.reward[..., None]
    found = game.lagrangian(LogLinear(features).best(game, LAM), LAM)

    def loss(theta):
        logits = np.log(game.base) + features @ theta
        policy = np.exp(logits - np.max(logits, axis=1, keepdims=True))
        return -game.lagrangian(policy / np.sum(policy, axis=1, keepdims=True), LAM)

    others = [-minimize(loss, rng.normal(size=3) * scale).fun for scale in (0.1, 1, 3) for _ in range(3)]
    assert found >= max(others) - 1e-9
    assert_allclose(found, max(others), atol=1e-6)


def test_network_learns_what_its_features_show_and_repeats_itself():
    game = problem(5, prompts=6, responses=4)
    features = np.stack([game.reward, game.g[0]], axis=2)

    def train():
        network = Network(features, (6,), rng=np.random.default_rng(1), steps=30, polish=300)
        return network, network.best(game, LAM)

    network, policy = train()
    assert game.excess(policy, LAM) < 1e-3 * (game.dual(LAM) - game.lagrangian(game.base, LAM))
    before = network.evaluations
    again = network.best(game, LAM)
    assert game.excess(again, LAM) <= game.excess(policy, LAM) + 1e-12  # goes on from where it was
    assert 30 < before < network.evaluations
    assert np.array_equal(train()[1], policy)


def test_union_takes_the_better_one():
    game = problem(6)
    exact, floor = game.policy(LAM), Floor(0.2)
    assert Union([floor, exact]).best(game, LAM) is exact
    other = game.policy(LAM + 5)
    assert_allclose(Union([other, floor]).best(game, LAM), floor.best(game, LAM))
    assert_allclose(Everything().best(game, LAM), exact)


MISUSE = [
    (DomainError, "epsilon must be a share between 0 and 1, got 1.5", lambda: Floor(1.5)),
    (DomainError, "denominator must be an integer ≥ 1, got 0", lambda: SimplexGrid(0)),
    (DomainError, "a grid of 4,598,126 points (denominator 100, 5 responses) is more",
     lambda: SimplexGrid(100).points(5)),
    (DataError, "a union of no families", lambda: Union([])),
    (ShapeError, "the union has one of (1, 2)", lambda: Union([np.ones((1, 2))]).best(problem(), LAM)),
    (ShapeError, "features must be (N, K, p), prompts", lambda: LogLinear(np.ones((2, 3)))),
    (DataError, "features must be finite numbers", lambda: LogLinear(np.full((1, 2, 1), np.nan))),
    (ShapeError, "features of (1, 2) prompts × responses; the problem has (12, 5)",
     lambda: LogLinear(np.ones((1, 2, 1))).best(problem(), LAM)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=[text for _, text, _ in MISUSE])
def test_misuse_is_named(kind, text, call):
    refused(kind, text, call)
