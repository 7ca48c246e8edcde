"""check.certificate: other people's answers in the one sign convention; planted faults are named."""

from __future__ import annotations

import math
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from scipy.optimize import (
    Bounds,
    LinearConstraint,
    NonlinearConstraint,
    OptimizeResult,
    linprog,
    minimize,
)
from scipy.sparse import csr_array

import adjoint as ad
from adjoint import check
from adjoint.errors import DTypeError, ShapeError

from ..helpers import message, normal

CENTER = np.array([3.0, 2.0, 1.0])
CAPS = (  # x0 ≤ 2 binds with μ = 2, x1 = 1 with ν = 2, x1 ≤ 5 does not bind; of the bounds x2 ≤ ½ with μ = 1
    {"type": "ineq", "fun": lambda x: 2 - x[0], "name": "cap"},
    {"type": "eq", "fun": lambda x: x[1] - 1, "name": "level"},
    {"type": "ineq", "fun": lambda x: 5 - x[1], "name": "slack"},
)
BOUNDS = [(None, None), (None, None), (None, 0.5)]


def f(x: Any) -> Any:
    return np.sum((x - CENTER) ** 2)


def solve(
    method: str = "SLSQP", constraints: Any = CAPS, bounds: Any = BOUNDS, **options: Any
) -> OptimizeResult:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of trust-constr, on linear functions
        return minimize(
            f, np.zeros(3), constraints=constraints, bounds=bounds, method=method, options=options
        )


@pytest.mark.parametrize("method", ["SLSQP", "COBYQA", "trust-constr"])
def test_scipy_multipliers_in_our_signs(method: str) -> None:
    objects = method == "trust-constr"
    options = {"gtol": 1e-10, "xtol": 1e-12, "maxiter": 3000} if objects else {}
    constraints = _as_objects() if objects else CAPS
    result = solve(method, constraints, Bounds(ub=[np.inf, np.inf, 0.5], lb=-np.inf), **options)
    report = check.certificate(result, f, constraints=constraints, bounds=BOUNDS, tolerance=1e-4)
    assert report, repr(report)
    assert report.estimated == (method == "COBYQA")
    names = ("constraints[0].upper", "constraints[1]", "upper") if objects else ("cap", "level", "upper")
    for name, expected in zip(names, (2.0, 2.0, [0, 0, 1]), strict=True):
        np.testing.assert_allclose(report.multipliers[name], expected, atol=1e-3)


def _as_objects() -> list[Any]:
    return [LinearConstraint([[1, 0, 0]], -np.inf, 2), NonlinearConstraint(lambda x: x[1], 1, 1)]


def test_hock_schittkowski_71_has_the_known_multiplier() -> None:
    def objective(x: Any) -> Any:
        return x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]

    sphere = {"type": "eq", "fun": lambda x: np.sum(x**2) - 40, "name": "sphere"}
    volume = {"type": "ineq", "fun": lambda x: np.prod(x) - 25, "name": "volume"}
    result = minimize(
        objective,
        np.array([1.0, 5.0, 5.0, 1.0]),
        constraints=[volume, sphere],
        bounds=[(1, 5)] * 4,
        tol=1e-12,
    )
    report = check.certificate(result, objective, constraints=[volume, sphere], bounds=[(1, 5)] * 4)
    assert report
    np.testing.assert_allclose(report.multipliers["volume"], 0.552293660, rtol=1e-5)
    np.testing.assert_allclose(report.multipliers["sphere"], 0.161468564, rtol=1e-4)
    ours = ad.minimize(
        objective, np.array([1.0, 5.0, 5.0, 1.0]), eq={"sphere": sphere["fun"]},
        ineq={"volume": lambda x: 25 - np.prod(x)}, bounds=(1.0, 5.0),
    )  # fmt: skip
    for name in ("sphere", "volume", "lower"):
        np.testing.assert_allclose(report.multipliers[name], ours.multipliers[name], atol=1e-4)


def test_two_sided_constraints_and_functions_that_are_not_numpy() -> None:
    both = NonlinearConstraint(lambda x: [math.exp(x[0]), x[1]], [1.0, -1.0], [2.0, 1.0])
    result = solve("COBYQA", [both], None)
    report = check.certificate(result, f, constraints=both, tolerance=1e-4)
    assert report, repr(report)
    # 2 (x0 − 3) + μ eˣ⁰ = 0 at x0 = log 2
    np.testing.assert_allclose(report.multipliers["constraints[0].upper"], [3 - math.log(2), 2.0], atol=1e-3)
    assert any("its derivatives are differences" in note for note in report.notes)
    assert {"constraints[0].lower", "constraints[0].upper"} == set(report.multipliers)


OBJECTS = {
    "upper": [LinearConstraint(np.eye(3), -np.inf, [2, 1, 0.5])],
    "lower": [NonlinearConstraint(lambda x: -x, [-2, -1, -0.5], np.inf)],
    "some from both sides": [LinearConstraint(np.eye(3), [-1, -np.inf, 0], [2, 1, 0.5])],
    "mixed, then one more": [  # SciPy puts the inequality behind the last
        NonlinearConstraint(lambda x: x[1:], [1, -np.inf], [1, 0.5]),
        NonlinearConstraint(lambda x: x[0], -1, 2),
    ],
}


@pytest.mark.parametrize("constraints", OBJECTS.values(), ids=OBJECTS)
@pytest.mark.parametrize("method", ["SLSQP", "trust-constr"])
def test_multipliers_of_constraint_objects_stay_with_their_rows(method: str, constraints: Any) -> None:
    """x ≤ (2, 1, ½) binds with μ = (2, 2, 1), however it is stated."""
    options = {"gtol": 1e-9, "xtol": 1e-12, "maxiter": 3000} if method == "trust-constr" else {}
    result = solve(method, constraints, None, **options)
    report = check.certificate(result, f, constraints=constraints, tolerance=1e-3)
    assert report and not report.estimated, repr(report)
    binding = sorted(row.multiplier for row in report.rows if abs(row.multiplier) > 1e-2)
    np.testing.assert_allclose(binding, [1, 2, 2], atol=1e-2)
    values = [row.value for row in report.rows if abs(row.multiplier) > 1e-2]
    np.testing.assert_allclose(values, 0, atol=1e-3)


def test_what_is_not_finite_is_no_solution() -> None:
    x, cap = OptimizeResult(x=np.zeros(3)), CAPS[0]

    def log(x: Any) -> Any:
        with np.errstate(invalid="ignore"):
            return np.log(-1 - x[0] ** 2)

    assert check.certificate(x, log, constraints=cap).verdict.startswith("FAILED: not finite at x: f")
    for kind in ("eq", "ineq"):
        report = check.certificate(x, f, constraints=[cap, {"type": kind, "fun": log, "name": "depth"}])
        assert not report and report.verdict.startswith("FAILED: not finite at x: depth")
    nowhere = check.certificate(OptimizeResult(x=np.full(3, np.nan)), f, constraints=cap)
    assert nowhere.verdict.startswith("FAILED: not finite at x: x, f, ∇f, cap")
    pickle.loads(pickle.dumps(nowhere))


def test_wrong_signs_and_wrong_numbers_are_told_apart() -> None:
    result = solve()
    given = result.multipliers.copy()
    for factors, names in (([-1, -1, -1], "cap, level"), ([-1, 1, 1], "level"), ([1, -1, 1], "cap")):
        result.multipliers = given * factors
        report = check.certificate(result, f, constraints=CAPS, bounds=BOUNDS)
        assert not report
        assert (
            f"wrong sign: the conditions hold once the multiplier{'s' * (',' in names)} of {names} change"
            in (report.verdict)
        )
    result.multipliers = given * [1, 1.1, 1]
    verdict = check.certificate(result, f, constraints=CAPS, bounds=BOUNDS).verdict
    assert "with other multipliers than these: " in verdict and "cap 2" in verdict
    result.multipliers = np.add(given, [0, 0, 3])
    report = check.certificate(result, f, constraints=CAPS, bounds=BOUNDS)
    assert [x.what.split()[0] for x in report.failures] == ["stationarity", "slackness"]
    assert "at slack: μ = 3 on a constraint that does not bind, g = -4" in repr(report)


def test_a_forgotten_constraint_and_a_point_that_is_no_solution() -> None:
    report = check.certificate(solve(), f, constraints=CAPS[:2], bounds=None)
    assert not report and "no multipliers balance ∇f" in report.verdict and "most at x[2]" in report.verdict
    stopped = solve(maxiter=1)
    report = check.certificate(stopped, lambda x: f(x) + x[0] ** 4, constraints=CAPS, bounds=BOUNDS)
    assert not report and "the solver says: Iteration limit reached" in report.verdict


def test_infeasible_and_unbounded_are_explained() -> None:
    apart = [{"type": "ineq", "fun": lambda x: 2 - x[0]}, {"type": "ineq", "fun": lambda x: x[0] - 5}]
    report = check.certificate(solve(constraints=apart, bounds=None), f, constraints=apart)
    assert (
        "constraints[0] 0.5, constraints[1] 0.5" in report.verdict
        and "contradict each other" in report.verdict
    )
    one = [{"type": "ineq", "fun": lambda x: x[0] - 5}]
    early = check.certificate(
        OptimizeResult(x=np.zeros(3), fun=1.0, success=False, message="no"), f, constraints=one
    )
    assert "The violation can be reduced: the solver stopped early; the solver says: no" in early.verdict

    def cube(x: Any) -> Any:
        return x[0] ** 3

    with np.errstate(all="ignore"):
        report = check.certificate(minimize(cube, [-1.0]), cube)
    assert "unbounded: f = -" in report.verdict
    decay = OptimizeResult(x=np.array([300.0]), fun=0.0, success=True)
    assert "unbounded" not in check.certificate(decay, lambda x: np.exp(-x[0] / 10)).verdict


# ---------------------------------------------------------------------------------------- linprog
LP = {
    "c": [-1.0, -2.0],
    "A_ub": [[1, 1]],
    "b_ub": [4],
    "A_eq": [[1, -1]],
    "b_eq": [0],
    "bounds": [(0, None), (0, 1.5)],
}


def test_linprog_marginals() -> None:
    report = check.certificate(linprog(**LP), LP)
    assert report, repr(report)
    np.testing.assert_allclose(report.multipliers["upper"], [0, 3])
    np.testing.assert_allclose(report.multipliers["A_eq"], [1])
    # μ is −df*/db: by how much f* falls when the upper bound moves up
    moved = linprog(**{**LP, "bounds": [(0, None), (0, 1.6)]})
    np.testing.assert_allclose(moved.fun - linprog(**LP).fun, -3 * 0.1)


def test_linprog_takes_its_arguments_as_scipy_does() -> None:
    for given in ({"bounds": None}, {"A_ub": csr_array([[-1.0, -1.0]])}, {"bounds": (0, None)}):
        problem = {"c": [1.0, 2.0], "A_ub": [[-1, -1]], "b_ub": [-4], **given}
        report = check.certificate(linprog(**problem), problem)
        assert report, repr(report)
        np.testing.assert_allclose(report.multipliers["lower"], [0, 1])
    whole = {**problem, "integrality": [1, 1]}
    assert "has no multipliers" in message(DTypeError, check.certificate, linprog(**whole), whole)
    with pytest.raises(TypeError, match="linprog has no argument 'Aub'"):
        check.certificate(linprog(**problem), {**problem, "Aub": 1})


def test_linprog_without_solution() -> None:
    apart = {"c": [1.0, 0.0], "A_ub": [[1, 1], [-1, -1]], "b_ub": [1, -3]}
    report = check.certificate(linprog(**apart), apart)
    assert not report and "infeasible: added up" in report.verdict and "A_ub[0] × 0.5" in report.verdict
    free = {"c": [-1.0, 0.0], "A_ub": [[-1, 1]], "b_ub": [4]}
    assert (
        "unbounded: cᵀx falls by 1 with every step along (1, "
        in check.certificate(linprog(**free), free).verdict
    )


# ---------------------------------------------------------------------------------------- ours
def disk() -> ad.Problem:
    return ad.Problem(np.sum, ineq={"disk": lambda x: x @ x - 2}, bounds=(-5.0, None))


def test_our_solutions_as_reported_and_anew() -> None:
    solution = disk().solve(np.zeros(2))
    for report in (check.certificate(solution), check.certificate(solution, disk())):
        assert report, repr(report)
        np.testing.assert_allclose(report.multipliers["disk"], 0.5)
    assert "as the solver left them" in repr(check.certificate(solution))
    assert repr(pickle.loads(pickle.dumps(report))) == repr(report)
    other = ad.Problem(np.sum, ineq={"disk": lambda x: x @ x - 3})
    assert not check.certificate(solution, other)  # the check does not take the solution's word
    infeasible = ad.minimize(np.sum, np.zeros(2), ineq={"a": lambda x: x[0] + 1, "b": lambda x: 1 - x[0]})
    assert "infeasible: the smallest violation" in check.certificate(infeasible).verdict


def test_a_bare_point() -> None:
    assert check.certificate(np.array([-1.0, -1.0]), disk()).estimated
    assert not check.certificate(np.array([-1.0, -0.9]), disk())
    assert "not feasible, at disk: 3, should be at most 0" in (
        check.certificate(np.array([-2.0, -1.0]), disk()).verdict
    )
    level = ad.Problem(np.sum, eq={"level": lambda x: x[0] - 1})
    assert "at level: -3, should be 0" in check.certificate(np.array([-2.0, -1.0]), level).verdict


def test_misuse() -> None:
    for answer, problem, given in (
        (disk().solve(np.zeros(2)), disk(), {"constraints": CAPS}),
        (np.zeros(2), disk(), {"bounds": [(0, 1)] * 2}),
        (linprog(**LP), LP, {"bounds": [(0, 1)] * 2}),
    ):
        with pytest.raises(TypeError, match="is for results of minimize"):
            check.certificate(answer, problem, **given)
    with pytest.raises(ValueError, match="tolerance must be larger than 0"):
        check.certificate(solve(), f, tolerance=0.0)
    with pytest.raises(
        TypeError, match=r"minimize\(…, jac=True\): certificate\(result, lambda x: f\(x\)\[0\]"
    ):
        check.certificate(solve(), lambda x: (f(x), 2 * x))
    twice = [CAPS[0], {**CAPS[2], "name": "cap"}]
    assert "2 constraints are named 'cap'" in message(
        ShapeError, check.certificate, solve(), f, constraints=twice
    )
    assert "must be pairs (lower, upper)" in message(ShapeError, check.certificate, solve(), f, bounds=(0, 1))
    with pytest.raises(TypeError, match="certificate takes a Solution, a SciPy OptimizeResult or a cvxpy"):
        check.certificate([1.0])
    with pytest.raises(TypeError, match="a SciPy result holds no problem"):
        check.certificate(solve())
    with pytest.raises(TypeError, match="a result of linprog holds no problem"):
        check.certificate(linprog(**LP), f)
    assert "must have type 'eq' or 'ineq'" in message(
        ShapeError, check.certificate, solve(), f, constraints={"type": "le", "fun": f}
    )
    assert "bounds has 2 pairs, x has 3" in message(
        ShapeError, check.certificate, solve(), f, bounds=[(0, 1)] * 2
    )


# ---------------------------------------------------------------------------------------- cvxpy
def test_cvxpy() -> None:
    cp = pytest.importorskip("cvxpy")
    x = cp.Variable(3, name="x")
    constraints = [x[0] <= 2, x[1] == 1, x[2] <= 0.5, cp.norm(x) <= 10]
    problem = cp.Problem(cp.Minimize(cp.sum_squares(x - CENTER)), constraints)
    problem.solve()
    report = check.certificate(problem)
    assert report, repr(report)
    scipys = check.certificate(solve(), f, constraints=CAPS, bounds=BOUNDS)
    found = [report.multipliers[str(c)] for c in constraints[:2]]
    np.testing.assert_allclose(found, [scipys.multipliers[n] for n in ("cap", "level")], rtol=1e-6)
    negative = cp.Problem(cp.Maximize(-cp.sum_squares(x - CENTER)), constraints)
    negative.solve()
    assert check.certificate(negative)
    constraints[0].dual_variables[0].save_value(-constraints[0].dual_value)
    report = check.certificate(negative)
    assert not report and f"the multiplier of {constraints[0]} changes sign" in report.verdict


def test_cvxpy_cones_kinks_and_declared_signs() -> None:
    cp = pytest.importorskip("cvxpy")
    A, b = normal(20, 3), normal(20, 3) @ [1, 0, -2] + 0.1
    x = cp.Variable(3)
    lasso = cp.Problem(cp.Minimize(cp.sum_squares(A @ x - b) + 3 * cp.norm1(x)), [cp.sum(x) <= 0])
    lasso.solve()
    before = x.value.copy()
    assert check.certificate(lasso, tolerance=1e-4)
    assert np.array_equal(x.value, before)  # a diagnosis leaves everything as it was
    x.save_value(before + 0.01)
    assert not check.certificate(lasso, tolerance=1e-4)
    y, X = cp.Variable(2, nonneg=True, name="y"), cp.Variable((2, 2), symmetric=True)
    cones = [X >> 0, X[0, 1] == 1, cp.SOC(y[0], X[0]), cp.trace(X) <= 10]
    problem = cp.Problem(cp.Minimize(cp.trace(X) + y[0] + y[1] + cp.norm1(y - 1)), cones)
    problem.solve(solver="CLARABEL")
    assert check.certificate(problem, tolerance=1e-5)
    cones[0].dual_variables[0].save_value(-cones[0].dual_value)
    assert "outside of the dual cone" in repr(check.certificate(problem))


def test_cvxpy_without_solution() -> None:
    cp = pytest.importorskip("cvxpy")
    x = cp.Variable(2, name="x")
    apart = cp.Problem(cp.Minimize(cp.sum(x)), [x >= 1, x <= 0, x[0] == x[1]])
    apart.solve()
    verdict = check.certificate(apart).verdict
    assert (
        "constraints must give way by 2" in verdict
        and "x <= 0.0 0.5" in verdict
        and "x[0] == x[1]" not in verdict
    )
    assert x.value is None  # as the failed solve left it
    free = cp.Problem(cp.Minimize(cp.sum(x)), [x <= 0])
    free.solve()
    assert "unbounded: the objective reaches -141 within ‖x‖ ≤ 1e+02" in check.certificate(free).verdict
    assert "is not solved" in message(
        ShapeError, check.certificate, cp.Problem(cp.Minimize(cp.sum(x)), [x >= 0])
    )
    duals = [c.dual_value.copy() for c in free.constraints]
    check.certificate(free)
    np.testing.assert_array_equal([c.dual_value for c in free.constraints], duals)  # these too
    apart._status = "infeasible_or_unbounded"
    assert "FAILED: infeasible: constraints must give way by 2" in check.certificate(apart).verdict
    whole = cp.Variable(integer=True)
    assert "has no multipliers" in message(
        DTypeError, check.certificate, cp.Problem(cp.Minimize(whole), [whole >= 0])
    )


def test_cvxpy_constraints_of_one_text_and_declarations_without_a_dual() -> None:
    cp = pytest.importorskip("cvxpy")
    x = cp.Variable(3, name="x")
    twice = cp.Problem(cp.Minimize(cp.sum_squares(x - CENTER)), [x <= 1, x <= 1])
    twice.solve()
    report = check.certificate(twice)
    assert report and set(report.multipliers) == {"constraints[0]", "constraints[1]"}
    np.testing.assert_allclose(sum(report.multipliers.values()), [4, 2, 0], atol=1e-4)
    for declared in ({"bounds": [-1, 1]}, {"PSD": True}, {"diag": True}, {"complex": True}):
        y = cp.Variable((2, 2), name="y", **declared)
        problem = cp.Problem(cp.Minimize(cp.sum_squares(y - 2)))
        problem.solve()
        text = message(DTypeError, check.certificate, problem)
        assert (
            f"no variable declared {next(iter(declared))}, as y is" in text
            and "State it in the problem: " in text
        )
