"""λ*, β and π* against an independent convex solver, and against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import root

from adjoint.models import align
from adjoint.models.alignment import Alignment, Constraint, Scores, Status

from .samples import average, divergence, policies, random_scores, reference_weights


def by_cvxpy(scores: Scores, levels: dict[str, float], beta: float | None, budget: float | None) -> Any:
    """λ and β as cvxpy's multipliers: max E r − β KL s.t. E g ≥ b, or max E r s.t. KL ≤ κ too."""
    cp = pytest.importorskip("cvxpy")
    parts = [cp.Variable(int(k), nonneg=True) for k in scores.counts]
    N = scores.n_prompts
    pi, w = cp.hstack(parts), np.concatenate(reference_weights(scores))
    kl = cp.sum(cp.kl_div(pi, w)) / N
    limits = {name: scores.utilities[name] @ pi / N >= b for name, b in levels.items()}
    whole = [cp.sum(p) == 1 for p in parts]
    gain = scores.reward @ pi / N - (0 if beta is None else beta * kl)
    within = [] if budget is None else [kl <= budget]
    problem = cp.Problem(cp.Maximize(gain), [*limits.values(), *within, *whole])
    problem.solve(solver="CLARABEL")
    lam = {name: float(limit.dual_value) for name, limit in limits.items()}
    return lam, beta if beta is not None else float(within[0].dual_value)


def polished(
    scores: Scores, levels: dict[str, float], lam: dict[str, float], beta: float, budget: float | None
) -> tuple[dict[str, float], float]:
    """The equations of the constraints that bind in cvxpy's answer, solved to rounding."""
    names = [name for name, v in lam.items() if v > 1e-5]

    def equations(x: np.ndarray) -> np.ndarray:
        own = dict(zip(names, x, strict=False))
        shares = policies(scores, own, beta if budget is None else x[-1])
        gaps = [average(scores, scores.utilities[name], shares) - levels[name] for name in names]
        return np.array(gaps + ([] if budget is None else [divergence(scores, shares) - budget]))

    x = np.array([lam[name] for name in names] + ([] if budget is None else [beta]))
    if x.size:
        found = root(equations, x, tol=1e-13)
        assert np.max(np.abs(found.x - x)) < 1e-4  # cvxpy was there already
        x = found.x
    exact = dict.fromkeys(lam, 0.0) | dict(zip(names, x, strict=False))
    return exact, beta if budget is None else x[-1]


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_cvxpy(m: int, seed: int) -> None:
    names = "abc"[:m]
    scores = random_scores(10 * m + seed, 30, names, weighted=seed % 2 == 1, least=4)
    rng = np.random.default_rng(seed)
    levels = {name: float(rng.uniform(-0.3, 0.3)) for name in names}
    # the budget is above what the constraints alone cost, and below best of K
    for beta, budget in ((float(rng.uniform(0.2, 2)), None), (None, 0.6)):
        found = align(
            scores, beta=beta, kl_budget=budget, constraints=[Constraint(*b) for b in levels.items()]
        )
        assert found.status is Status.SOLVED
        lam, own_beta = polished(scores, levels, *by_cvxpy(scores, levels, beta, budget), budget)
        assert found.beta == pytest.approx(own_beta, abs=1e-8)
        for name in names:
            assert found.multipliers[name] == pytest.approx(lam[name], abs=1e-8)
        expected = np.concatenate(policies(scores, lam, own_beta))
        np.testing.assert_allclose(found.weights(), expected, atol=1e-8)
        check_averages(scores, found)


def check_averages(scores: Scores, found: Alignment) -> None:
    shares = policies(scores, found.multipliers, found.beta)
    reference = reference_weights(scores)
    assert found.reward == pytest.approx(average(scores, scores.reward, shares), abs=1e-10)
    assert found.reference_reward == pytest.approx(average(scores, scores.reward, reference), abs=1e-10)
    assert found.kl == pytest.approx(divergence(scores, shares), abs=1e-10)
    for name, g in scores.utilities.items():
        assert found.utilities[name] == pytest.approx(average(scores, g, shares), abs=1e-10)
        assert found.reference_utilities[name] == pytest.approx(average(scores, g, reference), abs=1e-10)
    kept = 0.0 if found.kl_budget is not None else found.beta * found.kl
    primal = found.reward - kept
    assert found.objective - primal == pytest.approx(found.certificate.gap, abs=1e-10)
    assert found.residuals.worst < 1e-9


def test_sensitivities_are_differences() -> None:
    """dP*/db = −λ, dλ/db, dP*/dβ = −KL; dP*/dκ = β, with the error of a central difference falling as h²."""
    scores = random_scores(5, 200, "ab", weighted=True)

    def at(b: float = 0.3, beta: float | None = 0.5, budget: float | None = None) -> Alignment:
        return align(scores, beta=beta, kl_budget=budget, constraints=[Constraint("a", b), "b>=0.2 relative"])

    base = at()
    errors = []
    for h in (4e-3, 2e-3):
        up, down = at(b=0.3 + h), at(b=0.3 - h)
        price = (up.objective - down.objective) / (2 * h)
        errors.append(abs(price - base.value_response["a"]))
        slopes = [(up.multipliers[k] - down.multipliers[k]) / (2 * h) for k in "ab"]
        np.testing.assert_allclose(slopes, base.level_response[:, 0], rtol=2e-4)
        up, down = at(beta=0.5 + h), at(beta=0.5 - h)
        assert (up.objective - down.objective) / (2 * h) == pytest.approx(-base.kl, rel=2e-4)
    assert errors[0] < 1e-4 and 3.5 < errors[0] / errors[1] < 4.5
    budgeted, h = at(beta=None, budget=0.7), 1e-3
    up, down = at(beta=None, budget=0.7 + h), at(beta=None, budget=0.7 - h)
    assert (up.objective - down.objective) / (2 * h) == pytest.approx(budgeted.beta, rel=1e-5)
    assert budgeted.value_response["kl_budget"] == budgeted.beta
    change = [(up.multipliers[k] - down.multipliers[k]) / (2 * h) for k in "ab"]
    change.append((up.beta - down.beta) / (2 * h))
    np.testing.assert_allclose(-budgeted.response[:, 2], change, rtol=1e-4)


def test_relative_levels_count_from_the_reference() -> None:
    scores = random_scores(6, 50, "a", weighted=True)
    relative = align(scores, beta=0.4, constraints="a>=0.3 relative")
    level = 0.3 + relative.reference_utilities["a"]
    absolute = align(scores, beta=0.4, constraints=Constraint("a", level))
    assert relative.levels["a"] == pytest.approx(level, abs=1e-12)
    assert relative.multipliers["a"] == pytest.approx(absolute.multipliers["a"], abs=1e-9)


def test_a_shift_per_prompt_changes_nothing_but_levels() -> None:
    """Bradley–Terry scores are known up to a number per prompt: the tilt and relative levels do not mind."""
    scores = random_scores(7, 50, "a")
    shift = np.repeat(np.random.default_rng(0).normal(size=50), scores.counts)
    moved = Scores(scores.offsets, scores.reward + shift, {"a": scores.utilities["a"] + 2 * shift})
    found = [align(s, beta=0.4, constraints="a>=0.3 relative").multipliers["a"] for s in (scores, moved)]
    assert found[0] == pytest.approx(found[1], abs=1e-9)


def test_many_constraints() -> None:
    """20 of them, and the KKT conditions by plain sums."""
    names = "abcdefghijklmnopqrst"
    scores = random_scores(8, 400, names, most=24, least=16)
    found = align(scores, beta=0.3, constraints=[f"{name}>=0.2" for name in names])
    assert found.status is Status.SOLVED
    shares = policies(scores, found.multipliers, found.beta)
    for name in names:
        gap = average(scores, scores.utilities[name], shares) - 0.2
        assert gap >= -1e-9 and abs(gap * found.multipliers[name]) < 1e-9
