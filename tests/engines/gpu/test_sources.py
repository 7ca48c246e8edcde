"""Kernels that the tests have met compile under NVRTC for three architectures, and keep to registers.

This file runs last (conftest.py): by then the emulator has been asked for the kernels of all programs of the
run, in whichever process. Those of FUNCTIONS are there in any case.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees
from adjoint.engines.gpu.kernel import Launch
from adjoint.engines.gpu.modules import OPTIONS, module_text, prelude, unique
from adjoint.engines.gpu.numbers import numbers_text
from adjoint.engines.gpu.steps import write_steps

from ...cuda_emulator import compiler, nvrtc
from ...helpers import FUNCTIONS
from .emulated import planned

pytestmark = pytest.mark.skipif(nvrtc.missing() is not None, reason=str(nvrtc.missing()))
ALL_OPTIONS = (*nvrtc.OPTIONS, *OPTIONS)
# Kernels that may spill, and how many bytes per thread: the assembler sometimes gives up registers for more
# blocks at a time (64 bytes were the most in a whole slow run, of regions of random programs).
SPILLING = {"region": 128, "sort_move": 16, "gemm": 16}
MOST_REGISTERS = 255  # what a thread can have; blocks of 256 threads always fit


def flat(f: Callable[..., Any], args: Any) -> tuple[Callable[..., Any], list[np.ndarray]]:
    """f of its arguments' leaves, to a tuple of the leaves of its result; and the leaves as arrays."""
    leaves, structure = trees.flatten(args)
    arrays = [np.asarray(x) for x in leaves]
    return lambda *xs: tuple(trees.flatten(f(*trees.unflatten(structure, list(xs))))[0]), arrays


def kernels(f: Callable[..., Any], args: Any) -> set[tuple[str, str]]:
    """Source and name of the kernels of f(*args), with deterministic sums and without."""
    g, arrays = flat(f, args)
    plan = planned(g, arrays)
    works = [w for deterministic in (True, False) for s in write_steps(plan, deterministic) for w in s.works]
    return {(w.source, w.name) for w in works if isinstance(w, Launch)}


def of_functions() -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for p in FUNCTIONS:
        if p.name != "branches":  # Python's `if` on a value: cannot be traced
            wanted = tuple(range(len(p.args)))
            found |= kernels(ad.value_and_grad(p.function, wanted), p.args)
    return found


def check(every: Iterable[str], architectures: Iterable[str]) -> None:
    """Sources of one kernel each compile, keep to registers, and leave room for a block."""
    every, spilled = sorted(every), []
    for architecture in architectures:
        for source, report in zip(every, nvrtc.compiled(every, [architecture], ALL_OPTIONS), strict=True):
            name = re.sub("_[0-9a-f]{16}$", "", report.kernel)  # in a module it is followed by a digest
            if report.spilled > SPILLING.get(name, 0):
                text = source.removeprefix(prelude())
                spilled.append(f"{name} on {architecture} spills {report.spilled} bytes:\n{text}")
            assert report.registers <= MOST_REGISTERS and report.shared <= 48 << 10, report
    assert not spilled, "\n".join(spilled)


def turn(source: str) -> int:
    """A number that a source has on every machine."""
    return int(hashlib.sha256(source.encode()).hexdigest(), 16)


def test_kernels_of_functions_compile_and_spill_nothing() -> None:
    found = {prelude() + source for source, _ in of_functions()}
    assert len(found) > 30
    check(found, nvrtc.ARCHITECTURES)


def test_many_kernels_in_one_module_do_not_meet() -> None:
    """As cupy gets them: the emulator takes a module apart, and compiles its kernels one by one."""
    helper = "__device__ int more(int x) {{ return x + {}; }}\n"
    kernel = 'extern "C" __global__ void add(int *x) {\n    x[0] = more(x[0]);\n}\n'
    pairs = [(numbers_text(3), "numbers"), (numbers_text(2), "numbers"), *sorted(of_functions())[::4]]
    pairs += [(helper.format(k) + kernel, "add") for k in range(2)]
    log = nvrtc.compile_program(module_text(pairs), nvrtc.ARCHITECTURES[-1], ALL_OPTIONS)
    assert all(f"'{unique(*pair)}'" in log for pair in pairs)  # ptxas names what it has compiled


def test_other_kernels_compile_and_spill_nothing() -> None:
    """A third of them, each for one architecture; all for all in the slow run."""
    for k, architecture in enumerate(nvrtc.ARCHITECTURES):
        check([s for s in compiler.seen() if turn(s) % 9 == k], [architecture])


@pytest.mark.slow
def test_all_kernels_compile_and_spill_nothing() -> None:
    check(compiler.seen(), nvrtc.ARCHITECTURES)


def test_what_other_processes_met_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", "run")
    monkeypatch.setattr(compiler, "cache_directory", lambda: tmp_path)
    monkeypatch.setattr(compiler, "SEEN", {"theirs"})
    compiler.publish()
    monkeypatch.setattr(compiler, "SEEN", {"ours"})
    assert compiler.seen() == {"ours", "theirs"}


def test_a_spill_is_seen() -> None:
    """The tests above can fail: 128 values alive at once, in a block of 1,024 threads."""
    values = "".join(f"    const double v{k} = x[threadIdx.x + {k}];\n" for k in range(128))
    sums = "".join(f"    x[threadIdx.x + {k}] = v{k} * v{127 - k};\n" for k in range(128))
    heavy = 'extern "C" __global__ void __launch_bounds__(1024) heavy(double *x)\n{\n' + values
    heavy += "    __syncthreads();\n" + sums + "}\n"
    with pytest.raises(AssertionError, match="heavy on sm_75 spills"):
        check([prelude() + heavy], nvrtc.ARCHITECTURES)
