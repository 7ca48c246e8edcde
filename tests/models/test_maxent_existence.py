"""Verdicts: what no distribution has, what no density attains, and what was asked wrongly; by their texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from adjoint.errors import DomainError, DTypeError, ShapeError
from adjoint.models import DataError, Interval, MaxEnt, Verdict

DIE = np.arange(1, 7)


def shape(skewness: float, kurtosis: float, **more: Any) -> MaxEnt:
    moments = {"mean": 0.0, "variance": 1.0, "skewness": skewness, "kurtosis": kurtosis}
    return MaxEnt("line", moments=moments, **more).fit()


def vector(certificate: dict[str, Any]) -> NDArray[np.float64]:
    return np.concatenate([np.ravel(v) for v in certificate.values()])


# ---------------------------------------------------------------------------------------- finite sets
@pytest.mark.parametrize(("mean", "verdict"), [(6.5, Verdict.INFEASIBLE), (6.0, Verdict.BOUNDARY)])
def test_die_that_cannot_be(mean: float, verdict: Verdict) -> None:
    die = MaxEnt(DIE, moments=mean).fit()
    assert die.status_ is verdict
    u = die.certificate_["mean"]
    assert np.max(u * (DIE - mean)) == pytest.approx(6 - mean)  # the certificate: checked by hand
    with pytest.raises(DomainError, match="this MaxEnt has no density: " + verdict.value[:10]):
        die.predict(np.square)
    assert not hasattr(die, "multipliers_") and not hasattr(die, "probabilities_")


def test_texts_of_finite_verdicts() -> None:
    assert MaxEnt(DIE, moments=6.5).fit().message_ == (
        "infeasible: no distribution on these 6 points has these moments; along the certificate u, u·f(x) "
        "stays at least 0.5 below what the moments ask for"
    )
    square = np.array([[0.0, 0.0], [0, 1], [1, 0], [1, 1], [0.5, 0.5]])
    edge = MaxEnt(square, moments=[1.0, 0.3]).fit()
    assert edge.message_ == (
        "on the boundary: u·f(x) ≤ u·μ̂ on all of these 5 points, so that the mass has to lie where equality "
        "holds (face_: 2 of the points); no multipliers exist"
    )
    np.testing.assert_array_equal(edge.face_, square[:, 0] == 1)
    np.testing.assert_allclose(edge.certificate_["mean"], [1, 0], atol=1e-9)
    # on the face it is a problem with an answer
    face = MaxEnt(square[edge.face_], moments=[1.0, 0.3]).fit()
    assert face.status_ is Verdict.SOLVED
    np.testing.assert_allclose(face.probabilities_, [0.7, 0.3])


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_verdicts_of_random_polytopes(seed: int) -> None:
    """Inside: solved. Outside: a direction that separates. Never both, never NaN."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rng.integers(4, 12), 2))
    target = rng.normal(size=2)
    model = MaxEnt(X, moments=target).fit()
    if model.status_ is Verdict.SOLVED:
        np.testing.assert_allclose(model.probabilities_ @ X, target, atol=1e-8)
        assert np.all(model.probabilities_ > 0) and model.residuals_.hold()
    else:
        assert model.status_ is Verdict.INFEASIBLE
        u = model.certificate_["mean"]
        assert np.max((X - target) @ u) < 0


def test_near_the_boundary_is_still_inside() -> None:
    for gap in (1e-2, 1e-4, 1e-6):
        die = MaxEnt(DIE, moments=6 - gap).fit()
        assert die.status_ is Verdict.SOLVED, die.message_
        assert die.probabilities_[-2] == pytest.approx(gap, rel=2 * gap + 1e-8)


def test_bounds_move_the_boundary() -> None:
    assert MaxEnt(DIE, moments=6.5, within=0.4).fit().status_ is Verdict.INFEASIBLE
    assert MaxEnt(DIE, moments=6.5, within=0.5).fit().status_ is Verdict.BOUNDARY
    assert MaxEnt(DIE, moments=6.5, within=0.6).fit().status_ is Verdict.SOLVED


def test_contradictory_features() -> None:
    both = MaxEnt(DIE, features=lambda x: (x, 2 * x), moments=[4.5, 9.5]).fit()
    assert both.status_ is Verdict.INFEASIBLE
    u = both.certificate_["moments"]
    assert np.max(np.stack([DIE, 2 * DIE], 1) @ u) < np.array([4.5, 9.5]) @ u
    constant = MaxEnt("line", features=lambda x: (x, x**2, 0 * x + 1), moments=[0, 1, 2]).fit()
    assert constant.status_ is Verdict.INFEASIBLE
    impossible = MaxEnt([1.0, 2.0, 3.0], moments=2.9, prior=[1, 1, 0]).fit()
    assert impossible.status_ is Verdict.INFEASIBLE  # the only point above 2 has no mass


# ------------------------------------------------------------------------------------------- the line
def test_kurtosis_above_three_has_no_maximiser() -> None:
    model = shape(0.0, 3.5)
    assert model.status_ is Verdict.UNATTAINED
    assert model.message_ == (
        "no maximiser: the supremum 1.41894 of the entropy is not attained. The density that comes closest "
        "lacks the certificate's part of the moments, which only vanishing mass at the ends of the line "
        "could add"
    )
    np.testing.assert_allclose(vector(model.certificate_), [0, 0, 0, 0.5], atol=1e-9)
    assert model.bound_ == pytest.approx(0.5 * np.log(2 * np.pi * np.e))
    # truncated, it would be "solved": that the answer changes with the ends shows that it is none
    cut = [
        MaxEnt(Interval(-r, r), moments={"mean": 0, "variance": 1, "skewness": 0, "kurtosis": 3.5}).fit()
        for r in (8, 16)
    ]
    assert [m.status_ for m in cut] == [Verdict.SOLVED] * 2
    assert cut[0].entropy_ < cut[1].entropy_ < model.bound_


def test_kurtosis_of_three_is_gaussian_and_below_is_solved() -> None:
    normal = shape(0.0, 3.0)
    assert normal.status_ is Verdict.SOLVED and normal.multipliers_["kurtosis"] == 0
    flat = shape(0.0, 2.0)
    assert flat.status_ is Verdict.SOLVED and flat.residuals_.hold(1e-10)
    assert flat.predict(lambda x: x**4) == pytest.approx(2.0, abs=1e-10)
    bound = shape(0.0, 3.5, within={"kurtosis": 1.0})
    assert bound.status_ is Verdict.SOLVED and bound.multipliers_["kurtosis_lower"] == 0


@pytest.mark.parametrize(("skewness", "kurtosis"), [(0.5, 4.0), (-1.0, 4.0), (0.5, 10.0), (1.0, 2.1)])
def test_skewed_ones_have_a_second_mode_far_out(skewness: float, kurtosis: float) -> None:
    """With λ₃ ≠ 0 there is a maximiser for every feasible kurtosis; its far mode carries what is missing."""
    model = shape(skewness, kurtosis)
    assert model.status_ is Verdict.SOLVED, model.message_
    got = model.predict(lambda x: x[:, None] ** np.arange(1, 5))
    np.testing.assert_allclose(got, [0, 1, skewness, kurtosis], atol=1e-9)


@pytest.mark.parametrize(
    ("skewness", "kurtosis", "verdict"),
    [(0.0, 0.9, "INFEASIBLE"), (1.0, 1.9, "INFEASIBLE"), (0.0, 1.0, "BOUNDARY"), (1.0, 2.0, "BOUNDARY")],
)
def test_kurtosis_is_at_least_one_and_skewness_squared(
    skewness: float, kurtosis: float, verdict: str
) -> None:
    model = shape(skewness, kurtosis)
    assert model.status_ is Verdict[verdict], model.message_
    x = np.linspace(-50, 50, 200001)
    z = np.stack([x, x**2, x**3, x**4], axis=1)
    reach = (z - [0, 1, skewness, kurtosis]) @ vector(model.certificate_)
    assert np.max(reach) <= (1e-7 if verdict == "BOUNDARY" else -1e-4)
    if verdict == "BOUNDARY":
        modes = (-1, 1) if skewness == 0 else (-0.618, 1.618)  # roots of z² − skewness z − 1
        assert f"(near x = {modes[0]}, {modes[1]})" in model.message_


def test_odd_top_moment_has_none_unless_its_multiplier_is_zero() -> None:
    three = {"mean": 0.0, "variance": 1.0}
    skewed = MaxEnt("line", moments={**three, "skewness": 0.5}).fit()
    assert skewed.status_ is Verdict.UNATTAINED
    np.testing.assert_allclose(vector(skewed.certificate_), [0, 0, 0.5], atol=1e-9)
    straight = MaxEnt("line", moments={**three, "skewness": 0.0}).fit()
    assert straight.status_ is Verdict.SOLVED and straight.multipliers_["skewness"] == 0
    assert straight.multipliers_["variance"] == pytest.approx(0.5, abs=1e-10)


def test_spread_that_nothing_limits() -> None:
    for model in (
        MaxEnt("line"),
        MaxEnt("line", moments={"mean": 0.0}),
        MaxEnt("line", features=np.cos, moments=0.3),
        MaxEnt("half line"),
    ):
        assert model.fit().status_ is Verdict.UNBOUNDED
        assert model.message_.startswith("unbounded: no combination of the features makes a density on ")


# ------------------------------------------------------------------------------- half lines and intervals
def test_half_line_up_to_the_exponential() -> None:
    """With mean 1: variances above 1 are not attained; at 1 it is the exponential."""
    found = {v: MaxEnt("half line", moments={"mean": 1.0, "variance": v}).fit() for v in (0.5, 1.0, 2.0)}
    assert found[0.5].status_ is Verdict.SOLVED and found[0.5].multipliers_["variance"] > 0
    assert found[1.0].status_ is Verdict.SOLVED and found[1.0].multipliers_["variance"] == 0
    assert found[2.0].status_ is Verdict.UNATTAINED and found[2.0].bound_ == pytest.approx(1.0)
    np.testing.assert_allclose(vector(found[2.0].certificate_), [0, 1], atol=1e-9)


@pytest.mark.parametrize(
    ("support", "mean", "verdict"),
    [
        ("half line", -1.0, "INFEASIBLE"),
        ("half line", 0.0, "BOUNDARY"),
        (Interval(2, 3), 3.1, "INFEASIBLE"),
        (Interval(2, 3), 3.0, "BOUNDARY"),
        (Interval(2, 3), 2.99, "SOLVED"),
        (Interval(-np.inf, 0), 1.0, "INFEASIBLE"),
    ],
)
def test_means_outside_of_the_support(support: Any, mean: float, verdict: str) -> None:
    model = MaxEnt(support, moments={"mean": mean}).fit()
    assert model.status_ is Verdict[verdict]
    if verdict == "BOUNDARY":
        assert f"(near x = {mean:g})" in model.message_
    if mean == 3.1:
        assert "on [2, 3] has these moments" in model.message_ and "at least 0.1 below" in model.message_


def test_circle_moments_lie_in_the_disk() -> None:
    assert MaxEnt("circle", moments={"cos": 0.8, "sin": 0.7}).fit().status_ is Verdict.INFEASIBLE
    assert MaxEnt("circle", moments={"cos": 0.6, "sin": 0.8}).fit().status_ is Verdict.BOUNDARY
    narrow = MaxEnt("circle", moments={"cos": 0.59999, "sin": 0.79999}).fit()
    assert narrow.status_ is Verdict.SOLVED and narrow.residuals_.hold()


def test_poles_at_an_end() -> None:
    """E x^(−1/2) is 2 for the uniform density: less is attained, more is not."""
    found = {m: MaxEnt(Interval(0, 1), features=lambda x: x**-0.5, moments=m).fit() for m in (1.8, 2.0, 2.5)}
    assert [m.status_.name for m in found.values()] == ["SOLVED", "SOLVED", "UNATTAINED"]


def test_mass_beyond_float64_is_not_called_solved() -> None:
    from scipy.special import digamma

    moments = [digamma(0.5) - digamma(1.0)] * 2
    seen = MaxEnt(Interval(0, 1), features=lambda x: (np.log(x), np.log1p(-x)), moments=moments).fit()
    assert seen.status_ is Verdict.UNRESOLVED
    assert "of the mass is nearer to an end of [0, 1] than float64 numbers x are" in seen.message_
    named = MaxEnt(Interval(0, 1), moments={"log": moments[0], "log1m": moments[1]}).fit()
    assert named.status_ is Verdict.SOLVED
    np.testing.assert_allclose(vector(named.natural_parameters_), -0.5, atol=1e-9)


def test_steps_run_out() -> None:
    model = MaxEnt(DIE, moments=5.9, max_iter=2).fit()
    assert model.status_ is Verdict.STEPS
    assert model.message_.startswith("stopped after 2 steps at moments that are off by ")
    with pytest.raises(DomainError, match="has no density: stopped after 2 steps"):
        model.density(DIE)


# --------------------------------------------------------------------------------------------- misuse
@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: MaxEnt([]), ShapeError, "found 0 sample"),
        (lambda: MaxEnt([1.0, np.nan]), DataError, "X contains NaN"),
        (
            lambda: MaxEnt("plane"),
            DataError,
            "no support is called 'plane'; there are line, half line, circle",
        ),
        (lambda: Interval(2, 1), DataError, r"an interval needs low < high, got \(2, 1\)"),
        (lambda: MaxEnt(DIE, moments=np.nan), DataError, "moments contains NaN"),
        (
            lambda: MaxEnt(DIE, moments=[1.0, 2.0]),
            ShapeError,
            r"moments should be \(1,\), one per feature, got",
        ),
        (lambda: MaxEnt(DIE, features=np.square), DataError, "no moments are given, and no samples"),
        (
            lambda: MaxEnt(DIE, moments={"mode": 1}),
            DataError,
            "no moment is called 'mode'; there are mean, var",
        ),
        (
            lambda: MaxEnt(DIE, moments={"variance": 1}),
            DataError,
            "variance is about the mean, so it needs mean",
        ),
        (
            lambda: MaxEnt("line", moments={"mean": 0, "kurtosis": 2}),
            DataError,
            "kurtosis is about the mean, so it needs mean and variance",
        ),
        (
            lambda: MaxEnt("line", moments={"mean": 0, "variance": 0}),
            DataError,
            "a variance should be > 0, got 0",
        ),
        (
            lambda: MaxEnt(DIE, features={"a": np.square}, moments={"b": 1}),
            DataError,
            "moments names 'b'; the features are a",
        ),
        (
            lambda: MaxEnt(DIE, features={"a": 3}, moments={"a": 1}),
            DataError,
            "feature 'a' should be a function",
        ),
        (
            lambda: MaxEnt(DIE, features={"total": np.sin}, moments=1),
            DataError,
            "the name 'total' is that of Σp",
        ),
        (lambda: MaxEnt(DIE, features=3, moments=1), DataError, "features should be a function of x, named"),
        (
            lambda: MaxEnt(DIE, features=lambda x: x[:3], moments=1),
            ShapeError,
            r"feature 'moments' should give one row per point, \(6,\) or \(6, k\), got \(3,\)",
        ),
        (
            lambda: MaxEnt(DIE, features=lambda x: x * 1j, moments=1),
            DTypeError,
            "should be real numbers, got comp",
        ),
        (lambda: MaxEnt("line", features=np.log, moments=1), DataError, "feature 'moments' is nan at x = -"),
        (lambda: MaxEnt(DIE, moments=4.5, within=-1), DataError, "within should be ≥ 0, got -1"),
        (
            lambda: MaxEnt(DIE, moments=4.5, prior=[1, 2]),
            ShapeError,
            r"the prior should be \(6,\), one weight",
        ),
        (
            lambda: MaxEnt(DIE, moments=4.5, prior=np.zeros(6)),
            DataError,
            "the prior should be finite and ≥ 0, and",
        ),
        (
            lambda: MaxEnt("line", prior=[1, 2]),
            DataError,
            "the prior on a continuous support should be a function",
        ),
        (
            lambda: MaxEnt("line", prior=np.sin, moments={"mean": 0}),
            DataError,
            "the prior should be finite and ≥ 0",
        ),
        (lambda: MaxEnt("circle", moments={"mean": 0}), DataError, "feature 'mean' differs at −π and π"),
        (lambda: MaxEnt(DIE, moments=4.5, max_iter=0), DataError, "max_iter should be a number ≥ 1"),
    ],
)
def test_misuse_is_refused(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make().fit()


def test_misuse_of_samples() -> None:
    with pytest.raises(DataError, match="moments are given, and samples to take them from"):
        MaxEnt(DIE, moments=4.5).fit([1, 2, 3])
    with pytest.raises(DataError, match=r"X\[1\] = 2 is outside \[0, 1\]"):
        MaxEnt(Interval(0, 1), features=["mean"]).fit([0.5, 2.0])
    with pytest.raises(DataError, match="all samples are 3: their variance is 0"):
        MaxEnt("line", features=["mean", "variance"]).fit([3.0, 3.0])
    with pytest.raises(DataError, match="the prior underflows to 0 where the density needs it"):
        MaxEnt("line", moments={"mean": 50.0}, prior=lambda x: np.exp(-(x**2) / 2)).fit()
