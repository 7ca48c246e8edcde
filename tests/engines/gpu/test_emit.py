"""Kernels of regions: run on the emulator in three orders of threads, against NumPy; compiled by NVRTC."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees
from adjoint.engines.gpu.emit import emit
from adjoint.engines.gpu.geometry import SHARED, Form, form_of, launch_of, shared_bytes
from adjoint.engines.regions import Region, Scalars

from ...cuda_emulator import harness, nvrtc
from ..harness import compare
from ..programs import Draft, arguments, draft, everything
from .emulated import Machine, emulate, planned, regions_of, source_of

pytestmark = pytest.mark.skipif(bool(harness.missing()), reason=str(harness.missing()))
ORDINARY, MANY = 12, 400
LARGE = 1_000_000  # points that are too many for the checker
CALLS = 64  # bytes of registers that a kernel may save around calls
CHUNK = 205  # elements of a block, in place of 16,384: no multiple of a vector
FACTOR = {"float64": 1e3, "float32": 30.0}  # as the CPU engine's test of random programs


class Case(NamedTuple):
    """A program and what it runs on; the forms that its kernels must have; (input, output) that share."""

    f: Callable[..., Any]
    args: tuple[Any, ...]
    forms: frozenset[str] = frozenset()
    donated: tuple[tuple[int, int], ...] = ()


def array(*shape: int, dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed + sum(shape)).normal(size=shape)
    if np.dtype(dtype) == bool:
        return x > 0
    return (10 * x if np.dtype(dtype).kind in "iu" else x).astype(dtype)


def softmax(x: Any) -> Any:
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def logsumexp(x: Any) -> Any:
    m = np.max(x, axis=-1, keepdims=True)
    return np.log(np.sum(np.exp(x - m), axis=-1)) + m[..., 0]


def above_mean(x: Any) -> Any:
    """Truth values that one loop leaves to another, and a row's count of them."""
    above = x > np.mean(x, axis=1, keepdims=True)
    return above & (np.sum(above, axis=1, keepdims=True) > 20)


def layer_norm(x: Any, gain: Any, shift: Any) -> Any:
    centered = x - np.mean(x, axis=-1, keepdims=True)
    return centered / np.sqrt(np.mean(centered * centered, axis=-1, keepdims=True) + 1e-5) * gain + shift


def adjoint_of(f: Callable[..., Any]) -> Callable[..., Any]:
    """λ of every argument, from the last one: that of the result."""

    def pulled(*args: Any) -> Any:
        *primals, lam = args
        return ad.vjp(f, *primals)[1](lam)

    return pulled


def adam(w: Any, m: Any, v: Any, g: Any, t: Any) -> Any:
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    return w - 1e-2 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v


def form_name(form: Form) -> str:
    """flat; or the threads of a group, "block" where they are the block; and the elements of a vector."""
    shape = "flat" if not form.group else "block" if form.whole else f"group{form.group}x"
    return f"{shape}{form.vector}"


def case(*args: Any, forms: str = "", donated: Any = ()) -> Callable[[Any], Case]:
    return lambda f: Case(f, args, frozenset(forms.split()), donated)


f4 = np.float32
CASES: dict[str, Case] = {
    "map_f4": case(array(1003, dtype=f4), array(1003, dtype=f4, seed=1), forms="flat4")(
        lambda x, y: np.tanh(x) * y + np.where(x > 0, x, 0.3 * y)
    ),
    "map_f8": case(array(1003), array(1003, seed=1), forms="flat2")(
        lambda x, y: np.hypot(x, y) / (1 + x * x)
    ),
    "misaligned": case(array(1003, dtype=f4), forms="flat4")(lambda x: np.sin(x[1:]) + x[:-1]),
    "strided": case(array(1003, dtype=f4), forms="flat4")(lambda x: np.sin(x[::3])),
    "strided_beside": case(array(301, dtype=f4), array(101, dtype=f4))(lambda x, y: np.sin(x[::3]) * y),
    "backwards": case(array(257))(lambda x: x[::-1] * x),
    "shared": case(array(1003, dtype=f4), array(1003, dtype=f4, seed=1), donated=((0, 0),))(
        lambda x, y: np.tanh(x) * y + x
    ),
    "whole": case(array(100_003, dtype=f4), forms="flat4")(lambda x: (np.sum(np.cos(x)), np.min(2 + x * x))),
    "interleaved": case(array(1003, dtype=f4))(lambda x: np.stack([np.sin(x), x * x], axis=1)),
    "whole_map": case(array(70_001), array(70_001, seed=1))(lambda x, y: (np.sum(x * y), np.max(x), x - y)),
    "ints": case(array(500, dtype=np.int32), array(500, dtype=np.int16))(
        lambda x, y: (x * y - x, np.sum(x), np.max(y), np.abs(x) // 3, -y, x % 7)
    ),
    "bytes": case(array(301, dtype=np.uint8), array(301, dtype=np.int8))(
        lambda x, y: (x + x, y * y, ~x, x + y, ~x > 100, (x & 6) - x)
    ),
    "longs": case(array(40_000, dtype=np.int64))(lambda x: (np.sum(x), np.min(x), x * x - 3)),
    "bools": case(array(333, dtype=bool), array(333, dtype=bool, seed=1))(
        lambda x, y: (x & y, x | ~y, np.where(x ^ y, 1.5, -0.5), np.sum(x), x * 2.0)
    ),
    "promoted": case(array(100, dtype=f4), array(100, dtype=np.int32), array(100))(
        lambda x, y, z: (x * 2, x + y, x * z, y / 3)
    ),
    **{f"softmax_{c}": case(array(37, c, dtype=f4), forms=form)(softmax) for c, form in (
        (2, "group1x2"), (3, "group4x1"), (10, "group8x2"), (32, "group8x4"), (199, "group32x1"),
        (200, "group32x4"), (257, "block1"), (258, "block2"), (3000, "block4"))},
    "softmax_f8": case(array(19, 70), forms="group32x2")(softmax),
    "softmax_long": case(array(3, 20_000), forms="block2")(softmax),  # too long for shared memory
    "misaligned_rows": case(array(37 * 200 + 1, dtype=f4), forms="group32x4")(
        lambda x: softmax(np.reshape(x[1:], (37, 200)))
    ),
    "parts_of_rows": case(array(37, 204, dtype=f4), array(9, 304, dtype=f4), forms="group32x4 block4")(
        lambda x, y: (softmax(x[:, 4:]), softmax(x[:, 1:201]), softmax(y[:, 2:302]))
    ),
    "parts_of_odd_rows": case(array(37, 202, dtype=f4), array(9, 301), forms="group32x2 block1")(
        lambda x, y: (softmax(x[:, 2:]), softmax(y[:, 1:]))
    ),
    "row_of_one": case(array(300, 1))(lambda x: (np.sum(x, axis=1), np.sum(x, axis=0))),
    "logsumexp": case(array(37, 70, dtype=f4))(logsumexp),
    "layer_norm": case(array(37, 70), array(70), array(70, seed=1))(layer_norm),
    "truth_between_loops": case(array(37, 70), array(9, 300))(
        lambda x, y: (above_mean(x), above_mean(y), np.sum(above_mean(y), axis=0))
    ),
    **{f"rows_of_{d}": case(array(20, 50, dtype=d), array(5, 400, dtype=d, seed=1))(
        lambda x, y: (np.max(x, axis=1), np.sum(y, axis=1), np.min(x * x, axis=1), np.max(y, axis=0))
    ) for d in ("int8", "uint16", "int32", "uint32", "int64", "uint64")},
    "columns": case(array(100, 30, dtype=f4), forms="group16x2")(lambda x: np.sum(np.sin(x), axis=0)),
    "columns_long": case(array(50, 700), forms="block2")(
        lambda x: (np.sum(x * x, axis=0), np.max(x, axis=0), np.sum(x, axis=1))
    ),
    "columns_many": case(array(5000, 12), array(12))(lambda x, b: (np.tanh(x + b), np.sum(x + b, axis=0))),
    "rows_columns_whole": case(array(700, 65))(
        lambda x: (np.sum(x, axis=1), np.sum(x * x, axis=0), np.sum(np.cos(x)), np.max(np.sum(x, axis=1)))
    ),
    "middle": case(array(7, 11, 13))(lambda x: (np.sum(np.exp(x), axis=1), np.sum(x, axis=(0, 2)))),
    "first_of_three": case(array(9, 8, 300))(lambda x: (np.sum(x * x, axis=0), x - np.sum(x, axis=0))),
    "middle_many": case(array(40, 50, 40))(lambda x: np.sum(np.sin(x), axis=1)),
    "transposed": case(array(40, 33), array(33, 40))(lambda x, y: np.exp(x.T) + y),
    "axes": case(array(5, 6, 7), array(6, 5, 7))(lambda x, y: np.sum(x * np.transpose(y, (1, 0, 2)), axis=2)),
    "three_row_axes": case(array(3, 4, 5, 6), array(5, 4, 3, 6))(
        lambda x, y: (np.exp(np.transpose(x, (2, 1, 0, 3))) + y, np.sum(np.sin(x), axis=(1, 3)))
    ),
    "whole_of_rows": case(array(60, 1), array(1, 700), forms="block2")(lambda x, y: np.sum(np.sin(x * y))),
    "python_number": case(np.array([0.1, 0.2, 0.3, 0.1], f4), 0.1)(
        lambda x, a: (x * a, x + (a + 1), x > a, x * (a + 0.5) > a)
    ),
    "broadcast": case(array(40, 1), array(1, 50), array(40, 50))(lambda x, y, z: x * y - np.sin(z)),
    "joined": case(array(20, 30), array(20, 5))(lambda x, y: np.concatenate([np.sin(x), y * y], axis=1)),
    "adam": case(*(np.abs(array(1003, dtype=f4, seed=k)) for k in range(4)), np.array(3.0, f4))(adam),
    "extrema_of_nan": case(np.array([[1.0, np.nan, 2.0], [3.0, -np.inf, 5.0]]))(
        lambda x: (np.max(x, axis=1), np.min(x, axis=1), np.maximum(x, 0.0))
    ),
}  # fmt: skip
# one kernel each, as are the values and their adjoints
ALONE: dict[str, Case] = {
    **{name: CASES[name] for name in ("softmax_10", "softmax_3000", "logsumexp", "layer_norm", "adam")},
    "softmax_adjoint": case(array(37, 70), array(37, 70, seed=1))(adjoint_of(softmax)),
    "logsumexp_adjoint": case(array(37, 70), array(37))(adjoint_of(logsumexp)),
    "layer_norm_adjoint": case(array(37, 70), array(70), array(70, seed=1), array(37, 70, seed=2))(
        adjoint_of(layer_norm)
    ),
}
EVERY = {**CASES, **ALONE}


@pytest.fixture(scope="module")
def plans() -> dict[str, Any]:
    """Plans of every case, their kernels compiled together."""
    found = {name: planned(c.f, c.args, c.donated) for name, c in EVERY.items()}
    harness.prepare([source_of(plan, r) for plan in found.values() for r in regions_of(plan)])
    return found


def eager(f: Callable[..., Any], args: Any) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        result = f(*args)
    return [np.asarray(z) for z in (result if isinstance(result, (tuple, list)) else [result])]


@pytest.mark.parametrize("name", EVERY)
def test_kernels_compute_what_numpy_does(name: str, plans: dict[str, Any]) -> None:
    c, plan = EVERY[name], plans[name]
    assert regions_of(plan), "nothing is emitted"
    forms = {form_name(form_of(plan.pieces[r].shaped)) for r in regions_of(plan)}
    assert c.forms <= forms, forms
    want = eager(c.f, c.args)
    runs = [Machine(plan, c.args, order).run() for order in harness.ORDERS]
    compare(runs[0], want)
    for other in runs[1:]:  # no result depends on which thread comes first
        for a, b in zip(runs[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", ALONE)
def test_one_kernel(name: str, plans: dict[str, Any]) -> None:
    """Nothing beside it, but for Adam's powers of the rates, which are two numbers."""
    groups = plans[name].groups
    assert len(regions_of(plans[name])) == 1
    assert all(isinstance(group, Scalars) for group in groups if not isinstance(group, Region))
    assert len(groups) == (2 if name == "adam" else 1)


# ------------------------------------------------------------------------------------- forms
@pytest.mark.parametrize("name", ["map_f4", "strided_beside", "whole", "layer_norm", "middle", "columns"])
def test_64_bit_indices(name: str, plans: dict[str, Any]) -> None:
    """The same kernels as buffers beyond two thousand million elements would get."""
    c, plan = EVERY[name], plans[name]
    machine = Machine(plan, c.args, widened=True)
    compare(machine.run(), eager(c.f, c.args))
    assert "long long C" in source_of(plan, regions_of(plan)[0], replace(machine.forms[-1], wide=True))


@pytest.mark.parametrize("name", ["map_f4", "whole", "softmax_10", "softmax_200", "softmax_3000", "columns",
                                  "columns_long", "middle_many", "layer_norm_adjoint"])  # fmt: skip
def test_addresses_change_no_bit(name: str, plans: dict[str, Any]) -> None:
    """Where nothing is aligned the same threads take the same elements in the same order, one by one."""
    runs = [Machine(plans[name], EVERY[name].args, skew=skew).run() for skew in (0, 1)]
    for a, b in zip(*runs, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("shape", [(300_000,), (2, 150_000)])
def test_long_sums_keep_their_digits(shape: tuple[int, ...]) -> None:
    """Of float32: runs of 64 are added up in float64. One running sum is off by 1e-3, NumPy's by 1e-6."""
    x = np.full(shape, 0.1, f4) + np.random.default_rng(0).uniform(0, 0.01, shape).astype(f4)
    (got,) = emulate(lambda x: np.sum(x, axis=-1), x, checked=False)
    np.testing.assert_allclose(got, np.sum(x.astype(float), axis=-1), rtol=1e-7)


def test_chunks_of_any_size(plans: dict[str, Any]) -> None:
    """Every block has a few rows, and adds up beside the others; vectors begin where they may not."""
    small = {name: planned(c.f, c.args, chunk=CHUNK) for name, c in EVERY.items() if not c.donated}
    harness.prepare([source_of(plan, r) for plan in small.values() for r in regions_of(plan)])
    for name, plan in small.items():
        compare(Machine(plan, EVERY[name].args, 2).run(), eager(EVERY[name].f, EVERY[name].args))
    assert sum(cut.chunks > 1 for plan in small.values() for cut in plan.pieces.values()) > 20


def test_indices_widen_with_distance() -> None:
    """A view of few elements may reach far."""
    (region,) = regions_of(plan := planned(lambda x: x + 1.0, [array(10)]))
    shaped = plan.pieces[region].shaped
    assert not form_of(shaped).wide
    shaped.strides[0] = (1 << 28,)
    assert form_of(shaped).wide


def mean_loss(x: Any, y: Any) -> Any:
    """With the gradient, whose divisors are sizes."""
    return ad.value_and_grad(lambda x: np.mean(np.var(x, axis=0)) + np.mean(softmax(x) * y))(x)


@pytest.mark.parametrize("f", [adjoint_of(softmax), mean_loss], ids=["softmax", "means"])
def test_a_batch_size_compiles_nothing(f: Callable[..., Any]) -> None:
    def texts(rows: int) -> list[str]:
        plan = planned(f, [array(rows, 100), array(rows, 100)])
        return [source_of(plan, region) for region in regions_of(plan)]

    assert texts(50) == texts(51) == texts(70)


def test_rows_that_fit_stay_in_shared_memory() -> None:
    """Up to 48 KiB; beyond, what one loop leaves to another goes through the device's memory."""
    for columns, spilled in ((6144, False), (6145, True)):
        plan = planned(softmax, [array(2, columns)])
        (region,) = regions_of(plan)
        shaped = plan.pieces[region].shaped
        needed = shared_bytes(shaped.spec, form_of(shaped), columns)
        assert needed == (0 if spilled else SHARED)
        assert launch_of(plan.pieces[region], form_of(shaped))[2] == needed


def test_kernels_for_floats_compute_nothing_in_double(plans: dict[str, Any]) -> None:
    """Of a map of float32 nothing is a double, but what a Python number is read from; sums of runs are."""
    for name in ("map_f4", "adam", "python_number"):
        (region,) = regions_of(plans[name])
        shaped = plans[name].pieces[region].shaped
        text = re.sub(r"const double(\* __restrict__ p| g)\d+", "", emit(shaped.spec, form_of(shaped)))
        assert "double" not in text, name
        assert re.search(r"\d\.\d+(?!\d*f)", text) is None, name


# ------------------------------------------------------------------------------------- many programs
def check_compiled(plans: list[Any], architectures: Sequence[str]) -> None:
    """Every block gets the registers that it needs, and none is kept in memory but around calls.

    The rare paths of a division in double and of an angle's reduction are such.
    """
    sources = [source_of(plan, r) for plan in plans for r in regions_of(plan)]
    reports = nvrtc.compiled(sources, architectures)
    assert len(reports) == len(set(sources)) * len(architectures)
    assert not [r for r in reports if r.spilled > CALLS or r.registers > 128]


@pytest.mark.skipif(bool(nvrtc.missing()), reason=str(nvrtc.missing()))
def test_nvrtc_compiles_each_form(plans: dict[str, Any]) -> None:
    check_compiled([plans[name] for name in [*ALONE, "map_f4", "ints", "middle", "columns"]], ["sm_80"])


VECTORS = {"map_f4": "v4.f32", "softmax_199": "", "softmax_10": "v2.f32", "softmax_200": "v4.f32",
           "softmax_3000": "v4.f32", "softmax_f8": "v2.f64", "layer_norm_adjoint": "v2.f64"}  # fmt: skip


@pytest.mark.skipif(bool(nvrtc.missing()), reason=str(nvrtc.missing()))
@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_vectors_are_one_instruction(plans: dict[str, Any], architecture: str) -> None:
    """To and from the device's memory, and what one loop leaves to another in shared memory."""
    sources = [source_of(plans[name], *regions_of(plans[name])) for name in VECTORS]
    for (name, vector), text in zip(VECTORS.items(), nvrtc.ptx(sources, architecture), strict=True):
        found = set(re.findall(r"\b((?:ld|st)\.(?:global|shared))(?:\.nc)?\.(v\d\.\w+)", text))
        spaces = ("global",) if name == "map_f4" else ("global", "shared")
        assert found == {(f"{m}.{s}", vector) for m in ("ld", "st") for s in spaces if vector}, name


@pytest.mark.slow
@pytest.mark.skipif(bool(nvrtc.missing()), reason=str(nvrtc.missing()))
def test_nvrtc_compiles_every_kernel(plans: dict[str, Any]) -> None:
    check_compiled([*plans.values()], nvrtc.ARCHITECTURES)
    check_compiled([planned(flat(d), plain(d)) for d in map(draft, range(60))], nvrtc.ARCHITECTURES)


def flat(d: Draft) -> Callable[..., list[Any]]:
    f = everything(d)
    return lambda *args: trees.flatten(f(*args))[0]


def plain(d: Draft) -> list[np.ndarray]:
    """Its arguments, Python numbers as arrays."""
    return [np.asarray(x) for x in arguments(d)]


def run_drafts(drafts: list[Draft], orders: int) -> None:
    found = {d: planned(flat(d), plain(d)) for d in drafts}
    harness.prepare([source_of(plan, r) for plan in found.values() for r in regions_of(plan)])
    for d, plan in found.items():
        args = plain(d)
        want = eager(flat(d), args)
        large = any(cut.shaped.size > LARGE for cut in plan.pieces.values())
        for order in range(1 if large else orders):
            try:
                compare(Machine(plan, args, order, checked=not large).run(), want, FACTOR[d.dtype])
            except Exception as error:
                error.add_note(repr(d))
                raise


def test_random_programs() -> None:
    run_drafts([draft(seed) for seed in range(ORDINARY)], orders=1)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(ORDINARY, MANY, 40))
def test_many_random_programs(first: int) -> None:
    run_drafts([draft(seed) for seed in range(first, min(first + 40, MANY))], orders=3)
