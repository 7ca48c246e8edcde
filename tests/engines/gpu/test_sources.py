"""Every kernel that the tests have met compiles under NVRTC for three architectures, and keeps to registers.

This file runs last (conftest.py): by then the emulator has been asked for the kernels of all programs of the
run. The kernels of FUNCTIONS are there in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees
from adjoint.engines.gpu.kernel import Launch
from adjoint.engines.gpu.modules import OPTIONS, prelude
from adjoint.engines.gpu.steps import write_steps

from ...cuda_emulator import compiler, nvrtc
from ...helpers import FUNCTIONS
from .emulated import planned

pytestmark = pytest.mark.skipif(nvrtc.missing() is not None, reason=str(nvrtc.missing()))
ALL_OPTIONS = (*nvrtc.OPTIONS, *OPTIONS)
# Kernels that may spill, and how many bytes per thread: registers saved around calls, which the rare paths of
# a division in double and of an angle's reduction are.
SPILLING = {"region": 64}
MOST_REGISTERS = 255  # what a thread can have; blocks of 256 threads always fit


def flat(f: Callable[..., Any], args: Any) -> tuple[Callable[..., Any], list[np.ndarray]]:
    """f of its arguments' leaves, to a tuple of the leaves of its result; and the leaves as arrays."""
    leaves, structure = trees.flatten(args)
    arrays = [np.asarray(x) for x in leaves]
    return lambda *xs: tuple(trees.flatten(f(*trees.unflatten(structure, list(xs))))[0]), arrays


def sources(f: Callable[..., Any], args: Any) -> set[str]:
    """The kernels of f(*args), as NVRTC gets them, with deterministic sums and without."""
    g, arrays = flat(f, args)
    plan = planned(g, arrays)
    works = [w for deterministic in (True, False) for s in write_steps(plan, deterministic) for w in s.works]
    return {prelude() + w.source for w in works if isinstance(w, Launch)}


def of_functions() -> set[str]:
    found: set[str] = set()
    for p in FUNCTIONS:
        if p.name != "branches":  # Python's `if` on a value: cannot be traced
            wanted = tuple(range(len(p.args)))
            found |= sources(ad.value_and_grad(p.function, wanted), p.args)
    return found


def test_every_source_compiles_and_spills_nothing() -> None:
    every = sorted(of_functions() | compiler.SEEN)
    assert len(every) > 30
    spilled = []
    for report, source in _reports(every):
        if report.spilled > SPILLING.get(report.kernel, 0):
            spilled.append(
                f"{report.kernel} on {report.architecture} spills {report.spilled} bytes:\n{source}"
            )
        assert report.registers <= MOST_REGISTERS and report.shared <= 48 << 10, report
    assert not spilled, "\n".join(text.replace(prelude(), "") for text in spilled)


def _reports(every: list[str]) -> list[tuple[nvrtc.Report, str]]:
    """Each report with its source, which holds one kernel."""
    found = nvrtc.compiled(every, nvrtc.ARCHITECTURES, ALL_OPTIONS)
    return list(zip(found, every * len(nvrtc.ARCHITECTURES), strict=True))


def test_a_spill_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail: 128 values alive at once, in a block of 1,024 threads."""
    values = "".join(f"    const double v{k} = x[threadIdx.x + {k}];\n" for k in range(128))
    sums = "".join(f"    x[threadIdx.x + {k}] = v{k} * v{127 - k};\n" for k in range(128))
    heavy = 'extern "C" __global__ void __launch_bounds__(1024) heavy(double *x)\n{\n' + values
    heavy += "    __syncthreads();\n" + sums + "}\n"
    monkeypatch.setattr(compiler, "SEEN", {prelude() + heavy})
    with pytest.raises(AssertionError, match="heavy on sm_75 spills"):
        test_every_source_compiles_and_spills_nothing()
