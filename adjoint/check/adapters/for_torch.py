"""Functions of torch tensors: plain ones, `autograd.Function`s and modules, by `torch.autograd.grad`.

torch's gradient of a complex argument is the conjugate of ours. A module's parameters are differentiated too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import tree as trees
from ...errors import DTypeError
from ..subject import Arguments, Arrays, Subject, as_arguments, parameter_names


class Fixed:
    """A leaf that stays as it is: torch differentiates tensors only."""

    def __init__(self, value: Any) -> None:
        self.value = value


def subject(f: Any, args: Sequence[Any], argnum: int | Sequence[int] | None) -> Subject:
    """A function of tensors, in their dtypes and on their devices."""
    import torch

    name = getattr(f, "__name__", type(f).__name__)
    args = list(as_arguments(args))
    names: list[str] | None = None
    if isinstance(f, torch.nn.Module):
        module, parameters = f, dict(f.named_parameters())
        f, names = (
            _with_parameters(torch, module),
            ["parameters", *parameter_names(module.forward, len(args))],
        )
        args = [parameters, *args]
        argnum = None if argnum is None else _shifted(argnum, len(args) - 1)
    elif isinstance(f, type):
        name, f = f.__name__, getattr(f, "apply")  # noqa: B009  (an autograd.Function)
    else:
        owner = getattr(f, "__self__", None)
        name = owner.__name__ if isinstance(owner, type) and name == "apply" else name

    def moves(leaf: Any) -> bool:
        return isinstance(leaf, torch.Tensor) and (leaf.is_floating_point() or leaf.is_complex())

    def lowered(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return Fixed(leaf)
        if not moves(leaf):
            return leaf
        if leaf.dtype == torch.bfloat16:
            raise DTypeError("check.gradients cannot hold bfloat16, which NumPy lacks: give x.float()")
        return leaf.detach().cpu().numpy()

    arguments = Arguments(f, [trees.tree_map(lowered, a) for a in args], argnum, names)
    originals = [leaf for k in arguments.chosen for leaf in trees.flatten(args[k])[0] if moves(leaf)]

    def tensors(x: Arrays) -> list[Any]:
        return [
            torch.as_tensor(np.asarray(a), device=t.device).requires_grad_()
            for a, t in zip(x, originals, strict=True)
        ]

    def raised(leaf: Any) -> Any:
        if isinstance(leaf, np.ndarray):  # a float argument that is not differentiated
            return torch.as_tensor(leaf)
        return leaf.value if isinstance(leaf, Fixed) else leaf

    def outputs(inputs: list[Any]) -> list[Any]:
        given = [trees.tree_map(raised, a) for a in arguments.at(inputs)]
        return [z for z in trees.flatten(f(*given))[0] if moves(z)]

    def value(x: Arrays) -> Arrays:
        with torch.no_grad():
            return [z.detach().cpu().numpy() for z in outputs([t.detach() for t in tensors(x)])]

    def grads(x: Arrays, lam: Arrays, again: bool) -> tuple[list[Any], list[Any]]:
        inputs = tensors(x)
        # leaves must not be written by the function: it gets what is computed from them
        found = outputs([t * 1 for t in inputs] if again else inputs)
        seeds = [
            torch.as_tensor(np.conj(a), dtype=z.dtype, device=z.device)
            for a, z in zip(lam, found, strict=True)
        ]
        kept = [(z, s) for z, s in zip(found, seeds, strict=True) if z.requires_grad]
        if not kept:
            return inputs, [None] * len(inputs)
        return inputs, list(
            torch.autograd.grad(
                [z for z, _ in kept], inputs, [s for _, s in kept], allow_unused=True, create_graph=again
            )
        )

    def pull(x: Arrays, lam: Arrays) -> Arrays:
        return [None if g is None else np.conj(g.detach().cpu().numpy()) for g in grads(x, lam, False)[1]]

    def turn(x: Arrays, lam: Arrays, v: Arrays) -> Arrays:
        inputs, first = grads(x, lam, True)
        total = sum(
            (g.conj() * torch.as_tensor(np.asarray(d), dtype=g.dtype, device=g.device)).real.sum()
            for g, d in zip(first, v, strict=True)
            if g is not None and g.requires_grad
        )
        if not isinstance(total, torch.Tensor):
            return [np.zeros_like(np.asarray(a)) for a in x]
        second = torch.autograd.grad(total, inputs, allow_unused=True)
        return [
            np.zeros_like(np.asarray(a)) if g is None else np.conj(g.detach().cpu().numpy())
            for a, g in zip(x, second, strict=True)
        ]

    return Subject(
        f"gradients of {name}", arguments.x, arguments.labels, arguments.positions,
        value, pull, turn=turn, names={"value": "function", "pull": "gradient"},
    )  # fmt: skip


def _with_parameters(torch: Any, module: Any) -> Any:
    def call(parameters: Any, *inputs: Any) -> Any:
        return torch.func.functional_call(module, parameters, inputs)

    return call


def _shifted(argnum: int | Sequence[int], count: int) -> list[int]:
    """The positions of some of a module's arguments behind the parameters; those from the end stay."""
    chosen = [int(argnum)] if isinstance(argnum, (int, np.integer)) else list(argnum)
    for k in chosen:
        if not -count <= k < count:
            raise ValueError(f"argnum {k} is out of range: the module is given {count} arguments")
    return [k + 1 if k >= 0 else k for k in chosen]
