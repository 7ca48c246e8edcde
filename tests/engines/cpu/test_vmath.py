"""Vector mathematics: ulps over the whole range, edges as NumPy has them, and that loops do vectorise."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest
import scipy.special
from llvmlite import binding

from adjoint.engines.cpu import vmath

# Of longer precision than what it judges: x87's 64 bits for float64, float64 for float32.
LONG = np.longdouble
needs_long = pytest.mark.skipif(
    np.finfo(LONG).nmant < 63, reason="no longdouble with 64 bits to judge float64 by"
)
needs_avx2 = pytest.mark.skipif(
    bool(numba.core.config.CPU_NAME) or not binding.get_host_cpu_features().get("avx2"),
    reason="no AVX2, whose instructions are looked for",
)
DTYPES = [np.float32, pytest.param(np.float64, marks=needs_long)]


def expit(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def log_expit(x: Any) -> Any:
    return np.where(x > 0, -0.0, x) - np.log1p(np.exp(-np.abs(x)))


def erf(x: Any) -> Any:
    """By the series e^−x² · 2x/√π · Σ (2x²)ᵏ/(2k + 1)!!, whose terms are all positive; 1 beyond 7."""
    y = np.clip(x, -7, 7)
    term = total = 2 * y / np.sqrt(LONG(np.pi) + LONG(1.2246467991473532e-16))
    for k in range(1, 160):
        term = term * 2 * y * y / (2 * k + 1)
        total = total + term
    return np.where(np.isinf(x), np.sign(x), total * np.exp(-y * y))


def erfc(x: Any) -> Any:
    """1 − erf, and from 2 on by its continued fraction, from the bottom up."""
    y = np.clip(x, 2, 200)
    tail = y
    for k in range(80, 0, -1):
        tail = y + LONG(k) / 2 / tail
    tail = np.exp(-y * y) / tail / np.sqrt(LONG(np.pi) + LONG(1.2246467991473532e-16))
    return np.where(x > 2, tail, 1 - erf(np.minimum(x, 2)))


def gammaln(x: Any) -> Any:
    """SciPy's; near 1 and 2, where that loses all digits, log Γ(2 + d) = (1 − γ)d + Σ (ζ(k) − 1)(−d)ᵏ/k."""
    x = x.astype(LONG)
    near = np.abs(x - 1.5) <= 1
    d = np.where(near, x - np.where(x < 1.5, 1, 2), 0)
    series = (1 - LONG(np.euler_gamma) + LONG(4.942915152430645e-18)) * d
    for k in range(60, 1, -1):
        series = series + scipy.special.zetac(k) * (-d) ** k / k
    return np.where(
        near, series - np.where(x < 1.5, np.log1p(d), 0), scipy.special.gammaln(x.astype(np.float64))
    )


def trigamma(x: Any) -> Any:
    return scipy.special.polygamma(1, x)


OWN = {f.__name__: f for f in (expit, log_expit, erf, erfc, gammaln, trigamma)}
OWN["digamma"] = scipy.special.psi
POSITIVE = {"gammaln", "digamma", "trigamma"}  # judged there, float64 by SciPy's float64 with its own few ulp
ULPS = {"sqrt": 0.5, "exp": 1.1, "log": 1.0, "power": 1.5, "maximum": 0, "minimum": 0}
ULPS |= dict.fromkeys(POSITIVE, 10)  # measured, rounded up; else 4
CANCELS = {"logaddexp", "logaddexp2"}  # judged by ulps of the largest operand: digits cancel near its zeros


def reference(name: str) -> Callable[..., Any]:
    return OWN.get(name) or getattr(np, name)


@functools.cache
def kernel(name: str, dtype: type) -> Callable[..., Any]:
    """A loop over one function, as the emitter writes it."""
    f, tune = getattr(vmath, f"{name}_{'f32' if dtype is np.float32 else 'f64'}"), vmath.tune

    def unary(x, out):
        tune()
        for i in range(out.size):
            out[i] = f(x[i])

    def binary(x, y, out):
        tune()
        for i in range(out.size):
            out[i] = f(x[i], y[i])

    return numba.njit(error_model="numpy")(unary if vmath.FUNCTIONS[name] == 1 else binary)


def run(name: str, *args: Any) -> Any:
    out = np.empty_like(args[0])
    kernel(name, out.dtype.type)(*args, out)
    return out


def edges(dtype: type) -> Any:
    """Zeros, infinities, NaN, denormals, integers, and where functions overflow or underflow."""
    info = np.finfo(dtype)
    sizes = [0.0, 1, 0.5, 2, 3, 1.5, 1e3, 1e15, 1e22, 2.0**31, np.inf, info.max, info.tiny, info.eps]
    sizes += [
        info.smallest_subnormal,
        info.tiny / 3,
        info.eps / 4,
        np.pi,
        np.pi / 2,
        np.sqrt(2),
        np.sqrt(0.5),
    ]
    sizes += [np.log(info.max), -np.log(info.tiny), -np.log(info.smallest_subnormal), 0.5 * np.log(info.max)]
    with np.errstate(over="ignore", under="ignore"):
        x = np.array(sizes, dtype)
        near = np.concatenate([x, np.nextafter(x, dtype(np.inf)), np.nextafter(x, dtype(-np.inf))])
    return np.concatenate([near, -near, np.array([np.nan], dtype)])


def sweep(dtype: type, n: int, seed: int = 0) -> Any:
    """Random bits (all exponents), the usual range at several scales, and the neighbourhood of 1."""
    rng = np.random.default_rng(seed)
    bits = {np.float32: np.uint32, np.float64: np.uint64}[dtype]
    parts = [rng.integers(0, np.iinfo(bits).max, n, bits, endpoint=True).view(dtype)]
    parts += [rng.uniform(-scale, scale, n // 4) for scale in (1e-3, 0.1, 1, 2, 6, 20, 100, 800)]
    parts += [rng.lognormal(size=n // 4), 1 + 1e-3 * rng.normal(size=n // 4)]
    return rng.permutation(np.concatenate([p.astype(dtype) for p in parts] + [edges(dtype)]))


def operands(name: str, dtype: type, n: int) -> tuple[Any, ...]:
    if vmath.FUNCTIONS[name] == 1:
        x = sweep(dtype, n)
        return (x[~(x < (1e-300 if dtype is np.float64 else 0))],) if name in POSITIVE else (x,)
    x, y = np.meshgrid(edges(dtype), edges(dtype))
    return tuple(np.concatenate([e.ravel(), sweep(dtype, n, k)]) for k, e in enumerate((x, y), start=1))


def ulps(name: str, dtype: type, args: tuple[Any, ...]) -> tuple[float, str]:
    """The largest error in units in the last place of the exact result, and where it is."""
    wide = LONG if dtype is np.float64 and name not in POSITIVE else np.float64
    with np.errstate(all="ignore"):
        exact = reference(name)(*(a.astype(wide) for a in args))
        rounded, found = exact.astype(dtype), run(name, *args)
        special = ~np.isfinite(rounded) | ~np.isfinite(found)
        same = (found == rounded) | (np.isnan(found) & np.isnan(rounded))
        unit = np.spacing(np.abs(rounded))
        if name in CANCELS:
            unit = functools.reduce(np.fmax, [np.spacing(np.abs(a)) for a in args], unit)
        error = np.abs(found.astype(wide) - exact) / unit
    error = np.where(special, np.where(same, 0, np.inf), error).astype(float)
    zero = (rounded == 0) & (found == 0)
    if name not in {"maximum", "minimum"}:  # of 0 and −0 NumPy takes any
        error[zero & (np.signbit(rounded) != np.signbit(found))] = np.inf
    worst = int(np.argmax(error))
    values = ", ".join(repr(a[worst]) for a in args)
    return float(error[worst]), f"{name}({values}) = {found[worst]!r}, should be {rounded[worst]!r}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", vmath.FUNCTIONS)
def test_ulps_over_the_whole_range(name: str, dtype: type) -> None:
    worst, where = ulps(name, dtype, operands(name, dtype, 20_000))
    assert worst <= ULPS.get(name, 4), where


def test_units_are_counted_right() -> None:
    """The judge itself: one step off is one ulp, a wrong sign of zero or an infinity is no rounding."""
    x = np.array([1.0, 3.0])
    vmath_sqrt = functools.partial(ulps, "sqrt", np.float64)
    assert vmath_sqrt((x,))[0] <= 0.5


PACKED = {
    np.float32: r"v(?:mul|fn?m(?:add|sub)\d+)ps\s.*%[yz]mm",
    np.float64: r"v(?:mul|fn?m(?:add|sub)\d+)pd\s.*%[yz]mm",
}


@needs_avx2
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "expit", "log1p"])
def test_loops_vectorise(name: str, dtype: type) -> None:
    run(name, np.ones(3, dtype))
    (assembly,) = kernel(name, dtype).inspect_asm().values()
    body = assembly[: assembly.index("cpython")]  # what follows is the wrapper for Python
    assert len(re.findall(PACKED[dtype], body)) > 5
    assert not re.search(r"\bcall", body)


@needs_avx2
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["sin", "cos", "tan", "gammaln"])
def test_functions_that_may_need_the_library_are_called_for_whole_vectors(name: str, dtype: type) -> None:
    run(name, np.ones(3, dtype))
    (assembly,) = kernel(name, dtype).inspect_asm().values()
    assert re.search(rf"(?:mov|call|lea)\w*\s.*adjoint_{name}_f\d\d_\d+\b", assembly)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_result_depends_on_its_neighbours(dtype: type) -> None:
    """Neither on its place in a vector or in the remainder of the loop: chunks may be cut anywhere."""
    rng = np.random.default_rng(3)
    for name, arity in vmath.FUNCTIONS.items():
        args = [rng.uniform(0.1, 0.9, 67).astype(dtype) for _ in range(arity)]
        args[0][[5, 40]] = 3e30, -1  # some of them need the C library
        whole = run(name, *args)
        for k in (1, 4, 39, 60, 66):
            np.testing.assert_array_equal(run(name, *(a[k:].copy() for a in args)), whole[k:], name)


def test_an_output_may_be_the_input() -> None:
    x = np.linspace(-5, 5, 1001)
    expected = run("tanh", x)
    kernel("tanh", np.float64)(x, x)
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize(
    "name, dtype, args, expected",
    [
        ("exp", np.float64, (-740.0,), 4.2e-322),
        ("exp", np.float32, (-100.0,), 3.8e-44),
        ("expit", np.float64, (-740.0,), 4.2e-322),
        ("log", np.float64, (5e-324,), -744.4400719213812),
        ("log1p", np.float64, (-1.0,), -np.inf),
        ("log", np.float64, (-1.0,), np.nan),
        ("tanh", np.float64, (-0.0,), -0.0),
        ("logaddexp", np.float64, (np.inf, np.inf), np.inf),
        ("logaddexp", np.float64, (-np.inf, -np.inf), -np.inf),
        ("sin", np.float64, (1e22,), -0.8522008497671888),
        ("power", np.float64, (-2.0, 3.0), -8.0),
        ("power", np.float64, (-2.0, 0.5), np.nan),
        ("power", np.float64, (-0.0, -3.0), -np.inf),
        ("arctan2", np.float64, (-0.0, -0.0), -np.pi),
        ("hypot", np.float64, (3e200, 4e200), 5e200),
        ("digamma", np.float64, (-1.0,), np.nan),
        ("gammaln", np.float64, (-1.5,), 0.8600470153764810),
        ("trigamma", np.float64, (-0.5,), 8.934802200544679),
    ],
)
def test_well_known_values(name: str, dtype: type, args: tuple[float, ...], expected: float) -> None:
    value = run(name, *(np.array([a], dtype) for a in args))[0]
    np.testing.assert_allclose(value, dtype(expected), rtol=4 * np.finfo(dtype).eps)
    assert np.signbit(value) == np.signbit(expected) or np.isnan(value)


def test_another_dtype_is_a_typing_error() -> None:
    f = vmath.exp_f32
    with pytest.raises(numba.TypingError):
        numba.njit(lambda x: f(x))(1.0)


def test_bits_and_back() -> None:
    bits, real = vmath.bits_f32, vmath.real_f32
    assert numba.njit(lambda x: bits(x))(np.float32(1)) == 0x3F800000
    assert numba.njit(lambda x: real(bits(x)))(np.float32(-0.1)) == np.float32(-0.1)


@needs_avx2
@pytest.mark.parametrize("name, instruction", [("add_reassoc", "vaddpd"), ("maximum", "vmaxpd")])
def test_reductions_vectorise(name: str, instruction: str) -> None:
    f, tune = getattr(vmath, f"{name}_f64"), vmath.tune

    @numba.njit(error_model="numpy")
    def reduce(x):
        tune()
        s = x[0]
        for i in range(1, x.size):
            s = f(s, x[i])
        return s

    x = np.arange(1000.0)
    assert reduce(x) == (x.sum() if name == "add_reassoc" else 999)
    assert re.search(rf"{instruction}\s.*%[yz]mm", next(iter(reduce.inspect_asm().values())))
    x[500] = np.nan
    assert np.isnan(reduce(x))
