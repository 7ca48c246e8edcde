"""Kernels' Python to LLVM: the same numbers as Python's and NumPy's, and numba for what is not translated."""

from __future__ import annotations

import ctypes
import itertools
from typing import Any

import numpy as np
import pytest

from adjoint.engines.cpu import cache

from ...helpers import rng

INTEGERS = [-(2**63), -7, -3, -1, 0, 1, 2, 5, 2**62]
REALS = [-7.5, -2.0, -0.0, 0.0, 0.3, 1.0, 2.5, 1e300, np.inf, np.nan]
POINTERS = {"int64": "as_i64", "float64": "as_f64", "float32": "as_f32", "uint8": "as_u8", "int8": "as_i8"}


@pytest.fixture
def translated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left to numba."""

    def refuse(name: str, source: str) -> Any:
        raise AssertionError("left to numba: " + source.removeprefix(cache.PRELUDE))

    monkeypatch.setattr(cache, "_by_numba", refuse)


def run(text: str, *arrays: np.ndarray, numbers: tuple[int, ...] = ()) -> None:
    """Call the kernel on addresses and numbers."""
    block = np.array([*[a.ctypes.data for a in arrays], *numbers], np.int64)
    address = cache.load(text).address
    ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(address)(block.ctypes.data, 0)


def evaluated(expression: str, x: Any, y: Any, result: str) -> np.ndarray:
    """An expression of x and y for all pairs of elements."""
    x, y = (a.copy() for a in np.broadcast_arrays(x[:, None], y))
    z = np.zeros(x.shape, result)
    kinds = [POINTERS[a.dtype.name] for a in (x, y, z)]
    text = f"""
@cfunc(SIGNATURE)
def entry(a, chunk):
    xs, ys, zs = {kinds[0]}(a[0]), {kinds[1]}(a[1]), {kinds[2]}(a[2])
    for k in range({x.size}):
        x, y = xs[k], ys[k]
        zs[k] = {expression}
"""
    run(text, x, y, z)
    return z


@pytest.mark.parametrize("expression", [
    "x + y", "x - y", "x * y", "-x", "~x", "x & y", "x | y", "x ^ y", "min(x, y)", "max(x, y)", "abs(x)",
    "x if x < y else y", "1 if x == y else 0", "1 if not x >= y else 2", "1 if x and y else 0",
    "1 if x != 0 or y > 0 else 0", "np.int64(np.int8(x))", "x << 3", "x >> 2", "1 if 0 < x else -1",
])  # fmt: skip
@pytest.mark.usefixtures("translated")
def test_integers(expression: str) -> None:
    x = np.array(INTEGERS)
    with np.errstate(over="ignore"):
        expected = [[_python(expression, a, b) for b in x] for a in x]
    np.testing.assert_array_equal(evaluated(expression, x, x, "int64"), np.array(expected, np.int64))


def _python(expression: str, x: Any, y: Any) -> Any:
    return eval(expression, {"np": np, "x": x, "y": y})


@pytest.mark.parametrize("sign", ["//", "%"])
@pytest.mark.usefixtures("translated")
def test_integers_divided(sign: str) -> None:
    """Rounded down; by zero, and where there is no quotient, 0: nothing stops the process."""
    x = np.array(INTEGERS)
    found = evaluated(f"x {sign} y", x, x, "int64")
    for (i, a), (j, b) in itertools.product(enumerate(INTEGERS), repeat=2):
        undefined = b == 0 or (a, b) == (-(2**63), -1)
        assert found[i, j] == (0 if undefined else eval(f"{a} {sign} {b}"))
    np.testing.assert_array_equal(evaluated("x // 3 + y % 4", x, x, "int64"), x[:, None] // 3 + x % 4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", [
    "x + y", "x - y", "x * y", "x / y", "x // y", "x % y", "-x", "np.sqrt(abs(x))", "np.floor(x)",
    "np.rint(x)",
    "np.trunc(x)", "np.ceil(x)", "np.copysign(x, y)", "np.fmod(x, y)", "x if x < y else y",
    "x if x != y else -y", "1.0 if (x > 0) & (y > 0) else 0.0", "2.0 if (x <= y) ^ (x >= 1) else 3.0",
])  # fmt: skip
@pytest.mark.usefixtures("translated")
def test_reals(expression: str, dtype: str) -> None:
    with np.errstate(all="ignore"):
        x = np.array(REALS, dtype)
        expected = np.array([[_python(expression, a, b) for b in x] for a in x], dtype)
        found = evaluated(expression, x, x, dtype)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        np.signbit(found) | np.isnan(found), np.signbit(expected) | np.isnan(expected)
    )


@pytest.mark.usefixtures("translated")
def test_types_are_those_of_numba() -> None:
    x32, x64 = np.array([1 / 3], np.float32), np.array([1 / 3])
    whole = np.array([3], np.int64)
    assert evaluated("x * y", x32, whole, "float64") == np.float64(x32) * 3  # with an integer: float64
    assert evaluated("x * x", x32, whole, "float64") == np.float64(x32 * x32)
    assert evaluated("x * np.float32(0.1)", x32, whole, "float64") == np.float64(x32 * np.float32(0.1))
    assert evaluated("x * y", x32, x64, "float64") == np.float64(x32) * x64
    bytes_ = np.array([200], np.uint8)
    assert evaluated("x + y", bytes_, bytes_, "int64") == 400  # narrow integers compute in 64 bits
    assert evaluated("x + y", bytes_, bytes_, "uint8") == (400 & 255)
    assert evaluated("np.int64(x) + y", np.array([-2.9]), whole, "int64") == 1
    assert evaluated("x / y", whole, np.array([2]), "float64") == 1.5


FLOW = """
@njit
def found(xs, n, wanted):
    for k in range(n):
        if xs[k] == wanted:
            return k
    return -1

@njit
def guarded(xs, k, n):
    return k < n and xs[k] > 0

@cfunc(SIGNATURE)
def entry(a, chunk):
    xs, out, n = as_i64(a[0]), as_i64(a[1]), a[2]
    total, k = 0, 0
    while True:
        k += 1
        if k > n:
            break
        if k % 2:
            continue
        for j in range(0, k, 3):
            total += j
        for j in range(k, 2, -2):
            total += 100 * j
    out[0], out[1] = found(xs, n, 5), found(xs, n, 77)
    low, high = 1, 2
    low, high = high, low
    out[2] = 10 * low + high
    out[3] = total
    out[4] = 1 if guarded(xs, 1 << 60, n) else 0
    out[5] = xs[1 << 60] if n < 0 else 9
    if n > 3:
        out[6] = 1
    elif n > 2:
        out[6] = 2
    else:
        out[6] = 3
"""


@pytest.mark.usefixtures("translated")
def test_flow_of_control() -> None:
    out = np.full(8, -99)
    for n in (2, 3, 8):
        run(FLOW, np.array([4, 5, 6, 0, 1, 2, 3, 4]), out, numbers=(n,))
        even = range(2, n + 1, 2)
        total = sum(sum(range(0, k, 3)) + 100 * sum(range(k, 2, -2)) for k in even)
        assert out.tolist() == [1, -1, 21, total, 0, 9, {2: 3, 3: 2, 8: 1}[n], -99]


@pytest.mark.parametrize("text", [
    "z[0] = 1.0 if 0 < x[0] < 2 else 0.0",
    "v = 1\n    v = 0.5 + x[0]\n    z[0] = v + 0.5 - x[0]",
    "for k in range(3, 0, chunk - 1):\n        z[0] = k",
    "pair = (x[0], 1.0)\n    z[0] = pair[1]",
    "z[0] = x[0] ** 2",
])  # fmt: skip
def test_what_is_not_translated_is_left_to_numba(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[str] = []
    by_numba = cache._by_numba
    monkeypatch.setattr(cache, "_by_numba", lambda name, source: left.append(name) or by_numba(name, source))
    monkeypatch.setattr(cache, "_stored", lambda name, entry: None)
    x, z = np.ones(1), np.zeros(1)
    source = f"@cfunc(SIGNATURE)\ndef entry(a, chunk):\n    x, z = as_f64(a[0]), as_f64(a[1])\n    {text}\n"
    run(source, x, z)
    assert z == 1 and len(left) == 1


def test_both_ways_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel with vector mathematics, sums in blocks and a contracted product, bit for bit."""
    text = """
@njit(**OPTIONS)
def kernel(x, y, z, n):
    tune()
    t = np.float32(0.0)
    for j in range(n):
        v = tanh_f32(x[j]) + exp_f32(-x[j] * x[j]) + (x[j] * y[j] + x[j])
        t = add_reassoc_f32(t, v)
        z[j] = v if v > np.float32(0.0) else np.float32(0.1) * v
    z[n] = t

@cfunc(SIGNATURE)
def entry(a, chunk):
    kernel(as_f32(a[0]), as_f32(a[1]), as_f32(a[2]), a[3])
"""

    class Unsupported(Exception):
        pass

    module = cache._module

    def numba_alone(name: str, source: str, family: str) -> Any:
        if family == cache._QUICK:
            raise Unsupported
        return module(name, source, family)

    x, y = rng().standard_normal((2, 1000)).astype(np.float32)
    results = []
    for name in ("quick", "numba"):
        z = np.zeros(1001, np.float32)
        if name == "numba":
            monkeypatch.setattr(cache, "_stored", lambda name, entry: None)
            monkeypatch.setattr(cache, "_known", {})
            monkeypatch.setattr(cache, "_module", numba_alone)
        run(text, x, y, z, numbers=(1000,))
        results.append(z)
    np.testing.assert_array_equal(*results)
