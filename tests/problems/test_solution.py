"""What a solution says, holds and survives."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import adjoint as ad
from adjoint.problems import Residuals, Solution, Status
from adjoint.problems.solution import Constraint, System


def solution(**changes: object) -> Solution:
    """Min ½‖x‖² s.t. x₀ + x₁ = 2: x = (1, 1), ν = −1, df*/db = 1, dx*/db = ½."""
    given = {
        "x": np.ones(2), "fun": 1.0, "status": Status.SOLVED, "residuals": Residuals(0.0, 0.0, 0.0, 0.0),
        "constraints": {
            "sum": Constraint("=", np.array(0.0), np.array(-1.0), np.array(True)),
            "box": Constraint("≤", np.array([-1.0, -2.0]), np.zeros(2), np.zeros(2, bool)),
        },
        "system": System(np.eye(2), np.ones((1, 2)), {
            "sum": (np.array([0]), np.array([0])), "box": (np.array([], int), np.array([], int)),
        }, np.array([], int)),
    }  # fmt: skip
    return Solution(**{**given, **changes})


def test_sensitivity_has_the_sign_of_the_convention() -> None:
    found = solution().sensitivity("sum")
    assert found.fun == 1.0
    np.testing.assert_allclose(found.x, [0.5, 0.5], atol=1e-15)
    slack = solution().sensitivity("box")
    np.testing.assert_array_equal(slack.fun, [0, 0])
    np.testing.assert_array_equal(slack.x, np.zeros((2, 2)))


def test_unknown_names_and_unsolved_problems_are_refused() -> None:
    with pytest.raises(ad.UnknownNameError, match="no constraint 'total'; there are sum, box"):
        solution().sensitivity("total")
    for found in (solution().multipliers, solution().active):
        assert found == dict(found) and found.get("total") is None
        with pytest.raises(ad.UnknownNameError, match="no constraint 'total'; there are sum, box"):
            found["total"]
    with pytest.raises(ad.DomainError, match="no sensitivity without a solution: stopped after 7 steps"):
        solution(status=Status.STEPS, steps=7).sensitivity("sum")
    with pytest.raises(ad.DomainError, match="does not form the KKT matrix"):
        solution(system=None, method="augmented").sensitivity("sum")


def test_solutions_pickle() -> None:
    again = pickle.loads(pickle.dumps(solution()))
    assert repr(again) == repr(solution())
    assert again.status is Status.SOLVED
    assert repr(pickle.loads(pickle.dumps(again.multipliers))) == repr(again.multipliers)


def test_the_text_is_a_table_of_shadow_prices() -> None:
    text = repr(solution())
    assert "solved: the KKT conditions hold to 1e-08" in text
    assert "sum" in text and "box (2 of 2)" in text
    line = next(line for line in text.splitlines() if line.startswith("sum"))
    assert line.split()[-2:] == ["-1", "1"]


def test_every_message_can_be_filled_in() -> None:
    for status in Status:
        text = solution(status=status, violation=0.25, steps=3).message
        assert text and "{" not in text
    assert "0.25" in solution(status=Status.INFEASIBLE, violation=0.25).message


def test_residuals_are_relative_to_the_gradient() -> None:
    r = Residuals.of([1e3], [1e-6], h=[0.0], g=[-2.0, 1e-3], mu=[1e-3, -0.5])
    np.testing.assert_allclose([r.stationarity, r.primal, r.dual, r.slackness], [1e-9, 1e-3, 0.5, 2e-6])
    assert r.worst == 0.5 and not r.hold() and Residuals.of([], [], [], [], []).hold(0.0)
    assert Residuals.of([1.0], [0.0], [], [-np.inf], [0.0]).hold(0.0)
