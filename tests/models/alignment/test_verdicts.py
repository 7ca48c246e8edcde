"""Verdicts and their proofs: linear programs, plain sums, cvxpy; and the cases that are nearly none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from adjoint.models import align
from adjoint.models.alignment import Constraint, Scores, Status
from adjoint.models.alignment import newton as module

from .samples import random_scores, reference_weights


def margin(scores: Scores, levels: dict[str, float]) -> float:
    """The largest t with E g ≥ b + t × range for some policy, as one linear program."""
    n, N = scores.n_responses, scores.n_prompts
    rows = np.array([np.append(-scores.utilities[name] / N, ranges(scores)[name]) for name in levels])
    whole = np.zeros((N, n + 1))
    for x in range(N):
        whole[x, scores.offsets[x] : scores.offsets[x + 1]] = 1.0
    found = linprog(
        np.append(np.zeros(n), -1.0), A_ub=rows, b_ub=-np.array(list(levels.values())), A_eq=whole,
        b_eq=np.ones(N), bounds=[(0, None)] * n + [(None, None)],
    )  # fmt: skip
    return -float(found.fun)


def best(scores: Scores, column: np.ndarray) -> float:
    """E max of a column."""
    return float(
        np.mean([np.max(column[a:b]) for a, b in zip(scores.offsets[:-1], scores.offsets[1:], strict=True)])
    )


def ranges(scores: Scores) -> dict[str, float]:
    """E max − E min of each utility."""
    return {name: best(scores, g) + best(scores, -g) for name, g in scores.utilities.items()}


@pytest.mark.parametrize("m", [1, 2, 3])
def test_feasibility_agrees_with_a_linear_program(m: int) -> None:
    rng, seen = np.random.default_rng(m), set()
    scores = random_scores(m, 20, "abc"[:m])
    for _ in range(8):
        levels = {name: float(rng.uniform(-0.1, 1.1)) for name in scores.utilities}
        t = margin(scores, levels)
        found = align(scores, beta=0.5, constraints=[Constraint(*b) for b in levels.items()])
        seen.add(found.status)
        assert found.status is (Status.SOLVED if t > 0 else Status.INFEASIBLE)
        if t > 0:
            continue
        farkas = found.infeasibility
        assert farkas is not None
        u = np.array(list(farkas.weights.values()))
        assert np.min(u) >= 0 and np.sum(u) == pytest.approx(1.0)
        mixed = sum(v * scores.utilities[name] for name, v in farkas.weights.items())
        # the proof needs nothing but sums: no policy gets more, and the constraints need more
        assert farkas.achievable == pytest.approx(best(scores, np.asarray(mixed)), abs=1e-12)
        assert farkas.required == pytest.approx(u @ np.array(list(levels.values())), abs=1e-12)
        assert farkas.achievable < farkas.required
        size = {name: ranges(scores)[name] for name in levels}
        unit = sum(v * size[name] for name, v in farkas.weights.items())
        assert farkas.achievable - farkas.required == pytest.approx(t * unit, rel=2e-6)
        for name, b in levels.items():
            assert farkas.best[name] == pytest.approx(best(scores, scores.utilities[name]), abs=1e-12)
            assert farkas.nearest[name] == pytest.approx(b + t * size[name], rel=1e-5)
        assert margin(scores, farkas.nearest) >= -1e-9
        assert farkas.samples == (np.min(scores.counts), np.max(scores.counts))
    assert seen == {Status.SOLVED, Status.INFEASIBLE}


def test_infeasible_within_a_budget() -> None:
    """Possible without a budget, impossible within it: cvxpy finds the same most, and the nearest levels."""
    cp = pytest.importorskip("cvxpy")
    scores, levels, budget = random_scores(4, 20, "ab", weighted=True), {"a": 0.5, "b": 0.4}, 0.1
    assert margin(scores, levels) > 0
    found = align(scores, kl_budget=budget, constraints=[Constraint(*b) for b in levels.items()])
    assert found.status is Status.INFEASIBLE and found.infeasibility is not None
    farkas = found.infeasibility
    parts = [cp.Variable(int(k), nonneg=True) for k in scores.counts]
    pi, t, N = cp.hstack(parts), cp.Variable(), scores.n_prompts
    kl = cp.sum(cp.kl_div(pi, np.concatenate(reference_weights(scores)))) / N
    known = [cp.sum(p) == 1 for p in parts] + [kl <= budget]

    def most(objective: object, *more: object) -> float:
        return float(cp.Problem(cp.Maximize(objective), [*known, *more]).solve(solver="CLARABEL"))

    size = ranges(scores)
    gaps = [scores.utilities[name] @ pi / N - b >= t * size[name] for name, b in levels.items()]
    shortfall = most(t, *gaps)
    assert shortfall < 0
    for name, b in levels.items():
        assert farkas.nearest[name] == pytest.approx(b + shortfall * size[name], abs=1e-6)
        assert farkas.best[name] == pytest.approx(most(scores.utilities[name] @ pi / N), abs=1e-6)
    mixed = sum(v * scores.utilities[name] for name, v in farkas.weights.items())
    assert most(mixed @ pi / N) == pytest.approx(farkas.achievable, abs=1e-6)
    assert "with KL ≤ 0.1 meets all constraints" in repr(found)


@pytest.mark.parametrize("sizes", [(1e-9, 1e-9), (1e9, 1e9), (1e6, 1e-5), (1e-5, 1e6)])
@pytest.mark.parametrize("form", [{"beta": 0.5}, {"kl_budget": 1.5}], ids=["beta", "budget"])
def test_units_change_no_verdict(form: dict[str, float], sizes: tuple[float, float]) -> None:
    """Two utilities that exclude each other beside a third of another size."""
    rng = np.random.default_rng(0)
    r, a, b, noise = rng.normal(size=(4, 40, 6))
    columns, levels = {"a": a, "b": b, "c": 0.3 * noise - b}, {"a": 0.1, "b": 0.8, "c": 0.8}
    units = dict(zip("abc", (sizes[0], sizes[1], sizes[1]), strict=True))
    one, other = (
        align(
            Scores.dense(r, {name: unit[name] * g for name, g in columns.items()}), **form,
            constraints=[Constraint(name, unit[name] * level) for name, level in levels.items()],
        ).infeasibility
        for unit in (dict.fromkeys("abc", 1.0), units)
    )  # fmt: skip
    assert one is not None and other is not None and one.achievable < one.required
    for name, unit in units.items():
        assert other.nearest[name] == pytest.approx(unit * one.nearest[name], rel=1e-6)


@pytest.mark.parametrize("budget", [1e-14, 1e4, 1e8])
def test_extreme_budgets_prove_what_they_should(budget: float) -> None:
    """Next to nothing allows the reference alone, very much no more than the best responses."""
    rng = np.random.default_rng(0)
    r, g = rng.normal(size=(2, 40, 6))
    level = float(np.mean(g)) + 1e-3 if budget < 1 else 0.4
    found = align(
        Scores.dense(r, {"a": g, "b": -g}), kl_budget=budget, constraints=[Constraint("a", level), "b>=-0.3"]
    )
    assert found.status is Status.INFEASIBLE and found.infeasibility is not None
    assert found.infeasibility.best["a"] == pytest.approx(
        np.mean(g) if budget < 1 else np.mean(np.max(g, axis=1)), abs=1e-6
    )


@pytest.mark.parametrize(
    "level, status", [(5, Status.INFEASIBLE), (0, Status.NO_SLATER), (-5, Status.SOLVED)]
)
def test_a_utility_that_is_zero(level: float, status: Status) -> None:
    r, g = grid()
    assert align(Scores.dense(r, {"a": 0 * g}), beta=1.0, constraints=Constraint("a", level)).status is status


def grid(seed: int = 0, N: int = 50, K: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, K)), rng.normal(size=(N, K))


def test_feasible_without_slater() -> None:
    r, g = grid()
    top = float(np.mean(np.max(g, axis=1)))
    opposed = Scores.dense(r, {"a": g, "b": -g})
    cases = [
        align(Scores.dense(r, {"a": g}), beta=0.5, constraints=Constraint("a", top)),
        align(opposed, beta=0.5, constraints=["a>=0.25", "b>=-0.25"]),  # E g = 0.25
        align(Scores.dense(r, {"a": np.full_like(g, 0.5)}), beta=0.5, constraints="a>=0.5"),
    ]
    for found in cases:
        assert found.status is Status.NO_SLATER and "Slater's condition fails" in repr(found)
        assert found.certificate.violation < 1e-8
    # just inside, λ is large and finite
    inside = align(Scores.dense(r, {"a": g}), beta=0.5, constraints=Constraint("a", top - 1e-4))
    assert inside.status is Status.SOLVED and inside.multipliers["a"] > 20
    apart = align(opposed, beta=0.5, constraints=["a>=0.25", "b>=-0.24"])
    assert apart.status is Status.INFEASIBLE and apart.infeasibility is not None
    assert apart.infeasibility.weights == pytest.approx({"a": 0.5, "b": 0.5})


def test_a_budget_that_does_not_bind() -> None:
    r, g = grid()
    found = align(Scores.dense(r, {"a": g}), kl_budget=2.0, constraints="a>=-9")
    assert found.status is Status.SLACK_BUDGET and found.kl <= np.log(6) + 1e-9
    assert "best responses at hand cost 1.792 nats of 2" in found.message
    assert found.reward == pytest.approx(np.mean(np.max(r, axis=1)), abs=1e-6)


def test_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS", 1)
    r, g = grid()
    found = align(Scores.dense(r, {"a": g}), beta=0.5, constraints="a>=0.9")
    assert (
        found.status is Status.STOPPED and "stopped after 1 steps at a projected gradient of" in found.message
    )
    assert "β within 1e8 of the reward's" in found.message
    # the gap is exact wherever the steps end
    primal = found.reward - found.beta * found.kl
    assert found.objective - primal == pytest.approx(found.certificate.gap, abs=1e-10)
    assert abs(found.certificate.gap) > 1e-4
    assert not found.success and found.certificate.projected_gradient > 1e-6


@pytest.mark.parametrize("beta", [1e-6, 1e-3, 1.0, 1e6])
def test_small_and_large_beta(beta: float) -> None:
    """From nearly a linear program to nearly least squares."""
    r, g = grid(N=200)
    found = align(
        Scores.dense(r, {"a": g, "b": -0.5 * g + r[::-1]}), beta=beta, constraints=["a>=0.4", "b>=0.1"]
    )
    assert found.status is Status.SOLVED
    assert found.certificate.violation < 1e-9 and abs(found.certificate.gap) < 1e-9 * max(1.0, beta)
    assert found.steps <= 10  # from the λ* of a larger β; from 0 they are 200 for the smallest
    if beta == 1e-6:  # λ of the linear program max E r s.t. E g ≥ b
        n, N = 1200, 200
        rows = [-column.ravel() / N for column in (g, -0.5 * g + r[::-1])]
        whole = np.kron(np.eye(N), np.ones(6))
        lp = linprog(
            -r.ravel() / N, A_ub=rows, b_ub=[-0.4, -0.1], A_eq=whole, b_eq=np.ones(N), bounds=(0, None)
        )
        assert n == len(lp.x)
        np.testing.assert_allclose(list(found.multipliers.values()), -lp.ineqlin.marginals, atol=0.02)
        assert found.objective == pytest.approx(-lp.fun, abs=1e-5)


def test_next_to_nothing() -> None:
    r, g = grid()
    free = align(Scores.dense(r, {"a": g}), beta=0.5)
    assert free.status is Status.SOLVED and free.multipliers == {} and free.response.shape == (0, 0)
    p = np.exp(r / 0.5) / np.sum(np.exp(r / 0.5), axis=1, keepdims=True)
    assert free.utilities["a"] == pytest.approx(np.mean(np.sum(p * g, axis=1)), abs=1e-12)
    bare = align(Scores.dense(r, {}), kl_budget=0.3)
    assert bare.status is Status.SOLVED and bare.kl == pytest.approx(0.3, abs=1e-9)
    slack = align(Scores.dense(r, {"a": g}), beta=0.5, constraints="a>=-9")
    assert slack.multipliers == {"a": 0.0} and slack.standard_errors == {"a": 0.0}
    assert slack.objective == pytest.approx(free.objective, abs=1e-12)
    single = align(Scores.dense(r[:, :1], {"a": g[:, :1]}), beta=0.5, constraints="a>=-9")
    assert single.status is Status.SOLVED and single.kl == 0.0
    assert single.diagnostic("single responses").value == 50


def test_a_column_twice() -> None:
    """Only λ_a + λ_b is unique, and it is that of one of them."""
    r, g = grid()
    once = align(Scores.dense(r, {"a": g}), beta=0.5, constraints="a>=0.6")
    twice = align(Scores.dense(r, {"a": g, "b": g}), beta=0.5, constraints=["a>=0.6", "b>=0.6"])
    assert twice.status is Status.SOLVED
    assert sum(twice.multipliers.values()) == pytest.approx(once.multipliers["a"], abs=1e-8)
    assert "the multipliers are not unique" in twice.diagnostic("condition of ∇²D").text


@pytest.mark.parametrize("sizes", [(1e6, 1e-5), (1e-6, 1e6)])
def test_scales_carry_through(sizes: tuple[float, float]) -> None:
    """λ has units of r per unit of g."""
    (r, g), (R, G) = grid(), sizes
    one = align(Scores.dense(r, {"a": g}), beta=0.5, constraints="a>=0.6")
    other = align(Scores.dense(R * r, {"a": G * g}), beta=0.5 * R, constraints=Constraint("a", 0.6 * G))
    assert other.multipliers["a"] * G / R == pytest.approx(one.multipliers["a"], rel=1e-8)
    assert other.kl == pytest.approx(one.kl, rel=1e-8)
