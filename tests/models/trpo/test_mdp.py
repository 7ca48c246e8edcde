"""Exact decision processes against sums over time, and CPO's price against the linear program's."""

from __future__ import annotations

import numpy as np
import pytest

from adjoint import nn
from adjoint.errors import DomainError, ShapeError
from adjoint.models import DataError
from adjoint.models.trpo import MDP, Case, cpo_step, hazard_grid, random_mdp, tabular_policy, trpo_step

from ..harness import refused

rng = np.random.default_rng(0)


def test_evaluation_is_the_sum_over_time() -> None:
    mdp = random_mdp(rng, 5, 3, costs=True)
    pi = rng.dirichlet(np.ones(3), 5)
    found = mdp.evaluate(pi)
    moves, p, value, cost, occupancy = np.einsum("sa,sat->st", pi, mdp.transitions), mdp.start, 0.0, 0.0, 0.0
    for t in range(400):
        value += mdp.gamma**t * p @ np.sum(pi * mdp.rewards, axis=1)
        cost += mdp.gamma**t * p @ np.sum(pi * mdp.costs, axis=1)
        occupancy = occupancy + (1 - mdp.gamma) * mdp.gamma**t * p[:, None] * pi
        p = p @ moves
    assert found.value == pytest.approx(value, rel=1e-12) and found.cost == pytest.approx(cost, rel=1e-12)
    np.testing.assert_allclose(found.occupancy, occupancy, atol=1e-14)
    np.testing.assert_allclose(np.sum(pi * found.advantages, axis=1), 0.0, atol=1e-13)


def test_performance_difference() -> None:
    """J(π') − J(π) = Σ d'(s) π'(a|s) A(s, a) / (1 − γ): advantages and occupancies fit each other."""
    mdp = random_mdp(rng, 5, 3)
    one, other = rng.dirichlet(np.ones(3), (2, 5))
    a, b = mdp.evaluate(one), mdp.evaluate(other)
    assert b.value - a.value == pytest.approx(np.sum(b.occupancy * a.advantages) / (1 - mdp.gamma), rel=1e-12)


def test_optimum_and_its_price() -> None:
    mdp = hazard_grid()
    free = mdp.optimum()
    values = np.zeros(25)
    for _ in range(2000):  # value iteration
        values = np.max(mdp.rewards + mdp.gamma * mdp.transitions @ values, axis=1)
    assert free.value == pytest.approx(mdp.start @ values, rel=1e-9) and free.price == 0.0
    limit = 0.5 * free.cost
    best = mdp.optimum(limit)
    assert best.cost == pytest.approx(limit) and mdp.evaluate(best.policy).value == pytest.approx(best.value)
    up, down = (mdp.optimum(limit + h).value for h in (1e-3, -1e-3))
    assert best.price == pytest.approx((up - down) / 2e-3, rel=1e-6) and best.price > 1
    with pytest.raises(DomainError, match=r"no policy costs at most 0\.01; the least is"):
        mdp.optimum(0.01)


def test_trpo_reaches_the_optimum() -> None:
    mdp, policy = random_mdp(rng, 6, 3), tabular_policy(3)
    theta, values = np.zeros((6, 3)), []
    for _ in range(120):
        states, actions, advantages, _, weights = mdp.batch(nn.softmax(theta))
        options = {"damping": 1e-6, "delta": 0.05, "compiled": False, "cg_steps": 40}
        theta = trpo_step(policy, theta, states, actions, advantages, weights=weights, **options).x
        values.append(mdp.evaluate(nn.softmax(theta)).value)
    assert values[-1] == pytest.approx(mdp.optimum().value, rel=1e-4)
    assert np.min(np.diff(values)) > -1e-9  # exact gradients: every step improves


@pytest.mark.parametrize("share", [0.055, 0.5, 0.97])
def test_cpo_finds_the_price_of_the_hazards(share: float) -> None:
    """The multiplier of CPO's cost limit at the policy it converges to is the linear program's."""
    mdp, policy = hazard_grid(), tabular_policy(4)
    limit = share * mdp.optimum().cost
    best, theta, cases = mdp.optimum(limit), np.zeros((25, 4)), []
    for _ in range(200):
        pi = nn.softmax(theta)
        states, actions, advantages, costs, weights = mdp.batch(pi)
        excess = mdp.evaluate(pi).cost - limit
        step = cpo_step(
            policy, theta, states, actions, advantages, costs, excess, weights=weights, damping=0.0,
            cg_steps=100, cg_tolerance=1e-12, max_backtracks=30,
        )  # fmt: skip
        theta = step.x
        cases.append(step.case)
    found = mdp.evaluate(nn.softmax(theta))
    assert cases[0] is Case.RECOVERY
    assert found.cost <= limit * (1 + 1e-6) and found.value == pytest.approx(best.value, rel=1e-6)
    assert step.multipliers["cost"] == pytest.approx(best.price, rel=1e-4)


MISUSE = [
    (ShapeError, "transitions (S, A, S), start (S,) and costs (S, A); got (2, 1), (2, 1, 3), (2,), (2, 1)",
     lambda: MDP(np.ones((2, 1, 3)), np.ones((2, 1)), np.ones(2), 0.5)),
    (ShapeError, "rewards should be (S, A)", lambda: MDP(np.ones((2, 1, 2)), np.ones(2), np.ones(2), 0.5)),
    (DataError, "gamma should be a number ≥ 0 and < 1, got 1.0", lambda: random_mdp(rng, 2, 2, gamma=1.0)),
    (DataError, "start should be probabilities",
     lambda: MDP(np.full((2, 1, 2), 0.5), np.ones((2, 1)), np.ones(2), 0.5)),
    (DataError, "rewards contains NaN",
     lambda: MDP(np.full((2, 1, 2), 0.5), np.full((2, 1), np.nan), np.full(2, 0.5), 0.5)),
    (DataError, "size should be a whole number ≥ 3", lambda: hazard_grid(2)),
    (DataError, "size should be odd", lambda: hazard_grid(4)),
    (DataError, "slip should be a number ≥ 0 and < 1, got 1.0", lambda: hazard_grid(slip=1.0)),
    (ShapeError, "the policy should be π(a|s) (9, 4), got (9, 3)",
     lambda: hazard_grid(3).evaluate(np.full((9, 3), 1 / 3))),
    (DataError, "the policy's rows should be probabilities",
     lambda: hazard_grid(3).evaluate(np.ones((9, 4)))),
    (DataError, "limit should be a number", lambda: hazard_grid(3).optimum(np.nan)),
    (DataError, "limit should be a number > -inf", lambda: hazard_grid(3).optimum(-np.inf)),
    (DomainError, "no policy costs at most -1; the least is 0", lambda: random_mdp(rng, 2, 2).optimum(-1.0)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=[text for _, text, _ in MISUSE])
def test_misuse_is_named(kind, text, call) -> None:
    refused(kind, text, call)
