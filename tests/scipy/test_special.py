"""adjoint.scipy.special: values are SciPy's; derivatives against mpmath or closed forms, at the edges too."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import adjoint as ad
from adjoint import check
from adjoint.ops import PRIMITIVES, gamma
from adjoint.ops import special as rows
from adjoint.ops.elementwise import Elementwise
from adjoint.scipy import special

NAMES = [
    "beta", "betainc", "betaln", "digamma", "entr", "erf", "erfc", "erfcinv", "erfinv", "expit", "gamma",
    "gammainc", "gammaincc", "gammaln", "gammasgn", "i0", "i1", "iv", "ive", "j0", "j1", "jn", "kl_div",
    "log_expit", "log_ndtr", "log_softmax", "logit", "logsumexp", "multigammaln", "ndtr", "ndtri",
    "polygamma", "psi", "rel_entr", "rgamma", "softmax", "xlog1py", "xlogy", "y0", "y1", "yn",
]  # fmt: skip
ROWS = [op for op in (*vars(rows).values(), *vars(gamma).values()) if isinstance(op, Elementwise)]


def theirs(op: Elementwise) -> Any:
    """NumPy's or SciPy's function of a row; None for a row that is ours alone."""
    return getattr(np, op.name, getattr(scipy.special, op.name, None))


def nth(f: Callable[..., Any], n: int) -> Callable[..., Any]:
    """The nth derivative of a function of one number."""
    for _ in range(n):
        f = ad.grad(f)
    return f


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_with_scipys_parameters(name: str) -> None:
    ours, theirs = getattr(special, name), getattr(scipy.special, name)
    assert name in dir(special)
    if ours is not theirs and not isinstance(ours, Elementwise):
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


@pytest.mark.parametrize("op", [op for op in ROWS if theirs(op)], ids=lambda op: op.name)
def test_a_row_computes_what_scipy_computes(op: Elementwise) -> None:
    function = theirs(op)
    for args, _ in op.samples(np.random.default_rng(3)):
        if op is not gamma.spherical_jn or np.ndim(args[0]):
            np.testing.assert_allclose(op(*args), function(*args), rtol=1e-13)


@pytest.mark.parametrize("name", [n for n in NAMES if isinstance(getattr(scipy.special, n), np.ufunc)])
def test_scipys_own_ufuncs_take_variables(name: str) -> None:
    ufunc = getattr(scipy.special, name)
    row = PRIMITIVES[{"psi": "digamma", "jn": "jv"}.get(name, name)]
    args, _ = row.samples(np.random.default_rng(0))[0]
    position = len(args) - 1
    f = lambda x: ufunc(*args[:position], x)  # noqa: E731
    value, pullback = ad.vjp(f, args[position])
    np.testing.assert_allclose(value, ufunc(*args), rtol=1e-13)
    expected = ad.grad(lambda x: np.sum(row(*args[:position], x)))(args[position])
    np.testing.assert_allclose(pullback(np.ones(np.shape(value)))[0], expected, rtol=1e-13)


# (function, numbers, the derivative of order 1, 2, … in closed form or by mpmath)
CLOSED: list[tuple[str, Callable[..., Any], tuple[float, ...], Callable[..., Any]]] = [
    ("erf", special.erf, (-6.0, 0.0, 0.4), lambda m, x: m.erf(x)),
    ("erfc", special.erfc, (0.4, 5.0), lambda m, x: m.erfc(x)),
    ("erfinv", special.erfinv, (-0.999999, 0.0, 0.3, 1 - 1e-12), lambda m, x: m.erfinv(x)),
    ("ndtr", special.ndtr, (-5.0, -1.0, 2.0), lambda m, x: m.ncdf(x)),
    ("log_ndtr", special.log_ndtr, (-60.0, -20.0, -5.0, -1.0, 0.5, 8.0), lambda m, x: m.log(m.ncdf(x))),
    ("logit", special.logit, (1e-12, 0.2, 0.5), lambda m, x: m.log(x / (1 - x))),
    ("expit", special.expit, (-30.0, -1.0, 2.0, 30.0), lambda m, x: 1 / (1 + m.exp(-x))),
    ("entr", special.entr, (1e-9, 0.4, 3.0), lambda m, x: -x * m.log(x)),
    ("gamma", special.gamma, (-1.5, 0.3, 4.0), lambda m, x: m.gamma(x)),
    ("rgamma", special.rgamma, (-3.0, -1.0, 0.0, -0.4, 0.7, 4.0), lambda m, x: m.rgamma(x)),
    ("gammaln", special.gammaln, (0.3, 1.0, 50.0), lambda m, x: m.loggamma(x)),
    ("digamma", special.digamma, (0.3, 4.0), lambda m, x: m.digamma(x)),
    ("beta", lambda x: special.beta(x, 0.7), (0.3, 4.0), lambda m, x: m.beta(x, m.mpf(0.7))),
    ("betaln", lambda x: special.betaln(2.5, x), (0.3, 40.0), lambda m, x: m.log(m.beta(2.5, x))),
    ("gammainc", lambda x: special.gammainc(2.5, x), (0.3, 4.0), lambda m, x: m.gammainc(2.5, 0, x, True)),
    (
        "gammaincc",
        lambda x: special.gammaincc(2.5, x),
        (0.3, 40.0),
        lambda m, x: m.gammainc(2.5, x, m.inf, True),
    ),
    (
        "betainc",
        lambda x: special.betainc(2.5, 0.5, x),
        (0.3, 0.9),
        lambda m, x: m.betainc(2.5, 0.5, 0, x, True),
    ),
    ("j0", special.j0, (0.0, 1.3, 20.0), lambda m, x: m.besselj(0, x)),
    ("j1", special.j1, (0.0, 1.3, 20.0), lambda m, x: m.besselj(1, x)),
    ("jn", lambda x: special.jn(2, x), (0.0, 1.3, 20.0), lambda m, x: m.besselj(2, x)),
    ("jv", lambda x: special.jv(0.5, x), (1.3, 20.0), lambda m, x: m.besselj(0.5, x)),
    ("y0", special.y0, (0.4, 5.0), lambda m, x: m.bessely(0, x)),
    ("y1", special.y1, (0.4,), lambda m, x: m.bessely(1, x)),
    ("yn", lambda x: special.yn(2, x), (1.3, 5.0), lambda m, x: m.bessely(2, x)),
    ("i0", special.i0, (-1.0, 0.0, 9.0), lambda m, x: m.besseli(0, x)),
    ("i1", special.i1, (-1.0, 0.0, 9.0), lambda m, x: m.besseli(1, x)),
    ("iv", lambda x: special.iv(2, x), (0.0, 1.3, 9.0), lambda m, x: m.besseli(2, x)),
    ("ive", lambda x: special.ive(1, x), (-2.0, 1.3), lambda m, x: m.besseli(1, x) * m.exp(-abs(x))),
    ("stdtr", lambda x: scipy.special.stdtr(3, x), (-40.0, 0.3), lambda m, x: _student(m, 3, x)),
    ("log_stdtr", lambda x: gamma.log_stdtr(3, x), (-40.0, 0.3, 9.0), lambda m, x: m.log(_student(m, 3, x))),
]


def _student(m: Any, df: float, t: Any) -> Any:
    tail = m.betainc(m.mpf(df) / 2, 0.5, 0, df / (df + t * t), True) / 2
    return tail if t < 0 else 1 - tail


@pytest.mark.parametrize(("name", "f", "at", "exact"), CLOSED, ids=[c[0] for c in CLOSED])
def test_three_derivatives_agree_with_mpmath(name, f, at, exact) -> None:
    m = pytest.importorskip("mpmath")
    with m.workdps(40):
        for x in at:
            taylor = m.taylor(lambda u: exact(m, u), m.mpf(x), 3)
            scale = max(abs(float(c)) for c in taylor)
            for n in (1, 2, 3):
                expected = float(m.re(taylor[n]) * math.factorial(n))
                found = nth(f, n)(x)
                assert found == pytest.approx(expected, rel=1e-11, abs=1e-13 * scale), (name, x, n)


# -------------------------------------------------------------------------------- in the tails
def test_log_ndtr_far_in_the_tail() -> None:
    """(log Φ)′ = φ/Φ → −x + 1/x, (log Φ)″ → −1 + 1/x²: no 0/0, no overflow, no cancellation."""
    for x in (-40.0, -1e3, -1e8, -1e150):
        assert ad.grad(special.log_ndtr)(x) == pytest.approx(-x, rel=1 / x**2 + 1e-15)
    assert nth(special.log_ndtr, 2)(-1e4) + 1 == pytest.approx(1e-8, rel=1e-7)
    assert nth(special.log_ndtr, 2)(-1e8) == pytest.approx(-1.0, rel=1e-15)
    assert ad.grad(special.log_ndtr)(60.0) == 0.0
    assert nth(special.log_ndtr, 2)(60.0) == 0.0
    single = ad.grad(special.log_ndtr)(np.float32(-50))
    assert single.dtype == np.float32 and single == pytest.approx(50.02, rel=1e-5)


def test_hazard_and_its_excess() -> None:
    x = np.array([-30.0, -1.0, 0.0, 2.0, 3.9999, 4.0001, 9.0, 1e3, 1e9])
    m = pytest.importorskip("mpmath")
    with m.workdps(60):
        exact = [m.npdf(v) / m.ncdf(-m.mpf(v)) if v < 2e3 else v + 1 / m.mpf(v) for v in x]
        np.testing.assert_allclose(rows.normal_hazard(x), [float(e) for e in exact], rtol=2e-13)
        excess = [float(e - m.mpf(v)) for e, v in zip(exact, x, strict=True)]
    np.testing.assert_allclose(rows.normal_excess(x), excess, rtol=1e-13)


def test_logistic_at_800() -> None:
    for n in (1, 2, 3):
        assert nth(special.expit, n)(800.0) == nth(special.expit, n)(-800.0) == 0.0
    assert ad.grad(special.log_expit)(-800.0) == 1.0
    assert ad.grad(special.log_expit)(800.0) == 0.0
    assert special.expit(-700.0) * ad.grad(special.logit)(special.expit(-700.0)) == pytest.approx(1.0)
    with np.errstate(divide="ignore"):
        assert ad.grad(special.logit)(np.float64(0.0)) == np.inf


def test_inverse_error_functions_at_the_end() -> None:
    assert ad.grad(special.erfinv)(1.0) == np.inf
    assert ad.grad(special.erfcinv)(1e-300) == pytest.approx(
        -math.sqrt(math.pi) / 2 * math.exp(scipy.special.erfcinv(1e-300) ** 2), rel=1e-12
    )
    x = 0.3  # inverse functions have reciprocal derivatives
    assert ad.grad(special.ndtri)(special.ndtr(x)) * ad.grad(special.ndtr)(x) == pytest.approx(1, rel=1e-14)


def test_log_stdtr_below_the_least_float() -> None:
    m = pytest.importorskip("mpmath")
    with m.workdps(40):
        for df, t in ((1000, -1e3), (300, -1e5), (3, -1e120)):
            share = m.mpf(df) / (df + m.mpf(t) ** 2)
            exact = m.log(m.betainc(m.mpf(df) / 2, 0.5, 0, share, True) / 2)
            assert gamma.log_stdtr(df, t) == pytest.approx(float(exact), rel=1e-13)
            assert ad.grad(lambda t, df=df: gamma.log_stdtr(df, t))(t) == pytest.approx(-df / t, rel=0.01)


# -------------------------------------------------------------------------------- at zero
def test_entropies_at_zero() -> None:
    gradient = ad.grad(special.xlogy, (0, 1))
    assert gradient(0.0, 2.0) == (math.log(2.0), 0.0)
    assert ad.grad(special.xlogy, 1)(0.0, 0.0) == 0.0
    assert ad.grad(lambda x: ad.grad(special.xlogy, 1)(x, 4.0))(0.0) == 0.25
    assert ad.grad(special.xlog1py, (0, 1))(0.0, 1.0) == (math.log(2.0), 0.0)
    assert ad.grad(special.xlog1py, 1)(0.0, -1.0) == 0.0
    assert ad.grad(special.rel_entr, 1)(0.0, 2.0) == 0.0
    assert ad.grad(special.rel_entr, (0, 1))(0.0, 0.0) == (0.0, 0.0)
    assert ad.grad(special.kl_div, (0, 1))(2.0, 2.0) == (0.0, 0.0)
    assert ad.grad(special.kl_div, 1)(0.0, 2.0) == ad.grad(special.kl_div, 1)(0.0, 0.0) == 1.0
    assert (
        ad.grad(special.kl_div, (0, 1))(-1.0, 2.0)
        == ad.grad(special.rel_entr, (0, 1))(1.0, 0.0)
        == (0.0, 0.0)
    )
    assert ad.grad(special.entr)(-1.0) == 0.0
    with np.errstate(divide="ignore"):  # these are infinite
        assert ad.grad(special.entr)(np.float64(0.0)) == np.inf
        assert ad.grad(special.rel_entr)(np.float64(0.0), 2.0) == -np.inf
        assert ad.grad(special.xlogy)(np.float64(0.0), 0.0) == -np.inf


def test_cross_entropy_with_zero_targets_and_zero_probabilities() -> None:
    target, p = np.array([0.0, 0.3, 0.7]), np.array([0.0, 0.5, 0.5])
    np.testing.assert_array_equal(ad.grad(lambda p: np.sum(special.xlogy(target, p)))(p), [0, 0.6, 1.4])
    np.testing.assert_allclose(ad.grad(lambda p: np.sum(special.rel_entr(target, p)))(p), [0, -0.6, -1.4])


def test_densities_of_incomplete_functions_at_the_ends() -> None:
    """At 0 the density of Γ(a) is a power: f = x^(a−1) e^(−x)/Γ(a)."""
    for a, first, second in ((1.0, 1.0, -1.0), (2.0, 0.0, 1.0), (3.0, 0.0, 0.0), (300.0, 0.0, 0.0)):
        f = lambda x, a=a: special.gammainc(a, x)  # noqa: E731
        assert (nth(f, 1)(0.0), nth(f, 2)(0.0)) == (first, second)
    f = lambda x: special.betainc(2.0, 3.0, x)  # noqa: E731  (its density is 12 x (1 − x)²)
    np.testing.assert_allclose([nth(f, n)(0.0) for n in (1, 2, 3)], [0, 12, -48], rtol=1e-14)
    np.testing.assert_allclose([nth(f, n)(1.0) for n in (1, 2, 3)], [0, 0, 24], rtol=1e-14, atol=1e-13)
    assert ad.grad(lambda x: special.betainc(4000.0, 5000.0, x))(1.0) == 0.0
    assert ad.grad(lambda x: special.betainc(4000.0, 5000.0, x))(4 / 9) == pytest.approx(
        scipy.stats.beta.pdf(4 / 9, 4000, 5000), rel=1e-9
    )


# -------------------------------------------------------------------------------- refused
REFUSED = [
    (lambda a: special.gammainc(a, 1.0), "gammainc cannot be .* shape parameter a; pass a as plain"),
    (lambda a: special.gammaincc(a, 1.0), "gammaincc cannot be .* shape parameter a; pass a as plain"),
    (lambda a: special.betainc(a, 1.0, 0.5), "betainc cannot be .* shape parameter a; pass a as plain"),
    (lambda a: special.betainc(1.0, a, 0.5), "betainc cannot be .* shape parameter b; pass b as plain"),
    (lambda n: special.jn(n, 1.0), "jv cannot be .* order n; pass n as plain"),
    (lambda n: special.yn(n, 1.0), "yn cannot be .* order n; pass n as plain"),
    (lambda n: special.iv(n, 1.0), "iv cannot be .* order n; pass n as plain"),
    (lambda n: special.ive(n, 1.0), "ive cannot be .* order n; pass n as plain"),
    (lambda n: special.polygamma(n, 1.0), "polygamma cannot be .* order n; pass n as plain"),
    (lambda df: scipy.special.stdtr(df, 1.0), "stdtr cannot be .* degrees of freedom df; pass df as plain"),
    (lambda d: special.multigammaln(3.0, d), "multigammaln cannot be .* dimension d; pass d as a plain"),
]


@pytest.mark.parametrize(("f", "text"), REFUSED)
def test_a_parameter_without_derivative_is_refused_by_name(f, text: str) -> None:
    with pytest.raises(ad.DTypeError, match=text):
        ad.grad(f)(2.0)
    with pytest.raises(ad.DTypeError, match=text):
        ad.jvp(f, (2.0,), (1.0,))


def test_a_recorded_integer_is_no_parameter_to_differentiate() -> None:
    def f(x: Any) -> Any:
        return special.gammainc(np.argmax(x) + 1, x[0])

    np.testing.assert_allclose(ad.grad(f)(np.array([0.5, 0.7])), [0.5 * math.exp(-0.5), 0], rtol=1e-14)


# -------------------------------------------------------------------------------- no ufuncs
def test_polygamma_of_integers_is_no_integer() -> None:
    assert special.polygamma(1, 2) == pytest.approx(math.pi**2 / 6 - 1)


def test_float32_is_kept_where_scipy_has_no_loop() -> None:
    x = np.array([1.5, 2.5], np.float32)
    for f in (special.yn, special.polygamma, special.gammainc, special.gammaincc):
        assert f(2, x).dtype == np.float32
        assert ad.grad(lambda x, f=f: np.sum(f(2, x)))(x).dtype == np.float32
    assert ad.grad(lambda x: np.sum(scipy.special.yn(2, x)))(x).dtype == np.float32


@pytest.mark.parametrize("d", [1, 2, 5])
def test_multigammaln(d: int) -> None:
    a = np.array([[2.5, 3.0], [9.0, 40.0]])
    np.testing.assert_allclose(special.multigammaln(a, d), scipy.special.multigammaln(a, d), rtol=1e-14)
    assert special.multigammaln(3.5, d) == pytest.approx(scipy.special.multigammaln(3.5, d), rel=1e-14)
    check.gradients(lambda a: special.multigammaln(a, d), [a]).raise_on_failure()
    assert special.multigammaln(a.astype(np.float32), d).dtype == np.float32


def test_multigammaln_refuses_what_scipy_refuses() -> None:
    with pytest.raises(ValueError, match="not met"):
        special.multigammaln(1.0, 3)
    with pytest.raises(ValueError, match="positive integer"):
        special.multigammaln(1.0, 1.5)


A = np.random.default_rng(5).normal(size=(3, 4))
B = np.random.default_rng(6).normal(size=(3, 4))


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp_with_signs(axis, keepdims: bool) -> None:
    ours = special.logsumexp(A, axis, B, keepdims, return_sign=True)
    theirs = scipy.special.logsumexp(A, axis, B, keepdims, return_sign=True)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    f = lambda a, b: special.logsumexp(a, axis, b, keepdims, return_sign=True)[0]  # noqa: E731
    check.gradients(f, [A, B]).raise_on_failure()


def test_logsumexp_of_a_list_of_variables() -> None:
    gradient = ad.grad(lambda v: special.logsumexp([v, 2 * v, 1.0]))(0.25)
    a, b = math.exp(0.25), math.exp(0.5)
    assert gradient == pytest.approx((a + 2 * b) / (a + b + math.e), rel=1e-14)


def test_logsumexp_with_weights_of_zero() -> None:
    a, b = np.array([0.0, 1e3, 2.0]), np.array([1.0, 0.0, 3.0])
    assert special.logsumexp(a, b=b) == pytest.approx(math.log(1 + 3 * math.e**2), rel=1e-15)
    gradient = ad.grad(lambda a: special.logsumexp(a, b=b))(a)
    assert gradient[1] == 0 and gradient.sum() == pytest.approx(1)
    a[1] = 1.0  # the derivative in a weight of zero is not zero
    by_weight = ad.grad(lambda b: special.logsumexp(a, b=b))(b)
    np.testing.assert_allclose(by_weight, np.exp(a - special.logsumexp(a, b=b)), rtol=1e-14)
    assert np.isnan(special.logsumexp([0.0, 1.0], b=[1.0, -1.0]))
    assert special.logsumexp([0.0, np.inf], b=[1.0, 2.0]) == np.inf
    assert special.logsumexp([0.0, np.inf], b=[1.0, 0.0]) == 0.0
    assert special.logsumexp(np.zeros(0), b=np.zeros(0)) == -np.inf
    assert special.logsumexp([1000.0, 1000.0], b=[3.0, -1.0]) == pytest.approx(1000 + math.log(2), rel=1e-15)
    single = special.logsumexp(A.astype(np.float32), 1, np.abs(B).astype(np.float32))
    assert single.dtype == np.float32


def test_log_softmax_does_not_cancel() -> None:
    x = np.float32([20.3, 18.2, 19.1])  # x − log Σ eˣ would be off by 2e-6
    z = special.log_softmax(x)
    np.testing.assert_allclose(z, scipy.special.log_softmax(x.astype(np.float64)), rtol=3e-7)
    np.testing.assert_array_equal(ad.nn.log_softmax(x), z)
    np.testing.assert_array_equal(special.log_softmax(np.array([1e3, 0.0])), [0, -1e3])
    assert special.softmax([1, 2]).dtype == np.float64


# -------------------------------------------------------------------------------- compiled
COMPILED = {
    "xlogy": (lambda x: special.xlogy(x, x), 0.0, 2.0, True),
    "xlog1py": (lambda x: special.xlog1py(x - 1, x), 0.0, 2.0, True),
    "logit": (special.logit, 1e-9, 1 - 1e-9, True),
    "ndtr": (special.ndtr, -20.0, 5.0, True),
    "log_ndtr": (special.log_ndtr, -1e3, 9.0, True),
    "normal_hazard": (rows.normal_hazard, -9.0, 1e3, False),
    "erfinv": (special.erfinv, -0.99, 0.99, False),
    "gammainc": (lambda x: special.gammainc(2.5, x), 0.1, 9.0, False),
    "jn": (lambda x: special.jn(2, x), 0.1, 9.0, False),
    "logsumexp": (lambda x: special.logsumexp(x, b=np.array([1.0, 0.0, 2.0, -0.1] * 8)) * x, 0.0, 2.0, True),
    "multigammaln": (lambda x: special.multigammaln(x, 3), 1.5, 9.0, True),
}


@pytest.mark.parametrize("name", COMPILED)
def test_compiled(name: str) -> None:
    """A composite runs natively, another row by NumPy and is named."""
    f, low, high, native = COMPILED[name]
    x = np.linspace(low, high, 32) + (1e-3 if name in ("xlogy", "multigammaln") else 0)
    program = ad.compile(lambda x: (f(x), ad.grad(lambda x: np.sum(f(x)))(x)))
    value, gradient = program(x)
    np.testing.assert_allclose(value, f(x), rtol=2e-13, atol=1e-300)
    np.testing.assert_allclose(gradient, ad.grad(lambda x: np.sum(f(x)))(x), rtol=1e-12, atol=1e-300)
    assert ("by NumPy: " in repr(program.explain())) != native
