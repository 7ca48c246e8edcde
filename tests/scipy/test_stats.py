"""adjoint.scipy.stats: values and broadcasting are SciPy's; derivatives by checks and closed forms."""

from __future__ import annotations

import importlib
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.stats

import adjoint as ad
import adjoint.scipy.stats as stats
import adjoint.scipy.stats.multivariate_normal as mvn
from adjoint import check
from adjoint.ops import pseudoinverse

RNG = np.random.default_rng(2)
COLUMN, ROW, FULL = (3, 1), (4,), (3, 4)


def positive(*shape: int) -> Any:
    return RNG.uniform(0.3, 2.5, shape)


class Family(NamedTuple):
    """A distribution: its methods, operands that broadcast to (3, 4), and which of them have a derivative."""

    name: str
    methods: str
    args: tuple[Any, ...]
    smooth: tuple[int, ...]
    fixed: tuple[int, ...] = ()  # refused by cdf and logcdf


X = RNG.normal(size=COLUMN)
COUNTS = np.array([[0.0], [1.0], [2.0]])
FAMILIES = [
    Family("norm", "logpdf pdf cdf logcdf sf logsf", (X, RNG.normal(size=ROW), positive(*FULL)), (0, 1, 2)),
    Family("gamma", "logpdf pdf cdf", (3 * positive(*COLUMN), positive(*ROW), 0.1, 1.3), (0, 1, 2, 3), (1,)),
    Family("chi2", "logpdf pdf cdf", (3 * positive(*COLUMN), positive(*ROW), 0.1, 1.3), (0, 1, 2, 3), (1,)),
    Family(
        "beta",
        "logpdf pdf cdf",
        (RNG.uniform(0.1, 0.9, COLUMN), positive(*ROW), positive(*FULL), -0.05, 1.1),
        (0, 1, 2, 3, 4),
        (1, 2),
    ),
    Family("t", "logpdf pdf cdf logcdf", (X, positive(*ROW) + 1, 0.3, 1.2), (0, 1, 2, 3), (1,)),
    Family("expon", "logpdf pdf", (positive(*COLUMN), -0.3, positive(*ROW)), (0, 1, 2)),
    Family("laplace", "logpdf pdf", (X, -0.3, positive(*ROW)), (0, 1, 2)),
    Family("lognorm", "logpdf pdf", (positive(*COLUMN), positive(*ROW), -0.2, 1.2), (0, 1, 2, 3)),
    Family("vonmises", "logpdf pdf", (X, positive(*ROW), 0.3, 1.2), (0, 1, 2, 3)),
    Family("bernoulli", "logpmf pmf", (COUNTS, RNG.uniform(0.1, 0.9, ROW)), (1,)),
    Family("binom", "logpmf pmf", (COUNTS, np.array([3, 4, 2, 6]), RNG.uniform(0.1, 0.9, ROW)), (2,)),
    Family("poisson", "logpmf pmf cdf", (COUNTS, positive(*ROW)), (1,)),
]
each_method = pytest.mark.parametrize(
    ("family", "method"),
    [(f, m) for f in FAMILIES for m in f.methods.split()],
    ids=lambda p: p.name if isinstance(p, Family) else p,
)


def pair(family: Family, method: str) -> tuple[Any, Any]:
    return getattr(getattr(stats, family.name), method), getattr(getattr(scipy.stats, family.name), method)


def smooth(family: Family, method: str) -> tuple[int, ...]:
    return tuple(k for k in family.smooth if "cdf" not in method or k not in family.fixed)


def finite(f: Any, family: Family, where: tuple[int, ...]) -> Any:
    """f of the operands at some places, with the values −∞ left out."""

    def restricted(*given: Any) -> Any:
        args = list(family.args)
        for k, v in zip(where, given, strict=True):
            args[k] = v
        z = f(*args)
        z = np.where(np.isfinite(z), z, 0.0)
        return z * (1 + z)  # bent: a second derivative that vanishes would be a test of rounding

    return restricted


# -------------------------------------------------------------------------------- every method
@each_method
def test_value_is_scipys(family: Family, method: str) -> None:
    ours, theirs = pair(family, method)
    np.testing.assert_allclose(ours(*family.args), theirs(*family.args), rtol=1e-12, atol=1e-15)
    assert ours(*family.args).shape == FULL
    one = [float(np.ravel(a)[-1]) for a in family.args]
    np.testing.assert_allclose(ours(*one), theirs(*one), rtol=1e-12)
    assert isinstance(ours(*one), np.float64)
    assert ours(family.args[0][:0], *one[1:]).shape == (0, 1)
    listed = [np.asarray(a).tolist() for a in family.args]
    np.testing.assert_array_equal(ours(*listed), ours(*family.args))


@each_method
def test_location_and_scale_have_scipys_names_and_defaults(family: Family, method: str) -> None:
    ours, theirs = pair(family, method)
    shapes = family.args[: 1 + (getattr(scipy.stats, family.name).numargs)]
    np.testing.assert_allclose(ours(*shapes), theirs(*shapes), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(ours(*shapes, loc=-1), theirs(*shapes, loc=-1), rtol=1e-12, atol=1e-15)
    if "pmf" not in method and family.name != "poisson":
        named = {"loc": -1, "scale": 2.5}
        np.testing.assert_allclose(ours(*shapes, **named), theirs(*shapes, **named), rtol=1e-12)


@each_method
def test_derivatives(family: Family, method: str) -> None:
    ours, _ = pair(family, method)
    where = smooth(family, method)
    check.gradients(finite(ours, family, where), [family.args[k] for k in where]).raise_on_failure()


@each_method
def test_float32_is_kept(family: Family, method: str) -> None:
    ours, _ = pair(family, method)
    args = [np.asarray(a, np.float32) if np.ndim(a) else a for a in family.args]
    z = ours(*args)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, ours(*family.args), rtol=2e-4, atol=2e-5)
    for k in smooth(family, method):
        if np.ndim(args[k]):
            gradient = ad.grad(lambda *a: np.sum(np.where(np.isfinite(ours(*a)), ours(*a), 0.0)), k)(*args)
            assert gradient.dtype == np.float32 and np.isfinite(gradient).all()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_compiled(family: Family) -> None:
    """All methods of a distribution with their gradients, in one program, without falling silent anywhere."""
    args = [np.asarray(a, float) for a in family.args]

    def program(*args: Any) -> Any:
        found = []
        for method in family.methods.split():
            f, _ = pair(family, method)
            g = lambda *a, f=f: np.sum(np.where(np.isfinite(f(*a)), f(*a), 0.0))  # noqa: E731
            found.append((f(*args), ad.grad(g, smooth(family, method))(*args)))
        return found

    compiled = ad.compile(program)
    for (z, gradients), (expected, by_hand) in zip(compiled(*args), program(*args), strict=True):
        np.testing.assert_allclose(z, expected, rtol=1e-12, atol=1e-15)
        for a, b in zip(gradients, by_hand, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    by_numpy = {line.split()[2] for line in repr(compiled.explain()).splitlines() if "by NumPy: " in line}
    assert by_numpy <= {
        "betaln",
        "betainc",
        "gammainc",
        "gammaincc",
        "i0",
        "i1",
        "i0e",
        "i1e",
        "stdtr",
        "log_stdtr",
    }
    assert not by_numpy or family.name not in ("norm", "expon", "laplace", "lognorm", "bernoulli")


# -------------------------------------------------------------------------------- support and parameters
BEYOND = [
    ("gamma", (-0.5, 1.7)),
    ("chi2", (-0.5, 3.0)),
    ("beta", (-0.5, 0.7, 1.2)),
    ("beta", (1.5, 0.7, 1.2)),
    ("expon", (-0.5,)),
    ("lognorm", (-0.5, 0.7)),
    ("lognorm", (0.0, 0.7)),
    ("bernoulli", (2.0, 0.3)),
    ("bernoulli", (0.5, 0.3)),
    ("binom", (4, 3, 0.3)),
    ("binom", (1.5, 3, 0.3)),
    ("poisson", (-1.0, 0.3)),
    ("poisson", (1.5, 0.3)),
]


@pytest.mark.parametrize(("name", "args"), BEYOND)
def test_beyond_the_support(name: str, args: tuple[float, ...]) -> None:
    """Log density −∞, density 0, and derivatives 0 to second order in every operand: no NaN, no warning."""
    ours, theirs = getattr(stats, name), getattr(scipy.stats, name)
    kind = "pmf" if hasattr(theirs, "pmf") else "pdf"
    args = tuple(map(float, args))
    everything = tuple(range(len(args)))
    for method, expected in ((f"log{kind}", -np.inf), (kind, 0.0)):
        f = getattr(ours, method)
        assert f(*args) == getattr(theirs, method)(*args) == expected
        assert ad.grad(f, everything)(*args) == (0.0,) * len(args)
        for k in everything:
            assert ad.grad(lambda *a, f=f, k=k: ad.grad(f, k)(*a), everything)(*args) == (0.0,) * len(args)
    if name in ("gamma", "chi2", "beta"):
        assert ours.cdf(*args) == theirs.cdf(*args)
        assert ad.grad(ours.cdf)(*args) == 0.0


def test_some_inside_and_some_beyond() -> None:
    x = np.array([-1.0, 0.5, 2.0])
    gradient = ad.grad(lambda s: np.sum(np.where(x > 0, stats.expon.logpdf(x, 0.0, s), 0.0)))(2.0)
    assert gradient == pytest.approx(-1 + 2.5 / 4)
    np.testing.assert_allclose(ad.grad(lambda x: np.sum(stats.expon.pdf(x)))(x), [0, *-np.exp(-x[1:])])


INVALID = [
    ("norm", "logpdf", (0.3, 0.0, -1.0)),
    ("norm", "cdf", (0.3, 0.0, -1.0)),
    ("gamma", "logpdf", (0.3, -1.0)),
    ("gamma", "pdf", (-0.3, -1.0)),
    ("beta", "cdf", (0.3, 1.0, -1.0)),
    ("t", "logpdf", (0.3, -1.0)),
    ("lognorm", "logpdf", (-0.3, -1.0)),
    ("vonmises", "logpdf", (0.3, -1.0)),
    ("bernoulli", "logpmf", (5.0, 1.5)),
    ("binom", "logpmf", (1.0, 2.5, 0.5)),
    ("poisson", "logpmf", (1.0, -2.5)),
    ("norm", "logpdf", (np.nan,)),
    ("gamma", "pdf", (np.nan, 2.0)),
    ("beta", "cdf", (np.nan, 2.0, 2.0)),
]


@pytest.mark.parametrize(("name", "method", "args"), INVALID)
def test_invalid_parameters_give_nan(name: str, method: str, args: tuple[float, ...]) -> None:
    assert np.isnan(getattr(getattr(scipy.stats, name), method)(*args))
    assert np.isnan(getattr(getattr(stats, name), method)(*args))


def test_ends_of_the_support() -> None:
    """There a density is a power, with the derivatives of one."""
    assert [stats.gamma.pdf(0.0, a) for a in (1.0, 2.0)] == [1.0, 0.0]
    assert ad.grad(stats.gamma.pdf)(0.0, 1.0) == -1.0
    assert ad.grad(ad.grad(stats.gamma.pdf))(0.0, 2.0) == -2.0
    assert ad.grad(stats.chi2.pdf)(0.0, 4) == 0.25
    assert ad.grad(stats.beta.pdf)(0.0, 2.0, 3.0) == pytest.approx(12, rel=1e-14)
    assert ad.grad(stats.beta.pdf)(1.0, 2.0, 2.0) == pytest.approx(-6, rel=1e-14)
    assert ad.grad(stats.gamma.logpdf)(0.0, 1.0) == -1.0
    assert ad.grad(stats.bernoulli.logpmf, 1)(0.0, 0.0) == -1.0
    assert ad.grad(stats.binom.logpmf, 2)(3.0, 3.0, 1.0) == 3.0
    assert ad.grad(stats.poisson.logpmf, 1)(0.0, 0.0) == -1.0
    assert stats.gamma.logpdf(0.0, 0.5) == np.inf


def test_mixed_derivative_where_the_shape_is_whole() -> None:
    """∂²/∂x∂a of x^(a−1) e^(−x)/Γ(a) at a = 1: e^(−x) (1/x − log x − γ)."""
    mixed = ad.grad(lambda a: ad.grad(stats.gamma.pdf)(2.0, a))(1.0)
    assert mixed == pytest.approx(math.exp(-2) * (0.5 - math.log(2) - np.euler_gamma), rel=1e-13)


# -------------------------------------------------------------------------------- tails
def test_normal_tails() -> None:
    x = np.array([-1e4, -40.0, -5.0])
    gradient = ad.grad(lambda x: np.sum(stats.norm.logcdf(x)))(x)
    expected = np.exp(scipy.stats.norm.logpdf(x[1:]) - scipy.stats.norm.logcdf(x[1:]))
    np.testing.assert_allclose(gradient[1:], expected, rtol=1e-12)
    assert gradient[0] == pytest.approx(1e4 + 1e-4, rel=1e-15)
    np.testing.assert_allclose(ad.grad(lambda x: np.sum(stats.norm.logsf(x)))(-x), -gradient, rtol=1e-14)
    assert ad.grad(stats.norm.logcdf, 2)(-80.0, 0.0, 2.0) == pytest.approx(
        40 / 2 * (40 + 1 / 40), rel=1e-5
    )  # −x/scale² φ/Φ


def test_students_tail_below_the_least_float() -> None:
    assert scipy.stats.t.cdf(-1e120, 3) == 0.0
    assert stats.t.logcdf(-1e120, 3) == pytest.approx(
        -3 * math.log(1e120) + math.log(9 * math.gamma(2) / (3 * math.sqrt(3 * math.pi) * math.gamma(1.5))),
        rel=1e-13,
    )
    assert ad.grad(stats.t.logcdf)(-1e100, 3) == pytest.approx(3e-100, rel=1e-12)


def test_von_mises_of_large_concentration_is_normal() -> None:
    kappa = 1e8
    assert stats.vonmises.logpdf(1e-4, kappa) == pytest.approx(
        scipy.stats.norm.logpdf(1e-4, scale=kappa**-0.5), abs=1e-8
    )
    assert ad.grad(stats.vonmises.logpdf, 1)(0.0, kappa) == pytest.approx(0.5 / kappa, rel=1e-6)
    assert ad.grad(stats.vonmises.logpdf, 1)(0.3, 0.0) == pytest.approx(math.cos(0.3))


# -------------------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("family", "method"),
    [(f, m) for f in FAMILIES if f.fixed for m in f.methods.split() if "cdf" in m],
    ids=lambda p: p.name if isinstance(p, Family) else p,
)
def test_shape_parameters_without_derivative_are_refused_by_name(family: Family, method: str) -> None:
    ours, _ = pair(family, method)
    for k in family.fixed:
        with pytest.raises(ad.DTypeError, match="cannot be differentiated with respect to its"):
            ad.grad(lambda *a: np.sum(ours(*a)), k)(*family.args)


def test_what_is_counted_has_derivative_zero() -> None:
    for f in (stats.poisson.cdf, stats.poisson.logpmf):
        counted, mean = ad.grad(f, (0, 1))(2.0, 1.5)
        assert counted == 0.0 and mean != 0.0
    assert ad.grad(stats.binom.logpmf, (0, 1))(2.0, 5.0, 0.5) == (0.0, 0.0)


@pytest.mark.parametrize("name", [*(f.name for f in FAMILIES), "dirichlet", "multivariate_normal"])
def test_both_forms_of_import(name: str) -> None:
    module = importlib.import_module(f"adjoint.scipy.stats.{name}")
    assert getattr(stats, name) is module
    assert {m for m in module.__all__ if not hasattr(getattr(scipy.stats, name), m)} == set()
    assert module.rvs(*{"dirichlet": ([1.0, 2.0],)}.get(name, _shapes(name)), random_state=0) is not None
    assert {"rvs", *module.__all__} <= set(dir(module))


def _shapes(name: str) -> tuple[Any, ...]:
    numbers = {
        "gamma": (2.0,),
        "chi2": (2,),
        "beta": (2.0, 2.0),
        "t": (3,),
        "lognorm": (0.5,),
        "vonmises": (1.0,),
    }
    return {**numbers, "bernoulli": (0.5,), "binom": (3, 0.5), "poisson": (1.0,)}.get(name, ())


def test_other_names_are_scipys() -> None:
    assert stats.cauchy is scipy.stats.cauchy and "cauchy" in dir(stats)
    with pytest.raises(AttributeError):
        _ = stats.norm.no_such_method


# -------------------------------------------------------------------------------- multivariate normal
ROOT = RNG.normal(size=(3, 3))
COV, MEAN, POINTS = ROOT @ ROOT.T + np.eye(3), RNG.normal(size=3), RNG.normal(size=(5, 3))
SINGULAR = np.outer([1.0, 2.0, 0.5], [1.0, 2.0, 0.5]) + np.outer([0.0, 1.0, -1.0], [0.0, 1.0, -1.0])


@pytest.mark.parametrize("x", [POINTS, POINTS[0], POINTS[None], POINTS[:1], POINTS[:0]], ids=np.shape)
def test_multivariate_normal(x: np.ndarray) -> None:
    theirs = scipy.stats.multivariate_normal
    for name in ("logpdf", "pdf"):
        f = getattr(mvn, name)
        expected = getattr(theirs, name)(x, MEAN, COV) if x.size else np.zeros(0)
        np.testing.assert_allclose(f(x, MEAN, COV), expected, rtol=1e-12)
        if x.size:
            check.gradients(f, [x, MEAN, COV]).raise_on_failure()


@pytest.mark.parametrize(
    ("x", "mean", "cov"),
    [
        (0.7, None, 1), (0.7, 0.2, 3.0), (np.array([0.7, 0.1]), 0.2, 3.0),
        (POINTS, None, np.diag([1.0, 2.0, 3.0])),
        (POINTS, MEAN, 2.0), (POINTS, MEAN, np.array([1.0, 2.0, 3.0])),
        (np.array([[0.7], [0.1]]), [0.2], [[3.0]]),
    ],
)  # fmt: skip
def test_forms_of_mean_and_covariance(x: Any, mean: Any, cov: Any) -> None:
    expected = scipy.stats.multivariate_normal.logpdf(x, mean, cov)
    np.testing.assert_allclose(mvn.logpdf(x, mean, cov), expected, rtol=1e-12)
    assert np.shape(mvn.logpdf(x, mean, cov)) == np.shape(expected)
    np.testing.assert_allclose(mvn.logpdf(x, mean, cov, True), expected, rtol=1e-12)
    assert mvn.entropy(mean, cov) == pytest.approx(
        scipy.stats.multivariate_normal.entropy(mean, cov), rel=1e-13
    )
    if isinstance(cov, float):
        check.gradients(lambda c: mvn.logpdf(x, mean, c), [cov]).raise_on_failure()


def test_the_derivative_in_the_covariance_is_symmetric() -> None:
    """½ (s sᵀ − Σ⁻¹), s = Σ⁻¹ (x − μ)."""
    solved, inverse = np.linalg.solve(COV, POINTS[0] - MEAN), np.linalg.inv(COV)
    expected = 0.5 * (np.outer(solved, solved) - inverse)
    np.testing.assert_allclose(ad.grad(mvn.logpdf, 2)(POINTS[0], MEAN, COV), expected, rtol=1e-11)
    np.testing.assert_allclose(ad.grad(mvn.entropy, 1)(MEAN, COV), 0.5 * inverse, rtol=1e-12)
    by_all = ad.grad(mvn.logpdf, 2)(POINTS[0], MEAN, COV, True)
    np.testing.assert_allclose(by_all, expected, rtol=1e-9)


def test_singular_covariances() -> None:
    theirs, root = scipy.stats.multivariate_normal, np.array([[1.0, 0.0], [2.0, 1.0], [0.5, -1.0]])
    inside = POINTS[:, :2] @ root.T
    expected = theirs.logpdf(inside, np.zeros(3), SINGULAR, allow_singular=True)
    np.testing.assert_allclose(mvn.logpdf(inside, np.zeros(3), SINGULAR, True), expected, rtol=1e-10)
    np.testing.assert_allclose(
        mvn.pdf(inside, None, SINGULAR, allow_singular=True), np.exp(expected), rtol=1e-9
    )
    assert mvn.logpdf(inside[0] + [1, 0, 0], np.zeros(3), SINGULAR, True) == -np.inf

    def f(u: Any, root: Any) -> Any:  # of one rank wherever it goes
        return mvn.logpdf(u @ root.T, np.zeros(3), root @ root.T, allow_singular=True)

    check.gradients(f, [POINTS[:, :2], root]).raise_on_failure()
    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        mvn.logpdf(inside, np.zeros(3), SINGULAR - np.eye(3))


def test_pseudoinverse_of_equal_and_of_vanishing_eigenvalues() -> None:
    a = np.diag([2.0, 2.0, 0.0])
    np.testing.assert_array_equal(pseudoinverse.pseudo_inverse(a), np.diag([0.5, 0.5, 0.0]))
    hessian = ad.hessian(lambda s: pseudoinverse.log_pseudo_determinant(s * a))(1.0)
    assert hessian == pytest.approx(-2.0)
    turned = ad.jvp(pseudoinverse.pseudo_inverse, (a,), (np.array([[0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]]),))[1]
    np.testing.assert_allclose(turned, [[0, 0, 0], [0, 0, 0.25], [0, 0.25, 0]])


def test_multivariate_normal_says_what_does_not_fit() -> None:
    with pytest.raises(ad.ShapeError, match=r"needs a square covariance of the mean's size 2: \(3, 3\)"):
        mvn.logpdf(POINTS, np.zeros(2), COV)
    with pytest.raises(ad.ShapeError, match=r"in 3 dimensions needs x \(…, 3\): \(5, 2\)"):
        mvn.logpdf(POINTS[:, :2], MEAN, COV)


# -------------------------------------------------------------------------------- Dirichlet
ALPHA = np.array([0.7, 1.0, 2.5])
SIMPLEX = RNG.dirichlet([1.0, 2.0, 3.0], 4).T


@pytest.mark.parametrize("x", [SIMPLEX, SIMPLEX[:, 0], SIMPLEX[:-1]], ids=np.shape)
def test_dirichlet(x: np.ndarray) -> None:
    for name in ("logpdf", "pdf"):
        f = getattr(stats.dirichlet, name)
        np.testing.assert_allclose(f(x, ALPHA), getattr(scipy.stats.dirichlet, name)(x, ALPHA), rtol=1e-12)
        rest = 1.0 if len(x) == 2 else 0.0
        g = lambda u, alpha, f=f: f(np.exp(u) / (rest + np.sum(np.exp(u), 0)), alpha)  # noqa: E731, B023
        check.gradients(g, [np.log(x), ALPHA]).raise_on_failure()


def test_dirichlet_at_the_border() -> None:
    x, alpha = np.array([0.0, 0.25, 0.75]), np.array([2.0, 1.0, 1.0])
    assert stats.dirichlet.pdf(x, alpha) == 0.0
    # 6 x₀: the density is that power, also where its logarithm has no derivative
    np.testing.assert_allclose(ad.grad(stats.dirichlet.pdf)(x, alpha), [6, 0, 0], rtol=1e-14)
    assert stats.dirichlet.logpdf(x, np.ones(3)) == pytest.approx(math.log(2))


def test_dirichlet_refuses_what_scipy_refuses() -> None:
    for x, alpha in (([0.5, 0.6, 0.1], ALPHA), ([-0.1, 0.6, 0.5], ALPHA), (SIMPLEX[:, 0], -ALPHA)):
        with pytest.raises(ValueError):
            scipy.stats.dirichlet.logpdf(x, alpha)
        with pytest.raises(ValueError):
            stats.dirichlet.logpdf(np.asarray(x), alpha)
    with pytest.raises(ad.ShapeError, match="as many rows of x as there are alpha"):
        stats.dirichlet.logpdf(np.full(5, 0.2), ALPHA)


def test_dirichlet_and_multivariate_normal_compiled() -> None:
    def f(x: Any, alpha: Any, mean: Any, cov: Any) -> Any:
        likelihood = np.sum(stats.dirichlet.logpdf(x, alpha)) + np.sum(stats.dirichlet.pdf(x, alpha))
        singular = np.sum(mvn.logpdf(x.T, mean, cov, True))
        return likelihood + np.sum(mvn.logpdf(x.T, mean, cov)) + singular + mvn.entropy(mean, cov)

    args = SIMPLEX, ALPHA, MEAN, COV
    program = ad.compile(ad.value_and_grad(f, (0, 1, 2, 3)))
    value, gradients = program(*args)
    expected, by_hand = ad.value_and_grad(f, (0, 1, 2, 3))(*args)
    assert value == pytest.approx(expected, rel=1e-12)
    for a, b in zip(gradients, by_hand, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
