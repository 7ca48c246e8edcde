"""Programs on both sides: those of `helpers.FUNCTIONS` written for cupy, and arrays sent there and back."""

from __future__ import annotations

from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any

import numpy as np

from adjoint import tree as trees

from .cuda_emulator.cupy_standin import CONTROL

CREATING = frozenset({
    "array", "asarray", "arange", "zeros", "ones", "full", "eye", "identity", "linspace", "tri", "zeros_like",
})  # fmt: skip


class _Namespace:
    """NumPy, but what makes arrays is cupy's."""

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cupy if name in CREATING else np, name)


def with_cupy(f: Any, cupy: Any) -> Callable[..., Any]:
    """The function, and those beside it that it calls, with `np` making arrays of the device."""
    surroundings = f.__globals__
    names = {k: cupy.asarray(v) if isinstance(v, np.ndarray) else v for k, v in surroundings.items()}
    names["np"] = _Namespace(cupy)

    def moved(g: FunctionType) -> FunctionType:
        defaults = g.__defaults__ and tuple(map(beside, g.__defaults__))
        cells = g.__closure__ and tuple(CellType(beside(cell.cell_contents)) for cell in g.__closure__)
        copy = FunctionType(g.__code__, names, g.__name__, defaults, cells)
        copy.__kwdefaults__ = g.__kwdefaults__
        return copy

    def beside(x: Any) -> Any:
        if isinstance(x, FunctionType) and x.__globals__ is surroundings:
            return moved(x)
        if isinstance(x, dict):
            return {k: beside(v) for k, v in x.items()}
        return cupy.asarray(x) if isinstance(x, np.ndarray) else x

    for k, v in surroundings.items():
        if isinstance(v, FunctionType) and v.__globals__ is surroundings:
            names[k] = moved(v)
    return moved(f)


def sent(cupy: Any, tree: Any) -> Any:
    """The container with its arrays on the device."""
    return trees.tree_map(lambda x: cupy.asarray(x) if isinstance(x, np.ndarray) else x, tree)


def fetched(cupy: Any, tree: Any) -> Any:
    """The container with its arrays on the host."""
    return trees.tree_map(lambda x: cupy.asnumpy(x)[()] if isinstance(x, cupy.ndarray) else x, tree)


def stay(cupy: Any, got: Any, want: Any) -> None:
    """Where the host has arrays, the device has device arrays."""
    for a, b in zip(trees.flatten(got)[0], trees.flatten(want)[0], strict=True):
        if isinstance(b, np.ndarray):
            assert isinstance(a, cupy.ndarray), f"a {type(a).__name__} for {b.shape}"


def on_both_sides(cupy: Any, name: str, f: Callable[..., Any], args: Any) -> tuple[Any, Any, bool]:
    """What f makes of the arguments there, and what on the host; and whether it waited for the device."""
    want, there = f(*args), sent(cupy, args)
    before = CONTROL.counts.device_to_host
    try:
        got = f(*there)
    except Exception as error:
        raise AssertionError(f"{name}: {error}") from error
    waited = CONTROL.counts.device_to_host > before
    stay(cupy, got, want)
    return fetched(cupy, got), want, waited
