"""The trust-region step against dense algebra, finite differences of its multipliers, and its own limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import nn
from adjoint.models import DataError
from adjoint.models.trpo import (
    Case,
    Categorical,
    DiagonalGaussian,
    Policy,
    PolicyStep,
    StepStatus,
    cpo_step,
    mlp_policy,
    random_mdp,
    tabular_policy,
    trpo_step,
)
from adjoint.models.trpo.batches import sweeps
from adjoint.models.trpo.quadratic import Proposal, propose
from adjoint.models.trpo.step import _improves
from adjoint.problems import Residuals
from adjoint.transforms.vectors import flatten

from ..harness import refused

TABLE = tabular_policy(3)
EXACT: dict[str, Any] = {"damping": 0.0, "cg_steps": 200, "cg_tolerance": 1e-14, "compiled": False}


def tabular(seed: int = 0, costs: bool = True) -> tuple[Any, np.ndarray, tuple[Any, ...]]:
    """A random process, logits (6, 3), and all its states and actions as a batch."""
    rng = np.random.default_rng(seed)
    mdp = random_mdp(rng, 6, 3, costs=costs)
    theta = rng.standard_normal((6, 3))
    return mdp, theta, mdp.batch(nn.softmax(theta))


def take(theta: np.ndarray, batch: tuple[Any, ...], **options: Any) -> PolicyStep:
    states, actions, advantages, _, weights = batch
    return trpo_step(TABLE, theta, states, actions, advantages, weights=weights, **{**EXACT, **options})


def take_safely(theta: np.ndarray, batch: tuple[Any, ...], excess: float, **options: Any) -> PolicyStep:
    states, actions, advantages, costs, weights = batch
    given = {**EXACT, **options}
    return cpo_step(TABLE, theta, states, actions, advantages, costs, excess, weights=weights, **given)


def divergence(theta: Any, old: Any, batch: tuple[Any, ...]) -> Any:
    states, *_, weights = batch
    return np.sum(weights * TABLE.distribution.divergence(old[states], theta[states]))


# ------------------------------------------------------------------------------------------ the Fisher matrix
@pytest.mark.parametrize("compiled", [False, True])
def test_fisher_products_are_those_of_the_hessian_of_the_kl(compiled: bool) -> None:
    _, theta, batch = tabular()
    states, *_, weights = batch
    dense = ad.hessian(divergence)(theta, theta, batch).reshape(18, 18)
    rng = np.random.default_rng(1)
    for v in rng.standard_normal((3, 6, 3)):
        product = sweeps(TABLE, "old-new", compiled).fisher(theta, theta[states], states, weights, v)
        np.testing.assert_allclose(np.ravel(product), dense @ v.ravel(), atol=1e-14)
    np.testing.assert_allclose(ad.grad(divergence)(theta, theta, batch), 0.0, atol=1e-16)


@pytest.mark.parametrize("kind", [Categorical(3), DiagonalGaussian(2)], ids=["categorical", "gaussian"])
def test_fisher_of_a_network_is_the_hvp_of_the_kl(kind: Any) -> None:
    rng = np.random.default_rng(2)
    policy, params = mlp_policy(rng, 4, kind, (8, 8), log_std=-0.3)
    seen, weights = rng.standard_normal((20, 4)), np.full(20, 0.05)
    outputs = policy.apply(params, seen)

    def mean_kl(params: Any) -> Any:
        return np.sum(weights * kind.divergence(outputs, policy.apply(params, seen)))

    theta, unflatten = flatten(params)
    v = rng.standard_normal(theta.shape)
    product = sweeps(policy, "old-new", False).fisher(params, outputs, seen, weights, unflatten(v))
    expected = ad.hvp(mean_kl, params, unflatten(v))
    # both are exact at these parameters, where the KL's own gradient vanishes
    np.testing.assert_allclose(flatten(product)[0], flatten(expected)[0], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("kind", [Categorical(4), DiagonalGaussian(3)], ids=["categorical", "gaussian"])
def test_distributions(kind: Any) -> None:
    """KL and entropy against means of log-probabilities over many draws; KL(p ‖ p) = 0."""
    rng = np.random.default_rng(3)

    def outputs() -> Any:
        if isinstance(kind, Categorical):
            return rng.standard_normal((1, 4))
        return rng.standard_normal((1, 3)), 0.3 * rng.standard_normal((1, 3))

    def spread(out: Any) -> Any:
        return ad.tree_map(lambda a: np.repeat(a, 200_000, axis=0), out)

    p, q = outputs(), outputs()
    drawn = kind.sample(spread(p), kind.noise(rng, (200_000,)))
    log_p, log_q = kind.log_prob(spread(p), drawn), kind.log_prob(spread(q), drawn)
    assert np.mean(log_p - log_q) == pytest.approx(kind.divergence(p, q)[0], abs=0.02)
    assert -np.mean(log_p) == pytest.approx(kind.entropy(p)[0], abs=0.02)
    assert abs(kind.divergence(p, p)[0]) < 1e-15
    assert np.all(kind.log_prob(p, kind.mode(p)) >= np.max(log_p) - 1e-12)


# ------------------------------------------------------------------------------------------ TRPO
def test_the_whole_radius_is_used_and_lambda_is_its_price() -> None:
    _, theta, batch = tabular()
    step = take(theta, batch, delta=1e-3)
    lam = step.multipliers["kl"]
    assert step.status is StepStatus.ACCEPTED and step.case is Case.TRUST
    assert step.predicted_kl == pytest.approx(1e-3, rel=1e-10)
    assert step.predicted_gain == pytest.approx(2 * 1e-3 * lam, rel=1e-10)
    assert step.residuals.worst < 1e-10
    h = 1e-6
    up, down = (take(theta, batch, delta=1e-3 + s * h).predicted_gain for s in (1, -1))
    assert lam == pytest.approx((up - down) / (2 * h), rel=1e-6)
    # against dense algebra
    _, _, advantages, _, weights = batch
    F = ad.hessian(divergence)(theta, theta, batch).reshape(18, 18)
    pi = nn.softmax(theta)
    A = (weights * advantages).reshape(6, 3)
    g = (A - pi * np.sum(A, axis=1, keepdims=True)).ravel()
    x = np.linalg.pinv(F, rcond=1e-10) @ g
    np.testing.assert_allclose(np.ravel(step.direction), x / np.sqrt(g @ x / 2e-3), rtol=1e-8, atol=1e-12)


def test_measured_kl_is_delta_to_higher_order() -> None:
    """|KL − δ| = O(δ^(3/2))."""
    _, theta, batch = tabular()
    off = []
    for delta in (1e-2, 1e-4, 1e-6):
        step = take(theta, batch, delta=delta)
        off.append(abs(float(divergence(theta + step.direction, theta, batch)) - delta))
    rates = np.diff(np.log(off)) / np.log(1e-2)
    assert np.all(np.abs(rates - 1.5) < 0.1), rates


def test_the_step_does_not_depend_on_the_parametrization() -> None:
    """θ = M φ for a random M: the policies after the steps agree, those of plain gradients do not."""
    _, theta, batch = tabular()
    states, actions, advantages, _, weights = batch
    M = np.random.default_rng(4).standard_normal((18, 18))
    other = Policy(lambda phi, s: np.reshape(M @ phi, (6, 3))[s], Categorical(3))
    phi = np.linalg.solve(M, theta.ravel())
    options = {**EXACT, "delta": 1e-4, "max_backtracks": 40}
    step = trpo_step(other, phi, states, actions, advantages, weights=weights, **options)
    reference = take(theta, batch, delta=1e-4)
    assert step.multipliers["kl"] == pytest.approx(reference.multipliers["kl"], rel=1e-5)
    moved = nn.softmax((M @ (phi + step.direction)).reshape(6, 3))
    np.testing.assert_allclose(moved, nn.softmax(theta + reference.direction), atol=1e-7)


def test_damping_shrinks_the_true_kl_by_what_it_says() -> None:
    _, theta, batch = tabular()
    step = take(theta, batch, damping=0.05, delta=0.01)
    expected = 0.01 - 0.5 * 0.05 * np.sum(step.direction**2)
    assert step.predicted_kl == pytest.approx(expected, rel=1e-9) and step.predicted_kl < 0.009
    F, x = ad.hessian(divergence)(theta, theta, batch).reshape(18, 18), np.ravel(step.direction)
    assert step.predicted_kl == pytest.approx(0.5 * x @ F @ x, rel=1e-9)


def test_scale_of_the_advantages_scales_lambda_alone() -> None:
    _, theta, batch = tabular()
    states, actions, advantages, _, weights = batch
    one = take(theta, batch)
    many = trpo_step(TABLE, theta, states, actions, 1e5 * advantages + 7.0, weights=weights, **EXACT)
    assert many.multipliers["kl"] == pytest.approx(1e5 * one.multipliers["kl"], rel=1e-9)
    np.testing.assert_allclose(many.x, one.x, rtol=1e-9)


def test_only_centered_advantages_do_not_count_what_all_have_in_common() -> None:
    """Of samples: their mean gradient of log π is not zero, as it is over all states and actions."""
    _, theta, batch = tabular()
    states, actions, advantages, *_ = batch

    def moved(shift: float, center: bool) -> np.ndarray:
        given = (TABLE, theta, states, actions, advantages + shift)
        step = trpo_step(*given, center=center, damping=0.1, compiled=False)
        return np.asarray(step.direction)

    np.testing.assert_allclose(moved(7.0, True), moved(0.0, True), rtol=1e-9, atol=1e-12)
    assert np.max(np.abs(moved(7.0, False) - moved(0.0, False))) > 1e-2


def test_compiled_and_eager_agree_and_both_directions_of_the_kl() -> None:
    rng = np.random.default_rng(5)
    policy, params = mlp_policy(rng, 3, DiagonalGaussian(2), (16,))
    seen = rng.standard_normal((50, 3))
    done = policy.distribution.sample(policy.apply(params, seen), policy.distribution.noise(rng, (50,)))
    advantages = rng.standard_normal(50)
    before = flatten(params)[0].copy()
    steps = {
        (kl, compiled): trpo_step(policy, params, seen, done, advantages, kl=kl, compiled=compiled)
        for kl in ("old-new", "new-old")
        for compiled in (True, False)
    }
    for kl in ("old-new", "new-old"):
        a, b = steps[kl, True], steps[kl, False]
        np.testing.assert_allclose(flatten(a.x)[0], flatten(b.x)[0], rtol=1e-9, atol=1e-13)
        assert a.kl == pytest.approx(b.kl, rel=1e-9) and 0 < a.kl <= 0.01
    one, other = steps["old-new", False], steps["new-old", False]
    assert one.multipliers == other.multipliers and one.kl != other.kl
    np.testing.assert_array_equal(flatten(params)[0], before)  # the given parameters are not touched


def test_a_failed_search_leaves_the_parameters_bit_for_bit() -> None:
    _, theta, batch = tabular()

    class Misled(Categorical):
        """Its KL is a thousand times what its curvature says."""

        def divergence(self, outputs: Any, others: Any) -> Any:
            moved = np.sum((outputs - others) ** 4, axis=-1)
            return super().divergence(outputs, others) + 1e9 * moved

    states, actions, advantages, _, weights = batch
    policy, bits = Policy(TABLE.apply, Misled(3)), theta.tobytes()
    step = trpo_step(policy, theta, states, actions, advantages, weights=weights, **EXACT)
    assert step.status is StepStatus.REJECTED and not step.success
    assert step.x is theta and theta.tobytes() == bits
    assert step.gain == step.kl == 0.0 and len(step.search) == 11 and step.multipliers["kl"] > 0
    assert "none of 11 lengths keeps the KL within 0.01" in step.message
    assert step.search[0].kl > 0.01 and not any(trial.accepted for trial in step.search)


def test_backtracking_takes_the_longest_length_that_holds() -> None:
    _, theta, batch = tabular()
    step = take(theta, batch, delta=1.0)
    lengths = [trial.length for trial in step.search]
    np.testing.assert_allclose(lengths, 0.8 ** np.arange(len(lengths)))
    assert [trial.accepted for trial in step.search] == [False] * (len(lengths) - 1) + [True]
    assert len(lengths) > 1 and step.kl <= 1.0 and step.gain > 0
    np.testing.assert_allclose(step.x, theta + lengths[-1] * step.direction)
    assert divergence(step.x, theta, batch) == pytest.approx(step.kl, rel=1e-12)


@pytest.mark.parametrize(
    ("case", "excess", "gain", "risen", "expected"),
    [
        (Case.TRUST, None, 1e-9, 0.0, True),
        (Case.TRUST, None, 0.0, 0.0, False),
        (Case.TRUST, None, np.nan, 0.0, False),
        (Case.TRUST, -1.0, 1.0, 0.9, True),  # within the limit
        (Case.TRUST, -1.0, 1.0, 1.1, False),
        (Case.BOTH, -1.0, 1.0, 1.2, True),  # above by .2, which costs 2 · 2 · .2
        (Case.BOTH, -1.0, 1.0, 1.3, False),
        (Case.BOTH, 1.0, 1.0, 0.2, True),
        (Case.BOTH, 1.0, 1.0, 0.3, False),
        (Case.BOTH, 1.0, -1.0, -0.2, True),  # nearer to the limit, whatever it costs
        (Case.RECOVERY, 1.0, -1.0, -0.1, True),
        (Case.RECOVERY, 1.0, 5.0, 0.1, False),
        (Case.RECOVERY, 1.0, -1.0, 0.0, False),  # neither a gain nor nearer to the limit
    ],
)
def test_what_counts_as_progress(
    case: Case, excess: float | None, gain: float, risen: float, expected: bool
) -> None:
    nothing = np.zeros(1)
    found = Proposal(nothing, 1.0, 2.0, case, 0.0, 0.0, 0.0, Residuals(0.0, 0.0, 0.0, 0.0))
    assert _improves(found, gain, risen, excess) is expected


def test_no_advantage_is_no_step() -> None:
    _, theta, batch = tabular()
    states, actions, *_ = batch
    step = trpo_step(TABLE, theta, states, actions, np.full(18, 3.0), **EXACT)
    assert step.status is StepStatus.STATIONARY and step.success and step.x is theta
    assert step.multipliers == {"kl": 0.0} and "the gradient of the objective is zero" in step.message


# ------------------------------------------------------------------------------------------ CPO
def cost_model(theta: np.ndarray, batch: tuple[Any, ...]) -> tuple[float, float]:
    """c at which both constraints begin to bind, and beyond which nothing is feasible, at δ = .01."""
    probe = take_safely(theta, batch, -1e3)
    states, actions, _, costs, weights = batch
    steepest = trpo_step(TABLE, theta, states, actions, -costs, weights=weights, **EXACT)
    return -probe.predicted_cost - 1e3, steepest.predicted_gain


@pytest.mark.parametrize("share", [-0.5, 0.1, 0.6, 0.9])
def test_cpo_multipliers_are_finite_differences_of_the_predicted_gain(share: float) -> None:
    _, theta, batch = tabular(1)
    least, most = cost_model(theta, batch)
    c = least + share * (most - least)
    step = take_safely(theta, batch, c)
    assert step.residuals.worst < 1e-9, step.residuals
    h = 1e-6 * (most - least)
    up, down = (take_safely(theta, batch, c + s * h).predicted_gain for s in (1, -1))
    assert step.multipliers["cost"] == pytest.approx(-(up - down) / (2 * h), rel=1e-6, abs=1e-9)
    up, down = (take_safely(theta, batch, c, delta=0.01 + s * 1e-7).predicted_gain for s in (1, -1))
    assert step.multipliers["kl"] == pytest.approx((up - down) / 2e-7, rel=1e-6)
    binding = share > 0
    assert step.case is (Case.BOTH if binding else Case.TRUST)
    assert (step.multipliers["cost"] > 0) is binding  # complementary slackness
    assert (abs(step.predicted_cost) < 1e-12) is binding


def test_cpo_against_a_convex_solver() -> None:
    cp = pytest.importorskip("cvxpy")
    _, theta, batch = tabular(2)
    _, _, advantages, costs, weights = batch
    least, most = cost_model(theta, batch)
    c = 0.5 * (least + most)
    step = take_safely(theta, batch, c)
    pi = nn.softmax(theta)

    def gradient(values: np.ndarray) -> np.ndarray:
        A = (weights * (values - weights @ values)).reshape(6, 3)
        return (A - pi * np.sum(A, axis=1, keepdims=True)).ravel()

    F = ad.hessian(divergence)(theta, theta, batch).reshape(18, 18)
    values, vectors = np.linalg.eigh(F)
    root = np.sqrt(np.maximum(values, 0))[:, None] * vectors.T
    x = cp.Variable(18)
    within = 0.5 * cp.sum_squares(root @ x) <= 0.01
    safe = c + gradient(costs) @ x <= 0
    problem = cp.Problem(cp.Minimize(-gradient(advantages) @ x), [within, safe])
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
    assert step.multipliers["kl"] == pytest.approx(np.ravel(within.dual_value)[0], rel=1e-5)
    assert step.multipliers["cost"] == pytest.approx(np.ravel(safe.dual_value)[0], rel=1e-5)
    assert step.fun == pytest.approx(problem.value, rel=1e-7)


def test_recovery_is_labeled_and_reduces_the_cost() -> None:
    _, theta, batch = tabular(1)
    _, most = cost_model(theta, batch)
    step = take_safely(theta, batch, 2 * most)
    assert step.case is Case.RECOVERY and step.status is StepStatus.RECOVERED and not step.success
    assert step.multipliers == {"kl": 0.0, "cost": 0.0} and "is not a KKT point" in step.message
    assert step.cost < 2 * most and step.predicted_cost == pytest.approx(most, rel=1e-9)
    assert step.kl <= 0.01


def test_a_limit_that_only_the_edge_of_the_trust_region_meets() -> None:
    """c²/s = 2δ exactly: the one step left has no multipliers."""
    same = np.eye(2).__matmul__
    found = propose(np.array([0.0, 1.0]), 0.5, same, same, cost=(1.0, np.array([1.0, 0.0])))
    assert found.case is Case.RECOVERY and found.cost == 0.0 and found.size == 0.5
    np.testing.assert_array_equal(found.x, [-1.0, 0.0])


def test_no_limit_is_trpo() -> None:
    _, theta, batch = tabular(1)
    step = take_safely(theta, batch, -np.inf)
    assert step.case is Case.TRUST and step.multipliers["cost"] == 0.0
    np.testing.assert_array_equal(step.x, take(theta, batch).x)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_parallel_gradients(sign: float) -> None:
    """With the cost equal to the return (or its opposite), one number decides."""
    _, theta, batch = tabular(1)
    states, actions, advantages, _, weights = batch
    parallel = (states, actions, advantages, sign * advantages, weights)
    c = -1e-3 if sign > 0 else 1e-3
    step = take_safely(theta, parallel, c)
    if sign > 0:  # what is gained is cost: up to the limit, at the price of one
        assert step.case is Case.COST and step.multipliers["kl"] == 0.0
        assert step.multipliers["cost"] == pytest.approx(1.0, rel=1e-6)
        assert step.predicted_gain == pytest.approx(1e-3, rel=1e-6) and abs(step.predicted_cost) < 1e-12
    else:  # the best step reduces the cost by itself
        assert step.case is Case.TRUST and step.multipliers["cost"] == 0.0


def test_a_cost_without_gradient() -> None:
    _, theta, batch = tabular(1)
    states, actions, advantages, costs, weights = batch
    flat = (states, actions, advantages, np.zeros_like(costs), weights)
    above, below = take_safely(theta, flat, 0.1), take_safely(theta, flat, -0.1)
    assert above.case is Case.STUCK and above.x is theta and not above.success
    assert "its gradient is zero" in above.message
    assert below.case is Case.TRUST
    np.testing.assert_allclose(below.x, take(theta, batch).x)


def test_nothing_to_gain_and_a_limit_to_meet() -> None:
    _, theta, batch = tabular(1)
    states, actions, _, costs, weights = batch
    idle = (states, actions, np.ones(18), costs, weights)
    step = take_safely(theta, idle, 1e-3)
    assert step.case is Case.COST and step.multipliers == {"kl": 0.0, "cost": 0.0}
    assert abs(step.predicted_cost) < 1e-12 and step.status is StepStatus.ACCEPTED
    assert take_safely(theta, idle, -1e-3).case is Case.FREE


# ------------------------------------------------------------------------------------------ errors
def test_a_singular_fisher_matrix_without_damping_is_named() -> None:
    sure = np.array([[0.0, 1000.0]])  # the probability of action 0 is 0 in double precision
    table = tabular_policy(2)
    given = (table, sure, [0, 0], [0, 1], [1.0, -1.0])
    with pytest.raises(ad.DomainError, match="the Fisher matrix is singular along the gradient") as caught:
        trpo_step(*given, damping=0.0, compiled=False)
    assert "Pass damping=1e-3 or more" in str(caught.value)
    assert trpo_step(*given, damping=1e-3, compiled=False).multipliers["kl"] > 0


_, THETA, BATCH = tabular()
S, A = BATCH[0], BATCH[1]
R = BATCH[2]
MISUSE = [
    (DataError, "delta should be a finite number > 0, got 0", lambda: take(THETA, BATCH, delta=0)),
    (DataError, "delta should be a finite number > 0, got -0.1", lambda: take(THETA, BATCH, delta=-0.1)),
    (DataError, "damping should be a finite number ≥ 0", lambda: take(THETA, BATCH, damping=-1.0)),
    (DataError, "delta should be a finite number > 0, got inf", lambda: take(THETA, BATCH, delta=np.inf)),
    (DataError, "damping should be a finite number ≥ 0", lambda: take(THETA, BATCH, damping=np.inf)),
    (DataError, "cg_steps should be a whole number ≥ 1, got 2.5", lambda: take(THETA, BATCH, cg_steps=2.5)),
    (DataError, "cg_steps should be a whole number ≥ 1, got 0", lambda: take(THETA, BATCH, cg_steps=0)),
    (DataError, "max_backtracks should be a whole number ≥ 0",
     lambda: take(THETA, BATCH, max_backtracks=np.inf)),
    (DataError, "backtrack should be a number > 0", lambda: take(THETA, BATCH, backtrack=0)),
    (DataError, "backtrack should be a number > 0 and < 1, got 1", lambda: take(THETA, BATCH, backtrack=1)),
    (DataError, "kl should be 'old-new' or 'new-old', got 'both'", lambda: take(THETA, BATCH, kl="both")),
    (DataError, "advantages contains NaN", lambda: trpo_step(TABLE, THETA, S, A, np.where(A, R, np.nan))),
    (ad.ShapeError, "advantages should be (18,)", lambda: trpo_step(TABLE, THETA, S, A, R[:-1])),
    (ad.ShapeError, "equally many rows, got (17,) and (18,)", lambda: trpo_step(TABLE, THETA, S[1:], A, R)),
    (ad.ShapeError, "weights should be (18,)", lambda: trpo_step(TABLE, THETA, S, A, R, weights=[1.0])),
    (DataError, "weights should be ≥ 0", lambda: trpo_step(TABLE, THETA, S, A, R, weights=-BATCH[4])),
    (DataError, "excess should be a number", lambda: take_safely(THETA, BATCH, np.nan)),
    (DataError, "excess should be a number ≥ -inf and < inf", lambda: take_safely(THETA, BATCH, np.inf)),
    (ad.DomainError, "action 0 has log-probability nan", lambda: take(np.full((6, 3), np.nan), BATCH)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=[text for _, text, _ in MISUSE])
def test_misuse_is_named(kind: Any, text: str, call: Any) -> None:
    refused(kind, text, call)


def test_text_of_a_step() -> None:
    _, theta, batch = tabular(1)
    least, most = cost_model(theta, batch)
    text = repr(take_safely(theta, batch, 0.5 * (least + most)))
    for part in (
        "PolicyStep: accepted at",
        "the trust region and the cost limit bind",
        "predicted",
        "KL 0.0",
    ):
        assert part in text, text
