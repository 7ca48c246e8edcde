"""Duals of families: against primal programs over the same families, and their bounds on every run."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import linprog

from adjoint.errors import ConvergenceError, DomainError, ShapeError
from adjoint.models.alignment import (
    Bound,
    Everything,
    FiniteProblem,
    Floor,
    LogLinear,
    Network,
    SimplexGrid,
    SupportingLine,
    Union,
    constant_rate,
    decreasing_rate,
    dualize,
    image,
    lower_boundary,
    minimize_dual,
    polyak_rate,
    projected_gradient,
    upper_boundary,
)

from ..harness import refused
from .theory import problem


@pytest.mark.parametrize("m", [1, 2, 3])
def test_grid_against_the_primal_program_over_its_points(m):
    """max Σ w t s.t. Σ w u ≥ 0 over mixtures w of all points of E_p, for one prompt."""
    game = problem(m, prompts=1, responses=4, constraints=m, level=(0.1, 0.1, -0.3)[m - 1])
    grid = SimplexGrid(5)
    points = image(game, grid.points(4)[:, None, :])
    u, t = points[:, :-1], points[:, -1]
    primal = linprog(-t, -u.T, np.zeros(m), np.ones((1, len(t))), [1.0], bounds=(0, None), method="highs")
    found = minimize_dual(game, grid)
    assert_allclose(found.value, -primal.fun, atol=1e-10)
    assert_allclose(found.lam, -primal.ineqlin.marginals, atol=1e-8)
    assert np.all(found.mixture_slack >= -1e-10)
    assert_allclose(found.mixture_objective, found.value, atol=1e-10)
    assert len(found.parts) > 1 or not np.any(found.lam)
    single = t[np.all(u >= 0, axis=1)].max()  # the best single policy is worse: a duality gap
    assert single <= found.value + 1e-12 and (not np.any(found.lam) or single < found.value - 1e-6)
    assert found.value < game.dual(game.optimum) and found.certificate.hold


@pytest.mark.parametrize("m", [1, 2, 3])
def test_floor_against_the_primal_program(m):
    """Policies above a floor are a convex set: there is no duality gap of its own, and cvxpy knows λ_p*."""
    cp = pytest.importorskip("cvxpy")
    game, epsilon = problem(10 + m, constraints=m, level=0.15), 0.2
    pi, n = cp.Variable(game.base.shape), len(game.base)
    gain = cp.sum(cp.multiply(pi, game.reward)) - game.beta * cp.sum(cp.rel_entr(pi, game.base))
    limits = [cp.sum(cp.multiply(pi, g)) / n >= 0 for g in game.g]
    program = cp.Problem(cp.Maximize(gain / n), [cp.sum(pi, axis=1) == 1, pi >= epsilon / 5, *limits])
    program.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    found = minimize_dual(game, Floor(epsilon), tolerance=1e-10)
    assert_allclose(found.value, program.value, atol=1e-8)
    assert_allclose(found.lam, [float(c.dual_value) for c in limits], atol=2e-5)
    assert found.certificate.hold


def test_all_policies_have_no_gap():
    game = problem(0, constraints=2)
    found = minimize_dual(game, Everything(), tolerance=1e-10)
    assert_allclose(found.lam, game.optimum, atol=1e-5)
    assert_allclose(found.value, game.dual(game.optimum), atol=1e-12)


def test_slack_constraint_needs_no_multiplier():
    game = problem(0, level=-5.0)
    found = minimize_dual(game, Floor(0.1))
    assert found.lam.tolist() == [0.0] and found.alignments == 1 and found.certificate.hold


@pytest.mark.parametrize(
    "rule", [constant_rate(0.3), decreasing_rate(1.0), None], ids=["η", "η/√t", "default"]
)
@pytest.mark.parametrize("m", [1, 3])
def test_subgradient_steps_keep_their_bounds(rule, m):
    game = problem(20 + m, constraints=m, level=0.1)
    family = SimplexGrid(3)
    best = minimize_dual(game, family)
    run = dualize(game, family, steps=150, rule=rule)
    bound = run.bound(best.lam)
    assert np.all(np.minimum.accumulate(run.values) - best.value <= bound + 1e-12)
    # the average of the λ_t too
    average = game.lagrangian(family.best(game, run.average), run.average)
    assert average - best.value <= bound[-1] + 1e-12
    assert np.all(run.mixture_slack >= -run.mixture_bound - 1e-12)
    assert run.values.min() >= best.lower - 1e-10 and run.certificate.hold
    assert run.alignments == 150 and len(run.points) == 150
    # every u is a subgradient: D_p lies above its line
    lam = best.lam
    lines = np.array([p.value + float((lam - p.lam) @ p.slack) for p in run.points])
    assert np.all(lines <= best.value + 1e-12)


def test_polyak_steps_arrive():
    game = problem(30)
    family = Floor(0.1)
    best = minimize_dual(game, family)
    run = dualize(game, family, steps=300, rule=polyak_rate(best.value))
    assert run.values.min() - best.value < 1e-5
    assert np.all(np.diff(np.linalg.norm(run.path - best.lam, axis=1)) <= 1e-9)  # never farther away


def test_steps_are_reported_and_start_is_kept():
    seen = []
    run = dualize(problem(1), Floor(0.1), steps=3, start=[2.0], callback=lambda t, p: seen.append((t, p)))
    assert [t for t, _ in seen] == [0, 1, 2] and run.points[0].lam == 2.0
    assert seen[1][1] is run.points[1]
    text = repr(run)
    assert "3 alignments" in text and "slack of the mixture" in text


FAMILIES = {
    "everything": lambda game: Everything(),
    "floor": lambda game: Floor(0.15),
    "steep floor": lambda game: Floor(0.7),
    "grid": lambda game: SimplexGrid(3),
    "union": lambda game: Union([Floor(0.2), game.policy(game.optimum + 0.05)]),
    "log-linear": lambda game: LogLinear(
        np.stack([game.reward, *game.g], axis=2)
        + 0.3 * np.random.default_rng(0).normal(size=(*game.base.shape, 1 + len(game.g)))
    ),
    "network": lambda game: Network(
        np.random.default_rng(1).normal(size=(*game.base.shape, 3)) + game.reward[..., None],
        (4,), rng=np.random.default_rng(2), steps=40, polish=60,
    ),
}  # fmt: skip


SLOW = (
    "log-linear",
    "network",
)  # seconds each; with two constraints in the ordinary run, with one in the slow


@pytest.mark.parametrize(
    ("name", "m"),
    [
        pytest.param(name, m, marks=pytest.mark.slow if m == 1 and name in SLOW else ())
        for name in FAMILIES
        for m in (1, 2)
    ],
)
def test_certificates_hold_on_every_run(name, m):
    game = problem(49, prompts=5, responses=4, constraints=m, level=-0.1)
    family = FAMILIES[name](game)
    run = dualize(game, family, steps=12)
    assert run.certificate.hold, run.certificate
    stopped = dualize(game, FAMILIES[name](game), steps=1, start=np.full(m, 3.0))  # far from λ_p*
    assert stopped.certificate.hold, stopped.certificate
    if name != "network":
        found = minimize_dual(game, family, tolerance=1e-9)
        assert found.certificate.hold, found.certificate
        assert found.certificate.suboptimality < 1e-8
    assert run.certificate.gap.value >= -run.certificate.suboptimality - 1e-12


def test_certificates_can_fail():
    game = problem(50)
    found = minimize_dual(game, Floor(0.3))
    c = found.certificate
    assert c.hold and "DO NOT" not in repr(c)
    for bound in c.bounds:
        field = next(f.name for f in dataclasses.fields(c) if getattr(c, f.name) is bound)
        wrong = dataclasses.replace(c, **{field: bound._replace(value=bound.upper * 1.01 + 1e-6)})
        assert not wrong.hold and "DO NOT HOLD" in repr(wrong), field
    assert isinstance(c.gap, Bound) and c.curvature > 0


def test_network_answers_are_never_worse_than_before():
    game = problem(60, prompts=4, responses=3)

    class Forgetful:
        """Gives its best policy once, and the reference afterwards."""

        def __init__(self):
            self.asked = 0

        def best(self, problem, lam):
            self.asked += 1
            return problem.policy(lam) if self.asked == 1 else problem.base

    run = dualize(game, Forgetful(), steps=3, rule=constant_rate(1e-6))
    assert run.values[2] > game.lagrangian(game.base, run.points[2].lam) + 1e-3


# ------------------------------------------------------------------------------------ the picture
def test_boundaries_enclose_all_policies_and_are_reached():
    game, rng = problem(70, prompts=1, responses=4), np.random.default_rng(0)
    cloud = image(game, rng.dirichlet(np.full(4, 0.5), size=4000)[:, None, :])
    assert np.all(cloud[:, 1] >= lower_boundary(game, cloud[:, 0]) - 1e-12)
    star = game.optimum
    line = SupportingLine(game.dual(star), star)
    assert line.clearance(cloud) > -1e-12
    top = upper_boundary(game, np.linspace(-5, 5, 21))
    assert line.clearance(top) > -1e-12
    assert_allclose(line.clearance(image(game, [game.policy(star)])), 0.0, atol=1e-12)
    for lam, (u, t) in zip(np.linspace(-5, 5, 21), top, strict=True):
        assert_allclose(t + lam * u, game.dual([lam]))  # each touches its own line
    i, j = np.argmin(game.g[0, 0]), np.argmax(game.g[0, 0])
    ends = image(game, np.eye(4)[[i, j]][:, None, :])
    assert_allclose(lower_boundary(game, ends[:, 0]), ends[:, 1])
    assert np.isnan(lower_boundary(game, [99.0])[0])
    same = FiniteProblem(game.base, game.reward, {"g": np.ones((1, 4))}, "g >= 1", beta=game.beta)
    alone = image(same, np.eye(4)[:, None, :])[:, 1]  # all policies have one u: the worst response is lowest
    assert_allclose(lower_boundary(same, [0.0, 0.1]), [alone.min(), np.nan])


def demanding():
    return problem(86, prompts=3, level=0.4)


MISUSE = [
    (DomainError, "no mixture of the family's policies satisfies the constraints: at λ = [",
     lambda: minimize_dual(demanding(), Floor(0.95))),
    (DomainError, "no mixture of the family's policies satisfies the constraints: at λ = [",
     lambda: minimize_dual(problem(86, prompts=3, constraints=2, level=0.4), Floor(0.95))),
    (ConvergenceError, "minimize_dual stopped after 5 alignments",
     lambda: minimize_dual(demanding(), Floor(0.1), max_steps=5)),
    (DomainError, "dualize needs at least one step, got 0", lambda: dualize(problem(), Floor(0.1), steps=0)),
    (ShapeError, "start must be (1,), one λ per constraint; got shape (2,)",
     lambda: dualize(problem(), Floor(0.1), start=[0.0, 1.0])),
    (DomainError, "multipliers of constraints E g ≥ b are finite and ≥ 0",
     lambda: dualize(problem(), Floor(0.1), start=[-1.0])),
    (DomainError, "multipliers of constraints E g ≥ b are finite and ≥ 0, got start [nan]",
     lambda: dualize(problem(), Floor(0.1), start=[np.nan])),
    (DomainError, "multipliers of constraints E g ≥ b are finite and ≥ 0, got start [-1.]",
     lambda: projected_gradient(problem(), start=[-1.0])),
    (ShapeError, "start must be (1,), one λ per constraint; got shape (2,)",
     lambda: projected_gradient(problem(), start=[0.0, 1.0])),
    (DomainError, "a step's rate must be a number > 0, got -1", lambda: constant_rate(-1)),
    (DomainError, "a step's rate must be a number > 0, got nan", lambda: decreasing_rate(float("nan"))),
    (ShapeError, "for 1 prompt and 1 constraint, not 12 and 1", lambda: lower_boundary(problem(), [0.0])),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=range(len(MISUSE)))
def test_misuse_is_named(kind, text, call):
    refused(kind, text, call)
