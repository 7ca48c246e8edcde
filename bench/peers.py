"""The libraries under comparison, each in its own idiom, behind the two questions every bench asks.

`value_and_grad(f, args)` prepares a call that gives (value, gradients). `record(f, args)` runs f forward
only and returns (value, sweep), where `sweep()` gives the gradients and can be repeated. f is written with
`np`, the library's namespace, and takes the library's own arrays.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from agreement import Result
from harness import Run

Function = Callable[..., Any]


class Adjoint:
    """Ours: plain NumPy code, recorded anew at every call."""

    name, package = "adjoint", "adjoint-autodiff"

    def __init__(self) -> None:
        self.ad = importlib.import_module("adjoint")
        self.np: Any = np

    def value_and_grad(self, f: Function, args: Sequence[Any]) -> Run:
        derivative = self.ad.value_and_grad(f, argnum=tuple(range(len(args))))
        return lambda: derivative(*args)

    def record(self, f: Function, args: Sequence[Any]) -> tuple[Any, Callable[[], Sequence[Any]]]:
        pullback, value = self.ad.make_vjp(f, argnum=tuple(range(len(args))))(*args)
        return value, lambda: pullback(1.0)


class Autograd:
    """HIPS autograd: the same code through `autograd.numpy`, recorded anew at every call."""

    name, package = "autograd", "autograd"

    def __init__(self) -> None:
        self.autograd = importlib.import_module("autograd")
        self.np: Any = importlib.import_module("autograd.numpy")

    def value_and_grad(self, f: Function, args: Sequence[Any]) -> Run:
        derivative = self.autograd.value_and_grad(f, tuple(range(len(args))))
        return lambda: derivative(*args)

    def record(self, f: Function, args: Sequence[Any]) -> tuple[Any, Callable[[], Sequence[Any]]]:
        pullback, value = self.autograd.make_vjp(f, tuple(range(len(args))))(*args)
        return value, lambda: pullback(1.0)


class Torch:
    """PyTorch, eager: its operations on leaves made once that require a gradient; `torch.autograd.grad`."""

    name, package = "torch eager", "torch"

    def __init__(self) -> None:
        self.torch = self.np = importlib.import_module("torch")

    def leaves(self, args: Sequence[Any]) -> list[Any]:
        return [self.torch.tensor(x, dtype=self.torch.float64, requires_grad=True) for x in args]

    def value_and_grad(self, f: Function, args: Sequence[Any]) -> Run:
        grad, leaves = self.torch.autograd.grad, self.leaves(args)

        def run() -> Result:
            value = f(*leaves)
            return value, grad(value, leaves)

        return run

    def record(self, f: Function, args: Sequence[Any]) -> tuple[Any, Callable[[], Sequence[Any]]]:
        grad, leaves = self.torch.autograd.grad, self.leaves(args)
        value = f(*leaves)
        return value, lambda: grad(value, leaves, retain_graph=True)


PEERS: dict[str, Any] = {"adjoint": Adjoint, "autograd": Autograd, "torch": Torch}
