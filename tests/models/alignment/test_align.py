"""`align` on problems small enough to be solved by hand."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from adjoint.models import align
from adjoint.models.alignment import Scores, Status


def two() -> Scores:
    return Scores.dense([[0.0, 1.0]], {"safe": [[1.0, 0.0]]})


def test_one_prompt_of_two_responses() -> None:
    """π(safe) = b needs log b/(1 − b) = (λ − 1)/β."""
    for beta, b in ((1.0, 0.5), (0.5, 0.8)):
        found = align(two(), beta=beta, constraints=f"safe>={b}")
        assert found.status is Status.SOLVED
        assert found.multipliers["safe"] == pytest.approx(1 + beta * np.log(b / (1 - b)), abs=1e-9)
        np.testing.assert_allclose(found.weights(), [b, 1 - b], rtol=1e-9)
        assert found.certificate.violation < 1e-10 > abs(found.certificate.gap)


def test_verdicts() -> None:
    infeasible = align(two(), beta=1.0, constraints="safe>=1.5")
    assert infeasible.status is Status.INFEASIBLE and infeasible.infeasibility is not None
    assert infeasible.infeasibility.achievable == 1.0 and infeasible.infeasibility.required == 1.5
    assert infeasible.infeasibility.nearest == {"safe": 1.0}
    assert align(two(), beta=1.0, constraints="safe>=1").status is Status.NO_SLATER
    slack = align(two(), beta=1.0, constraints="safe>=0.1")
    assert slack.multipliers == {"safe": 0.0} and slack.standard_errors["safe"] == 0.0


def test_constraints_of_a_file_may_come_once(tmp_path: Path) -> None:
    """From a generator too: the file's columns are named by them, and then they hold."""
    file = tmp_path / "scores.jsonl"
    rows = [{"prompt": "x", "r": 0.0, "safe": 1.0}, {"prompt": "x", "r": 1.0, "safe": 0.0}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = align(file, reward="r", beta=1.0, constraints=(text for text in ["safe>=0.5"]))
    assert found.multipliers == pytest.approx({"safe": 1.0}, abs=1e-9)


def test_pickles() -> None:
    found = align(two(), beta=1.0, constraints="safe>=0.5")
    again = pickle.loads(pickle.dumps(found))
    assert again.multipliers == found.multipliers and repr(again) == repr(found)
