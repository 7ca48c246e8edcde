"""Programs keep to each of their arrays, also where one block of memory holds them all.

A program's values lie side by side, so that the emulator sees one allocation. Here they lie apart, none where
another has been, and the emulator is told where each begins and ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.engines.gpu import executable, steps
from adjoint.engines.memory import Arena
from tests.cuda_emulator import harness
from tests.cuda_emulator.cupy_standin import memory, standing_in
from tests.helpers import FUNCTIONS, Program

from .test_planted_runtime import PROGRAMS

pytestmark = pytest.mark.skipif(harness.missing() is not None, reason=str(harness.missing()))
Parts = list[tuple[int, int]]  # begin and end, in bytes
# Python's `if` on a value cannot be compiled
COMPILED = [p for p in FUNCTIONS if p.name != "branches"]


class Apart(Arena):
    """Room after room, with nothing where one could run over into the next."""

    def take(self, size: int) -> tuple[int, int]:
        taken, place = super().take(size)
        self.top += self.alignment
        return taken, place

    def give(self, size: int, offset: int) -> None:
        """Nothing lies where something has been."""


class Known(steps.Memory):
    """The program's memory, with every part that it may use."""

    def __init__(self, plan: Any, of_steps: list[Any], numbers: list[int]) -> None:
        super().__init__(plan, of_steps, numbers)
        parts = [(place, place + x.size * x.dtype.itemsize) for x, place in self.values.items()]
        parts += [(place, place + array.nbytes) for place, array in self.filled]
        parts += _merged(
            [(self.scratch[k], self.scratch[k] + x.bytes) for s in of_steps for k, x in s.scratch().items()]
        )
        parts += [(place, place + steps.NUMBER) for place in self.numbers.values()]
        parts.append((self.words[0], sum(self.words)))
        self.parts = sorted(parts)
        assert all(a[1] <= b[0] for a, b in pairwise(self.parts))


def _merged(parts: Parts) -> Parts:
    """Steps have their temporary memory in turn: the parts of one lie over those of others."""
    found: Parts = []
    for begin, end in sorted(parts):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return found


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in, whose checker knows the parts of programs' memory."""
    known: dict[tuple[int, int], Parts] = {}
    allocated, regions = executable.GPU._allocated, memory.regions

    def told(self: Any) -> Any:
        base = allocated(self)
        if (block := base.mem.block) is not None:  # a program may need no memory
            parts = [(base.ptr + begin, base.ptr + end) for begin, end in self.memory.parts]
            known[block.ptr, block.ptr + block.size] = parts
        return base

    monkeypatch.setattr(steps, "Arena", Apart)
    monkeypatch.setattr(executable, "Memory", Known)
    monkeypatch.setattr(executable.GPU, "_allocated", told)
    monkeypatch.setattr(memory, "regions", lambda: [p for r in regions() for p in known.get(r, [r])])
    with standing_in() as module:
        yield module


def on_device(cupy: Any, tree: Any) -> Any:
    return ad.tree_map(lambda x: cupy.asarray(x) if isinstance(x, np.ndarray) and x.ndim else x, tree)


def close(cupy: Any, got: Any, want: Any) -> None:
    host = ad.tree_map(lambda x: x.get() if isinstance(x, cupy.ndarray) else x, got)
    for a, b in zip(*(ad.tree.flatten(t)[0] for t in (host, want)), strict=True):
        scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
        single = np.asarray(b).dtype == np.float32
        np.testing.assert_allclose(a, b, rtol=0, atol=scale * (1e-4 if single else 1e-10))


@pytest.mark.parametrize("p", COMPILED, ids=[p.name for p in COMPILED])
def test_functions_keep_to_their_arrays(cupy: Any, p: Program) -> None:
    f = ad.value_and_grad(p.function, tuple(range(len(p.args))))
    compiled, args = ad.compile(f, engine="cupy"), on_device(cupy, p.args)
    for _ in range(3):  # in the three orders of threads
        close(cupy, compiled(*args), f(*p.args))


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_keep_to_their_arrays(cupy: Any, name: str) -> None:
    for got, want in PROGRAMS[name](cupy):
        close(cupy, got, want)


def test_one_step_too_far_is_seen(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: the values between steps are said to be one element shorter."""
    plain = Known.__init__

    def shorter(self: Any, *args: Any) -> None:
        plain(self, *args)
        ends = {place + x.size * x.dtype.itemsize for x, place in self.values.items()}
        self.parts = [(a, b - 8 if b in ends else b) for a, b in self.parts]

    monkeypatch.setattr(Known, "__init__", shorter)
    with pytest.raises(harness.LaunchError, match=r"outside every allocation: (read|write) of 8 bytes"):
        for got, want in PROGRAMS["training"](cupy):
            close(cupy, got, want)
