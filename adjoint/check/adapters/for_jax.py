"""Functions of jax arrays: by `jax.vjp`, and by `jax.jvp` where there is one (`custom_vjp` has none)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import tree as trees
from ..subject import Arguments, Arrays, Subject, as_arguments, is_float


def subject(f: Any, args: Sequence[Any], argnum: int | Sequence[int] | None) -> Subject:
    """A function of jax arrays, in the dtypes that jax computes in."""
    import jax

    def lowered(leaf: Any) -> Any:
        return np.array(jax.numpy.asarray(leaf)) if is_float(leaf) else leaf

    arguments = Arguments(f, [trees.tree_map(lowered, a) for a in as_arguments(args)], argnum)

    def flat(*x: Any) -> list[Any]:
        leaves = jax.tree_util.tree_leaves(f(*arguments.at(list(x))))
        return [z for z in leaves if is_float(z)]

    def arrays(x: Arrays) -> list[Any]:
        return [jax.numpy.asarray(a) for a in x]

    def value(x: Arrays) -> Arrays:
        return [np.asarray(z) for z in flat(*arrays(x))]

    def pulled(x: list[Any], lam: list[Any]) -> list[Any]:
        return list(jax.vjp(flat, *x)[1](lam))

    def pull(x: Arrays, lam: Arrays) -> Arrays:
        return [np.asarray(g) for g in pulled(arrays(x), arrays(lam))]

    def push(x: Arrays, v: Arrays) -> Arrays:
        return [np.asarray(t) for t in jax.jvp(flat, tuple(arrays(x)), tuple(arrays(v)))[1]]

    def pull_turn(x: Arrays, lam: Arrays, u: Arrays) -> Arrays:
        seeds = arrays(lam)
        return [np.asarray(g) for g in jax.vjp(lambda *y: pulled(list(y), seeds), *arrays(x))[1](arrays(u))]

    def turn(x: Arrays, lam: Arrays, v: Arrays) -> Arrays:
        seeds = arrays(lam)
        return [
            np.asarray(t)
            for t in jax.jvp(lambda *y: pulled(list(y), seeds), tuple(arrays(x)), tuple(arrays(v)))[1]
        ]

    forward = True
    try:
        push(arguments.x, arguments.x)
    except (TypeError, NotImplementedError, ValueError):  # custom_vjp, callbacks: reverse mode only
        forward = False
    return Subject(
        f"gradients of {getattr(f, '__name__', type(f).__name__)}",
        arguments.x, arguments.labels, arguments.positions, value, pull,
        push=push if forward else None,
        turn=turn if forward else pull_turn,  # the Hessian is symmetric; whether this one is, is checked
        pull_turn=pull_turn if forward else None,
        names={"value": "function", "pull": "vjp", "push": "jvp"},
    )  # fmt: skip
