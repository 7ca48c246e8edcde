"""Bradley–Terry models: closed form, other libraries, existence, and the scores made of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from adjoint.errors import DomainError, ShapeError
from adjoint.models import DataError, align
from adjoint.models.alignment import (
    Preferences,
    fit_bradley_terry,
    mocan_scores,
    pecan_scores,
    sample_preferences,
)

from ..harness import refused
from .theory import problem

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(3, 4))
PAIRS = sample_preferences(SCORES, 600, rng=RNG)
FEATURES = RNG.normal(size=(3, 4, 2))


def pairs(*rows):
    return Preferences(*np.array(rows).T)


def negative_likelihood(s):
    s = np.reshape(s, SCORES.shape)
    margin = s[PAIRS.prompts, PAIRS.chosen] - s[PAIRS.prompts, PAIRS.rejected]
    return float(np.sum(np.logaddexp(0.0, -margin)))


def test_two_responses_have_a_closed_form():
    """w wins of n: s = ½ log(w/(n − w)) either way, with variance n / (4 w (n − w))."""
    model = fit_bradley_terry(pairs(*[[0, 0, 1]] * 7, *[[0, 1, 0]] * 2), shape=(1, 2))
    assert_allclose(model.scores, [[0.5 * np.log(7 / 2), -0.5 * np.log(7 / 2)]])
    assert_allclose(model.standard_errors, np.sqrt(9 / 14) / 2)
    assert_allclose(model.log_likelihood, 7 * np.log(7 / 9) + 2 * np.log(2 / 9))


def test_free_scores_against_scipy_and_differences():
    model = fit_bradley_terry(PAIRS, shape=(3, 4))
    found = minimize(negative_likelihood, np.zeros(12), method="BFGS", options={"gtol": 1e-8})
    other = found.x.reshape(3, 4)
    assert_allclose(model.scores, other - other.mean(axis=1, keepdims=True), atol=1e-5)
    assert_allclose(-model.log_likelihood, found.fun)
    assert model.gradient < 1e-12 and model.theta is None
    h, flat = 1e-4, model.scores.ravel()

    def second(i, j):
        shifts = [(a, b) for a in (h, -h) for b in (h, -h)]
        values = [negative_likelihood(flat + a * np.eye(12)[i] + b * np.eye(12)[j]) for a, b in shifts]
        return (values[0] - values[1] - values[2] + values[3]) / (4 * h * h)

    fisher = np.array([[second(i, j) for j in range(4)] for i in range(4)])  # of the first prompt
    assert_allclose(model.covariance[0], np.linalg.pinv(fisher, rcond=1e-4), atol=1e-5)
    assert_allclose(model.standard_errors[0], np.sqrt(np.diag(np.linalg.pinv(fisher, rcond=1e-4))), rtol=1e-4)


def test_features_against_logistic_regression():
    linear = pytest.importorskip("sklearn.linear_model")
    chosen = sample_preferences(FEATURES @ [1.0, -0.5], 800, rng=np.random.default_rng(1))
    model = fit_bradley_terry(chosen, features=FEATURES)
    rows = FEATURES[chosen.prompts, chosen.chosen] - FEATURES[chosen.prompts, chosen.rejected]
    both, labels = np.concatenate([rows, -rows]), np.repeat([1, 0], len(rows))
    theirs = linear.LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, max_iter=1000)
    assert_allclose(model.theta, theirs.fit(both, labels).coef_[0], atol=1e-6)
    p = 1 / (1 + np.exp(-rows @ model.theta))
    fisher = (rows * (p * (1 - p))[:, None]).T @ rows
    assert_allclose(model.covariance, np.linalg.inv(fisher))
    centered = FEATURES - FEATURES.mean(axis=1, keepdims=True)
    assert_allclose(model.scores, centered @ model.theta)
    assert "2 features" in repr(model)


def test_a_number_per_prompt_is_not_seen():
    again = sample_preferences(SCORES + np.array([[5.0], [-3.0], [0.0]]), 600, rng=np.random.default_rng(7))
    same = sample_preferences(SCORES, 600, rng=np.random.default_rng(7))
    assert all(np.array_equal(getattr(again, k), getattr(same, k)) for k in ("prompts", "chosen", "rejected"))
    assert_allclose(fit_bradley_terry(same, shape=(3, 4)).scores.sum(axis=1), 0.0, atol=1e-12)


def test_preferences_are_drawn_with_the_right_odds():
    drawn = sample_preferences([[0.0, 1.0, -1.0]], 200_000, rng=np.random.default_rng(3))
    assert np.all(drawn.chosen != drawn.rejected)
    for a, b, margin in ((1, 0, 1.0), (0, 2, 1.0), (1, 2, 2.0)):
        wins = np.sum((drawn.chosen == a) & (drawn.rejected == b))
        losses = np.sum((drawn.chosen == b) & (drawn.rejected == a))
        p = 1 / (1 + np.exp(-margin))
        assert abs(wins / (wins + losses) - p) < 4 * np.sqrt(p * (1 - p) / (wins + losses))


def test_far_apart_scores_overflow_nowhere():
    drawn = sample_preferences([[0.0, 5000.0]], 20, rng=np.random.default_rng(0))
    assert np.all(drawn.chosen == 1)


def test_a_ridge_gives_scores_to_what_never_lost():
    always = pairs([0, 0, 1], [0, 0, 1])
    model = fit_bradley_terry(always, shape=(1, 2), ridge=0.5)
    s = model.scores[0, 0]
    assert_allclose(2 / (1 + np.exp(2 * s)), 0.5 * s, rtol=1e-9)  # stationarity: 2 σ(−2s) = ridge · s
    assert_allclose(model.log_likelihood, -2 * np.log1p(np.exp(-2 * s)))
    never = fit_bradley_terry(pairs([0, 0, 1]), shape=(1, 3), ridge=1.0)  # the third was not compared
    assert_allclose(never.scores[0, 2], 0.0, atol=1e-12)


def test_both_constructions_have_one_multiplier():
    """Policies trained on r and g at any β, and r and g themselves: the same λ*, if levels are relative."""
    game = problem(2, constraints=2, level=0.2, relative=True)
    names = list(game.utilities)

    def trained(s):
        logits = np.log(game.base) + s / 0.07
        return logits - np.log(np.sum(np.exp(logits), axis=1, keepdims=True))

    log_base = np.log(game.base)
    pecan = pecan_scores(
        log_base, trained(game.reward), {n: trained(g) for n, g in game.utilities.items()}, beta=0.07
    )
    mocan = mocan_scores(log_base, game.reward, game.utilities)
    relative = [f"{n} >= 0.2 relative" for n in names]
    answers = [align(s, beta=game.beta, constraints=relative) for s in (pecan, mocan)]
    assert_allclose(list(answers[0].multipliers.values()), game.optimum, atol=1e-9)
    assert_allclose(list(answers[1].multipliers.values()), game.optimum, atol=1e-9)
    assert_allclose(answers[0].weights(), answers[1].weights(), atol=1e-9)
    absolute = [align(s, beta=game.beta, constraints=f"{names[0]} >= 0.2") for s in (pecan, mocan)]
    assert absolute[0].multipliers != absolute[1].multipliers
    model = fit_bradley_terry(PAIRS, shape=(3, 4))
    assert np.array_equal(mocan_scores(np.zeros((3, 4)), model, {}).reward, model.scores.ravel())


@pytest.mark.slow
def test_standard_errors_cover():
    """Of 300 samples, nominal 95 % intervals of the scores, and of λ̂ by models and relative levels."""
    rng = np.random.default_rng(5)
    s = 0.7 * rng.normal(size=(4, 3))
    centered, hits = s - s.mean(axis=1, keepdims=True), []
    for _ in range(300):
        model = fit_bradley_terry(sample_preferences(s, 2000, rng=rng), shape=s.shape)
        hits.append(np.abs(model.scores - centered) < 1.96 * model.standard_errors)
    assert 0.93 < np.mean(hits) < 0.97


LINKED = pairs([0, 0, 1], [0, 1, 0])
MISUSE = [
    (DataError, "responses 0 and 1 of prompt 0 are not linked by wins in both directions",
     lambda: fit_bradley_terry(pairs([0, 0, 1], [0, 0, 1]), shape=(1, 2))),
    (DataError, "responses 0 and 2 of prompt 0 are not linked",
     lambda: fit_bradley_terry(LINKED, shape=(1, 3))),
    (DataError, "(2 of 3 prompts have such)", lambda: fit_bradley_terry(LINKED, shape=(3, 2))),
    (DataError, "no comparison contradicts the direction",
     lambda: fit_bradley_terry(pairs([0, 0, 1], [0, 1, 2]), features=[[[2.0], [1.0], [0.0]]])),
    (DataError, "differences of the 2 features span 1 dimensions only",
     lambda: fit_bradley_terry(LINKED, features=np.ones((1, 2, 2)) * [[[1.0, 0.0], [2.0, 0.0]]])),
    (ShapeError, "needs either shape=(N, K) or features=(N, K, p)", lambda: fit_bradley_terry(LINKED)),
    (ShapeError, "comparison 1 has chosen[1] = 1, outside 0 … 0",
     lambda: fit_bradley_terry(LINKED, shape=(1, 1))),
    (ShapeError, "features must be (N, K, p); got shape (2, 2)",
     lambda: fit_bradley_terry(LINKED, features=np.ones((2, 2)))),
    (DomainError, "ridge must be a number ≥ 0, got -1",
     lambda: fit_bradley_terry(LINKED, shape=(1, 2), ridge=-1)),
    (DataError, "comparison 0 is of response 1 with itself", lambda: pairs([0, 1, 1])),
    (ShapeError, "chosen must be (n,) integers; got float64 of shape (1,)",
     lambda: Preferences(np.zeros(1, int), np.zeros(1), np.ones(1, int))),
    (ShapeError, "a comparison has a prompt and two responses; got lengths [1, 2]",
     lambda: Preferences(np.zeros(2, int), np.zeros(1, int), np.ones(1, int))),
    (ShapeError, "there are no comparisons", lambda: sample_preferences([[0.0, 1.0]], 0, rng=RNG)),
    (DataError, "scores contains NaN: scores[0, 1]",
     lambda: sample_preferences([[0.0, np.nan]], 3, rng=RNG)),
    (DataError, "features contains infinity (inf): features[0, 0, 0]",
     lambda: fit_bradley_terry(LINKED, features=[[[np.inf], [0.0]]])),
    (ShapeError, "log_reward_policy must be (2, 2), as log_base is; got (2,)",
     lambda: pecan_scores(np.zeros((2, 2)), np.zeros(2), {}, beta=1.0)),
    (ShapeError, "log π of 'safe' must be (2, 2), as log_base is; got (1, 2)",
     lambda: pecan_scores(np.zeros((2, 2)), np.zeros((2, 2)), {"safe": np.zeros((1, 2))}, beta=1.0)),
    (ShapeError, "scores must be (N, K) with K ≥ 2", lambda: sample_preferences([[1.0]], 3, rng=RNG)),
    (DomainError, "beta must be a number > 0, got 0",
     lambda: pecan_scores(np.zeros((1, 2)), np.zeros((1, 2)), {}, beta=0)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=[text for _, text, _ in MISUSE])
def test_misuse_is_named(kind, text, call):
    refused(kind, text, call)
