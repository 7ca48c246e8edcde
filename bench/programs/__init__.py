"""The programs under comparison as plain NumPy text, and how another library reads the same text."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Function = Callable[..., Any]


@dataclass(frozen=True)
class Goal:
    """What ours is to reach: `least` times faster than `against`; for "clock" at most `least` seconds."""

    against: str
    least: float


@dataclass(frozen=True)
class Case:
    """One program at one size in one precision, and what is asked of it.

    Attributes:
        work: the row of the table of targets, such as "W2".
        size: in words.
        dtype: "float32" or "float64".
        ask: what is computed: "gradient" (value and gradients), "adam", "hessian", "hvp" or "fisher".
        program: the name of the function in its module; called as program(*parameters, *data).
        parameters: what is differentiated; arrays, or containers of arrays.
        data: further arguments, constants of the loss.
        extra: what else the question needs: the vector of a product, the optimizer's state.
        n: the size as one number.
        goals: what counts as met.
        floor: seconds that the machine needs at least, given its measured rates.
    """

    work: str
    size: str
    dtype: str
    ask: str
    program: str
    parameters: tuple[Any, ...]
    data: tuple[Any, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    n: int = 0
    goals: tuple[Goal, ...] = ()
    floor: Function | None = None

    @property
    def title(self) -> str:
        """Work, size, precision, and the question if it is not the gradient."""
        asked = "" if self.ask == "gradient" else f", {self.ask}"
        return f"{self.work} {self.size} {self.dtype}{asked}"

    def loss(self, module: ModuleType) -> Function:
        """The loss as a function of the parameters alone, the data closed over: what a user would write."""
        program, data = getattr(module, self.program), self.data
        return lambda *parameters: program(*parameters, *data)


BEST = "best peer"  # whoever of the other libraries is fastest


def read_as(name: str, namespace: Any) -> ModuleType:
    """The module `programs.<name>` once more, with another library's namespace in the place of NumPy's.

    The text stays one: autograd and jax read `np.tanh` as their own.
    """
    spec = importlib.util.spec_from_file_location(
        f"{name}_{namespace.__name__}", Path(__file__).with_name(f"{name}.py")
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.np = namespace  # type: ignore[attr-defined]
    return module


def map_leaves(f: Function, x: Any) -> Any:
    """The container x (lists, tuples, dicts) with f applied to every array and number."""
    if isinstance(x, (list, tuple)):
        return type(x)(map_leaves(f, part) for part in x)
    if isinstance(x, dict):
        return {key: map_leaves(f, part) for key, part in x.items()}
    return f(x)


def leaves(x: Any) -> list[Any]:
    """The arrays and numbers of a container, in order."""
    found: list[Any] = []
    map_leaves(found.append, x)
    return found


def in_float64(x: Any) -> Any:
    """The container x in float64; integers stay what they are."""
    return map_leaves(lambda a: np.asarray(a, np.float64)[()] if np.asarray(a).dtype.kind == "f" else a, x)
