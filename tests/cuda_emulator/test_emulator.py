"""The emulator sees the faults that kernels have, and lets right kernels pass, in every order."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from . import compiler, harness, nvrtc
from .harness import ORDERS, CompileError, LaunchError, Module

pytestmark = pytest.mark.skipif(harness.missing() is not None, reason=str(harness.missing()))
needs_nvrtc = pytest.mark.skipif(nvrtc.missing() is not None, reason=str(nvrtc.missing()))
Array = np.ndarray
HERE = Path(__file__).parent
KERNEL = (
    r'extern "C" __global__ void \1(const float *x, float *y, int n) { '
    r"int t = threadIdx.x, b = blockIdx.x, i = b * blockDim.x + t;"
)


def source(text: str) -> str:
    """Kernels of the tests, as NVRTC would get them."""
    return re.sub(r"(?m)^KERNEL\((\w+)\) \{", KERNEL, text)


TEXTS = {name: source((HERE / f"{name}.cu").read_text()) for name in ("faults", "right", "arithmetic")}
FAULTS = {
    name: says
    for says, name in re.findall(r"// says: (.*)\nKERNEL\((\w+)\)", (HERE / "faults.cu").read_text())
}


@pytest.fixture(scope="module")
def modules() -> dict[str, Module]:
    harness.prepare(TEXTS.values())
    return {name: Module(text) for name, text in TEXTS.items()}


@pytest.fixture(scope="module")
def x() -> Array:
    return np.random.default_rng(0).normal(size=256).astype(np.float32)


# ---------------------------------------------------------------- faults
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_seen_in_every_order(modules: dict[str, Module], x: Array, name: str) -> None:
    for order in (*ORDERS, 3):
        y = np.zeros(256, "f4")
        with pytest.raises(LaunchError, match=FAULTS[name]):
            modules["faults"].run(name, (2,), (128,), x, y, np.int32(256), shared=512, order=order)


def test_the_table_of_faults_is_read_whole() -> None:
    assert len(FAULTS) == len(compiler.kernel_names(TEXTS["faults"])) > 35


def test_a_fault_is_told_with_its_place(modules: dict[str, Module], x: Array) -> None:
    with pytest.raises(LaunchError) as caught:
        modules["faults"].run("read_past_the_end", (2,), (128,), x, np.zeros(256, "f4"), np.int32(256))
    assert str(caught.value) == (
        "read_past_the_end: outside every allocation: read of 4 bytes at byte 0 after an allocation of 1024; "
        "thread (127, 0, 0) of block (1, 0, 0)\n  at missing_barrier.cu:97:  y[i] = x[i + 1];"
    )


def test_a_vector_across_the_end_is_seen(modules: dict[str, Module], x: Array) -> None:
    """The last of 254 floats begin a vector of four."""
    for a, b in ((x, np.zeros(254, "f4")), (x[:254].copy(), np.zeros(256, "f4"))):
        with pytest.raises(LaunchError, match="an allocation of 1016"):
            modules["right"].run("vectors", (2,), (128,), a, b, np.int32(256))
    with pytest.raises(LaunchError, match="read of 8 bytes at byte 1016 of an allocation of 1020"):
        modules["right"].run("two_floats_as_a_number", (2,), (128,), x[:255].copy(), x.copy(), np.int32(256))


def test_after_a_fault_the_next_launch_is_clean(modules: dict[str, Module], x: Array) -> None:
    y = np.zeros(256, "f4")
    with pytest.raises(LaunchError):
        modules["faults"].run("missing_atomic", (2,), (128,), x, y, np.int32(256))
    modules["right"].run("in_place", (2,), (128,), x, y, np.int32(256))
    assert (y == 2 * x).all()


def test_without_checks_wrong_orders_still_show(x: Array) -> None:
    """What is not checked is at least poisoned: a missing barrier gives other numbers, and some are NaN."""
    module = Module(TEXTS["faults"], checked=False)
    y = np.zeros(256, "f4")
    module.run("missing_barrier", (2,), (128,), x, y, np.int32(256))
    assert np.isnan(y).any()


# ---------------------------------------------------------------- right kernels
def rows(x: Array, width: int) -> Array:
    return x.reshape(-1, width)


def votes(x: Array) -> Array:
    warps = rows(x, 32)
    return (warps > 0).sum(1) + 100 * (warps > 2).any(1) + 1000 * (warps > -2).all(1)


# What y holds afterwards; a value of a whole group is repeated for its threads.
RIGHT: dict[str, Callable[[Array], Array]] = {
    "reverse": lambda x: rows(x, 128)[:, ::-1].ravel(),
    "in_place": lambda x: 2 * x,
    "warp_neighbour": lambda x: rows(x, 2)[:, ::-1].ravel(),
    "eighths_of_a_warp": lambda x: rows(x, 4)[:, ::-1].ravel(),
    "read_by_all_then_written": lambda x: np.repeat(rows(x, 128)[:, 0] + rows(x, 128)[:, 127], 128),
    "shuffle": lambda x: rows(x, 32)[:, ::-1].ravel(),
    "shuffle_width": lambda x: np.repeat(rows(x, 8)[:, 1], 8),
    "shuffle_up": lambda x: rows(x, 32)[:, [0, *range(31)]].ravel(),
    "shuffle_down_in_quarters": lambda x: rows(x, 4)[:, [2, 3, 2, 3]].ravel(),
    "shuffle_of_doubles": lambda x: np.repeat(3 * rows(x, 32)[:, 5], 32),
    "half_a_warp": lambda x: rows(x, 32)[:, [*range(15, -1, -1), *range(16, 32)]].ravel(),
    "lanes_that_left": lambda x: np.where(np.arange(256) % 32 < 20, np.repeat(rows(x, 32)[:, 3], 32), 0),
    "votes": lambda x: np.repeat(votes(x), 32),
    "counted": lambda x: np.repeat((rows(x, 128) > 0).sum(1) + 1000, 128),
    "dynamic_shared": lambda x: np.roll(rows(x, 128), -1, 1).ravel(),
    "atomic_in_shared": lambda x: np.repeat((rows(x, 128) > 0).sum(1), 128),
    "vectors": lambda x: (rows(x, 4) + rows(x, 4)[:, 3:] * [1, 0, 0, 0]).ravel(),
    "vectors_in_aligned_shared": lambda x: x.reshape(2, 32, 4)[:, ::-1].ravel(),
    "vector_and_tail": lambda x: x,
    "local_array": lambda x: np.tile(x[0] * np.arange(128), 2),
    "constants": lambda x: x * np.tile([2, 3], 128),
    "device_function": lambda x: np.repeat(rows(x, 128).max(1), 128),
    "maximum_twice": lambda x: np.repeat(rows(x, 128).max(1) + rows(x, 128).min(1), 128),
    "same_number_by_atomics": lambda x: np.eye(1, 256)[0] * 3,
    "several_readers_then_a_later_launch": lambda x: np.full(256, x[0] + x[255]),
    "two_floats_as_a_number": lambda x: np.concatenate([x.view("i8"), np.zeros(128)]),
    "constants_by_pointer": lambda x: np.tile([x[0], 3], 128),
    "seen_through_another": lambda x: np.where(np.arange(256) % 32 == 2, np.roll(x, 2), 0),
    "taken_from_nobody": lambda x: np.where(
        np.arange(256) % 32 < 16, np.where(np.arange(256) % 32 < 8, np.roll(x, -8), np.nan), 0
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_kernels_pass_in_every_order(modules: dict[str, Module], x: Array, name: str) -> None:
    for order in (*ORDERS, 3, 4):
        y = np.zeros(256, "f4")
        modules["right"].run(name, (2,), (128,), x, y, np.int32(256), shared=512, order=order)
        np.testing.assert_allclose(y, RIGHT[name](x), rtol=1e-6, err_msg=f"order {order}")


def test_every_right_kernel_has_a_result() -> None:
    assert set(RIGHT) == set(compiler.kernel_names(TEXTS["right"]))


@needs_nvrtc
def test_nvrtc_takes_them_too() -> None:
    """The emulator's words are CUDA's: its own compiler knows all of them."""
    found = nvrtc.compiled(TEXTS.values())
    assert {r.kernel for r in found} == {k for text in TEXTS.values() for k in compiler.kernel_names(text)}


def test_atomics_add_up(modules: dict[str, Module]) -> None:
    for order in ORDERS:
        whole, natural = np.zeros(10, "i4"), np.zeros(2, "u4")
        whole[1], whole[2], whole[5] = -1000, 1000, -1
        wide, f, d = np.zeros(2, "u8"), np.zeros(1, "f4"), np.zeros(1)
        modules["arithmetic"].run("atomics", (3,), (100,), whole, natural, wide, f, d, order=order)
        twice = 2**20 - 1  # 15 times each of 20 bits: an odd number
        assert whole.tolist() == [3 * 4950, 49, -50, -300, twice, ~twice, twice, 1, 1, 5]
        assert natural.tolist() == [0, 0] and wide.tolist() == [300 << 40, 99]
        assert (f[0], d[0]) == (75.0, 37.5)


def test_threads_and_blocks_in_three_dimensions(modules: dict[str, Module]) -> None:
    out = np.zeros(3 * 4 * 5 * 6 * 7 * 2, "i4")
    modules["arithmetic"].run("places", (3, 4, 5), (6, 7, 2), out, order=2)
    assert (out == np.arange(out.size) + 1000000).all()


def test_orders_are_what_they_say(modules: dict[str, Module]) -> None:
    def turns(order: int) -> list[int]:
        out = np.zeros(60, "i4")
        modules["arithmetic"].run("turns", (6,), (10,), np.zeros(1, "i4"), out, order=order)
        return out.tolist()

    assert turns(0) == list(range(60)) and turns(1) == list(range(59, -1, -1))
    assert turns(2) == turns(2) != turns(3)
    assert sorted(turns(2)) == list(range(60))
    blocks = np.array(turns(2)).reshape(6, 10) // 10  # a block runs to its end before the next begins
    assert (blocks == blocks[:, :1]).all() and len(set(blocks[:, 0])) == 6


def test_subnormal_floats_are_zero_and_doubles_are_kept(modules: dict[str, Module]) -> None:
    x, y = np.array([1e-39, 2e-38, 1.0], "f4"), np.ones(3, "f4")
    modules["arithmetic"].run("small_floats", (1,), (3,), x, y)
    assert y.tolist() == [0.0, 0.0, 0.5]
    z, w = np.array([5e-324, 1e-310]), np.ones(2)
    modules["arithmetic"].run("small_doubles", (1,), (2,), z, w)
    assert w[1] == 0.5e-310
    assert np.float32(2e-38) * np.float32(0.5) > 0, "the host's own arithmetic is as before"


def test_vectors_of_all_kinds(modules: dict[str, Module]) -> None:
    rng = np.random.default_rng(1)
    a, b, e = rng.normal(size=(8, 4)).astype("f4"), rng.normal(size=(8, 2)), np.ones((8, 2), "f4")
    c, d = rng.integers(0, 99, (8, 4)).astype("i4"), rng.integers(0, 255, (8, 4)).astype("u1")
    wanted = a[:, ::-1].copy(), b[:, ::-1].copy(), c.sum(1), d[:, ::-1].copy()
    modules["arithmetic"].run("vectors", (1,), (8,), a, b, c, d, e)
    for got, want in zip((a, b, c[:, 0], d), wanted, strict=True):
        assert (got == want).all()
    assert (e == [2.0, 1.0]).all()


@pytest.mark.parametrize("checked", [True, False])
def test_bits_and_roundings(checked: bool) -> None:
    x = np.array([1.5, -2.25, np.nan, np.inf, -0.0, 1 + 2**-20, 7], "f4")
    out, k = np.zeros(16, "i4"), 0x00F0
    module = Module(TEXTS["arithmetic"], checked)
    module.run("bits", (1,), (1,), x, np.array([0.1, np.nan]), np.array([k], "i4"), out)
    # 2.5, 3.5 and -0.5 to whole numbers; 240 - 3 + 240; the kinds of number are bits of 31
    wanted = [1, 1, 1, 24, 56, 5, 4, 0x0F00, k // 2, 2 + 40 - 100, 477, 31, 1, 1, 7, 1]
    assert out.tolist() == wanted


# ---------------------------------------------------------------- limits and arguments
LIMITS = [
    ((0, 1, 1), (32, 1, 1), 0), ((1, 65536, 1), (32, 1, 1), 0), ((1, 1, 65536), (32, 1, 1), 0),
    ((1, 1, 1), (1025, 1, 1), 0), ((1, 1, 1), (32, 33, 1), 0), ((1, 1, 1), (1, 1, 65), 0),
    ((1, 1, 1), (0, 1, 1), 0), ((1, 1, 1), (32, 1, 1), 48 * 1024 + 1),
]  # fmt: skip


@pytest.mark.parametrize(("grid", "block", "shared"), LIMITS, ids=str)
def test_launch_limits_are_the_drivers(
    modules: dict[str, Module], x: Array, grid: tuple[int, ...], block: tuple[int, ...], shared: int
) -> None:
    with pytest.raises(LaunchError, match="CUDA_ERROR_INVALID_VALUE"):
        modules["right"].run("in_place", grid, block, x, x.copy(), np.int32(256), shared=shared)


def test_the_largest_block_runs(modules: dict[str, Module]) -> None:
    x, y = np.arange(1024, dtype="f4"), np.zeros(1024, "f4")
    modules["right"].run("device_function", (1,), (1024,), x, y, np.int32(1024))
    assert (y == 1023).all()


def test_wrong_arguments_are_refused(modules: dict[str, Module], x: Array) -> None:
    y = np.zeros(256, "f4")
    for arguments, complaint in [
        ((x, y), "takes 3 arguments, not 2"),
        ((x, y, np.int64(256)), "argument 2 is i8, the kernel takes i4"),
        ((x, y, np.float32(256)), "argument 2 is f4, the kernel takes i4"),
        ((x, np.int64(256), np.int32(256)), "argument 1 is i8, the kernel takes p8"),
        ((x, y, y), "argument 2 is p8, the kernel takes i4"),
        ((), "takes 3 arguments, not 0"),
    ]:
        with pytest.raises(LaunchError, match=f"in_place.*{complaint}"):
            modules["right"].run("in_place", (2,), (128,), *arguments)


DECLARED = """
extern "C" __global__ void __launch_bounds__(64) kinds(const double *p, bool b, signed char c,
    unsigned short s, unsigned i, unsigned long long l, float f, double d, int *__restrict__ q) {
    *q = b + c + s + i + l + f + d + *p;
}
extern "C" __global__ void apart(const float *__restrict__ x, float *__restrict__ y,
                                 const float *__restrict__ z) {
    y[threadIdx.x] = x[threadIdx.x] + z[threadIdx.x];
}
"""


def test_parameters_are_known() -> None:
    module = Module(DECLARED)
    kernel = module.kernels["kinds"]
    assert kernel.signature == [
        ("p", 8), ("b", 1), ("i", 1), ("i", 2), ("i", 4), ("i", 8), ("f", 4), ("f", 8), ("p", 8),
    ]  # fmt: skip
    numbers = (
        np.bool_(True),
        np.int8(2),
        np.uint16(3),
        np.uint32(4),
        np.uint64(5),
        np.float32(6),
        np.float64(7),
    )
    out = np.zeros(1, "i4")
    module.run("kinds", (1,), (1,), np.array([8.0]), *numbers, out)
    assert out[0] == 36
    with pytest.raises(LaunchError, match=r"LAUNCH_OUT_OF_RESOURCES: a block of \(65, 1, 1\) threads"):
        module.run("kinds", (1,), (65,), np.array([8.0]), *numbers, out)


def test_one_pointer_declared_restrict_twice() -> None:
    module, a, b = Module(DECLARED), np.ones(4, "f4"), np.zeros(4, "f4")
    module.run("apart", (1,), (4,), a, b, a)  # both only read
    assert (b == 2).all()
    with pytest.raises(LaunchError, match="arguments 0 and 1 are one pointer, declared __restrict__ twice"):
        module.run("apart", (1,), (4,), a, a, b)


# ---------------------------------------------------------------- what NVRTC lacks
LACKING = {
    "INFINITY": "y[0] = INFINITY;", "NAN": "y[0] = NAN;", "uint32_t": "uint32_t k = 1; y[k] = 0;",
    "std": "y[0] = std::exp(x[0]);", "memcpy": "memcpy(y, x, 4);", "M_PI": "y[0] = M_PI;",
}  # fmt: skip


@pytest.mark.parametrize("word", LACKING)
def test_what_nvrtc_lacks_is_refused_here(word: str) -> None:
    text = source(f"KERNEL(k) {{\n{LACKING[word]} }}")
    with pytest.raises(CompileError, match=word):
        Module(text)
    if nvrtc.missing() is None and word != "memcpy":  # which NVRTC knows
        with pytest.raises(nvrtc.CompileError, match=word):
            nvrtc.compiled([text], ["sm_80"])


def test_headers_are_not_found() -> None:
    with pytest.raises(CompileError, match=r"stdint\.h"):
        Module("#include <stdint.h>\n" + source("KERNEL(k) {\n}"))
    with pytest.raises(CompileError, match="no  extern"):
        Module("__device__ int f() { return 1; }")


# ---------------------------------------------------------------- mathematics
ONE: dict[str, tuple[Callable[[Array], Array], float, float]] = {
    "acos": (np.arccos, -1, 1), "acosh": (np.arccosh, 1, 50), "asin": (np.arcsin, -1, 1),
    "asinh": (np.arcsinh, -9, 9), "atan": (np.arctan, -9, 9), "atanh": (np.arctanh, -0.99, 0.99),
    "cbrt": (np.cbrt, -9, 9), "ceil": (np.ceil, -9, 9), "cos": (np.cos, -9, 9), "cosh": (np.cosh, -9, 9),
    "cospi": (lambda x: np.cos(np.pi * x), -0.4, 0.4), "cyl_bessel_i0": (special.i0, -50, 50),
    "cyl_bessel_i1": (special.i1, -50, 50), "erf": (special.erf, -4, 4), "erfc": (special.erfc, -4, 8),
    "erfcinv": (special.erfcinv, 0.01, 1.99), "erfcx": (special.erfcx, -2, 40),
    "erfinv": (special.erfinv, -0.999, 0.999), "exp": (np.exp, -80, 80),
    "exp10": (lambda x: 10.0**x, -9, 9), "exp2": (np.exp2, -30, 30),
    "expm1": (np.expm1, -5, 5), "fabs": (np.abs, -9, 9), "floor": (np.floor, -9, 9),
    "j0": (special.j0, 0, 2), "j1": (special.j1, 0.1, 3), "lgamma": (special.gammaln, 3, 50),
    "log": (np.log, 1e-3, 1e3), "log10": (np.log10, 1e-3, 1e3), "log1p": (np.log1p, -0.9, 50),
    "log2": (np.log2, 1e-3, 1e3), "nearbyint": (np.rint, -9, 9), "normcdf": (special.ndtr, -5, 5),
    "normcdfinv": (special.ndtri, 0.001, 0.999), "rcbrt": (lambda x: 1 / np.cbrt(x), 0.1, 9),
    "rint": (np.rint, -9, 9), "rsqrt": (lambda x: 1 / np.sqrt(x), 0.1, 9), "sin": (np.sin, -9, 9),
    "sinh": (np.sinh, -9, 9), "sinpi": (lambda x: np.sin(np.pi * x), -0.9, 0.9), "sqrt": (np.sqrt, 0, 99),
    "tan": (np.tan, -1.5, 1.5), "tanh": (np.tanh, -9, 9), "tgamma": (special.gamma, 0.5, 9),
    "trunc": (np.trunc, -9, 9), "y0": (special.y0, 1, 2), "y1": (special.y1, 0.5, 2),
}  # fmt: skip
TWO: dict[str, Callable[[Array, Array], Array]] = {
    "atan2": np.arctan2, "copysign": np.copysign, "fmax": np.maximum, "fmin": np.minimum, "fmod": np.fmod,
    "hypot": np.hypot, "max": np.maximum, "min": np.minimum, "pow": lambda x, y: np.abs(x) ** y,
    "fdim": lambda x, y: np.maximum(x - y, 0),
}  # fmt: skip
APPLIED = """extern "C" __global__ void of_{name}(const float *x, const double *z, float *f, double *d) {{
    int t = threadIdx.x, u = threadIdx.x + 1 < blockDim.x ? threadIdx.x + 1 : 0;
    f[t] = {float};
    d[t] = {double};
}}
"""


def applied() -> str:
    """A kernel for each function, in both widths; floats by the name with f and by the overloaded one."""
    parts = []
    for name in ONE:
        suffixed = f"{name}f(x[t]) == {name}(x[t]) ? {name}f(x[t]) : -1e9f"
        parts.append(APPLIED.format(name=name, float=suffixed, double=f"{name}(z[t])"))
    for name in TWO:
        first = "fabs({0}[t])" if name == "pow" else "{0}[t]"
        call = f"{name}({first}, {{0}}[u])"
        parts.append(APPLIED.format(name=name, float=call.format("x"), double=call.format("z")))
    return "".join(parts)


def test_functions_are_numpys() -> None:
    """To the rounding of the argument's width; near a zero, relative to the largest value."""
    module = Module(applied())
    for name in (*ONE, *TWO):
        _, low, high = ONE.get(name, (None, -3, 3))
        z = np.random.default_rng(2).uniform(low, high, 200)
        x = z.astype("f4")
        f, d = np.zeros(200, "f4"), np.zeros(200)
        module.run(f"of_{name}", (1,), (200,), x, z, f, d)
        reference = ONE[name][0] if name in ONE else (lambda v, g=TWO[name]: g(v, np.roll(v, -1)))
        for got, want, unit in ((f, reference(x.astype("f8")), 2.0**-24), (d, reference(z), 2.0**-53)):
            scale = np.abs(want) + 1e-3 * np.abs(want).max()
            error = np.max(np.abs(got - want) / scale) / unit
            assert error < 32, f"{name}: {error:.0f} units of rounding in {got.dtype}"


@needs_nvrtc
def test_nvrtc_knows_each_function() -> None:
    assert len(nvrtc.compiled([applied()], ["sm_80"])) == len(ONE) + len(TWO)
