"""Infeasible, unbounded, degenerate, saddle: each said in words, with a certificate that is checked here."""

from __future__ import annotations

import numpy as np
import pytest

import adjoint as ad
from adjoint.problems import Doubt, Status


def finite(solution: ad.Solution) -> bool:
    arrays = [solution.x, solution.fun, solution.residuals.worst, *solution.multipliers.values()]
    return all(np.all(np.isfinite(a)) for a in arrays)


def test_contradictory_constraints_come_with_a_farkas_certificate() -> None:
    """x₀ ≤ 1 and x₀ ≥ 2, ten times over in the second: no weighted sum of them can be satisfied."""
    found = ad.minimize(
        lambda x: np.sum(x**2), np.ones(2), ineq={"low": lambda x: x[0] - 1, "high": lambda x: 20 - 10 * x[0]}
    )
    assert found.status is Status.INFEASIBLE and finite(found)
    w = found.certificate
    np.testing.assert_allclose([w["low"], w["high"]], [10 / 11, 1 / 11], atol=1e-9)
    # Σ w c(x) is positive for every x, so that no x has all c ≤ 0
    for x0 in (-1e3, 0.0, 1.5, 1e3):
        assert w["low"] * (x0 - 1) + w["high"] * (20 - 10 * x0) >= found.violation - 1e-9
    np.testing.assert_allclose(found.violation, 10 / 11, atol=1e-9)
    assert found.message.startswith("infeasible: the smallest violation found is 0.909;")
    assert "violated" in repr(found) and "certificate: " in repr(found)
    with pytest.raises(ad.DomainError, match="no sensitivity without a solution: infeasible"):
        found.sensitivity("low")


@pytest.mark.parametrize("sign", [1, -1])
def test_equalities_without_a_solution(sign: int) -> None:
    found = ad.minimize(lambda x: np.sum(x**2), np.array([0.3, 2.0]), eq={"a": lambda x: sign * (x @ x + 1)})
    assert found.status is Status.INFEASIBLE and finite(found)
    np.testing.assert_allclose(found.certificate["a"], sign)
    np.testing.assert_allclose(found.violation, 1)
    np.testing.assert_allclose(found.x, 0, atol=1e-4)


def test_contradictory_bounds() -> None:
    found = ad.minimize(lambda x: np.sum(x**2), np.ones(2), bounds=([2.0, 0.0], [1.0, 1.0]))
    assert found.status is Status.INFEASIBLE and finite(found)
    np.testing.assert_allclose(found.violation, 0.5, atol=1e-9)
    np.testing.assert_allclose(found.certificate["lower"], [0.5, 0], atol=1e-9)
    np.testing.assert_allclose(found.certificate["upper"], [0.5, 0], atol=1e-9)


@pytest.mark.parametrize("f", [lambda x: -x[0] - x[1], lambda x: -(x[0] ** 2), lambda x: x[0] ** 3 - x[1]])
def test_unbounded_along_a_direction(f) -> None:  # type: ignore[no-untyped-def]
    found = ad.minimize(f, np.array([1.0, 1.0]), ineq={"half": lambda x: x[0] - x[1] - 5})
    assert found.status is Status.UNBOUNDED and finite(found)
    d = found.certificate
    np.testing.assert_allclose(np.linalg.norm(d), 1)
    values = [f(found.x + t * np.linalg.norm(found.x) * d) for t in (0, 1, 10, 100)]
    assert np.all(np.diff(values) < 0)
    assert d[0] - d[1] <= 1e-6
    assert "unbounded: f fell to" in found.message


def test_an_unbounded_objective_does_not_hide_an_empty_feasible_set() -> None:
    found = ad.minimize(lambda x: x[0], np.array([0.0, 1.0]), eq={"never": lambda x: 0 * x[1] + 3})
    assert found.status is Status.INFEASIBLE and finite(found)
    np.testing.assert_allclose([found.violation, found.certificate["never"]], [3, 1])


def test_constants_are_functions_too() -> None:
    assert ad.minimize(lambda x: 3.0, np.zeros(2)).fun == 3
    held = ad.minimize(
        lambda x: x @ x, np.ones(2), eq={"always": lambda x: 0.0}, ineq={"none": lambda x: np.zeros(0)}
    )
    assert held.status is Status.SOLVED and Doubt.LICQ in held.doubts
    np.testing.assert_allclose(held.x, 0, atol=1e-12)


def test_a_start_far_outside() -> None:
    found = ad.minimize(
        lambda x: np.sum((x - 3) ** 2), np.array([1e6, -1e6]), ineq={"disk": lambda x: x @ x - 2}
    )
    assert found.status is Status.SOLVED and found.residuals.hold(1e-10)
    np.testing.assert_allclose(found.x, [1, 1], atol=1e-10)
    np.testing.assert_allclose(found.multipliers["disk"], 2, atol=1e-10)


def test_multipliers_that_are_not_unique() -> None:
    found = ad.minimize(
        lambda x: np.sum((x - 3) ** 2),
        np.ones(2),
        ineq={"a": lambda x: x[0] - 1, "b": lambda x: 2 * x[0] - 2},
    )
    assert found.status is Status.SOLVED and found.residuals.hold(1e-10)
    assert found.doubts == (Doubt.LICQ,)
    np.testing.assert_allclose(found.multipliers["a"] + 2 * found.multipliers["b"], 4, atol=1e-9)
    assert "LICQ fails" in repr(found)


def test_an_empty_interior() -> None:
    found = ad.minimize(
        lambda x: np.sum((x - 3) ** 2), np.zeros(2), ineq={"a": lambda x: x[0] - 1, "b": lambda x: 1 - x[0]}
    )
    assert found.status is Status.SOLVED and found.residuals.hold(1e-9)
    np.testing.assert_allclose(found.x, [1, 3], atol=1e-8)
    np.testing.assert_allclose(found.multipliers["a"] - found.multipliers["b"], 4, atol=1e-8)


@pytest.mark.parametrize(
    ("f", "x0", "constraints"),
    [
        (lambda x: x[0], [1.0], {"square": lambda x: x[0] ** 2}),
        (
            lambda x: x[1],
            [0.3, 0.4],
            {
                "left": lambda x: (x[0] + 1) ** 2 + x[1] ** 2 - 1,
                "right": lambda x: (x[0] - 1) ** 2 + x[1] ** 2 - 1,
            },
        ),
        (lambda x: -x[0], [0.3, 0.4], {"cubic": lambda x: x[1] - (1 - x[0]) ** 3, "axis": lambda x: -x[1]}),
    ],
    ids=["square", "tangent disks", "Kuhn and Tucker"],
)
def test_a_minimum_without_multipliers(f, x0, constraints) -> None:  # type: ignore[no-untyped-def]
    found = ad.minimize(f, np.array(x0), ineq=constraints)
    assert found.status is Status.UNQUALIFIED and finite(found)
    assert found.residuals.primal <= 1e-8
    rows = np.array(
        [w * np.asarray(ad.grad(constraints[name])(found.x)) for name, w in found.certificate.items()]
    )
    np.testing.assert_allclose(sum(abs(w) for w in found.certificate.values()), 1)
    assert np.linalg.norm(rows.sum(0)) <= 1e-3  # Fritz John: the constraints balance without f
    assert found.message.startswith("no KKT multipliers:")


def test_a_saddle_is_left_or_said() -> None:
    def f(x: np.ndarray) -> np.ndarray:
        return x[0] ** 2 - x[1] ** 2 + 0.25 * x[1] ** 4

    stays = ad.minimize(f, np.array([1.0, 0.0]), escape=False)
    assert stays.status is Status.SADDLE
    np.testing.assert_allclose(stays.x, 0, atol=1e-8)
    np.testing.assert_allclose(np.abs(stays.certificate), [0, 1], atol=1e-8)
    assert stays.message.startswith("a saddle: ")
    leaves = ad.minimize(f, np.array([1.0, 0.0]))
    assert leaves.status is Status.SOLVED
    np.testing.assert_allclose(np.abs(leaves.x), [0, np.sqrt(2)], atol=1e-8)


def test_a_constraint_hides_a_saddle_and_can_make_one() -> None:
    """x² − y² has a minimum on y = 0; and on the circle a maximum at (1, 0) where KKT holds too."""
    on_line = ad.minimize(lambda x: x[0] ** 2 - x[1] ** 2, np.ones(2), eq={"line": lambda x: x[1]})
    assert on_line.status is Status.SOLVED and not on_line.doubts
    on_circle = ad.minimize(
        lambda x: x[0] ** 2 - x[1] ** 2,
        np.array([1.0, 0.0]),
        eq={"circle": lambda x: x @ x - 1},
        escape=False,
    )
    assert on_circle.status is Status.SADDLE
    left = ad.minimize(
        lambda x: x[0] ** 2 - x[1] ** 2, np.array([1.0, 0.0]), eq={"circle": lambda x: x @ x - 1}
    )
    assert left.status is Status.SOLVED
    np.testing.assert_allclose(left.fun, -1, atol=1e-10)
    np.testing.assert_allclose(left.multipliers["circle"], 1, atol=1e-10)


def test_many_minima_and_a_kink() -> None:
    flat = ad.minimize(lambda x: (x[0] - 1) ** 2, np.zeros(2))
    assert flat.status is Status.SOLVED and flat.doubts == (Doubt.FLAT,)
    never = ad.minimize(lambda x: np.sum(np.exp(-x)), np.zeros(1))
    assert Doubt.FLAT in never.doubts
    kink = ad.minimize(lambda x: np.sum(x**2), np.ones(1), ineq={"a": lambda x: -x[0]})
    assert kink.status is Status.SOLVED and kink.doubts == (Doubt.WEAK,)
    assert kink.active["a"] and kink.multipliers["a"] <= 1e-8


def test_steps_run_out() -> None:
    def banana(x: np.ndarray) -> np.ndarray:
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    seen: list[int] = []
    found = ad.minimize(
        banana, np.array([-1.2, 1.0]), max_steps=3, callback=lambda line: seen.append(line.step)
    )
    assert found.status is Status.STEPS
    assert seen == [0, 1, 2] and found.steps == 3 == len(found.history)
    assert "stopped after 3 steps" in found.message and "raise max_steps" in found.message


def test_any_name_is_a_constraints_name() -> None:
    """Once the solver's own word for unknowns that bounds fix was not."""
    found = ad.minimize(lambda x: x @ x, np.ones(2), eq={"fixed": lambda x: x[0] - 1})
    assert found.success and abs(found.x[0] - 1) < 1e-10


def test_scales_do_not_matter() -> None:
    def solve(of_f: float, of_g: float) -> ad.Solution:
        return ad.minimize(
            lambda x: of_f * (100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2),
            np.array([-1.2, 1.0]),
            ineq={"disk": lambda x: of_g * (x @ x - 1)},
        )

    plain = solve(1.0, 1.0)
    for of_f, of_g in [(1e6, 1.0), (1e-6, 1.0), (1.0, 1e6), (1.0, 1e-6), (1e6, 1e-6), (1e-4, 1e4)]:
        found = solve(of_f, of_g)
        assert found.status is Status.SOLVED, (of_f, of_g, found)
        np.testing.assert_allclose(found.x, plain.x, atol=1e-9)
        price = found.multipliers["disk"] * of_g / of_f
        np.testing.assert_allclose(price, plain.multipliers["disk"], rtol=1e-7)
