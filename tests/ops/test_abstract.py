"""Shapes without values: every primitive says the shape and dtype of its result before it computes it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from adjoint.ops import PRIMITIVES
from adjoint.ops.abstract import abstract_of
from adjoint.ops.primitive import parts

OWN = [op for op in PRIMITIVES.values() if not op.foreign]


def kinds(z: Any) -> list[tuple[tuple[int, ...], np.dtype[Any]]]:
    return [(p.shape, p.dtype) for p in map(abstract_of, parts(z))]


def agrees(op: Any, args: Any, params: dict[str, Any]) -> None:
    """With every choice of operands abstract, but for masks, whose values decide shapes."""
    with np.errstate(all="ignore"):
        expected = kinds(op.value(*args, **params))
    choices = [
        (a,) if np.asarray(a).dtype == bool and op.name in ("getitem", "scatter_add") else (a, abstract_of(a))
        for a in args
    ]
    for operands in itertools.product(*choices):
        found = op.abstract(*operands, **params)
        assert kinds(found) == expected, (op.name, operands, params)
        assert all(type(n) is int for shape, _ in kinds(found) for n in shape)


def cast(args: Any, dtype: Any) -> list[Any]:
    return [np.asarray(a).astype(dtype)[()] if np.asarray(a).dtype.kind == "f" else a for a in args]


@pytest.mark.parametrize("op", OWN, ids=lambda op: op.name)
def test_abstract_agrees_with_value(op: Any) -> None:
    for args, params in op.samples(np.random.default_rng(0)):
        if op.name == "indicator" and np.shape(args[0]) != np.shape(args[1]):
            continue  # its value ignores the shape of `like`, which rules give equal to the condition's
        agrees(op, args, params)
        agrees(op, cast(args, np.float32), params)
