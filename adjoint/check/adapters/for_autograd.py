"""Functions of HIPS/autograd, by its `make_vjp`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import tree as trees
from ..subject import Arguments, Arrays, Subject, as_arguments


def subject(f: Any, args: Sequence[Any], argnum: int | Sequence[int] | None) -> Subject:
    """A function of NumPy arrays written with autograd.numpy."""
    from autograd import make_vjp
    from autograd.builtins import tuple as autograd_tuple

    arguments = Arguments(f, as_arguments(args), argnum)
    count = len(arguments.x)

    def results(x: Sequence[Any]) -> list[Any]:
        found = trees.flatten(f(*arguments.at(list(x))))[0]
        return [z for z in found if hasattr(z, "_value") or np.asarray(z).dtype.kind in "fc"]

    def value(x: Arrays) -> Arrays:
        return [np.asarray(z) for z in results(x)]

    def pulled(x: Any, lam: Arrays) -> Any:
        vjp, _ = make_vjp(lambda t: autograd_tuple(results([t[k] for k in range(count)])))(x)
        return vjp(autograd_tuple(lam))

    def pull(x: Arrays, lam: Arrays) -> Arrays:
        return list(pulled(tuple(x), lam))

    def turn(x: Arrays, lam: Arrays, v: Arrays) -> Arrays:
        back, _ = make_vjp(lambda t: pulled(t, lam))(tuple(x))
        return list(back(autograd_tuple(v)))  # of a symmetric Hessian; whether it is, is checked

    return Subject(
        f"gradients of {getattr(f, '__name__', type(f).__name__)}",
        arguments.x, arguments.labels, arguments.positions, value, pull, turn=turn,
        names={"value": "function", "pull": "vjp"},
    )  # fmt: skip
