"""The GPU engine in tests: on the emulator, and on a card where there is one (`-m gpu`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import tree as trees
from adjoint.ops.primitive import Recorded
from tests.cuda_emulator import cupy_standin, harness


def _has_card() -> bool:
    try:
        import cupy
    except ImportError:
        return False
    return bool(cupy.cuda.is_available())


MACHINES = [
    pytest.param(
        "emulator", marks=pytest.mark.skipif(harness.missing() is not None, reason=str(harness.missing()))
    ),
    pytest.param("card", marks=[pytest.mark.gpu, pytest.mark.skipif(not _has_card(), reason="no GPU")]),
]

EAGER = [pytest.param("emulator"), MACHINES[1]]  # without kernels of ours: no compiler is needed


@contextmanager
def machine(name: str) -> Iterator[Any]:
    """The module cupy of a machine."""
    if name == "card":
        import cupy

        yield cupy
        return
    with cupy_standin.standing_in() as cupy:
        yield cupy


class OnDevice:
    """A function compiled for the GPU that takes and gives arrays of the host."""

    def __init__(self, cupy: Any, compiled: Any) -> None:
        self.cupy, self.compiled = cupy, compiled

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, Recorded) for x in trees.flatten((args, kwargs))[0]):
            return self.compiled(*args, **kwargs)
        args, kwargs = trees.tree_map(self._send, (args, kwargs))
        return trees.tree_map(self._fetch, self.compiled(*args, **kwargs))

    def _send(self, x: Any) -> Any:
        return self.cupy.asarray(x) if isinstance(x, np.ndarray) and x.ndim else x

    def _fetch(self, x: Any) -> Any:
        return self.cupy.asnumpy(x)[()] if isinstance(x, self.cupy.ndarray) else x

    def __getattr__(self, name: str) -> Any:
        return getattr(self.compiled, name)


def compiler(cupy: Any) -> Callable[..., Any]:
    """`ad.compile` for the GPU, between arrays of the host."""
    plain = ad.compile

    def compile(f: Callable[..., Any], **options: Any) -> OnDevice:
        return OnDevice(cupy, plain(f, engine="cupy", **options))

    return compile
