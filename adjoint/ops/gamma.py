"""Gamma, beta, Student's and Bessel functions: the table of `special.py` goes on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .elementwise import COUNT, POSITIVE, REAL
from .elementwise import elementwise as row
from .primitive import register
from .special import FRACTION, InOwnDtype, fixed, in_own_dtype, real_row

LARGE = (0.5, 12.0)

# -------------------------------------------------------------------------------- gamma and beta functions
gamma = real_row("gamma", lambda m, x: m.gamma(x), lambda m, x, z: z * m.digamma(x), domain=(POSITIVE,))
gammaln = real_row("gammaln", lambda m, x: m.gammaln(x), lambda m, x, z: m.digamma(x), domain=(POSITIVE,))
gammasgn = real_row(
    "gammasgn", lambda m, x: m.gammasgn(x), None, domain=(POSITIVE,), kink="at the poles: derivative 0"
)
digamma = real_row(
    "digamma", lambda m, x: m.digamma(x), lambda m, x, z: m.polygamma(1, x), domain=(POSITIVE,)
)
polygamma = in_own_dtype(
    "polygamma",
    lambda m, n, x: m.polygamma(n, x),
    fixed("polygamma", 0, "order n"),
    lambda m, n, x, z: m.polygamma(n + 1, x),
    domain=(COUNT, POSITIVE),
)


def _rgamma_slope(m: Any, x: Any, z: Any) -> Any:
    """(1/Γ)′ = −ψ/Γ; left of ½ from the reflection 1/Γ(x) = Γ(1−x) sin(πx)/π, finite at the poles of ψ."""
    left = x < 0.5
    u, v = m.where(left, 1 - x, 1), m.where(left, 1, x)
    turned = m.gamma(u) * (m.cos(math.pi * (1 - u)) - m.digamma(u) * m.sin(math.pi * (1 - u)) / math.pi)
    return m.where(left, turned, -m.rgamma(v) * m.digamma(v))


rgamma = real_row("rgamma", lambda m, x: m.rgamma(x), _rgamma_slope, domain=((-2.5, 3.0),))
beta = real_row(
    "beta",
    lambda m, a, b: m.beta(a, b),
    lambda m, a, b, z: z * (m.digamma(m.promoted(a, z)) - m.digamma(a + b)),
    lambda m, a, b, z: z * (m.digamma(m.promoted(b, z)) - m.digamma(a + b)),
    domain=(POSITIVE, POSITIVE),
)
betaln = real_row(
    "betaln",
    lambda m, a, b: m.betaln(a, b),
    lambda m, a, b, z: m.digamma(m.promoted(a, z)) - m.digamma(a + b),
    lambda m, a, b, z: m.digamma(m.promoted(b, z)) - m.digamma(a + b),
    domain=(POSITIVE, POSITIVE),
)


def gamma_density(m: Any, a: Any, x: Any) -> Any:
    """x^(a−1) e^(−x) / Γ(a) for x ≥ 0, by its logarithm inside, where factors may overflow; at 0 by a power.

    The power has its derivatives at 0 to every order, the logarithm has none there.
    """
    edge = x == 0
    inner, border = m.where(edge, 1, x), m.where(edge, x, 1)
    inside = m.exp((a - 1) * m.log(inner) - inner - m.gammaln(a))
    return m.where(edge, border ** (a - 1) * m.exp(-border - m.gammaln(a)), inside)


def beta_density(m: Any, a: Any, b: Any, x: Any) -> Any:
    """x^(a−1) (1−x)^(b−1) / B(a, b) on [0, 1], as `gamma_density`."""
    edge = m.logical_or(x == 0, x == 1)
    inner, border = m.where(edge, 0.5, x), m.where(edge, x, 0.5)
    log_beta = m.betaln(a, b)
    inside = m.exp((a - 1) * m.log(inner) + (b - 1) * m.log1p(-inner) - log_beta)
    # beyond e⁸⁰ the power is 0 to every order that counts; 0 · ∞ would be NaN
    factor = m.exp(m.minimum(m.where(edge, -log_beta, 0), 80))
    return m.where(edge, border ** (a - 1) * (1 - border) ** (b - 1) * factor, inside)


gammainc = in_own_dtype(
    "gammainc",
    lambda m, a, x: m.gammainc(a, x),
    fixed("gammainc", 0, "shape parameter a"),
    lambda m, a, x, z: gamma_density(m, a, x),
    domain=(COUNT, POSITIVE),
)
gammaincc = in_own_dtype(
    "gammaincc",
    lambda m, a, x: m.gammaincc(a, x),
    fixed("gammaincc", 0, "shape parameter a"),
    lambda m, a, x, z: -gamma_density(m, a, x),
    domain=(COUNT, POSITIVE),
)
betainc = real_row(
    "betainc",
    lambda m, a, b, x: m.betainc(a, b, x),
    fixed("betainc", 0, "shape parameter a"),
    fixed("betainc", 1, "shape parameter b"),
    lambda m, a, b, x, z: beta_density(m, a, b, x),
    domain=(COUNT, COUNT, FRACTION),
)


def t_density(m: Any, df: Any, t: Any) -> Any:
    """Student's density with df degrees of freedom, for finite df."""
    return m.exp(t_log_density(m, df, t))


def t_log_density(m: Any, df: Any, t: Any) -> Any:
    """Its logarithm: Γ(½(ν+1)) / (Γ(½ν) √π) is 1/B(½ν, ½)."""
    df, half = 1.0 * df, 0.5 + 0.0 * df  # beside a Python number SciPy computes in float64
    return -m.betaln(0.5 * df, half) - 0.5 * m.log(df) - 0.5 * (df + 1) * m.log1p(t * t / df)


stdtr = real_row(
    "stdtr",
    lambda m, df, t: m.stdtr(df, t),
    fixed("stdtr", 0, "degrees of freedom df"),
    lambda m, df, t, z: t_density(m, m.promoted(df, z), t),
    domain=(COUNT, (-3.0, 3.0)),
)


def _log_stdtr(m: Any, df: Any, t: Any) -> Any:
    """log F(t): by 1 − F(−t) on the right; far on the left by the series of the incomplete beta function."""
    below = m.stdtr(df, -m.absolute(t))
    # twice a float32's least number, so that both precisions keep their digits
    deep = below < 1e-37
    a, share = 0.5 * df, df / (df + m.where(deep, t * t, df))
    series = a * m.log(share) + 0.5 * m.log1p(-share) + m.log(m.hyp2f1(a + 0.5, 1.0, a + 1, share))
    left = m.where(deep, series - m.log(2 * a) - m.betaln(a, 0.5), m.log(m.where(deep, 1, below)))
    return m.where(t > 0, m.log1p(-below), left)


log_stdtr = in_own_dtype(
    "log_stdtr",
    _log_stdtr,
    fixed("log_stdtr", 0, "degrees of freedom df"),
    lambda m, df, t, z: m.exp(t_log_density(m, m.promoted(df, z), t) - z),
    domain=(COUNT, (-3.0, 3.0)),
)

# -------------------------------------------------------------------------------- Bessel functions
j0 = real_row("j0", lambda m, x: m.j0(x), lambda m, x, z: -m.j1(x), domain=(LARGE,))
j1 = real_row("j1", lambda m, x: m.j1(x), lambda m, x, z: 0.5 * (m.j0(x) - m.jv(2, x)), domain=(LARGE,))
y0 = real_row("y0", lambda m, x: m.y0(x), lambda m, x, z: -m.y1(x), domain=(LARGE,))
y1 = real_row("y1", lambda m, x: m.y1(x), lambda m, x, z: 0.5 * (m.y0(x) - m.yv(2, x)), domain=(LARGE,))
i0 = real_row("i0", lambda m, x: m.i0(x), lambda m, x, z: m.i1(x))
i1 = real_row("i1", lambda m, x: m.i1(x), lambda m, x, z: 0.5 * (m.i0(x) + m.iv(2, x)))
AT_0 = "x = 0: the derivative of e^−|x| is taken as 0"
i0e = real_row("i0e", lambda m, x: m.i0e(x), lambda m, x, z: m.i1e(x) - m.sign(x) * z, kink=AT_0)
i1e = real_row(
    "i1e", lambda m, x: m.i1e(x), lambda m, x, z: 0.5 * (m.i0e(x) + m.ive(2, x)) - m.sign(x) * z, kink=AT_0
)


def _cylinder(name: str, sign: int, scaled: bool = False) -> tuple[Callable[..., Any], ...]:
    """Value and partials of a function with C′ₙ = ½ (Cₙ₋₁ ± Cₙ₊₁), times e^−|x| if it is scaled."""

    def value(m: Any, n: Any, x: Any) -> Any:
        return getattr(m, name)(n, x)

    def slope(m: Any, n: Any, x: Any, z: Any) -> Any:
        total = 0.5 * (value(m, n - 1, x) + sign * value(m, n + 1, x))
        return total - m.sign(x) * z if scaled else total

    return value, fixed(name, 0, "order n"), slope


jv = row("jv", *_cylinder("jv", -1), domain=(COUNT, LARGE))
yv = row("yv", *_cylinder("yv", -1), domain=(COUNT, LARGE))
iv = row("iv", *_cylinder("iv", 1), domain=(COUNT, POSITIVE))
ive = real_row("ive", *_cylinder("ive", 1, scaled=True), domain=(COUNT, POSITIVE), kink=AT_0)
yn = in_own_dtype("yn", *_cylinder("yn", -1), domain=(COUNT, LARGE))
spherical_jn = register(
    InOwnDtype(
        "spherical_jn",
        lambda m, n, x: m.spherical_jn(n, x),
        (
            fixed("spherical_jn", 0, "order n"),
            # (2n + 1) jₙ' = n jₙ₋₁ − (n + 1) jₙ₊₁: nothing is divided by x
            lambda m, n, x, z: (
                (n * m.spherical_jn(abs(n - 1), x) - (n + 1) * m.spherical_jn(n + 1, x)) / (2 * n + 1)
            ),
        ),
        (COUNT, REAL),
    )
)
