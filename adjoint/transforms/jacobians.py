"""All partial derivatives at once, by as many sweeps as the smaller side has elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree as trees
from ..errors import DTypeError, refusal
from ..ops.primitive import beside, dtype_of, shape_of
from .naming import named
from .recording import Argnum, Recording, own

Function = Callable[..., Any]


def jacobian(f: Function, argnum: Argnum = 0) -> Function:
    """All partial derivatives: an array of shape `f(x).shape + x.shape`.

    f runs once; then come as many adjoint sweeps as f has outputs, or tangent sweeps as x has elements,
    whichever are fewer. Containers nest: for every leaf of f's result, the container of the argument.

    Complex numbers: ∂f/∂x of a complex f of real x; ∂f/∂x − i ∂f/∂y, as `grad` has it, of a real f of x + iy;
    the complex derivative of a holomorphic f.

    Raises:
        DTypeError: f does not return arrays; or real and complex ones, of complex numbers.
    """

    @named(f, "jacobian", argnum)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        run = Recording(f, args, kwargs, argnum)
        rows = sum(math.prod(shape_of(z)) for z in run.array_outputs("jacobian"))
        columns = sum(x.size for x in run.inputs)
        by_rows = _prefer_rows(run, rows <= columns)
        blocks = _by_rows(run) if by_rows else _by_columns(run)
        owned = iter(own([block for row in blocks for block in row]))
        trees_of_rows = [trees.unflatten(run.structure, [next(owned) for _ in row]) for row in blocks]
        return trees.unflatten(run.output_structure, trees_of_rows)

    return derivative


def _prefer_rows(run: Recording, fewer: bool) -> bool:
    """Whether to sweep back from the results; of complex results of real inputs, λ would lose a part."""
    into = {dtype_of(z).kind == "c" for z in run.results}
    out_of = {dtype_of(x).kind == "c" for x in run.inputs}
    if len(into | out_of) < 2:
        return fewer
    if True in into and True in out_of:
        what = "a Jacobian between real and complex numbers mixed is not one array of numbers"
        raise refusal(DTypeError, what, "Differentiate the real and the complex parts one by one.")
    return True not in into


def _basis(x: Any) -> list[Any]:
    shape, n = shape_of(x), math.prod(shape_of(x))
    kind = dtype_of(x) if dtype_of(x).kind in "fc" else np.dtype(np.float64)
    return [row.reshape(shape)[()] for row in beside(x).eye(n, dtype=kind)]


def _by_rows(run: Recording) -> list[list[Any]]:
    """∂z/∂x for every result z and input x, by one adjoint sweep per element of the results."""
    blocks = []
    for k, z in enumerate(run.results):
        pulled = [run.pull([e if j == k else None for j in range(len(run.results))]) for e in _basis(z)]
        columns = zip(*pulled, strict=True) if pulled else [()] * len(run.inputs)
        blocks.append([
            np.reshape(np.stack(rows), shape_of(z) + x.shape) if rows else _empty_block(z, x)
            for x, rows in zip(run.inputs, columns, strict=True)
        ])  # fmt: skip
    return blocks


def _by_columns(run: Recording) -> list[list[Any]]:
    """The same by one tangent sweep per element of the inputs."""
    blocks: list[list[Any]] = [[] for _ in run.results]
    for k, x in enumerate(run.inputs):
        pushed = [run.push([e if j == k else None for j in range(len(run.inputs))]) for e in _basis(x)]
        for j, z in enumerate(run.results):
            columns = [p[j] for p in pushed]
            block = (
                np.reshape(np.stack(columns, axis=-1), shape_of(z) + x.shape)
                if columns
                else _empty_block(z, x)
            )
            blocks[j].append(block)
    return blocks


def _empty_block(z: Any, x: Any) -> Any:
    return beside(z, x).zeros(shape_of(z) + shape_of(x), np.result_type(dtype_of(x), dtype_of(z)))


def hessian(f: Function, argnum: Argnum = 0) -> Function:
    """All second partial derivatives: an array of shape `f(x).shape + x.shape + x.shape`.

    For a container as argument, a container of containers: `hessian(f)(p)["a"]["b"]` is ∂²f/∂a∂b.
    """
    return named(f, "hessian", argnum)(jacobian(jacobian(f, argnum), argnum))
