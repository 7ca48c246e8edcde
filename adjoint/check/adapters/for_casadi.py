"""CasADi `Function`s, by their own `forward` and `reverse` functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..subject import Arguments, Arrays, Subject, as_arguments


def subject(f: Any, args: Sequence[Any], argnum: int | Sequence[int] | None) -> Subject:
    """A CasADi Function of arrays: (n,) is a column."""
    import casadi

    given = [np.array(a, np.float64) for a in as_arguments(args)]
    if len(given) != f.n_in():
        raise TypeError(f"{f.name()} takes {f.n_in()} arguments, {len(given)} were given")
    arguments = Arguments(f, given, argnum)
    arguments.labels = [f.name_in(k) for k in arguments.chosen]
    shapes = [f.size_in(k) for k in range(f.n_in())]

    def columns(x: Sequence[Any]) -> list[Any]:
        return [casadi.DM(np.reshape(a, s, order="F")) for a, s in zip(x, shapes, strict=True)]

    def called(x: Arrays) -> tuple[list[Any], list[Any]]:
        inputs = columns(arguments.at(x))
        return inputs, list(f.call(inputs))

    def value(x: Arrays) -> Arrays:
        return [np.array(z) for z in called(x)[1]]

    def shaped(found: list[Any]) -> Arrays:
        picked = [np.array(found[k]) for k in arguments.chosen]
        return [
            np.reshape(g, np.shape(given[k]), order="F")
            for g, k in zip(picked, arguments.chosen, strict=True)
        ]

    def pull(x: Arrays, lam: Arrays) -> Arrays:
        inputs, outputs = called(x)
        return shaped(f.reverse(1).call([*inputs, *outputs, *map(casadi.DM, lam)]))

    def seeds(v: Arrays) -> list[Any]:
        full: list[Any] = [np.zeros(s) for s in shapes]
        for k, d in zip(arguments.chosen, v, strict=True):
            full[k] = d
        return columns(full)

    def push(x: Arrays, v: Arrays) -> Arrays:
        inputs, outputs = called(x)
        return [np.array(t) for t in f.forward(1).call([*inputs, *outputs, *seeds(v)])]

    def turn(x: Arrays, lam: Arrays, v: Arrays) -> Arrays:
        symbols = f.mx_in()
        back = f.reverse(1).call([*symbols, *f.call(symbols), *map(casadi.MX, map(casadi.DM, lam))])
        along = seeds(v)
        total = sum(casadi.dot(back[k], along[k]) for k in range(f.n_in()))
        second = [casadi.gradient(total, s) for s in symbols]
        return shaped(casadi.Function("second", symbols, second).call(columns(arguments.at(x))))

    return Subject(
        f"gradients of {f.name()}", arguments.x, arguments.labels, arguments.positions,
        value, pull, push, turn,
        names={"value": "function", "pull": "reverse", "push": "forward"},
    )  # fmt: skip
