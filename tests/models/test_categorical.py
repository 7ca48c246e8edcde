"""Counts under Σp = 1: the closed form, the multiplier as a sensitivity, categories never seen."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from adjoint.errors import ShapeError
from adjoint.models import Categorical, DataError, NotFittedError

from .harness import refused

LABELS = np.array(["a", "b", "a", "c", "a", "b"])


def test_closed_form():
    model = Categorical().fit(LABELS)
    assert model.probabilities_.tolist() == [3 / 6, 2 / 6, 1 / 6]
    assert model.multipliers_["sum"] == 6.0 and not model.multipliers_["nonnegative"].any()
    assert model.residuals_.hold(1e-15)
    assert_allclose(model.objective_, -len(LABELS) * model.score(LABELS))


def test_multiplier_is_what_more_probability_buys():
    """Σp = 1 + b has p = (1 + b) n/N, so df*/db = −N."""
    counts, h = np.array([3.0, 2.0, 1.0]), 1e-5
    f = [-np.sum(counts * np.log((1 + b) * counts / 6)) for b in (-h, h)]
    assert_allclose(Categorical().fit(LABELS).sensitivity("sum"), (f[1] - f[0]) / (2 * h), rtol=1e-8)


def test_category_never_seen_has_the_price_of_forcing_it():
    """p_d ≥ b for a category that was not seen: df*/db = μ_d = Σn, since the others shrink."""
    model = Categorical(categories=["a", "b", "c", "d"]).fit(LABELS)
    assert model.probabilities_[3] == 0.0
    assert model.multipliers_["nonnegative"].tolist() == [0, 0, 0, 6]
    counts, b = np.array([3.0, 2.0, 1.0]), 1e-6
    forced = -np.sum(counts * np.log((1 - b) * counts / 6))
    assert_allclose((forced - model.objective_) / b, 6.0, rtol=1e-5)
    assert model.residuals_.hold(1e-15)
    assert (
        model.score(["d"]) == -np.inf
        and Categorical(1.0, categories=list("abcd")).fit(LABELS).score(["d"]) > -3
    )


def test_agrees_with_scipy():
    minimize = pytest.importorskip("scipy.optimize").minimize
    counts = np.array([3.0, 2.0, 1.0])
    found = minimize(
        lambda p: -np.sum(counts * np.log(p)),
        np.full(3, 1 / 3),
        constraints={"type": "eq", "fun": lambda p: np.sum(p) - 1},
        bounds=[(1e-9, 1)] * 3,
        options={"ftol": 1e-14},
    )
    assert_allclose(Categorical().fit(LABELS).probabilities_, found.x, atol=1e-5)


def test_weights_and_pseudo_counts():
    weighted = Categorical().fit(["a", "b"], sample_weight=[3, 1])
    assert weighted.probabilities_.tolist() == [0.75, 0.25]
    assert Categorical(1.0, categories=[0, 1]).fit(np.empty(0, int)).probabilities_.tolist() == [0.5, 0.5]


MISUSE = [
    (DataError, "no labels and no categories", lambda: Categorical().fit([])),
    (DataError, "no labels were seen: every p is as likely", lambda: Categorical(categories=[1]).fit([])),
    (DataError, "'z' is none of the categories ['a', ", lambda: Categorical().fit(LABELS).score(["z"])),
    (DataError, "9 is none of the categories [1, 2]", lambda: Categorical(categories=[1, 2]).fit([1, 9])),
    (DataError, "pseudo_count should be a number ≥ 0, got -1", lambda: Categorical(-1).fit(LABELS)),
    (DataError, "sample_weight must", lambda: Categorical().fit(LABELS, None, 0 * np.ones(6))),
    (ShapeError, "labels should be (n,), got shape (6, 1)", lambda: Categorical().fit(LABELS[:, None])),
    (NotFittedError, "this Categorical is not fitted yet", lambda: Categorical().predict_proba(["a"])),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), MISUSE, ids=[text for _, text, _ in MISUSE])
def test_misuse_is_named(kind, text, call):
    refused(kind, text, call)


def test_scikit_learn_can_clone_and_read_it():
    """Its checks feed matrices of features, which this model has not; cloning, parameters and tags apply."""
    base, tags = pytest.importorskip("sklearn.base"), pytest.importorskip("sklearn.utils")
    model = Categorical(0.5, categories=("a", "b"))
    assert base.clone(model).get_params() == model.get_params()
    assert tags.get_tags(model).estimator_type == "density_estimator"
