"""Small problems of Hock and Schittkowski's collection: from the published starts to the published optima.

Their constraints are c(x) ≥ 0; here they are written g = −c ≤ 0.

Source: W. Hock and K. Schittkowski, "Test Examples for Nonlinear Programming Codes", 1981.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import adjoint as ad
from adjoint.problems import Doubt, Status

Function = Callable[[np.ndarray], np.ndarray]


class Case(NamedTuple):
    f: Function
    start: list[float]
    optimum: float
    eq: list[Function] = []  # noqa: RUF012  (never written to)
    ineq: list[Function] = []  # noqa: RUF012
    bounds: tuple | None = None


CASES = {
    6: Case(lambda x: (1 - x[0]) ** 2, [-1.2, 1], 0, [lambda x: 10 * (x[1] - x[0] ** 2)]),
    7: Case(
        lambda x: np.log(1 + x[0] ** 2) - x[1], [2, 2], -np.sqrt(3),
        [lambda x: (1 + x[0] ** 2) ** 2 + x[1] ** 2 - 4],
    ),
    10: Case(
        lambda x: x[0] - x[1], [-10, 10], -1, ineq=[lambda x: 3 * x[0] ** 2 - 2 * x[0] * x[1] + x[1] ** 2 - 1]
    ),
    11: Case(
        lambda x: (x[0] - 5) ** 2 + x[1] ** 2 - 25, [4.9, 0.1], -8.498464223,
        ineq=[lambda x: x[0] ** 2 - x[1]],
    ),
    12: Case(
        lambda x: 0.5 * x[0] ** 2 + x[1] ** 2 - x[0] * x[1] - 7 * x[0] - 7 * x[1], [0, 0], -30,
        ineq=[lambda x: 4 * x[0] ** 2 + x[1] ** 2 - 25],
    ),
    14: Case(
        lambda x: (x[0] - 2) ** 2 + (x[1] - 1) ** 2, [2, 2], 9 - 2.875 * np.sqrt(7),
        [lambda x: x[0] - 2 * x[1] + 1], [lambda x: 0.25 * x[0] ** 2 + x[1] ** 2 - 1],
    ),
    22: Case(
        lambda x: (x[0] - 2) ** 2 + (x[1] - 1) ** 2, [2, 2], 1,
        ineq=[lambda x: x[0] + x[1] - 2, lambda x: x[0] ** 2 - x[1]],
    ),
    27: Case(
        lambda x: 0.01 * (x[0] - 1) ** 2 + (x[1] - x[0] ** 2) ** 2, [2, 2, 2], 0.04,
        [lambda x: x[0] + x[2] ** 2 + 1],
    ),
    28: Case(
        lambda x: (x[0] + x[1]) ** 2 + (x[1] + x[2]) ** 2, [-4, 1, 1], 0,
        [lambda x: x[0] + 2 * x[1] + 3 * x[2] - 1],
    ),
    29: Case(
        lambda x: -x[0] * x[1] * x[2], [1, 1, 1], -16 * np.sqrt(2),
        ineq=[lambda x: x[0] ** 2 + 2 * x[1] ** 2 + 4 * x[2] ** 2 - 48],
    ),
    35: Case(
        lambda x: (
            9 - 8 * x[0] - 6 * x[1] - 4 * x[2] + 2 * x[0] ** 2 + 2 * x[1] ** 2 + x[2] ** 2
            + 2 * x[0] * x[1] + 2 * x[0] * x[2]
        ),
        [0.5, 0.5, 0.5], 1 / 9, ineq=[lambda x: x[0] + x[1] + 2 * x[2] - 3], bounds=(0.0, None),
    ),
    39: Case(
        lambda x: -x[0], [2, 2, 2, 2], -1,
        [lambda x: x[1] - x[0] ** 3 - x[2] ** 2, lambda x: x[0] ** 2 - x[1] - x[3] ** 2],
    ),
    40: Case(
        lambda x: -np.prod(x), [0.8, 0.8, 0.8, 0.8], -0.25,
        [lambda x: x[0] ** 3 + x[1] ** 2 - 1, lambda x: x[0] ** 2 * x[3] - x[2], lambda x: x[3] ** 2 - x[1]],
    ),
    43: Case(
        lambda x: (
            x[0] ** 2 + x[1] ** 2 + 2 * x[2] ** 2 + x[3] ** 2 - 5 * x[0] - 5 * x[1] - 21 * x[2] + 7 * x[3]
        ),
        [0, 0, 0, 0], -44,
        ineq=[
            lambda x: np.sum(x**2) + x[0] - x[1] + x[2] - x[3] - 8,
            lambda x: x[0] ** 2 + 2 * x[1] ** 2 + x[2] ** 2 + 2 * x[3] ** 2 - x[0] - x[3] - 10,
            lambda x: 2 * x[0] ** 2 + x[1] ** 2 + x[2] ** 2 + 2 * x[0] - x[1] - x[3] - 5,
        ],
    ),
    63: Case(
        lambda x: 1000 - x[0] ** 2 - 2 * x[1] ** 2 - x[2] ** 2 - x[0] * x[1] - x[0] * x[2],
        [2, 2, 2], 961.7151721,
        [lambda x: 8 * x[0] + 14 * x[1] + 7 * x[2] - 56, lambda x: np.sum(x**2) - 25], bounds=(0.0, None),
    ),
    65: Case(
        lambda x: (x[0] - x[1]) ** 2 + (x[0] + x[1] - 10) ** 2 / 9 + (x[2] - 5) ** 2, [-5, 5, 0],
        0.9535288567, ineq=[lambda x: np.sum(x**2) - 48], bounds=([-4.5, -4.5, -5.0], [4.5, 4.5, 5.0]),
    ),
    76: Case(
        lambda x: (
            x[0] ** 2 + 0.5 * x[1] ** 2 + x[2] ** 2 + 0.5 * x[3] ** 2 - x[0] * x[2] + x[2] * x[3]
            - x[0] - 3 * x[1] + x[2] - x[3]
        ),
        [0.5, 0.5, 0.5, 0.5], -4.681818181,
        ineq=[
            lambda x: x[0] + 2 * x[1] + x[2] + x[3] - 5,
            lambda x: 3 * x[0] + x[1] + 2 * x[2] - x[3] - 4,
            lambda x: 1.5 - x[1] - 4 * x[2],
        ],
        bounds=(0.0, None),
    ),
    78: Case(
        lambda x: np.prod(x), [-2, 1.5, 2, -1, -1], -2.91970041,
        [
            lambda x: np.sum(x**2) - 10,
            lambda x: x[1] * x[2] - 5 * x[3] * x[4],
            lambda x: x[0] ** 3 + x[1] ** 3 + 1,
        ],
    ),
    100: Case(
        lambda x: (
            (x[0] - 10) ** 2 + 5 * (x[1] - 12) ** 2 + x[2] ** 4 + 3 * (x[3] - 11) ** 2 + 10 * x[4] ** 6
            + 7 * x[5] ** 2 + x[6] ** 4 - 4 * x[5] * x[6] - 10 * x[5] - 8 * x[6]
        ),
        [1, 2, 0, 4, 0, 1, 1], 680.6300573,
        ineq=[
            lambda x: 2 * x[0] ** 2 + 3 * x[1] ** 4 + x[2] + 4 * x[3] ** 2 + 5 * x[4] - 127,
            lambda x: 7 * x[0] + 3 * x[1] + 10 * x[2] ** 2 + x[3] - x[4] - 282,
            lambda x: 23 * x[0] + x[1] ** 2 + 6 * x[5] ** 2 - 8 * x[6] - 196,
            lambda x: 4 * x[0] ** 2 + x[1] ** 2 - 3 * x[0] * x[1] + 2 * x[2] ** 2 + 5 * x[5] - 11 * x[6],
        ],
    ),
}  # fmt: skip


def solve(case: Case, **options: object) -> ad.Solution:
    return ad.minimize(
        case.f,
        np.array(case.start, float),
        eq={f"h{k}": h for k, h in enumerate(case.eq)},
        ineq={f"g{k}": g for k, g in enumerate(case.ineq)},
        bounds=case.bounds,
        **options,
    )


@pytest.mark.parametrize("number", CASES)
def test_published_optimum(number: int) -> None:
    case = CASES[number]
    found = solve(case)
    assert found.status is Status.SOLVED, found
    assert found.residuals.hold(1e-10), found
    np.testing.assert_allclose(found.fun, case.optimum, rtol=2e-9, atol=1e-9)


@pytest.mark.parametrize("number", [12, 14, 29, 35, 43, 65, 76, 100])
def test_the_augmented_lagrangian_finds_the_same(number: int) -> None:
    found, reference = solve(CASES[number], method="augmented"), solve(CASES[number])
    assert found.status is Status.SOLVED and found.residuals.hold(1e-8), found
    np.testing.assert_allclose(found.fun, reference.fun, rtol=1e-9)
    for name, mu in reference.multipliers.items():
        np.testing.assert_allclose(found.multipliers[name], mu, rtol=1e-6, atol=1e-7, err_msg=name)


def test_number_13_has_no_multipliers() -> None:
    """The optimum (1, 0) is a cusp: (1 − x₀)³ ≥ x₁ ≥ 0."""
    found = ad.minimize(
        lambda x: (x[0] - 2) ** 2 + x[1] ** 2,
        np.array([-2.0, -2.0]),
        ineq={"cusp": lambda x: x[1] - (1 - x[0]) ** 3},
        bounds=(0.0, None),
    )
    assert found.status is Status.UNQUALIFIED, found
    np.testing.assert_allclose(found.x, [1, 0], atol=2e-2)


def test_number_26_is_degenerate_and_said_to_be() -> None:
    found = ad.minimize(
        lambda x: (x[0] - x[1]) ** 2 + (x[1] - x[2]) ** 4,
        np.array([-2.6, 2, 2]),
        eq={"h": lambda x: (1 + x[1] ** 2) * x[0] + x[2] ** 4 - 3},
    )
    assert found.success and found.fun < 1e-10 and Doubt.FLAT in found.doubts, found
