"""The functions of device.cuh in ulps, at the edges, and as NumPy's on integers; every row as a kernel."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from adjoint.engines.cpu.text import TEXT
from adjoint.engines.cpu.text import Term as NumbaTerm
from adjoint.engines.gpu.modules import prelude
from adjoint.engines.gpu.text import CUDA, Term, ctype
from adjoint.engines.graph import NATIVE
from adjoint.engines.text import NoText
from adjoint.ops import PRIMITIVES
from adjoint.ops.elementwise import Elementwise, indicator

from ...cuda_emulator import harness
from .emulated import emulate

try:
    import mpmath
except ImportError:
    mpmath = None

pytestmark = pytest.mark.skipif(bool(harness.missing()), reason=str(harness.missing()))
needs_digits = pytest.mark.skipif(mpmath is None, reason="needs mpmath, from the extra test-all")
FLOATS = [np.dtype(np.float32), np.dtype(np.float64)]
INTEGERS = [np.dtype(c) for c in "bhilBHIL"]
UNARY = ["absolute", "expit", "log_expit", "digamma"]  # of floats
BINARY = ["maximum", "minimum", "logaddexp", "logaddexp2", "floor_divide", "floor_remainder"]
OF_INTEGERS = ["plus", "minus", "times", "floor_divide", "floor_remainder", "maximum", "minimum"]


# ------------------------------------------------------------------------------------- one function
def _source(name: str, dtype: np.dtype[Any], arity: int) -> str:
    c, operands = ctype(dtype), ", ".join(f"{v}[i]" for v in "xy"[:arity])
    parameters = ", ".join([f"const {c}* {v}" for v in "xy"[:arity]] + [f"{c}* z", "int n"])
    return f"""{prelude()}
extern "C" __global__ void apply({parameters})
{{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) z[i] = {name}({operands});
}}
"""


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """All kernels at once."""
    sources = [_source(name, d, 1) for name in UNARY for d in FLOATS]
    sources += [_source(name, d, 2) for name in BINARY for d in FLOATS]
    harness.prepare(sources + [_source(name, d, 2) for name in OF_INTEGERS for d in INTEGERS])


def apply(name: str, *args: np.ndarray) -> np.ndarray:
    z = np.empty_like(args[0])
    module = harness.Module(_source(name, z.dtype, len(args)))
    module.run("apply", (-(-z.size // 128),), (128,), *args, z, np.int32(z.size))
    return z


# ------------------------------------------------------------------------------------- ulps
def _exact(f: Callable[..., Any], *args: np.ndarray) -> np.ndarray:
    """Numbers of 60 digits."""
    with mpmath.workdps(60):
        return np.array([f(*map(mpmath.mpf, map(float, a))) for a in zip(*args, strict=True)], object)


def ulps(z: np.ndarray, exact: np.ndarray, scale: Any = 0.0) -> float:
    """The largest error in units of the last place of the exact result, or of `scale` if that is larger."""
    size = np.maximum([abs(float(e)) for e in exact], np.maximum(scale, np.finfo(z.dtype).tiny))
    unit = np.spacing(size.astype(z.dtype)).astype(float)
    with mpmath.workdps(60):
        return max(float(abs(float(a) - e)) / u for a, e, u in zip(z, exact, unit, strict=True))


LONG: dict[str, Callable[..., Any]] = {
    "expit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "log_expit": lambda x: -mpmath.log1p(mpmath.exp(-x)),
    "digamma": lambda x: mpmath.digamma(x),
    "logaddexp": lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    "logaddexp2": lambda x, y: mpmath.log(2**x + 2**y) / mpmath.log(2),
}
# measured on the emulator, whose exp, log … are the C library's (on a card add one for each), rounded up
ULPS = {"expit": 1.5, "log_expit": 1.5, "digamma": 3.0, "logaddexp": 1.0, "logaddexp2": 1.5}


@needs_digits
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("name", LONG)
def test_ulps(name: str, dtype: np.dtype[Any]) -> None:
    rng = np.random.default_rng(0)
    wide = 80.0 if dtype == np.float32 else 600.0  # results stay normal
    x = np.concatenate([rng.uniform(-wide, wide, 250), rng.normal(size=250), 10.0 ** rng.uniform(-6, 0, 100)])
    if name == "digamma":  # around its root, and where it is positive
        root = 1.4616321449683622 + 1e-3 * rng.normal(size=100)
        x = np.concatenate([10.0 ** rng.uniform(-5, 5, 500), root])
    args, scale = [x.astype(dtype)], np.zeros(x.size)
    if name.startswith("logadd"):
        args.append((x + rng.normal(size=x.size) * 3).astype(dtype))
        scale = np.maximum(*np.abs(args))  # near their zeros digits cancel, as in NumPy
    assert ulps(apply(name, *args), _exact(LONG[name], *args), scale) <= ULPS[name]


@needs_digits
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_digamma_of_negative_numbers(dtype: np.dtype[Any]) -> None:
    """To a few ulp of the larger of the two terms of the reflection."""
    x = np.random.default_rng(1).uniform(-30, 0, 300).astype(dtype)
    exact = _exact(LONG["digamma"], x)
    pole = np.pi / np.abs(np.sin(np.pi * x.astype(float)))
    assert ulps(apply("digamma", x), exact, np.maximum(pole, np.log(2 - x.astype(float)))) <= 2.5


NUMPYS: dict[str, Callable[..., Any]] = {
    "maximum": np.maximum, "minimum": np.minimum, "logaddexp": np.logaddexp, "logaddexp2": np.logaddexp2,
    "floor_divide": np.floor_divide, "floor_remainder": np.remainder, "plus": np.add, "minus": np.subtract,
    "times": np.multiply,
}  # fmt: skip
EDGES = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 2.0, -3.0, 1e30, -1e30, 0.5])


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_edges(dtype: np.dtype[Any]) -> None:
    """Zeros with their signs, infinities and NaN come out as in NumPy."""
    x, y = (a.ravel().astype(dtype) for a in np.meshgrid(EDGES, EDGES))
    with np.errstate(all="ignore"):
        for name in BINARY:
            reference = NUMPYS[name]
            z, want = apply(name, x, y), reference(x, y)
            tiny = 1e-6 if dtype == np.float32 else 1e-14  # absolute too: a fused product leaves its rounding
            np.testing.assert_allclose(z, want, rtol=tiny, atol=tiny, err_msg=name)
            if name.startswith("floor"):
                np.testing.assert_array_equal(np.signbit(z), np.signbit(want), err_msg=name)
    e = EDGES.astype(dtype)
    np.testing.assert_array_equal(np.signbit(apply("absolute", e)), False)
    np.testing.assert_array_equal(apply("expit", e)[[0, 4, 5, 9, 10]], [0.5, 1, 0, 1, 0])
    np.testing.assert_array_equal(apply("log_expit", e)[[4, 5, 9]], [0, -np.inf, 0])
    assert apply("log_expit", e)[10] == dtype.type(-1e30)
    np.testing.assert_array_equal(
        apply("digamma", e)[[0, 1, 3, 4, 6, 8]], [-np.inf, np.inf, np.nan, np.inf, np.nan, np.nan]
    )


def test_floor_division_is_exact() -> None:
    """Quotients that round to a whole number from below; and random ones, against NumPy."""
    rng = np.random.default_rng(2)
    for dtype in FLOATS:
        x = np.concatenate([rng.normal(size=400) * 100, [1.0, 0.3, 6.0, 1e8]]).astype(dtype)
        y = np.concatenate([rng.normal(size=400), [0.1, 0.1, 0.1, 0.1]]).astype(dtype)
        np.testing.assert_array_equal(apply("floor_divide", x, y), np.floor_divide(x, y))
        np.testing.assert_array_equal(apply("floor_remainder", x, y), np.remainder(x, y))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_wrap_and_divide_as_numpys(dtype: np.dtype[Any]) -> None:
    info = np.iinfo(dtype)
    numbers = [info.min, info.min + 1, info.max, info.max - 1, 0, 1, 2, 3, 7, 100] + (
        [-1, -2, -7] if info.min else []
    )
    x, y = (a.ravel() for a in np.meshgrid(*[np.array(numbers, dtype)] * 2))
    with np.errstate(all="ignore"):
        for name in OF_INTEGERS:
            np.testing.assert_array_equal(apply(name, x, y), NUMPYS[name](x, y), err_msg=name)


# ------------------------------------------------------------------------------------- every row
ROWS = [op for op in PRIMITIVES.values() if isinstance(op, Elementwise) and not op.foreign]
KINDS = [np.dtype(c) for c in ("?", "b", "i", "l", "B", "L", "f", "d")]


def _reads(op: Elementwise, m: Any, make: Any, dtype: np.dtype[Any]) -> str | None:
    """The text of a row, None if it has none."""
    try:
        return str(m.term(op.function(m, *[make(v, dtype) for v in "xyz"[: len(op.partials)]])).text)
    except (NoText, TypeError, AttributeError):
        return None


def test_every_row_that_runs_on_the_cpu_runs_here() -> None:
    """The planner asks for numba's text."""
    for op in ROWS:
        for dtype in KINDS:
            if _reads(op, TEXT, NumbaTerm, dtype) is not None:
                assert _reads(op, CUDA, Term, dtype) is not None, (op.name, dtype)


def test_narrow_integers_stay_narrow() -> None:
    """C takes them as ints: without the cast all bits of a byte would be more than 255."""
    x = Term("x", np.dtype(np.uint8))
    assert CUDA.invert(x).text == "(unsigned char)(~x)"
    assert (x & 6).text == "(unsigned char)(x & ((unsigned char)6))"
    assert (CUDA.invert(x) > 100).text == "((unsigned char)(~x) > ((unsigned char)100))"


@cache
def _numbers(dtype: np.dtype[Any]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(3)
    edges = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 30.0])
    if dtype.kind == "f":
        found = [np.concatenate([rng.uniform(-1.5, 1.5, 32), rng.permutation(edges)]) for _ in range(3)]
    else:
        found = [*rng.integers(0 if dtype.kind in "ub" else -9, 2 if dtype.kind == "b" else 10, (3, 40))]
    return tuple(x.astype(dtype) for x in found)


@pytest.mark.parametrize("dtype", KINDS, ids=str)
def test_every_row(dtype: np.dtype[Any]) -> None:
    """All rows in some kernels; what is NaN or infinite is so in NumPy."""
    ops = [op for op in ROWS if _reads(op, TEXT, NumbaTerm, dtype) is not None]
    args = _numbers(dtype)
    with np.errstate(all="ignore"):
        ops = [op for op in ops if _runs(op, args)]
        want = [op.value(*args[: len(op.partials)]) for op in ops]
        got = emulate(lambda *x: tuple(op(*x[: len(op.partials)]) for op in ops), *args)
    assert len(ops) > 8
    for op, z, w in zip(ops, got, want, strict=True):
        assert z.dtype == w.dtype, op.name
        tiny = 1e-5 if w.dtype == np.float32 else 1e-13
        np.testing.assert_allclose(z, w, rtol=tiny, atol=tiny, err_msg=op.name)


def _runs(op: Elementwise, args: tuple[np.ndarray, ...]) -> bool:
    """Whether NumPy has it for this dtype, and kernels its result's."""
    if op is indicator and args[0].dtype != bool:  # its first operand is a truth value
        return False
    try:
        return op.value(*args[: len(op.partials)]).dtype in NATIVE
    except TypeError:
        return False
