"""Special functions: more rows of the table in `elementwise.py`, under scipy.special's names.

Here the logistic, error and normal functions and the entropies, in `gamma.py` the others. Rules stay finite
where the function is: by ratios that neither overflow nor cancel (`normal_hazard`), by recurrences over the
order (Bessel functions), with the limits at the edges of a domain written out. A shape parameter or an order
whose derivative is no closed form is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..errors import DTypeError
from .device import as_array
from .elementwise import POSITIVE, UNIT, Elementwise
from .elementwise import elementwise as row
from .primitive import RECORD, dtype_of, register

ROOT_2, ROOT_PI, ROOT_2PI = math.sqrt(2), math.sqrt(math.pi), math.sqrt(2 * math.pi)
FRACTION = (0.05, 0.95)


def real_row(name: str, value: Callable[..., Any], *partials: Any, **options: Any) -> Elementwise:
    """Enter a row for real operands: of complex ones the derivatives are refused."""
    return row(name, value, *partials, complex=None, **options)


def fixed(function: str, position: int, argument: str) -> Callable[..., Any]:
    """The partial derivative that is refused: of a float. Integers carry no derivative in any case.

    Args:
        function: name of the row.
        position: which operand.
        argument: what it is called.

    Raises:
        DTypeError: from the partial derivative, naming function and argument.
    """

    def refuse(m: Any, *args: Any) -> Any:
        if dtype_of(args[position]).kind in "iub":
            return 0
        what = f"{function} cannot be differentiated with respect to its {argument}"
        raise DTypeError(f"{what}; pass {argument.split()[-1]} as plain numbers")

    return refuse


class InOwnDtype(Elementwise):
    """A row that keeps the dtype of its last operand, where SciPy has no loop for integers beside float32.

    The row itself answers the ufunc of its name.
    """

    def value(self, *args: Any) -> Any:
        """SciPy's value, in the dtype of the last operand."""
        z, kind = as_array(super().value(*args)), dtype_of(args[-1])
        return (z.astype(kind) if kind.kind == "f" else z)[()]


def in_own_dtype(name: str, value: Callable[..., Any], *partials: Any, domain: Any) -> InOwnDtype:
    """Enter such a row."""
    return register(InOwnDtype(name, value, partials, domain, complex=None))


# -------------------------------------------------------------------------------- logistic
# σ(x) σ(−x) keeps its digits where 1 − σ(x) has none left
expit = real_row("expit", lambda m, x: m.expit(x), lambda m, x, z: z * m.expit(-x))
log_expit = real_row("log_expit", lambda m, x: m.log_expit(x), lambda m, x, z: m.expit(-x))
logit = real_row("logit", lambda m, x: m.logit(x), lambda m, x, z: 1 / (x * (1 - x)), domain=(FRACTION,))

# -------------------------------------------------------------------------------- error function, normal
erf = row("erf", lambda m, x: m.erf(x), lambda m, x, z: (2 / ROOT_PI) * m.exp(-x * x))
erfc = row("erfc", lambda m, x: m.erfc(x), lambda m, x, z: (-2 / ROOT_PI) * m.exp(-x * x))
erfinv = real_row(
    "erfinv", lambda m, x: m.erfinv(x), lambda m, x, z: (ROOT_PI / 2) * m.exp(z * z), domain=(UNIT,)
)
erfcinv = real_row(
    "erfcinv",
    lambda m, x: m.erfcinv(x),
    lambda m, x, z: (-ROOT_PI / 2) * m.exp(z * z),
    domain=((0.05, 1.95),),
)
ndtr = row("ndtr", lambda m, x: m.ndtr(x), lambda m, x, z: m.exp(-0.5 * x * x) / ROOT_2PI)
ndtri = real_row(
    "ndtri", lambda m, x: m.ndtri(x), lambda m, x, z: ROOT_2PI * m.exp(0.5 * z * z), domain=(FRACTION,)
)
# φ(x)/Φ(x): as a quotient it would be 0/0 from x = −39 on
log_ndtr = real_row("log_ndtr", lambda m, x: m.log_ndtr(x), lambda m, x, z: m.normal_hazard(-x))
# h(x) = φ(x)/Φ(−x), through e^(x²) erfc x, which varies slowly
normal_hazard = real_row(
    "normal_hazard",
    lambda m, x: (ROOT_2 / ROOT_PI) / m.erfcx(x / ROOT_2),
    lambda m, x, z: z * m.normal_excess(x),
)


def _excess(m: Any, x: Any) -> Any:
    """h(x) − x; from 4 on by its continued fraction 1/(x + 2/(x + 3/(x + …))): the difference loses x² ε."""
    tail, large = m.where(x > 4, x, 4), x > 4
    fraction = tail
    for k in range(36, 1, -1):  # at 4, 36 terms leave less than ε
        fraction = tail + k / fraction
    return m.where(large, 1 / fraction, (ROOT_2 / ROOT_PI) / m.erfcx(m.where(large, 4, x) / ROOT_2) - x)


normal_excess = real_row("normal_excess", _excess, lambda m, x, z: z * (z + x) - 1)


# -------------------------------------------------------------------------------- x log y and entropies
def _both_vanish(m: Any, x: Any, y: Any) -> Any:
    return m.logical_and(x == 0, y == 0)


def _over_one_plus(m: Any, x: Any, y: Any) -> Any:
    return x / m.where(_both_vanish(m, x, 1 + y), math.inf, 1 + y)


ORIGIN = "x = y = 0: derivative 0 in y, as at every other y"
xlogy = real_row(
    "xlogy",
    lambda m, x, y: m.xlogy(x, y),
    lambda m, x, y, z: m.log(m.promoted(y, z)),
    lambda m, x, y, z: x / m.where(_both_vanish(m, x, y), math.inf, y),
    domain=(UNIT, POSITIVE), kink=ORIGIN,
)  # fmt: skip
xlog1py = real_row(
    "xlog1py",
    lambda m, x, y: m.xlog1py(x, y),
    lambda m, x, y, z: m.log1p(m.promoted(y, z)),
    lambda m, x, y, z: _over_one_plus(m, x, m.promoted(y, z)),
    domain=(UNIT, (-0.7, 3.0)), kink="x = 0, y = −1: derivative 0 in y, as at every other y",
)  # fmt: skip
entr = real_row(
    "entr",
    lambda m, x: m.entr(x),
    lambda m, x, z: m.where(x < 0, 0, -1 - m.log(m.where(x < 0, 1, x))),
    domain=(POSITIVE,),
)


def _log_ratio(m: Any, x: Any, y: Any, plus: float) -> Any:
    """log(x/y) + plus where it is finite or −∞, 0 beyond."""
    inside = m.logical_and(x >= 0, y > 0)
    return m.where(inside, m.log(m.where(inside, x, 1) / m.where(inside, y, 1)) + plus, 0)


def _less_ratio(m: Any, x: Any, y: Any, plus: float) -> Any:
    """plus − x/y for x ≥ 0, y > 0; at the origin plus alone, beyond 0."""
    inside, finite = m.logical_and(x >= 0, y > 0), m.logical_and(x >= 0, m.logical_or(y > 0, x == y))
    return m.where(finite, plus - m.where(inside, x, 0) / m.where(inside, y, 1), 0)


BEYOND = "where the value is infinite, and in x at x = y = 0: derivative 0"
rel_entr = real_row(
    "rel_entr",
    lambda m, x, y: m.rel_entr(x, y),
    lambda m, x, y, z: _log_ratio(m, x, y, 1.0),
    lambda m, x, y, z: _less_ratio(m, x, y, 0.0),
    domain=(POSITIVE, POSITIVE), kink=BEYOND,
)  # fmt: skip
kl_div = real_row(
    "kl_div",
    lambda m, x, y: m.kl_div(x, y),
    lambda m, x, y, z: _log_ratio(m, x, y, 0.0),
    lambda m, x, y, z: _less_ratio(m, x, y, 1.0),
    domain=(POSITIVE, POSITIVE), kink=BEYOND,
)  # fmt: skip

# -------------------------------------------------------------------------------- sin πx / πx
# np.sinc is the spherical Bessel function j₀(πx), j₀' = −j₁: its derivatives are right at 0, where
# those of sin(πx)/(πx) are 0/0
sinc = row("sinc", lambda m, x: m.sinc(x), lambda m, x, z: -math.pi * m.spherical_jn(1, math.pi * x))


# -------------------------------------------------------------------------------- how they are compiled
def _lower_log_ndtr(x: Any) -> Any:
    m = RECORD
    tail, body = m.where(x < -10, x, -10.0), m.where(x < -10, -10.0, x)
    upper = m.where(body > -1, body, -1.0)
    near = m.where(
        body > -1,
        m.log1p(-0.5 * m.erfc(upper / ROOT_2)),
        m.log(0.5 * m.erfc(m.minimum(body, -1.0) / -ROOT_2)),
    )
    far = -0.5 * tail * tail + m.log(_mills(tail) / (-ROOT_2PI * tail))
    return m.where(x < -10, far, near)


def _mills(x: Any) -> Any:
    """|x| Φ(−|x|)/φ(x) = 1 − 1/x² + 3/x⁴ − 15/x⁶ + …: from 10 on, 12 terms leave 3e-13."""
    inverse, total = 1 / (x * x), 1.0
    for k in range(12, 0, -1):
        total = 1.0 - (2 * k - 1) * inverse * total
    return total


def _lower_normal_hazard(x: Any) -> Any:
    m = RECORD
    tail, body = m.where(x > 10, x, 10.0), m.where(x > 10, 10.0, x)
    return m.where(
        x > 10, tail / _mills(tail), (ROOT_2 / ROOT_PI) * m.exp(-0.5 * body * body) / m.erfc(body / ROOT_2)
    )


def _lower_xlogy(x: Any, y: Any) -> Any:
    m = RECORD  # a NaN of y stays
    return x * m.log(m.where(m.logical_and(x == 0, y == y), 1.0, y))


def _lower_xlog1py(x: Any, y: Any) -> Any:
    m = RECORD
    return x * m.log1p(m.where(m.logical_and(x == 0, y == y), 0.0, y))


def _lower_logit(x: Any) -> Any:
    m = RECORD
    s = 2 * x - 1  # near ½ the quotient x/(1−x) has lost the digits of its logarithm
    near = m.where(m.absolute(s) < 0.3, s, 0.0)
    return m.where(m.absolute(s) < 0.3, m.log1p(near) - m.log1p(-near), m.log(x / (1 - x)))


ndtr.lower = lambda x: 0.5 * RECORD.erfc(x / -ROOT_2)
log_ndtr.lower, normal_hazard.lower, logit.lower = _lower_log_ndtr, _lower_normal_hazard, _lower_logit
xlogy.lower, xlog1py.lower = _lower_xlogy, _lower_xlog1py
