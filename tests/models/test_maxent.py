"""Max-entropy densities against closed forms, other solvers, and their own sensitivities."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

import adjoint as ad
from adjoint.errors import DomainError, ShapeError
from adjoint.models import DataError, Interval, LogisticRegression, MaxEnt, NotFittedError, Verdict

DIE = np.arange(1, 7)
NORMAL = {"mean": 0.0, "variance": 1.0}


def solved(model: MaxEnt, tolerance: float = 1e-9) -> MaxEnt:
    """Fitted, with the four residuals that prove it."""
    model.fit()
    assert model.status_ is Verdict.SOLVED, model.message_
    assert model.residuals_.hold(tolerance), model.residuals_
    return model


# ------------------------------------------------------------------------------------------ closed forms
def test_loaded_die() -> None:
    die = solved(MaxEnt(DIE, moments=4.5))
    expected = [0.05435, 0.07877, 0.11416, 0.16545, 0.23977, 0.34749]
    np.testing.assert_allclose(die.probabilities_, expected, atol=5e-6)
    assert die.natural_parameters_["mean"] == pytest.approx(0.371049, abs=5e-7)
    assert die.multipliers_["mean"] == -die.natural_parameters_["mean"]
    assert die.n_iter_ <= 8
    # Boltzmann's form, to rounding
    weights = np.exp(die.natural_parameters_["mean"] * DIE)
    np.testing.assert_allclose(die.probabilities_, weights / weights.sum(), rtol=1e-13)
    assert die.log_partition_ == pytest.approx(np.log(weights.sum()), rel=1e-13)
    assert die.multipliers_["total"] == pytest.approx(np.log(weights.sum()) - 1, rel=1e-13)


def test_die_agrees_with_scipy() -> None:
    from scipy.optimize import minimize

    found = minimize(
        lambda p: np.sum(special.xlogy(p, p)),
        np.full(6, 1 / 6),
        jac=lambda p: np.log(p) + 1,
        constraints=[
            {"type": "eq", "fun": lambda p: np.sum(p) - 1},
            {"type": "eq", "fun": lambda p: p @ DIE - 4.5},
        ],
        bounds=[(1e-9, 1)] * 6,
        method="SLSQP",
        options={"ftol": 1e-15},
    )
    np.testing.assert_allclose(solved(MaxEnt(DIE, moments=4.5)).probabilities_, found.x, atol=2e-7)


def test_die_agrees_with_cvxpy() -> None:
    cvxpy = pytest.importorskip("cvxpy")
    p = cvxpy.Variable(6)
    mean = p @ DIE == 4.5
    problem = cvxpy.Problem(cvxpy.Minimize(-cvxpy.sum(cvxpy.entr(p))), [cvxpy.sum(p) == 1, mean])
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    die = solved(MaxEnt(DIE, moments=4.5))
    np.testing.assert_allclose(die.probabilities_, p.value, atol=1e-8)
    assert die.multipliers_["mean"] == pytest.approx(float(mean.dual_value), abs=1e-7)


a, b = 2.5, 0.7
CLOSED = {
    "gaussian": (
        MaxEnt("line", moments={"mean": 1.5, "variance": 4.0}),
        stats.norm(1.5, 2.0),
        {"mean": 0.0, "variance": -1 / 8},
    ),
    "gaussian from raw powers": (
        MaxEnt("line", features=lambda x: (x, x**2), moments=[3.0, 13.0]),
        stats.norm(3.0, 2.0),
        {"moments": [3 / 4, -1 / 8]},
    ),
    "exponential": (MaxEnt("half line", moments={"mean": 2.0}), stats.expon(scale=2.0), {"mean": -0.5}),
    "laplace": (MaxEnt("line", moments={"abs": 3.0}), stats.laplace(scale=3.0), {"abs": -1 / 3}),
    "uniform": (MaxEnt(Interval(1, 3)), stats.uniform(1, 2), {}),
    "uniform of its mean": (MaxEnt(Interval(1, 3), moments={"mean": 2.0}), stats.uniform(1, 2), {"mean": 0}),
    "beta": (
        MaxEnt(
            Interval(0, 1),
            moments={
                "log": special.digamma(a) - special.digamma(a + b),
                "log1m": special.digamma(b) - special.digamma(a + b),
            },
        ),
        stats.beta(a, b),
        {"log": a - 1, "log1m": b - 1},
    ),
    "gamma": (
        MaxEnt("half line", moments={"mean": a / 2, "log": special.digamma(a) - np.log(2)}),
        stats.gamma(a, scale=0.5),
        {"mean": -2.0, "log": a - 1},
    ),
    "von Mises": (
        MaxEnt(
            "circle",
            moments={
                "cos": special.i1(2) / special.i0(2) * np.cos(0.5),
                "sin": special.i1(2) / special.i0(2) * np.sin(0.5),
            },
        ),
        stats.vonmises(2.0, loc=0.5),
        {"cos": 2 * np.cos(0.5), "sin": 2 * np.sin(0.5)},
    ),
    "truncated Gaussian": (
        MaxEnt(
            Interval(0, 3),
            features={"x": lambda x: x, "square": lambda x: x**2},
            moments={
                "x": stats.truncnorm(-1, 2, 1, 1).mean(),
                "square": stats.truncnorm(-1, 2, 1, 1).moment(2),
            },
        ),
        stats.truncnorm(-1, 2, 1, 1),
        {"x": 1.0, "square": -0.5},
    ),
    "Cauchy": (
        MaxEnt("line", features=lambda x: np.log1p(x**2), moments=2 * np.log(2)),
        stats.cauchy(),
        {"moments": -1.0},
    ),
    "Laplace of another place, by a kink that no panel knows": (
        MaxEnt("line", features=lambda x: np.abs(x - 1 / 3), moments=1.0),
        stats.laplace(1 / 3, 1.0),
        {"moments": -1.0},
    ),
    "far away and narrow": (
        MaxEnt("line", moments={"mean": 5000.0, "variance": 1e-4}),
        stats.norm(5000.0, 0.01),
        {"mean": 0.0, "variance": -5000.0},
    ),
    "lower half line": (
        MaxEnt(Interval(-np.inf, 2), moments={"mean": 1.5}),
        stats.expon(scale=0.5),
        {"mean": 2.0},
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_recovers(name: str) -> None:
    model, expected, natural = CLOSED[name]
    solved(model)
    if name == "lower half line":
        x = np.array([-3.0, 0.0, 1.9])
        np.testing.assert_allclose(model.density(x), expected.pdf(2 - x), rtol=1e-9)
    else:
        x = expected.ppf([0.001, 0.1, 0.5, 0.77, 0.999])
        np.testing.assert_allclose(model.density(x), expected.pdf(x), rtol=1e-8)
    assert model.entropy_ == pytest.approx(float(expected.entropy()), abs=1e-8)
    for key, value in natural.items():
        got = np.asarray(model.natural_parameters_[key])
        np.testing.assert_allclose(got, value, rtol=1e-8, atol=1e-8)
        np.testing.assert_array_equal(got, -np.asarray(model.multipliers_[key]))


def test_jumps_are_resolved() -> None:
    """A quantile and a mean: two exponential pieces, whose integrals are known."""
    features = {"mean": lambda x: x, "below": lambda x: (x < 1.3).astype(float)}
    model = solved(MaxEnt("half line", features=features, moments={"mean": 2.0, "below": 0.2}))
    r, jump = model.multipliers_["mean"], np.exp(model.natural_parameters_["below"])
    low, high = -np.expm1(-1.3 * r) / r, np.exp(-1.3 * r) / r  # ∫ e^(−rx) below and above
    total = jump * low + high
    assert model.log_partition_ == pytest.approx(np.log(total), abs=1e-10)
    assert jump * low / total == pytest.approx(0.2, abs=1e-10)
    below, above = (1 / r - 1.3 * np.exp(-1.3 * r) / (1 - np.exp(-1.3 * r))), 1 / r + 1.3
    assert 0.2 * below + 0.8 * above == pytest.approx(2.0, abs=1e-9)


def test_prior_makes_an_i_projection() -> None:
    """Tilting N(0, 1) to mean 3 gives N(3, 1) at divergence 9/2."""
    model = solved(MaxEnt("line", moments={"mean": 3.0}, prior=stats.norm().pdf))
    x = np.linspace(0, 6, 7)
    np.testing.assert_allclose(model.density(x), stats.norm(3).pdf(x), rtol=1e-10)
    assert model.divergence_ == pytest.approx(4.5, abs=1e-11)
    assert model.entropy_ == pytest.approx(float(stats.norm().entropy()), abs=1e-11)
    logs = solved(MaxEnt("line", moments={"mean": 50.0}, log_prior=lambda x: -(x**2) / 2))
    assert logs.natural_parameters_["mean"] == pytest.approx(50.0, rel=1e-10)
    # x² outgrows the prior at λ = 1/2, where the integral stops to exist
    wide = solved(MaxEnt("line", features=np.square, moments=100.0, log_prior=lambda x: -(x**2) / 2))
    assert wide.natural_parameters_["moments"] == pytest.approx(0.5 - 1 / 200, rel=1e-9)


def test_a_prior_and_its_logarithm_are_one() -> None:
    for support in (np.arange(5.0), "half line"):
        plain, logs = (
            solved(MaxEnt(support, moments={"mean": 0.75}, **prior))
            for prior in ({"prior": lambda x: np.exp(-x)}, {"log_prior": lambda x: -x})
        )
        assert logs.multipliers_["mean"] == pytest.approx(plain.multipliers_["mean"], abs=1e-12)
    impossible = solved(MaxEnt([0.0, 1.0, 2.0], moments=0.5, log_prior=[0.0, 0.0, -np.inf]))
    np.testing.assert_allclose(impossible.probabilities_, [0.5, 0.5, 0.0], atol=1e-12)


def test_a_refit_without_a_density_keeps_nothing_of_the_one_before() -> None:
    model = solved(MaxEnt(np.arange(1, 7), moments=4.5))
    model.set_params(moments=6.5).fit()
    assert not any(hasattr(model, name) for name in ("entropy_", "multipliers_", "residuals_", "_problem_"))
    with pytest.raises(DomainError, match="has no density: infeasible"):
        model.sensitivity("mean")
    with pytest.raises(AttributeError, match="has no natural_parameters_: infeasible"):
        _ = model.natural_parameters_
    with pytest.raises(NotFittedError, match="not fitted yet"):
        MaxEnt(np.arange(1, 7), moments=4.5).sensitivity("mean")
    with pytest.raises(AttributeError, match="MaxEnt has no attribute 'entropy_'"):
        _ = MaxEnt(np.arange(1, 7), moments=4.5).entropy_
    assert pickle.loads(pickle.dumps(model)).message_ == model.message_


def test_prior_on_points() -> None:
    prior = np.array([1.0, 2.0, 0.0, 1.0])
    model = solved(MaxEnt([0.0, 1.0, 2.0, 3.0], moments=1.25, prior=prior))
    np.testing.assert_allclose(model.probabilities_, prior / 4, atol=1e-12)  # has the mean already
    assert model.probabilities_[2] == 0 and model.divergence_ == pytest.approx(-np.log(4))


# ------------------------------------------------------------------- the dual, its derivatives, sensitivities
@pytest.mark.parametrize(
    "model",
    [
        MaxEnt(DIE, features=lambda x: (x, x**2), moments=[4.5, 22.0]),
        MaxEnt(Interval(0, 1), moments={"mean": 0.4, "variance": 0.05}),
        MaxEnt("line", moments={**NORMAL, "skewness": 0.0, "kurtosis": 2.0}),
    ],
    ids=["die", "interval", "line"],
)
def test_closed_derivatives_are_the_librarys(model: MaxEnt) -> None:
    solved(model)
    lam = np.concatenate([np.ravel(v) for v in model.natural_parameters_.values()])
    moments = np.concatenate([np.ravel(v) for v in model.moments_.values()])
    np.testing.assert_allclose(ad.grad(model.dual)(lam), 0, atol=1e-11)
    assert model.dual(lam) == pytest.approx(model.log_partition_ - lam @ moments, abs=1e-10)

    def products(x: NDArray[np.float64]) -> NDArray[np.float64]:
        f = np.stack(list(model._table.columns(_sites(x)).values()), axis=-1).reshape(len(x), -1)
        return (f[:, :, None] * f[:, None, :]).reshape(len(x), -1)

    covariance = model.predict(products).reshape(len(lam), -1) - np.outer(moments, moments)
    np.testing.assert_allclose(ad.hessian(model.dual)(lam), covariance, rtol=1e-8, atol=1e-9)


def _sites(x: NDArray[np.float64]) -> object:
    from adjoint.models.maxent_supports import Sites

    return Sites(x, x, x)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda m: MaxEnt(DIE, moments=4.5 + m), "mean"),
        (lambda m: MaxEnt(Interval(0, 1), moments={"log": -0.9 + m, "log1m": -1.4}), "log"),
        (
            lambda m: MaxEnt("line", features={"a": np.abs, "b": np.square}, moments={"a": 1 + m, "b": 1.7}),
            "a",
        ),
        (lambda m: MaxEnt("circle", moments={"cos": 0.4, "sin": 0.2 + m}), "sin"),
    ],
)
def test_sensitivity_is_that_of_solving_again(make: object, name: str) -> None:
    """dH*/dμ̂ = −λ; in the library's convention d(−H*)/dμ̂ = −ν."""
    h = 1e-4
    high, low, here = (solved(make(m)) for m in (h, -h, 0.0))  # type: ignore[operator]
    slope = (high.entropy_ - low.entropy_) / (2 * h)
    assert slope == pytest.approx(-here.natural_parameters_[name], abs=1e-6)
    assert here.sensitivity(name) == pytest.approx(-slope, abs=1e-6)
    assert abs(slope) > 0.05  # else anything would pass


# ------------------------------------------------------------------------------------------ bounded moments
def test_bounds_have_two_multipliers() -> None:
    model = solved(MaxEnt(DIE, moments=4.5, within=0.2))
    at_bound = solved(MaxEnt(DIE, moments=4.3))
    np.testing.assert_allclose(model.probabilities_, at_bound.probabilities_, rtol=1e-10)
    assert model.multipliers_["mean_upper"] == 0
    assert model.multipliers_["mean_lower"] == pytest.approx(at_bound.natural_parameters_["mean"], rel=1e-10)
    assert model.moments_["mean"] == pytest.approx(4.3, abs=1e-12)
    below = solved(MaxEnt(DIE, moments=2.5, within=0.2))
    assert below.multipliers_["mean_upper"] == pytest.approx(model.multipliers_["mean_lower"], rel=1e-10)
    assert below.multipliers_["mean_lower"] == 0
    slack = solved(MaxEnt(DIE, moments=4.5, within=2.0))
    assert slack.multipliers_["mean_upper"] == slack.multipliers_["mean_lower"] == 0
    np.testing.assert_allclose(slack.probabilities_, 1 / 6)


def test_bounds_are_shadow_prices() -> None:
    """Widening ε by db buys entropy at the price μ."""
    h = 1e-4
    wide, narrow = (solved(MaxEnt(DIE, moments=4.5, within=0.2 + s)) for s in (h, -h))
    model = solved(MaxEnt(DIE, moments=4.5, within=0.2))
    slope = (wide.entropy_ - narrow.entropy_) / (2 * h)
    assert slope == pytest.approx(model.multipliers_["mean_lower"], abs=1e-7)
    assert model.sensitivity("mean_lower") == pytest.approx(-slope, abs=1e-7)


def test_bounds_agree_with_cvxpy() -> None:
    cvxpy = pytest.importorskip("cvxpy")
    datasets = pytest.importorskip("sklearn.datasets")
    X = datasets.load_wine().data[:, :5]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    target, within = X[:40].mean(axis=0), np.array([0.1, 0.05, 0.2, 0.0, 0.3])
    model = solved(MaxEnt(X, moments=target, within=within))
    p = cvxpy.Variable(len(X))
    rows = [p @ X <= target + within, p @ X >= target - within, cvxpy.sum(p) == 1]
    problem = cvxpy.Problem(cvxpy.Minimize(-cvxpy.sum(cvxpy.entr(p))), rows)
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    np.testing.assert_allclose(model.probabilities_, p.value, atol=1e-8)
    upper, lower = model.multipliers_["mean_upper"], model.multipliers_["mean_lower"]
    np.testing.assert_allclose(upper - lower, rows[0].dual_value - rows[1].dual_value, atol=1e-6)
    assert np.sum((upper == 0) & (lower == 0)) in (1, 2, 3)  # some bind, some do not


# ----------------------------------------------------------------------------------- what a density is for
def test_expectations_of_functions() -> None:
    normal = solved(MaxEnt("line", moments=NORMAL))
    powers = normal.predict(lambda x: x[:, None] ** np.array([2, 4, 20]))
    np.testing.assert_allclose(powers, [1, 3, 654729075], rtol=1e-9)
    assert normal.predict(lambda x: x > 1.0) == pytest.approx(stats.norm.sf(1.0), abs=1e-10)
    die = solved(MaxEnt(DIE, moments=4.5))
    assert die.predict(lambda x: x**2) == pytest.approx(float(die.probabilities_ @ DIE**2))
    np.testing.assert_array_equal(die.predict([6.0, 7.0, 1.5]), [die.probabilities_[-1], 0, 0])
    cauchy = solved(MaxEnt("line", features=lambda x: np.log1p(x**2), moments=2 * np.log(2)))
    with pytest.raises(
        DomainError, match="the mean of this function does not exist: it outgrows the density"
    ):
        cauchy.predict(np.square)


def test_density_outside_is_zero_and_angles_wrap() -> None:
    unit = solved(MaxEnt(Interval(0, 1), moments={"mean": 0.3}))
    np.testing.assert_array_equal(unit.density([-0.1, 1.1]), 0)
    assert unit.score([0.5, 2.0]) == -np.inf
    round_ = solved(MaxEnt("circle", moments={"cos": 0.3, "sin": 0.1}))
    np.testing.assert_allclose(round_.density([1.0]), round_.density([1.0 + 2 * np.pi]), rtol=1e-13)


@pytest.mark.parametrize("name", ["gaussian", "beta", "von Mises", "exponential", "Cauchy"])
def test_samples_have_the_density(name: str) -> None:
    model, expected, _ = CLOSED[name]
    solved(model)
    x = model.sample(20000, random_state=0)
    assert stats.kstest(x, expected.cdf).pvalue > 1e-3
    np.testing.assert_array_equal(x[:5], model.sample(20000, random_state=0)[:5])


def test_samples_of_points() -> None:
    die = solved(MaxEnt(DIE, moments=4.5))
    counts = np.bincount(die.sample(60000, random_state=1).astype(int), minlength=7)[1:]
    assert stats.chisquare(counts, 60000 * die.probabilities_).pvalue > 1e-3
    plane = solved(MaxEnt([[0, 0], [1, 0], [0, 1]], moments=[0.5, 0.25]))
    assert plane.sample(7, random_state=0).shape == (7, 2)
    np.testing.assert_allclose(plane.probabilities_, [0.25, 0.5, 0.25])


def test_fit_to_samples() -> None:
    x = np.random.default_rng(0).gamma(3.0, 2.0, 500)
    model = MaxEnt("half line", features=["mean", "log"]).fit(x)
    assert model.status_ is Verdict.SOLVED
    shape, _, scale = stats.gamma.fit(x, floc=0)
    assert model.natural_parameters_["log"] + 1 == pytest.approx(shape, rel=1e-5)
    assert -1 / model.natural_parameters_["mean"] == pytest.approx(scale, rel=1e-5)
    # the fitted one is the likeliest of its family
    assert model.score(x) == pytest.approx(
        float(np.mean(stats.gamma(shape, scale=scale).logpdf(x))), abs=1e-9
    )
    central = MaxEnt("line", features=["mean", "variance"]).fit(x[:, None])
    assert central.entropy_ == pytest.approx(stats.norm(x.mean(), x.std()).entropy())


def test_iris_moments_are_met() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    X = datasets.load_iris().data
    target = X[:50].mean(axis=0) * 0.3 + X[50:].mean(axis=0) * 0.7
    model = solved(MaxEnt(X, moments=target))
    np.testing.assert_allclose(model.probabilities_ @ X, target, rtol=1e-12)
    np.testing.assert_allclose(
        np.log(model.probabilities_) - X @ model.natural_parameters_["mean"], -model.log_partition_, rtol=1e-9
    )


def test_collinear_features_share_their_multipliers() -> None:
    model = solved(MaxEnt(DIE, features=lambda x: (x, 2 * x, 0 * x + 1), moments=[4.5, 9.0, 1.0]))
    lam = model.natural_parameters_["moments"]
    assert lam[0] + 2 * lam[1] == pytest.approx(0.3710489, abs=1e-7)
    np.testing.assert_allclose(model.probabilities_ @ DIE, 4.5)


def test_pickles_and_clones() -> None:
    model = MaxEnt(Interval(0, 1), moments={"mean": 0.3})
    again = pickle.loads(pickle.dumps(model.set_params(max_iter=50)))
    assert repr(again) == "MaxEnt(support=Interval(low=0, high=1), moments={'mean': 0.3}, max_iter=50)"
    assert solved(again).get_params()["max_iter"] == 50


# ------------------------------------------------------------------------------------- logistic regression
def _pairs(X: NDArray[np.float64], y: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features of all (sample, class) pairs, class 0 the reference, and their sums over the observed ones."""
    n, k = len(X), int(y.max()) + 1
    Z = np.concatenate([np.ones((n, 1)), X], axis=1)
    pairs = np.zeros((n, k, n + (k - 1) * Z.shape[1]))
    pairs[np.arange(n), :, np.arange(n)] = 1.0  # each sample has 1/n of the mass
    for c in range(1, k):
        start = n + (c - 1) * Z.shape[1]
        pairs[:, c, start : start + Z.shape[1]] = Z
    return pairs.reshape(n * k, -1), pairs[np.arange(n), y].mean(axis=0)


def test_logistic_regression_is_the_same_dual() -> None:
    """Multinomial likelihood = entropy of labels under the features' means: λ are the coefficients."""
    datasets = pytest.importorskip("sklearn.datasets")
    data = datasets.load_wine()
    X, y = data.data[::4, 1:3], data.target[::4]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    rows, moments = _pairs(X, y)
    points = np.arange(len(rows))
    model = solved(MaxEnt(points, features=lambda i: rows[i.astype(int)], moments=moments))
    likelihood = LogisticRegression(C=np.inf).fit(X, y)
    coefficients = model.natural_parameters_["moments"][len(X) :].reshape(2, 3)
    contrasts = likelihood.coef_[1:] - likelihood.coef_[0]
    np.testing.assert_allclose(coefficients[:, 1:], contrasts, rtol=1e-7)
    np.testing.assert_allclose(
        coefficients[:, 0], likelihood.intercept_[1:] - likelihood.intercept_[0], rtol=1e-7
    )
    conditional = model.probabilities_.reshape(-1, 3) * len(X)
    np.testing.assert_allclose(conditional, likelihood.predict_proba(X), atol=1e-9)
    # separable classes: the likelihood has no maximum, and the moments lie on the boundary
    iris = datasets.load_iris()
    apart, moments = _pairs(iris.data[:100:5], iris.target[:100:5])
    separable = MaxEnt(np.arange(len(apart)), features=lambda i: apart[i.astype(int)], moments=moments).fit()
    assert separable.status_ is Verdict.BOUNDARY


# ------------------------------------------------------------------------------------------ scikit-learn
def test_the_rows_are_the_support_by_default() -> None:
    """So scikit-learn's checks, which fit (n, p) data, apply: they run in test_manners.py."""
    X = np.random.default_rng(0).normal(size=(20, 3))
    uniform = MaxEnt().fit(X)
    np.testing.assert_allclose(uniform.probabilities_, 1 / 20)
    balanced = MaxEnt(moments=X[:10].mean(axis=0)).fit(X)
    np.testing.assert_allclose(balanced.probabilities_ @ X, X[:10].mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(balanced.predict(X), balanced.probabilities_)


def test_not_fitted() -> None:
    with pytest.raises(NotFittedError, match="this MaxEnt is not fitted yet"):
        MaxEnt(DIE).predict(np.square)
    with pytest.raises(ShapeError, match="X has 2 features, but MaxEnt is expecting 1 features"):
        MaxEnt(DIE, moments=4.5).fit().density(np.zeros((3, 2)))
    with pytest.raises(DataError, match="fit requires X to be passed"):
        MaxEnt().fit()
