"""What goes in: scores and constraints, their forms, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from adjoint.errors import ShapeError, UnknownNameError
from adjoint.models import align
from adjoint.models.alignment import Constraint, Scores
from adjoint.models.alignment.constraints import check_constraints
from adjoint.models.base import DataError

from ..harness import refused
from .samples import random_scores

OFFSETS, R = np.array([0, 2, 5]), np.arange(5.0)


def changed(at: int, value: float) -> np.ndarray:
    g = np.ones(5)
    g[at] = value
    return g


REFUSED: dict[str, tuple[type[Exception], str, Callable[[], Any]]] = {
    "nan": (
        DataError, "utility 'safe' is NaN in row 3 (prompt 'q', response 1); 1 rows in all",
        lambda: Scores(OFFSETS, R, {"safe": changed(3, np.nan)}, prompts=["p", "q"]),
    ),
    "nan at the start": (
        DataError, "reward is NaN in row 2 (prompt 1, response 0)",
        lambda: Scores(OFFSETS, changed(2, np.nan), {}),
    ),
    "infinity": (
        DataError, "reward is infinite in row 4 (prompt 1, response 2)",
        lambda: Scores(OFFSETS, changed(4, np.inf), {}),
    ),
    "base": (DataError, "log_base is infinite", lambda: Scores(OFFSETS, R, {}, changed(0, -np.inf))),
    "length": (
        ShapeError, "utility 'safe' should be (5,), as reward is, got (4,)",
        lambda: Scores(OFFSETS, R, {"safe": np.ones(4)}),
    ),
    "empty": (ShapeError, "reward is empty: there are no responses", lambda: Scores(OFFSETS, [], {})),
    "no prompts": (ShapeError, "no prompts: scores are empty", lambda: Scores.ragged([], {})),
    "offsets kind": (
        ShapeError, "offsets should be integers (N + 1,), N ≥ 1, got (2,) float64",
        lambda: Scores(np.array([0.0, 5.0]), R, {}),
    ),
    "offsets end": (
        ShapeError, "offsets should go from 0 to 5, the number of responses; got 0 … 4",
        lambda: Scores(np.array([0, 4]), R, {}),
    ),
    "offsets fall": (
        ShapeError, "prompt 1 has no responses: offsets[1:3] = [3 3]",
        lambda: Scores(np.array([0, 3, 3, 5]), R, {}),
    ),
    "prompt ids": (
        DataError, "duplicate prompt id 'p'", lambda: Scores(OFFSETS, R, {}, prompts=["p", "p"])
    ),
    "prompt count": (
        ShapeError, "prompts should be 2 ids, got 3", lambda: Scores(OFFSETS, R, {}, prompts="pqr")
    ),
    "response ids": (
        DataError, "prompt 'q' has the response id 3 twice",
        lambda: Scores(OFFSETS, R, {}, prompts=["p", "q"], responses=[1, 3, 3, 2, 3]),
    ),
    "name": (
        DataError, "names of utilities are text, and not empty: got 3",
        lambda: Scores(OFFSETS, R, {3: R}),  # type: ignore[dict-item]
    ),
    "dense": (
        ShapeError, "reward should be (N, K), prompts × responses, got (5,)", lambda: Scores.dense(R, {})
    ),
    "dense utility": (
        ShapeError, "utility 'safe' should be (2, 3), as reward is, got (3, 2)",
        lambda: Scores.dense(np.ones((2, 3)), {"safe": np.ones((3, 2))}),
    ),
    "ragged": (
        ShapeError, "prompt 'q' has 1 rewards, but 2 of utility 'safe'",
        lambda: Scores.ragged([[1.0], [2.0]], {"safe": [[1.0], [2.0, 3.0]]}, prompts=["p", "q"]),
    ),
    "ragged prompts": (
        ShapeError, "log_base has 1 prompts, reward has 2", lambda: Scores.ragged([[1.0], [2.0]], {}, [[1.0]])
    ),
    "ragged shape": (
        ShapeError, "prompt 1 should have rewards (K,), got (1, 1)",
        lambda: Scores.ragged([[1.0], [[2.0]]], {}),
    ),
    "ragged utility's shape": (
        ShapeError, "prompt 1 has 1 rewards, but 1 of utility 'a' in (1, 1)",
        lambda: Scores.ragged([[1.0], [2.0]], {"a": [[1.0], [[2.0]]]}),
    ),
    "no name": (
        DataError, "names of utilities are text, and not empty: got ''",
        lambda: Scores.ragged([[1.0, 2.0], [3.0]], {"": [[5.0, 1.0], [2.0]]}),
    ),
    "no names": (
        DataError, "utilities should be a dict of names and scores, got ndarray",
        lambda: Scores.dense(np.ones((2, 3)), np.ones((2, 3))),  # type: ignore[arg-type]
    ),
    "take beyond": (
        DataError, "no such prompts: index 2 is out of bounds", lambda: Scores(OFFSETS, R, {}).take([2])
    ),
    "take a mask": (
        DataError, "Give positions below 2, or a mask", lambda: Scores(OFFSETS, R, {}).take(np.ones(3, bool))
    ),
    "take none": (
        ShapeError, "no prompts to take", lambda: Scores(OFFSETS, R, {}).take(np.zeros(2, bool))
    ),
    "words": (DataError, "reward should hold numbers", lambda: Scores(OFFSETS, list("abcde"), {})),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_scores_that_are_refused(name: str) -> None:
    refused(*REFUSED[name])


def test_forms_agree() -> None:
    dense = Scores.dense(R[:4].reshape(2, 2), {"safe": np.ones((2, 2))}, np.zeros((2, 2)), prompts=["p", "q"])
    ragged = Scores.ragged([[0, 1], [2, 3]], {"safe": [[1, 1], [1, 1]]}, [[0, 0], [0, 0]], responses="abab")
    assert dense.log_base is not None and ragged.log_base is not None
    for one, other in (
        (dense.offsets, ragged.offsets), (dense.reward, ragged.reward), (dense.log_base, ragged.log_base),
        (dense.utilities["safe"], ragged.utilities["safe"]),
    ):  # fmt: skip
        np.testing.assert_array_equal(one, other)
    assert dense.width == 2 and dense.n_prompts == 2 and dense.n_responses == 4
    assert (
        repr(dense)
        == 'Scores: 2 prompts, 4 responses (2 per prompt); reward and "safe", weighted by log_base'
    )


def test_take() -> None:
    scores = random_scores(0, 4, "a", weighted=True)
    taken, o = scores.take([2, 0, 2]), scores.offsets
    rows = [*range(o[2], o[3]), *range(o[0], o[1]), *range(o[2], o[3])]
    np.testing.assert_array_equal(taken.reward, scores.reward[rows])
    np.testing.assert_array_equal(taken.log_base, scores.log_base[rows])  # type: ignore[index]
    assert taken.n_prompts == 3


# ------------------------------------------------------------------------------------------ constraints
@pytest.mark.parametrize(
    "text, expected",
    [
        ("safe>=0.5", Constraint("safe", 0.5)),
        (" not too long ≥ -1e-2 ", Constraint("not too long", -0.01)),
        ("humor>=0.2 relative", Constraint("humor", 0.2, True)),
        ("humor >= 0.2 absolute", Constraint("humor", 0.2)),
    ],
)
def test_texts_of_constraints(text: str, expected: Constraint) -> None:
    assert Constraint.parse(text) == expected


@pytest.mark.parametrize(
    "given, kind, text",
    [
        ("safe", DataError, "not a constraint: 'safe'\n  "),
        ("safe>=much", DataError, "the level 'much' is no number"),
        ("safe>=nan", DataError, "the level of 'safe' should be a finite number, got nan"),
        ("safe<=1", DataError, "a constraint is a lower limit, NAME>=LEVEL, not '<='"),
        ("safe>=1 often", DataError, "'often' after the level is not known"),
        ("joy>=1", UnknownNameError, "no utility 'joy' to constrain; there are 'safe', 'humor'"),
        (["safe>=1", "safe>=2"], DataError, "contradictory constraints on 'safe': safe ≥ 1, and safe ≥ 2"),
        (["safe>=1", "safe>=1"], DataError, "repeated constraints on 'safe'"),
        ([3], DataError, "not a constraint: 3"),
    ],
)
def test_constraints_that_are_refused(given: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as caught:
        check_constraints(given, ["safe", "humor"])
    assert text.rstrip() in str(caught.value)


def test_relative_is_yes_or_no() -> None:
    """Not a word: "absolute" is true in Python."""
    text = "relative of 'safe' should be True or False, got 'absolute'"
    refused(DataError, text, lambda: Constraint("safe", 0.5, "absolute"))  # type: ignore[arg-type]


def test_too_many_constraints() -> None:
    names = [f"g{j}" for j in range(21)]
    refused(
        DataError,
        "21 constraints: 20 at most",
        lambda: check_constraints([Constraint(n, 0) for n in names], names),
    )


@pytest.mark.parametrize(
    "options, text",
    [
        ({}, "neither beta nor kl_budget is given"),
        ({"beta": 1.0, "kl_budget": 1.0}, "both beta and kl_budget are given"),
        ({"beta": 0.0}, "beta should be a finite number > 0"),
        ({"beta": -1}, "beta should be a finite number > 0"),
        ({"kl_budget": 0}, "kl_budget should be a finite number > 0"),
        ({"beta": 1.0, "tolerance": 0}, "tolerance should be a number > 0"),
        ({"beta": 1.0, "bootstrap": 1}, "bootstrap should be 0 (none) or at least 2 resamples"),
        ({"beta": 1.0, "bootstrap": -1}, "bootstrap should be"),
        ({"beta": 1.0, "bootstrap": 2.5}, "bootstrap should be"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], text: str) -> None:
    refused(DataError, text, lambda: align(random_scores(0, 3), **options))


@pytest.mark.parametrize("name", ["beta", "kl_budget"])
def test_names_that_the_answer_has_itself(name: str) -> None:
    scores = Scores(OFFSETS, R, {name: changed(0, 2.0)})
    text = f"a constrained utility cannot be called {name!r}"
    refused(DataError, text, lambda: align(scores, beta=1.0, constraints=f"{name}>=0"))
    assert align(scores, beta=1.0).success  # without a limit it is one like others


def test_scores_of_another_kind() -> None:
    refused(DataError, "scores should be Scores or Partitions, got list", lambda: align([[1.0]], beta=1.0))  # type: ignore[arg-type]
    flat = Scores(OFFSETS, np.array([1.0, 1, 2, 2, 2]), {})
    refused(
        DataError,
        "the reward is the same for all responses of every prompt",
        lambda: align(flat, kl_budget=1.0),
    )
