"""Faults planted in kernels and in the runtime, each of which something must see.

Something is: a launch that the emulator refuses or the checker stops, other numbers, or a source that no
compiler takes. What sees a fault stands beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from adjoint.engines.gpu.geometry import form_of
from adjoint.engines.plan import Plan

from ...cuda_emulator import compiler, harness, nvrtc
from ...cuda_emulator.harness import ORDERS, CompileError, LaunchError
from . import emulated
from .emulated import Machine, planned, regions_of
from .test_emit import EVERY, Case, array, case, f4

pytestmark = [
    pytest.mark.skipif(harness.missing() is not None, reason=str(harness.missing())),
    pytest.mark.usefixtures("forgotten"),
]
VALUES, REFUSED = "other values", "refused"


# ---------------------------------------------------------------------------------------- kernels of regions
CASES: dict[str, Case] = {
    **EVERY,
    "long_map": case(array(5000, dtype=f4), array(5000, dtype=f4, seed=1))(lambda x, y: np.tanh(x) * y),
    "whole_cos": case(array(70_001))(lambda x: np.sum(np.cos(x))),
    "begin_apart": case(array(37, 53))(lambda x: np.sin(x[:, 2:52])),
    "odd_rows": case(array(37, 1), array(37, 50))(lambda x, y: x * np.sin(y)),
    "below_zero": case(array(50, 700))(lambda x: np.max(-1 - x * x, axis=0)),
}


class Fault(NamedTuple):
    """A change of one place in the kernels of a case.

    Attributes:
        case: in CASES.
        old: a pattern; what it finds first is replaced.
        new: instead.
        seen: what is said of it, a pattern.
    """

    case: str
    old: str
    new: str
    seen: str

    def planted(self, text: str) -> str:
        return re.sub(self.old, self.new, text, count=1)


OUTSIDE, TOO_MUCH = "outside every allocation", "more than 48 KiB"
FAULTS: dict[str, Fault] = {
    # bounds
    "a map reads beyond its end": Fault("strided", r"k < left \? j \+ k : j", "j + k", OUTSIDE),
    "a row is one too long": Fault("softmax_200", "j < end;", "j <= end;", f"{OUTSIDE}|race"),
    "rows beyond the last": Fault("odd_rows", r"in \? i0 \+ g : R - 1", "i0 + g", OUTSIDE),
    "a vector without its tail": Fault("map_f4", "left >= 4", "left >= 1", OUTSIDE),
    "a tail that is one too long": Fault("whole_cos", r"k < left\)", "k <= left)", VALUES),
    "a chunk beyond the end": Fault("whole", r"lo \+ chunk < R \? lo \+ chunk : R", "lo + chunk", OUTSIDE),
    "a vector where nothing is aligned": Fault("misaligned", r"aligned<4>\(p0\)", "true", "misaligned"),
    "a row where nothing is aligned": Fault("misaligned_rows", r"aligned<4>\(p0\)", "true", "misaligned"),
    "results where nothing is aligned": Fault("parts_of_rows", r"straight, 4\)", "true, 4)", "misaligned"),
    "a run beyond the row": Fault("softmax_3000", r"\? j0 \+ 32768 : C", "? j0 : C + 4", f"{OUTSIDE}|race"),
    "a vector of a row's number": Fault(
        "odd_rows", r"= p1\[i\]", "= fetch<2>(&p1[i], straight, 2).at[0]", f"misaligned|{OUTSIDE}"
    ),
    "what all rows share, row after row": Fault("layer_norm", r"&p3\[j\]", "&p3[row + j]", OUTSIDE),
    # strides
    "rows of another length": Fault("softmax_199", r"p0\[row \+ j\]", "p0[row - i + j]", VALUES),
    "columns without their stride": Fault("strided", r" \* c0\]", "]", VALUES),
    "neighbouring blocks overlap": Fault("long_map", r"blockIdx\.x \* 1024", "blockIdx.x * 1020", "race"),
    "the grid's stride is a block's": Fault("long_map", r"\(int\)gridDim\.x \* 1024", "1024", "race"),
    "chunks write to one place": Fault("whole", r"\(long long\)blockIdx\.x \* advance1", "0", "race"),
    "lanes beside each other overlap": Fault("softmax_200", r"4 \* t", "2 * t", "misaligned"),
    "tiles beside each other overlap": Fault("first_of_three", r"gridDim\.y \* 512", "256", "race"),
    # who does what
    "every lane writes a row's result": Fault("logsumexp", r"if \(t == 0 && in\)", "if (in)", "race"),
    "every thread writes the total": Fault("whole", r"if \(threadIdx\.x == 0\)", "", "race"),
    "threads without a row take part": Fault("softmax_200", r"in \? C : 0", "C", "race"),
    # reductions
    "half the lanes": Fault("softmax_200", "over_lanes<Sum, 32>", "over_lanes<Sum, 16>", VALUES),
    "a warp is left out": Fault("whole", "gathered<Sum, 8>", "gathered<Sum, 7>", VALUES),
    "one warp too many": Fault("whole", "gathered<Sum, 8>", "gathered<Sum, 9>", OUTSIDE),
    "a maximum that begins at zero": Fault("below_zero", r"\(-INF_F64\)", "0.0", VALUES),
    "what is added to is not set": Fault("columns_long", r"put\(&p1\[j\].*;", "", VALUES),
    "shared sums are not set": Fault("columns", r"put\(&s1\[own \+ j\].*;", "", "unset shared"),
    "a sum that begins at one": Fault("whole", "double w1 = 0.0;", "double w1 = 1.0;", VALUES),
    # shared memory
    "more than there is of shared memory": Fault("whole", r"total1\[8\]", "total1[6145]", TOO_MUCH),
    "an array in shared memory is too small": Fault("whole", r"total1\[8\]", "total1[4]", OUTSIDE),
    "a place for each row is not aligned": Fault(
        "softmax_200", r"own = g \* C", "own = g * C + g", "misaligned"
    ),
    "rows share one place": Fault("softmax_200", r"const int own = g \* C", "const int own = 0", "race"),
    # what CUDA C has not
    "INFINITY": Fault("softmax_200", r"\(-INF_F32\)", "(-INFINITY)", REFUSED),
    "a name of NumPy's": Fault("softmax_200", r"expf\(", "np_exp(", REFUSED),
    "a parenthesis is missing": Fault("map_f4", r"tanhf\(v1\)", "tanhf(v1", REFUSED),
}


def outcome(plan: Plan, args: Any, want: list[np.ndarray]) -> str | None:
    """What is wrong with the program in some order of threads; None when nothing is."""
    for order in ORDERS:
        try:
            got = Machine(plan, args, order).run()
        except CompileError:
            return REFUSED
        except LaunchError as error:
            return str(error)
        for z, w in zip(got, want, strict=True):
            if not np.array_equal(z, w, equal_nan=True):  # sums have one order, whatever that of the threads
                return VALUES
    return None


@pytest.fixture(scope="module")
def programs() -> dict[str, tuple[Plan, list[np.ndarray]]]:
    """Plan and results, without fault, of each case; all kernels with faults are compiled together."""
    found, sources = {}, []
    for name in sorted({fault.case for fault in FAULTS.values()} | {*LAUNCHES.values()} | {*BARRIERS}):
        c = CASES[name]
        plan = planned(c.f, c.args, c.donated)
        for text in texts(plan):
            own = [f.planted(text) for f in FAULTS.values() if f.case == name and f.seen != REFUSED]
            sources += [emulated.prelude() + other for other in [*own, *without_a_barrier(text)]]
        found[name] = plan, c.args
    with compiler.unseen():
        compiler.prepare(sources)
    return {name: (plan, Machine(plan, args).run()) for name, (plan, args) in found.items()}


def texts(plan: Plan) -> list[str]:
    """The kernels of a plan's regions."""
    shaped = [plan.pieces[region].shaped for region in regions_of(plan)]
    return [emulated.emit(s.spec, form_of(s)) for s in shaped]


def check(name: str, programs: Any, seen: str) -> None:
    """The case, as it is run now, goes wrong in the way expected."""
    plan, want = programs[name]
    found = outcome(plan, CASES[name].args, want)
    assert found is not None, "survives"
    assert re.search(seen, found), found


@pytest.mark.parametrize("name", FAULTS)
def test_faults_in_kernels(name: str, programs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fault, emit, hits = FAULTS[name], emulated.emit, []

    def planted(spec: Any, form: Any) -> str:
        text = emit(spec, form)
        other = fault.planted(text)
        hits.append(other != text)
        return other

    monkeypatch.setattr(emulated, "emit", planted)
    check(fault.case, programs, fault.seen)
    assert any(hits), f"{fault.old} is not in the kernels of {fault.case}"


@pytest.mark.skipif(nvrtc.missing() is not None, reason=str(nvrtc.missing()))
@pytest.mark.parametrize("name", [name for name, f in FAULTS.items() if f.seen in (REFUSED, TOO_MUCH)])
def test_nvrtc_refuses_too(name: str) -> None:
    fault = FAULTS[name]
    c = CASES[fault.case]
    sources = {emulated.prelude() + fault.planted(text) for text in texts(planned(c.f, c.args))}
    with pytest.raises(nvrtc.CompileError):
        nvrtc.compiled(sources, ["sm_80"])


BARRIERS = ["whole", "whole_map", "softmax_257", "softmax_3000", "softmax_long", "columns", "columns_long",
            "columns_many", "rows_columns_whole", "middle", "layer_norm_adjoint"]  # fmt: skip


def without_a_barrier(text: str) -> list[str]:
    """The kernel with one of its barriers missing, each in turn."""
    return [text[: at.start()] + text[at.end() :] for at in re.finditer(r"__syncthreads\(\);", text)]


@pytest.mark.parametrize("name", BARRIERS)
def test_no_barrier_can_be_dropped(name: str, programs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    emit = emulated.emit
    kernels = [text for text in texts(programs[name][0]) if "__syncthreads" in text]
    assert kernels
    for text in kernels:
        for other in without_a_barrier(text):

            def planted(spec: Any, form: Any, text: str = text, other: str = other) -> str:
                found = emit(spec, form)
                return other if found == text else found

            monkeypatch.setattr(emulated, "emit", planted)
            check(name, programs, f"race|unset shared|{VALUES}")


# ---------------------------------------------------------------------------------------- launches
def of_form(**change: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """Kernels are written for another form."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        plain = emulated.form_of
        monkeypatch.setattr(emulated, "form_of", lambda shaped: replace(plain(shaped), **change))

    return plant


def of_launch(change: Callable[[Any, Any, int], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """Grid, block and shared memory pass through `change`."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        plain = emulated.launch_of
        monkeypatch.setattr(emulated, "launch_of", lambda cut, form: change(*plain(cut, form)))

    return plant


def of_arguments(change: Callable[[list[Any]], list[Any]]) -> Callable[[pytest.MonkeyPatch], None]:
    """The names of the kernel's arguments in order pass through `change`."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        plain = emulated.block_layout
        monkeypatch.setattr(emulated, "block_layout", lambda spec: change([*plain(spec)]))

    return plant


def of_numbers(make: Callable[[int], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """Sizes and strides are passed as `make` makes them."""
    return lambda monkeypatch: monkeypatch.setattr(emulated, "index", lambda value, form: make(value))


def swapped(names: list[Any]) -> list[Any]:
    return [names[1], names[0], *names[2:]]


PLANTS: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], None], str]] = {
    "vectors in rows that end within one": ("softmax_199", of_form(vector=4), f"misaligned|race|{OUTSIDE}"),
    "vectors in rows that begin within one": ("begin_apart", of_form(vector=2), "misaligned"),
    "too little shared memory": (
        "softmax_200", of_launch(lambda grid, block, shared: (grid, block, shared - 4)), OUTSIDE,
    ),
    "too much shared memory": (
        "softmax_200", of_launch(lambda grid, block, shared: (grid, block, 48 * 1024 + 1)), "INVALID_VALUE",
    ),
    "a block of twice as many threads": (
        "whole", of_launch(lambda grid, block, shared: (grid, (512, 1, 1), shared)), "OUT_OF_RESOURCES",
    ),
    "a block of half as many threads": (
        "whole", of_launch(lambda grid, block, shared: (grid, (128, 1, 1), shared)), "unset shared",
    ),
    "a grid of too few blocks": (
        "columns_many", of_launch(lambda grid, block, shared: ((1, 1, 1), block, shared)), VALUES,
    ),
    "a grid of too many blocks": (
        "columns_many", of_launch(lambda grid, block, shared: ((9, 1, 1), block, shared)), f"{OUTSIDE}|race",
    ),
    "an empty grid": ("whole", of_launch(lambda grid, block, shared: ((0, 1, 1), block, shared)), "INVALID"),
    "numbers of 64 bits": ("softmax_200", of_numbers(np.int64), "is i8, the kernel takes i4"),
    "numbers of the wrong kind": ("softmax_200", of_numbers(np.float32), "is f4, the kernel takes i4"),
    "numbers of no width": ("softmax_200", of_numbers(int), "is i8, the kernel takes i4"),
    "a number where a pointer belongs": ("softmax_200", of_arguments(lambda n: [n[-1], *n[1:]]), "takes p8"),
    "an argument is missing": ("softmax_200", of_arguments(lambda n: n[:-1]), "takes 5 arguments, not 4"),
    "one argument too many": ("softmax_200", of_arguments(lambda n: [*n, n[-1]]), "takes 5 arguments, not 6"),
    "result and operand are swapped": ("softmax_200", of_arguments(swapped), VALUES),
}  # fmt: skip
LAUNCHES = {name: case for name, (case, _, _) in PLANTS.items()}


@pytest.mark.parametrize("name", PLANTS)
def test_faults_in_launches(name: str, programs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    of_case, plant, seen = PLANTS[name]
    plant(monkeypatch)
    check(of_case, programs, seen)


def test_without_a_fault_nothing_is_seen(programs: Any) -> None:
    for name in sorted({*BARRIERS, *LAUNCHES.values()}):
        plan, want = programs[name]
        assert outcome(plan, CASES[name].args, want) is None, name
